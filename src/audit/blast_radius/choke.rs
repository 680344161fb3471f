//! The one permit whose removal cuts most.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::report::{Choke, jewels};
use super::spread::{Reached, Spread};
use crate::audit::reach::Assurance;
use crate::cedar::Limits;
use crate::model::{GoOn, Label, Moment, PolicyId, SetKind};
use crate::pap::{Draft, supposed};
use crate::projection::World;

/// How many permits are weighed: those that allow most.
pub(super) const WEIGHED_MAX: usize = 500;
/// How many of them are really left out.
const LEFT_OUT: usize = 3;

/// Weighs the permits that allow most on the way, so many at most: without one, what is
/// allowed by no other falls away, and what is reached over the rest is less. Nothing else
/// can happen, for to take a permit away allows nothing. The few that cut most are then
/// really left out, and all is decided anew. Says how many were not weighed, too. Nothing is
/// said of a spread that was not decided whole.
pub(super) fn choke(
    world: &World,
    then: Moment,
    spread: &Spread,
    assurance: Assurance,
    most: usize,
    go_on: &GoOn,
) -> (Option<Choke>, u64) {
    if !spread.is_whole() {
        return (None, 0);
    }
    let all = spread.reached(|_| true);
    let precious = |reached: &Reached| match world.set(SetKind::Application).compiled() {
        Some(Ok(compiled)) => jewels(world, &compiled.schema, reached.resources.keys()),
        Some(Err(_)) | None => 0,
    };
    let permits = permits(spread);
    let unweighed = permits.len().saturating_sub(most) as u64;
    let mut weighed: Vec<_> = permits
        .into_iter()
        .take(most)
        .take_while(|_| go_on.holds())
        .map(|policy| {
            let left = spread.reached(|edge| edge.survives(&policy));
            (left.resources.len(), precious(&left), policy)
        })
        .collect();
    weighed.sort();
    let anew = weighed.into_iter().take(LEFT_OUT).filter_map(|(_, _, policy)| {
        let without = without(world, &policy)?;
        let Some(Ok(compiled)) = without.set(SetKind::Application).compiled() else { return None };
        let from = (&spread.start, assurance);
        let left = Spread::of(&without, &compiled.schema, then, from, spread.hops, go_on);
        if !left.is_whole() {
            return None;
        }
        let left = left.reached(|_| true);
        let count = left.resources.len();
        let cuts = all.resources.len().saturating_sub(count) as u64;
        let jewels_cut = precious(&all).saturating_sub(precious(&left));
        Some(Choke { policy, left: count as u64, cuts, jewels_cut })
    });
    let found = anew
        .filter(|choke| choke.cuts > 0)
        .min_by_key(|choke| (choke.left, Reverse(choke.jewels_cut), choke.policy.clone()));
    (found, unweighed)
}

/// The permits that allow anything, those that allow most first.
fn permits(spread: &Spread) -> Vec<PolicyId> {
    let mut counts: BTreeMap<&PolicyId, usize> = BTreeMap::new();
    for policy in spread.edges.iter().flat_map(|edge| edge.way.by.iter().flatten()) {
        *counts.entry(policy).or_default() += 1;
    }
    let mut all: Vec<_> = counts.into_iter().collect();
    all.sort_by_key(|(policy, count)| (Reverse(*count), *policy));
    all.into_iter().map(|(policy, _)| policy.clone()).collect()
}

/// The World without one of its policies.
fn without(world: &World, policy: &PolicyId) -> Option<World> {
    let sources = world.set(SetKind::Application).sources();
    let policies = sources.filter(|source| source.id != *policy).cloned().collect();
    let (set, message) = (SetKind::Application, Label::default());
    let draft = Draft { set, schema: None, policies: Some(policies), message };
    Some(world.supposing(supposed(world, &draft, &Limits::default()).ok()?))
}
