//! A node's snapshots: where it starts from, and what it puts away.

use std::sync::Arc;

use super::{NodeError, Paths};
use crate::entropy::Entropy;
use crate::event_store::EventStore;
use crate::projection::Artefacts;
use crate::sequencer::{Log, RecoverError, Sequencer, recover, resume};
use crate::settings::Settings;
use crate::snapshot::{Keeper, Snapshot, Snapshots, log_of};
use crate::vault::KeyFile;

/// The snapshots of a stored log; none without its key file, or for one that does not
/// begin as a log does. Why not is found out by what follows.
pub(super) fn open(
    settings: &Settings,
    paths: &Paths,
    store: &dyn EventStore,
    entropy: &Arc<dyn Entropy>,
) -> Result<Option<Arc<Snapshots>>, NodeError> {
    let key = KeyFile::load(&settings.key_file).ok();
    let Some((key, log)) = key.zip(log_of(store)) else { return Ok(None) };
    let kept = settings.snapshots.kept;
    let snapshots = Snapshots::at(&paths.snapshots, &key, log, Arc::clone(entropy), kept)?;
    Ok(Some(Arc::new(snapshots)))
}

/// Folds a log, from the newest snapshot where there is one.
pub(super) fn fold(
    store: &dyn EventStore,
    snapshots: Option<&Snapshots>,
    progress: impl FnMut(u64, u64) + Send,
) -> Result<Log, RecoverError> {
    let artefacts = Artefacts::default();
    match snapshots.and_then(|all| all.nearest(store, store.size(), &artefacts)) {
        Some(Snapshot { world, tree }) => {
            tracing::info!(entries = tree.size(), "starting from a snapshot");
            resume(store, Log { world, tree }, progress)
        }
        None => recover(store, &artefacts, progress),
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
