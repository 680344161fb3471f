//! Asking for decisions, and finding what was recorded of them.

use countersign::audit::Replay;
use countersign::cedar::on_large_stack;
use countersign::event::{AccessDecided, Envelope, Event, Verdict};
use countersign::model::{Index, SetKind};
use serde_json::{Value, json};

use super::{Answer, TestApp};

impl TestApp {
    /// Posts these very characters as JSON.
    pub fn post_text(&self, path: &str, token: &str, body: &str) -> Answer {
        let bearer = super::bearer(token);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.raw("POST", path, &headers, body.as_bytes())
    }

    /// One question, with a person's session token in the header made for it.
    pub fn evaluate_with(&self, token: &str, session: &str, request: &Value) -> Answer {
        let bearer = super::bearer(token);
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("countersign-session", session),
        ];
        self.raw("POST", "/access/v1/evaluation", &headers, request.to_string().as_bytes())
    }

    /// Several questions in one request.
    pub fn evaluate_all(&self, token: &str, request: &Value) -> Answer {
        self.post("/access/v1/evaluations", token, request)
    }

    /// What the log holds of an answer to a single question: found where its headers
    /// say, and with the answer that was given.
    pub fn recorded(&self, answer: &Answer) -> AccessDecided {
        let body = answer.expect(200);
        let index = answer.header("countersign-index").parse::<usize>().unwrap();
        let entry = self.log().swap_remove(index);
        assert_eq!(answer.header("countersign-decision"), entry.id.to_string());
        let decided = decided(&entry).unwrap().clone();
        assert_eq!(body, json!({"decision": decided.decision == Verdict::Allow}));
        let version = decided.policies.map_or(0, |set| set.version.0);
        assert_eq!(answer.header("countersign-policy-version"), version.to_string());
        decided
    }

    /// Every decision that an application was answered with, oldest first.
    pub fn decisions(&self) -> Vec<AccessDecided> {
        let log = self.log();
        let all = log.iter().filter_map(decided);
        all.filter(|decided| decided.set == SetKind::Application).cloned().collect()
    }

    /// Every entry as it is stored, one a line.
    pub fn stored(&self) -> String {
        let store = self.node.sequencer.store();
        let size = usize::try_from(store.size()).unwrap();
        let page = store.read(Index(0), size, usize::MAX).unwrap();
        page.into_iter().map(|(_, bytes)| String::from_utf8(bytes).unwrap() + "\n").collect()
    }

    /// An auditor's whole work: every entry follows the one before it, every decision
    /// comes out as recorded, and the entries alone lead to the state that is live.
    pub fn assert_replays(&self) {
        let live = self.node.sequencer.world().digest();
        // Of two permissions that a request needs, asked at once, one may be refused and
        // answered before the other is recorded: what is written meanwhile is left out.
        let mut log = self.log();
        log.retain(|entry| Some(entry.index) <= live.through);
        let report = on_large_stack(|| {
            let mut replay = Replay::new();
            for entry in &log {
                replay.step(entry);
            }
            replay.report()
        });
        let report = report.unwrap();
        assert!(report.clean, "{report}");
        assert_eq!(report.state.parts, live.parts);
        assert_eq!(report.state.digest, live.digest);
    }
}

/// The decision that an entry records.
pub fn decided(entry: &Envelope) -> Option<&AccessDecided> {
    match &entry.event {
        Event::AccessDecided(decided) => Some(decided),
        _ => None,
    }
}
