//! A stopped data directory, and the operator who writes to it.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::Runtime;

use super::failure::Failure;
use crate::cedar::on_large_stack;
use crate::clock::SystemClock;
use crate::entropy::SystemEntropy;
use crate::event::{AccessDecided, Actor, Event, Presented, Verdict};
use crate::event_store::{EventStore, SledStore};
use crate::model::{Label, Moment, Version};
use crate::node::{self, Node, NodeError, Paths, Surroundings};
use crate::pap::{Changes, Draft};
use crate::pdp::{Administration, administrative, decide};
use crate::projection::{Artefacts, Change, World};
use crate::sequencer::{CommitError, Committed, Expected, Origin, recover_opened};
use crate::settings::{Flags, Settings};
use crate::telemetry::Metrics;
use crate::vault::Sealer;

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
    pub(super) fn path(&self) -> &std::path::Path {
        &self.data
    }

    /// Its log, to be read as it is.
    ///
    /// # Errors
    /// [`Failure`]: a server has it open, or it is none.
    pub(super) fn store(&self) -> Result<SledStore, Failure> {
        Ok(SledStore::open(&Paths::in_directory(&self.data).log)?)
    }

    /// What its log amounts to, with what is personal if its key is here. Linear in the log.
    ///
    /// # Errors
    /// As [`Folder::store`], or if the log is damaged.
    pub(super) fn world(&self) -> Result<World, Failure> {
        let store = self.store()?;
        let sealer = self.sealer(&store)?;
        let folded = recover_opened(&store, &Artefacts::default(), sealer.as_ref(), |_, _| {});
        Ok(folded.map_err(NodeError::from)?)
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
        let node = Node::open(settings, surroundings()?, |_, _| {})?;
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
            Some(decided) => Err(forbidden(what, decided)),
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

const fn origin() -> Origin {
    Origin { actor: Actor::LocalOperator, correlation: None }
}

fn forbidden(what: Administration, decided: &AccessDecided) -> Failure {
    let by: Vec<_> = decided.determining.iter().map(|id| format!("`{id}`")).collect();
    let why = if by.is_empty() {
        "no policy permits it".to_owned()
    } else {
        format!("forbidden by {}", by.join(", "))
    };
    Failure::refused("forbidden", format!("you may not `{}`: {why}", what.as_str()))
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
