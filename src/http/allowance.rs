//! How much may be asked for, by all and by each network. In memory alone.

use std::collections::HashMap;

use crate::authn::Refusal;
use crate::model::{Digest, Moment};

/// How many networks are told apart; beyond it further ones are limited together with all.
pub const SOURCES_MAX: usize = 8_192;

/// How fast an allowance comes back, and how much of it there may be.
#[derive(Clone, Copy)]
pub struct Rate {
    /// How many tokens come back.
    pub tokens: u64,
    /// In how many seconds.
    pub per_s: u64,
    /// How many there are at most.
    pub most: u64,
}

impl Rate {
    /// The microseconds in which one token comes back.
    fn micros(&self) -> i64 {
        let micros = self.per_s * 1_000_000 / self.tokens.max(1);
        i64::try_from(micros).unwrap_or(i64::MAX).max(1)
    }
}

/// A token bucket, by the moment at which it will be whole again (the generic cell rate
/// algorithm): no memory of the past but that.
#[derive(Clone, Copy, Default)]
pub struct Allowance {
    whole_at: Option<Moment>,
}

impl Allowance {
    /// Takes one token, or says when there is one.
    ///
    /// # Errors
    /// [`Refusal::Throttled`].
    pub fn spend(&mut self, now: Moment, rate: &Rate) -> Result<(), Refusal> {
        let whole_at = self.whole_at.unwrap_or(now).max(now).micros() + rate.micros();
        let most = i64::try_from(rate.most).unwrap_or(i64::MAX).saturating_mul(rate.micros());
        let excess = whole_at - now.micros() - most;
        if excess > 0 {
            let retry_after_s = u64::try_from(excess).unwrap_or_default().div_ceil(1_000_000);
            return Err(Refusal::Throttled { retry_after_s });
        }
        self.whole_at = Some(Moment::from_micros(whole_at));
        Ok(())
    }

    fn is_whole(&self, now: Moment) -> bool {
        self.whole_at.is_none_or(|at| at <= now)
    }
}

/// What each network may ask for, found by its keyed hash.
pub struct Sources {
    each: HashMap<Digest, Allowance>,
    rate: Rate,
    swept_at: Option<Moment>,
}

impl Sources {
    /// So much for each.
    pub fn of(rate: Rate) -> Self {
        Self { each: HashMap::new(), rate, swept_at: None }
    }

    /// Takes one token of a network's. One for which there is no room has no limit of its
    /// own.
    ///
    /// # Errors
    /// [`Refusal::Throttled`].
    pub fn spend(&mut self, source: Digest, now: Moment) -> Result<(), Refusal> {
        if !self.each.contains_key(&source) && !self.make_room(now) {
            return Ok(());
        }
        let rate = self.rate;
        self.each.entry(source).or_default().spend(now, &rate)
    }

    /// Forgets the networks that have been quiet, at most once a second; false if there is
    /// no room even so.
    fn make_room(&mut self, now: Moment) -> bool {
        if self.each.len() < SOURCES_MAX {
            return true;
        }
        if self.swept_at.is_none_or(|at| now.seconds_since(at) >= 1) {
            self.swept_at = Some(now);
            self.each.retain(|_, allowance| !allowance.is_whole(now));
        }
        self.each.len() < SOURCES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Moment {
        Moment::from_micros(1_000_000_000 + micros)
    }

    const SECOND: i64 = 1_000_000;

    #[test]
    fn an_allowance_is_spent_at_once_and_comes_back_one_by_one() {
        let rate = Rate { tokens: 2, per_s: 1, most: 3 };
        let mut allowance = Allowance::default();
        for _ in 0..3 {
            assert_eq!(allowance.spend(at(0), &rate), Ok(()));
        }
        let wait = Err(Refusal::Throttled { retry_after_s: 1 });
        assert_eq!(allowance.spend(at(0), &rate), wait);
        assert_eq!(allowance.spend(at(SECOND / 2 - 1), &rate), wait);
        assert_eq!(allowance.spend(at(SECOND / 2), &rate), Ok(()));
        assert_eq!(allowance.spend(at(SECOND / 2), &rate), wait);
        assert!(!allowance.is_whole(at(SECOND)));
        assert!(allowance.is_whole(at(2 * SECOND)));
    }

    /// Goal: however many networks an attacker has, the table of them stays as it is.
    #[test]
    fn the_table_of_networks_is_bounded() {
        let mut sources = Sources::of(Rate { tokens: 2, per_s: 60, most: 2 });
        let of = |number: u32| Digest::of(number.to_be_bytes());
        for source in 0..10_000 {
            assert_eq!(sources.spend(of(source), at(0)), Ok(()));
        }
        assert_eq!(sources.each.len(), SOURCES_MAX);
        assert_eq!(sources.spend(of(20_000), at(60 * SECOND)), Ok(()));
        assert_eq!(sources.each.len(), 1, "the quiet ones are forgotten");
    }
}
