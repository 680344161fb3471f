//! Applications ask for decisions, one at a time (`AuthZEN` 1.0 §6, §10).

use countersign::event::{Event, Verdict};
use serde_json::{Value, json};

use crate::app::{Answer, Setup, TestApp};
use crate::office::{Office, ask, given, setup, unlock};

const EVALUATION: &str = "/access/v1/evaluation";

/// Goal: no PEP hears an answer that an auditor cannot find.
#[test]
fn an_answer_is_in_the_log_before_it_is_sent() {
    let app = TestApp::spawn(&Setup::cloud());
    let admin = app.admin();
    let pep = app.token(&admin, &["evaluate"]);

    let answer = app.evaluate(
        &pep,
        &json!({
            "subject": {"type": "User", "id": "alice"},
            "action": {"name": "open"},
            "resource": {"type": "ProtectedResource", "id": "protected-resource"},
        }),
    );

    assert_eq!(answer.expect(200), json!({"decision": false}));
    let log = app.log();
    let last = log.last().unwrap();
    assert!(matches!(last.event, Event::AccessDecided(_)));
    assert_eq!(answer.header("countersign-decision"), last.id.to_string());
    assert_eq!(answer.header("countersign-index"), last.index.to_string());
    assert_eq!(answer.header("countersign-policy-version"), "1");
    assert_eq!(answer.header("countersign-durability"), "fsync");
    app.assert_replays();
}

/// Goal: what `AuthZEN` shows as the answer is the whole answer, to the byte.
#[test]
fn an_answer_is_a_decision_and_nothing_else() {
    let Office { app, pep, .. } = Office::open();
    for (request, body) in [
        (ask("alice", "read", "plan"), r#"{"decision":true}"#),
        (ask("bob", "read", "plan"), r#"{"decision":false}"#),
    ] {
        let answer = app.evaluate(&pep, &request);
        assert_eq!((answer.status, answer.text.as_str()), (200, body));
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    app.assert_replays();
}

/// Goal: the conformance suite's demand (§1.7): asked again, the same body; and an
/// auditor's: each time is a decision of its own.
#[test]
fn the_same_question_has_the_same_body_and_a_record_of_its_own() {
    let Office { app, pep, .. } = Office::open();
    let answers: Vec<_> =
        (0..3).map(|_| app.evaluate(&pep, &ask("alice", "read", "plan"))).collect();

    let [one, two, three] = &answers[..] else { panic!("three answers") };
    assert!(one.text == two.text && two.text == three.text);
    let index = |answer: &Answer| answer.header("countersign-index").parse::<u64>().unwrap();
    assert_eq!([index(two), index(three)], [index(one) + 1, index(one) + 2]);
    assert_ne!(one.header("countersign-decision"), two.header("countersign-decision"));
    assert_eq!(app.decisions().len(), 3);
}

/// Goal: an auditor can say why: the record has the request, the reasons and the PEP.
#[test]
fn the_record_says_what_was_asked_by_whom_and_why_it_was_answered_so() {
    let Office { app, pep, .. } = Office::open();
    let world = app.node.sequencer.world();
    let service = world.services.iter().next().unwrap().id;

    let allowed = app.recorded(&app.evaluate(&pep, &ask("alice", "write", "plan")));
    assert_eq!(allowed.decision, Verdict::Allow);
    assert_eq!(allowed.determining, ["owners-write".parse().unwrap()]);
    assert_eq!(serde_json::to_value(&allowed.request).unwrap(), ask("alice", "write", "plan"));
    assert_eq!(allowed.pep, service.to_string());
    assert!(allowed.note.is_none() && allowed.errors.is_empty() && allowed.pruned.is_empty());

    let denied = app.recorded(&app.evaluate(&pep, &ask("bob", "write", "plan")));
    assert_eq!(denied.decision, Verdict::Deny);
    assert!(denied.determining.is_empty() && denied.note.is_none());
    app.assert_replays();
}

/// Goal: §1.1: unknown members are ignored, members may stand in any order, a null
/// counts as absent, and the content type may have parameters.
#[test]
fn what_the_specification_tells_receivers_to_tolerate_is_tolerated() {
    let Office { app, pep, .. } = Office::open();
    let bearer = format!("Bearer {pep}");
    let body = r#"{
        "resource": {"id": "plan", "properties": null, "_note": [1], "type": "Doc"},
        "unknown": {"deep": [null, 1.5]},
        "action": {"properties": {}, "name": "read", "id": 7},
        "context": null,
        "subject": {"id": "alice", "type": "User", "type2": "Group"}
    }"#;
    for content_type in
        ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"]
    {
        let headers = [("authorization", bearer.as_str()), ("content-type", content_type)];
        let answer = app.raw("POST", EVALUATION, &headers, body.as_bytes());
        assert_eq!(answer.text, r#"{"decision":true}"#, "{content_type}");
        let recorded = app.recorded(&answer);
        let request = serde_json::to_value(&recorded.request).unwrap();
        assert_eq!(request, ask("alice", "read", "plan"));
    }
}

/// Goal: a fault of the call is a 4xx problem with a stable code, says where it is and
/// what would be right, and is never taken for a decision.
#[test]
fn a_request_that_is_none_is_refused_and_decides_nothing() {
    let Office { app, pep, .. } = Office::open();
    let whole = ask("alice", "read", "plan");
    let without = |path: &str| {
        let mut body = whole.clone();
        let (holder, name) = path.rsplit_once('/').unwrap();
        body.pointer_mut(holder).unwrap().as_object_mut().unwrap().remove(name);
        body.to_string()
    };
    let with = |path: &str, value: Value| {
        let mut body = whole.clone();
        let (holder, name) = path.rsplit_once('/').unwrap();
        body.pointer_mut(holder).unwrap()[name] = value;
        body.to_string()
    };
    let deep = |levels: usize| {
        let context = format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        format!(r#"{{"context":{{"a":{context}}},{}"#, whole.to_string().strip_prefix('{').unwrap())
    };
    let twice = whole.to_string().replace(r#""id":"alice""#, r#""id":"alice","id":"bob""#);
    let long = with("/context", json!({"note": "x".repeat(70_000)}));
    let wide = with("/context", json!({"note": "x".repeat(33_000)}));
    for (body, status, code, says) in [
        (String::new(), 400, "bad_json", "EOF"),
        ("{".to_owned(), 400, "bad_json", "line 1"),
        (format!("{whole}x"), 400, "bad_json", "trailing"),
        (format!("[{whole}]"), 400, "bad_request", "body: expected an object"),
        ("\"x\"".to_owned(), 400, "bad_request", "body: expected an object"),
        ("null".to_owned(), 400, "bad_request", "body: expected an object"),
        (twice, 400, "bad_json", "`id` stands twice"),
        (r#"{"a":"\ud800"}"#.to_owned(), 400, "bad_json", "line 1"),
        (deep(31), 400, "bad_json", "nested too deeply"),
        ("[".repeat(60_000), 400, "bad_json", "nested too deeply"),
        (long, 413, "body_too_large", "65536"),
        (wide, 400, "request_too_large", "32768"),
        (without("/subject"), 400, "bad_request", "subject: missing"),
        (without("/action"), 400, "bad_request", "action: missing"),
        (without("/resource"), 400, "bad_request", "resource: missing"),
        (without("/subject/type"), 400, "bad_request", "subject.type: missing"),
        (without("/subject/id"), 400, "bad_request", "subject.id: missing"),
        (without("/action/name"), 400, "bad_request", "action.name: missing"),
        (without("/resource/type"), 400, "bad_request", "resource.type: missing"),
        (without("/resource/id"), 400, "bad_request", "resource.id: missing"),
        (with("/subject", json!("alice")), 400, "bad_request", "subject: expected an object"),
        (with("/subject/id", json!(7)), 400, "bad_request", "subject.id: expected text"),
        (with("/action/name", json!(["read"])), 400, "bad_request", "action.name: expected text"),
        (with("/action", json!([])), 400, "bad_request", "action: expected an object"),
        (with("/resource/properties", json!([])), 400, "bad_request", "resource.properties"),
        (with("/context", json!("office")), 400, "bad_request", "context: expected an object"),
        (with("/subject/id", json!("x".repeat(1_025))), 400, "bad_request", "subject.id: too long"),
        (with("/subject/type", json!("")), 400, "bad_request", "must not be empty"),
    ] {
        let answer = app.post_text(EVALUATION, &pep, &body);
        let shown: String = body.chars().take(120).collect();
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{shown}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem = answer.json();
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(says), "{detail}");
        assert_eq!(problem["status"], status);
        assert_eq!(answer.header("countersign-decision"), "");
    }
    assert!(app.evaluate(&pep, &whole).expect(200)["decision"].as_bool().unwrap());
    assert!(app.post_text(EVALUATION, &pep, &deep(30)).status == 200);
    assert_eq!(app.decisions().len(), 2);
    app.assert_replays();
}

/// Goal: §1.5: another content type is a 400, another method a 405, and who shows no
/// valid token gets a 401 with a challenge, whatever else is wrong.
#[test]
fn the_content_type_the_method_and_the_token_are_insisted_on() {
    let Office { app, pep, .. } = Office::open();
    let bearer = format!("Bearer {pep}");
    let body = ask("alice", "read", "plan").to_string();
    let typed = |content_type: Option<&str>| {
        let headers = [("authorization", bearer.as_str())];
        let typed = content_type.map(|it| ("content-type", it));
        let headers: Vec<_> = headers.into_iter().chain(typed).collect();
        app.raw("POST", EVALUATION, &headers, body.as_bytes())
    };
    for wrong in [None, Some("text/plain"), Some("application/jsonp"), Some("text/json"), Some("")]
    {
        let answer = typed(wrong);
        assert_eq!((answer.status, answer.code().as_str()), (400, "content_type"), "{wrong:?}");
    }
    for path in [EVALUATION, "/access/v1/evaluations"] {
        for method in ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"] {
            let answer = app.raw(method, path, &[("authorization", &bearer)], b"");
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), "POST");
        }
        let json = ("content-type", "application/json");
        for authorization in
            [None, Some("Bearer"), Some("Bearer x"), Some("Basic eDp5"), Some(pep.as_str())]
        {
            let shown = authorization.map(|it| ("authorization", it));
            let headers: Vec<_> = shown.into_iter().chain([json]).collect();
            let answer = app.raw("POST", path, &headers, body.as_bytes());
            assert_eq!(answer.status, 401, "{authorization:?}");
            assert!(answer.header("www-authenticate").starts_with("Bearer realm="));
        }
    }
    assert!(app.decisions().is_empty());
}

/// Goal: §1.5: the caller finds their request id on whatever they are answered; where
/// they sent none, one is made; and the log holds it.
#[test]
fn a_request_id_is_on_every_kind_of_answer() {
    let Office { app, pep, .. } = Office::open();
    let bearer = format!("Bearer {pep}");
    let sent = "a/b c:1, \"q\" {x}";
    let right = ask("alice", "read", "plan").to_string();
    let lengthy = "x".repeat(70_000);
    let json = "application/json";
    for (method, path, token, content_type, body, status) in [
        ("POST", EVALUATION, bearer.as_str(), json, right.as_str(), 200),
        ("POST", EVALUATION, &bearer, json, "{", 400),
        ("POST", EVALUATION, &bearer, "text/plain", "{}", 400),
        ("POST", EVALUATION, "Bearer no", json, &right, 401),
        ("POST", "/policies/v1", &bearer, json, "{}", 405),
        ("PUT", "/policies/v1", &bearer, json, "{}", 403),
        ("GET", EVALUATION, &bearer, json, "", 405),
        ("GET", "/nowhere", &bearer, json, "", 404),
        ("POST", EVALUATION, &bearer, json, &lengthy, 413),
        ("GET", "/healthz", &bearer, json, "", 200),
    ] {
        let headers =
            [("authorization", token), ("content-type", content_type), ("x-request-id", sent)];
        let answer = app.raw(method, path, &headers, body.as_bytes());
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        assert_eq!(answer.header("x-request-id"), sent, "{method} {path}");
    }
    let log = app.log();
    let named = log.iter().filter(|entry| entry.correlation.as_deref() == Some(sent));
    assert_eq!(named.count(), 2, "the decision and the refusal to publish");

    // Where the caller sends none, or an empty one, there is one all the same.
    let without = [("authorization", bearer.as_str()), ("content-type", json)];
    let empty = [without[0], without[1], ("x-request-id", "")];
    for headers in [&without[..], &empty] {
        let made = app.raw("POST", EVALUATION, headers, right.as_bytes());
        let id = made.header("x-request-id");
        assert!(!id.is_empty());
        assert_eq!(app.log().last().unwrap().correlation.as_deref(), Some(id));
    }
    app.assert_replays();
}

/// Goal: an id too long or too odd to be recorded is still given back as it came.
#[test]
fn an_odd_request_id_is_echoed_and_not_recorded() {
    let Office { app, pep, .. } = Office::open();
    let bearer = format!("Bearer {pep}");
    let body = ask("alice", "read", "plan").to_string();
    let long = "i".repeat(500);
    for id in [long.as_bytes(), "é".as_bytes()] {
        let value = ureq::http::HeaderValue::from_bytes(id).unwrap();
        let request = ureq::http::Request::post(app.url(EVALUATION))
            .header("authorization", &bearer)
            .header("content-type", "application/json")
            .header("x-request-id", value);
        let answer = Answer::of(ureq::run(request.body(body.clone()).unwrap()));
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["x-request-id"].as_bytes(), id);
        assert_eq!(app.log().last().unwrap().correlation, None);
    }
}

/// Goal: §1.6: without a token a PEP learns where the endpoints are: two of them, at
/// the address that was configured, whatever the request says about itself.
#[test]
fn the_metadata_are_the_configured_ones() {
    let public = "https://pdp.example.com";
    let app = TestApp::spawn(&setup().with_setting(&format!("public_url={public}")));
    let headers = [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "host=evil.example;proto=http"),
        ("x-forwarded-proto", "http"),
    ];
    let path = "/.well-known/authzen-configuration";
    for headers in [&headers[..], &[]] {
        let answer = app.raw("GET", path, headers, b"");
        let expected = json!({
            "policy_decision_point": public,
            "access_evaluation_endpoint": format!("{public}/access/v1/evaluation"),
            "access_evaluations_endpoint": format!("{public}/access/v1/evaluations"),
            "supported_obligations": ["step-up"],
        });
        assert_eq!(answer.expect(200), expected);
        assert_eq!(answer.header("content-type"), "application/json");
        assert!(answer.header("cache-control").contains("max-age="));
    }
    assert_eq!(app.raw("POST", path, &[], b"").status, 405);
    assert_eq!(app.raw("GET", &format!("{path}/tenant"), &[], b"").status, 404);
}

/// Goal: on loopback and without a configured address, what the metadata name is there.
#[test]
fn the_metadata_lead_to_the_endpoints() {
    let Office { app, pep, .. } = Office::open();
    let found = app.raw("GET", "/.well-known/authzen-configuration", &[], b"").expect(200);
    assert_eq!(found["policy_decision_point"], app.base);
    for name in ["access_evaluation_endpoint", "access_evaluations_endpoint"] {
        let path = found[name].as_str().unwrap().strip_prefix(&app.base).unwrap();
        let answer = app.post(path, &pep, &ask("alice", "read", "plan"));
        assert_eq!(answer.text, r#"{"decision":true}"#);
    }
}

/// Goal: §1.5: a deny is an answer, not an error: the status never tells one from the
/// other, and a question about nobody and nothing is answered like any other.
#[test]
fn a_deny_is_200() {
    let office = Office::open();
    let network = |ip: &str| given(unlock("alice", "network"), json!({"ip": ip}));
    for (request, allowed) in [
        (ask("alice", "read", "plan"), true),
        (ask("alice", "read", "in no directory, but of a known type"), true),
        (ask("nobody", "read", "plan"), false),
        (ask("alice", "fly", "plan"), false),
        (unlock("alice", "session"), false),
        (network("10.1.2.3"), true),
        (network("192.0.2.1"), false),
    ] {
        assert_eq!(office.allows(&request), allowed, "{request}");
    }
    office.app.assert_replays();
}

/// Goal: plaintext that a proxy should have brought but did not is refused, with the
/// caller's request id like every answer.
#[test]
fn who_comes_past_the_proxy_is_refused() {
    let setup = setup()
        .with_setting("behind_proxy=true")
        .with_setting("trusted_proxies=10.0.0.0/8")
        .with_setting("public_url=https://pdp.example.com");
    let app = TestApp::spawn(&setup);
    for path in ["/healthz", EVALUATION, "/nowhere"] {
        let answer = app.raw("GET", path, &[("x-request-id", "past")], b"");
        assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"));
        assert_eq!(answer.header("x-request-id"), "past");
    }
}

/// Goal: §5 of the design: every error is a problem (RFC 9457) with a code, those that
/// no handler has a hand in, too.
#[test]
fn every_error_is_a_problem() {
    let Office { app, admin, .. } = Office::open();
    let bearer = format!("Bearer {}", admin.token);
    for (method, path, status, code) in [
        ("GET", EVALUATION, 405, "method_not_allowed"),
        ("DELETE", "/policies/v1", 405, "method_not_allowed"),
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/access/v2/evaluation", 404, "not_found"),
        ("GET", "/audit/v1/decisions/none", 404, "not_found"),
        ("DELETE", "/tokens/v1/none", 404, "not_found"),
        ("GET", "/entities/v1?limit=many", 400, "bad_query"),
        ("GET", "/entities/v1?cursor=x", 400, "bad_cursor"),
        ("GET", "/audit/v1/events?limit=many", 400, "bad_query"),
        ("GET", "/audit/v1/events?limit=1&limit=2", 400, "bad_query"),
        ("GET", "/audit/v1/entries?from=x", 400, "bad_query"),
        ("GET", "/audit/v1/entries?to=1", 400, "bad_query"),
    ] {
        let answer = app.raw(method, path, &[("authorization", &bearer)], b"");
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{method} {path}");
        let problem = answer.json();
        assert_eq!(problem["code"], code, "{method} {path}");
        assert_eq!(problem["type"], format!("urn:countersign:problem:{code}"));
        assert!(problem["title"].is_string() && problem["detail"].is_string());
    }
}
