//! Is this the log that was signed? Its head is held against the checkpoint in its own
//! last group, and against the one outside.
//!
//! What this finds: a log that is shorter than what was published, whose tree differs from
//! it below that size, or which was written to without the key. What it cannot find: an
//! entry before a snapshot that was altered while its stored hash was not, for it is not
//! read again (`verify` reads it); and a log and a checkpoint file that were both rolled
//! back together, for which somebody elsewhere must have kept a newer checkpoint.

use std::path::PathBuf;

use crate::event::HeadRef;
use crate::event_store::{EventStore, StoreError, StoredTiles};
use crate::projection::World;
use crate::sequencer::Log;
use crate::tlog::{self, Checkpoint, CheckpointError, NodeError, TileNodes, VerifierKey};

/// How a log is not the one that was signed. None of it is mended by starting again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotAsSigned {
    /// No entry adopts a signing key, or no group was signed.
    #[error("the log was never signed")]
    Unsigned,
    /// The checkpoint in the log's last group is by nobody who may sign it.
    #[error("the checkpoint in the log itself does not verify: {0}")]
    Head(CheckpointError),
    /// The checkpoint in the log's last group is of other entries.
    #[error("the log holds {found} entries that were not signed as they are; {signed} were signed")]
    OtherHead {
        /// The size signed.
        signed: u64,
        /// The entries there are.
        found: u64,
    },
    /// There is no checkpoint outside.
    #[error("the checkpoint `{}` is not there", .0.display())]
    NoOutside(PathBuf),
    /// The checkpoint outside is by nobody who may sign it.
    #[error("the checkpoint `{}` does not verify: {source}", path.display())]
    Outside {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        source: CheckpointError,
    },
    /// Entries that were signed are gone.
    #[error("the log has {found} entries, but {signed} were signed: it was cut or rolled back")]
    Shorter {
        /// The size signed.
        signed: u64,
        /// The entries there are.
        found: u64,
    },
    /// Entries that were signed are others now.
    #[error("the first {signed} entries are not those that were signed: the log was forked")]
    Forked {
        /// The size signed.
        signed: u64,
    },
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The head of a log as it is.
#[must_use]
pub fn head(log: &Log) -> HeadRef {
    let origin = log.world.signing.origin().unwrap_or_default().to_owned();
    HeadRef { origin, size: log.tree.size(), root: log.tree.root() }
}

/// Holds a log against the checkpoint of its own last group.
///
/// # Errors
/// [`NotAsSigned`].
pub fn check_head(log: &Log, checkpoint: Option<&str>) -> Result<(), NotAsSigned> {
    let Some((note, origin)) = checkpoint.zip(log.world.signing.origin()) else {
        return Err(NotAsSigned::Unsigned);
    };
    let keys: Vec<_> = log.world.signing.in_force().map(|key| key.verifier_key.clone()).collect();
    let signed = tlog::open_checkpoint(note, &keys, origin).map_err(NotAsSigned::Head)?;
    if signed.size() != log.tree.size() || signed.root() != log.tree.root() {
        return Err(NotAsSigned::OtherHead { signed: signed.size(), found: log.tree.size() });
    }
    Ok(())
}

/// Holds a log against a checkpoint from outside, which may be older. Reads the tiles on
/// the way from the old root to the new.
///
/// # Errors
/// [`NotAsSigned`].
pub fn check_outside(
    log: &Log,
    store: &dyn EventStore,
    path: PathBuf,
    outside: Option<&str>,
) -> Result<(), NotAsSigned> {
    let Some(note) = outside else { return Err(NotAsSigned::NoOutside(path)) };
    let signed =
        read_outside(&log.world, note).map_err(|source| NotAsSigned::Outside { path, source })?;
    let (signed, found) = (signed, log.tree.size());
    if signed.size() > found {
        return Err(NotAsSigned::Shorter { signed: signed.size(), found });
    }
    let nodes = TileNodes::new(found, StoredTiles(store));
    let root = tlog::root_at(signed.size(), &nodes).map_err(|error| match error {
        NodeError::Source { source, .. } => NotAsSigned::Store(source),
        _ => NotAsSigned::Forked { signed: signed.size() },
    })?;
    if root == signed.root() { Ok(()) } else { Err(NotAsSigned::Forked { signed: signed.size() }) }
}

/// Reads a checkpoint that any key of the log's present origin signed; a key may have
/// been retired since.
///
/// # Errors
/// [`CheckpointError`].
pub fn read_outside(world: &World, note: &str) -> Result<Checkpoint, CheckpointError> {
    let origin = world.signing.origin().unwrap_or_default();
    let keys: Vec<VerifierKey> = world
        .signing
        .iter()
        .map(|key| key.verifier_key.clone())
        .filter(|key| key.name().as_str() == origin)
        .collect();
    tlog::open_checkpoint(note, &keys, origin)
}
