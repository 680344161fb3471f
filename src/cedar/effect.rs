//! What a policy does.

use cedar_policy_core::ast;
use serde::{Deserialize, Serialize};

/// What a policy does when it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It allows, unless another forbids.
    Permit,
    /// It denies.
    Forbid,
}

impl Effect {
    /// The word used in Cedar.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Forbid => "forbid",
        }
    }

    pub(super) fn of(core: ast::Effect) -> Self {
        match core {
            ast::Effect::Permit => Self::Permit,
            ast::Effect::Forbid => Self::Forbid,
        }
    }
}
