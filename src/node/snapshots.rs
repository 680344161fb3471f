//! A node's snapshots: where it starts from, and what it puts away.

use std::sync::Arc;

use uuid::Uuid;

use super::{NodeError, Paths};
use crate::event_store::EventStore;
use crate::projection::Artefacts;
use crate::sequencer::{Log, RecoverError, Sequencer, recover_opened, resume};
use crate::settings::Settings;
use crate::snapshot::{Keeper, Snapshot, Snapshots};
use crate::vault::{KeyFile, Sealer};

/// The snapshots of a log.
pub(super) fn open(
    settings: &Settings,
    paths: &Paths,
    log: Uuid,
    sealer: &Sealer,
) -> Result<Arc<Snapshots>, NodeError> {
    let (key, rules) = (KeyFile::load(&settings.key_file)?, settings.snapshots);
    let snapshots = Snapshots::at(&paths.snapshots, &key, log, sealer.clone(), rules)?;
    Ok(Arc::new(snapshots))
}

/// Folds a log, from the newest snapshot where there is one.
pub(super) fn fold(
    store: &dyn EventStore,
    snapshots: &Snapshots,
    sealer: &Sealer,
    progress: impl FnMut(u64, u64) + Send,
) -> Result<Log, RecoverError> {
    let artefacts = Artefacts::default();
    match snapshots.nearest(store, store.size(), &artefacts) {
        Some(Snapshot { world, tree }) => {
            tracing::info!(entries = tree.size(), "starting from a snapshot");
            resume(store, Log { world, tree }, Some(sealer), progress)
        }
        None => recover_opened(store, &artefacts, Some(sealer), progress),
    }
}

/// Has the Worlds to come put away as the settings say.
pub(super) fn keep(
    sequencer: &Sequencer,
    snapshots: &Arc<Snapshots>,
    settings: &Settings,
) -> Result<(), NodeError> {
    if settings.snapshots.kept == 0 {
        // Those of another time would be of use, but nobody would renew them.
        return Ok(snapshots.forget()?);
    }
    let keeper = Keeper::start(Arc::clone(snapshots), settings.snapshots.every);
    sequencer.keep_snapshots(keeper.map_err(NodeError::Thread)?);
    Ok(())
}
