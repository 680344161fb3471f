//! Policies that are staged decide beside those in force, and have no effect.

use countersign::event::Verdict;
use serde_json::{Value, json};

use crate::office::{Office, POLICIES, ask};

const PATH: &str = "/versions/v1/shadow";

impl Office {
    /// Stages a set of policies; the version's digest.
    fn staging(&self, text: &str) -> String {
        let token = &self.admin.token;
        let body = json!({"files": [{"name": "p.cedar", "text": text}], "message": "to see"});
        let drafted = self.app.post("/versions/v1", token, &body).expect(200);
        let digest = drafted["digest"].as_str().unwrap().to_owned();
        let path = format!("/versions/v1/{digest}/stage");
        self.app.post(&path, token, &json!({})).expect(200);
        digest
    }

    fn shadow(&self) -> Value {
        self.app.get(PATH, &self.admin.token).expect(200)
    }
}

fn counts(shadow: &Value) -> [u64; 3] {
    ["would_deny", "would_allow", "same"].map(|name| shadow[name].as_u64().unwrap())
}

/// Goal: an author sees what a version would do to live traffic, and nobody else notices.
#[test]
fn what_is_staged_is_decided_by_beside_and_changes_no_answer() {
    let office = Office::open();
    let Office { app, pep, .. } = &office;
    assert_eq!(office.shadow()["staged"], false);
    let before = app.evaluate(pep, &ask("alice", "read", "plan"));
    let only_bob = "@id(\"only-bob\") permit (principal == User::\"bob\", action, resource);";
    let digest = office.staging(only_bob);

    let after = app.evaluate(pep, &ask("alice", "read", "plan"));
    assert_eq!((after.status, &after.text), (before.status, &before.text));
    let header = "countersign-policy-version";
    assert_eq!(after.header(header), before.header(header));
    let recorded = app.recorded(&after);
    assert_eq!(recorded.decision, Verdict::Allow);
    let shadow = recorded.shadow.unwrap();
    assert_eq!((shadow.decision, shadow.version.to_string()), (Verdict::Deny, digest.clone()));
    assert!(app.recorded(&before).shadow.is_none());

    let batch = json!({"evaluations": [ask("bob", "read", "plan"), ask("carol", "read", "plan")]});
    let answers = app.evaluate_all(pep, &batch).expect(200);
    assert_eq!(answers["evaluations"][0]["decision"], false);
    let shown = office.shadow();
    assert_eq!((counts(&shown), &shown["staged"]), ([1, 1, 1], &json!(true)));
    assert_eq!((&shown["version"], &shown["message"]), (&json!(digest), &json!("to see")));
    let who: Vec<_> = shown["samples"].as_array().unwrap().iter().collect();
    assert_eq!(who[0]["principal"], "User::\"alice\"");
    assert_eq!(who[1]["would_determine"], json!(["only-bob"]));
    let differing = app.get("/audit/v1/events?shadow=differs&limit=10", &office.admin.token);
    assert_eq!(differing.expect(200)["events"].as_array().unwrap().len(), 2);
    let metrics = app.get("/metrics", &office.admin.token);
    for result in ["would_deny", "would_allow", "same"] {
        let line = format!("countersign_shadow_decisions_total{{result=\"{result}\"}} 1");
        assert!(metrics.text.contains(&line), "{}", metrics.text);
    }
    app.assert_replays();
}

/// Goal: what was seen survives a restart, and the version's coming in force.
#[test]
fn what_was_counted_stays_until_another_version_is_staged() {
    let mut office = Office::open();
    let none = format!("{POLICIES}@id(\"none\") forbid (principal, action, resource);");
    let digest = office.staging(&none);
    assert!(office.allows(&ask("alice", "read", "plan")));
    office.app.restart();
    assert_eq!(counts(&office.shadow()), [1, 0, 0]);
    assert!(office.allows(&ask("alice", "read", "plan")), "still without effect");
    let path = format!("/versions/v1/{digest}/activate");
    office.app.post(&path, &office.admin.token, &json!({})).expect(200);
    let recorded = office.app.evaluate(&office.pep, &ask("alice", "read", "plan"));
    assert_eq!(office.app.recorded(&recorded).shadow, None);
    let shown = office.shadow();
    assert_eq!((counts(&shown), &shown["staged"]), ([2, 0, 0], &json!(false)));

    office.staging(POLICIES);
    assert!(!office.allows(&ask("alice", "read", "plan")));
    assert_eq!(counts(&office.shadow()), [0, 1, 0], "it counts anew");
    let token = office.app.token(&office.admin, &["publish"]);
    assert_eq!(office.app.get(PATH, &token).status, 403, "it names who asked for what");
    office.app.assert_replays();
}
