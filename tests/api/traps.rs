//! What a caller sends that means something else to Cedar than to them (`AuthZEN` notes
//! §1.8): it is refused, left out and reported, or denied; never an error of ours and
//! never a way in.

use countersign::event::{AccessDecided, Note, Verdict};
use countersign::model::Moment;
use serde_json::{Value, json};

use crate::app::{Setup, TestApp};
use crate::office::{Office, ask, given, setup, unlock};

impl Office {
    /// The record of the answer to a question.
    fn decide(&self, request: &Value) -> AccessDecided {
        self.app.recorded(&self.app.evaluate(&self.pep, request))
    }
}

/// A question with properties of its subject.
fn saying(mut request: Value, properties: Value) -> Value {
    request["subject"]["properties"] = properties;
    request
}

/// Goal: a caller cannot make a reference or an extension value where the schema has
/// text: Cedar's escapes are refused wherever they hide, and the answer says where.
#[test]
fn an_escape_is_refused_wherever_it_hides() {
    let office = Office::open();
    let reference = json!({"type": "Group", "id": "staff"});
    for escape in ["__entity", "__extn", "__expr"] {
        let value = json!({escape: reference});
        for (place, holder, hidden) in [
            ("context.group", "/context", json!({"group": value})),
            ("context", "/context", value.clone()),
            ("context.a[1].b", "/context", json!({"a": [1, {"b": value}]})),
            ("subject.properties.department", "/subject/properties", json!({"department": value})),
            ("resource.properties", "/resource/properties", value.clone()),
            ("action.properties.reason[0]", "/action/properties", json!({"reason": [value]})),
        ] {
            let mut request = unlock("alice", "group");
            let (part, member) = holder.rsplit_once('/').unwrap();
            request.pointer_mut(part).unwrap()[member] = hidden;
            let answer = office.app.evaluate(&office.pep, &request);
            assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"), "{request}");
            assert_eq!(answer.json()["place"], format!("{place}.{escape}"));
        }
    }
    assert!(office.app.decisions().is_empty());
    // The way it is meant: a plain name, to which the schema gives its type.
    assert!(office.allows(&given(unlock("alice", "group"), json!({"group": "staff"}))));
    assert!(!office.allows(&given(unlock("alice", "group"), json!({"group": "Group::\"staff\""}))));
    assert!(!office.allows(&given(unlock("alice", "group"), json!({"group": {"id": "staff"}}))));
}

/// Goal: a member named twice is one thing to the PEP and another to us: refused at any
/// depth.
#[test]
fn a_member_named_twice_is_refused_at_any_depth() {
    let Office { app, pep, .. } = Office::open();
    let request = given(unlock("alice", "group"), json!({"a": [{"b": 1}]})).to_string();
    for twice in [r#"{"b":1,"b":1}"#, r#"{"b":1,"\u0062":2}"#] {
        let body = request.replace(r#"{"b":1}"#, twice);
        for path in ["/access/v1/evaluation", "/access/v1/evaluations"] {
            let answer = app.post_text(path, &pep, &body);
            assert_eq!((answer.status, answer.code().as_str()), (400, "bad_json"));
            assert!(answer.text.contains("`b` stands twice"), "{}", answer.text);
        }
    }
}

/// Goal: scenarios 2.2.3 and 2.2.8: what the schema does not know is no error; it takes
/// no part, is not recorded as asked, and the record names it.
#[test]
fn what_is_not_declared_is_left_out_and_named() {
    let office = Office::open();
    let mut request = ask("carol", "write", "draft");
    request["subject"]["properties"] = json!({"department": "sales", "shoe_size": 43});
    request["resource"]["properties"] =
        json!({"owner": "carol", "colour": {"deep": [1]}, "origin": {"city": "Rome", "planet": 3}});
    request["action"]["properties"] = json!({"reason": "audit", "mood": "good"});
    request["context"] = json!({"note": "x", "weather": "fine", "now": "2001-01-01T00:00:00Z",
        "pep": "another", "action_properties": {"reason": "forged"}});

    let decided = office.decide(&request);

    assert_eq!(decided.decision, Verdict::Allow);
    let mut pruned = decided.pruned.clone();
    pruned.sort();
    let left_out = [
        "context.action_properties",
        "context.action_properties.mood",
        "context.now",
        "context.pep",
        "context.weather",
        "resource.properties.colour",
        "resource.properties.origin.planet",
        "subject.properties.shoe_size",
    ];
    assert_eq!(pruned, left_out);
    let understood = serde_json::to_value(&decided.request).unwrap();
    assert_eq!(understood["subject"]["properties"], json!({"department": "sales"}));
    assert_eq!(
        understood["resource"]["properties"],
        json!({"owner": "carol", "origin": {"city": "Rome"}})
    );
    assert_eq!(understood["context"], json!({"note": "x"}));
    office.app.assert_replays();
}

/// Goal: §1.8: an unknown action or type, or one that does not go with the other, is a
/// deny that says so in the record, whatever characters its name has.
#[test]
fn what_the_schema_does_not_know_is_denied() {
    let office = Office::open();
    let kind = |member: &str, name: &str| {
        let mut request = ask("alice", "read", "plan");
        request[member]["type"] = json!(name);
        request
    };
    for (request, note) in [
        (ask("alice", "fly", "plan"), Note::UnknownAction),
        (ask("alice", "READ", "plan"), Note::UnknownAction),
        (ask("alice", "read\"", "plan"), Note::UnknownAction),
        (ask("alice", "Shop::Action::read", "plan"), Note::UnknownAction),
        (ask("alice", "x y::Action::read", "plan"), Note::UnknownAction),
        (ask("alice", "\u{0}", "plan"), Note::UnknownAction),
        (kind("subject", "Robot"), Note::UnknownType),
        (kind("subject", "user"), Note::UnknownType),
        (kind("subject", "my-user"), Note::UnknownType),
        (kind("subject", "if"), Note::UnknownType),
        (kind("subject", "User::"), Note::UnknownType),
        (kind("subject", "::User"), Note::UnknownType),
        (kind("subject", "Ünser"), Note::UnknownType),
        (kind("resource", "http:route"), Note::UnknownType),
        (kind("resource", "Doc\u{0}"), Note::UnknownType),
        (kind("resource", "Shop::Doc"), Note::UnknownType),
        (kind("resource", "Vault"), Note::DoesNotApply),
        (kind("resource", "Action"), Note::DoesNotApply),
        (kind("subject", "Group"), Note::DoesNotApply),
    ] {
        let decided = office.decide(&request);
        assert_eq!(decided.decision, Verdict::Deny);
        assert_eq!(decided.note, Some(note), "{request}");
    }
    office.app.assert_replays();
}

/// Goal: an application asks about its own world only: whatever names Countersign's is
/// denied, even for its administrator.
#[test]
fn countersigns_own_administration_is_not_an_applications_to_ask_about() {
    let office = Office::open();
    let system = json!({
        "subject": {"type": "Countersign::Person", "id": "admin"},
        "action": {"name": "Countersign::Action::publishPolicies"},
        "resource": {"type": "Countersign::Node", "id": "self"},
    });
    let mixed = |member: &str| {
        let mut request = ask("alice", "read", "plan");
        request[member] = system[member].clone();
        request
    };
    let bare = json!({"type": "Countersign", "id": "x"});
    let mut named_so = ask("alice", "read", "plan");
    named_so["resource"] = bare;
    for request in [mixed("subject"), mixed("action"), mixed("resource"), named_so, system.clone()]
    {
        for session in [&office.admin.session_token, &office.admin.token] {
            let answer = office.app.evaluate_with(&office.pep, session, &request);
            let decided = office.app.recorded(&answer);
            assert_eq!((decided.decision, decided.note), (Verdict::Deny, Some(Note::Reserved)));
        }
    }
    office.app.assert_replays();
}

/// Goal: numbers that Cedar has not, nulls and values of another type never become a
/// 5xx, never a value that nobody sent, and a fraction is a decimal where one is meant.
#[test]
fn a_number_is_what_the_schema_says_or_nothing() {
    let office = Office::open();
    let pep = &office.pep;
    for (risk, allowed, pruned) in [
        ("0.25", true, false),
        ("\"0.25\"", true, false),
        ("0", true, false),
        ("-1.5", true, false),
        ("0.50001", false, true),
        ("1e-1", true, false),
        ("null", false, false),
        ("true", false, true),
        ("922337203685477.5807", false, true),
        ("99999999999999999999", false, true),
        ("[0.1]", false, true),
    ] {
        let body = given(unlock("alice", "risk"), json!({"risk": "RISK"})).to_string();
        let answer =
            office.app.post_text("/access/v1/evaluation", pep, &body.replace("\"RISK\"", risk));
        let decided = office.app.recorded(&answer);
        assert_eq!(decided.decision == Verdict::Allow, allowed, "{risk}");
        assert_eq!(decided.pruned == ["context.risk"], pruned, "{risk}: {:?}", decided.pruned);
        assert!(decided.errors.is_empty());
    }
    for (count, pruned) in [
        ("1", false),
        ("null", false),
        ("1.0", true),
        ("1e3", true),
        ("9223372036854775808", true),
        ("-9223372036854775809", true),
        ("18446744073709551616", true),
        ("\"1\"", true),
    ] {
        let body = given(unlock("alice", "sum"), json!({"count": "COUNT"})).to_string();
        let answer =
            office.app.post_text("/access/v1/evaluation", pep, &body.replace("\"COUNT\"", count));
        let decided = office.app.recorded(&answer);
        assert_eq!(decided.decision, Verdict::Allow, "{count}");
        assert_eq!(decided.pruned == ["context.count"], pruned, "{count}: {:?}", decided.pruned);
    }
    let answer =
        office.app.post_text("/access/v1/evaluation", pep, r#"{"context":{"risk":1e999}}"#);
    assert_eq!((answer.status, answer.code().as_str()), (400, "bad_json"));
    office.app.assert_replays();
}

/// Goal: an id is any text: control characters, quotes and Cedar's own syntax are parts
/// of a name, and the name is recorded as it is.
#[test]
fn an_id_is_any_text() {
    let office = Office::open();
    let ids = [
        "\u{0}",
        "a\u{0}b",
        "line\nbreak\ttab\u{1b}[31m",
        "\"; permit(principal, action, resource); //",
        "\\u{41}\\0\\",
        "User::\"alice\"",
        "\u{202e}ecila \u{feff}\u{2028}",
        "😀 ÅÅ",
        " ",
        "../../etc/passwd",
    ];
    let owned = |id: &str| {
        json!({"uid": {"type": "Doc", "id": id},
               "attrs": {"owner": {"type": "User", "id": id}}, "parents": []})
    };
    let put: Vec<_> = ids.iter().map(|id| owned(id)).collect();
    let admin = &office.admin.token;
    office.app.post("/entities/v1", admin, &json!({"put": put})).expect(200);
    for (id, other) in ids.iter().zip(ids.iter().cycle().skip(1)) {
        let decided = office.decide(&ask(id, "write", id));
        assert_eq!(decided.decision, Verdict::Allow, "{id:?}");
        assert_eq!((decided.request.subject.id.as_str(), decided.note), (*id, None));
        assert!(!office.allows(&ask(other, "write", id)));
    }
    // One letter in two forms is two names: nothing is normalised behind anyone's back.
    assert!(!office.allows(&ask("😀 A\u{30a}A\u{30a}", "write", "😀 ÅÅ")));
    office.app.assert_replays();
}

/// Goal: Cedar's actions have no attributes: what a PEP says of one arrives where the
/// schema declares it, and nowhere else.
#[test]
fn properties_of_an_action_arrive_in_the_context() {
    let office = Office::open();
    let because = |properties: Value| {
        let mut request = unlock("alice", "reason");
        request["action"]["properties"] = properties;
        request
    };
    assert!(office.allows(&because(json!({"reason": "audit"}))));
    assert!(!office.allows(&because(json!({"reason": "curiosity"}))));
    assert!(!office.allows(&because(json!({}))));
    let forged = json!({"action_properties": {"reason": "audit"}});
    assert!(!office.allows(&given(unlock("alice", "reason"), forged)));
    office.app.assert_replays();
}

/// Goal: what the directory holds prevails, attribute by attribute, but for what its
/// schema lets a caller fill or override; the record says which was believed.
#[test]
fn a_callers_properties_count_as_far_as_the_schema_lets_them() {
    let office = Office::open();
    let believed = |vault: &str, user: &str, properties: Value| {
        let decided = office.decide(&saying(unlock(user, vault), properties));
        let name = |path: &String| path.strip_prefix("subject.properties.").unwrap().to_owned();
        let mut believed: Vec<_> = decided.believed.iter().map(name).collect();
        believed.sort();
        let ignored: Vec<_> = decided.pruned.iter().map(name).collect();
        (decided.decision == Verdict::Allow, believed.join(","), ignored.join(","))
    };
    let outcome = |allowed: bool, believed: &str, ignored: &str| {
        (allowed, believed.to_owned(), ignored.to_owned())
    };
    let (healthy, office_, finance) = (
        json!({"posture": "healthy"}),
        json!({"location": "office"}),
        json!({"department": "finance"}),
    );
    // Alice is stored without any of them.
    assert_eq!(believed("posture", "alice", healthy.clone()), outcome(true, "posture", ""));
    assert_eq!(believed("location", "alice", office_.clone()), outcome(true, "location", ""));
    assert_eq!(believed("department", "alice", finance.clone()), outcome(false, "", "department"));
    // Bob is stored with all of them, and with the wrong ones.
    assert_eq!(believed("posture", "bob", healthy.clone()), outcome(false, "", "posture"));
    assert_eq!(believed("location", "bob", office_), outcome(true, "location", ""));
    assert_eq!(believed("department", "bob", finance.clone()), outcome(false, "", "department"));
    let all = json!({"department": "finance", "posture": "healthy", "location": "office"});
    assert_eq!(
        believed("location", "bob", all.clone()),
        outcome(true, "location", "department,posture")
    );
    // A null says nothing; a value of another type says nothing either, and is named.
    assert_eq!(believed("location", "bob", json!({"location": null})), outcome(false, "", ""));
    assert_eq!(believed("posture", "alice", json!({"posture": 1})), outcome(false, "", "posture"));
    // Carol is not in the directory: what the caller says is all there is.
    assert_eq!(believed("department", "carol", finance), outcome(true, "department", ""));
    assert_eq!(believed("posture", "carol", all), outcome(true, "department,location,posture", ""));
    // Nobody talks themselves into a group.
    let grouped = json!({"parents": [{"type": "Group", "id": "staff"}], "posture": "healthy"});
    let decided = office.decide(&saying(ask("carol", "read", "plan"), grouped));
    assert_eq!(decided.decision, Verdict::Deny);
    assert_eq!(decided.pruned, ["subject.properties.parents"]);
    office.app.assert_replays();
}

/// Goal: the same holds for a resource: one that the directory does not hold is made of
/// the request; of one that it holds the owner is not the caller's to say.
#[test]
fn a_resource_is_the_directorys_or_the_requests() {
    let office = Office::open();
    let owned = |doc: &str, owner: Value| {
        let mut request = ask("bob", "write", doc);
        request["resource"]["properties"] = json!({"owner": owner});
        request
    };
    assert!(office.allows(&owned("draft", json!("bob"))));
    assert!(office.allows(&owned("draft", json!({"type": "User", "id": "bob"}))));
    assert!(!office.allows(&owned("draft", json!({"type": "Group", "id": "bob"}))));
    assert!(!office.allows(&owned("draft", json!("alice"))));
    assert!(!office.allows(&owned("plan", json!("bob"))), "the plan is alice's");
    office.app.assert_replays();
}

/// Goal: invariant 6: a wall that cannot be evaluated is a wall: the decision is a deny,
/// and the record says why and which.
#[test]
fn a_forbid_that_errs_denies() {
    let office = Office::open();
    let sum = |count: i64| given(unlock("alice", "sum"), json!({"count": count}));
    assert!(office.allows(&sum(1)));
    let walled = office.decide(&sum(-1));
    assert_eq!((walled.decision, walled.note), (Verdict::Deny, None));
    assert_eq!(walled.determining, ["wall-sum".parse().unwrap()]);

    let erred = office.decide(&sum(2));
    assert_eq!((erred.decision, erred.note), (Verdict::Deny, Some(Note::ForbidErred)));
    assert!(erred.determining.is_empty());
    let [failure] = &erred.errors[..] else { panic!("{:?}", erred.errors) };
    assert_eq!(failure.policy.to_string(), "wall-sum");
    assert!(failure.message.contains("overflow"), "{}", failure.message);
    office.app.assert_replays();
}

/// Goal: who wants Cedar's own rule gets it by a setting: the error is recorded and the
/// policy skipped; and decisions of before still come out as they were.
#[test]
fn a_forbid_that_errs_is_skipped_where_the_settings_say_so() {
    let office = Office::with(&setup().with_setting("decisions.forbid_errors_deny=false"));
    let decided = office.decide(&given(unlock("alice", "sum"), json!({"count": 2})));
    assert_eq!((decided.decision, decided.note), (Verdict::Allow, None));
    assert_eq!(decided.determining, ["open-sum".parse().unwrap()]);
    assert_eq!(decided.errors.len(), 1);
    // So that an analysis of policies over a server goes by it.
    let shown = office.app.get("/policies/v1", &office.admin.token).expect(200);
    assert_eq!(shown["forbid_errors_deny"], json!(false));
    office.app.assert_replays();
}

/// Goal: `decisions.namespace`: a type or action without a namespace is the namespace's;
/// one that names its own is taken as it is.
#[test]
fn names_without_a_namespace_get_the_deployments() {
    let schema = r"
        namespace Shop {
          entity User, Order;
          action view appliesTo { principal: [User], resource: [Order] };
        }";
    let policies = r#"
        @id("all-view")
        permit (principal is Shop::User, action == Shop::Action::"view", resource);"#;
    let setup = Setup::of(schema, policies, &json!([])).with_setting("decisions.namespace=Shop");
    let app = TestApp::spawn(&setup);
    let pep = app.token(&app.admin(), &["evaluate"]);
    for (user, action, order, note) in [
        ("User", "view", "Order", None),
        ("Shop::User", "Shop::Action::view", "Shop::Order", None),
        ("User", "Action::view", "Order", None),
        ("Bank::User", "view", "Order", Some(Note::UnknownType)),
        ("User", "Bank::Action::view", "Order", Some(Note::UnknownAction)),
        ("Countersign::Person", "view", "Order", Some(Note::Reserved)),
    ] {
        let request = json!({
            "subject": {"type": user, "id": "1"},
            "action": {"name": action},
            "resource": {"type": order, "id": "2"},
        });
        let decided = app.recorded(&app.evaluate(&pep, &request));
        assert_eq!(decided.note, note, "{request}");
        assert_eq!(decided.decision == Verdict::Allow, note.is_none());
        assert_eq!(decided.request.subject.kind, user, "recorded as it was asked");
    }
    app.assert_replays();
}

/// Goal: before any schema or policy is in force the answer is a deny, not an error.
#[test]
fn without_policies_everything_is_denied() {
    let app = TestApp::spawn(&Setup::default());
    let admin = app.admin();
    let pep = app.token(&admin, &["evaluate"]);
    let decided = app.recorded(&app.evaluate(&pep, &ask("alice", "read", "plan")));
    assert_eq!((decided.decision, decided.note), (Verdict::Deny, Some(Note::NoPolicies)));
    app.assert_replays();
}

/// Goal: the time is the node's: what a caller says of it is left out.
#[test]
fn the_time_is_the_nodes_own() {
    let schema = r"
        entity User, Door;
        action open appliesTo {
          principal: User, resource: Door, context: { now: datetime, pep: String },
        };";
    let policies = r#"
        @id("from-noon")
        permit (principal, action, resource)
        when { context.now >= datetime("2026-11-22T12:30:00Z") };"#;
    let app = TestApp::spawn(&Setup::of(schema, policies, &json!([])));
    let pep = app.token(&app.admin(), &["evaluate"]);
    let request = json!({
        "subject": {"type": "User", "id": "1"},
        "action": {"name": "open"},
        "resource": {"type": "Door", "id": "2"},
        "context": {"now": "2030-01-01T00:00:00Z", "pep": "the president"},
    });
    let early = app.recorded(&app.evaluate(&pep, &request));
    assert_eq!((early.decision, early.note), (Verdict::Deny, None));
    assert_eq!(early.pruned, ["context.pep", "context.now"].map(str::to_owned).as_slice());
    app.clock.set("2026-11-22T12:30:00Z".parse::<Moment>().unwrap());
    let late = app.recorded(&app.evaluate(&pep, &request));
    assert_eq!(late.decision, Verdict::Allow);
    app.assert_replays();
}
