//! The same question, decided by the staged policies beside those in force.

use super::decide::{Way, concluded};
use super::{Again, Ask, Gaps, bounded};
use crate::event::{AccessDecided, Note, Shadow};
use crate::model::{Moment, PolicyId, SetKind};
use crate::projection::{PolicySetState, World};

/// The most bytes that each list of a shadow may take as JSON.
const LIST_BYTES_MAX: usize = 1_024;

/// The World with the staged policies in place of those in force; none if nothing is staged.
pub(super) fn staged(world: &World) -> Option<World> {
    world.staged().map(|staged| world.supposing(staged.clone()))
}

/// False if the staged policies decided once, and do not compile with this build.
pub(super) fn compiles(world: &World, recorded: &AccessDecided) -> bool {
    let noted = recorded.shadow.as_ref().and_then(|shadow| shadow.note);
    let compiled = world.staged().and_then(PolicySetState::compiled);
    noted == Some(Note::NoPolicies) || !matches!(compiled, Some(Err(_)))
}

/// Decides a question by the staged policies as well, and puts that beside the decision,
/// which it does not touch. Costs a decision more, and nothing where nothing is staged.
pub(super) fn beside(
    world: &World,
    ask: &Ask,
    now: Moment,
    gaps: &Gaps,
    way: Way,
    again: &mut Again,
) {
    let Some(version) = world.versions.staged() else { return };
    let (SetKind::Application, Some(staged)) = (ask.set, staged(world)) else { return };
    let taken = concluded(&staged, ask, now, gaps, way, None);
    let decided = *taken.decided;
    let erred = decided.errors.into_iter().map(|error| error.policy).collect();
    let listed = |ids: Vec<PolicyId>| bounded::fitting_in(LIST_BYTES_MAX, ids);
    let ((determining, less), (errors, fewer)) = (listed(decided.determining), listed(erred));
    again.decided.shadow = Some(Shadow {
        version: version.digest,
        decision: decided.decision,
        determining,
        errors,
        omitted: less + fewer,
        note: decided.note,
    });
    again.shadow_repeats = taken.rests_on.is_empty();
    again.looked_for.extend(&taken.looked_for);
}
