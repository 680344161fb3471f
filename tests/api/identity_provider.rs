//! An identity provider reports its own sessions.

use countersign::model::Digest;
use serde_json::{Value, json};

use crate::app::{Answer, Person, Setup, TestApp};
use crate::{door, journal};

const IDP: &str = "https://idp.example";
/// A session token of the identity provider's, as long as ours or longer.
const TOKEN: &str = "idp-session-7f2c91d0a4e86b35";

/// A node of the example organisation, an application's token and the provider's.
struct Org {
    app: TestApp,
    admin: Person,
    pep: String,
    idp: String,
}

impl Org {
    fn new() -> Self {
        let app = TestApp::spawn(&Setup::cloud());
        let admin = app.admin();
        let pep = app.token(&admin, &["evaluate"]);
        let idp = provider(&app, &admin, IDP, 2)["token"].as_str().unwrap().to_owned();
        Self { app, admin, pep, idp }
    }

    fn report(&self, body: &Value) -> Answer {
        self.app.post("/events/v1", &self.idp, body)
    }

    fn opens(&self, session_token: &str) -> bool {
        door::opens(&self.app, &self.pep, "alice", session_token)
    }
}

fn provider(app: &TestApp, admin: &Person, source: &str, max_aal: u8) -> Value {
    let binding = json!({"source": source, "user_type": "User", "max_aal": max_aal});
    let asked = json!({"scopes": ["ingest"], "label": "idp", "binding": binding});
    app.post("/tokens/v1", &admin.token, &asked).expect(201)
}

/// A CloudEvent about alice's session.
fn event(id: &str, kind: &str, methods: &Value) -> Value {
    let mut data = json!({"session_token_sha256": Digest::of(TOKEN)});
    if !methods.is_null() {
        data["methods"] = methods.clone();
    }
    json!({
        "specversion": "1.0",
        "id": id,
        "source": IDP,
        "type": kind,
        "subject": "alice",
        "time": "2026-11-22T12:00:00Z",
        "data": data,
    })
}

fn both_factors(id: &str) -> Value {
    event(id, "mfa.verified", &json!(["pwd", "otp"]))
}

/// Goal: who logs in elsewhere is let in here, at what was shown there, until it ends.
#[test]
fn a_session_elsewhere_counts_here() {
    let org = Org::new();
    let first = journal::size(&org.app);
    assert!(!org.opens(TOKEN));

    org.report(&event("1", "password.verified", &Value::Null)).expect(200);
    assert!(!org.opens(TOKEN), "one factor");
    org.report(&event("2", "mfa.verified", &Value::Null)).expect(200);
    assert!(org.opens(TOKEN), "two factors, by the header");

    let mut asked = door::question("alice");
    asked["context"] = json!({"session_token": TOKEN});
    assert_eq!(org.app.evaluate(&org.pep, &asked).expect(200), json!({"decision": true}));
    assert!(!door::opens(&org.app, &org.pep, "bob", TOKEN), "it is alice's alone");

    org.report(&event("3", "session.ended", &Value::Null)).expect(200);
    assert!(!org.opens(TOKEN));
    let told = [
        "access.decided",
        "authentication.reported",
        "access.decided",
        "authentication.reported",
        "access.decided",
        "access.decided",
        "access.decided",
        "authentication.reported",
        "session.ended",
        "access.decided",
    ];
    assert_eq!(journal::names(&org.app, first), told);
}

/// Goal: who is disabled here is out everywhere at once, whoever vouched for them.
#[test]
fn who_is_disabled_loses_the_sessions_that_others_vouch_for_too() {
    let org = Org::new();
    org.app.person(&org.admin, "alice");
    org.report(&both_factors("1")).expect(200);
    assert!(org.opens(TOKEN));
    let why = json!({"reason": "left"});
    org.app.post("/users/v1/alice/disable", &org.admin.token, &why).expect(204);
    assert!(!org.opens(TOKEN));
    org.app.assert_replays();
}

/// Goal: a person sees everywhere that they are in, and ends what they do not know of.
///
/// Source: ASVS 5.0 7.5.2.
#[test]
fn a_person_sees_and_ends_the_sessions_that_others_vouch_for() {
    let org = Org::new();
    org.app.person(&org.admin, "alice");
    let alice = org.app.one_factor("alice");
    org.report(&both_factors("1")).expect(200);
    let list = || {
        let answer = org.app.get("/auth/v1/sessions", &alice.token).expect(200);
        let rows = answer["sessions"].as_array().unwrap().clone();
        rows.into_iter().filter(|row| row["source"] == IDP).collect::<Vec<_>>()
    };
    let [theirs] = list().try_into().unwrap();
    let place = format!("/auth/v1/sessions/{}", theirs["id"].as_str().unwrap());
    let admins = org.app.delete(&place, &org.admin.token);
    assert_eq!((admins.status, admins.code().as_str()), (404, "session_unknown"), "not hers");
    assert!(org.opens(TOKEN));

    org.app.delete(&place, &alice.token).expect(204);

    assert!(!org.opens(TOKEN));
    org.report(&both_factors("2")).expect(200);
    assert_eq!(list().len(), 1);
    org.app.delete("/auth/v1/sessions", &alice.token).expect(204);
    assert_eq!(list().len(), 0, "nor is it left when all others end");
    org.app.get("/auth/v1/session", &alice.token).expect(200);
    org.app.assert_replays();
}

/// Goal: a policy can tell who vouches for a session.
#[test]
fn a_policy_sees_the_source_of_a_session() {
    let cloud = Setup::cloud();
    let policy = format!(
        "@id(\"ours-only\") @description(\"Sessions of {IDP} alone.\")
         permit (principal, action == Action::\"open\", resource)
         when {{ context has session && context.session.source == \"{IDP}\"
                 && context.session.amr.contains(\"otp\") && context.session.aal == 2 }};"
    );
    let setup = Setup { policies: vec![("test.cedar".to_owned(), policy)], ..cloud };
    let app = TestApp::spawn(&setup);
    let admin = app.admin();
    let pep = app.token(&admin, &["evaluate"]);
    let idp = provider(&app, &admin, IDP, 2);
    let idp = idp["token"].as_str().unwrap();
    app.person(&admin, "alice");
    let ours = app.two_factors(&app.one_factor("alice"));
    app.post("/events/v1", idp, &both_factors("1")).expect(200);

    assert!(door::opens(&app, &pep, "alice", TOKEN));
    assert!(!door::opens(&app, &pep, "alice", &ours.session_token));
}

/// Goal: a report may be sent again after a broken connection, and is recorded once.
#[test]
fn a_repeated_report_is_answered_as_the_first_time() {
    let mut org = Org::new();
    let first = org.report(&both_factors("1")).expect(200);
    assert_eq!((&first["id"], &first["repeated"]), (&json!("1"), &json!(false)));
    let size = journal::size(&org.app);

    // The same content, its members in another order.
    let again: Value = serde_json::from_str(&both_factors("1").to_string()).unwrap();
    for _ in 0..2 {
        let second = org.report(&again).expect(200);
        assert_eq!((&second["index"], &second["repeated"]), (&first["index"], &json!(true)));
        org.app.restart();
    }
    assert_eq!(journal::names(&org.app, size), ["node.started"; 2]);

    let other = event("1", "password.verified", &Value::Null);
    let refused = org.report(&other);
    assert_eq!((refused.status, refused.code().as_str()), (409, "id_reused"));
    let mut later = both_factors("1");
    later["time"] = json!("2026-11-22T12:00:01Z");
    assert_eq!(org.report(&later).status, 409);
    assert!(org.opens(TOKEN), "the first report stands");
}

/// Goal: two sources may use the same ids.
#[test]
fn ids_belong_to_their_source() {
    let org = Org::new();
    org.report(&both_factors("1")).expect(200);
    let other = provider(&org.app, &org.admin, "https://other.example", 2);
    let mut theirs = both_factors("1");
    theirs["source"] = json!("https://other.example");
    theirs["data"]["session_token_sha256"] = json!(Digest::of("another token of theirs"));
    let token = other["token"].as_str().unwrap();
    let answer = org.app.post("/events/v1", token, &theirs).expect(200);
    assert_eq!(answer["repeated"], false);
}

/// Goal: one bad event in a batch does not spoil the others, and each hears its own.
#[test]
fn each_event_of_a_batch_has_its_own_answer() {
    let org = Org::new();
    let mut foreign = both_factors("2");
    foreign["source"] = json!("https://other.example");
    let batch = json!([
        event("1", "password.verified", &Value::Null),
        foreign,
        event("3", "nonsense", &Value::Null),
        event("1", "password.verified", &Value::Null),
        event("1", "mfa.verified", &Value::Null),
        event("4", "mfa.verified", &Value::Null),
        {"no": "event"},
    ]);

    let answers = org.report(&batch).expect(200);

    let answers = answers["events"].as_array().unwrap();
    let codes: Vec<_> = answers.iter().map(|it| it["error"]["code"].as_str()).collect();
    let invalid = Some("report_invalid");
    let expected = [None, Some("not_yours"), invalid, None, Some("id_reused"), None, invalid];
    assert_eq!(codes, expected);
    assert_eq!(answers[0]["repeated"], false);
    assert_eq!(
        (&answers[3]["index"], &answers[3]["repeated"]),
        (&answers[0]["index"], &json!(true))
    );
    assert_eq!(answers[6]["id"], Value::Null);
    assert!(org.opens(TOKEN));
}

#[test]
fn a_batch_has_a_limit_and_may_be_empty() {
    let org = Org::new();
    let first = journal::size(&org.app);
    assert_eq!(org.report(&json!([])).expect(200), json!({"events": []}));
    let many: Vec<_> = (0..101).map(|id| both_factors(&id.to_string())).collect();
    assert_eq!(org.report(&Value::from(many)).code(), "too_many_events");
    assert_eq!(journal::names(&org.app, first), [""; 0]);
}

/// Goal: a token reports within its binding and nowhere else: one source, one user
/// type, at most its level.
#[test]
fn a_token_is_bound_to_one_source_one_user_type_and_a_level() {
    let org = Org::new();
    let mut foreign = both_factors("1");
    foreign["source"] = json!("https://other.example");
    let answer = org.report(&foreign);
    assert_eq!((answer.status, answer.code().as_str()), (403, "not_yours"));

    let lower = provider(&org.app, &org.admin, "https://lower.example", 1);
    let mut weak = both_factors("1");
    weak["source"] = json!("https://lower.example");
    org.app.post("/events/v1", lower["token"].as_str().unwrap(), &weak).expect(200);
    assert!(!org.opens(TOKEN), "two factors of a source that is good for one level");

    // Another source's session is nobody else's to raise or to end.
    for kind in ["mfa.verified", "session.ended"] {
        assert_eq!(org.report(&event("2", kind, &Value::Null)).code(), "not_yours");
    }
}

#[test]
fn a_binding_comes_with_the_scope_and_never_to_countersign_itself() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let made = |scopes: &[&str], binding: Value| {
        let asked = json!({"scopes": scopes, "binding": binding});
        app.post("/tokens/v1", &admin.token, &asked)
    };
    let bound = |source: &str, kind: &str| {
        let mut binding = json!({"source": source, "user_type": kind});
        binding["max_aal"] = json!(2);
        binding
    };
    assert_eq!(made(&["ingest"], Value::Null).code(), "binding_required");
    assert_eq!(made(&["evaluate"], bound(IDP, "User")).code(), "binding_unexpected");
    for (source, user_type) in [
        ("countersign", "User"),
        ("Countersign", "User"),
        ("", "User"),
        (IDP, "Countersign::Person"),
        (IDP, "Countersign"),
    ] {
        let answer = made(&["ingest"], bound(source, user_type));
        assert!([400, 422].contains(&answer.status), "{source} {user_type}: {}", answer.text);
    }
    assert_eq!(made(&["ingest"], bound(IDP, "User")).status, 201);
}

/// Goal: no identity provider makes an administrator: its word counts for the owner's
/// policies alone.
#[test]
fn a_session_elsewhere_never_counts_for_administration() {
    let org = Org::new();
    let mut boss = both_factors("1");
    boss["subject"] = json!("admin");
    org.report(&boss).expect(200);

    for path in ["/auth/v1/session", "/users/v1", "/tokens/v1", "/audit/v1/state"] {
        assert_eq!(org.app.get(path, TOKEN).status, 401, "{path}");
    }
    let headers = [
        ("authorization", format!("Bearer {}", org.pep)),
        ("countersign-session", TOKEN.to_owned()),
    ];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(org.app.raw("GET", "/users/v1", &headers, b"").status, 403);

    // Nor may it be asked for by the way of applications.
    let asked = json!({
        "subject": {"type": "Countersign::Person", "id": "admin"},
        "action": {"name": "Countersign::Action::manageUsers"},
        "resource": {"type": "Countersign::Node", "id": "self"},
        "context": {"session_token": TOKEN},
    });
    let answer = org.app.evaluate(&org.pep, &asked);
    let denied = answer.status == 400 || answer.json() == json!({"decision": false});
    assert!(denied, "{}", answer.text);
}

/// Goal: an identity provider may not take over a session of ours, nor of anybody who
/// logs in here.
#[test]
fn a_provider_cannot_touch_a_session_of_ours() {
    let org = Org::new();
    org.app.person(&org.admin, "alice");
    let alice = org.app.one_factor("alice");
    let mut report = both_factors("1");
    report["data"]["session_token_sha256"] = json!(Digest::of(&alice.session_token));
    assert_eq!(org.report(&report).code(), "not_yours");
    report["type"] = json!("session.ended");
    assert_eq!(org.report(&report).code(), "not_yours");
    assert!(!org.opens(&alice.session_token));
    assert_eq!(org.app.get("/auth/v1/session", &alice.token).expect(200)["aal"], 1);
}

/// Goal: a revoked token reports nothing more; what it said before stays said until
/// its session ends.
#[test]
fn a_revoked_token_reports_nothing() {
    let app = TestApp::spawn(&Setup::cloud());
    let admin = app.admin();
    let idp = provider(&app, &admin, IDP, 2);
    let token = idp["token"].as_str().unwrap();
    app.post("/events/v1", token, &event("1", "password.verified", &Value::Null)).expect(200);

    app.delete(&format!("/tokens/v1/{}", idp["id"].as_str().unwrap()), &admin.token).expect(204);

    let first = journal::size(&app);
    assert_eq!(app.post("/events/v1", token, &both_factors("2")).status, 401);
    // Even a repetition says nothing to a stranger.
    let again = event("1", "password.verified", &Value::Null);
    assert_eq!(app.post("/events/v1", token, &again).status, 401);
    assert_eq!(journal::names(&app, first), [""; 0]);
}

#[test]
fn only_a_token_of_that_scope_reports() {
    let org = Org::new();
    assert_eq!(org.app.post("/events/v1", &org.pep, &both_factors("1")).status, 403);
    let by_admin = org.app.post("/events/v1", &org.admin.token, &both_factors("1"));
    assert_eq!(by_admin.status, 403, "an administrator is no identity provider");
    assert!(!org.opens(TOKEN));
}

/// Goal: a provider that sends the token itself is told so, and the token is neither
/// taken nor repeated.
#[test]
fn a_raw_session_token_is_refused() {
    let org = Org::new();
    let first = journal::size(&org.app);
    let mut raw = both_factors("1");
    raw["data"] = json!({"session_token": TOKEN});
    let answer = org.report(&raw);
    assert_eq!((answer.status, answer.code().as_str()), (400, "report_invalid"));
    assert!(answer.text.contains("session_token_sha256"), "{}", answer.text);
    assert!(!answer.text.contains(TOKEN));
    raw["data"] = json!({"session_token_sha256": TOKEN});
    let answer = org.report(&raw);
    assert_eq!(answer.status, 400);
    assert!(!answer.text.contains(TOKEN));
    assert_eq!(journal::names(&org.app, first), [""; 0]);
}

/// Goal: a clock abroad makes no authentication younger than its report.
#[test]
fn an_authentication_from_the_future_counts_from_now() {
    let org = Org::new();
    let mut ahead = both_factors("1");
    ahead["time"] = json!("2026-11-23T12:00:00Z");
    org.report(&ahead).expect(200);
    org.app.clock.advance(3_600);
    assert!(org.opens(TOKEN));
    org.app.clock.advance(3_601);
    assert!(!org.opens(TOKEN), "idle for an hour");
}
