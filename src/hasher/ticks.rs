//! Ticks between the kernel's, for as long as a flood is hashed.
//!
//! The scheduler looks who is to run when a thread wakes and at the kernel's own ticks, some
//! 4 ms apart. Between them a hash runs on, however nice it is, beside a thread that was
//! interrupted on the same processor and has had its share for the moment: a decision would
//! wait for it. So on each processor a thread wakes every quarter of a millisecond, does
//! nothing, and has the scheduler look again.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How far apart they are.
const APART: Duration = Duration::from_micros(250);

/// Whether ticks are wanted, for the threads that make them.
#[derive(Default)]
pub(super) struct Ticks {
    /// By how many workers.
    wanted: AtomicUsize,
    closed: AtomicBool,
    sleeping: Mutex<()>,
    changed: Condvar,
}

/// Ticks are wanted until this is dropped.
pub(super) struct Wanted<'a>(&'a Ticks);

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        self.0.wanted.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Ticks {
    /// Has them made for a while.
    pub(super) fn want(&self) -> Wanted<'_> {
        if self.wanted.fetch_add(1, Ordering::Relaxed) == 0 {
            self.wake();
        }
        Wanted(self)
    }

    /// Ends the threads.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// Whether they are wanted now.
    pub(super) fn are_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed) > 0
    }

    /// Makes them while they are wanted, until closed: a thread's life.
    pub(super) fn make(&self) {
        while self.sleep_until_wanted() {
            std::thread::sleep(APART);
        }
    }

    /// Whether they are wanted, not closed.
    fn sleep_until_wanted(&self) -> bool {
        if !self.are_wanted() {
            let sleeping = self.sleeping.lock().unwrap_or_else(PoisonError::into_inner);
            let is_idle = |(): &mut ()| !self.are_wanted() && !self.closed.load(Ordering::Relaxed);
            drop(self.changed.wait_while(sleeping, is_idle));
        }
        !self.closed.load(Ordering::Relaxed)
    }

    /// Under the lock, or a thread that has just looked would sleep through it.
    fn wake(&self) {
        drop(self.sleeping.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }
}

/// The processors to tick on: those that this process may use, where a thread can be bound
/// to one. None if it has a quota of fewer than it sees: ticks on all would use that up.
#[cfg(target_os = "linux")]
pub(super) fn processors() -> Vec<usize> {
    use rustix::thread::{CpuSet, sched_getaffinity};
    let usable = sched_getaffinity(None).unwrap_or_default();
    let all: Vec<_> = (0..CpuSet::MAX_CPU).filter(|it| usable.is_set(*it)).collect();
    // Counts quotas of control groups, too.
    let share = std::thread::available_parallelism().map_or(1, usize::from);
    if share < all.len() { Vec::new() } else { all }
}

/// Elsewhere there are no ticks.
#[cfg(not(target_os = "linux"))]
pub(super) fn processors() -> Vec<usize> {
    Vec::new()
}

/// Binds the calling thread to a processor; where that is refused it ticks somewhere.
///
/// # Source
/// `sched_setaffinity(2)`: without a process it is the calling thread's.
#[cfg(target_os = "linux")]
pub(super) fn bind_to(processor: usize) {
    use rustix::thread::{CpuSet, sched_setaffinity};
    let mut one = CpuSet::new();
    one.set(processor);
    if let Err(error) = sched_setaffinity(None, &one) {
        tracing::debug!(%error, processor, "a thread could not be bound to a processor");
    }
}

/// Elsewhere no thread asks.
#[cfg(not(target_os = "linux"))]
pub(super) fn bind_to(_: usize) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_made_while_anybody_wants_them_and_end_with_the_house() {
        let ticks = Ticks::default();
        let (one, other) = (ticks.want(), ticks.want());
        assert!(ticks.sleep_until_wanted());
        drop(one);
        assert!(ticks.are_wanted() && ticks.sleep_until_wanted());
        drop(other);
        assert!(!ticks.are_wanted());
        std::thread::scope(|scope| {
            let making = scope.spawn(|| ticks.make());
            ticks.close();
            making.join().unwrap();
        });
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn each_processor_of_this_process_has_a_thread_that_stays_on_it() {
        // None under a quota, and then nothing ticks.
        for processor in processors() {
            let bound = std::thread::spawn(move || {
                bind_to(processor);
                processors()
            });
            assert_eq!(bound.join().unwrap(), [processor]);
        }
    }
}
