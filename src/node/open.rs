//! A data directory, opened.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use uuid::Uuid;

use super::signing::open_signing_keys;
use super::snapshots::{self, keep};
use super::witnesses::Asking;
use super::{Cosigner, NodeError, Notifier, Paths, check_head, check_outside};
use crate::checkpoint::{CheckpointFile, Publisher};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::event::{Event, decode};
use crate::event_store::{EventStore, SledStore};
use crate::model::Index;
use crate::sequencer::{
    CLOCK_SLACK_S, Notary, RecoverError, Sequencer, SequencerSettings, Sources,
};
use crate::settings::Settings;
use crate::snapshot::Snapshots;
use crate::telemetry::Metrics;
use crate::vault::{KeyFile, Sealer, Vault};

/// What a node gets from outside.
#[derive(Clone)]
pub struct Surroundings {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Where it says how it is doing.
    pub metrics: Arc<Metrics>,
}

/// A data directory, opened: its log folded, its writer running.
pub struct Node {
    /// The way to the log, and the World.
    pub sequencer: Sequencer,
    /// Where secrets are sealed.
    pub vault: Arc<Vault>,
    /// What seals and opens personal values.
    pub sealer: Sealer,
    /// What a look into the past begins from.
    pub snapshots: Arc<Snapshots>,
    /// It as a witness of other logs.
    pub cosigner: Cosigner,
    /// What tells persons of what happened to them, once it serves and if the settings say so.
    pub notifier: OnceLock<Notifier>,
    /// What it was given.
    pub surroundings: Surroundings,
    pub(super) paths: Paths,
    pub(super) key_file: PathBuf,
}

impl Node {
    /// Opens a data directory that has been founded. Linear in what the log holds beyond
    /// the newest snapshot; `progress` hears how many entries are folded, of how many.
    ///
    /// # Errors
    /// [`NodeError`]: it is open in another process, damaged, or was never founded;
    /// or its key file is not the one that belongs to it.
    pub fn open(
        settings: &Settings,
        surroundings: Surroundings,
        progress: impl FnMut(u64, u64) + Send,
    ) -> Result<Self, NodeError> {
        let paths = Paths::in_directory(&settings.data);
        key_outside(&settings.key_file, &paths.data)?;
        let store: Arc<dyn EventStore> = Arc::new(SledStore::open(&paths.log)?);
        let id = log_id(&*store)?.ok_or_else(|| NodeError::NotFounded(paths.data.clone()))?;
        let vault = Arc::new(vault_of(settings, &surroundings, Some(id))?);
        let keys = Arc::clone(&vault);
        let sealer = Sealer::new(keys, id, Arc::clone(&surroundings.entropy));
        let snapshots = snapshots::open(settings, &paths, id, &sealer)?;
        // With a snapshot or without: what follows holds the same log against the same
        // checkpoints.
        let log = snapshots::fold(&*store, &snapshots, &sealer, progress)?;
        let world = &log.world;
        let now = surroundings.clock.now();
        if let Some((last, _)) =
            world.last.filter(|(last, _)| last.seconds_since(now) > CLOCK_SLACK_S)
        {
            return Err(NodeError::ClockBehind { now, last });
        }
        let file = CheckpointFile::at(settings.checkpoint_file.clone());
        let outside = file.read()?;
        check_head(&log, store.checkpoint()?.as_deref())?;
        check_outside(&log, &*store, file.path().to_owned(), outside.as_deref())?;
        let notary = Arc::new(Notary::default());
        open_signing_keys(&vault, world, &notary)?;
        let cosigner = Cosigner::open(&settings.witness.logs, &vault, world)?;
        let publisher = publisher(settings, &surroundings, &store, (file, outside))?;
        let sources = Sources {
            store,
            clock: Arc::clone(&surroundings.clock),
            entropy: Arc::clone(&surroundings.entropy),
            metrics: Arc::clone(&surroundings.metrics),
            notary,
            publisher: Arc::new(publisher),
        };
        let sequencer =
            Sequencer::start(log, sources, grouping(settings)).map_err(NodeError::Thread)?;
        keep(&sequencer, &snapshots, settings)?;
        let key_file = settings.key_file.clone();
        let notifier = OnceLock::new();
        Ok(Self {
            sequencer,
            vault,
            sealer,
            snapshots,
            cosigner,
            notifier,
            surroundings,
            paths,
            key_file,
        })
    }
}

/// Publishes to the file, and asks the witnesses that the settings name.
fn publisher(
    settings: &Settings,
    surroundings: &Surroundings,
    store: &Arc<dyn EventStore>,
    (file, outside): (CheckpointFile, Option<String>),
) -> Result<Publisher, NodeError> {
    let metrics = Arc::clone(&surroundings.metrics);
    let asking = Asking::of(&settings.witness, Arc::clone(store), metrics)?;
    let started = match asking {
        Some(asking) => Publisher::witnessed(file, outside, asking),
        None => Publisher::start(file, outside),
    };
    let publisher = started.map_err(NodeError::Thread)?;
    if let Some(note) = store.checkpoint()? {
        publisher.offer(Arc::from(note), true); // The last group's may not have been published.
    }
    Ok(publisher)
}

/// The log's id, from its first entry: the vault is opened by it before anything is folded.
pub(super) fn log_id(store: &dyn EventStore) -> Result<Option<Uuid>, NodeError> {
    let Some((index, bytes)) = store.read(Index(0), 1, usize::MAX)?.into_iter().next() else {
        return Ok(None);
    };
    match decode(index, &bytes).map_err(RecoverError::from)?.event {
        Event::LogCreated(created) => Ok(Some(created.log)),
        _ => Ok(None),
    }
}

/// What opens personal values in a log, without opening the node; nothing if the log is
/// empty.
///
/// # Errors
/// [`NodeError`] if the key file is not the one that belongs to the vault.
pub fn sealer(
    paths: &Paths,
    key_file: &Path,
    store: &dyn EventStore,
    entropy: Arc<dyn Entropy>,
) -> Result<Option<Sealer>, NodeError> {
    let Some(log) = log_id(store)? else { return Ok(None) };
    let key = KeyFile::load(key_file)?;
    let vault = Vault::at(&paths.vault, &key, log, Arc::clone(&entropy))?;
    Ok(Some(Sealer::new(Arc::new(vault), log, entropy)))
}

/// The vault of a log that has been founded, by the log's id.
pub(super) fn vault_of(
    settings: &Settings,
    surroundings: &Surroundings,
    log: Option<Uuid>,
) -> Result<Vault, NodeError> {
    let paths = Paths::in_directory(&settings.data);
    let log = log.ok_or(NodeError::NotFounded(paths.data))?;
    let key = KeyFile::load(&settings.key_file)?;
    Ok(Vault::at(&paths.vault, &key, log, Arc::clone(&surroundings.entropy))?)
}

pub(super) fn grouping(settings: &Settings) -> SequencerSettings {
    SequencerSettings {
        queue: settings.limits.queue,
        group_entries: settings.sequencer.group_entries,
        group_wait_us: settings.sequencer.group_wait_us,
        ..SequencerSettings::default()
    }
}

/// A key beside what it opens would be copied, and lost, together with it.
pub(super) fn key_outside(key: &Path, data: &Path) -> Result<(), NodeError> {
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if whole(key).starts_with(whole(data)) {
        return Err(NodeError::KeyInside(key.to_owned()));
    }
    Ok(())
}
