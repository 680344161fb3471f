//! The only source of time. Everything else is told what time it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::Utc;

use crate::model::Moment;

/// Tells the time. The server's own clock is the only one believed (ASVS 6.5.8);
/// it may step back, so nothing that must not repeat may depend on it alone.
pub trait Clock: Send + Sync {
    /// The time now, in UTC to the microsecond.
    fn now(&self) -> Moment;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment::from(Utc::now())
    }
}

/// A clock that stands still until told otherwise, for tests and rehearsals.
/// Clones are one clock.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that stands at a moment.
    #[must_use]
    pub fn at(moment: Moment) -> Self {
        Self(Arc::new(AtomicI64::new(moment.micros())))
    }

    /// Puts it to a moment, earlier or later.
    pub fn set(&self, moment: Moment) {
        self.0.store(moment.micros(), Ordering::SeqCst);
    }

    /// Moves it on by whole seconds, at most to the year 9999.
    pub fn advance(&self, seconds: u64) {
        self.set(self.now().plus_seconds(seconds));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        Moment::from_micros(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told_and_for_everyone() {
        let noon: Moment = "2026-11-22T12:00:00Z".parse().unwrap();
        let clock = ManualClock::at(noon);
        let same = clock.clone();
        assert_eq!(same.now(), noon);
        clock.advance(30);
        assert_eq!(same.now(), noon.plus_seconds(30));
        same.set(Moment::EPOCH);
        assert_eq!(clock.now(), Moment::EPOCH);
    }

    #[test]
    fn the_system_clock_is_past_the_day_this_was_written() {
        assert!(SystemClock.now() > "2026-11-22T00:00:00Z".parse().unwrap());
    }
}
