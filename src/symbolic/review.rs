//! One set by itself: which of its policies change nothing, and which may err.
//!
//! A permit is needed if in some environment some request is denied without it. A forbid
//! is needed if some request that it forbids is forbidden by no other, whether or not
//! anything permits it: a wall is needed before the road that it stands across. Only of
//! those that are not needed it is then asked why.
//!
//! First a request is looked for to which the policy applies, which takes a small formula:
//! mostly no other applies to it, and all is said. Only else the whole set is asked about.

use std::collections::BTreeMap;

use cedar_policy_symcc::{Env, implies_asserts, never_matches_asserts};

use super::analyst::Analyst;
use super::reason;
use super::session::Found;
use super::side::{Place, Side, Stance, both, compiled, compiled_one};
use super::{Example, Finding, Kind};
use crate::cedar::{Assumption, Effect, Instance, Matched, Statement};
use crate::model::PolicyId;

/// What is told of an example that is none when it is looked at.
const NO_EXAMPLE: &str = "the solver's example is none";

/// What is known of each policy so far.
pub(super) struct Review {
    policies: BTreeMap<PolicyId, Known>,
    /// Each environment with how the set stands in it.
    places: Vec<(Place, Stance)>,
}

struct Known {
    effect: Effect,
    /// True once it is needed, or nobody knows whether it is.
    settled: bool,
    erred: Option<Example>,
    /// Where it can apply, by the place's number, with what each statement there says of a
    /// request to which it applies.
    live: Vec<(usize, Vec<Matched>)>,
}

/// An environment in which a policy can apply, though it is not needed there.
pub(super) struct Live<'a> {
    pub(super) place: &'a Place,
    pub(super) stance: &'a Stance,
    /// What each statement of the stance says of a request to which the policy applies.
    pub(super) matched: &'a [Matched],
}

impl Review {
    /// Nothing is known yet.
    pub(super) fn of(side: &Side<'_>) -> Self {
        let known = |statement: &Statement| {
            let effect = statement.effect;
            let known = Known { effect, settled: false, erred: None, live: Vec::new() };
            (statement.id.clone(), known)
        };
        Self { policies: side.statements.iter().map(known).collect(), places: Vec::new() }
    }

    /// True if it is known that the policy may err.
    pub(super) fn has_erred(&self, id: &PolicyId) -> bool {
        self.policies.get(id).is_some_and(|known| known.erred.is_some())
    }

    /// Keeps an example of an error.
    pub(super) fn erred(
        &mut self,
        analyst: &Analyst<'_>,
        statement: &Statement,
        assumed: &Assumption,
        found: &Env,
    ) {
        let Some(known) = self.policies.get_mut(&statement.id) else { return };
        let errs = |instance: &Instance| {
            let answer = analyst.new.answer(instance);
            answer.is_some_and(|answer| answer.errors.contains(&statement.id))
        };
        if known.erred.is_none() {
            known.erred = analyst.example(found, assumed, errs);
        }
    }

    /// Finds out which of the policies are needed in one environment. Gives back what each
    /// statement says of the requests that were looked at.
    pub(super) async fn step(
        &mut self,
        analyst: &mut Analyst<'_>,
        place: &Place,
        stance: &Stance,
    ) -> Vec<Vec<Matched>> {
        let (found, most) = (stance.statements.len(), analyst.bounds.policies);
        if found > most {
            let why = format!("{found} policies can apply here; at most {most} are looked at");
            analyst.note(place, "is each policy needed?", &why);
            stance.statements.iter().for_each(|statement| self.settle(&statement.id));
            return Vec::new();
        }
        let mut seen: Vec<Vec<Matched>> = Vec::new();
        for (at, statement) in stance.statements.iter().enumerate() {
            let settled = self.policies.get(&statement.id).is_none_or(|known| known.settled);
            if settled || seen.iter().any(|matched| is_alone(stance, at, matched)) {
                self.settle(&statement.id);
                continue;
            }
            match is_needed(analyst, place, stance, at).await {
                Needed::Cannot => {}
                Needed::Not(matched) => {
                    self.live(&statement.id, matched.clone());
                    seen.push(matched);
                }
                Needed::Unknown => self.settle(&statement.id),
                Needed::For(matched) => {
                    self.settle(&statement.id);
                    seen.push(matched);
                }
            }
        }
        seen
    }

    /// Keeps how the set stands in an environment, once it was looked at.
    pub(super) fn keep(&mut self, place: &Place, stance: Stance) {
        self.places.push((place.clone(), stance));
    }

    fn live(&mut self, id: &PolicyId, matched: Vec<Matched>) {
        if let Some(known) = self.policies.get_mut(id) {
            known.live.push((self.places.len(), matched));
        }
    }

    fn settle(&mut self, id: &PolicyId) {
        if let Some(known) = self.policies.get_mut(id) {
            known.settled = true;
        }
    }

    /// What is wrong or doubtful, in order of the policies.
    pub(super) async fn findings(mut self, analyst: &mut Analyst<'_>) -> Vec<Finding> {
        let policies = std::mem::take(&mut self.policies);
        let mut findings = Vec::new();
        for (policy, known) in policies {
            let Known { effect, settled, erred, live } = known;
            // Where environments were left out, nobody knows what it is needed for.
            if !settled && !analyst.left_out_any() {
                let live: Vec<_> = live.iter().filter_map(|at| self.live_in(at)).collect();
                let reason = match live.as_slice() {
                    [] => Some((Kind::NeverApplies, Vec::new())),
                    live => reason::of(analyst, &policy, effect, live).await,
                };
                findings.extend(reason.map(|(kind, by)| {
                    let policy = policy.clone();
                    Finding { kind, policy, effect, by, example: None }
                }));
            }
            findings.extend(erred.map(|example| {
                let (kind, by) = (Kind::MayErr, Vec::new());
                Finding { kind, policy, effect, by, example: Some(example) }
            }));
        }
        findings
    }

    fn live_in<'a>(&'a self, (at, matched): &'a (usize, Vec<Matched>)) -> Option<Live<'a>> {
        let (place, stance) = self.places.get(*at)?;
        Some(Live { place, stance, matched })
    }
}

/// Whether a policy is needed in an environment; with what each statement there says of a
/// request to which it applies.
enum Needed {
    /// It cannot apply there.
    Cannot,
    /// It can, and is not needed.
    Not(Vec<Matched>),
    /// It is, for this request.
    For(Vec<Matched>),
    Unknown,
}

async fn is_needed(analyst: &mut Analyst<'_>, place: &Place, stance: &Stance, at: usize) -> Needed {
    let Some(own) = stance.statements.get(at) else { return Needed::Cannot };
    let compiled = compiled_one(own, place, &analyst.schema);
    let question = format!("does `{}` ever apply?", own.id);
    let asserts = compiled.as_ref().map(never_matches_asserts);
    let found = analyst.ask(place, &question, asserts).await;
    let applied = match found {
        Found::Nothing => return Needed::Cannot,
        Found::Unknown(_) => return Needed::Unknown,
        Found::This(_) => analyst.matched(stance, &found),
    };
    let applies = |matched: &Vec<Matched>| matched.get(at) == Some(&Matched::Yes);
    let Some(applied) = applied.filter(applies) else {
        analyst.note(place, &question, NO_EXAMPLE);
        return Needed::Unknown;
    };
    if is_alone(stance, at, &applied) {
        return Needed::For(applied);
    }
    let found = needed(analyst, place, stance, at).await;
    match found {
        Found::Nothing => Needed::Not(applied),
        Found::Unknown(_) => Needed::Unknown,
        Found::This(_) => match analyst.matched(stance, &found) {
            Some(matched) if is_alone(stance, at, &matched) => Needed::For(matched),
            _ => {
                analyst.note(place, &format!("is `{}` needed?", own.id), NO_EXAMPLE);
                Needed::Unknown
            }
        },
    }
}

/// Asks for a request on which the statement alone decides.
async fn needed(analyst: &mut Analyst<'_>, place: &Place, stance: &Stance, at: usize) -> Found {
    let Some(own) = stance.statements.get(at) else { return Found::Nothing };
    let question = format!("is `{}` needed?", own.id);
    let without = |all: &[Statement]| -> Vec<Statement> {
        all.iter().filter(|one| one.id != own.id).cloned().collect()
    };
    let (wide, narrow) = match own.effect {
        Effect::Permit => {
            let whole = stance.whole();
            let without = without(&whole);
            (whole, without)
        }
        Effect::Forbid => {
            let mut whole: Vec<_> = stance.of(Effect::Forbid).cloned().collect();
            let mut others = without(&whole);
            whole.push(own.permitting_all());
            others.push(own.permitting_all());
            (others, whole)
        }
    };
    let sets = [wide, narrow].map(|set| compiled(&set, place, &analyst.schema));
    let asserts = both(sets.each_ref()).map(|[wide, narrow]| implies_asserts(wide, narrow));
    analyst.ask(place, &question, asserts).await
}

/// True if of its kind only this statement applies, and for a permit no forbid does.
fn is_alone(stance: &Stance, at: usize, matched: &[Matched]) -> bool {
    let Some(effect) = stance.statements.get(at).map(|one| one.effect) else { return false };
    let each = stance.statements.iter().zip(matched).enumerate();
    each.into_iter().all(|(index, (statement, matched))| {
        let applies = *matched == Matched::Yes;
        match (effect, statement.effect) {
            _ if index == at => applies,
            (Effect::Forbid, Effect::Permit) => true,
            (Effect::Permit, Effect::Forbid) => !stance.forbids(statement, *matched),
            _ => !applies,
        }
    })
}
