//! What the clauses of policies were, for who counts what tests reach.

use super::Ask;
use super::decide::{Posed, named, posed, undecided};
use super::personal::Gaps;
use crate::cedar::Truth;
use crate::event::{SessionFacts, SessionUsed};
use crate::model::{Moment, PolicyId};
use crate::projection::World;

/// What each clause of each policy was when [`decide`](super::decide), or
/// [`decide_if`](super::decide_if) with a session, decided this question, in the
/// order of [`CompiledPolicies::clauses`](crate::cedar::CompiledPolicies::clauses). Nothing
/// if no policy was asked. Costs an evaluation of each policy; needs the stack of a decision.
#[must_use]
pub fn truths(
    world: &World,
    ask: &Ask,
    now: Moment,
    session: Option<&SessionFacts>,
) -> Vec<(PolicyId, Vec<Truth>)> {
    let mut decided = undecided(world, ask, now);
    decided.session = session.map(|facts| SessionUsed::InForce(facts.clone()));
    let Ok(names) = named(world, ask) else { return Vec::new() };
    match posed(world, ask, &names, &Gaps::default(), &mut decided) {
        Ok(Posed { compiled, question: Ok(question), entities }) => {
            compiled.policies.truths(&question, &entities)
        }
        _ => Vec::new(),
    }
}
