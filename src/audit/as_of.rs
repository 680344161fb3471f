//! A question of today, answered as of then.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::event::Verdict;
use crate::model::{Index, Moment};
use crate::pdp::Again;

/// What was decided as of an entry and a time: `AuthZEN`'s answer, with the reasons in its
/// `context`. It is no record: nothing of it is in the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AsOf {
    /// The answer.
    pub decision: bool,
    /// As of when, and why.
    pub context: Reasons,
}

/// As of when something was decided, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reasons {
    /// The entry and the time.
    pub as_of: Then,
    /// The members of a recorded decision that say why, by their names there: `policies`,
    /// `session`, `determining`, `errors`, `pruned`, `believed`, `note`, `step_up`.
    #[serde(flatten)]
    pub members: Map<String, Value>,
}

/// Nobody can say any more what would have been decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the answer may rest on something personal that has been erased since, or whose key is not \
     at hand"
)]
pub struct Unseen;

/// A point in a log's past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Then {
    /// The newest entry that counted.
    pub index: Index,
    /// The time at which it was decided.
    pub time: Moment,
}

impl AsOf {
    /// What a decision says, taken in the World after entry `index`.
    ///
    /// # Errors
    /// [`Unseen`], if it may rest on what cannot be seen any more.
    pub fn new(index: Index, taken: Again) -> Result<Self, Unseen> {
        if !taken.rests_on.is_empty() {
            return Err(Unseen);
        }
        let mut decided = taken.decided;
        // What was asked is told to nobody, and unsealed it has no JSON.
        decided.personal.clear();
        let mut members = match serde_json::to_value(&decided) {
            Ok(Value::Object(members)) => members,
            _ => Map::new(),
        };
        // What was asked is known to who asked, and the answer stands above.
        for asked in ["decision", "set", "request", "pep", "now", "through"] {
            members.remove(asked);
        }
        let as_of = Then { index, time: decided.now };
        let decision = decided.decision == Verdict::Allow;
        Ok(Self { decision, context: Reasons { as_of, members } })
    }
}
