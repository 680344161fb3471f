//! What staged policies would have decided.

use serde::{Deserialize, Serialize};

use super::{Note, Verdict};
use crate::model::{Digest, PolicyId};

/// The verdict of the staged version on the same question, beside the decision: it never
/// has any effect. Policies in error are named without Cedar's words, which may repeat what
/// the staged schema does not call personal and the one in force does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shadow {
    /// The version that was staged.
    pub version: Digest,
    /// What it would have answered.
    pub decision: Verdict,
    /// The policies that would have determined it, in order of their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub determining: Vec<PolicyId>,
    /// The policies that would have erred, in order of their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<PolicyId>,
    /// How many entries the two lists lack, because an event is bounded.
    #[serde(default, skip_serializing_if = "super::access::is_zero")]
    pub omitted: u64,
    /// Why it would have been denied, where that is not Cedar's verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
}
