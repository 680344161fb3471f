//! What Cedar is given at most.

/// Bounds on what authors write. Each is checked before Cedar sees a byte or, where
/// that is impossible, before anything walks the result.
///
/// # Source
/// Sizes: quotas of Amazon Verified Permissions, which real policies are known to fit.
/// Depths: Cedar 4.14.1 overflows a 2 MiB stack at about 128 nested `if` or 144 nested
/// brackets while parsing, and gives up evaluating ("recursion limit") when less than
/// 100 kB of stack are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one policy or template, the comment above it included.
    pub policy_bytes: usize,
    /// Policies, templates and links in one set.
    pub policies: usize,
    /// Bytes of one file of policies.
    pub file_bytes: usize,
    /// Bytes of a schema.
    pub schema_bytes: usize,
    /// Entity types, actions and common types in one schema.
    pub declarations: usize,
    /// Nodes of all types in a schema, common types written out at each use.
    pub type_nodes: usize,
    /// Combinations of principal type, action and resource type in a schema.
    pub environments: usize,
    /// Brackets and `if`s within each other, in a policy; brackets in a schema; sets and
    /// records within each other, in a type; objects and arrays within each other, in an
    /// entity.
    pub nesting: usize,
    /// Operators on top of each other in a parsed policy, its scope included. What is
    /// admitted can be evaluated on a stack of 1.5 MiB, or 8 MiB if Cedar was compiled
    /// without optimisation.
    pub height: usize,
    /// Steps from one entity to another that a policy may take (RFC 76).
    pub level: u32,
    /// Bytes of an entity in Cedar's JSON form.
    pub entity_bytes: usize,
    /// Faults reported at once; the rest are counted.
    pub faults: usize,
    /// Questions that the tests of a draft put to policies that every question has to pass:
    /// a decision each, and for a test of a login one more for each class of login. At 1 to 2
    /// µs each, some ten seconds.
    pub tested: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            policy_bytes: 10_000,
            policies: 100_000,
            file_bytes: 16 * 1024 * 1024,
            schema_bytes: 200_000,
            declarations: 2_000,
            type_nodes: 100_000,
            environments: 50_000,
            nesting: 64,
            height: 128,
            level: 8,
            entity_bytes: 48 * 1024,
            faults: 500,
            tested: 5_000_000,
        }
    }
}
