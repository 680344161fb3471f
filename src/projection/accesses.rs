//! How many decisions there were.

use serde::{Deserialize, Serialize};

use crate::event::{AccessDecided, Verdict};

/// Counts of decisions, of both policy sets together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accesses {
    /// Allowed.
    pub allowed: u64,
    /// Denied.
    pub denied: u64,
}

impl Accesses {
    pub(super) fn decided(&mut self, decided: &AccessDecided) {
        match decided.decision {
            Verdict::Allow => self.allowed += 1,
            Verdict::Deny => self.denied += 1,
        }
    }

    /// All decisions.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.allowed + self.denied
    }
}
