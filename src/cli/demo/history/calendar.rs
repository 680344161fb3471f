//! The quarter: its days, and at what times of them who is at work.

use crate::model::Moment;

/// How many days the history covers.
pub(super) const DAYS: u64 = 90;

const DAY_S: u64 = 86_400;
const HOUR_S: u64 = 3_600;

/// When something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hours {
    /// From Monday to Friday between eight and six, mostly around one o'clock.
    Office,
    /// Day and night, mostly by day, and half as much at weekends.
    Always,
    /// Between one and four at night.
    Night,
}

/// Ninety days up to a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quarter {
    begins: Moment,
}

impl Quarter {
    /// The one that ends at a moment.
    pub(super) fn until(end: Moment) -> Self {
        Self { begins: end.minus_seconds(DAYS * DAY_S) }
    }

    /// Its first moment.
    pub(super) const fn begins(self) -> Moment {
        self.begins
    }

    /// A time of a day, from 0, in seconds after the day's beginning.
    pub(super) fn at(self, day: u64, second: u64) -> Moment {
        self.begins.plus_seconds(day * DAY_S + second)
    }

    /// True on Saturdays and Sundays.
    pub(super) fn is_weekend(self, day: u64) -> bool {
        // 1970-01-01 was a Thursday.
        (self.at(day, 0).seconds() / DAY_S + 3) % 7 >= 5
    }

    /// Draws a moment within the hours, on one of some days, from 0.
    pub(super) fn draw(self, hours: Hours, (first, end): (u64, u64), dice: &mut Dice) -> Moment {
        let mut day = first + dice.below(end - first);
        let again = match hours {
            Hours::Office => usize::MAX,
            Hours::Always => usize::from(dice.below(2) == 0),
            Hours::Night => 0,
        };
        for _ in 0..again {
            if !self.is_weekend(day) {
                break;
            }
            day = first + dice.below(end - first);
        }
        // The sum of two throws lies in the middle more often than at the edges.
        let mut humped = |span: u64| dice.below(span / 2) + dice.below(span / 2);
        let second = match hours {
            Hours::Office => 8 * HOUR_S + humped(10 * HOUR_S),
            Hours::Always => humped(DAY_S),
            Hours::Night => HOUR_S + humped(3 * HOUR_S),
        };
        // The log is founded in the first minutes of the first day.
        self.at(day, second).max(self.at(0, HOUR_S))
    }
}

/// Throws that are the same for the same seed, and open no secret: no key, token or id
/// comes from here (`SplitMix64`; Steele, Lea and Flood, OOPSLA 2014).
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// Begins from a seed.
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`, which is above 0.
    pub(super) const fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    /// One of some.
    pub(super) fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let at = self.below((all.len() as u64).max(1));
        all.get(usize::try_from(at).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn office_hours_are_on_weekdays_between_eight_and_six() {
        let quarter = Quarter::until("2026-11-01T00:00:00Z".parse().unwrap());
        let mut dice = Dice::new(3);
        for _ in 0..500 {
            let at = quarter.draw(Hours::Office, (0, DAYS), &mut dice);
            let days = (at.seconds() - quarter.begins().seconds()) / DAY_S;
            assert!(days < DAYS && !quarter.is_weekend(days), "{at}");
            assert!((8..18).contains(&(at.seconds() % DAY_S / HOUR_S)), "{at}");
        }
    }

    #[test]
    fn the_first_of_november_2026_is_a_sunday() {
        let quarter = Quarter::until("2026-11-02T00:00:00Z".parse().unwrap());
        let weekend: Vec<_> = (DAYS - 8..DAYS).map(|day| quarter.is_weekend(day)).collect();
        assert_eq!(weekend, [true, false, false, false, false, false, true, true]);
    }

    #[test]
    fn the_same_seed_throws_the_same() {
        let thrown = |seed| {
            let mut dice = Dice::new(seed);
            [0; 8].map(|_| dice.below(1_000))
        };
        assert_eq!(thrown(1), thrown(1));
        assert_ne!(thrown(1), thrown(2));
    }
}
