//! Two sets side by side in one environment.
//!
//! What both sets have in common is left out of the question at first, in such a way that
//! whoever differs with it differs without it: a set that allows what the other denies does
//! so by a permit of its own, or because a forbid of the other's is missing. If an example
//! of the smaller question turns out to be none, what stood against it is put in, and it is
//! asked again. So a small change to a large set is a small question.

use std::collections::BTreeSet;

use cedar_policy_symcc::implies_asserts;

use super::analyst::Analyst;
use super::session::Found;
use super::side::{Place, Stance, both, compiled};
use super::{Environment, Example, Verdict};
use crate::cedar::{Assumption, Effect, Instance, Matched, Statement};
use crate::model::PolicyId;

/// How often a question is asked anew with more of what both sets have in common, before it
/// is asked with all of it.
const ROUNDS_MAX: usize = 8;

impl Environment {
    pub(super) fn of(place: &Place, policies: usize) -> Self {
        Self {
            principal: place.principal.clone(),
            action: place.action.clone(),
            resource: place.resource.clone(),
            policies,
            always: None,
            verdict: None,
            newly_allowed: None,
            newly_denied: None,
        }
    }
}

/// Which of the two allows what the other denies.
#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Allowed,
    Denied,
}

/// What one direction came to.
enum Difference {
    None,
    Some(Box<Example>),
    Unknown,
}

/// Finds out how the new set stands to the old one, with an example for each direction.
pub(super) async fn compare(
    analyst: &mut Analyst<'_>,
    place: &Place,
    assumed: &Assumption,
    [new, old]: [&Stance; 2],
    environment: &mut Environment,
) {
    let more = difference(analyst, place, assumed, [new, old], Direction::Allowed).await;
    let less = difference(analyst, place, assumed, [old, new], Direction::Denied).await;
    environment.verdict = Some(match (&more, &less) {
        (Difference::Unknown, _) | (_, Difference::Unknown) => Verdict::Undecided,
        (Difference::None, Difference::None) => Verdict::Equivalent,
        (Difference::None, Difference::Some(_)) => Verdict::Stricter,
        (Difference::Some(_), Difference::None) => Verdict::MorePermissive,
        (Difference::Some(_), Difference::Some(_)) => Verdict::Incomparable,
    });
    let example = |difference| match difference {
        Difference::Some(example) => Some(*example),
        Difference::None | Difference::Unknown => None,
    };
    environment.newly_allowed = example(more);
    environment.newly_denied = example(less);
}

/// Looks for a request that the first set allows and the second denies.
async fn difference(
    analyst: &mut Analyst<'_>,
    place: &Place,
    assumed: &Assumption,
    [wide, narrow]: [&Stance; 2],
    direction: Direction,
) -> Difference {
    let question = match direction {
        Direction::Allowed => "is anything newly allowed?",
        Direction::Denied => "is anything newly denied?",
    };
    let common = common(wide, narrow);
    let mut kept = BTreeSet::new();
    for round in 0.. {
        let Some(sets) = question_of([wide, narrow], &common, &kept) else {
            return Difference::None;
        };
        let sets = sets.map(|set| compiled(&set, place, &analyst.schema));
        let asserts = both(sets.each_ref()).map(|[wide, narrow]| implies_asserts(wide, narrow));
        let found = match analyst.ask(place, question, asserts).await {
            Found::Nothing => return Difference::None,
            Found::Unknown(_) => return Difference::Unknown,
            Found::This(found) => found,
        };
        let wanted = direction == Direction::Allowed;
        let differs = |instance: &Instance| {
            let old = analyst.old.as_ref().and_then(|old| old.answer(instance));
            let answers = analyst.new.answer(instance).zip(old);
            answers.is_some_and(|(new, old)| new.allowed == wanted && old.allowed != wanted)
        };
        let Some(example) = analyst.example(&found, assumed, differs) else {
            analyst.note(place, question, "the solver's example has a name that cannot be one");
            return Difference::Unknown;
        };
        if example.confirmed || kept.len() == common.len() {
            return Difference::Some(Box::new(example));
        }
        let instance = analyst.declared.instance(&found.request, &found.entities);
        let matched = instance.and_then(|instance| instance.matches(&wide.statements));
        let before = kept.len();
        if round < ROUNDS_MAX {
            let each = wide.statements.iter().zip(matched.into_iter().flatten());
            let applying = each.filter(|(_, matched)| *matched != Matched::No);
            let applying = applying.map(|(statement, _)| &statement.id);
            kept.extend(applying.filter(|id| common.contains(*id)).cloned());
        }
        if kept.len() == before {
            kept.clone_from(&common);
        }
    }
    Difference::Unknown
}

/// The statements that both have.
fn common(one: &Stance, other: &Stance) -> BTreeSet<PolicyId> {
    let same = |statement: &&Statement| other.statements.contains(statement);
    one.statements.iter().filter(same).map(|statement| statement.id.clone()).collect()
}

/// Two sets, of which the first allows something that the second denies wherever that is so
/// of the whole ones; of what they have in common they have no more than what is kept.
/// Nothing, if it cannot be so.
fn question_of(
    [wide, narrow]: [&Stance; 2],
    common: &BTreeSet<PolicyId>,
    kept: &BTreeSet<PolicyId>,
) -> Option<[Vec<Statement>; 2]> {
    let own = |stance: &Stance, effect: Effect| {
        stance.of(effect).any(|statement| !common.contains(&statement.id))
    };
    let lacks_forbid = own(narrow, Effect::Forbid);
    if !own(wide, Effect::Permit) && !lacks_forbid {
        return None;
    }
    let counts =
        |statement: &Statement| !common.contains(&statement.id) || kept.contains(&statement.id);
    let [mut wide_part, narrow_part] = [wide, narrow].map(|stance| stance.part(counts));
    // What a permit left out allows, the other may forbid by a forbid of its own.
    let mut left_out = wide.of(Effect::Permit).filter(|statement| !counts(statement));
    if let (true, Some(permit)) = (lacks_forbid, left_out.next()) {
        wide_part.statements.push(permit.permitting_all());
    }
    Some([wide_part.whole(), narrow_part.whole()])
}
