//! The World as it was: folded up to an entry of the past.

use super::RecoverError;
use crate::audit::Continuity;
use crate::event::{Envelope, decode};
use crate::event_store::EventStore;
use crate::model::Index;
use crate::projection::World;

/// Entries and bytes read at a time.
const PAGE: (usize, usize) = (4_096, 8 << 20);

/// Folds a log from where `start` stands up to and including entry `through`. Costs what
/// is between the two; `see` is shown each entry before it is folded. What it gives
/// compiles its policies when first asked: on a large stack, if it is to decide.
///
/// # Errors
/// [`RecoverError`]: what cannot be read, or contradicts the entries before it.
pub fn fold_to(
    store: &dyn EventStore,
    start: World,
    through: Index,
    mut see: impl FnMut(&Envelope),
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
            let entry = decode(index, &bytes)?;
            continuity.check(&entry)?;
            see(&entry);
            world.advance(&entry);
            next = index.next();
        }
    }
    Ok(world)
}
