//! Values of Cedar's extension types from JSON, by Cedar's own constructors.

use std::cell::RefCell;
use std::sync::LazyLock;

use cedar_policy_core::ast::{ExtensionFunction, Name, PartialValue, RestrictedExpr, Value};
use cedar_policy_core::extensions::Extensions;
use chrono::{DateTime, Utc};
use serde_json::{Number, Value as Json};

use super::types::Extension;
use crate::model::Moment;

type Constructor = LazyLock<Option<&'static ExtensionFunction>>;

static IP: Constructor = LazyLock::new(|| constructor("ip"));
static DECIMAL: Constructor = LazyLock::new(|| constructor("decimal"));
static DATETIME: Constructor = LazyLock::new(|| constructor("datetime"));
static DURATION: Constructor = LazyLock::new(|| constructor("duration"));

fn constructor(name: &str) -> Option<&'static ExtensionFunction> {
    let name = Name::parse_unqualified_name(name).ok()?;
    Extensions::all_available().func(&name).ok()
}

/// The value that this JSON stands for; nothing if it stands for none of this type.
///
/// An address or range (`10.0.0.0/8`), a decimal and a duration (`1h30m`) are written as
/// in Cedar; a decimal may also be a JSON number with at most four decimals; a time is
/// written as in Cedar or RFC 3339.
pub(super) fn value(kind: Extension, json: &Json) -> Option<Value> {
    match (kind, json) {
        (Extension::Ip, Json::String(text)) => build(&IP, text),
        (Extension::Decimal, Json::String(text)) => build(&DECIMAL, text),
        (Extension::Decimal, Json::Number(number)) => build(&DECIMAL, &decimal(number)?),
        (Extension::Datetime, Json::String(text)) => {
            build(&DATETIME, text).or_else(|| build(&DATETIME, &datetime(text)?))
        }
        (Extension::Duration, Json::String(text)) => build(&DURATION, text),
        _ => None,
    }
}

/// A time in milliseconds, and its value.
type Recent = Option<(i64, Value)>;

/// The time's value, to the millisecond, as [`value`] makes it of the time's text.
pub(super) fn time(time: Moment) -> Option<Value> {
    thread_local! {
        /// Cedar makes times of text alone, by a regular expression. Decisions that follow
        /// each other share the current millisecond and the sessions' times.
        static RECENT: RefCell<[Recent; 64]> = const { RefCell::new([const { None }; 64]) };
    }
    let millis = time.micros().div_euclid(1_000);
    RECENT.with_borrow_mut(|recent| {
        let slot = recent.get_mut(usize::try_from(millis.rem_euclid(64)).ok()?)?;
        match slot {
            Some((of, value)) if *of == millis => Some(value.clone()),
            _ => {
                let value = build(&DATETIME, &cedar_time(time.into())?)?;
                *slot = Some((millis, value.clone()));
                Some(value)
            }
        }
    })
}

/// The text that the value is made of, where it is of one of these types: [`value`] of it
/// is the same value. A time beyond what a calendar has is written as Cedar's expression.
pub(super) fn text(value: &Value) -> String {
    let whole = RestrictedExpr::from(value.clone()).to_string();
    let Some(argument) = whole.rsplit('"').nth(1) else { return whole };
    if !whole.contains("offset(") {
        return argument.to_owned();
    }
    let millis = argument.strip_suffix("ms").and_then(|millis| millis.parse().ok());
    let time = millis.and_then(DateTime::from_timestamp_millis);
    time.and_then(cedar_time).unwrap_or(whole)
}

/// Longer texts are values of none of these types, and not worth matching.
const TEXT_BYTES_MAX: usize = 128;

fn build(constructor: &Constructor, text: &str) -> Option<Value> {
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    match constructor.as_ref()?.call(&[Value::from(text)]).ok()? {
        PartialValue::Value(value) => Some(value),
        PartialValue::Residual(_) => None,
    }
}

/// Cedar's form of a number, if that is exact: `5` is `5.0`.
fn decimal(number: &Number) -> Option<String> {
    let text = number.to_string();
    match text.split_once('.') {
        None if number.is_f64() => None,
        None => Some(format!("{text}.0")),
        Some((_, decimals)) => {
            let exact = decimals.len() <= 4 && decimals.bytes().all(|digit| digit.is_ascii_digit());
            exact.then_some(text)
        }
    }
}

/// Cedar's form of an RFC 3339 time: UTC, cut to the millisecond.
fn datetime(text: &str) -> Option<String> {
    cedar_time(DateTime::parse_from_rfc3339(text).ok()?.to_utc())
}

fn cedar_time(time: DateTime<Utc>) -> Option<String> {
    let utc = DateTime::from_timestamp_millis(time.timestamp_millis())?;
    Some(utc.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn same(kind: Extension, one: &Json, other: &Json) -> bool {
        let one = value(kind, one).unwrap_or_else(|| panic!("{one} is none"));
        one == value(kind, other).unwrap_or_else(|| panic!("{other} is none"))
    }

    #[test]
    fn a_time_may_be_written_as_in_rfc_3339() {
        let cedar = json!("2026-11-22T12:00:00.123Z");
        for other in [
            "2026-11-22T12:00:00.123456Z",
            "2026-11-22T14:00:00.1239+02:00",
            "2026-11-22t12:00:00.123z",
            "2026-11-22T14:00:00.123+0200",
        ] {
            assert!(same(Extension::Datetime, &cedar, &json!(other)), "{other}");
        }
        assert!(same(Extension::Datetime, &json!("2026-11-22"), &json!("2026-11-22T00:00:00Z")));
        for bad in ["", "now", "2026-13-01", "2026-11-22T12:00:00", "0000-01-01T00:00:00+01:00"] {
            assert!(value(Extension::Datetime, &json!(bad)).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_decimal_may_be_a_number_that_is_exact() {
        for (number, text) in [
            (json!(0.6), "0.6"),
            (json!(5), "5.0"),
            (json!(-1.2345), "-1.2345"),
            (json!(-0.0), "0.0"),
        ] {
            assert!(same(Extension::Decimal, &number, &json!(text)), "{number}");
        }
        for bad in [json!(0.12345), json!(1e300), json!(1e-9), json!(u64::MAX), json!(true)] {
            assert!(value(Extension::Decimal, &bad).is_none(), "{bad}");
        }
        for bad in ["", "1", "1.", ".5", "1.23456", "1e5", "922337203685477.5808"] {
            assert!(value(Extension::Decimal, &json!(bad)).is_none(), "{bad}");
        }
    }

    #[test]
    fn addresses_and_durations_are_written_as_in_cedar() {
        assert!(same(Extension::Ip, &json!("10.0.0.1"), &json!("10.0.0.1/32")));
        assert!(value(Extension::Ip, &json!("::1")).is_some());
        assert!(same(Extension::Duration, &json!("1h30m"), &json!("90m")));
        for bad in ["", "10.0.0.256", "10.0.0.1/33", "localhost", &"1".repeat(100_000)] {
            assert!(value(Extension::Ip, &json!(bad)).is_none(), "{bad}");
        }
        for bad in ["", "90", "1 h", "99999999999999999999d"] {
            assert!(value(Extension::Duration, &json!(bad)).is_none(), "{bad}");
        }
        assert!(value(Extension::Duration, &json!(90)).is_none());
    }
}
