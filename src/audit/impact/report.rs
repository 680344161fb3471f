//! What an impact report says, for programs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Supposed;
use crate::cedar::Clause;
use crate::event::{AccessDecided, Note, PolicyFailure, VersionRef};
use crate::model::{Index, Moment, PolicyId};

/// What a supposition would have changed of the recorded accesses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImpactReport {
    /// Allowed then, and would be denied.
    pub would_deny: u64,
    /// Denied then, and would be allowed.
    pub would_allow: u64,
    /// Of the two, those that what is in force now answers so already: an earlier change's
    /// doing. Nothing of a supposition without policies or a schema.
    pub of_these_already: Counts,
    /// The same answer.
    pub unchanged: u64,
    /// Of those, for other reasons: other policies, another note or error.
    pub unchanged_for_other_reasons: u64,
    /// Of those, the ones that what is in force now answers otherwise, by what the draft
    /// would make of that: it takes an earlier change back.
    pub taken_back: Counts,
    /// What this change does: the first two without what is so already, and what is taken
    /// back.
    pub this_change: Counts,
    /// Nobody can say.
    pub not_replayable: u64,
    /// Why not, and how many each.
    pub not_replayable_reasons: BTreeMap<String, u64>,
    /// The accesses looked at: the sum of the four.
    pub decisions: u64,
    /// When the first of them was recorded.
    pub oldest: Option<Moment>,
    /// When the last of them was recorded.
    pub newest: Option<Moment>,
    /// The first entry looked at.
    pub from: Index,
    /// The last entry looked at.
    pub through: Option<Index>,
    /// What is supposed.
    pub supposed: Supposed,
    /// Whose accesses this change would change, the most first.
    pub principals: Ranking,
    /// Which actions would.
    pub actions: Ranking,
    /// Accesses to what would.
    pub resources: Ranking,
    /// The policies that determined such an access before, or would determine it.
    pub policies: Ranking,
    /// The kinds of change, the most frequent first, each with its first decision; what is
    /// so already comes last.
    pub samples: Vec<Sample>,
    /// Changes of further kinds, which are not told apart.
    pub other_samples: u64,
}

/// Names by how many changes each has a part in, the most first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranking {
    /// The first twenty.
    pub first: Vec<Ranked>,
    /// How many more names there are.
    pub more: u64,
    /// The changes of those, and of names beyond the first 5,000, together.
    pub others: Counts,
}

/// A name and its changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranked {
    /// The name, as the log has it.
    pub name: String,
    /// Its changes.
    #[serde(flatten)]
    pub counts: Counts,
}

/// How many changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// From allow to deny.
    pub would_deny: u64,
    /// From deny to allow.
    pub would_allow: u64,
}

impl Counts {
    pub(super) const fn count(&mut self, would_allow: bool) {
        if would_allow {
            self.would_allow += 1;
        } else {
            self.would_deny += 1;
        }
    }

    pub(super) const fn add(&mut self, other: Self) {
        self.would_deny += other.would_deny;
        self.would_allow += other.would_allow;
    }

    /// What is left without some of these.
    pub(super) const fn without(self, some: Self) -> Self {
        Self {
            would_deny: self.would_deny.saturating_sub(some.would_deny),
            would_allow: self.would_allow.saturating_sub(some.would_allow),
        }
    }

    /// All of them.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.would_deny + self.would_allow
    }
}

/// Whose doing a change is, held against what is in force now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Novelty {
    /// This change's: what is in force now answers as recorded, or nobody can say how.
    New,
    /// An earlier one's: what is in force now answers so already.
    Already,
    /// This change's: it answers as recorded, where what is in force now does not.
    TakenBack,
}

/// Changes of one kind: of the same action, to the same answer, by the same policies
/// before and after, and the same one's doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// How many there are.
    pub count: u64,
    /// The first of them.
    #[serde(flatten)]
    pub flip: Flip,
}

/// A decision that would be another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flip {
    /// Whose doing it is.
    pub novelty: Novelty,
    /// The decision's id.
    pub id: Uuid,
    /// Its place in the log.
    pub index: Index,
    /// When it was recorded.
    pub time: Moment,
    /// Who.
    pub principal: String,
    /// Would do what.
    pub action: String,
    /// To what.
    pub resource: String,
    /// The new answer.
    pub would_allow: bool,
    /// What the recorded answer rests on; of what is taken back, the answer by what is in
    /// force now.
    pub before: Reasons,
    /// What the new one would rest on.
    pub after: Reasons,
}

/// What an answer rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reasons {
    /// The policy set, by version and digest; a draft counts as the version after the one
    /// in force now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<VersionRef>,
    /// The policies that determined it; none if nothing permitted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub determining: Vec<PolicyId>,
    /// The policies that erred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<PolicyFailure>,
    /// Why it was denied, where that was not Cedar's verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
    /// Why, in one sentence for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sentence: String,
    /// The clause that it turned on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clause: Option<Turned>,
}

/// The clause that an answer turned on: of what determined it the last condition; of what
/// would have permitted it the first that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turned {
    /// Whose clause.
    pub policy: PolicyId,
    /// The clause, in Cedar.
    pub clause: Clause,
    /// Whether it let its policy apply.
    pub held: bool,
    /// What was found where it looked, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<String>,
}

impl Reasons {
    pub(super) fn of(decided: &AccessDecided) -> Self {
        Self {
            sentence: String::new(),
            clause: None,
            policies: decided.policies,
            determining: decided.determining.clone(),
            errors: decided.errors.clone(),
            note: decided.note,
        }
    }
}
