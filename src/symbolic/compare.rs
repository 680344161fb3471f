//! Two sets side by side in one environment.

use cedar_policy_symcc::{
    CompiledPolicySet, always_allows_asserts, always_denies_asserts, implies_asserts,
};

use super::analyst::Analyst;
use super::session::Found;
use super::side::{Place, both};
use super::{Always, Environment, Example, Verdict};
use crate::cedar::{Assumption, Instance};

/// A set as a formula of one environment, or why it is none.
type Compiled = Result<CompiledPolicySet, String>;

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
#[derive(Clone, Copy)]
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
    sets: [&Compiled; 2],
    environment: &mut Environment,
) {
    let more = difference(analyst, place, assumed, sets, Direction::Allowed).await;
    let less = difference(analyst, place, assumed, sets, Direction::Denied).await;
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

async fn difference(
    analyst: &mut Analyst<'_>,
    place: &Place,
    assumed: &Assumption,
    sets: [&Compiled; 2],
    direction: Direction,
) -> Difference {
    let question = match direction {
        Direction::Allowed => "is anything newly allowed?",
        Direction::Denied => "is anything newly denied?",
    };
    let asserts = both(sets).map(|[new, old]| match direction {
        Direction::Allowed => implies_asserts(new, old),
        Direction::Denied => implies_asserts(old, new),
    });
    let found = match analyst.ask(place, question, asserts).await {
        Found::Nothing => return Difference::None,
        Found::Unknown(_) => return Difference::Unknown,
        Found::This(found) => found,
    };
    let wanted = matches!(direction, Direction::Allowed);
    let differs = |instance: &Instance| {
        let old = analyst.old.as_ref().and_then(|old| old.answer(instance));
        let answers = analyst.new.answer(instance).zip(old);
        answers.is_some_and(|(new, old)| new.allowed == wanted && old.allowed != wanted)
    };
    if let Some(example) = analyst.example(&found, assumed, differs) {
        return Difference::Some(Box::new(example));
    }
    analyst.note(place, question, "the solver's example has a name that cannot be one");
    Difference::Unknown
}

/// Finds out whether every request gets the same answer.
pub(super) async fn always(
    analyst: &mut Analyst<'_>,
    place: &Place,
    set: &Compiled,
    environment: &mut Environment,
) {
    let (is_denied, is_allowed) =
        (set.as_ref().map(always_denies_asserts), set.as_ref().map(always_allows_asserts));
    environment.always = match analyst.ask(place, "is everything denied?", is_denied).await {
        Found::Nothing => Some(Always::Denied),
        Found::Unknown(_) => None,
        Found::This(_) => match analyst.ask(place, "is everything allowed?", is_allowed).await {
            Found::Nothing => Some(Always::Allowed),
            Found::This(_) | Found::Unknown(_) => None,
        },
    };
}
