//! What other policies would have changed, asked over HTTP.

use countersign::audit::{Impact, Supposition};
use countersign::cedar::{Limits, on_large_stack};
use countersign::model::{Index, Label, SetKind};
use countersign::pap::{Draft, set_of};
use countersign::projection::World;
use serde_json::{Value, json};

use crate::app::Answer;
use crate::office::{Office, POLICIES, ask, given, setup, unlock};

const PATH: &str = "/audit/v1/impact";

/// Only what concerns accesses to the plan is dropped.
fn without_staff() -> String {
    POLICIES.replace("permit (principal in Group::\"staff\"", "permit (principal == User::\"x\"")
}

fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn report(answer: &Answer) -> Value {
    lines(answer).pop().unwrap()["report"].take()
}

/// Goal: what is told is what the pure fold of the log gives, and the log gains no more by
/// it than that the auditor asked.
#[test]
fn an_impact_is_streamed_and_is_that_of_the_log() {
    let office = Office::with(&setup().with_setting("snapshots.every=15"));
    let Office { app, admin, pep } = &office;
    let auditor = app.token(admin, &["audit", "publish"]);
    for _ in 0..12 {
        assert!(office.allows(&ask("alice", "read", "plan")));
        assert!(!office.allows(&ask("bob", "read", "plan")));
    }
    app.evaluate_all(pep, &json!({"evaluations": [ask("alice", "read", "plan")]})).expect(200);
    let log = app.log();
    let files = json!([{"name": "p.cedar", "text": without_staff()}]);
    let answer = app.post(PATH, &auditor, &json!({"files": files, "partials": true}));
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    let told = lines(&answer);
    let kinds: Vec<_> =
        told.iter().map(|it| it.as_object().unwrap().keys().next().unwrap()).collect();
    assert_eq!(kinds, ["progress", "partial", "report"]);
    let found = &told[2]["report"];
    let counts = ["would_deny", "would_allow", "unchanged", "not_replayable"];
    assert_eq!(counts.map(|name| found[name].as_u64().unwrap()), [13, 0, 12, 0]);

    let policies = set_of(&[("p.cedar", &without_staff())], &Limits::default()).unwrap();
    let (set, message) = (SetKind::Application, Label::default());
    let draft = Draft { set, schema: None, policies: Some(policies), message };
    let pure = on_large_stack(|| {
        let newest = World::fold(&log);
        let supposed = Supposition::new(&newest, Some(&draft), Vec::new(), &Limits::default());
        let mut impact = Impact::new(World::default(), Index(0), supposed.unwrap());
        log.iter().for_each(|entry| impact.take(entry).unwrap());
        serde_json::to_value(impact.report()).unwrap()
    });
    for (name, value) in pure.unwrap().as_object().unwrap() {
        // The three entries that say that the auditor asked are looked at too.
        assert!(name == "through" || found[name] == *value, "{name}: {value} {found}");
    }
    assert_eq!(app.log().len(), log.len() + 3, "it was asked whether the auditor may");

    let resume = &told[1]["partial"];
    let again = app.post(PATH, &auditor, &json!({"files": files, "resume": resume}));
    assert_eq!(report(&again)["would_deny"], 13);
    let other = json!({"files": [{"name": "p.cedar", "text": POLICIES}], "resume": resume});
    let other = app.post(PATH, &auditor, &other);
    assert_eq!((other.status, other.code().as_str()), (409, "not_resumable"));
    let later = json!({"files": files, "since": "2026-12-01T00:00:00Z"});
    assert_eq!(report(&app.post(PATH, &auditor, &later))["decisions"], 0);
    app.assert_replays();
}

/// Goal: a report says nothing of what has been erased, and says that it does not.
#[test]
fn what_was_erased_is_not_replayable() {
    let setup = setup();
    let schema = crate::office::SCHEMA.replace("  note?: String,", "  @personal note?: String,");
    let policies = format!(
        "{POLICIES}@id(\"noted\") forbid (principal, action == Action::\"read\", resource)\n\
         when {{ context has note && context.note like \"*secret*\" }};\n"
    );
    let setup = crate::app::Setup {
        schema: Some(schema),
        policies: vec![("p.cedar".to_owned(), policies.clone())],
        ..setup
    };
    let office = Office::with(&setup);
    let Office { app, admin, .. } = &office;
    let auditor = app.token(admin, &["audit", "publish"]);
    assert!(office.allows(&given(ask("alice", "read", "plan"), json!({"note": "plain"}))));
    assert!(office.allows(&unlock("alice", "sum")));
    let files = json!([{"name": "p.cedar", "text": policies.replace("*secret*", "*plain*")}]);
    let before = report(&app.post(PATH, &auditor, &json!({"files": files})));
    assert_eq!((&before["would_deny"], &before["not_replayable"]), (&json!(1), &json!(0)));

    let erase = json!({"subject": {"type": "User", "id": "alice"}, "reason": "asked for"});
    app.post("/erasures/v1", &admin.token, &erase).expect(200);
    let after = report(&app.post(PATH, &auditor, &json!({"files": files})));
    assert_eq!((&after["would_deny"], &after["unchanged"]), (&json!(0), &json!(1)));
    assert_eq!(after["not_replayable_reasons"], json!({"erased": 1}));
}

/// Goal: whoever may not read the log and the policies and draft such, or asks wrongly, hears
/// what is wrong.
#[test]
fn an_impact_takes_the_right_to_read_and_a_draft_that_compiles() {
    let office = Office::open();
    let Office { app, admin, pep } = &office;
    let publisher = app.token(admin, &["publish"]);
    let auditor = app.token(admin, &["audit", "publish"]);
    let draft = json!({"files": [{"name": "p.cedar", "text": POLICIES}]});
    let reader = app.token(admin, &["audit"]);
    for token in [pep, &publisher, &reader] {
        assert_eq!(app.post(PATH, token, &draft).status, 403);
    }
    let wrong = [
        (json!({}), 400, "bad_request"),
        (json!({"files": draft["files"], "since": "last week"}), 400, "bad_query"),
        (json!({"entities": {}}), 400, "bad_entities"),
        (json!({"entities": [{"uid": {"type": "Usr", "id": "x"}}]}), 422, "entity_invalid"),
        (json!({"files": [{"name": "p.cedar", "text": "permit"}]}), 422, "policy_invalid"),
        (json!({"schema": "entity"}), 422, "schema_invalid"),
    ];
    for (body, status, code) in wrong {
        let answer = app.post(PATH, &auditor, &body);
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.text);
    }
    assert_eq!(report(&app.post(PATH, &auditor, &draft))["decisions"], 0);
}
