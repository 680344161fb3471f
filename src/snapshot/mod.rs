//! Snapshots: the World and the tree's edge as of one entry, so that neither a start nor
//! a look into the past folds the log from its beginning.
//!
//! ```text
//! snapshots/<size>.snapshot    one file: a header in clear, then what it seals
//!
//! countersign-snapshot-v1
//! {"log":…,"size":…,"root":…,"state":…,"code":…}      authenticated, not secret
//! <format ‖ nonce ‖ XChaCha20-Poly1305(edge of the tree ‖ the World as JSON)>
//! ```
//!
//! A snapshot proves nothing and holds nothing that the log does not: all of them may be
//! deleted at any time. One is taken up only if it opens under the key file as a
//! snapshot of this log and this build, if the log's own tiles give its root at its size,
//! and if the World it holds has the digest it names. Otherwise it is removed, and an
//! older one is tried.
//!
//! What that trusts: the key file's owner for what the World was, and the tiles of the
//! entries before it only as far as their root is the one that was sealed with it. Those
//! entries are not read again; that they are still the ones below that root is for
//! `verify` and `replay` to say.

mod file;
mod folder;
mod keeper;
mod spread;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::event::{Event, decode};
use crate::event_store::{EventStore, StoredTiles};
use crate::model::Index;
use crate::projection::{Artefacts, World};
use crate::settings::SnapshotSettings;
use crate::tlog::{Hash, TileNodes, Tree, root_at};
use crate::vault::{KeyFile, Sealer, SnapshotKey};

pub use file::Unfit;
pub use folder::SnapshotError;
pub use keeper::Keeper;

use folder::Folder;

/// The World and the tree after the same entry.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The World.
    pub world: World,
    /// The Merkle tree over the entries it reflects.
    pub tree: Tree,
}

/// The snapshots of one log: files, and in memory the past World looked at last.
pub struct Snapshots {
    folder: Folder,
    key: SnapshotKey,
    log: Uuid,
    sealer: Sealer,
    rules: SnapshotSettings,
    /// The size of the newest that was written or is about to be.
    newest: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How often all has been forgotten.
    era: Era,
    /// The past World that was asked for last.
    last: Option<World>,
}

/// When something was begun: what was begun before everything was forgotten is not kept
/// after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Era(u64);

impl Snapshots {
    /// The snapshots of a log in a folder, made (mode 0700) if it is not there. How many
    /// files are kept there, and what they leave of the disk, is for `rules` to say. What
    /// is personal is sealed in them as it is in the log, and opened with `sealer`.
    ///
    /// # Errors
    /// [`SnapshotError`], if the folder cannot be made or read.
    pub fn at(
        path: &Path,
        key: &KeyFile,
        log: Uuid,
        sealer: Sealer,
        rules: SnapshotSettings,
    ) -> Result<Self, SnapshotError> {
        let folder = Folder::at(path)?;
        folder.remove_unfinished()?;
        let newest = AtomicU64::new(folder.sizes()?.last().copied().unwrap_or(0));
        let (key, state) = (SnapshotKey::of(key), Mutex::default());
        Ok(Self { folder, key, log, sealer, rules, newest, state })
    }

    /// The newest snapshot of at most `size` entries that can be taken up. What cannot is
    /// removed on the way, and so is any that is of more entries than the log has. Costs
    /// reading the World, a few tiles, and up to 255 entries.
    #[must_use]
    pub fn nearest(
        &self,
        store: &dyn EventStore,
        size: u64,
        artefacts: &Artefacts,
    ) -> Option<Snapshot> {
        let sizes = self.folder.sizes().unwrap_or_default().into_iter().rev();
        let wanted = |found: &u64| *found <= size || *found > store.size();
        sizes.filter(wanted).find_map(|found| match self.take_up(store, found, artefacts) {
            Ok(snapshot) => Some(snapshot),
            Err(unfit) => {
                tracing::warn!(size = found, %unfit, "a snapshot is not taken up");
                self.folder.remove(found);
                None
            }
        })
    }

    /// The nearest World at or before an entry, without its tree: the one looked at last
    /// or a snapshot's. None if there is none: then the fold begins at the first entry.
    #[must_use]
    pub fn before(&self, store: &dyn EventStore, through: Index) -> Option<World> {
        let size_of = |world: &World| world.through.map_or(0, |through| through.next().0);
        let fits = |world: &World| world.through.is_some_and(|reached| reached <= through);
        let last = self.state().last.clone().filter(fits);
        let known = last.as_ref().map_or(0, size_of);
        let sizes = self.folder.sizes().unwrap_or_default();
        if !sizes.iter().any(|size| (known + 1..=through.next().0).contains(size)) {
            return last;
        }
        let snapshot = self.nearest(store, through.next().0, &Artefacts::default());
        let snapshot = snapshot.map(|snapshot| snapshot.world);
        snapshot.filter(|world| size_of(world) > known).or(last)
    }

    /// Remembers the past World that was looked at last, in place of the one before. Give
    /// the era in which reading it was begun.
    pub fn remember(&self, world: &World, begun: Era) {
        let mut state = self.state();
        if state.era == begun {
            state.last = Some(world.clone());
        }
    }

    /// The era: to be asked before something is begun that is to be kept.
    #[must_use]
    pub fn era(&self) -> Era {
        self.state().era
    }

    /// Writes a snapshot, durably, and removes what is then too many. Linear in the
    /// World; nothing waits for it. `begun` is the era in which the World was taken.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn write(&self, snapshot: &Snapshot, begun: Era) -> Result<(), SnapshotError> {
        let size = snapshot.tree.size();
        let whole = snapshot.world.through.map(|through| through.next().0) == Some(size);
        if self.rules.kept == 0 || !whole {
            return Ok(());
        }
        let bytes = file::sealed(snapshot, self.log, &self.key, self.sealer.entropy())?;
        let draft = self.folder.draft(size, &bytes, self.rules.spare_mib)?;
        {
            // Held until it has its name: whoever forgets now finds it, or it is not there.
            let state = self.state();
            if state.era != begun {
                return Ok(());
            }
            draft.publish()?;
        }
        for superfluous in spread::superfluous(&self.folder.sizes()?, self.rules.kept) {
            self.folder.remove(superfluous);
        }
        tracing::debug!(size, bytes = bytes.len(), "wrote a snapshot");
        Ok(())
    }

    /// Deletes every snapshot, those being written included, and what is remembered in
    /// memory: to be called when something that they hold must be gone.
    ///
    /// # Errors
    /// [`SnapshotError`]: some may still be there; call it again.
    pub fn forget(&self) -> Result<(), SnapshotError> {
        let mut state = self.state();
        state.era.0 += 1;
        state.last = None;
        // So that the next one is due: nothing is left to start from.
        self.newest.store(0, Ordering::Relaxed);
        self.folder.clear()
    }

    /// How many entries the newest snapshot reflects; 0 if there is none.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.folder.sizes().ok().and_then(|sizes| sizes.last().copied()).unwrap_or(0)
    }

    fn take_up(
        &self,
        store: &dyn EventStore,
        size: u64,
        artefacts: &Artefacts,
    ) -> Result<Snapshot, Unfit> {
        if size > store.size() {
            return Err(Unfit::Beyond(store.size()));
        }
        let bytes = self.folder.read(size)?;
        let keys = (&self.key, &self.sealer);
        file::opened(&bytes, self.log, size, keys, artefacts, |root| {
            root_in(store, size).as_ref() == Some(root)
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The root of a log's first entries by its stored tiles; none if it has fewer.
fn root_in(store: &dyn EventStore, size: u64) -> Option<Hash> {
    let nodes = TileNodes::new(store.size(), StoredTiles(store));
    (size <= store.size()).then(|| root_at(size, &nodes).ok()).flatten()
}

/// The id that a stored log gives itself in its first entry.
#[must_use]
pub fn log_of(store: &dyn EventStore) -> Option<Uuid> {
    let (index, bytes) = store.read(Index(0), 1, usize::MAX).ok()?.into_iter().next()?;
    match decode(index, &bytes).ok()?.event {
        Event::LogCreated(it) => Some(it.log),
        _ => None,
    }
}
