//! A point in a log's past: an entry, or a time.

use std::fmt;
use std::str::FromStr;

use super::BadQuery;
use crate::model::{Index, Moment};

/// As of when: after an entry, or after the newest entry at or before a time. Written as
/// the one or the other: `812`, `2026-11-22T12:00:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// After this entry.
    Entry(Index),
    /// At this time.
    Time(Moment),
}

/// Why a log has nothing as of then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotThen {
    /// There is no such entry.
    #[error("there is no entry {wanted} yet: the log has {size} entries")]
    NotYet {
        /// The entry asked for.
        wanted: Index,
        /// How many there are.
        size: u64,
    },
    /// The log had not begun.
    #[error("the log begins at {first}")]
    Before {
        /// The time of its first entry.
        first: Moment,
    },
    /// Nobody knows what will be in force.
    #[error("{wanted} is still to come")]
    ToCome {
        /// The time asked for.
        wanted: Moment,
    },
}

impl At {
    /// The last entry that counts, in a log of `size` entries. For a time, asks `time_at`
    /// for the times of some twenty of them; equal times count up to their last.
    ///
    /// # Errors
    /// [`NotThen`]; what `time_at` says.
    pub fn entry<E: From<NotThen>>(
        self,
        size: u64,
        mut time_at: impl FnMut(Index) -> Result<Moment, E>,
    ) -> Result<Index, E> {
        let time = match self {
            Self::Entry(wanted) if wanted.0 < size => return Ok(wanted),
            Self::Entry(wanted) => return Err(NotThen::NotYet { wanted, size }.into()),
            Self::Time(time) => time,
        };
        let (mut low, mut high) = (0, size);
        while low < high {
            let middle = low.midpoint(high);
            if time_at(Index(middle))? <= time {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        match low.checked_sub(1) {
            Some(last) => Ok(Index(last)),
            None if size == 0 => Err(NotThen::NotYet { wanted: Index(0), size }.into()),
            None => Err(NotThen::Before { first: time_at(Index(0))? }.into()),
        }
    }

    /// The time at which something is decided as of then: the time asked for, or that of
    /// the entry, `written`.
    ///
    /// # Errors
    /// [`NotThen::ToCome`] for a time after `now`.
    pub fn time(self, written: Moment, now: Moment) -> Result<Moment, NotThen> {
        match self {
            Self::Entry(_) => Ok(written),
            Self::Time(wanted) if wanted > now => Err(NotThen::ToCome { wanted }),
            Self::Time(wanted) => Ok(wanted),
        }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(index) => index.fmt(f),
            Self::Time(time) => time.fmt(f),
        }
    }
}

impl FromStr for At {
    type Err = BadQuery;
    fn from_str(text: &str) -> Result<Self, BadQuery> {
        let wrong = "expected an entry's index, or a time such as 2026-11-22T12:00:00Z";
        let index = text.bytes().all(|byte| byte.is_ascii_digit());
        match (index, text.parse::<u64>(), text.parse::<Moment>()) {
            (true, Ok(index), _) => Ok(Self::Entry(Index(index))),
            (false, _, Ok(time)) => Ok(Self::Time(time)),
            _ => Err(BadQuery::new("at", wrong)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn time(second: u64) -> Moment {
        Moment::EPOCH.plus_seconds(second)
    }

    proptest! {
        /// Law: what is found by a time is the last entry that is not after it.
        #[test]
        fn a_time_is_the_newest_entry_at_or_before_it(
            mut times in prop::collection::vec(0_u64..50, 1..60), wanted in 0_u64..60,
        ) {
            times.sort_unstable();
            let time_at = |index: Index| Ok(time(times[usize::try_from(index.0).unwrap()]));
            let found = At::Time(time(wanted)).entry::<NotThen>(times.len() as u64, time_at);
            let expected = match times.iter().rposition(|written| *written <= wanted) {
                Some(at) => Ok(Index(at as u64)),
                None => Err(NotThen::Before { first: time(times[0]) }),
            };
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn an_index_or_a_time_is_read_and_nothing_else() {
        assert_eq!("812".parse(), Ok(At::Entry(Index(812))));
        assert_eq!("1970-01-01T00:00:07Z".parse(), Ok(At::Time(time(7))));
        for wrong in ["", "-1", "yesterday", "18446744073709551616", "1e3", " 7"] {
            let told = wrong.parse::<At>().unwrap_err().to_string();
            assert!(told.starts_with("`at`: expected an entry's index"), "{told}");
        }
    }

    #[test]
    fn what_is_not_there_yet_is_said() {
        let none = |_| -> Result<Moment, NotThen> { Ok(time(0)) };
        let told = At::Entry(Index(9)).entry(9, none).unwrap_err().to_string();
        assert_eq!(told, "there is no entry 9 yet: the log has 9 entries");
        assert!(At::Time(time(3)).entry(0, none).is_err());
        assert_eq!(At::Time(time(3)).time(time(1), time(3)), Ok(time(3)));
        assert_eq!(At::Entry(Index(0)).time(time(1), time(3)), Ok(time(1)));
        assert!(At::Time(time(4)).time(time(1), time(3)).is_err());
    }
}
