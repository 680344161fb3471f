//! Wakes a write that sled has forgotten.
//!
//! When sled 0.34.7 cannot write a buffer it notes that, but one of the two places that
//! write (`Log::exit_reservation`) wakes nobody who waits for that buffer in `flush`: now
//! and then the one writer would wait for ever on a disk that has failed, and everybody
//! else for it. Any other call of `flush` finds what was noted and wakes all who wait. So
//! a write that takes longer than a disk does is followed by such a call.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// After how long a write is woken, at least; at most twice that. A healthy disk takes
/// milliseconds, and waking one that is only slow does no harm.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// A thread that looks after one writer. Dropping it ends the thread.
pub(super) struct Watch {
    /// Odd while something is being written.
    turns: Arc<AtomicU64>,
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins to watch; `wake` is called for a write that takes longer than `patience`,
    /// again and again until it ends.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub(super) fn start(patience: Duration, wake: impl Fn() + Send + 'static) -> io::Result<Self> {
        let turns = Arc::new(AtomicU64::new(0));
        let (end, ended) = channel();
        let seen = Arc::clone(&turns);
        let watch = move || run(&seen, &ended, patience, wake);
        let thread = Builder::new().name("watch".to_owned()).spawn(watch)?;
        Ok(Self { turns, end: Some(end), thread: Some(thread) })
    }

    /// Does what is watched, which must not unwind. One at a time.
    pub(super) fn over<R>(&self, write: impl FnOnce() -> R) -> R {
        self.turns.fetch_add(1, Ordering::AcqRel);
        let result = write();
        self.turns.fetch_add(1, Ordering::AcqRel);
        result
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

fn run(turns: &AtomicU64, ended: &Receiver<()>, patience: Duration, wake: impl Fn()) {
    let mut before = 0;
    while ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
        let now = turns.load(Ordering::Acquire);
        if now == before && !now.is_multiple_of(2) {
            wake();
        }
        before = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_waits_is_woken_and_no_other() {
        let (call, called) = channel();
        let watch = Watch::start(Duration::from_millis(1), move || {
            let _gone = call.send(());
        })
        .unwrap();
        for _ in 0..3 {
            watch.over(|| called.recv().unwrap());
        }
        drop(watch); // Nobody calls after this.
        assert!(called.iter().count() < 10, "a write that had ended was woken");
    }

    #[test]
    fn the_end_does_not_wait_for_patience() {
        let watch = Watch::start(Duration::from_secs(3_600), || {}).unwrap();
        assert_eq!(watch.over(|| 7), 7);
    }
}
