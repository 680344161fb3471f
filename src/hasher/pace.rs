//! How long it takes, at the least, to say that a password does not match.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::event::PasswordScheme;

/// The most that an answer is held back, whatever was measured.
const FLOOR_MAX: Duration = Duration::from_secs(2);

/// What verifications have taken so far: running means, in microseconds, of our own scheme
/// and of those that were imported; 0 if none was verified since the start.
#[derive(Default)]
pub(super) struct Pace {
    ours_us: AtomicU64,
    imported_us: AtomicU64,
}

impl Pace {
    /// Takes down how long a hash took. Two at once may lose one of them: it is a mean.
    pub(super) fn measured(&self, scheme: PasswordScheme, took: Duration) {
        let mean_us = match scheme {
            PasswordScheme::Argon2id => &self.ours_us,
            PasswordScheme::Argon2i | PasswordScheme::Bcrypt => &self.imported_us,
        };
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let mean = match mean_us.load(Ordering::Relaxed) {
            0 => took,
            // What costs much more counts at once, what costs less by and by.
            mean if took > mean.saturating_mul(4) => took,
            mean => mean - mean / 16 + took / 16,
        };
        mean_us.store(mean.max(1), Ordering::Relaxed);
    }

    /// A quarter above the slower of the means, so that nearly all are below.
    pub(super) fn floor(&self) -> Duration {
        let [ours, imported] =
            [&self.ours_us, &self.imported_us].map(|mean_us| mean_us.load(Ordering::Relaxed));
        let mean = ours.max(imported);
        Duration::from_micros(mean.saturating_add(mean / 4)).min(FLOOR_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PasswordScheme::{Argon2id, Bcrypt};

    fn after(all: &[(PasswordScheme, u64)]) -> u64 {
        let pace = Pace::default();
        for (scheme, took) in all {
            pace.measured(*scheme, Duration::from_millis(*took));
        }
        u64::try_from(pace.floor().as_micros()).unwrap()
    }

    #[test]
    fn the_floor_is_a_quarter_above_what_the_slower_take() {
        assert_eq!(after(&[]), 0);
        assert_eq!(after(&[(Argon2id, 24)]), 30_000);
        assert_eq!(after(&[(Bcrypt, 320), (Argon2id, 24)]), 400_000);
        assert_eq!(after(&[(Bcrypt, 320); 50]), 400_000);
        assert_eq!(after(&[(Bcrypt, 20), (Bcrypt, 320)]), 400_000, "a dearer one counts at once");
        assert!((200_000..400_000).contains(&after(&[(Bcrypt, 320), (Bcrypt, 160)])));
    }

    #[test]
    fn no_measurement_holds_an_answer_back_for_long() {
        assert_eq!(after(&[(Argon2id, 60_000)]), 2_000_000);
    }
}
