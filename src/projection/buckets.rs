//! Failed logins that slow the next one down together: those of one name from one source,
//! say, whether anybody has the name or not.

use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};

use crate::model::{Digest, Moment};

/// How many buckets are remembered; those that failed longest ago go first, whether
/// anybody has the name or not. One takes about 200 bytes.
pub(super) const BUCKETS_MAX: usize = 65_536;

/// What is in one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Consecutive failures.
    pub failures: u32,
    /// The last of them.
    pub failed_at: Moment,
}

/// All buckets, by their keyed hashes.
// Both in order: keys are drawn by a hash, and a trie of them is mostly empty nodes, which
// took ten times what is in them.
#[derive(Clone, Debug, Default)]
pub struct Buckets {
    by_key: OrdMap<Digest, Bucket>,
    by_age: OrdSet<(Moment, Digest)>,
}

impl Buckets {
    /// A bucket, if anything is in it.
    #[must_use]
    pub fn get(&self, key: &Digest) -> Option<&Bucket> {
        self.by_key.get(key)
    }

    /// All of them, oldest failure first.
    pub fn iter(&self) -> impl Iterator<Item = (&Digest, Moment)> {
        self.by_age.iter().map(|(failed_at, key)| (key, *failed_at))
    }

    /// One failure more.
    pub(super) fn failed(&mut self, key: Digest, at: Moment) {
        let failures = self.empty(&key).saturating_add(1);
        self.by_key.insert(key, Bucket { failures, failed_at: at });
        self.by_age.insert((at, key));
        if self.by_key.len() > BUCKETS_MAX
            && let Some((_, oldest)) = self.by_age.remove_min()
        {
            self.by_key.remove(&oldest);
        }
    }

    /// Forgets the failures in a bucket; how many there were.
    pub(super) fn empty(&mut self, key: &Digest) -> u32 {
        let Some(before) = self.by_key.remove(key) else { return 0 };
        self.by_age.remove(&(before.failed_at, *key));
        before.failures
    }

    /// As they are put away.
    pub(super) fn state(&self) -> Vec<(Digest, Bucket)> {
        let mut all: Vec<_> = self.by_key.iter().map(|(key, it)| (*key, *it)).collect();
        all.sort_unstable_by_key(|(key, _)| *key);
        all
    }

    pub(super) fn restored(state: Vec<(Digest, Bucket)>) -> Self {
        let by_age = |(key, it): &(Digest, Bucket)| (it.failed_at, *key);
        Self { by_age: state.iter().map(by_age).collect(), by_key: state.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Digest {
        Digest::of(number.to_be_bytes())
    }

    fn at(seconds: i64) -> Moment {
        Moment::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn failures_add_up_until_the_bucket_is_emptied() {
        let mut buckets = Buckets::default();
        buckets.failed(key(1), at(1));
        buckets.failed(key(1), at(5));
        assert_eq!(buckets.get(&key(1)), Some(&Bucket { failures: 2, failed_at: at(5) }));
        assert_eq!(buckets.iter().count(), 1);
        assert_eq!(buckets.empty(&key(1)), 2);
        assert_eq!((buckets.get(&key(1)), buckets.iter().count()), (None, 0));
    }

    #[test]
    fn beyond_the_bound_the_one_that_failed_longest_ago_goes() {
        let mut buckets = Buckets::default();
        for number in 0..BUCKETS_MAX {
            buckets.failed(key(number), at(i64::try_from(number).unwrap()));
        }
        buckets.failed(key(0), at(1_000_000));
        buckets.failed(key(BUCKETS_MAX), at(1_000_000));
        assert!(buckets.get(&key(0)).is_some() && buckets.get(&key(1)).is_none());
        assert_eq!(buckets.iter().count(), BUCKETS_MAX);
    }

    #[test]
    fn what_was_put_away_is_taken_up_as_it_was() {
        let mut buckets = Buckets::default();
        for number in [3, 1, 2, 1] {
            buckets.failed(key(number), at(7));
        }
        let again = Buckets::restored(buckets.state());
        assert_eq!(again.state(), buckets.state());
        assert!(again.iter().eq(buckets.iter()));
    }
}
