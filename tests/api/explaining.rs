//! Why something was decided, or would be: for whoever is asked by those who were denied.

use countersign::event::Verdict;
use countersign::model::SecretToken;
use serde_json::{Value, json};

use crate::app::{PASSWORD, Person, Setup, TestApp, decided};
use crate::office::{Office, ask, given, unlock};

/// The example organisation, and who asks why.
struct Helpdesk {
    app: TestApp,
    token: String,
}

impl Helpdesk {
    fn open() -> Self {
        let app = TestApp::spawn(&Setup::cloud());
        let token = app.token(&app.admin(), &["audit"]);
        Self { app, token }
    }

    fn why(&self, body: &Value) -> Value {
        self.app.post("/audit/v1/explain", &self.token, body).expect(200)
    }

    /// The sentence, and the remarks.
    fn told(&self, who: &str, action: &str, what: &str) -> Vec<String> {
        let entity = |name: &str| {
            let (kind, id) = name.split_once("::").unwrap();
            json!({"type": kind, "id": id})
        };
        let request = json!({
            "subject": entity(who), "action": {"name": action}, "resource": entity(what),
        });
        told(&self.why(&json!({"request": request})))
    }
}

fn told(explained: &Value) -> Vec<String> {
    let remarks = explained["remarks"].as_array().into_iter().flatten();
    let all = std::iter::once(&explained["sentence"]).chain(remarks);
    all.map(|text| text.as_str().unwrap().to_owned()).collect()
}

const NO_SESSION: &str = "No session was presented with the request, so nothing is known of how \
                          the subject signed in.";

/// Who asks to do what to what, and what is told: the sentence, and the remarks.
const ANSWERS: &[(&str, &str, &str, &[&str])] = &[
    (
        "User::alice",
        "view",
        "Document::handbook",
        &["Allowed: Employees view documents that are public or internal (policy \
               `employees-view-documents`)."],
    ),
    (
        "User::alice",
        "open",
        "ProtectedResource::protected-resource",
        &[
            "Denied: The protected resource wants two factors (policy \
                 `mfa-protected-resource`); there was no `context.session`.",
            "But for that it would be allowed: Employees open the protected resource (policy \
                 `employees-open-protected-resource`).",
            NO_SESSION,
        ],
    ),
    (
        "User::nobody",
        "view",
        "Document::handbook",
        &[
            "Denied: no policy permits it; the nearest is policy `owners-view-and-edit` \
                 (People view and edit the documents they own, whatever their classification), \
                 but `resource.owner == principal` was false: `resource.owner` was User::\"bob\", \
                 `principal` was User::\"nobody\".",
            "The directory holds no User::\"nobody\".",
        ],
    ),
    (
        "Workload::storefront",
        "connect",
        "Service::orders-db",
        &[
            "Denied: Into data come only workloads of api and administration (policy \
                 `wall-data`); `principal in Segment::\"api\"` and `principal in \
                 Segment::\"admin\"` were false: `principal` was Workload::\"storefront\", which \
                 is in Segment::\"web\".",
            "Even without that no policy would permit it; the nearest is policy \
                 `road-admin` (Workloads of admin connect to services everywhere), which is for \
                 `principal in Segment::\"admin\"` only: `principal` was \
                 Workload::\"storefront\", which is in Segment::\"web\".",
        ],
    ),
    (
        "User::alice",
        "delete",
        "Service::shop",
        &["Denied: the action `Action::\"delete\"` is not for resources of type `Service`, \
               so no policy was asked."],
    ),
    (
        "Robot::r2",
        "view",
        "Document::handbook",
        &["Denied: the schema declares no entity type `Robot`, so no policy was asked."],
    ),
    (
        "User::alice",
        "fly",
        "Document::handbook",
        &["Denied: the schema declares no action `Action::\"fly\"`, so no policy was asked."],
    ),
    (
        "Countersign::Person::admin",
        "view",
        "Document::handbook",
        &["Denied: the request names something in `Countersign::`, which is for \
               Countersign's own administration."],
    ),
];

/// Goal: each kind of answer in the example organisation is told so that somebody who knows
/// no Cedar can say what to do about it.
#[test]
fn each_kind_of_answer_is_told_in_words() {
    let desk = Helpdesk::open();
    for &(who, action, what, expected) in ANSWERS {
        assert_eq!(desk.told(who, action, what), expected, "{who} {action} {what}");
    }
}

/// Goal: what is explained is what was decided, for every decision in a log, of the owner's
/// policies and of Countersign's own.
#[test]
fn every_recorded_decision_is_explained_as_it_was_taken() {
    let office = Office::open();
    let Office { app, admin, .. } = &office;
    let auditor = app.token(admin, &["audit"]);
    app.person(admin, "alice");
    let alice = app.two_factors(&app.one_factor("alice"));
    let mut with_session = unlock("alice", "second-factor");
    with_session["context"] = json!({"session_token": alice.session_token});
    let mut of_another = unlock("bob", "session");
    of_another["context"] = json!({"session_token": alice.session_token});
    for request in [
        ask("alice", "read", "plan"),
        ask("bob", "read", "plan"),
        ask("alice", "write", "plan"),
        ask("bob", "write", "plan"),
        ask("bob", "fly", "plan"),
        ask("bob", "open", "plan"),
        unlock("alice", "department"),
        given(unlock("bob", "sum"), json!({"count": 2})),
        given(unlock("bob", "sum"), json!({"count": 1, "colour": "red"})),
        with_session,
        of_another,
    ] {
        office.allows(&request);
        app.clock.advance(1);
    }
    let refused = app.evaluate(&auditor, &ask("bob", "read", "plan"));
    assert_eq!(refused.status, 403);
    let bearer = format!("Bearer {auditor}");
    let (mut application, mut system) = (0, 0);
    for entry in &app.log() {
        let Some(decided) = decided(entry) else { continue };
        let path = format!("/audit/v1/decisions/{}/explain", entry.id);
        let explained = app.raw("POST", &path, &[("authorization", &bearer)], b"").expect(200);
        let place = format!("{}: {explained}", entry.index);
        assert_eq!(explained["recorded"]["again"], json!({"outcome": "identical"}), "{place}");
        assert_eq!(explained["decision"], json!(decided.decision), "{place}");
        assert_eq!(explained["recorded"]["decision"], explained["decision"], "{place}");
        assert_eq!(explained["note"], json!(decided.note), "{place}");
        let of = |role: &str| -> Vec<&Value> {
            let all = explained["policies"].as_array().unwrap().iter();
            all.filter(|it| it["role"] == role).map(|it| &it["policy"]).collect()
        };
        assert_eq!(json!(of("determined")), json!(decided.determining), "{place}");
        let erred: Vec<_> = decided.errors.iter().map(|failure| &failure.policy).collect();
        assert_eq!(json!(of("erred")), json!(erred), "{place}");
        let sentence = explained["sentence"].as_str().unwrap();
        let word = if decided.decision == Verdict::Allow { "Allowed" } else { "Denied" };
        assert!(sentence.starts_with(word) && sentence.ends_with('.'), "{place}");
        let counted = if decided.set.is_application() { &mut application } else { &mut system };
        *counted += 1;
    }
    assert!(application == 11 && system > 2, "{application} {system}");
}

/// Goal: an author asks why a draft would answer otherwise, of a question and of a decision
/// that was taken, and hears of faults in it where they stand.
#[test]
fn a_draft_is_asked_in_place_of_what_is_in_force() {
    let office = Office::open();
    let auditor = office.app.token(&office.admin, &["audit", "publish"]);
    let answer = office.app.evaluate(&office.pep, &ask("alice", "read", "plan"));
    let id = answer.header("countersign-decision");
    let recorded = format!("/audit/v1/decisions/{id}/explain");
    let draft = "@id(\"nobody-reads\")\n@deny_message(\"Reading is closed this week.\")\n\
                 forbid (principal, action == Action::\"read\", resource);";
    let files = json!([{"name": "draft.cedar", "text": draft}]);
    let sentence = "Denied: Reading is closed this week (policy `nobody-reads`).";
    let of_decision = office.app.post(&recorded, &auditor, &json!({"files": files})).expect(200);
    let question = json!({"request": ask("alice", "read", "plan"), "files": files});
    let of_question = office.app.post("/audit/v1/explain", &auditor, &question).expect(200);
    for explained in [&of_decision, &of_question] {
        let told = [&explained["decision"], &explained["sentence"], &explained["draft"]];
        assert_eq!(told, [&json!("deny"), &json!(sentence), &json!(true)]);
    }
    assert_eq!(of_decision["recorded"]["decision"], "allow");
    assert_eq!(of_decision["recorded"]["again"], Value::Null, "a draft repeats nothing");
    let in_force = office.app.post(&recorded, &auditor, &json!({})).expect(200);
    assert_eq!(in_force["decision"], "allow");

    let misspelt = draft.replace("resource);", "resource) when { principal.nam == \"x\" };");
    let files = json!([{"name": "draft.cedar", "text": misspelt}]);
    let refused = office.app.post(&recorded, &auditor, &json!({"files": files}));
    assert_eq!((refused.status, refused.code().as_str()), (422, "policy_invalid"));
    let fault = &refused.json()["faults"][0];
    assert_eq!((&fault["file"], &fault["line"]), (&json!("draft.cedar"), &json!(3)), "{fault}");
}

/// Goal: whoever reads the log, where personal values are sealed, learns none of them by
/// asking with conditions of their own.
#[test]
fn a_draft_is_no_way_around_what_is_sealed() {
    let office = Office::open();
    let auditor = office.app.token(&office.admin, &["audit"]);
    let answer = office.app.evaluate(&office.pep, &ask("alice", "read", "plan"));
    let decision = answer.header("countersign-decision");
    let guess = "@id(\"guess\") permit (principal is User, action, resource)\n\
                 when { principal has department && principal.department == \"sales\" };";
    let files = json!({"files": [{"name": "guess.cedar", "text": guess}]});
    let mut question = json!({"request": ask("alice", "read", "plan")});
    let recorded = format!("/audit/v1/decisions/{decision}/explain");
    assert_eq!(office.app.post(&recorded, &auditor, &json!({})).status, 200);
    assert_eq!(office.app.post("/audit/v1/explain", &auditor, &question).status, 200);
    question["files"] = files["files"].clone();
    for (path, body) in [
        (recorded.as_str(), &files),
        ("/audit/v1/explain", &question),
        ("/audit/v1/impact", &files),
        ("/audit/v1/reports/segments", &files),
        ("/audit/v1/reports/blast-radius?principal=User::%22alice%22", &files),
    ] {
        let refused = office.app.post(path, &auditor, body);
        assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden"), "{path}");
    }
}

/// Goal: an explanation belongs to its moment: what has changed since is not in it.
#[test]
fn a_question_is_explained_as_of_then_and_with_the_session_of_then() {
    let office = Office::open();
    let Office { app, admin, .. } = &office;
    let auditor = app.token(admin, &["audit"]);
    app.person(admin, "alice");
    let alice = app.two_factors(&app.one_factor("alice"));
    let at = app.log().len() - 1;
    let newest = &app.node.sequencer.world().sessions;
    let session =
        newest.by_session_token(&alice.session_token.parse::<SecretToken>().unwrap().digest());
    let session = session.unwrap().id;
    app.clock.advance(60);
    app.post("/auth/v1/logout", &alice.token, &json!({})).expect(204);
    let why = |body: Value| app.post("/audit/v1/explain", &auditor, &body).expect(200);
    let asked = json!({"request": unlock("alice", "second-factor"), "session": session});
    let mut then = asked.clone();
    then["at"] = json!(at.to_string());
    let (then, now) = (why(then), why(asked));
    assert_eq!([&then["decision"], &now["decision"]], [&json!("allow"), &json!("deny")]);
    assert_eq!(then["as_of"]["index"], at);
    let remarks = told(&now).join(" ");
    assert!(remarks.contains("The session presented had ended or lapsed"), "{remarks}");
    assert!(remarks.contains("there was no `context.session`"), "{remarks}");
    let remarks = told(&then).join(" ");
    assert!(remarks.contains("at assurance level 2 (mfa, otp, pwd)"), "{remarks}");
}

#[test]
fn a_question_that_is_none_and_a_stranger_are_refused() {
    let office = Office::open();
    let auditor = office.app.token(&office.admin, &["audit"]);
    let post = |token: &str, path: &str, body: Value| {
        let answer = office.app.post(path, token, &body);
        (answer.status, answer.code())
    };
    let why = "/audit/v1/explain";
    let asked = json!({"request": ask("alice", "read", "plan")});
    let mut unknown = asked.clone();
    unknown["polices"] = json!([]);
    let mut badly_timed = asked.clone();
    badly_timed["at"] = json!("yesterday");
    assert_eq!(post(&office.pep, why, asked.clone()), (403, "forbidden".to_owned()));
    assert_eq!(post(&auditor, why, json!({"request": {}})).0, 400);
    assert_eq!(post(&auditor, why, unknown).0, 400);
    assert_eq!(post(&auditor, why, badly_timed), (400, "bad_query".to_owned()));
    let nobodys = "/audit/v1/decisions/01a2f6c8-5d3e-7b41-9c0a-2f6e8d1b3a57/explain";
    assert_eq!(post(&auditor, nobodys, json!({})), (404, "not_found".to_owned()));
}

/// Goal: what a session lacked, and which login would help, is said as the person at the
/// helpdesk says it.
#[test]
fn what_a_session_lacked_is_told_in_words() {
    let app = TestApp::spawn(&Setup::cloud());
    let admin = app.admin();
    let token = app.token(&admin, &["audit"]);
    app.person(&admin, "alice");
    app.person(&admin, "dave");
    let (alice, dave) = (app.one_factor("alice"), app.two_factors(&app.one_factor("dave")));
    app.two_factors(&alice);
    let alice = Person::of(&app.login("alice", PASSWORD).expect(200), None);
    app.clock.advance(1_200);
    let desk = Helpdesk { app, token };
    let why = |who: &Person, subject: &str, action: &str, kind: &str, id: &str| {
        let request = json!({
            "subject": {"type": "User", "id": subject}, "action": {"name": action},
            "resource": {"type": kind, "id": id}, "context": {"session_token": who.session_token},
        });
        told(&desk.why(&json!({"request": request})))
    };
    let protected = "protected-resource";
    let expected = [
        "Denied: The protected resource wants two factors (policy `mfa-protected-resource`); \
         `context.session.aal >= 2` was false: `context.session.aal` was 1.",
        "But for that it would be allowed: Employees open the protected resource (policy \
         `employees-open-protected-resource`).",
        "The session presented was at assurance level 1 (pwd), authenticated 20 minutes before.",
        "Signing in with two factors would have it allowed.",
    ];
    assert_eq!(why(&alice, "alice", "open", "ProtectedResource", protected), expected);
    let other = why(&dave, "alice", "open", "ProtectedResource", protected);
    let whose = "The session presented is that of User::\"dave\", not of the subject asked about, \
                 so it did not count.";
    assert!(other.contains(&whose.to_owned()), "{other:?}");
    let expected = [
        "Denied: Administration wants two factors, shown within the last 15 minutes (policy \
         `fresh-mfa-administration`); `context.session.age_seconds < 900` was false: \
         `context.session.age_seconds` was 1200.",
        "It is also denied: Administration wants a device known to be healthy (policy \
         `healthy-device-administration`); there was no `principal.device_posture`.",
        "But for those it would be allowed: Operators administer services (policy \
         `operators-administer-services`).",
        "The session presented was at assurance level 2 (mfa, otp, pwd), authenticated 20 \
         minutes before.",
    ];
    assert_eq!(why(&dave, "dave", "administer", "Service", "shop"), expected);
}

/// Goal: who soaks a change hears beside each answer where the change would answer otherwise,
/// and why.
#[test]
fn what_is_staged_is_explained_beside_what_is_in_force() {
    let office = Office::open();
    let Office { app, admin, pep } = &office;
    let auditor = app.token(admin, &["audit"]);
    let why = |id: &str, body: &Value| {
        app.post(&format!("/audit/v1/decisions/{id}/explain"), &auditor, body)
    };
    let before = app.evaluate(pep, &ask("alice", "read", "plan"));
    let before = before.header("countersign-decision").to_owned();
    let staged = json!({"staged": true});
    assert_eq!(why(&before, &staged).code(), "nothing_staged");
    let draft = "@id(\"closed\") forbid (principal, action == Action::\"read\", resource);";
    let files = json!({"files": [{"name": "d.cedar", "text": draft}]});
    let version = app.post("/versions/v1", &admin.token, &files).expect(200);
    for step in ["check", "stage"] {
        let path = format!("/versions/v1/{}/{step}", version["digest"].as_str().unwrap());
        app.post(&path, &admin.token, &json!({"reason": "closing time"})).expect(200);
    }
    let after = app.evaluate(pep, &ask("alice", "read", "plan"));
    assert_eq!(after.expect(200), json!({"decision": true}));
    let after = after.header("countersign-decision");
    let in_force = why(after, &json!({})).expect(200);
    assert_eq!(in_force["decision"], "allow");
    assert!(told(&in_force).contains(&"The staged policies would deny it.".to_owned()));
    let beside = why(after, &staged).expect(200);
    let sentence = "Denied by policy `closed`.";
    assert_eq!((&beside["sentence"], &beside["draft"]), (&json!(sentence), &json!(true)));
}
