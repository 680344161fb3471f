//! The World as it was: folded up to an entry of the past.

use super::RecoverError;
use crate::audit::Continuity;
use crate::event::decode;
use crate::event_store::EventStore;
use crate::model::Index;
use crate::projection::World;
use crate::vault::Sealer;

/// Entries and bytes read at a time.
const PAGE: (usize, usize) = (4_096, 8 << 20);

/// Folds a log from where `start` stands up to and including entry `through`; `sealer`
/// opens what is personal before it is folded, as far as its keys are there now. Costs what
/// is between the two. What it gives compiles its policies when first asked: on a large
/// stack, if it is to decide.
///
/// # Errors
/// [`RecoverError`]: what cannot be read, or contradicts the entries before it.
pub fn fold_to(
    store: &dyn EventStore,
    sealer: Option<&Sealer>,
    start: World,
    through: Index,
) -> Result<World, RecoverError> {
    let mut world = start;
    let mut continuity = Continuity::after(&world);
    let mut next = world.through.map_or(Index(0), Index::next);
    let end = through.next();
    while next < end {
        let left = usize::try_from(end.0 - next.0).unwrap_or(usize::MAX);
        let page = store.read(next, PAGE.0.min(left), PAGE.1)?;
        if page.is_empty() {
            return Err(RecoverError::Short { expected: end.0, found: next.0 });
        }
        for (index, bytes) in page {
            let mut entry = decode(index, &bytes)?;
            if let Some(sealer) = sealer {
                let broken = |source| RecoverError::Sealed { index, source };
                sealer.open_event(&mut entry.event).map_err(broken)?;
            }
            continuity.check(&entry)?;
            world.advance(&entry);
            next = index.next();
        }
    }
    Ok(world)
}
