//! How far back a look goes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::BadQuery;
use crate::model::Moment;

/// Since when: so long ago, or a time. Written `90d`, `12h`, `30m`, or as a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Since {
    /// So many seconds ago.
    Ago(u64),
    /// A time.
    Time(Moment),
}

impl Since {
    /// The moment that this is at a time.
    #[must_use]
    pub fn moment(self, now: Moment) -> Moment {
        match self {
            Self::Ago(seconds) => now.minus_seconds(seconds),
            Self::Time(time) => time,
        }
    }
}

/// The units, the largest first, and their seconds.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

impl FromStr for Since {
    type Err = BadQuery;
    fn from_str(text: &str) -> Result<Self, BadQuery> {
        let ago = UNITS.iter().find_map(|(unit, seconds)| {
            let count: u64 = text.strip_suffix(*unit)?.parse().ok()?;
            count.checked_mul(*seconds).map(Self::Ago)
        });
        let time = || text.parse().ok().map(Self::Time);
        let wrong = "expected how long ago, such as 90d or 12h, or a time such as \
                     2026-11-22T12:00:00Z";
        ago.or_else(time).ok_or_else(|| BadQuery::new("since", wrong))
    }
}

impl TryFrom<String> for Since {
    type Error = BadQuery;
    fn try_from(text: String) -> Result<Self, BadQuery> {
        text.parse()
    }
}

impl From<Since> for String {
    fn from(since: Since) -> Self {
        since.to_string()
    }
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => time.fmt(f),
            Self::Ago(seconds) => {
                let fits = |(_, unit): &&(char, u64)| seconds.is_multiple_of(*unit);
                let (name, unit) = UNITS.iter().find(fits).copied().unwrap_or(('s', 1));
                write!(f, "{}{name}", seconds / unit)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_while_ago_or_a_time_is_read_and_nothing_else() {
        let day = 86_400;
        for (text, expected) in [("90d", 90 * day), ("12h", 43_200), ("30m", 1_800), ("5s", 5)] {
            let since: Since = text.parse().unwrap();
            assert_eq!((since, since.to_string().as_str()), (Since::Ago(expected), text));
        }
        let time = "2026-11-22T12:00:00Z".parse().unwrap();
        assert_eq!("2026-11-22T12:00:00Z".parse(), Ok(Since::Time(time)));
        for wrong in ["", "d", "-1d", "90", "1w", "9999999999999999999d", "yesterday"] {
            let told = wrong.parse::<Since>().unwrap_err().to_string();
            assert!(told.starts_with("`since`: expected how long ago"), "{told}");
        }
    }

    #[test]
    fn a_while_ago_is_counted_from_now() {
        let now = Moment::EPOCH.plus_seconds(100_000);
        assert_eq!(Since::Ago(86_400).moment(now), Moment::EPOCH.plus_seconds(13_600));
        assert_eq!(Since::Time(Moment::EPOCH).moment(now), Moment::EPOCH);
    }
}
