//! Why a policy changes nothing, though it can apply.

use cedar_policy_symcc::{always_denies_asserts, implies_asserts, matches_implies_asserts};

use super::Kind;
use super::analyst::Analyst;
use super::review::Live;
use super::session::Found;
use super::side::{Stance, both, compiled, compiled_one};
use crate::cedar::{Effect, Matched, Statement};
use crate::model::PolicyId;

/// The most policies that are tried as the reason for another.
const CANDIDATES_MAX: usize = 50;

/// Why the policy changes nothing in these environments, and which policies are the reason,
/// each by itself. Nothing if the solver does not say.
pub(super) async fn of(
    analyst: &mut Analyst<'_>,
    id: &PolicyId,
    effect: Effect,
    live: &[Live<'_>],
) -> Option<(Kind, Vec<PolicyId>)> {
    let kind = match effect {
        Effect::Forbid => Kind::Shadowed,
        Effect::Permit if is_overridden(analyst, id, live).await? => Kind::Overridden,
        Effect::Permit => Kind::Redundant,
    };
    let mut by = Vec::new();
    for other in candidates(id, kind, live) {
        let mut covers = true;
        for at in live {
            covers = covers && is_covered(analyst, kind, at, id, &other).await == Some(true);
        }
        if covers {
            by.push(other);
        }
    }
    Some((kind, by))
}

/// The policies that may be the reason: those that apply to the examples, too.
fn candidates(id: &PolicyId, kind: Kind, live: &[Live<'_>]) -> Vec<PolicyId> {
    let effect = if kind == Kind::Redundant { Effect::Permit } else { Effect::Forbid };
    let Some(first) = live.first() else { return Vec::new() };
    let all = first.stance.of(effect).map(|statement| &statement.id).filter(|other| *other != id);
    let applies = |other: &PolicyId| live.iter().all(|at| may_cover(at, kind, other));
    all.filter(|other| applies(other)).take(CANDIDATES_MAX).cloned().collect()
}

fn may_cover(at: &Live<'_>, kind: Kind, other: &PolicyId) -> bool {
    let mut each = at.stance.statements.iter().zip(at.matched);
    let is_forbidden = |(one, matched): (&Statement, &Matched)| {
        one.effect == Effect::Forbid && *matched != Matched::No
    };
    if kind == Kind::Redundant && each.clone().any(is_forbidden) {
        return true;
    }
    each.any(|(one, matched)| one.id == *other && *matched == Matched::Yes)
}

async fn is_overridden(
    analyst: &mut Analyst<'_>,
    id: &PolicyId,
    live: &[Live<'_>],
) -> Option<bool> {
    for Live { place, stance, .. } in live {
        let set = compiled(&with_forbids(stance, id), place, &analyst.schema);
        let question = format!("is all that `{id}` permits forbidden?");
        match analyst.ask(place, &question, set.as_ref().map(always_denies_asserts)).await {
            Found::Nothing => {}
            Found::This(_) => return Some(false),
            Found::Unknown(_) => return None,
        }
    }
    Some(true)
}

/// Whether the other applies wherever the policy does; for permits, wherever no forbid
/// does.
async fn is_covered(
    analyst: &mut Analyst<'_>,
    kind: Kind,
    at: &Live<'_>,
    id: &PolicyId,
    other: &PolicyId,
) -> Option<bool> {
    let Live { place, stance, .. } = at;
    let question = format!("does `{other}` apply wherever `{id}` does?");
    let found = if kind == Kind::Redundant {
        let sets = [id, other]
            .map(|permit| compiled(&with_forbids(stance, permit), place, &analyst.schema));
        let asserts = both(sets.each_ref()).map(|[narrow, wide]| implies_asserts(narrow, wide));
        analyst.ask(place, &question, asserts).await
    } else {
        let of = |id: &PolicyId| stance.statements.iter().find(|one| one.id == *id);
        let (own, other) = (of(id)?, of(other)?);
        let both_of = [own, other].map(|one| compiled_one(one, place, &analyst.schema));
        let asserts =
            both(both_of.each_ref()).map(|[own, other]| matches_implies_asserts(own, other));
        analyst.ask(place, &question, asserts).await
    };
    match found {
        Found::Nothing => Some(true),
        Found::This(_) => Some(false),
        Found::Unknown(_) => None,
    }
}

/// One permit as it counts, with all forbids; without the permit, if it cannot apply.
fn with_forbids(stance: &Stance, permit: &PolicyId) -> Vec<Statement> {
    let all = stance.whole();
    all.into_iter().filter(|one| one.effect == Effect::Forbid || one.id == *permit).collect()
}
