//! Obligations: what an answer asks of the application (`AuthZEN` Obligations Profile,
//! draft 1). Only `step-up`, and only for those who say that they can carry it out.

use serde_json::{Map, Value, json};

use crate::event::StepUp;
use crate::model::Acr;

/// The obligation to have the person log in more strongly or anew; none if no login
/// would help. `acr_value` is the cheapest class that suffices, `acr_values` lists all
/// that do in order of preference, and `max_age`, in seconds, is there where the
/// authentication must be no older (RFC 9470 §3).
pub fn step_up(found: &StepUp) -> Option<Value> {
    const KIND: &str = StepUp::OBLIGATION;
    let cheapest = found.acr_values.first()?;
    let all: Vec<_> = found.acr_values.iter().copied().map(Acr::as_str).collect();
    let mut properties = Map::new();
    properties.insert("acr_value".to_owned(), json!(cheapest));
    properties.insert("acr_values".to_owned(), json!(all.join(" ")));
    properties.extend(found.max_age_s.map(|seconds| ("max_age".to_owned(), json!(seconds))));
    Some(json!({"id": KIND, "type": KIND, "properties": properties}))
}
