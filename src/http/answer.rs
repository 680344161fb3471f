//! What an evaluation's answer carries besides the body that the specification
//! shows: where its record is, and under what it was decided.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::{Value, json};

use super::obligations;
use crate::event::{AccessDecided, Envelope, Event, Verdict};

const DECISION: HeaderName = HeaderName::from_static("countersign-decision");
const INDEX: HeaderName = HeaderName::from_static("countersign-index");
const POLICY_VERSION: HeaderName = HeaderName::from_static("countersign-policy-version");
const DURABILITY: HeaderName = HeaderName::from_static("countersign-durability");

/// The decision that an entry records.
pub fn decided(entry: &Envelope) -> Option<&AccessDecided> {
    match &entry.event {
        Event::AccessDecided(decided) => Some(decided),
        _ => None,
    }
}

/// The answer to one question, as the specification shows it (§5.5).
#[derive(Serialize)]
pub struct Answer {
    decision: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Value>,
}

impl Answer {
    /// What was decided, with a `context` only where the caller said what it can do with
    /// one.
    pub fn to(decided: &AccessDecided) -> Self {
        let obligation = decided.step_up.as_ref().and_then(obligations::step_up);
        let context = obligation.map(|obligation| json!({"obligations": [obligation]}));
        Self { decision: decided.decision == Verdict::Allow, context }
    }

    /// To a question of several that could not be decided.
    pub fn faulty(message: &str) -> Self {
        let context = json!({"error": {"status": 400, "message": message}});
        Self { decision: false, context: Some(context) }
    }
}

/// An `AuthZEN` answer about recorded decisions; the headers of a batch name the
/// first and the last, joined by `/`.
pub fn recorded(entries: &[Arc<Envelope>], body: &impl Serialize) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    // The only mode there is: an answer leaves when the disk has its record.
    answer.insert_header((DURABILITY, "fsync"));
    if let (Some(first), Some(last)) = (entries.first(), entries.last()) {
        let both = |of: &dyn Fn(&Envelope) -> String| {
            let (one, two) = (of(first), of(last));
            HeaderValue::from_str(&if one == two { one } else { format!("{one}/{two}") })
        };
        let headers = [
            (DECISION, both(&|entry| entry.id.to_string())),
            (INDEX, both(&|entry| entry.index.to_string())),
            (POLICY_VERSION, both(&|entry| version(entry))),
        ];
        for (name, value) in headers {
            if let Ok(value) = value {
                answer.insert_header((name, value));
            }
        }
    }
    answer.json(body)
}

fn version(entry: &Envelope) -> String {
    let set = decided(entry).and_then(|decided| decided.policies);
    set.map_or_else(|| "0".to_owned(), |set| set.version.to_string())
}
