//! One recorded access, decided again and decided otherwise.

use std::sync::Arc;

use super::super::replay::{Unrepeatable, differences};
use super::super::row::named;
use super::report::{Flip, Reasons};
use crate::event::{AccessDecided, Envelope, Event, Verdict};
use crate::model::{Index, Moment};
use crate::pdp::{decide_again, rests_on_unrecorded};
use crate::projection::{Erasures, World};

/// Two Worlds of one time, shared by all that was decided in them.
#[derive(Debug)]
pub(super) struct Grounds {
    /// As it was.
    pub(super) then: World,
    /// As it is supposed; or why it cannot be.
    pub(super) supposed: Result<World, String>,
    /// All erasures up to now.
    pub(super) erasures: Erasures,
}

/// A recorded access and what it is decided by, to be judged on any thread, in any order.
#[derive(Debug)]
pub struct Case {
    pub(super) entry: Envelope,
    pub(super) grounds: Arc<Grounds>,
}

/// What came of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    pub(super) index: Index,
    pub(super) time: Moment,
    pub(super) outcome: Outcome,
}

/// The recorded answer beside the supposed one.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// The same answer.
    Unchanged {
        /// By other policies, or by another note or error.
        otherwise: bool,
    },
    /// The other answer.
    Flipped(Box<Flip>),
    /// Nobody can say, and why.
    NotReplayable(String),
}

/// The record is not what its World gives.
const DIFFERS: &str = "differs from the record";
/// A caller said something that was not recorded, and that would count now.
const UNRECORDED: &str = "rests on what the caller said and was not recorded";

impl Case {
    /// Takes the decision again as it was, and as it is supposed: two decisions, and for
    /// one that says which login would help up to twenty more.
    ///
    /// The first under a policy set of the past compiles that set: on a large stack.
    #[must_use]
    pub fn judged(self) -> Judged {
        let (index, time) = (self.entry.index, self.entry.time);
        let outcome = match &self.entry.event {
            Event::AccessDecided(decided) => {
                self.outcome(decided).unwrap_or_else(Outcome::NotReplayable)
            }
            _ => Outcome::NotReplayable(DIFFERS.to_owned()),
        };
        Judged { index, time, outcome }
    }

    fn outcome(&self, decided: &AccessDecided) -> Result<Outcome, String> {
        let Grounds { then, supposed, erasures } = &*self.grounds;
        match differences(then, &self.entry, decided) {
            Ok(none) if none.is_empty() => {}
            Ok(_) => return Err(DIFFERS.to_owned()),
            Err(why) => return Err(why.reason(erasures)),
        }
        let supposed = supposed.as_ref().map_err(Clone::clone)?;
        let again = match &decided.step_up {
            // Which login would help is another question, and costs twenty decisions.
            Some(_) => decide_again(supposed, &AccessDecided { step_up: None, ..decided.clone() }),
            None => decide_again(supposed, decided),
        };
        if !again.rests_on.is_empty() {
            return Err(Unrepeatable::Unseen(again.rests_on).reason(erasures));
        }
        if rests_on_unrecorded(then, supposed, decided) {
            return Err(UNRECORDED.to_owned());
        }
        let again = again.decided;
        if again.decision == decided.decision {
            let otherwise = again.determining != decided.determining
                || again.note != decided.note
                || again.errors != decided.errors;
            return Ok(Outcome::Unchanged { otherwise });
        }
        Ok(Outcome::Flipped(Box::new(self.flip(decided, &again))))
    }

    fn flip(&self, decided: &AccessDecided, again: &AccessDecided) -> Flip {
        let request = &decided.request;
        Flip {
            id: self.entry.id,
            index: self.entry.index,
            time: self.entry.time,
            principal: named(&request.subject),
            action: request.action.name.clone(),
            resource: named(&request.resource),
            would_allow: again.decision == Verdict::Allow,
            before: Reasons::of(decided),
            after: Reasons::of(again),
        }
    }
}
