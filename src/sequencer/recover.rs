//! From the stored log back to the World.

use crate::audit::{Continuity, OutOfOrder};
use crate::cedar::Fault;
use crate::event::{BrokenEntry, decode};
use crate::event_store::{EventStore, StoreError};
use crate::model::{Index, SetKind};
use crate::projection::{Artefacts, PolicySetState, World};
use crate::tlog::{TileId, Tree, leaf_hash};
use crate::vault::{Sealer, VaultError};

/// Entries read at a time.
const PAGE_ENTRIES: usize = 4_096;
/// Bytes read at a time.
const PAGE_BYTES: usize = 8 << 20;

/// Why a log could not be folded. The node does not start: nobody knows what the
/// rest of the log would have forbidden.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoverError {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An entry is not an event that this build can read.
    #[error(transparent)]
    Broken(#[from] BrokenEntry),
    /// An entry contradicts those before it.
    #[error(transparent)]
    OutOfOrder(#[from] OutOfOrder),
    /// Something personal cannot be opened though its key is there, or nobody can say
    /// whether it is.
    #[error("entry {index} cannot be opened: {source}")]
    Sealed {
        /// The entry.
        index: Index,
        /// Why not.
        source: VaultError,
    },
    /// The log ends before the store says.
    #[error("the log ends at entry {found}, but the store counts {expected} entries")]
    Short {
        /// The entries counted.
        expected: u64,
        /// The entries found.
        found: u64,
    },
    /// A stored tile is not the hashes of the entries below it.
    #[error("the stored `{tile}` is not there or does not fit the entries: restore the log")]
    OtherTile {
        /// Which.
        tile: TileId,
    },
    /// The policies in force do not compile in this build.
    #[error("the {set} policies in force do not compile in this build", set = .set.as_str())]
    DoesNotCompile {
        /// Whose.
        set: SetKind,
        /// What is wrong with them.
        faults: Vec<Fault>,
    },
    /// No thread with a stack large enough could be had.
    #[error("cannot start the recovery thread: {0}")]
    Thread(String),
}

/// What a log amounts to: its state, and the Merkle tree over its entries.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// The fold of its entries.
    pub world: World,
    /// The tree over their stored bytes.
    pub tree: Tree,
}

/// As [`recover_opened`], with all that is personal left sealed: what an auditor without
/// keys sees. Nothing may be decided by such a World.
///
/// # Errors
/// [`RecoverError`], with the index where that is known.
pub fn recover(
    store: &dyn EventStore,
    artefacts: &Artefacts,
    progress: impl FnMut(u64, u64) + Send,
) -> Result<Log, RecoverError> {
    recover_opened(store, artefacts, None, progress)
}

/// Folds the whole log and makes its policies ready to decide by. Linear in the
/// log; `progress` hears how many entries are done, of how many. `sealer` opens what is
/// personal before it is folded, as far as its keys are there.
///
/// # Errors
/// [`RecoverError`], with the index where that is known.
pub fn recover_opened(
    store: &dyn EventStore,
    artefacts: &Artefacts,
    sealer: Option<&Sealer>,
    progress: impl FnMut(u64, u64) + Send,
) -> Result<Log, RecoverError> {
    let beginning = Log { world: World::new(artefacts.clone()), tree: Tree::default() };
    resume(store, beginning, sealer, progress)
}

/// The same from where `start` stands: a snapshot of this very log, whose World and tree
/// reflect the same entries. Linear in what follows it; what stands before it is not read.
///
/// # Errors
/// [`RecoverError`], as [`recover_opened`].
pub fn resume(
    store: &dyn EventStore,
    start: Log,
    sealer: Option<&Sealer>,
    mut progress: impl FnMut(u64, u64) + Send,
) -> Result<Log, RecoverError> {
    crate::cedar::on_large_stack(move || fold(store, start, sealer, &mut progress))
        .map_err(|fault| RecoverError::Thread(fault.to_string()))?
}

fn fold(
    store: &dyn EventStore,
    start: Log,
    sealer: Option<&Sealer>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Log, RecoverError> {
    let size = store.size();
    let Log { mut world, mut tree } = start;
    let mut tiles = Vec::new();
    let mut continuity = Continuity::after(&world);
    let mut next = world.through.map_or(Index(0), Index::next);
    while next.0 < size {
        let page = store.read(next, PAGE_ENTRIES, PAGE_BYTES)?;
        if page.is_empty() {
            return Err(RecoverError::Short { expected: size, found: next.0 });
        }
        for (index, bytes) in page {
            let mut entry = decode(index, &bytes)?;
            if let Some(sealer) = sealer {
                let broken = |source| RecoverError::Sealed { index, source };
                sealer.open_event(&mut entry.event).map_err(broken)?;
            }
            continuity.check(&entry)?;
            world.advance(&entry);
            tree.append(leaf_hash(&bytes), &mut tiles);
            check_tiles(store, &mut tiles)?;
            next = index.next();
        }
        progress(next.0, size);
    }
    for set in [SetKind::System, SetKind::Application] {
        if let Some(Err(faults)) = world.set(set).compiled() {
            return Err(RecoverError::DoesNotCompile { set, faults: faults.to_vec() });
        }
    }
    // One that this build cannot compile decides nothing anyway, and keeps nobody from it.
    let _staged = world.staged().map(PolicySetState::compiled);
    Ok(Log { world, tree })
}

/// Holds the tiles that an entry has filled against those that were stored with it.
fn check_tiles(
    store: &dyn EventStore,
    filled: &mut Vec<(TileId, Vec<u8>)>,
) -> Result<(), RecoverError> {
    for (tile, hashes) in filled.drain(..) {
        let stored = store.tile(tile)?;
        if stored.is_none_or(|stored| stored != hashes) {
            return Err(RecoverError::OtherTile { tile });
        }
    }
    Ok(())
}
