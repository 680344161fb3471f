//! Whether policies and a schema go together.

use std::collections::HashMap;

use cedar_policy::ffi::DetailedError;
use cedar_policy::{ValidationError, ValidationResult};
use cedar_policy_core::ast;
use cedar_policy_core::validator::ValidationMode;

use super::fault::in_order;
use super::{CompiledSchema, Fault, Limits, codes, diagnosis, type_advice};
use crate::model::{PolicyBody, PolicySource};

/// What validation found.
pub(super) struct Validated {
    /// The least level at which no policy looks too far, or the highest allowed.
    pub(super) level: u32,
    pub(super) faults: Vec<Fault>,
    /// What is doubtful, in order.
    pub(super) warnings: Vec<Fault>,
}

const LEVEL_HELP: &str = "begin with `principal`, `resource` or `context`, and let the entity \
    itself have what the policy must know; an entity that the policy names can be compared with, \
    but not looked into";

/// Validates a set strictly, at the least level (RFC 76) that suffices. To be called on a
/// large stack. Linear in the policies, and for each in the combinations of types that it
/// may apply to; as many times over as the level is high.
pub(super) fn all(
    set: &ast::PolicySet,
    sources: &[PolicySource],
    schema: &CompiledSchema,
    limits: &Limits,
) -> Validated {
    let (level, result) = at_least_level(set, schema, limits);
    let texts: HashMap<&str, &str> = sources.iter().filter_map(text_by_id).collect();
    let fault = |code, id: &cedar_policy::PolicyId, error: &DetailedError| {
        // Its own text and not its display, which is escaped.
        let id: &str = id.as_ref();
        let text = texts.get(id).copied().unwrap_or_default();
        let fault = diagnosis::fault(code, error, text);
        let fault = type_advice::advised(fault, text, schema);
        match id.parse() {
            Ok(id) => fault.about(&id),
            Err(_) => fault,
        }
    };
    let faults = result.validation_errors().map(|error| {
        let detail = DetailedError::from(error);
        if too_far(error) {
            fault(codes::POLICY_LEVEL, error.policy_id(), &detail).with_help(LEVEL_HELP)
        } else {
            fault(codes::POLICY_INVALID, error.policy_id(), &detail)
        }
    });
    let warnings = result.validation_warnings().map(|warning| {
        fault(codes::POLICY_WARNING, warning.policy_id(), &DetailedError::from(warning))
    });
    let warnings = in_order(type_advice::said_once(&warnings.collect::<Vec<_>>()), limits.faults);
    let faults = type_advice::said_once(&faults.collect::<Vec<_>>());
    Validated { level, faults, warnings }
}

fn at_least_level(
    set: &ast::PolicySet,
    schema: &CompiledSchema,
    limits: &Limits,
) -> (u32, ValidationResult) {
    let validate = |level| {
        let strict = ValidationMode::Strict;
        ValidationResult::from(schema.validator().validate_with_level(set, strict, level))
    };
    for level in 0..limits.level {
        let result = validate(level);
        if !result.validation_errors().any(too_far) {
            return (level, result);
        }
    }
    (limits.level, validate(limits.level))
}

fn too_far(error: &ValidationError) -> bool {
    matches!(error, ValidationError::EntityDerefLevelViolation(_))
}

fn text_by_id(source: &PolicySource) -> Option<(&str, &str)> {
    match &source.body {
        PolicyBody::Static { text } | PolicyBody::Template { text } => {
            Some((source.id.as_str(), text))
        }
        PolicyBody::Link { .. } => None,
    }
}
