//! What became of policies and their clauses, for who counts what tests reach.

use super::Ask;
use super::decide::{Posed, named, posed, undecided};
use super::personal::Gaps;
use crate::cedar::PolicyWeighed;
use crate::event::{SessionFacts, SessionUsed};
use crate::model::Moment;
use crate::projection::World;

/// The policies in whose scope this question is, each held against it as when
/// [`decide`](super::decide), or [`decide_if`](super::decide_if) with a session, decided it.
/// Nothing if no policy was asked. Costs two or three evaluations of each and a look at the
/// scope of all; needs the stack of a decision.
#[must_use]
pub fn weighed(
    world: &World,
    ask: &Ask,
    now: Moment,
    session: Option<&SessionFacts>,
) -> Option<Vec<PolicyWeighed>> {
    let mut decided = undecided(world, ask, now);
    decided.session = session.map(|facts| SessionUsed::InForce(facts.clone()));
    let names = named(world, ask).ok()?;
    let asked = posed(world, ask, &names, &Gaps::default(), &mut decided).ok()?;
    let Posed { compiled, question, entities } = asked;
    let question = question.ok()?;
    let near = compiled.policies.near(&question, &entities);
    let in_scope = near.iter().filter(|it| it.but_for.is_none()).map(|it| &it.policy);
    Some(compiled.policies.weigh(&question, &entities, in_scope))
}
