//! The codes of a [`Fault`](super::Fault). They are part of the API and never change.

/// The text is not Cedar.
pub const POLICY_SYNTAX: &str = "policy_syntax";
/// A policy has no `@id`.
pub const POLICY_ID_MISSING: &str = "policy_id_missing";
/// An `@id` is not a policy id, or not the id the policy was published under.
pub const POLICY_ID_INVALID: &str = "policy_id_invalid";
/// Two policies have the same id.
pub const POLICY_ID_DUPLICATE: &str = "policy_id_duplicate";
/// A policy does not validate against the schema.
pub const POLICY_INVALID: &str = "policy_invalid";
/// A policy validates, but probably does not say what was meant. Not an error.
pub const POLICY_WARNING: &str = "policy_warning";
/// A policy's scope leaves everything open, so every request has to pass it. Not an error.
pub const POLICY_SCOPE_WARNING: &str = "policy_scope_warning";
/// A policy does not say in a `@description` what it is for. Not an error.
pub const POLICY_DESCRIPTION_WARNING: &str = "policy_description_warning";
/// A policy does not say in an `@owner` whom to ask about it. Not an error.
pub const POLICY_OWNER_WARNING: &str = "policy_owner_warning";
/// A policy names an entity that is not among those there are. Not an error.
pub const POLICY_ENTITY_WARNING: &str = "policy_entity_warning";
/// A file is not written as Cedar's formatter would write it. Not an error.
pub const POLICY_FORMAT_WARNING: &str = "policy_format_warning";
/// A policy, a file or a set of policies is larger than the limit.
pub const POLICY_TOO_LARGE: &str = "policy_too_large";
/// Brackets, `if`s or operators are nested more deeply than the limit.
pub const POLICY_NESTING: &str = "policy_nesting";
/// A policy takes more steps from entity to entity than the limit, or starts from an
/// entity that it names itself.
pub const POLICY_LEVEL: &str = "policy_level";
/// A template was given as a policy, or a policy as a template.
pub const POLICY_KIND: &str = "policy_kind";
/// A link names no template of the set, or does not fill exactly its slots.
pub const POLICY_LINK: &str = "policy_link";
/// The schema is not Cedar, contradicts itself or is incomplete.
pub const SCHEMA_INVALID: &str = "schema_invalid";
/// The schema is accepted, but probably does not say what was meant. Not an error.
pub const SCHEMA_WARNING: &str = "schema_warning";
/// The schema is larger than the limit, as written or with its types written out.
pub const SCHEMA_TOO_LARGE: &str = "schema_too_large";
/// `@caller` has an unknown value or stands where it has no effect.
pub const SCHEMA_ANNOTATION: &str = "schema_annotation";
/// An owner's policy or schema names `Countersign::`.
pub const RESERVED_NAMESPACE: &str = "reserved_namespace";
/// An entity does not conform to the schema.
pub const ENTITY_INVALID: &str = "entity_invalid";
/// An entity is larger than the limit.
pub const ENTITY_TOO_LARGE: &str = "entity_too_large";
/// The work itself failed: not the author's fault.
pub const INTERNAL: &str = "cedar_internal";
