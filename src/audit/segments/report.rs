//! The report: cells by what they allow and by what went on in them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::compare::Difference;
use super::coverage::Coverage;
use super::matrix::{self, Bounds, Class, Key, Matrix, NoMatrix, Tally};
use super::place::Place;
use super::traffic::{Flow, Traffic};
use crate::audit::reach::Need;
use crate::audit::{Ground, Then};
use crate::event::{Envelope, VersionRef};
use crate::model::{Moment, PolicyId, Uid};
use crate::projection::Compiled;

/// The reachability of segments as of then, and the traffic between them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segments {
    /// As of when.
    pub as_of: Then,
    /// The policies that were asked.
    pub policies: Option<VersionRef>,
    /// True if they are a draft that is not in force.
    pub draft: bool,
    /// Which decisions were counted.
    pub window: Window,
    /// How many pairs of a principal and a resource there are, over all actions.
    pub pairs: u64,
    /// How many of them were decided; fewer than there are, if there are too many: then
    /// evenly from each place.
    pub tried: u64,
    /// How many decisions that took.
    pub decisions: u64,
    /// The segments, in order.
    pub segments: Vec<Uid>,
    /// The cells that hold any pair or saw any traffic, by action, from and to.
    pub cells: Vec<Cell>,
    /// What no segment and no wall covers.
    pub coverage: Coverage,
    /// What is otherwise than as of another time, or than under the policies in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<Difference>,
}

/// From when to when decisions were counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The first moment.
    pub since: Moment,
    /// The last moment.
    pub until: Moment,
    /// How many decisions of applications fell into it.
    pub decisions: u64,
}

/// One action from one place to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// What is done.
    pub action: Uid,
    /// By those who stand here.
    pub from: Place,
    /// To what stands here.
    pub to: Place,
    /// The most that any of its pairs may do.
    pub verdict: CellVerdict,
    /// How many pairs of a principal and a resource it has.
    pub pairs: u64,
    /// How many of those tried are allowed whatever is shown.
    pub allowed: u64,
    /// How many are allowed if something is so.
    pub conditional: u64,
    /// How many are not.
    pub denied: u64,
    /// Of how many nobody can say any more.
    pub unknown: u64,
    /// The permits that allow any of them.
    pub by: Vec<Source>,
    /// The forbids that close it to any of them, whatever is shown.
    pub barred_by: Vec<PolicyId>,
    /// What must be so, where something must.
    pub conditions: Vec<Condition>,
    /// How often it was allowed in the window.
    pub used: Counted,
    /// How often it was attempted in the window, and denied.
    pub refused: Counted,
    /// Of those the most frequent: who, and to what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// Uses of policies beyond the first 256 that were used here, which are not told apart:
    /// if there are any, a permit here without a use may have been used.
    #[serde(default, skip_serializing_if = "crate::audit::report::is_zero")]
    pub used_by_others: u64,
    /// Attempts of pairs beyond the first 256 that were refused here: if there are any, a
    /// pair may have been refused more often than those that are named.
    #[serde(default, skip_serializing_if = "crate::audit::report::is_zero")]
    pub attempts_of_others: u64,
}

/// What a cell comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CellVerdict {
    /// None of its pairs.
    Deny,
    /// None of those decided, and not each could be or was.
    Unknown,
    /// Some pairs, but only if something is so.
    Conditional,
    /// Some pairs whatever is shown.
    Allow,
}

impl CellVerdict {
    /// `allow`, `conditional`, `unknown` or `deny`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Unknown => "unknown",
            Self::Conditional => "conditional",
            Self::Allow => "allow",
        }
    }
}

/// A permit of a cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The policy.
    pub policy: PolicyId,
    /// For how many pairs.
    pub pairs: u64,
    /// How often it allowed something here in the window.
    pub used: Counted,
}

/// What must be so for some pairs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// What.
    pub need: Need,
    /// The same in words.
    pub says: String,
    /// For how many pairs.
    pub pairs: u64,
    /// The forbids that ask for it.
    pub asked_by: Vec<PolicyId>,
    /// What these say of themselves: their `@description`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
}

/// How often something happened, and when last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// How often.
    pub count: u64,
    /// When last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Moment>,
}

impl Counted {
    /// Once more.
    pub fn count(&mut self, at: Moment) {
        self.count += 1;
        self.last = self.last.max(Some(at));
    }
}

/// Who was refused what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Who.
    pub from: Uid,
    /// What.
    pub to: Uid,
    /// How often.
    pub refused: Counted,
}

impl Cell {
    /// True if any pair may.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.verdict, CellVerdict::Allow | CellVerdict::Conditional)
    }

    /// True if any pair may and none did: a road to take away, perhaps.
    #[must_use]
    pub const fn is_unused(&self) -> bool {
        self.is_open() && self.used.count == 0
    }

    /// True if somebody tried where nobody may, as far as is known.
    #[must_use]
    pub const fn is_attempted(&self) -> bool {
        !self.is_open() && self.refused.count > 0
    }
}

impl Segments {
    /// How many pairs were not decided: left out because there are too many, or because
    /// nobody can say any more.
    #[must_use]
    pub fn undecided(&self) -> u64 {
        let decided = self.cells.iter().map(|it| it.allowed + it.conditional + it.denied);
        self.pairs.saturating_sub(decided.sum())
    }

    /// The report on a World, from the matrix of its pairs and the entries of the window
    /// that begins at `since`, each of which `look` shows once, oldest first. Costs what the
    /// matrix costs, twice if it is held against another; and a look at each entry, of which
    /// none is kept. Run it on a large stack.
    ///
    /// # Errors
    /// [`NoMatrix`]: nothing to decide by, or no segments. What `look` says.
    pub fn survey<E: From<NoMatrix>>(
        ground: &Ground,
        since: Moment,
        bounds: Bounds,
        look: impl FnOnce(&mut dyn FnMut(&Envelope)) -> Result<(), E>,
    ) -> Result<Self, E> {
        let (world, as_of) = (&ground.world, ground.as_of);
        let matrix = Matrix::of(world, as_of.time, bounds, &ground.go_on)?;
        let mut traffic = Traffic::new(world)?;
        look(&mut |entry| traffic.see(entry))?;
        let difference = match &ground.before {
            Some(before) => {
                let earlier = Matrix::of(&before.world, before.time, bounds, &ground.go_on)?;
                Some(Difference::between(&earlier, &matrix, before.what.as_str()))
            }
            None => None,
        };
        let window = Window { since, until: as_of.time, decisions: traffic.decisions() };
        let (pairs, tried, decisions) = (matrix.pairs, matrix.tried, matrix.decisions);
        let compiled = matrix::ground(world)?;
        Ok(Self {
            as_of,
            policies: ground.policies(),
            draft: ground.draft,
            window,
            pairs,
            tried,
            decisions,
            segments: traffic.places().segments(),
            cells: cells(&matrix, &traffic, compiled),
            coverage: Coverage::of(world, compiled, traffic.places()),
            difference,
        })
    }
}

/// Every cell with a pair in it, or with traffic.
fn cells(matrix: &Matrix, traffic: &Traffic<'_>, compiled: &Compiled) -> Vec<Cell> {
    let keys: BTreeSet<&Key> = matrix.cells.keys().chain(traffic.keys()).collect();
    let none = (Tally::default(), Flow::default());
    let cell = |key: &Key| {
        let tally = matrix.cells.get(key).unwrap_or(&none.0);
        cell(key, tally, traffic.flow(key).unwrap_or(&none.1), compiled)
    };
    keys.into_iter().map(cell).collect()
}

fn cell((action, from, to): &Key, tally: &Tally, flow: &Flow, compiled: &Compiled) -> Cell {
    let source = |(policy, pairs): (&PolicyId, &u64)| Source {
        policy: policy.clone(),
        pairs: *pairs,
        used: flow.by.get(policy).cloned().unwrap_or_default(),
    };
    let mut conditions: Vec<_> = tally.needs.iter().map(|it| condition(it, compiled)).collect();
    conditions.sort_by_key(|it| std::cmp::Reverse(it.pairs));
    Cell {
        action: action.clone(),
        from: from.clone(),
        to: to.clone(),
        verdict: CellVerdict::of(tally),
        pairs: tally.pairs,
        allowed: tally.counted(Class::Allow),
        conditional: tally.counted(Class::Conditional),
        denied: tally.counted(Class::Deny),
        unknown: tally.unknown,
        by: tally.by.iter().map(source).collect(),
        barred_by: tally.barred_by.keys().cloned().collect(),
        conditions,
        used: flow.used.clone(),
        refused: flow.refused.clone(),
        attempts: flow.attempts(),
        used_by_others: flow.uses_of_others,
        attempts_of_others: flow.attempts_of_others,
    }
}

fn condition(
    (need, (pairs, asked_by)): (&Need, &(u64, BTreeSet<PolicyId>)),
    compiled: &Compiled,
) -> Condition {
    let says = |policy| compiled.policies.annotation(policy, "description").map(str::to_owned);
    Condition {
        need: need.clone(),
        says: need.to_string(),
        pairs: *pairs,
        asked_by: asked_by.iter().cloned().collect(),
        because: asked_by.iter().filter_map(says).collect(),
    }
}
