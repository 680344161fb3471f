//! Whether all requests of an environment get the same answer.

use cedar_policy_symcc::{
    always_allows_asserts, always_denies_asserts, always_matches_asserts, never_matches_asserts,
};

use super::Always;
use super::analyst::Analyst;
use super::session::Found;
use super::side::{Place, Stance, compiled, compiled_one};
use crate::cedar::{Effect, Matched};

/// Finds it out. `seen` is what each statement says of some requests: mostly one of them is
/// allowed and one denied, and the whole set need not be asked about.
pub(super) async fn of(
    analyst: &mut Analyst<'_>,
    place: &Place,
    stance: &Stance,
    mut seen: Vec<Vec<Matched>>,
) -> Option<Always> {
    let Some(permit) = stance.of(Effect::Permit).next() else { return Some(Always::Denied) };
    let compiled_permit = compiled_one(permit, place, &analyst.schema);
    let is = |seen: &[Vec<Matched>], allowed: bool| {
        seen.iter().any(|matched| stance.allows(matched) == allowed)
    };
    if !is(&seen, true) {
        let asserts = compiled_permit.as_ref().map(never_matches_asserts);
        let found = analyst.ask(place, "does a permit apply?", asserts).await;
        seen.extend(analyst.matched(stance, &found));
    }
    if !is(&seen, false) {
        let asserts = compiled_permit.as_ref().map(always_matches_asserts);
        let found = analyst.ask(place, "does a permit not apply?", asserts).await;
        seen.extend(analyst.matched(stance, &found));
    }
    let (some_allowed, some_denied) = (is(&seen, true), is(&seen, false));
    if some_allowed && some_denied {
        return None;
    }
    let set = compiled(&stance.whole(), place, &analyst.schema);
    if !some_allowed {
        let asserts = set.as_ref().map(always_denies_asserts);
        match analyst.ask(place, "is everything denied?", asserts).await {
            Found::Nothing => return Some(Always::Denied),
            Found::Unknown(_) => return None,
            Found::This(_) => {}
        }
    }
    if some_denied {
        return None;
    }
    let asserts = set.as_ref().map(always_allows_asserts);
    let found = analyst.ask(place, "is everything allowed?", asserts).await;
    matches!(found, Found::Nothing).then_some(Always::Allowed)
}
