//! A stopped data directory, and the operator who writes to it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::Runtime;
use uuid::Uuid;

use super::failure::Failure;
use super::stored;
use crate::audit::At;
use crate::cedar::on_large_stack;
use crate::checkpoint::CheckpointFile;
use crate::clock::SystemClock;
use crate::entropy::{Entropy, SystemEntropy};
use crate::event::{Actor, Envelope, Event, Presented, SigningKeyAdopted, Verdict};
use crate::event_store::{EventStore, SledStore};
use crate::model::{Index, Label, Moment, Version};
use crate::node::{self, Accepted, Loss, Node, NodeError, Paths, Surroundings};
use crate::pap::{Changes, Draft};
use crate::pdp::{Administration, administrative, decide, may_not};
use crate::projection::{Artefacts, Change, Erasures, World};
use crate::sequencer::{
    CommitError, Committed, Expected, Log, Origin, fold_to, recover_opened, resume,
};
use crate::settings::{Flags, Settings};
use crate::snapshot::{Snapshot, Snapshots, log_of};
use crate::telemetry::Metrics;
use crate::vault::{self, Imported, KeyFile, Sealer};

/// A data directory that no server has open.
pub(super) struct Folder {
    data: PathBuf,
    key_file: Option<PathBuf>,
}

impl Folder {
    /// A directory by its path, and the key of its vault if it is not beside it.
    pub(super) const fn new(data: PathBuf, key_file: Option<PathBuf>) -> Self {
        Self { data, key_file }
    }

    /// Its path.
    #[cfg(test)]
    pub(super) fn path(&self) -> &Path {
        &self.data
    }

    /// Its log, to be read as it is.
    ///
    /// # Errors
    /// [`Failure`]: a server has it open, or it is none.
    pub(super) fn store(&self) -> Result<SledStore, Failure> {
        Ok(SledStore::open(&Paths::in_directory(&self.data).log)?)
    }

    /// The file of the checkpoint outside its log.
    ///
    /// # Errors
    /// [`Failure`]: the settings are wrong.
    pub(super) fn checkpoint_file(&self) -> Result<CheckpointFile, Failure> {
        Ok(CheckpointFile::at(Settings::load(&self.flags())?.checkpoint_file))
    }

    /// The checkpoint outside its log, and the file's name.
    ///
    /// # Errors
    /// [`Failure`]: it is not there, or the settings are wrong.
    pub(super) fn checkpoint(&self) -> Result<(String, String), Failure> {
        let name = self.checkpoint_file()?.path().display().to_string();
        let missing = || Failure::refused("no_checkpoint", format!("`{name}` is not there"));
        self.checkpoint_if_there()?.ok_or_else(missing)
    }

    /// The same, or nothing if it is not there, as in an auditor's copy of the log alone.
    ///
    /// # Errors
    /// [`Failure`]: it cannot be read, or the settings are wrong.
    pub(super) fn checkpoint_if_there(&self) -> Result<Option<(String, String)>, Failure> {
        let file = self.checkpoint_file()?;
        let note = file.read().map_err(|error| Failure::refused("no_checkpoint", error))?;
        Ok(note.map(|note| (file.path().display().to_string(), note)))
    }

    /// How many sealed secrets its log names, and what is wrong with them; nothing if there
    /// is no vault, as in an auditor's copy. Linear in
    /// what the log holds beyond its newest snapshot.
    ///
    /// # Errors
    /// As [`Folder::world`], or if a file cannot be read.
    pub(super) fn secrets(&self) -> Result<Option<(u64, Vec<String>)>, Failure> {
        let vault = Paths::in_directory(&self.data).vault;
        if !vault.is_dir() {
            return Ok(None);
        }
        let named = node::named_secrets(&self.world()?);
        let wrong = vault::check(&vault, &named).map_err(Failure::could_not_run)?;
        let told = wrong.iter().map(ToString::to_string).collect();
        Ok(Some((named.len() as u64, told)))
    }

    /// Its log, with what opens what is personal and where folds begin.
    ///
    /// # Errors
    /// As [`Folder::store`], or if its key is not the vault's.
    pub(super) fn opened(&self) -> Result<Opened, Failure> {
        let store = self.store()?;
        let sealer = self.sealer(&store)?;
        let snapshots = self.snapshots(&store, sealer.as_ref());
        Ok(Opened { store, sealer, snapshots })
    }

    /// What its log amounts to, with what is personal if its key is here. Linear in
    /// what the log holds beyond its newest snapshot.
    ///
    /// # Errors
    /// As [`Folder::store`], or if the log is damaged.
    pub(super) fn world(&self) -> Result<World, Failure> {
        self.opened()?.world()
    }

    /// What its log amounted to as of then, and the last entry that counted. Linear in
    /// what is between that and the snapshot before it.
    ///
    /// # Errors
    /// As [`Folder::world`]; usage, if there was nothing then.
    pub(super) fn world_at(&self, at: At) -> Result<(Index, World), Failure> {
        let opened = self.opened()?;
        let size = stored::size_at(&opened.store, Some(at))?;
        let index = Index(size.saturating_sub(1));
        let (start, sealer) = (opened.before(index), opened.sealer.as_ref());
        let world = fold_to(&opened.store, sealer, start, index).map_err(NodeError::from)?;
        Ok((index, world))
    }

    /// A recorded decision, what its log amounted to just before it, and all that has been
    /// erased until now; nothing if the log holds no such decision.
    ///
    /// # Errors
    /// As [`Folder::world`].
    pub(super) fn decision(
        &self,
        id: Uuid,
    ) -> Result<Option<(Envelope, World, Erasures)>, Failure> {
        let entry = {
            let store = self.store()?;
            let Some(mut entry) = stored::decision(&store, id)? else { return Ok(None) };
            if let Some(sealer) = self.sealer(&store)? {
                sealer.open_event(&mut entry.event).map_err(NodeError::from)?;
            }
            entry
        };
        let (_, world) = self.world_at(At::Entry(Index(entry.index.0.saturating_sub(1))))?;
        Ok(Some((entry, world, self.world()?.erasures)))
    }

    /// The log's snapshots, if its key is there to open them: without them all takes
    /// longer, and gives the same.
    fn snapshots(&self, store: &dyn EventStore, sealer: Option<&Sealer>) -> Option<Snapshots> {
        let settings = Settings::load(&self.flags()).ok()?;
        let key = KeyFile::load(&settings.key_file).ok()?;
        let path = Paths::in_directory(&self.data).snapshots;
        Snapshots::at(&path, &key, log_of(store)?, sealer?.clone(), settings.snapshots).ok()
    }

    /// What opens personal values in its log; nothing if its key is not here, as for an
    /// auditor who was given a copy.
    ///
    /// # Errors
    /// [`Failure`] if there is a key, but not the vault's.
    pub(super) fn sealer(&self, store: &dyn EventStore) -> Result<Option<Sealer>, Failure> {
        let settings = Settings::load(&self.flags())?;
        let paths = Paths::in_directory(&self.data);
        if self.key_file.is_none() && !settings.key_file.exists() || !paths.vault.exists() {
            return Ok(None);
        }
        Ok(node::sealer(&paths, &settings.key_file, store, Arc::new(SystemEntropy))?)
    }

    /// Puts back what an export of its vault holds and it lacks: without that it may not open.
    ///
    /// # Errors
    /// [`Failure`]: the export is not whole, or not this vault's.
    pub(super) fn import_vault(&self, from: &Path) -> Result<Imported, Failure> {
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        Ok(node::import_vault(&Settings::load(&self.flags())?, &entropy, from)?)
    }

    /// Opens it for writing, on behalf of whoever may write its files. Linear in the
    /// log.
    ///
    /// # Errors
    /// As [`Folder::world`], or if its key is not there.
    pub(super) fn operator(&self) -> Result<Operator, Failure> {
        Operator::of(&Settings::load(&self.flags())?)
    }

    fn flags(&self) -> Flags {
        let text = |path: &PathBuf| path.to_string_lossy().into_owned();
        Flags {
            data: Some(text(&self.data)),
            key_file: self.key_file.as_ref().map(text),
            ..Flags::default()
        }
    }
}

/// A log that is read as it is, with what opens what is personal in it, if its key is here.
pub(super) struct Opened {
    pub(super) store: SledStore,
    pub(super) sealer: Option<Sealer>,
    snapshots: Option<Snapshots>,
}

impl Opened {
    /// What it amounts to.
    ///
    /// # Errors
    /// [`Failure`]: the log is damaged.
    pub(super) fn world(&self) -> Result<World, Failure> {
        let (store, sealer) = (&self.store, self.sealer.as_ref());
        let artefacts = Artefacts::default();
        let snapshots = self.snapshots.as_ref();
        let start = snapshots.and_then(|all| all.nearest(store, store.size(), &artefacts));
        let folded = match start {
            Some(Snapshot { world, tree }) => resume(store, Log { world, tree }, sealer, |_, _| {}),
            None => recover_opened(store, &artefacts, sealer, |_, _| {}),
        };
        Ok(folded.map_err(NodeError::from)?.world)
    }

    /// The nearest World that is known at or before an entry: the empty one, if none is.
    pub(super) fn before(&self, index: Index) -> World {
        let known = self.snapshots.as_ref().and_then(|all| all.before(&self.store, index));
        known.unwrap_or_default()
    }
}

/// The machine's own clock and chance.
///
/// # Errors
/// If there are no metrics to be had.
pub(super) fn surroundings() -> Result<Surroundings, Failure> {
    let metrics = Metrics::new().map_err(Failure::could_not_run)?;
    Ok(Surroundings {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        metrics: Arc::new(metrics),
    })
}

/// A runtime for this thread.
///
/// # Errors
/// If the operating system gives none.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::could_not_run(format!("cannot start a runtime: {error}")))
}

/// Whoever can write a stopped data directory, at work. What is done is decided by
/// the system policies and recorded, like everybody else's administration.
pub(super) struct Operator {
    node: Node,
    runtime: Runtime,
}

impl Operator {
    /// Opens the data directory that the settings name.
    ///
    /// # Errors
    /// As [`Folder::operator`].
    pub(super) fn of(settings: &Settings) -> Result<Self, Failure> {
        Self::among(settings, surroundings()?)
    }

    /// The same by another clock than the machine's.
    ///
    /// # Errors
    /// As [`Operator::of`].
    pub(super) fn among(settings: &Settings, surroundings: Surroundings) -> Result<Self, Failure> {
        let node = Node::open(settings, surroundings, |_, _| {})?;
        Ok(Self { node, runtime: runtime()? })
    }

    /// Where the log is written, and chance.
    pub(super) const fn node(&self) -> &Node {
        &self.node
    }

    /// Hands the directory over to a server.
    pub(super) fn into_node(self) -> Node {
        self.node
    }

    /// Asks the system policies whether the operator may, and records the answer.
    ///
    /// # Errors
    /// [`Failure`]: a refusal, or why it could not be recorded.
    pub(super) fn permit(&self, what: Administration) -> Result<(), Failure> {
        let ask = administrative(&Actor::LocalOperator, what, Presented::Nothing);
        let decided = move |world: &World, now: Moment| {
            // The writer has a large stack already; policies may be compiled here.
            Ok::<_, Failure>(vec![Event::AccessDecided(Box::new(decide(world, &ask, now)))])
        };
        let recorded = self.commit(decided)?;
        let decided = recorded.entries.iter().find_map(|entry| match &entry.event {
            Event::AccessDecided(decided) => Some(decided),
            _ => None,
        });
        match decided {
            Some(decided) if decided.decision == Verdict::Allow => Ok(()),
            Some(decided) => {
                let why = may_not(&recorded.world, what, decided);
                Err(Failure::refused("forbidden", why))
            }
            None => Err(Failure::could_not_run("a decision was not recorded")),
        }
    }

    /// As [`Operator::permit`], after the system policies of this build are in force: those
    /// of an older one do not know every action.
    ///
    /// # Errors
    /// As [`Operator::permit`].
    pub(super) fn permit_anew(&self, what: Administration) -> Result<(), Failure> {
        self.wait(self.node.adopt_system_policies())?;
        self.permit(what)
    }

    /// Waits for some work that says itself why it failed.
    ///
    /// # Errors
    /// What the work says.
    pub(super) fn wait_for<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.runtime.block_on(work)
    }

    /// Waits for some work of the node's.
    ///
    /// # Errors
    /// What the work says.
    pub(super) fn wait<T>(
        &self,
        work: impl Future<Output = Result<T, NodeError>>,
    ) -> Result<T, Failure> {
        Ok(self.runtime.block_on(work)?)
    }

    /// On whose behalf the operator works.
    pub(super) const fn origin() -> Origin {
        origin()
    }

    /// Has a command decided by the writer and recorded.
    ///
    /// # Errors
    /// [`Failure`]: the command's refusal, or why it could not be recorded.
    pub(super) fn commit<E: Send + 'static>(
        &self,
        decide: impl FnOnce(&World, Moment) -> Result<Vec<Event>, E> + Send + 'static,
    ) -> Result<Committed, Failure>
    where
        Failure: From<CommitError<E>>,
    {
        let committed = self.node.sequencer.commit(origin(), Expected::default(), decide);
        Ok(self.runtime.block_on(committed)?)
    }

    /// Puts policies or a schema in force.
    ///
    /// # Errors
    /// [`Failure`] with each fault.
    pub(super) fn publish(
        &self,
        draft: Draft,
        expected: Option<Version>,
    ) -> Result<(Committed, Changes), Failure> {
        let (sequencer, entropy) = (&self.node.sequencer, &*self.node.surroundings.entropy);
        let published = node::publish(sequencer, entropy, origin(), None, draft, expected);
        Ok(self.runtime.block_on(published)?)
    }

    /// Changes the directory of entities.
    ///
    /// # Errors
    /// [`Failure`] with each fault.
    pub(super) fn change(
        &self,
        changes: Vec<Change>,
        message: Label,
        expected: Option<Version>,
    ) -> Result<Committed, Failure> {
        let (sequencer, sealer) = (&self.node.sequencer, &self.node.sealer);
        let made = node::change(sequencer, sealer, origin(), None, changes, message, expected);
        Ok(self.runtime.block_on(made)?)
    }
}

impl Folder {
    /// What is wrong with a log that does not start.
    ///
    /// # Errors
    /// [`Failure`]: nothing is, or it cannot be read.
    pub(super) fn loss(&self) -> Result<Loss, Failure> {
        Ok(node::look_at_loss(&Settings::load(&self.flags())?)?)
    }

    /// Goes on without what is lost.
    ///
    /// # Errors
    /// As [`Folder::loss`], or why it could not be recorded.
    pub(super) fn accept_loss(&self, reason: Label) -> Result<Accepted, Failure> {
        let settings = Settings::load(&self.flags())?;
        Ok(runtime()?.block_on(node::accept_loss(&settings, &surroundings()?, reason))?)
    }
}

impl Operator {
    /// Has the log adopt another signing key.
    ///
    /// # Errors
    /// [`Failure`]: a refusal, or why it could not be recorded.
    pub(super) fn adopt_signing_key(&self) -> Result<SigningKeyAdopted, Failure> {
        Ok(self.runtime.block_on(self.node.adopt_signing_key(origin()))?.0)
    }

    /// Retires a signing key.
    ///
    /// # Errors
    /// [`Failure`]: a refusal, or why it could not be recorded.
    pub(super) fn retire_signing_key(&self, key: Uuid) -> Result<(), Failure> {
        let (sequencer, none) = (&self.node.sequencer, Expected::default());
        let retired = node::retire_signing_key(sequencer, origin(), none, key);
        self.runtime.block_on(retired)?;
        Ok(())
    }
}

const fn origin() -> Origin {
    Origin::of(Actor::LocalOperator, None)
}

/// Runs what recurses deeply, such as compiling policies, where there is room for it.
///
/// # Errors
/// What the work says, or if there is no thread for it.
pub(super) fn deeply<T: Send>(
    work: impl FnOnce() -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    on_large_stack(work).map_err(|fault| Failure::could_not_run(fault.message))?
}
