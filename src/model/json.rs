//! JSON as a stranger sends it: bounded, and each member named once (RFC 7493).

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How much JSON is read at most.
#[derive(Clone, Copy, Debug)]
pub struct JsonLimits {
    /// Bytes of the whole text.
    pub bytes: usize,
    /// Objects and arrays within each other; never above 100.
    pub depth: usize,
}

/// Why a text was not taken as JSON. No message repeats more than a member's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Longer than the limit.
    #[error("the body has {found} bytes; at most {limit} are read")]
    TooLong {
        /// Its length in bytes.
        found: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Not JSON, nested too deeply, or with a member named twice.
    #[error("{what} at line {line}, column {column}")]
    Malformed {
        /// What is wrong.
        what: String,
        /// 1-based line.
        line: usize,
        /// 1-based column.
        column: usize,
    },
}

/// Reads one JSON value. Linear in the text; at most `limits.depth` deep.
///
/// # Errors
/// [`JsonError`] if it is too long, too deep, malformed (RFC 8259; lone
/// surrogates included) or names a member twice.
///
/// # Source
/// RFC 7493 (I-JSON) §2.3; OpenID `AuthZEN` Authorization API 1.0.
pub fn parse(text: &[u8], limits: JsonLimits) -> Result<Value, JsonError> {
    read(text, limits, |strict| strict)
}

/// Reads what a seed makes of one JSON value; the seed must be as strict as what it is made
/// from.
pub(super) fn read<'t, S: DeserializeSeed<'t>>(
    text: &'t [u8],
    limits: JsonLimits,
    seed: impl FnOnce(Strict) -> S,
) -> Result<S::Value, JsonError> {
    if text.len() > limits.bytes {
        return Err(JsonError::TooLong { found: text.len(), limit: limits.bytes });
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    let seed = seed(Strict { left: limits.depth.min(100) });
    let value = seed.deserialize(&mut reader).map_err(|error| malformed(&error))?;
    reader.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> JsonError {
    let whole = error.to_string();
    let what = whole.split(" at line ").next().unwrap_or_default();
    JsonError::Malformed {
        what: what.chars().take(200).collect(),
        line: error.line(),
        column: error.column(),
    }
}

/// The same value with the members of every object in order of their names, for
/// digests and comparisons.
#[must_use]
pub fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            let members = sorted.into_iter().map(|(name, value)| (name.clone(), canonical(value)));
            Value::Object(members.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Reads a value with this many levels of nesting left.
#[derive(Clone, Copy)]
pub(super) struct Strict {
    left: usize,
}

/// The fault of a member that stands twice in its object.
pub(super) fn twice<E: de::Error>(name: &str) -> E {
    let shown: String = name.chars().take(64).collect();
    E::custom(format!("member `{shown}` stands twice"))
}

impl Strict {
    /// For what has been read before.
    pub(super) const UNBOUNDED: Self = Self { left: usize::MAX };

    pub(super) fn deeper<E: de::Error>(self) -> Result<Self, E> {
        let left = self.left.checked_sub(1).ok_or_else(|| E::custom("nested too deeply"))?;
        Ok(Self { left })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("number out of range"))?;
        Ok(Value::Number(number))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(deeper)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(twice(&name));
            }
            let value = members.next_value_seed(deeper)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: JsonLimits = JsonLimits { bytes: 1_000, depth: 4 };

    fn read(text: &str) -> Result<Value, JsonError> {
        parse(text.as_bytes(), LIMITS)
    }

    #[test]
    fn ordinary_json_is_read_as_it_is() {
        let text = r#"{"a":[1,-2,2.5,null,true,"x"],"b":{"c":18446744073709551615}}"#;
        assert_eq!(read(text).unwrap().to_string(), text);
    }

    #[test]
    fn a_member_named_twice_is_refused_with_its_place() {
        let error = read("{\"a\":1,\n \"a\":2}").unwrap_err().to_string();
        assert_eq!(error, "member `a` stands twice at line 2, column 4");
    }

    #[test]
    fn depth_and_length_have_limits() {
        assert!(read("[[[[1]]]]").is_ok());
        assert!(read("[[[[[1]]]]]").unwrap_err().to_string().starts_with("nested too deeply"));
        assert!(matches!(read(&" ".repeat(1_001)), Err(JsonError::TooLong { found: 1_001, .. })));
        let bottomless = "[".repeat(900);
        assert!(read(&bottomless).is_err());
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for bad in ["", "{", "nul", "{}{}", "\"\\ud800\"", "1e999", "{a:1}", "\u{feff}{}"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn canonical_sorts_every_object() {
        let value = read(r#"{"b":{"z":1,"y":2},"a":[{"d":1,"c":2}]}"#).unwrap();
        assert_eq!(canonical(&value).to_string(), r#"{"a":[{"c":2,"d":1}],"b":{"y":2,"z":1}}"#);
    }
}
