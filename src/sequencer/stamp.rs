//! Ids that only grow and times that never shrink, whatever the clock does.

use uuid::{Builder, Uuid};

use crate::entropy::{Entropy, NoEntropy};
use crate::model::Moment;

/// Gives each event its id and time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamper {
    last: Option<(Moment, Uuid)>,
}

impl Stamper {
    /// Goes on after the newest event.
    pub(super) const fn after(last: Option<(Moment, Uuid)>) -> Self {
        Self { last }
    }

    /// The next time and id: a UUIDv7 (RFC 9562 §5.7) above all before, by method 2
    /// of §6.2 (monotonic random) where the millisecond is the same.
    pub(super) fn next(&mut self, now: Moment, random: &Random) -> (Moment, Uuid) {
        let time = self.last.map_or(now, |(last, _)| last.max(now));
        let fresh = Builder::from_unix_timestamp_millis(time.millis(), random).into_uuid();
        let id = match self.last {
            Some((_, last)) if fresh <= last => above(last, random),
            _ => fresh,
        };
        self.last = Some((time, id));
        (time, id)
    }
}

/// What an id has of chance.
pub(super) type Random = [u8; 10];

/// Draws it for several ids at once: one call of the operating system for all.
pub(super) fn random(entropy: &dyn Entropy, ids: usize) -> Result<Vec<Random>, NoEntropy> {
    let mut drawn = vec![Random::default(); ids];
    entropy.fill(drawn.as_flattened_mut())?;
    Ok(drawn)
}

/// A UUIDv7 a random step above `last`; where the random part runs over, the next
/// millisecond begins.
fn above(last: Uuid, random: &Random) -> Uuid {
    const RANDOM_BITS: u32 = 62;
    let low_mask = (1_u128 << RANDOM_BITS) - 1;
    let step = u128::from(u32::from_be_bytes([0, random[0], random[1], random[2]])) + 1;
    let low = (last.as_u128() & low_mask) + step;
    if low <= low_mask {
        return Uuid::from_u128(last.as_u128() & !low_mask | low);
    }
    let millis = u64::try_from(last.as_u128() >> 80).unwrap_or(u64::MAX).saturating_add(1);
    Builder::from_unix_timestamp_millis(millis, random).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;
    use proptest::prelude::*;

    proptest! {
        /// Law: whatever the clock says, ids grow and times do not shrink.
        #[test]
        fn ids_grow_whatever_the_clock_does(
            clock in prop::collection::vec(0_i64..5_000, 1..60), seed in any::<u64>(),
        ) {
            let entropy = SeededEntropy::new(seed);
            let mut stamper = Stamper::after(None);
            let mut last = None;
            let random = random(&entropy, clock.len()).unwrap();
            for (millis, random) in clock.into_iter().zip(&random) {
                let now = Moment::from_micros(millis * 1_000);
                let (time, id) = stamper.next(now, random);
                prop_assert_eq!(id.get_version_num(), 7);
                prop_assert!(last < Some((time, id)) && last.is_none_or(|(_, was)| was < id));
                last = Some((time, id));
            }
        }
    }

    #[test]
    fn a_random_part_that_runs_over_begins_the_next_millisecond() {
        let full = Uuid::from_u128((5_u128 << 80) | 0x7fff_bfff_ffff_ffff_ffff);
        let next = above(full, &[1; 10]);
        assert!(next > full && next.get_version_num() == 7);
    }
}
