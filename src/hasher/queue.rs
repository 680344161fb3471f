//! The bounded queue between those who wait and the threads that work.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::HasherError;
use super::memory::Memory;
use super::recipe::Recipe;
use crate::model::Password;

/// A tag to compute, and who waits for it.
pub(super) struct Job {
    pub(super) password: Password,
    pub(super) salt: Vec<u8>,
    pub(super) recipe: Recipe,
    pub(super) tag_bytes: usize,
    /// When it is too late to begin; `None` is never.
    pub(super) deadline: Option<Instant>,
    /// Who waits.
    pub(super) whose: Whose,
    pub(super) answer: oneshot::Sender<Result<Computed, HasherError>>,
}

/// Who waits for a password to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Anybody.
    Anybodys,
    /// Somebody on a device that has logged in to this password before. An eighth of the
    /// queue is for these alone, and they are served while a worker rests from strangers.
    KnownDevices,
}

/// A tag, and how long it took to compute, the time in the queue apart.
pub(super) struct Computed {
    pub(super) tag: Zeroizing<Vec<u8>>,
    pub(super) took: Duration,
}

impl Job {
    /// Whether nobody waits any more, for instance because the client hung up.
    fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }
}

/// Which part of the queue strangers do not fill.
const KEPT: usize = 8;

/// How long a worker rests at most.
const REST_MAX: Duration = Duration::from_millis(500);

/// Jobs in order of arrival, at most `capacity` of them, and fewer of strangers'.
///
/// While more than half of that wait it is a flood. Then a worker rests after each of
/// strangers' jobs for as long as it took, so that a flood has half of its time and decisions
/// find a processor.
pub(super) struct Queue {
    capacity: usize,
    state: Mutex<State>,
    changed: Condvar,
    computed: AtomicU64,
}

struct State {
    jobs: VecDeque<Job>,
    open: bool,
}

impl Queue {
    pub(super) fn of(capacity: usize) -> Self {
        Self {
            capacity,
            state: Mutex::new(State { jobs: VecDeque::with_capacity(capacity), open: true }),
            changed: Condvar::new(),
            computed: AtomicU64::new(0),
        }
    }

    /// Puts a job at the end, never waiting for room. When full for its kind, jobs that
    /// nobody waits for make room first, so that hanging up is no way to keep
    /// others out.
    ///
    /// # Errors
    /// [`HasherError::Busy`] if full, [`HasherError::Stopped`] if closed.
    pub(super) fn offer(&self, job: Job) -> Result<(), HasherError> {
        let mut state = self.lock();
        if !state.open {
            return Err(HasherError::Stopped);
        }
        let capacity = match job.whose {
            Whose::Anybodys => self.capacity - self.capacity / KEPT,
            Whose::KnownDevices => self.capacity,
        };
        if state.jobs.len() >= capacity {
            state.jobs.retain(|job| !job.is_abandoned());
        }
        if state.jobs.len() >= capacity {
            return Err(HasherError::Busy);
        }
        state.jobs.push_back(job);
        drop(state);
        // Who rests does not take every job, so all look.
        self.changed.notify_all();
        Ok(())
    }

    /// Serves jobs in some memory until the queue is closed: a worker's life.
    pub(super) fn work(&self, memory: &mut Memory) {
        let mut rested = Instant::now();
        while let Some(job) = self.take(rested) {
            let (whose, begun) = (job.whose, Instant::now());
            self.serve(job, memory);
            if whose == Whose::Anybodys {
                rested = Instant::now() + begun.elapsed().min(REST_MAX);
            }
        }
    }

    /// Lets every worker finish and forgets the jobs that have not begun.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.open = false;
        state.jobs.clear();
        drop(state);
        self.changed.notify_all();
    }

    pub(super) fn len(&self) -> usize {
        self.lock().jobs.len()
    }

    pub(super) fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    /// The next job for a worker that will have rested at a time; waits for one. `None` once
    /// closed.
    fn take(&self, rested: Instant) -> Option<Job> {
        let mut state = self.lock();
        while state.open {
            let rest = rested.saturating_duration_since(Instant::now());
            if let Some(place) = self.next(&state.jobs, rest.is_zero()) {
                return state.jobs.remove(place);
            }
            state = if state.jobs.is_empty() {
                self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else {
                let waited = self.changed.wait_timeout(state, rest);
                waited.unwrap_or_else(PoisonError::into_inner).0
            };
        }
        None
    }

    /// Which of those who wait is next, if it is not a rest.
    pub(super) fn next(&self, jobs: &VecDeque<Job>, has_rested: bool) -> Option<usize> {
        let is_flood = jobs.len() > self.capacity.div_ceil(2);
        if has_rested || !is_flood {
            return (!jobs.is_empty()).then_some(0);
        }
        jobs.iter().position(|job| job.whose == Whose::KnownDevices)
    }

    fn serve(&self, job: Job, memory: &mut Memory) {
        if job.is_abandoned() {
            return;
        }
        // Who no longer listens gets no answer: that is not an error here.
        if job.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            drop(job.answer.send(Err(HasherError::Busy)));
            return;
        }
        let (begun, password) = (Instant::now(), job.password.expose().as_bytes());
        let tag = memory.tag(job.recipe, password, &job.salt, job.tag_bytes);
        self.computed.fetch_add(1, Ordering::Relaxed);
        drop(job.answer.send(tag.map(|tag| Computed { tag, took: begun.elapsed() })));
    }

    /// A worker that panicked leaves the list of jobs whole, so it is used on.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
