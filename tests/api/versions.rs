//! The life of a version: drafted, checked, staged, approved, in force, retired, and back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use countersign::event::{Actor, Event, Verdict};
use serde_json::{Value, json};

use crate::app::{Answer, Person, TestApp};
use crate::office::{Office, SCHEMA, ask, setup};

/// A set under which reading is allowed, by a policy that names the set.
fn reading(name: &str) -> Value {
    let text =
        format!("@id(\"{name}\")\npermit (principal, action == Action::\"read\", resource);\n");
    json!([{"name": "a.cedar", "text": text}])
}

/// A test of whether Bob may read.
fn suites(decision: &str) -> Value {
    let request = json!({
        "principal": "User::\"bob\"", "action": "Action::\"read\"", "resource": "Doc::\"plan\"",
    });
    let test = json!({"name": "bob reads", "request": request, "decision": decision});
    json!([{"name": "t.cedartests.json", "tests": [test]}])
}

fn version(name: &str) -> Value {
    json!({"files": reading(name), "message": name})
}

impl Office {
    fn drafted(&self, body: &Value) -> Value {
        self.app.post("/versions/v1", &self.admin.token, body).expect(200)
    }

    fn step(&self, version: &Value, step: &str) -> Answer {
        self.by(&self.admin, version, step)
    }

    fn by(&self, person: &Person, version: &Value, step: &str) -> Answer {
        let digest = version["digest"].as_str().unwrap();
        let path = format!("/versions/v1/{digest}/{step}");
        self.app.post(&path, &person.token, &json!({"reason": step}))
    }

    fn roll_back(&self) -> Answer {
        self.app.post("/versions/v1/rollback", &self.admin.token, &json!({"reason": "undo"}))
    }

    fn versions(&self) -> Value {
        self.app.get("/versions/v1", &self.admin.token).expect(200)
    }

    /// The stages of all versions by their messages.
    fn stages(&self) -> BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let versions = self.versions()["versions"].clone();
        let versions = versions.as_array().unwrap().clone();
        versions.iter().map(|it| (text(&it["message"]), text(&it["stage"]))).collect()
    }

    /// Which policy lets Bob read, and by which version of the policies.
    fn reason(&self) -> (Vec<String>, u64) {
        let answer = self.app.evaluate(&self.pep, &ask("bob", "read", "plan"));
        let decided = self.app.recorded(&answer);
        let reasons = decided.determining.iter().map(ToString::to_string).collect();
        (reasons, decided.policies.unwrap().version.0)
    }

    /// An author who has logged in with two factors.
    fn author(&self, name: &str) -> Person {
        let body = json!({"name": name, "roles": ["author"]});
        let made = self.app.post("/users/v1", &self.admin.token, &body).expect(201);
        let ticket = made["ticket"].as_str().unwrap();
        self.app.enrol(ticket, crate::app::PASSWORD).expect(201);
        self.app.two_factors(&self.app.one_factor(name))
    }
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.code())
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// What happened to versions, in order, by the types' names.
fn life(app: &TestApp) -> Vec<(&'static str, String)> {
    let log = app.log();
    let of_versions = log.iter().filter(|entry| entry.event.type_name().contains(".version."));
    of_versions.map(|entry| (entry.event.type_name(), entry.actor.to_string())).collect()
}

/// Goal: a version goes its whole way, each step of it in the log with who and what they had
/// shown; nothing is decided by it before its time; and it is taken back by one command.
#[test]
fn a_version_goes_its_way_and_is_taken_back() {
    let mut office = Office::open();
    assert_eq!(office.reason(), (vec![], 1));
    let one = office.drafted(&version("one"));
    assert_eq!(
        (&one["stage"], &one["author"], &one["count"]),
        (&json!("draft"), &json!("person/admin"), &json!(1))
    );
    let checked = office.step(&one, "check").expect(200);
    assert_eq!(checked["stage"], "checked");
    let staged = office.step(&one, "stage").expect(200);
    assert_eq!(
        (&staged["stage"], &office.versions()["staged"]),
        (&json!("staged"), &one["digest"])
    );
    assert_eq!(office.reason(), (vec![], 1), "a staged version has no effect");

    let active = office.step(&one, "activate").expect(200);
    assert_eq!(
        (&active["stage"], &active["in_force_as"]["version"]),
        (&json!("in_force"), &json!(2))
    );
    assert_eq!(office.reason(), (vec!["one".to_owned()], 2));
    assert_eq!(office.versions()["staged"], Value::Null);
    assert_eq!(office.shown("/policies/v1")["version"], 2);

    let back = office.roll_back().expect(200);
    assert_eq!((&back["stage"], &back["in_force_as"]["version"]), (&json!("in_force"), &json!(3)));
    assert_eq!(back["in_force_as"]["schema_version"], 1);
    assert_eq!(office.reason(), (vec![], 3));
    let again = office.roll_back().expect(200);
    assert_eq!(again["digest"], one["digest"], "the way back is a rollback too");
    assert_eq!(office.reason(), (vec!["one".to_owned()], 4));

    let steps = ["drafted", "checked", "staged", "activated", "rolled_back", "rolled_back"];
    let expected: Vec<_> = steps.iter().map(|it| format!("countersign.version.{it}.v1")).collect();
    let happened = life(&office.app);
    assert_eq!(happened.iter().map(|(name, _)| *name).collect::<Vec<_>>(), expected);
    assert!(happened.iter().all(|(_, actor)| actor == "person/admin"));
    let staged = office.app.log().into_iter().find_map(|entry| match entry.event {
        Event::VersionStaged(it) => Some(it),
        _ => None,
    });
    let staged = staged.unwrap();
    assert_eq!((staged.reason.as_str(), staged.session.unwrap().aal), ("stage", 2));

    let before = office.versions();
    office.app.restart();
    assert_eq!(office.versions(), before, "a restart changes nothing");
    assert_eq!(office.reason().0, ["one"]);
    office.app.assert_replays();
}

/// Goal: what cannot be done is said with what would be right, and changes nothing.
#[test]
fn a_step_out_of_turn_is_refused() {
    let office = Office::open();
    assert_eq!(code(&office.roll_back()), refused(409, "nothing_before"));
    let (one, two) = (office.drafted(&version("one")), office.drafted(&version("two")));
    let same = office.app.post("/versions/v1", &office.admin.token, &version("one"));
    assert_eq!(code(&same), refused(409, "version_exists"));
    assert!(same.text.contains("is draft"), "{}", same.text);
    assert_eq!(code(&office.step(&one, "unstage")), refused(409, "wrong_stage"));
    assert_eq!(code(&office.step(&one, "approve")), refused(409, "wrong_stage"));
    office.step(&one, "stage").expect(200);
    assert_eq!(code(&office.step(&two, "stage")), refused(409, "another_staged"));
    office.step(&one, "unstage").expect(200);
    office.step(&two, "activate").expect(200);

    let moved = office.step(&one, "activate");
    assert_eq!(code(&moved), refused(409, "base_moved"));
    assert!(moved.text.contains("draft it again"), "{}", moved.text);
    let redrafted = office.drafted(&version("one"));
    assert_eq!(redrafted["digest"], one["digest"], "the same content has the same name");
    office.step(&one, "activate").expect(200);
    let to_draft = json!({"to": two["digest"]});
    office.app.post("/versions/v1/rollback", &office.admin.token, &to_draft).expect(200);
    assert_eq!(code(&office.step(&two, "activate")), refused(409, "wrong_stage"));
    assert_eq!(office.reason().0, ["two"]);

    let unknown = json!({"digest": "0123456789"});
    assert_eq!(code(&office.step(&unknown, "check")), refused(404, "version_unknown"));
    let vague = json!({"digest": "01234"});
    assert_eq!(code(&office.step(&vague, "check")), refused(422, "version_ambiguous"));
    office.app.assert_replays();
}

/// Goal: a draft that is not fit stays a draft, and says why by its own file.
#[test]
fn a_draft_that_does_not_compile_never_comes_in_force() {
    let office = Office::open();
    let text =
        "@id(\"x\")\npermit (principal is User, action, resource)\nwhen { principal.age > 3 };";
    let bad = office.drafted(&json!({"files": [{"name": "x.cedar", "text": text}]}));
    for step in ["check", "stage", "activate"] {
        let answer = office.step(&bad, step);
        assert_eq!(code(&answer), refused(422, "policy_invalid"), "{step}");
        assert!(answer.json()["faults"][0]["message"].to_string().contains("age"), "{step}");
    }
    assert_eq!(office.versions()["versions"][0]["stage"], "draft");
    assert_eq!(office.reason(), (vec![], 1));
}

/// Goal: a version whose own tests do not hold is no more than a draft, and comes in force
/// by no way.
#[test]
fn a_version_comes_in_force_only_if_its_tests_hold() {
    let office = Office::open();
    let failing = json!({"files": reading("one"), "suites": suites("deny"), "message": "wrong"});
    let drafted = office.drafted(&failing);
    for step in ["check", "stage", "activate"] {
        let answer = office.step(&drafted, step);
        assert_eq!(code(&answer), refused(422, "tests_failed"), "{step}");
        let fault = &answer.json()["faults"][0];
        assert_eq!(fault["file"], "t.cedartests.json", "{fault}");
        assert!(fault["message"].as_str().unwrap().contains("test `bob reads`: "), "{fault}");
    }
    let at_once = office.app.put("/versions/v1", &office.admin.token, &failing);
    assert_eq!(code(&at_once), refused(422, "tests_failed"));
    assert_eq!(office.reason(), (vec![], 1));

    let holding = json!({"files": reading("one"), "suites": suites("allow"), "message": "right"});
    let checked = office.step(&office.drafted(&holding), "check").expect(200);
    assert_eq!(checked["checked"]["tests"], 1);
    office.step(&checked, "activate").expect(200);
    assert_eq!(office.reason().0, ["one"]);
}

/// Goal: what was published at once is a version like any other, to be gone back to; and
/// policies and schema go back together.
#[test]
fn what_was_published_at_once_can_be_taken_back_with_its_schema() {
    let office = Office::open();
    let publish = json!({"files": reading("one"), "message": "one"});
    office.app.put("/policies/v1", &office.admin.token, &publish).expect(200);
    let schema = format!("{SCHEMA}\nentity Printer;\n");
    let both = json!({"schema": schema, "files": reading("two"), "message": "two"});
    office.app.put("/schema/v1", &office.admin.token, &both).expect(200);
    assert_eq!(office.reason(), (vec!["two".to_owned()], 3));
    let three = json!({
        "files": reading("three"), "message": "three", "schema": SCHEMA, "suites": suites("allow"),
    });
    let applied = office.app.put("/versions/v1", &office.admin.token, &three).expect(200);
    assert_eq!(applied["in_force_as"]["schema_version"], 3);
    let same = office.app.put("/versions/v1", &office.admin.token, &three);
    assert_eq!(code(&same), refused(409, "unchanged"));
    let stages = office.stages();
    assert_eq!(stages.len(), 4, "the first set of all is one too: {stages:?}");
    assert_eq!(stages["one"], "retired");

    let back = office.roll_back().expect(200);
    assert_eq!(back["message"], "two");
    assert_eq!(
        (&back["in_force_as"]["version"], &back["in_force_as"]["schema_version"]),
        (&json!(5), &json!(4))
    );
    assert_eq!(office.shown("/schema/v1")["schema"], schema);
    assert_eq!(office.reason(), (vec!["two".to_owned()], 5));
    let whole = office.shown(&format!("/versions/v1/{}", applied["digest"].as_str().unwrap()));
    let kept: Value = serde_json::from_str(whole["tests"].as_str().unwrap()).unwrap();
    assert_eq!((&kept[0]["name"], &whole["schema"]), (&json!("t.cedartests.json"), &json!(SCHEMA)));
    office.app.assert_replays();
}

/// Goal: where four eyes are asked for, nobody puts in force alone what they have written,
/// not at once and not by a token of theirs; and what was in force can always be gone back
/// to.
#[test]
fn a_second_person_has_to_look_where_four_eyes_are_asked_for() {
    let mut office = Office::open();
    let token = office.app.token(&office.admin, &["publish"]);
    office.app.put("/versions/v1", &office.admin.token, &version("zero")).expect(200);
    office.app.restart_with(|settings| settings.decisions.policies.four_eyes = true);
    let second = office.author("second");
    assert_eq!(office.versions()["four_eyes"], true);
    for (path, body) in [
        ("/policies/v1", json!({"files": reading("one")})),
        ("/schema/v1", json!({"schema": format!("{SCHEMA}\nentity Printer;")})),
        ("/versions/v1", version("one")),
    ] {
        let at_once = office.app.put(path, &office.admin.token, &body);
        assert_eq!(code(&at_once), refused(403, "approval_required"), "{path}");
    }
    let one = office.drafted(&version("one"));
    office.step(&one, "check").expect(200);
    assert_eq!(code(&office.step(&one, "activate")), refused(403, "approval_required"));
    assert_eq!(code(&office.step(&one, "approve")), refused(403, "approver_is_author"));
    let approved = office.by(&second, &one, "approve").expect(200);
    assert_eq!(approved["approvals"][0]["by"], "person/second");
    assert_eq!(code(&office.by(&second, &one, "approve")), refused(409, "approved_already"));
    office.step(&one, "activate").expect(200);
    assert_eq!(office.reason().0, ["one"]);

    let by_token = office.app.post("/versions/v1", &token, &version("two")).expect(200);
    office.step(&by_token, "check").expect(200);
    assert_eq!(
        code(&office.step(&by_token, "approve")),
        refused(403, "approver_is_author"),
        "who made the token has written what it has"
    );
    let path = format!("/versions/v1/{}/approve", by_token["digest"].as_str().unwrap());
    let service = office.app.post(&path, &token, &json!({}));
    assert_eq!(code(&service), refused(403, "forbidden"), "{}", service.text);
    office.app.clock.advance(901);
    let stale = office.by(&second, &by_token, "approve");
    assert_eq!(code(&stale), refused(403, "forbidden"));
    assert!(stale.text.contains("system-person-fresh-mfa"), "{}", stale.text);
    let back = office.app.post("/versions/v1/rollback", &token, &json!({})).expect(200);
    assert_eq!(back["message"], "zero", "going back asks nobody");
    office.app.assert_replays();
}

/// Goal: a deployment can be founded under four eyes, and is under them from then on.
#[test]
fn the_first_set_of_all_needs_no_second_person() {
    let office = Office::with(&setup().with_setting("policies.four_eyes=true"));
    assert_eq!(office.reason(), (vec![], 1));
    let next = office.app.put("/versions/v1", &office.admin.token, &version("next"));
    assert_eq!(code(&next), refused(403, "approval_required"));
}

/// Goal: what a pipeline may do is on record with the person who let it, and what they had
/// shown.
#[test]
fn a_pipelines_token_names_who_made_it_and_what_they_had_shown() {
    let office = Office::open();
    let token = office.app.token(&office.admin, &["publish"]);
    let made = office.app.log().into_iter().rev().find_map(|entry| match entry.event {
        Event::ServiceRegistered(it) => Some((entry.actor, it.session)),
        _ => None,
    });
    let (maker, session) = made.unwrap();
    assert_eq!(maker, Actor::Person("admin".parse().unwrap()));
    assert_eq!(session.unwrap().aal, 2);

    let one = office.app.post("/versions/v1", &token, &version("one")).expect(200);
    assert!(one["author"].as_str().unwrap().starts_with("service/"), "{one}");
    for step in ["check", "stage", "activate"] {
        let path = format!("/versions/v1/{}/{step}", one["digest"].as_str().unwrap());
        office.app.post(&path, &token, &json!({})).expect(200);
    }
    assert_eq!(office.reason(), (vec!["one".to_owned()], 2));
    let evaluating = office.app.post("/versions/v1", &office.pep, &version("two"));
    assert_eq!(code(&evaluating), refused(403, "forbidden"));
}

/// Goal: the fifth proof: while a server is being asked by many, changes are made,
/// staged, put in force and taken back; each decision is of one version, which it names, and
/// no decision is of a mixture.
#[test]
fn no_decision_is_taken_by_a_mixture_of_versions() {
    let office = Office::with(&setup());
    let done = AtomicBool::new(false);
    // Which policy each number of the policies stands for.
    let mut numbers = BTreeMap::from([(1, None)]);
    let mut soaking = Vec::new();
    let asked: usize = thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|client| {
                let (office, done) = (&office, &done);
                scope.spawn(move || ask_until(office, client == 0, done))
            })
            .collect();
        for round in 0..4 {
            let name = format!("round-{round}");
            let drafted = office.drafted(&version(&name));
            office.step(&drafted, "check").expect(200);
            office.step(&drafted, "stage").expect(200);
            // Soaked: some decisions are taken beside it before it comes in force.
            let soaked = office.app.evaluate(&office.pep, &ask("bob", "read", "plan"));
            soaking.push((soaked, drafted["digest"].clone(), name.clone()));
            let active = office.step(&drafted, "activate").expect(200);
            numbers.insert(number(&active), Some(name.clone()));
            let at_once = format!("at-once-{round}");
            let body = json!({"files": reading(&at_once)});
            let put = office.app.put("/policies/v1", &office.admin.token, &body).expect(200);
            numbers.insert(put["version"].as_u64().unwrap(), Some(at_once));
            let back = office.roll_back().expect(200);
            assert_eq!(back["digest"], drafted["digest"]);
            numbers.insert(number(&back), Some(name));
        }
        done.store(true, Ordering::SeqCst);
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });

    assert_eq!(numbers.len(), 13, "no number was given twice");
    let decisions = office.app.decisions();
    let mut seen = BTreeMap::<u64, usize>::new();
    for decided in decisions.iter().filter(|it| it.set.is_application()) {
        let number = decided.policies.unwrap().version.0;
        let reasons: Vec<_> = decided.determining.iter().map(ToString::to_string).collect();
        let expected: Vec<_> = numbers[&number].iter().cloned().collect();
        assert_eq!(reasons, expected, "a decision of version {number}");
        assert_eq!(decided.decision == Verdict::Allow, !expected.is_empty());
        *seen.entry(number).or_default() += 1;
    }
    let asked = asked + soaking.len();
    assert_eq!(seen.values().sum::<usize>(), asked, "what was answered is in the log");
    for (answer, digest, name) in soaking {
        let shadow = office.app.recorded(&answer).shadow.unwrap();
        assert_eq!((json!(shadow.version), shadow.decision), (digest, Verdict::Allow));
        let reasons: Vec<_> = shadow.determining.iter().map(ToString::to_string).collect();
        assert_eq!(reasons, [name]);
    }
    assert!(seen.len() > 3, "few versions were asked: {seen:?}");
    office.app.assert_replays();
}

fn number(version: &Value) -> u64 {
    version["in_force_as"]["version"].as_u64().unwrap()
}

/// Asks whether Bob may read until it is done, one question at a time or three; how many
/// decisions were answered.
fn ask_until(office: &Office, one: bool, done: &AtomicBool) -> usize {
    let mut answered = 0;
    let three = json!({
        "subject": {"type": "User", "id": "bob"},
        "action": {"name": "read"},
        "evaluations": [
            {"resource": {"type": "Doc", "id": "plan"}},
            {"resource": {"type": "Doc", "id": "other"}},
            {"resource": {"type": "Doc", "id": "third"}},
        ],
    });
    while !done.load(Ordering::SeqCst) {
        if one {
            office.app.evaluate(&office.pep, &ask("bob", "read", "plan")).expect(200);
            answered += 1;
        } else {
            office.app.evaluate_all(&office.pep, &three).expect(200);
            answered += 3;
        }
    }
    answered
}

/// Goal: versions do not pile up: the oldest are forgotten, those in use never.
#[test]
fn the_oldest_drafts_are_forgotten() {
    let office = Office::open();
    let staged = office.drafted(&version("staged"));
    office.step(&staged, "stage").expect(200);
    for round in 0..34 {
        office.drafted(&version(&format!("draft-{round}")));
    }
    let stages = office.stages();
    assert_eq!(stages.len(), 34, "32 drafts, one staged, one in force");
    assert!(!stages.contains_key("draft-1") && stages.contains_key("draft-2"), "{stages:?}");
    assert_eq!((stages["staged"].as_str(), stages[""].as_str()), ("staged", "in_force"));
}
