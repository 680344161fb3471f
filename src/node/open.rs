//! A data directory, opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use super::{NodeError, Paths};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::event::{Event, decode};
use crate::event_store::{EventStore, SledStore};
use crate::model::Index;
use crate::projection::Artefacts;
use crate::sequencer::{RecoverError, Sequencer, SequencerSettings, Sources, recover_opened};
use crate::settings::Settings;
use crate::telemetry::Metrics;
use crate::vault::{KeyFile, Sealer, Vault};

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
    pub vault: Arc<Vault>,
    /// What seals and opens personal values.
    pub sealer: Sealer,
    /// What it was given.
    pub surroundings: Surroundings,
    pub(super) paths: Paths,
    pub(super) key_file: PathBuf,
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
        let log = log_id(&*store)?.ok_or_else(|| NodeError::NotFounded(paths.data.clone()))?;
        let key = KeyFile::load(&settings.key_file)?;
        let vault = Vault::at(&paths.vault, &key, log, Arc::clone(&surroundings.entropy))?;
        let vault = Arc::new(vault);
        let keys = Arc::clone(&vault);
        let sealer = Sealer::new(keys, log, Arc::clone(&surroundings.entropy));
        let world = recover_opened(&*store, &Artefacts::default(), Some(&sealer), progress)?;
        let now = surroundings.clock.now();
        if let Some((last, _)) = world.last.filter(|(last, _)| last.seconds_since(now) > SLACK_S) {
            return Err(NodeError::ClockBehind { now, last });
        }
        let sources = Sources {
            store,
            clock: Arc::clone(&surroundings.clock),
            entropy: Arc::clone(&surroundings.entropy),
            metrics: Arc::clone(&surroundings.metrics),
        };
        let sequencer =
            Sequencer::start(world, sources, grouping(settings)).map_err(NodeError::Thread)?;
        let key_file = settings.key_file.clone();
        Ok(Self { sequencer, vault, sealer, surroundings, paths, key_file })
    }
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

fn grouping(settings: &Settings) -> SequencerSettings {
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
