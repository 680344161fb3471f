//! A point in time, as events carry it.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// A text that is not an RFC 3339 time within the years 0 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time is RFC 3339 text such as `2026-11-22T12:00:00Z`")]
pub struct NotAMoment;

/// A moment in UTC to the microsecond, written in RFC 3339 with exactly 27
/// characters (`2026-11-22T12:00:00.000000Z`), so that text order is time order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment(DateTime<Utc>);

impl Moment {
    /// The length of the written form, in bytes.
    pub const TEXT_BYTES: usize = 27;
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(DateTime::UNIX_EPOCH);

    /// From microseconds since 1970-01-01T00:00:00Z, clamped to what can be written.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        // 9999-12-31T23:59:59.999999Z
        let bounded = micros.clamp(0, 253_402_300_799_999_999);
        Self(DateTime::from_timestamp_micros(bounded).unwrap_or(DateTime::UNIX_EPOCH))
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0.timestamp_micros()
    }

    /// Milliseconds since 1970-01-01T00:00:00Z, never negative.
    #[must_use]
    pub fn millis(self) -> u64 {
        u64::try_from(self.0.timestamp_millis()).unwrap_or(0)
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, never negative.
    #[must_use]
    pub fn seconds(self) -> u64 {
        u64::try_from(self.0.timestamp()).unwrap_or(0)
    }

    /// Whole seconds since `earlier`; 0 if that is later.
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> u64 {
        u64::try_from((self.0 - earlier.0).num_seconds()).unwrap_or(0)
    }

    /// This many seconds later, at most the year 9999.
    #[must_use]
    pub fn plus_seconds(self, seconds: u64) -> Self {
        let micros = i64::try_from(seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
        Self::from_micros(self.micros().saturating_add(micros))
    }

    /// This many seconds earlier, at least 1970.
    #[must_use]
    pub fn minus_seconds(self, seconds: u64) -> Self {
        let micros = i64::try_from(seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
        Self::from_micros(self.micros().saturating_sub(micros))
    }
}

impl From<DateTime<Utc>> for Moment {
    fn from(time: DateTime<Utc>) -> Self {
        Self::from_micros(time.trunc_subsecs(6).timestamp_micros())
    }
}

impl From<Moment> for DateTime<Utc> {
    fn from(moment: Moment) -> Self {
        moment.0
    }
}

impl FromStr for Moment {
    type Err = NotAMoment;
    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| NotAMoment)?.to_utc();
        // A leap second (`:60`) is read as the second after.
        let micros = time.timestamp_micros();
        let moment = Self::from_micros(micros);
        if moment.micros() == micros { Ok(moment) } else { Err(NotAMoment) }
    }
}

impl TryFrom<String> for Moment {
    type Error = NotAMoment;
    fn try_from(text: String) -> Result<Self, NotAMoment> {
        text.parse()
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}

impl std::ops::Sub for Moment {
    type Output = TimeDelta;
    fn sub(self, earlier: Self) -> TimeDelta {
        self.0 - earlier.0
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Law: what is written is read back, has one width, and sorts as time does.
        #[test]
        fn text_and_moment_are_one(a in any::<i64>(), b in any::<i64>()) {
            let (a, b) = (Moment::from_micros(a), Moment::from_micros(b));
            prop_assert_eq!(a.to_string().len(), Moment::TEXT_BYTES);
            prop_assert_eq!(a.to_string().parse(), Ok(a));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }
    }

    #[test]
    fn other_zones_and_precisions_are_read_as_utc() {
        let noon: Moment = "2026-11-22T12:00:00Z".parse().unwrap();
        assert_eq!("2026-11-22T14:00:00.000+02:00".parse(), Ok(noon));
        assert_eq!("yesterday".parse::<Moment>(), Err(NotAMoment));
        assert_eq!("1969-12-31T23:59:59Z".parse::<Moment>(), Err(NotAMoment));
    }
}
