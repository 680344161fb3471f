//! How the decisions of the staged version compare with those that counted.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::{AccessDecided, Verdict};
use crate::model::{Digest, Index};

/// How many decisions are remembered of those that would have come out otherwise, the first
/// of each kind.
const SAMPLES_MAX: usize = 10;

/// Decisions beside the version that was staged last, counted since then. What was counted
/// stays when it comes in force, until another one is staged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shadows {
    /// The version.
    pub version: Option<Digest>,
    /// The entry by which it was staged.
    pub since: Option<Index>,
    /// Decisions on which both agree.
    pub same: u64,
    /// Allowed, and it would deny.
    pub would_deny: u64,
    /// Denied, and it would allow.
    pub would_allow: u64,
    /// The first ten that it would deny.
    pub denied: Arc<Vec<Index>>,
    /// The first ten that it would allow.
    pub allowed: Arc<Vec<Index>>,
}

impl Shadows {
    /// True if nothing was ever staged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.version.is_none()
    }

    pub(super) fn staged(&mut self, version: Digest, at: Index) {
        *self = Self { version: Some(version), since: Some(at), ..Self::default() };
    }

    pub(super) fn decided(&mut self, it: &AccessDecided, at: Index) {
        let Some(shadow) = it.shadow.as_ref().filter(|it| Some(it.version) == self.version) else {
            return;
        };
        let (count, first) = match (it.decision, shadow.decision) {
            (Verdict::Allow, Verdict::Deny) => (&mut self.would_deny, &mut self.denied),
            (Verdict::Deny, Verdict::Allow) => (&mut self.would_allow, &mut self.allowed),
            (Verdict::Allow, Verdict::Allow) | (Verdict::Deny, Verdict::Deny) => {
                self.same += 1;
                return;
            }
        };
        *count += 1;
        if first.len() < SAMPLES_MAX {
            Arc::make_mut(first).push(at);
        }
    }
}
