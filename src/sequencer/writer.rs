//! The writer's loop: gather a group, make it durable, publish, answer.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::commit::{Job, Outcome};
use super::draft::Draft;
use super::handle::SequencerSettings;
use super::notary::Notary;
use crate::checkpoint::Publisher;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::event_store::{EventStore, StoreError};
use crate::model::Index;
use crate::projection::World;
use crate::snapshot::Keeper;
use crate::telemetry::Metrics;
use crate::tlog::Tree;

/// What the writer shares with the proposers.
pub(super) struct Shared {
    /// The World of the last commit.
    pub(super) world: ArcSwap<World>,
    /// Why nothing can be written any more, once that is so.
    pub(super) failed: OnceLock<String>,
    /// Whether the last group found the disk nearly full.
    pub(super) no_room: AtomicBool,
    /// Proposals on their way.
    pub(super) queued: AtomicUsize,
    /// Who puts Worlds away, if anybody does.
    pub(super) keeper: OnceLock<Keeper>,
    /// The newest entry, for those who follow the log.
    pub(super) newest: watch::Sender<Option<Index>>,
}

/// How many proposals the last group must have had for the next to wait for more.
const WORTH_WAITING: usize = 8;

/// How long the writer naps at a time while a group waits for more. If it listened
/// instead, each proposal would have to wake it, and be taken alone.
const NAP: Duration = Duration::from_micros(100);

/// The one thread that writes.
pub(super) struct Writer {
    pub(super) inbox: Receiver<Job>,
    pub(super) shared: Arc<Shared>,
    pub(super) store: Arc<dyn EventStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) notary: Arc<Notary>,
    pub(super) publisher: Arc<Publisher>,
    /// The Merkle tree over what is durable.
    pub(super) tree: Tree,
    pub(super) settings: SequencerSettings,
}

impl Writer {
    /// Runs until the last proposer has gone and every proposal is answered.
    pub(super) fn run(mut self) {
        let mut last = 0;
        while let Ok(first) = self.inbox.recv() {
            let begun = Instant::now();
            let mut draft = Draft::over(&self.shared.world.load());
            let gathered = self.gather(&mut draft, first, self.patience(last));
            last = draft.proposals();
            match gathered {
                Ok(()) => self.commit(draft, begun),
                Err(error) => self.fail(draft, error.told_whole()),
            }
        }
        self.put_away(Keeper::is_worth_it);
    }

    /// Hands what is durable to the keeper of snapshots, if it wants it.
    fn put_away(&self, wanted: impl FnOnce(&Keeper, u64) -> bool) {
        let Some(keeper) = self.shared.keeper.get() else { return };
        // After a failure the World and the tree are still those of the last durable group.
        if wanted(keeper, self.tree.size()) {
            keeper.offer(self.shared.world.load_full(), self.tree.clone());
        }
    }

    /// How long a group waits for others, by the proposals in the last: a commit takes the
    /// processor time of a dozen decisions whatever its size, so under load fewer and larger
    /// ones answer everybody sooner; a lone proposer would wait in vain.
    fn patience(&self, last: usize) -> Duration {
        let wait = if last < WORTH_WAITING { 0 } else { self.settings.group_wait_us };
        Duration::from_micros(wait)
    }

    /// The first waiter starts a group; it closes when it is large enough, or when
    /// nobody is waiting and the group's patience is at its end.
    fn gather(&self, draft: &mut Draft, first: Job, patience: Duration) -> Result<(), StoreError> {
        let until = Instant::now() + patience;
        let mut next = Some(first);
        while let Some(job) = next.take() {
            self.shared.queued.fetch_sub(1, Ordering::Relaxed);
            if self.shared.failed.get().is_some() {
                drop(job); // The proposer's channel closes: unavailable.
            } else {
                draft.take(job, self.clock.now(), &*self.entropy, &*self.store)?;
            }
            let full = draft.entries() >= self.settings.group_entries
                || draft.proposals() >= self.settings.group_entries
                || draft.bytes() >= self.settings.group_bytes;
            next = if full { None } else { self.another(until) };
        }
        Ok(())
    }

    fn another(&self, until: Instant) -> Option<Job> {
        loop {
            match self.inbox.try_recv() {
                Ok(job) => return Some(job),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => {}
            }
            let left = until.checked_duration_since(Instant::now())?;
            if left.is_zero() {
                return None;
            }
            std::thread::sleep(left.min(NAP));
        }
    }

    /// The commit point of the whole house is the store's append.
    fn commit(&mut self, mut draft: Draft, begun: Instant) {
        let entries = draft.entries();
        if entries > 0 {
            let decided = Instant::now();
            let tree = match draft.seal(&self.tree, &self.notary) {
                Ok(tree) => tree,
                Err(error) => return self.fail(draft, error.to_string()),
            };
            self.metrics.sealed(decided.elapsed());
            let written = Instant::now();
            match self.store.append(draft.group()) {
                Ok(()) => {
                    self.tree = tree;
                    self.shared.no_room.store(false, Ordering::Relaxed);
                }
                // Nothing was touched: there may be room again for the next group.
                Err(error @ StoreError::NoRoom { .. }) => return self.put_off(draft, &error),
                Err(error) => return self.fail(draft, error.told_whole()),
            }
            self.metrics.fsync(written.elapsed());
            self.metrics.commit(entries, begun.elapsed());
        }
        self.metrics.retaken(draft.retaken);
        let (checkpoint, news) = (draft.checkpoint(), draft.news);
        let (world, answers) = draft.durable();
        if entries > 0 {
            let newest = world.through.map_or(0, |index| index.0);
            self.metrics.world(newest, world.epoch, world.sessions.len());
            self.shared.world.store(Arc::clone(&world));
            self.shared.newest.send_replace(world.through);
        }
        if let Some(checkpoint) = checkpoint {
            self.publisher.offer(checkpoint, news);
        }
        answers.send();
        self.put_away(Keeper::is_due);
    }

    /// Nothing of the group happened, and nothing stands in the way of another.
    fn put_off(&self, draft: Draft, error: &StoreError) {
        if !self.shared.no_room.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "nothing is written until there is room on the disk");
        }
        draft.lost(|| Outcome::NoRoom).send();
    }

    /// Fails closed: what is on disk is not known, so nothing is written after it.
    fn fail(&self, draft: Draft, cause: String) {
        tracing::error!(%cause, "the log cannot be written; all is refused until a restart");
        let _first_cause = self.shared.failed.set(cause);
        draft.lost(|| Outcome::Unavailable).send();
    }
}
