//! The thread that writes snapshots, off the way of the commits.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use super::{Era, Snapshot, Snapshots};
use crate::projection::World;
use crate::tlog::Tree;

/// At the end a snapshot is written if the log has grown by this part of the distance
/// between two: less is folded faster than it is put away.
const WORTH: u64 = 10;

/// Takes Worlds from the writer without making it wait, and writes them. Dropping it
/// writes what it was given last.
pub struct Keeper {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    snapshots: Arc<Snapshots>,
    every: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Option<(Arc<World>, Tree, Era)>,
    closed: bool,
}

impl Keeper {
    /// Writes a snapshot each time the log has grown by `every` entries.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub fn start(snapshots: Arc<Snapshots>, every: u64) -> io::Result<Self> {
        let (state, changed) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { snapshots, every, state, changed });
        let writing = Arc::clone(&shared);
        let thread = Builder::new().name("snapshots".to_owned()).spawn(move || run(&writing))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Whether a log of this size should be put away. Two loads; asked after each commit.
    #[must_use]
    pub fn is_due(&self, size: u64) -> bool {
        self.grown(size) >= self.shared.every
    }

    /// Whether it is worth it at the end, when nothing is to follow for a while.
    #[must_use]
    pub fn is_worth_it(&self, size: u64) -> bool {
        self.grown(size) >= self.shared.every.div_ceil(WORTH)
    }

    /// Takes the World and the tree of what is durable. Never waits for the disk; one that
    /// is still waiting gives way.
    pub fn offer(&self, world: Arc<World>, tree: Tree) {
        self.shared.snapshots.newest.store(tree.size(), Ordering::Relaxed);
        let era = self.shared.snapshots.era();
        self.shared.state().waiting = Some((world, tree, era));
        self.shared.changed.notify_all();
    }

    fn grown(&self, size: u64) -> u64 {
        size.saturating_sub(self.shared.snapshots.newest.load(Ordering::Relaxed))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // One that panicked leaves a log without a snapshot, which is none the worse.
            let _ended = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next World to write; none when there will be no more.
    fn next(&self) -> Option<(Arc<World>, Tree, Era)> {
        let idle = |state: &mut State| state.waiting.is_none() && !state.closed;
        let state = self.changed.wait_while(self.state(), idle);
        state.unwrap_or_else(PoisonError::into_inner).waiting.take()
    }
}

fn run(shared: &Shared) {
    while let Some((world, tree, era)) = shared.next() {
        let snapshot = Snapshot { world: World::clone(&world), tree };
        drop(world);
        if let Err(error) = shared.snapshots.write(&snapshot, era) {
            tracing::warn!(%error, "a snapshot cannot be written; the log is none the worse");
        }
    }
}
