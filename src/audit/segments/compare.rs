//! What two matrices have different.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::matrix::{Class, Key, Matrix, Tally};
use super::place::Place;
use super::report::CellVerdict;
use crate::model::Uid;

/// How many pairs of a cell are named, of each kind.
const NAMED_MAX: usize = 3;

/// What is otherwise than it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Since when, or than what, in words.
    pub from: String,
    /// How many pairs may now what they might not.
    pub gained: u64,
    /// How many may no more.
    pub lost: u64,
    /// How many may now whatever is shown, where something had to be so.
    pub eased: u64,
    /// How many may now only if something is so.
    pub tightened: u64,
    /// How many pairs are not compared, for here or there they were not decided.
    #[serde(default, skip_serializing_if = "crate::audit::report::is_zero")]
    pub undecided: u64,
    /// The cells in which anything is otherwise.
    pub cells: Vec<Moved>,
}

/// One cell in which something is otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// What is done.
    pub action: Uid,
    /// By those who stand here.
    pub from: Place,
    /// To what stands here.
    pub to: Place,
    /// What it came to; nothing if there was no such pair.
    pub before: Option<CellVerdict>,
    /// What it comes to.
    pub after: Option<CellVerdict>,
    /// How many pairs may now what they might not.
    pub gained: u64,
    /// How many may no more.
    pub lost: u64,
    /// How many may now whatever is shown.
    pub eased: u64,
    /// How many may now only if something is so.
    pub tightened: u64,
    /// The first of those that changed.
    pub such_as: Vec<(Uid, Uid)>,
}

impl Difference {
    /// From one matrix to another; `from` says what the first one is of.
    #[must_use]
    pub fn between(before: &Matrix, after: &Matrix, from: impl Into<String>) -> Self {
        let mut found = Self { from: from.into(), ..Self::default() };
        let keys: BTreeSet<&Key> = before.cells.keys().chain(after.cells.keys()).collect();
        for key in keys {
            let (moved, undecided) = moved(key, before.cells.get(key), after.cells.get(key));
            found.undecided += undecided;
            if moved.gained + moved.lost + moved.eased + moved.tightened > 0 {
                found.gained += moved.gained;
                found.lost += moved.lost;
                found.eased += moved.eased;
                found.tightened += moved.tightened;
                found.cells.push(moved);
            }
        }
        found
    }
}

/// What is otherwise in a cell, and how many of its pairs are not compared.
fn moved(key: &Key, before: Option<&Tally>, after: Option<&Tally>) -> (Moved, u64) {
    let (action, from, to) = key.clone();
    let verdict = |tally: Option<&Tally>| tally.map(CellVerdict::of);
    let mut moved = Moved {
        action,
        from,
        to,
        before: verdict(before),
        after: verdict(after),
        gained: 0,
        lost: 0,
        eased: 0,
        tightened: 0,
        such_as: Vec::new(),
    };
    let (none, mut undecided) = (Tally::default(), 0);
    let (old, new) = (before.unwrap_or(&none), after.unwrap_or(&none));
    let pairs: BTreeSet<_> = old.each.keys().chain(new.each.keys()).collect();
    for pair in pairs {
        let (Some(was), Some(is)) = (old.class(pair), new.class(pair)) else {
            undecided += 1;
            continue;
        };
        match (was, is) {
            _ if was == is => continue,
            (Class::Deny, _) => moved.gained += 1,
            (_, Class::Deny) => moved.lost += 1,
            (Class::Conditional, _) => moved.eased += 1,
            (Class::Allow, _) => moved.tightened += 1,
        }
        if moved.such_as.len() < NAMED_MAX {
            moved.such_as.push(pair.clone());
        }
    }
    (moved, undecided)
}

impl CellVerdict {
    /// What a cell comes to.
    pub(super) fn of(tally: &Tally) -> Self {
        match tally.best() {
            None => Self::Unknown,
            Some(Class::Deny) => Self::Deny,
            Some(Class::Conditional) => Self::Conditional,
            Some(Class::Allow) => Self::Allow,
        }
    }
}
