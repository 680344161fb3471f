//! Whether a service may ask for decisions, remembered while nothing changes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::event::{Actor, Presented, Verdict};
use crate::model::Moment;
use crate::pdp::{Administration, administrative, decide};
use crate::projection::World;

/// How many answers are remembered; beyond it they are computed each time.
const ANSWERS_MAX: usize = 10_000;

/// Answers of the system policies about services, all of one epoch. The question
/// has no session and no context of the caller's, so within an epoch its answer
/// cannot change.
#[derive(Debug, Default)]
pub struct Traffic(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    epoch: u64,
    answers: HashMap<(Uuid, &'static str), bool>,
}

impl Traffic {
    /// True if the system policies allow the service to do this.
    pub fn allows(&self, world: &World, service: Uuid, what: Administration) -> bool {
        let key = (service, what.as_str());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.epoch != world.epoch {
            *known = Known { epoch: world.epoch, answers: HashMap::new() };
        }
        if let Some(answer) = known.answers.get(&key) {
            return *answer;
        }
        let ask = administrative(&Actor::Service(service), what, Presented::Nothing);
        let now = world.not_before_last(Moment::EPOCH);
        let answer = decide(world, &ask, now).decision == Verdict::Allow;
        if known.answers.len() < ANSWERS_MAX {
            known.answers.insert(key, answer);
        }
        answer
    }
}
