//! The bounded queue between those who wait and the threads that work.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::HasherError;
use super::memory::Memory;
use super::ticks::Ticks;

/// What waits for a worker.
pub(super) struct Job {
    /// When it is too late to begin; `None` is never.
    pub(super) deadline: Option<Instant>,
    /// Who waits.
    pub(super) whose: Whose,
    pub(super) work: Box<dyn Work>,
}

/// Who waits for a password to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Anybody.
    Anybodys,
    /// Somebody who has shown something already: a device that has logged in to this password
    /// before, a session, an invitation. An eighth of the queue is for these alone, and they
    /// are served while a worker rests from strangers.
    Known,
}

/// Something to be done in a worker's memory, and who waits for what comes of it.
pub(super) trait Work: Send {
    /// Whether nobody waits any more, for instance because the client hung up.
    fn is_abandoned(&self) -> bool;
    /// Answers without doing it.
    fn refuse(self: Box<Self>, why: HasherError);
    /// Does it and answers.
    fn perform(self: Box<Self>, memory: &mut Memory);
}

/// Work that a closure does, whose answer goes to a channel. Who no longer listens gets
/// none: that is not an error here.
pub(super) struct Asked<F, T> {
    pub(super) compute: F,
    pub(super) answer: oneshot::Sender<Result<T, HasherError>>,
}

impl<F, T> Work for Asked<F, T>
where
    F: FnOnce(&mut Memory) -> Result<T, HasherError> + Send,
    T: Send,
{
    fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    fn refuse(self: Box<Self>, why: HasherError) {
        drop(self.answer.send(Err(why)));
    }

    fn perform(self: Box<Self>, memory: &mut Memory) {
        let Self { compute, answer } = *self;
        drop(answer.send(compute(memory)));
    }
}

/// Which part of the queue strangers do not fill.
const KEPT: usize = 8;

/// How many times as long as it worked a worker rests.
const REST: u32 = 2;

/// How long it rests at most.
const REST_MAX: Duration = Duration::from_millis(500);

/// Jobs in order of arrival, at most `capacity` of them, and fewer of strangers'.
///
/// While more than half of that wait it is a flood. Then a worker rests after each of
/// strangers' jobs for twice as long as it took, so that a flood has a third of its time and
/// decisions find a processor; and during these jobs processors tick faster.
pub(super) struct Queue {
    capacity: usize,
    state: Mutex<State>,
    changed: Condvar,
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
            Whose::Known => self.capacity,
        };
        if state.jobs.len() >= capacity {
            state.jobs.retain(|job| !job.work.is_abandoned());
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
    pub(super) fn work(&self, memory: &mut Memory, ticks: &Ticks) {
        let mut rested = Instant::now();
        while let Some((job, is_flood)) = self.take(rested) {
            let (whose, begun) = (job.whose, Instant::now());
            let ticks = (is_flood && whose == Whose::Anybodys).then(|| ticks.want());
            serve(job, memory);
            drop(ticks);
            if whose == Whose::Anybodys {
                rested = Instant::now() + (begun.elapsed() * REST).min(REST_MAX);
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

    /// The next job for a worker that will have rested at a time; waits for one. `None` once
    /// closed.
    fn take(&self, rested: Instant) -> Option<(Job, bool)> {
        let mut state = self.lock();
        while state.open {
            let rest = rested.saturating_duration_since(Instant::now());
            if let Some(place) = self.next(&state.jobs, rest.is_zero()) {
                let is_flood = self.is_flood(&state.jobs);
                return state.jobs.remove(place).map(|job| (job, is_flood));
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
        if has_rested || !self.is_flood(jobs) {
            return (!jobs.is_empty()).then_some(0);
        }
        jobs.iter().position(|job| job.whose == Whose::Known)
    }

    fn is_flood(&self, jobs: &VecDeque<Job>) -> bool {
        jobs.len() > self.capacity.div_ceil(2)
    }

    /// A worker that panicked leaves the list of jobs whole, so it is used on.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(Job { deadline, work, .. }: Job, memory: &mut Memory) {
    if work.is_abandoned() {
        return;
    }
    if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
        return work.refuse(HasherError::Busy);
    }
    // A defect in one job must not end the worker for all the others. Whoever waits for it
    // finds its answer gone; the memory is filled anew and wiped with the next.
    drop(catch_unwind(AssertUnwindSafe(|| work.perform(memory))));
}
