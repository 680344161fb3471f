//! The example organisation that ships with Countersign.

use serde_json::Value;

use super::super::failure::Failure;
use crate::model::{EntityDocument, JsonLimits, parse_json};
use crate::pip;

/// The schema's text.
pub(super) const SCHEMA: &str = include_str!("../../../schemas/cloud.cedarschema");

const POLICIES: [(&str, &str); 3] = [
    ("assurance.cedar", include_str!("../../../policies/cloud/assurance.cedar")),
    ("least-privilege.cedar", include_str!("../../../policies/cloud/least-privilege.cedar")),
    ("segments.cedar", include_str!("../../../policies/cloud/segments.cedar")),
];

const ENTITIES: &str = include_str!("../../../schemas/cloud.entities.json");

/// The policies, as files.
pub(super) fn policies() -> Vec<(String, String)> {
    let owned = |(name, text): (&str, &str)| (format!("policies/cloud/{name}"), text.to_owned());
    POLICIES.into_iter().map(owned).collect()
}

/// The entities.
///
/// # Errors
/// If they are none, which the tests rule out.
pub(super) fn entities() -> Result<Vec<EntityDocument>, Failure> {
    let limits = JsonLimits { bytes: ENTITIES.len(), depth: 32 };
    let json: Value = parse_json(ENTITIES.as_bytes(), limits).map_err(Failure::could_not_run)?;
    pip::read_entities(&json).map_err(Failure::could_not_run)
}

/// What a policy says it is for, from its `@description`.
pub(super) fn description(policy: &str) -> Option<&str> {
    let (_, rest) = policy.split_once("@description(\"")?;
    rest.split_once("\")").map(|(text, _)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ships_can_be_read() {
        assert_eq!(policies().len(), 3);
        assert!(entities().unwrap().len() > 20);
    }

    #[test]
    fn a_policy_says_what_it_is_for() {
        let policy = "@id(\"a\")\n@description(\"Walls stand.\")\nforbid (principal, action);";
        assert_eq!(description(policy), Some("Walls stand."));
        assert_eq!(description("permit (principal, action, resource);"), None);
    }
}
