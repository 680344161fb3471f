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
use super::urgency::Urgency;
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
    /// queue is for these alone, and in a flood they do not wait for strangers.
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

    /// Whether it is too late to begin.
    fn is_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }
}

/// Which part of the queue strangers do not fill, and which must be filled for a flood.
const KEPT: usize = 8;

/// Jobs in order of arrival, at most `capacity` of them, and fewer of strangers'.
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
        // Not every worker takes every job, so all look.
        self.changed.notify_all();
        Ok(())
    }

    /// Serves the jobs of an urgency, in some memory, until the queue is closed: a worker's
    /// life.
    pub(super) fn work(&self, urgency: Urgency, memory: &mut Memory) {
        let mut rested = Instant::now();
        while let Some(job) = self.take(urgency, rested) {
            let begun = Instant::now();
            self.serve(job, memory);
            rested = Instant::now() + begun.elapsed() * urgency.rest();
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

    /// The next job of an urgency for a worker that will have rested at a time; waits for
    /// one. `None` once closed.
    fn take(&self, urgency: Urgency, rested: Instant) -> Option<Job> {
        let mut state = self.lock();
        while state.open {
            let now = Instant::now();
            let rest = rested.saturating_duration_since(now);
            if rest.is_zero()
                && let Some(place) = self.next(&state.jobs, urgency, now)
            {
                let job = state.jobs.remove(place);
                drop(state);
                // What is left may be of the other urgency now.
                self.changed.notify_all();
                return job;
            }
            // The first may come to have waited too long, which must be said to it.
            let late = state.jobs.front().and_then(|first| first.deadline);
            let late = late.map(|deadline| deadline.saturating_duration_since(now));
            let until = Some(rest).filter(|rest| !rest.is_zero()).or(late);
            state = match until.filter(|until| !until.is_zero()) {
                Some(until) => {
                    let waited = self.changed.wait_timeout(state, until);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        None
    }

    /// Which of those who wait is next. While few wait it is the first, as on a usual day. In
    /// a flood strangers are left to the other workers, but for what has waited too long:
    /// nobody hangs where those get no time at all.
    pub(super) fn next(
        &self,
        jobs: &VecDeque<Job>,
        urgency: Urgency,
        now: Instant,
    ) -> Option<usize> {
        let is_flood = jobs.len() > (self.capacity / KEPT).max(1);
        let first = jobs.front()?;
        match (urgency, is_flood) {
            (Urgency::Usual, false) | (Urgency::Flood, true) => Some(0),
            (Urgency::Flood, false) => None,
            (Urgency::Usual, true) if first.is_late(now) => Some(0),
            (Urgency::Usual, true) => jobs.iter().position(|job| job.whose == Whose::KnownDevices),
        }
    }

    fn serve(&self, job: Job, memory: &mut Memory) {
        if job.is_abandoned() {
            return;
        }
        // Who no longer listens gets no answer: that is not an error here.
        if job.is_late(Instant::now()) {
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
