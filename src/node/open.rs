//! A data directory, opened.

use std::path::Path;
use std::sync::Arc;

use super::signing::open_signing_keys;
use super::witnesses::Asking;
use super::{Cosigner, NodeError, Paths, check_head, check_outside};
use crate::checkpoint::{CheckpointFile, Publisher};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::event_store::{EventStore, SledStore};
use crate::projection::{Artefacts, World};
use crate::sequencer::{Notary, Sequencer, SequencerSettings, Sources, recover};
use crate::settings::Settings;
use crate::telemetry::Metrics;
use crate::vault::{KeyFile, Vault};

/// How far the clock may be behind the newest entry, in seconds.
const SLACK_S: u64 = 10;

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
    pub vault: Vault,
    /// It as a witness of other logs.
    pub cosigner: Cosigner,
    /// What it was given.
    pub surroundings: Surroundings,
}

impl Node {
    /// Opens a data directory that has been founded. Linear in the log; `progress`
    /// hears how many entries are folded, of how many.
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
        let log = recover(&*store, &Artefacts::default(), progress)?;
        let world = &log.world;
        let now = surroundings.clock.now();
        if let Some((last, _)) = world.last.filter(|(last, _)| last.seconds_since(now) > SLACK_S) {
            return Err(NodeError::ClockBehind { now, last });
        }
        if world.log.is_none() {
            return Err(NodeError::NotFounded(paths.data));
        }
        let file = CheckpointFile::at(settings.checkpoint_file.clone());
        let outside = file.read()?;
        check_head(&log, store.checkpoint()?.as_deref())?;
        check_outside(&log, &*store, file.path().to_owned(), outside.as_deref())?;
        let vault = vault_of(settings, &surroundings, world)?;
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
        Ok(Self { sequencer, vault, cosigner, surroundings })
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
    let asking = Asking::of(&settings.witness.ask, Arc::clone(store), metrics);
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

/// The vault of a log that has been founded.
pub(super) fn vault_of(
    settings: &Settings,
    surroundings: &Surroundings,
    world: &World,
) -> Result<Vault, NodeError> {
    let paths = Paths::in_directory(&settings.data);
    let log = world.log.ok_or(NodeError::NotFounded(paths.data))?;
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
