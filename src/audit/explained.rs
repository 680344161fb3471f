//! A decision explained: one that is recorded, or one that might have been.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Then;
use super::replay::differences;
use crate::event::{AccessDecided, Envelope, Event, Verdict};
use crate::model::{Index, Moment};
use crate::pdp::{Ask, Explanation, explain, explain_again};
use crate::projection::{Erasures, World};

/// Why something was decided, or would be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// The newest entry that counted, and the time that counted as now.
    pub as_of: Then,
    /// The decision that is explained, if it is a recorded one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Recorded>,
    /// True if a draft was asked in place of the policies in force.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub draft: bool,
    /// Why.
    #[serde(flatten)]
    pub explanation: Explanation,
}

/// A decision on the record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// Its id.
    pub id: Uuid,
    /// Its entry.
    pub index: Index,
    /// When it was recorded.
    pub time: Moment,
    /// The answer that was given.
    pub decision: Verdict,
    /// Whether it comes out the same when it is taken again: only then is this why.
    /// Absent if a draft was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<TakenAgain>,
}

/// What came of taking a decision again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum TakenAgain {
    /// The same.
    Identical,
    /// Another: what is explained is not what was answered.
    Different {
        /// In what, by the names in the event.
        what: Vec<String>,
    },
    /// It cannot be taken again.
    NotReplayable {
        /// Why.
        reason: String,
    },
}

impl Explained {
    /// Explains the decision recorded in `entry`, in `world`, folded to just before it;
    /// `erasures` are all that are known until now. `None` if the entry is no decision.
    ///
    /// With a draft in the World (see [`World::supposing`]) it is what that would have
    /// decided.
    ///
    /// Costs some two decisions and what [`explain`] costs: call it on a large stack.
    #[must_use]
    pub fn recorded(
        world: &World,
        entry: &Envelope,
        erasures: &Erasures,
        draft: bool,
    ) -> Option<Self> {
        let Event::AccessDecided(decided) = &entry.event else { return None };
        let recorded = Recorded {
            id: entry.id,
            index: entry.index,
            time: entry.time,
            decision: decided.decision,
            again: (!draft).then(|| taken_again(world, entry, decided, erasures)),
        };
        let index = world.through.unwrap_or_default();
        Some(Self {
            as_of: Then { index, time: decided.now },
            recorded: Some(recorded),
            draft,
            explanation: explain_again(world, decided, erasures),
        })
    }

    /// Explains what a question comes to in the World after entry `index`, at this time.
    #[must_use]
    pub fn supposed(
        world: &World,
        index: Index,
        ask: &Ask,
        time: Moment,
        erasures: &Erasures,
        draft: bool,
    ) -> Self {
        let explanation = explain(world, ask, time, erasures);
        Self { as_of: Then { index, time }, recorded: None, draft, explanation }
    }

    /// True if what is explained is not what was answered, or nobody can say.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        let again = self.recorded.as_ref().and_then(|recorded| recorded.again.as_ref());
        again.is_some_and(|again| *again != TakenAgain::Identical)
    }
}

fn taken_again(
    world: &World,
    entry: &Envelope,
    decided: &AccessDecided,
    erasures: &Erasures,
) -> TakenAgain {
    match differences(world, entry, decided) {
        Ok(none) if none.is_empty() => TakenAgain::Identical,
        Ok(some) => {
            TakenAgain::Different { what: some.iter().map(|it| it.what.to_owned()).collect() }
        }
        Err(why) => TakenAgain::NotReplayable { reason: why.reason(erasures) },
    }
}
