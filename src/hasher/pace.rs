//! How long it takes, at the least, to say that a password does not match.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The most that an answer is held back, whatever was measured.
const FLOOR_MAX: Duration = Duration::from_secs(2);

/// What imported hashes have taken so far: a running mean, in microseconds; 0 if none was
/// verified since the start.
#[derive(Default)]
pub(super) struct Pace {
    mean_us: AtomicU64,
}

impl Pace {
    /// Takes down how long a hash of another scheme took. Two at once may lose one of them:
    /// it is a mean.
    pub(super) fn foreign(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let mean = match self.mean_us.load(Ordering::Relaxed) {
            0 => took,
            // What costs more is in the mean at once, what costs less by and by.
            mean if took > mean.saturating_mul(2) => took,
            mean => mean - mean / 16 + took / 16,
        };
        self.mean_us.store(mean.max(1), Ordering::Relaxed);
    }

    /// A quarter above the mean, so that nearly all are below.
    pub(super) fn floor(&self) -> Duration {
        let mean = self.mean_us.load(Ordering::Relaxed);
        Duration::from_micros(mean.saturating_add(mean / 4)).min(FLOOR_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(all: &[u64]) -> u64 {
        let pace = Pace::default();
        for took in all {
            pace.foreign(Duration::from_millis(*took));
        }
        u64::try_from(pace.floor().as_micros()).unwrap()
    }

    #[test]
    fn without_imported_hashes_nothing_is_held_back() {
        assert_eq!(after(&[]), 0);
    }

    #[test]
    fn the_floor_is_a_quarter_above_what_they_take() {
        assert_eq!(after(&[320]), 400_000);
        assert_eq!(after(&[320; 50]), 400_000);
        assert_eq!(after(&[20, 320]), 400_000, "a dearer one counts at once");
        assert!((200_000..400_000).contains(&after(&[320, 160, 160, 160])));
    }

    #[test]
    fn no_measurement_holds_an_answer_back_for_long() {
        assert_eq!(after(&[60_000]), 2_000_000);
    }
}
