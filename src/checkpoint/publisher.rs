//! The thread that publishes checkpoints: at once when it is quiet, at most every second
//! under load, and the last one before it ends.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::{CheckpointFile, CheckpointFileError, size_of};

/// The shortest time between two publications: each costs two syncs of a disk.
const PAUSE: Duration = Duration::from_secs(1);

/// Takes signed checkpoints from the writer without making it wait, and keeps the newest
/// in a file. Dropping it publishes what is left to publish.
pub struct Publisher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    newest: Option<Arc<str>>,
    waiting: Option<Arc<str>>,
    published: Option<Arc<str>>,
    failure: Option<String>,
    closed: bool,
}

impl Publisher {
    /// Publishes to a file; what it holds counts as published.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub fn start(file: CheckpointFile, published: Option<String>) -> io::Result<Self> {
        let mut publisher = Self::nowhere();
        publisher.shared.state().published = published.map(Arc::from);
        let shared = Arc::clone(&publisher.shared);
        let write = move || run(&shared, |note| file.write(note));
        publisher.thread = Some(Builder::new().name("publisher".to_owned()).spawn(write)?);
        Ok(publisher)
    }

    /// Publishes nothing, for a log in memory.
    #[must_use]
    pub fn nowhere() -> Self {
        Self { shared: Arc::default(), thread: None }
    }

    /// Takes the checkpoint of a group that is durable. Never waits for the disk.
    pub fn offer(&self, note: Arc<str>) {
        let mut state = self.shared.state();
        state.newest = Some(Arc::clone(&note));
        state.waiting = Some(note);
        drop(state);
        self.shared.changed.notify_all();
    }

    /// The newest checkpoint that is published, durably.
    #[must_use]
    pub fn published(&self) -> Option<Arc<str>> {
        self.shared.state().published.clone()
    }

    /// The newest checkpoint of a durable group, published or about to be.
    #[must_use]
    pub fn newest(&self) -> Option<Arc<str>> {
        self.shared.state().newest.clone()
    }

    /// Waits until a checkpoint for at least so many entries is published, or publishing
    /// has failed; true if it is. Blocks for little more than a second.
    #[must_use]
    pub fn wait_for(&self, size: u64) -> bool {
        let there = |state: &State| {
            state.published.as_deref().and_then(size_of).is_some_and(|published| published >= size)
        };
        let waiting = |state: &mut State| {
            !there(state) && state.failure.is_none() && state.newest.is_some() && !state.closed
        };
        let waited =
            self.shared.changed.wait_timeout_while(self.shared.state(), 3 * PAUSE, waiting);
        there(&waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    /// Why the newest checkpoint could not be published, while that is so.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.shared.state().failure.clone()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // One that panicked has published what it could.
            let _ended = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next checkpoint to publish; none when there will be no more.
    fn next(&self) -> Option<Arc<str>> {
        let idle = |state: &mut State| state.waiting.is_none() && !state.closed;
        let state = self.changed.wait_while(self.state(), idle);
        state.unwrap_or_else(PoisonError::into_inner).waiting.take()
    }

    fn pause(&self) {
        let state = self.state();
        let _timed = self.changed.wait_timeout_while(state, PAUSE, |state| !state.closed);
    }
}

fn run(shared: &Shared, write: impl Fn(&str) -> Result<(), CheckpointFileError>) {
    while let Some(note) = shared.next() {
        let outcome = write(&note);
        let mut state = shared.state();
        match outcome {
            Ok(()) => {
                state.published = Some(note);
                state.failure = None;
            }
            Err(error) => {
                tracing::error!(%error, "the checkpoint cannot be published; trying again");
                state.failure = Some(error.to_string());
                if !state.closed {
                    state.waiting.get_or_insert(note);
                }
            }
        }
        drop(state);
        shared.changed.notify_all();
        shared.pause();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_offered_last_is_published_before_the_end() {
        let ground = tempfile::tempdir().unwrap();
        let file = CheckpointFile::at(ground.path().join("checkpoint"));
        let publisher = Publisher::start(file.clone(), Some("0\n".to_owned())).unwrap();
        assert_eq!(publisher.published().as_deref(), Some("0\n"));
        for number in 1..200 {
            publisher.offer(Arc::from(format!("{number}\n")));
        }
        drop(publisher);
        assert_eq!(file.read().unwrap().as_deref(), Some("199\n"));
    }

    #[test]
    fn a_failure_is_told_and_the_end_does_not_wait_for_ever() {
        let ground = tempfile::tempdir().unwrap();
        let file = CheckpointFile::at(ground.path().join("nowhere").join("checkpoint"));
        let publisher = Publisher::start(file, None).unwrap();
        publisher.offer(Arc::from("1\n"));
        let untold = |state: &mut State| state.failure.is_none();
        let state = publisher.shared.changed.wait_while(publisher.shared.state(), untold);
        drop(state.unwrap());
        assert!(publisher.failure().unwrap().contains("nowhere"));
        assert_eq!(publisher.published(), None);
    }
}
