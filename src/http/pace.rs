//! How fast one known caller adds to the log what comes to nothing: refusals of what they may
//! not do, and changes of their own account one after the other. In memory alone.

use std::sync::{Mutex, PoisonError};

use actix_web::http::StatusCode;
use uuid::Uuid;

use super::Problem;
use super::allowance::{Rate, Sources};
use super::caller::Caller;
use crate::authn::Refusal;
use crate::model::{Digest, Moment};

/// One caller's. Sixty at once are more than a page, a command or a look at every endpoint
/// takes; ten a minute after that are some 15 MB of entries a day at most, from whoever
/// tries without end. The first sixty already tell an auditor who does.
const RATE: Rate = Rate { tokens: 10, per_s: 60, most: 60 };

/// The pace of each caller and each session. One for a node.
pub struct Pace {
    refusals: Mutex<Sources>,
    changes: Mutex<Sources>,
}

impl Default for Pace {
    fn default() -> Self {
        let each = || Mutex::new(Sources::of(RATE));
        Self { refusals: each(), changes: each() }
    }
}

impl Pace {
    /// Spends what the record of a refusal costs the caller who is refused.
    ///
    /// # Errors
    /// 429 `throttled`: the refusal is not to be recorded.
    pub fn refusal(&self, caller: &Caller, now: Moment) -> Result<(), Problem> {
        let spent = spend(&self.refusals, Digest::of(caller.name()), now);
        spent.map_err(|error| too_often("you were refused too often", error))
    }

    /// Spends what a change of their own account costs a person in a session, or a passkey's
    /// answer that may be wrong. By session, so that whoever has got hold of one cannot keep
    /// its person from changing anything in another.
    ///
    /// # Errors
    /// 429 `throttled`: the change is not to be made.
    pub fn change(&self, session: Uuid, now: Moment) -> Result<(), Problem> {
        let spent = spend(&self.changes, Digest::of(session.as_bytes()), now);
        spent.map_err(|error| too_often("this was done too often in this session", error))
    }
}

fn spend(each: &Mutex<Sources>, who: Digest, now: Moment) -> Result<(), Refusal> {
    each.lock().unwrap_or_else(PoisonError::into_inner).spend(who, now)
}

fn too_often(what: &str, error: Refusal) -> Problem {
    match error {
        Refusal::Throttled { retry_after_s } => {
            let detail = format!("{what}: try again in {retry_after_s} s");
            let status = StatusCode::TOO_MANY_REQUESTS;
            Problem::new(status, "throttled", detail).retry_after(retry_after_s)
        }
        other => other.into(),
    }
}
