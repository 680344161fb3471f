//! A question to the PDP, complete.

use std::sync::Arc;

use super::SharedFacts;
use crate::event::{AccessDecided, Presented};
use crate::model::{AccessRequest, SetKind};

/// All that a decision depends on besides the World and the time.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// Which policies decide.
    pub set: SetKind,
    /// The request, any session token already taken out.
    pub request: Arc<AccessRequest>,
    /// The session that was presented with it.
    pub presented: Presented,
    /// Who asks: a service's id, or for administration the caller's way in.
    pub pep: String,
    /// Whether a denial is to say which login would help.
    pub step_up: bool,
    /// What has been typed for the questions it is asked together with.
    pub facts: SharedFacts,
}

impl Ask {
    /// A question to the owner's policies.
    pub fn access(
        request: impl Into<Arc<AccessRequest>>,
        presented: Presented,
        pep: impl Into<String>,
    ) -> Self {
        let (request, pep) = (request.into(), pep.into());
        let facts = SharedFacts::default();
        Self { set: SetKind::Application, request, presented, pep, step_up: false, facts }
    }

    /// The question that a recorded decision answered, as far as it can be seen.
    #[must_use]
    pub fn recorded(decided: &AccessDecided) -> Self {
        Self {
            set: decided.set,
            request: Arc::new(decided.opened_request()),
            presented: decided.presented(),
            pep: decided.pep.clone(),
            // Of an allow nobody knows whether it was asked, and nothing came of it.
            step_up: decided.step_up.is_some(),
            facts: SharedFacts::default(),
        }
    }
}
