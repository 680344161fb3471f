//! The proposers' side of the writer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{Builder, JoinHandle};

use arc_swap::ArcSwap;
use tokio::sync::{oneshot, watch};

use super::commit::{CommitError, Committed, Expected, Job, Origin, Outcome, Prepared};
use super::draft::tails;
use super::notary::Notary;
use super::recover::Log;
use super::writer::{Shared, Writer};
use crate::checkpoint::Publisher;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::event::Event;
use crate::event_store::EventStore;
use crate::model::{Index, Moment};
use crate::projection::{Footprint, World};
use crate::snapshot::Keeper;
use crate::telemetry::Metrics;

/// The writer's stack, in bytes: taking a decision again may compile policies.
const STACK_BYTES: usize = 64 << 20;

/// How groups are formed and how long the queue may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequencerSettings {
    /// Proposals that may wait; one more is refused as overload.
    pub queue: usize,
    /// Entries that close a group.
    pub group_entries: usize,
    /// Bytes that close a group.
    pub group_bytes: usize,
    /// How long a group waits for more under load, in microseconds; one that follows a
    /// small group never waits.
    pub group_wait_us: u64,
}

impl Default for SequencerSettings {
    fn default() -> Self {
        Self { queue: 1_024, group_entries: 256, group_bytes: 1 << 20, group_wait_us: 500 }
    }
}

/// Where the sequencer gets what it does not make itself.
#[derive(Clone)]
pub struct Sources {
    /// Where entries become durable.
    pub store: Arc<dyn EventStore>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Where it says how it is doing.
    pub metrics: Arc<Metrics>,
    /// Who signs.
    pub notary: Arc<Notary>,
    /// Where signed checkpoints go.
    pub publisher: Arc<Publisher>,
}

/// The way to the one writer. When it is dropped, what was proposed is still
/// written and answered; then the writer ends.
pub struct Sequencer {
    inbox: Option<SyncSender<Job>>,
    shared: Arc<Shared>,
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    notary: Arc<Notary>,
    publisher: Arc<Publisher>,
    writer: Mutex<Option<JoinHandle<()>>>,
    queue: usize,
}

impl Sequencer {
    /// Starts the writer on top of what the same store was folded to.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub fn start(log: Log, sources: Sources, settings: SequencerSettings) -> std::io::Result<Self> {
        let Log { world, tree } = log;
        let queue = settings.queue;
        let (sender, inbox) = sync_channel(queue);
        let shared = Arc::new(Shared {
            newest: watch::Sender::new(world.through),
            world: ArcSwap::from_pointee(world),
            failed: OnceLock::new(),
            no_room: AtomicBool::new(false),
            queued: AtomicUsize::new(0),
            keeper: OnceLock::new(),
        });
        let Sources { store, clock, entropy, metrics, notary, publisher } = sources;
        let writer = Writer {
            inbox,
            shared: Arc::clone(&shared),
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            entropy,
            metrics,
            notary: Arc::clone(&notary),
            publisher: Arc::clone(&publisher),
            tree,
            settings,
        };
        let thread = Builder::new()
            .name("sequencer".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || guarded(writer))?;
        let writer = Mutex::new(Some(thread));
        Ok(Self { inbox: Some(sender), shared, store, clock, notary, publisher, writer, queue })
    }

    /// Has Worlds put away from now on, each time one is due and at the end. Only the
    /// first keeper given is kept.
    pub fn keep_snapshots(&self, keeper: Keeper) {
        let _first = self.shared.keeper.set(keeper);
    }

    /// False while so many wait for the writer that evaluations must not be added: who
    /// asks first need not do in vain what a proposal takes, and an eighth of the queue
    /// stays for logins and administration.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.queued() < self.queue - self.queue / 8
    }

    /// The World of the last commit. Never waits.
    #[must_use]
    pub fn world(&self) -> Arc<World> {
        self.shared.world.load_full()
    }

    /// The time to decide by: the clock's, but not before the newest entry.
    #[must_use]
    pub fn now(&self, world: &World) -> Moment {
        world.not_before_last(self.clock.now())
    }

    /// The entries, for reading. Only those up to a World's `through` are recorded.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn EventStore> {
        &self.store
    }

    /// Who signs.
    #[must_use]
    pub fn notary(&self) -> &Notary {
        &self.notary
    }

    /// Where signed checkpoints go, and the newest that is published.
    #[must_use]
    pub fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    /// Why nothing can be written any more, once that is so.
    #[must_use]
    pub fn failed(&self) -> Option<&str> {
        self.shared.failed.get().map(String::as_str)
    }

    /// Whether the newest group could not be written because the disk is nearly full. It
    /// goes on by itself once there is room.
    #[must_use]
    pub fn no_room(&self) -> bool {
        self.shared.no_room.load(Ordering::Relaxed)
    }

    /// How many proposals are waiting.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.shared.queued.load(Ordering::Relaxed)
    }

    /// Tells of every commit by the index of its newest entry.
    #[must_use]
    pub fn newest(&self) -> watch::Receiver<Option<Index>> {
        self.shared.newest.subscribe()
    }

    /// Has a command decided by the writer, in the newest World, and recorded.
    ///
    /// # Errors
    /// [`CommitError`]: the command's own refusal, or why it was not recorded.
    pub async fn commit<E: Send + 'static>(
        &self,
        origin: Origin,
        expected: Expected,
        decide: impl FnOnce(&World, Moment) -> Result<Vec<Event>, E> + Send + 'static,
    ) -> Result<Committed, CommitError<E>> {
        self.propose(origin, expected, None, decide).await
    }

    /// Records a decision that was taken in a World at a time. If what it rests on has
    /// changed since, or it has waited for long, the writer takes it again by `retake`.
    ///
    /// # Errors
    /// [`CommitError`]: why it was not recorded.
    pub async fn record<E: Send + 'static>(
        &self,
        origin: Origin,
        (taken_in, at): (&World, Moment),
        (events, rests_on): (Vec<Event>, Footprint),
        retake: impl FnOnce(&World, Moment) -> Result<Vec<Event>, E> + Send + 'static,
    ) -> Result<Committed, CommitError<E>> {
        let tails = tails(&origin, events, taken_in).map_err(|_| CommitError::Defect)?;
        let prepared = Prepared { rests_on, at, tails };
        self.propose(origin, Expected::default(), Some(prepared), retake).await
    }

    async fn propose<E: Send + 'static>(
        &self,
        origin: Origin,
        expected: Expected,
        prepared: Option<Prepared>,
        decide: impl FnOnce(&World, Moment) -> Result<Vec<Event>, E> + Send + 'static,
    ) -> Result<Committed, CommitError<E>> {
        let (answer, heard) = oneshot::channel();
        let refusal = Arc::new(Mutex::new(None));
        let refused = Arc::clone(&refusal);
        let decide = Box::new(move |world: &World, now: Moment| match decide(world, now) {
            Ok(events) => Some(events),
            Err(error) => {
                *refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                None
            }
        });
        self.send(Job { origin, expected, prepared, decide, answer })?;
        // A closed channel is a writer that has stopped.
        match heard.await.unwrap_or(Outcome::Unavailable) {
            Outcome::Committed { entries, world, repeated } => {
                Ok(Committed { entries, world, repeated })
            }
            Outcome::Refused => {
                let error = refusal.lock().unwrap_or_else(PoisonError::into_inner).take();
                Err(error.map_or(CommitError::Defect, CommitError::Refused))
            }
            Outcome::ClockBehind => Err(CommitError::ClockBehind),
            Outcome::Withdrawn => Err(CommitError::Withdrawn),
            Outcome::TokenOver => Err(CommitError::TokenOver),
            Outcome::Conflict { stream, expected, found } => {
                Err(CommitError::Conflict { stream, expected, found })
            }
            Outcome::TooLarge { bytes } => Err(CommitError::TooLarge { bytes }),
            Outcome::NoRoom => Err(CommitError::NoRoom),
            Outcome::Unavailable => Err(CommitError::Unavailable),
            Outcome::Defect => Err(CommitError::Defect),
        }
    }

    fn send<E>(&self, job: Job) -> Result<(), CommitError<E>> {
        if self.failed().is_some() {
            return Err(CommitError::Unavailable);
        }
        let inbox = self.inbox.as_ref().ok_or(CommitError::Unavailable)?;
        self.shared.queued.fetch_add(1, Ordering::Relaxed);
        inbox.try_send(job).map_err(|error| {
            self.shared.queued.fetch_sub(1, Ordering::Relaxed);
            match error {
                TrySendError::Full(_) => CommitError::Overloaded,
                TrySendError::Disconnected(_) => CommitError::Unavailable,
            }
        })
    }
}

impl Drop for Sequencer {
    fn drop(&mut self) {
        drop(self.inbox.take());
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // A writer that panicked has already failed every proposal.
            let _panicked = writer.join();
        }
    }
}

/// Runs the writer; should it ever panic, the node says so and is not ready.
fn guarded(writer: Writer) {
    let shared = Arc::clone(&writer.shared);
    if catch_unwind(AssertUnwindSafe(|| writer.run())).is_err() {
        tracing::error!("the writer came to an unexpected end; all is refused until a restart");
        let _first_cause = shared.failed.set("the writer came to an unexpected end".to_owned());
    }
}
