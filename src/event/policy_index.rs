//! What was found about the index that chooses which policies are asked.

use serde::{Deserialize, Serialize};

use super::VersionRef;
use crate::model::{PolicyId, SetKind};

/// A question was decided by the policies that the index chose, and differently by Cedar's
/// own authorizer, which asks them all (`countersign.policy_index.doubted.v1`). From here
/// on it decides every question, until another build starts. The question itself is in
/// the decision that follows under the same correlation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyIndexDoubted {
    /// Which policies were asked.
    pub set: SetKind,
    /// Their version; none before any were in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<VersionRef>,
    /// The build of Countersign that chose.
    pub build: String,
    /// The policies that only one of the two named among those that determine the answer
    /// or err, in order; at most 32.
    pub differing: Vec<PolicyId>,
}
