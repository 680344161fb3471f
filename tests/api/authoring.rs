//! Authors change policies and schema; the next decision is the new one's.

use std::sync::atomic::{AtomicBool, Ordering};

use countersign::event::{Event, Verdict};
use countersign::model::SetKind;
use serde_json::{Value, json};

use crate::app::{Answer, Setup, TestApp, decided};
use crate::office::{self, Office, POLICIES, SCHEMA, ask, unlock};

const BOB_READS: &str = r#"@id("bob-reads")
permit (principal == User::"bob", action == Action::"read", resource);"#;

impl Office {
    fn publish(&self, files: &[(&str, &str)]) -> Answer {
        self.app.put("/policies/v1", &self.admin.token, &json!({"files": named(files)}))
    }

    pub fn shown(&self, path: &str) -> Value {
        self.app.get(path, &self.admin.token).expect(200)
    }

    /// By which version Bob's wish to read was answered, and how.
    pub fn bob_reads(&self) -> (bool, String) {
        let answer = self.app.evaluate(&self.pep, &ask("bob", "read", "plan"));
        let allowed = self.app.recorded(&answer).decision == Verdict::Allow;
        (allowed, answer.header("countersign-policy-version").to_owned())
    }
}

fn named(files: &[(&str, &str)]) -> Value {
    files.iter().map(|(name, text)| json!({"name": name, "text": text})).collect()
}

/// Goal: a publication is in force for the very next decision, as a whole and with a
/// version of its own; what it lacks is withdrawn; and the log says who and why.
#[test]
fn a_publication_decides_the_next_question() {
    let office = Office::open();
    assert_eq!(office.bob_reads(), (false, "1".to_owned()));

    let files = named(&[("a.cedar", POLICIES), ("b.cedar", BOB_READS)]);
    let body = json!({"files": files, "message": "bob's request", "expected_version": 1});
    let put = office.app.put("/policies/v1", &office.admin.token, &body).expect(200);
    assert_eq!((&put["version"], &put["schema_version"]), (&json!(2), &json!(1)));
    assert_eq!((&put["added"], &put["changed"]), (&json!(["bob-reads"]), &json!([])));
    assert_eq!(office.bob_reads(), (true, "2".to_owned()));

    let shown = office.shown("/policies/v1");
    assert_eq!((&shown["version"], &shown["digest"]), (&put["version"], &put["digest"]));
    assert_eq!(shown["policies"].as_array().unwrap().len(), 15);
    assert_eq!(put["count"], 15);
    assert_eq!(office.shown("/policies/v1/bob-reads")["id"], "bob-reads");

    let changed = POLICIES.replace("\"staff-read\")\npermit", "\"staff-read\")\nforbid");
    let put = office.publish(&[("a.cedar", &changed)]).expect(200);
    assert_eq!(
        (&put["changed"], &put["withdrawn"]),
        (&json!(["staff-read"]), &json!(["bob-reads"]))
    );
    assert_eq!(office.bob_reads(), (false, "3".to_owned()));
    assert!(!office.allows(&ask("alice", "read", "plan")));
    let gone = office.app.get("/policies/v1/bob-reads", &office.admin.token);
    assert_eq!((gone.status, gone.code().as_str()), (404, "not_found"));

    let log = office.app.log();
    let activated = log.iter().find_map(|entry| match &entry.event {
        Event::PoliciesActivated(it) if it.version.0 == 2 && it.set == SetKind::Application => {
            Some((entry.actor.to_string(), it.message.to_string()))
        }
        _ => None,
    });
    assert_eq!(activated, Some(("person/admin".to_owned(), "bob's request".to_owned())));
    office.app.assert_replays();
}

/// Goal: two authors cannot overwrite each other unseen, and nothing is published twice.
#[test]
fn a_publication_that_comes_too_late_or_changes_nothing_is_refused() {
    let office = Office::open();
    office.publish(&[("a.cedar", POLICIES), ("b.cedar", BOB_READS)]).expect(200);
    let late = |version: u64| {
        let files = named(&[("a.cedar", POLICIES)]);
        let body = json!({"files": files, "expected_version": version});
        office.app.put("/policies/v1", &office.admin.token, &body)
    };
    for version in [0, 1, 3] {
        let answer = late(version);
        assert_eq!((answer.status, answer.code().as_str()), (409, "version_conflict"));
        assert!(answer.text.contains("found 2"), "{}", answer.text);
    }
    let same = office.publish(&[("other.cedar", BOB_READS), ("names.cedar", POLICIES)]);
    assert_eq!((same.status, same.code().as_str()), (409, "unchanged"));
    assert_eq!(office.bob_reads(), (true, "2".to_owned()));
    late(2).expect(200);
    assert_eq!(office.bob_reads(), (false, "3".to_owned()));
    office.app.assert_replays();
}

/// Goal: a refusal says file, line, column, what is wrong and what would be right; and
/// nothing of the publication is in force.
#[test]
fn a_fault_is_told_where_it_is() {
    let office = Office::open();
    let lines = |condition: &str| {
        format!("// one\n@id(\"x\")\npermit (principal, action, resource)\nwhen {{ {condition} }};")
    };
    let wrong_type = lines("principal.age > 3");
    let misspelt = lines("principal is User && principal.departmnt == \"x\"");
    let syntax = lines("principal ==");
    let reserved = lines("resource == Countersign::Node::\"self\"");
    let unsafe_optional = lines("principal is User && principal.department == \"x\"");
    let unnamed = "permit (principal, action, resource);";
    let unknown_action = "@id(\"x\")\npermit (principal, action == Action::\"fly\", resource);";
    let unknown_type = "@id(\"x\")\npermit (principal is Robot, action, resource);";
    for (text, code, line, says) in [
        (wrong_type.as_str(), "policy_invalid", Some(4), "age"),
        (&misspelt, "policy_invalid", Some(4), "departmnt"),
        (&unsafe_optional, "policy_invalid", Some(4), "department"),
        (&syntax, "policy_syntax", Some(4), "}"),
        (&reserved, "reserved_namespace", Some(4), "Countersign"),
        (unnamed, "policy_id_missing", Some(1), "@id"),
        (unknown_action, "policy_invalid", Some(2), "fly"),
        (unknown_type, "policy_invalid", Some(2), "Robot"),
        (
            "@id(\"a\\nb\") permit (principal, action, resource);",
            "policy_id_invalid",
            Some(1),
            "id",
        ),
        (
            "@id(\"staff-read\")\nforbid (principal, action, resource);",
            "policy_id_duplicate",
            None,
            "id",
        ),
    ] {
        let answer = office.publish(&[("good.cedar", POLICIES), ("sub/bad.cedar", text)]);
        assert_eq!((answer.status, answer.code().as_str()), (422, "policy_invalid"), "{text}");
        let faults = answer.json()["faults"].clone();
        let fault = &faults[0];
        assert_eq!(fault["code"], code, "{faults}");
        if let Some(line) = line {
            assert_eq!((&fault["file"], &fault["line"]), (&json!("sub/bad.cedar"), &json!(line)));
            assert!(fault["column"].as_u64().unwrap() >= 1);
            assert!(fault["excerpt"].as_str().unwrap().contains('^'));
        }
        assert!(faults.to_string().contains(says), "{faults}");
    }
    let two = office.publish(&[("a.cedar", unnamed), ("b.cedar", &wrong_type)]);
    assert!(two.json()["faults"].as_array().is_some_and(|faults| !faults.is_empty()));
    assert_eq!(office.bob_reads(), (false, "1".to_owned()));
    let published =
        |it: &Event| matches!(it, Event::PolicySubmitted(one) if one.set == SetKind::Application);
    assert_eq!(office.app.log().iter().filter(|entry| published(&entry.event)).count(), 14);
    office.app.assert_replays();
}

/// Goal: a kilobyte of parentheses ends Cedar's parser and with it the process (reference
/// §1.4): such texts are refused before it sees them, and the node goes on answering.
#[test]
fn a_bomb_of_brackets_is_refused_and_the_node_lives() {
    let office = Office::open();
    let policy = |condition: &str| {
        format!("@id(\"bomb\")\npermit (principal, action, resource)\nwhen {{ {condition} }};")
    };
    let nested = |open: &str, inner: &str, close: &str, times: usize| {
        policy(&format!("{}{inner}{}", open.repeat(times), close.repeat(times)))
    };
    for (text, kind) in [
        (nested("(", "true", ")", 500), "parentheses"),
        (nested("(", "true", ")", 4_000), "more parentheses"),
        (nested("(", "true", ")", 1_000_000), "a megabyte of them"),
        (nested("[", "1", "].contains(1)", 400), "sets"),
        (nested("{a: ", "1", "}.a", 400), "records"),
        (nested("if true then ", "true", " else false", 300), "ifs"),
        (policy(&format!("{}true", "!".repeat(5_000))), "negations"),
        (policy(&format!("0 == {}1", "-".repeat(5_000))), "minuses"),
        (policy(&vec!["principal == resource"; 300].join(" && ")), "a chain of &&"),
        (policy(&vec!["1"; 2_000].join(" + ")), "a chain of +"),
        (policy(&format!("principal{}", ".a".repeat(2_000))), "attributes"),
        ("(".repeat(500_000), "brackets alone"),
        (format!("@id(\"{}\")", "x".repeat(500_000)), "an id without end"),
        ("permit (principal, action, resource); ".repeat(2_000), "policies without names"),
    ] {
        let answer = office.publish(&[("a.cedar", POLICIES), ("bomb.cedar", &text)]);
        assert_eq!((answer.status, answer.code().as_str()), (422, "policy_invalid"), "{kind}");
        assert_eq!(office.bob_reads(), (false, "1".to_owned()), "{kind}");
    }
    let set_of_sets =
        format!("entity E = {{ a: {}Long{} }};", "Set<".repeat(5_000), ">".repeat(5_000));
    let double = |n: u32| format!("type T{n} = {{ a: T{}, b: T{} }};\n", n - 1, n - 1);
    let doubling = (1..60).map(double).collect::<Vec<_>>().concat();
    let doubling = format!("type T0 = {{ a: Long }};\n{doubling}entity E = T59;");
    for schema in [set_of_sets, doubling, "{".repeat(100_000), "namespace A ".repeat(10_000)] {
        let answer = office.app.put("/schema/v1", &office.admin.token, &json!({"schema": schema}));
        assert_eq!((answer.status, answer.code().as_str()), (422, "schema_invalid"));
    }
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    let put =
        format!(r#"{{"put":[{{"uid":{{"type":"Doc","id":"x"}},"attrs":{{"tags":{deep}}}}}]}}"#);
    assert_eq!(office.app.post_text("/entities/v1", &office.admin.token, &put).status, 400);
    assert_eq!(office.app.get("/healthz", "").status, 200);
    office.app.assert_replays();
}

/// Goal: a schema that the directory or the policies in force no longer fit is refused
/// with each misfit; together with policies that fit it, it comes in force at once.
#[test]
fn a_schema_is_changed_only_as_far_as_everything_fits() {
    let office = Office::open();
    let put = |body: Value| office.app.put("/schema/v1", &office.admin.token, &body);

    let no_department = SCHEMA.replace("department?: String,", "");
    let answer = put(json!({"schema": no_department, "policies": []}));
    assert_eq!((answer.status, answer.code().as_str()), (422, "schema_invalid"));
    let fault = answer.json()["faults"][0].clone();
    assert_eq!(fault["code"], "entity_invalid");
    let message = fault["message"].as_str().unwrap();
    assert!(message.starts_with("entity `User::\"bob\"` of the directory does not fit"));

    let no_write = SCHEMA.replace("action read, write", "action read");
    let answer = put(json!({"schema": no_write}));
    assert_eq!((answer.status, answer.code().as_str()), (422, "policy_invalid"));
    assert_eq!(answer.json()["faults"][0]["policy"], "owners-write");

    for (schema, says) in [
        ("entity User = { a: Lon };", "Lon"),
        ("entity", "line"),
        ("namespace Countersign { entity X; }", "Countersign"),
        ("entity User = { @caller(\"believe\") a?: Long };", "caller"),
    ] {
        let answer = put(json!({"schema": schema}));
        assert_eq!((answer.status, answer.code().as_str()), (422, "schema_invalid"), "{schema}");
        assert!(answer.text.contains(says), "{}", answer.text);
    }
    let same = put(json!({"schema": SCHEMA}));
    assert_eq!((same.status, same.code().as_str()), (409, "unchanged"));
    let late = put(json!({"schema": no_write, "expected_version": 7}));
    assert_eq!(late.status, 422, "what does not compile is told first");
    assert_eq!(office.shown("/schema/v1")["version"], 1);

    let without: String = POLICIES
        .split("\n\n")
        .filter(|policy| !policy.contains("owners-write"))
        .collect::<Vec<_>>()
        .join("\n\n");
    let both = json!({"schema": no_write, "files": named(&[("a.cedar", &without)])});
    let answer = put(both).expect(200);
    assert_eq!((&answer["version"], &answer["schema_version"]), (&json!(2), &json!(2)));
    assert_eq!(answer["withdrawn"], json!(["owners-write"]));
    let shown = office.shown("/schema/v1");
    assert_eq!((&shown["version"], &shown["schema"]), (&json!(2), &json!(no_write)));
    assert_eq!(office.bob_reads(), (false, "2".to_owned()));
    office.app.assert_replays();
}

/// Goal: a new schema alone decides the next question by the policies in force.
#[test]
fn a_schema_alone_decides_the_next_question() {
    let office = Office::open();
    let fly = SCHEMA.replace("action read, write", "action read, write, fly");
    let flight = ask("alice", "fly", "plan");
    let before = office.app.recorded(&office.app.evaluate(&office.pep, &flight));
    assert!(before.note.is_some());
    let body = json!({"schema": fly, "expected_version": 1});
    let answer = office.app.put("/schema/v1", &office.admin.token, &body).expect(200);
    assert_eq!((&answer["schema_version"], &answer["version"]), (&json!(2), &json!(1)));
    let after = office.app.recorded(&office.app.evaluate(&office.pep, &flight));
    assert_eq!((after.decision, after.note), (Verdict::Deny, None));
    office.app.assert_replays();
}

/// Goal: no schema yet, no policies; a schema alone is a beginning, and policies before
/// it are refused.
#[test]
fn a_node_founded_empty_is_filled_over_the_api() {
    let office = Office::with(&Setup::default());
    let answer = office.publish(&[("a.cedar", POLICIES)]);
    assert_eq!((answer.status, answer.code().as_str()), (422, "no_schema"));
    let answer = office.alter(&json!({"put": office::entities()}));
    assert_eq!((answer.status, answer.code().as_str()), (422, "no_schema"));
    assert_eq!(office.app.get("/schema/v1", &office.admin.token).status, 404);
    office.app.put("/schema/v1", &office.admin.token, &json!({"schema": SCHEMA})).expect(200);
    assert!(!office.allows(&unlock("alice", "sum")));
    office.publish(&[("a.cedar", POLICIES)]).expect(200);
    office.alter(&json!({"put": office::entities()})).expect(200);
    assert!(office.allows(&ask("alice", "read", "plan")));
    office.app.assert_replays();
}

/// Goal: a decision taken while policies change is one version's or the other's, never
/// both: its place in the log says which, and its answer is that version's.
#[test]
fn decisions_at_once_with_publications_are_each_of_one_version() {
    let office = Office::open();
    let Office { app, pep, .. } = &office;
    let done = AtomicBool::new(false);
    let both = json!({"evaluations": [ask("bob", "read", "plan"), ask("alice", "read", "plan")]});
    let answers = std::thread::scope(|scope| {
        let asking = || {
            let mut heard = Vec::new();
            while !done.load(Ordering::SeqCst) || heard.is_empty() {
                heard.push(app.evaluate(pep, &ask("bob", "read", "plan")));
                let answer = app.evaluate_all(pep, &both);
                assert_eq!(answer.json()["evaluations"][1]["decision"], true);
                heard.push(answer);
            }
            heard
        };
        let askers: Vec<_> = (0..4).map(|_| scope.spawn(asking)).collect();
        for round in 0..16 {
            let open = [("a.cedar", POLICIES), ("b.cedar", BOB_READS)];
            let files = if round % 2 == 0 { &open[..] } else { &open[..1] };
            let put = office.publish(files).expect(200);
            assert_eq!(put["version"], round + 2);
        }
        done.store(true, Ordering::SeqCst);
        askers.into_iter().flat_map(|asker| asker.join().unwrap()).collect::<Vec<_>>()
    });
    assert_each_is_of_the_version_before_it(app);
    for answer in &answers {
        let version = answer.header("countersign-policy-version");
        let Ok(version) = version.parse::<u64>() else {
            panic!("a batch by two versions: {version}")
        };
        let body = answer.json();
        let bob = body.get("decision").unwrap_or(&body["evaluations"][0]["decision"]);
        assert_eq!(*bob, version % 2 == 0, "version {version}");
    }
    app.assert_replays();
}

/// Each decision names the newest version that stands before it in the log.
fn assert_each_is_of_the_version_before_it(app: &TestApp) {
    let mut in_force = None;
    for entry in app.log() {
        match &entry.event {
            Event::PoliciesActivated(it) if it.set == SetKind::Application => {
                in_force = Some(it.version);
            }
            _ => {}
        }
        if let Some(decided) = decided(&entry).filter(|it| it.set == SetKind::Application) {
            let index = entry.index;
            assert_eq!(decided.policies.map(|it| it.version), in_force, "entry {index}");
        }
    }
}
