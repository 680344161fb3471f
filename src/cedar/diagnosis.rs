//! From Cedar's diagnostics to faults.

use cedar_policy::ffi::DetailedError;

use super::Fault;
use super::codes;
use super::excerpt::Span;
use super::scan::{Flaw, Grammar};

/// One fault for each error in a diagnostic about `text`.
pub(super) fn faults(code: &'static str, error: &DetailedError, text: &str) -> Vec<Fault> {
    let mut faults = vec![fault(code, error, text)];
    faults.extend(error.related.iter().map(|related| fault(code, related, text)));
    faults
}

/// The fault of one error, related ones aside.
pub(super) fn fault(code: &'static str, error: &DetailedError, text: &str) -> Fault {
    let fault = unplaced(code, error);
    match error.source_locations.first() {
        Some(label) => fault.at(text, Span::new(label.loc.start, label.loc.end)),
        None => fault,
    }
}

/// The fault of one error that is not about a text.
pub(super) fn unplaced(code: &'static str, error: &DetailedError) -> Fault {
    let mut fault = Fault::new(code, plain(&error.message));
    // The parser says what it expected in the label only.
    let label = error.source_locations.first().and_then(|label| label.label.clone());
    fault.help = error.help.clone().or(label).map(String::into_boxed_str);
    fault
}

/// The fault of a text that Cedar never saw.
pub(super) fn flawed(grammar: Grammar, flaw: Flaw, limit: usize, text: &str) -> Fault {
    let (syntax, nesting) = match grammar {
        Grammar::Policy => (codes::POLICY_SYNTAX, codes::POLICY_NESTING),
        Grammar::Schema => (codes::SCHEMA_INVALID, codes::SCHEMA_TOO_LARGE),
    };
    match flaw {
        Flaw::OpenString(span) => Fault::new(syntax, "this string is not closed")
            .with_help("end it with `\"`; a quote within it is written `\\\"`")
            .at(text, span),
        Flaw::TooDeep(span) => Fault::new(nesting, format!("nested more than {limit} deep"))
            .with_help("name the inner parts: several policies, or common types in a schema")
            .at(text, span),
    }
}

/// Cedar's message without the policy's name in front, which a fault says itself.
fn plain(message: &str) -> String {
    let rest = message.strip_prefix("for policy `").and_then(|rest| rest.split_once("`, "));
    rest.map_or(message, |(_, plain)| plain).to_owned()
}
