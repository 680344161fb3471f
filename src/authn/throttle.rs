//! How long the next attempt must wait (SP 800-63B-4 §3.2.2).

use super::Refusal;
use crate::event::ThrottleSettings;
use crate::model::Moment;

/// Whole seconds, rounded up, until another attempt is looked at: 0 if it is now.
/// `failures` are consecutive ones of one authenticator, `failed_at` is the last.
#[must_use]
pub fn wait_s(
    failures: u32,
    failed_at: Option<Moment>,
    now: Moment,
    throttle: &ThrottleSettings,
) -> u64 {
    let delay_s = throttle.delay_s(failures);
    let Some(failed_at) = failed_at.filter(|_| delay_s > 0) else { return 0 };
    let left = failed_at.plus_seconds(delay_s).micros() - now.micros();
    u64::try_from(left).map_or(0, |micros| micros.div_ceil(1_000_000))
}

/// Lets an attempt pass, or says when to come back.
pub(super) fn check(
    failures: u32,
    failed_at: Option<Moment>,
    now: Moment,
    throttle: &ThrottleSettings,
) -> Result<(), Refusal> {
    match wait_s(failures, failed_at, now, throttle) {
        0 => Ok(()),
        retry_after_s => Err(Refusal::Throttled { retry_after_s }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn wait(failures: u32, micros_since: i64) -> u64 {
        let failed_at = Moment::from_micros(1_000 * SECOND);
        let now = Moment::from_micros(1_000 * SECOND + micros_since);
        wait_s(failures, Some(failed_at), now, &ThrottleSettings::default())
    }

    #[test]
    fn the_first_failures_cost_nothing() {
        assert_eq!([0, 1, 2].map(|failures| wait(failures, 0)), [0, 0, 0]);
        assert_eq!(wait_s(9, None, Moment::EPOCH, &ThrottleSettings::default()), 0);
    }

    #[test]
    fn a_wait_is_rounded_up_and_ends_with_its_last_microsecond() {
        assert_eq!(wait(5, 0), 4);
        assert_eq!(wait(5, 1), 4);
        assert_eq!(wait(5, SECOND), 3);
        assert_eq!(wait(5, 4 * SECOND - 1), 1);
        assert_eq!(wait(5, 4 * SECOND), 0);
    }

    #[test]
    fn a_clock_behind_the_log_shortens_no_wait_and_makes_none() {
        assert_eq!(wait(3, -10 * SECOND), 11);
        assert_eq!(wait(2, -10 * SECOND), 0);
    }
}
