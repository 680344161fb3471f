//! The same question, decided by Cedar's own authorizer as well.

use std::collections::BTreeSet;

use super::Ask;
use super::decide::{Way, recordable};
use crate::event::{AccessDecided, PolicyIndexDoubted};
use crate::model::{BUILD, Moment, PolicyId};
use crate::projection::World;

/// How many policies a doubt names; one is enough to find the cause.
const DIFFERING_MAX: usize = 32;

/// Decides again without the index of policies and holds the two decisions against each
/// other: whatever is recorded of them must be the same. Linear in the policies in force,
/// 1 to 2 µs each, so ask it of a sample. Nothing to say where the index is not used.
///
/// `decided` must be what [`decide`](super::decide) gave in the same World for the same
/// question and time, nothing of it sealed yet.
#[must_use]
pub fn doubt(
    world: &World,
    ask: &Ask,
    now: Moment,
    decided: &AccessDecided,
) -> Option<PolicyIndexDoubted> {
    if world.index_doubts.current().is_some() {
        return None;
    }
    let by_cedar = recordable(world, ask, now, Way::Each).decided;
    (*by_cedar != *decided).then(|| {
        let (ours, cedars) = (named(decided), named(&by_cedar));
        let differing = ours.symmetric_difference(&cedars).take(DIFFERING_MAX);
        PolicyIndexDoubted {
            set: ask.set,
            policies: decided.policies,
            build: BUILD.to_owned(),
            differing: differing.map(|id| (*id).clone()).collect(),
        }
    })
}

fn named(decided: &AccessDecided) -> BTreeSet<&PolicyId> {
    let errors = decided.errors.iter().map(|failure| &failure.policy);
    decided.determining.iter().chain(errors).collect()
}
