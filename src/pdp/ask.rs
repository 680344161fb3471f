//! A question to the PDP, complete.

use crate::event::{AccessDecided, Presented};
use crate::model::{AccessRequest, SetKind};

/// All that a decision depends on besides the World and the time.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// Which policies decide.
    pub set: SetKind,
    /// The request, any session token already taken out.
    pub request: AccessRequest,
    /// The session that was presented with it.
    pub presented: Presented,
    /// Who asks: a service's id, or for administration the caller's way in.
    pub pep: String,
}

impl Ask {
    /// The question that a recorded decision answered, as far as it can be seen.
    #[must_use]
    pub fn recorded(decided: &AccessDecided) -> Self {
        Self {
            set: decided.set,
            request: decided.opened_request(),
            presented: decided.presented(),
            pep: decided.pep.clone(),
        }
    }
}
