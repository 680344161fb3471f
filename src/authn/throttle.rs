//! How long the next attempt must wait (SP 800-63B-4 §3.2.2).
//!
//! Failed passwords are counted twice. With the password itself, whoever gave them: at the
//! limit it is disabled. And in buckets, which slow the next attempt down: a stranger's in
//! that of the name and the network he comes from, and in that of the name and all
//! strangers, which begins to delay later; a known device's in a bucket of its own, so that
//! no stranger can slow down the person whose device it is. Names that nobody has are
//! counted in the same buckets in the same way.

use super::Refusal;
use crate::event::ThrottleSettings;
use crate::model::{Digest, Moment};
use crate::projection::World;

/// How many times as many failures all strangers together have free.
const STRANGERS: u32 = 10;

/// Where an attempt at a password comes from, all of it as keyed hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approach {
    /// Of the name as typed.
    pub name_tag: Digest,
    /// Of the network.
    pub source: Digest,
    /// Of the device, if the person has logged in from it before, by this password.
    pub device: Option<Digest>,
}

impl Approach {
    /// The bucket that this approach has to itself.
    #[must_use]
    pub fn own_bucket(&self) -> Digest {
        match &self.device {
            Some(device) => self.bucket(b"device", device),
            None => self.bucket(b"source", &self.source),
        }
    }

    /// The buckets that its failures count in.
    #[must_use]
    pub fn buckets(&self) -> Vec<Digest> {
        std::iter::once(self.own_bucket()).chain(self.shared_bucket()).collect()
    }

    fn shared_bucket(&self) -> Option<Digest> {
        self.device.is_none().then(|| self.bucket(b"strangers", &self.name_tag))
    }

    fn bucket(&self, kind: &[u8], of: &Digest) -> Digest {
        let (name, of) = (self.name_tag.as_bytes().as_slice(), of.as_bytes().as_slice());
        Digest::of_parts([kind, name, of])
    }

    /// Whole seconds until an attempt from here is looked at: 0 if it is now.
    #[must_use]
    pub fn wait_s(&self, world: &World, now: Moment) -> u64 {
        let throttle = &world.settings.throttle;
        let wait = |key: Digest, throttle: &ThrottleSettings| {
            let bucket = world.identities.buckets().get(&key);
            bucket.map_or(0, |it| wait_s(it.failures, Some(it.failed_at), now, throttle))
        };
        let patient = ThrottleSettings {
            failures_free: throttle.failures_free.max(1).saturating_mul(STRANGERS),
            ..throttle.clone()
        };
        let shared = self.shared_bucket().map_or(0, |key| wait(key, &patient));
        wait(self.own_bucket(), throttle).max(shared)
    }

    /// Lets an attempt pass, or says when to come back.
    pub(super) fn check(&self, world: &World, now: Moment) -> Result<(), Refusal> {
        match self.wait_s(world, now) {
            0 => Ok(()),
            retry_after_s => Err(Refusal::Throttled { retry_after_s }),
        }
    }
}

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
    use crate::authn::fixture::{Story, tag};
    use crate::authn::login;

    const SECOND: i64 = 1_000_000;

    fn wait(failures: u32, micros_since: i64) -> u64 {
        let failed_at = Moment::from_micros(1_000 * SECOND);
        let now = Moment::from_micros(1_000 * SECOND + micros_since);
        wait_s(failures, Some(failed_at), now, &ThrottleSettings::default())
    }

    fn from(source: u8, device: Option<u8>) -> Approach {
        let name_tag = Digest::of("a name");
        let device = device.map(|device| Digest::of([b'd', device]));
        Approach { name_tag, source: Digest::of([b's', source]), device }
    }

    /// The World after so many failures of each of these, a second apart, and the time.
    fn after(failed: &[(Approach, u32)]) -> (World, Moment) {
        let mut story = Story::new();
        for (from, times) in failed {
            for _ in 0..*times {
                story.pass(1);
                let from = Approach { name_tag: tag("nobody"), ..*from };
                let attempt = login::Attempt { from, person: None, credential: None };
                let refused = login::refused(&story.world, &attempt);
                story.facts(&refused);
            }
        }
        (story.world, story.now)
    }

    fn waits(failed: &[(Approach, u32)], then: &[Approach]) -> Vec<u64> {
        let (world, now) = after(failed);
        let wait =
            |from: &Approach| Approach { name_tag: tag("nobody"), ..*from }.wait_s(&world, now);
        then.iter().map(wait).collect()
    }

    /// Goal: who has failed waits; others wait only once strangers have failed ten times as
    /// often, and a known device never for them.
    #[test]
    fn a_delay_is_of_a_place_or_of_all_strangers_but_not_of_a_known_device() {
        let (here, there, own, other) =
            (from(1, None), from(2, None), from(1, Some(1)), from(1, Some(2)));
        let all = [here, there, own, other];
        assert_eq!(waits(&[(here, 5)], &all), [4, 0, 0, 0]);
        assert_eq!(waits(&[(own, 5)], &all), [0, 0, 4, 0]);
        let many: Vec<_> = (10..40).map(|source| (from(source, None), 1)).collect();
        assert_eq!(waits(&many, &all), [1, 1, 0, 0]);
        assert_eq!(waits(&[&many[..], &[(here, 5)]].concat(), &all), [32, 32, 0, 0]);
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
