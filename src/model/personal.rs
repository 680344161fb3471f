//! Personal values, taken out of what is recorded and sealed under their subject's key.
//!
//! An event that holds some carries them beside its other members:
//!
//! ```text
//! {"of":{"type":"User","id":"alice"},"key":"…16 hex…","paths":["/attrs/email"],
//!  "sealed":"…base64…"}
//! ```
//! What is left of the event without them is what everybody sees who cannot open them:
//! the member is simply absent. The key's id says under which of the subject's keys the
//! values are sealed; once that key is destroyed they are erased, and the event is as it
//! was.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::{Digest, Uid};

/// A text that is not 16 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key id is 16 lower-case hexadecimal digits")]
pub struct NotAKeyId;

/// Names a subject's data key, and tells nothing about it: written as 16 hexadecimal
/// digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(u64);

impl KeyId {
    /// The id of a key by a digest of it that cannot be turned round: 64 of its bits.
    #[must_use]
    pub fn of(digest: &Digest) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = *digest.as_bytes();
        Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

impl FromStr for KeyId {
    type Err = NotAKeyId;
    fn from_str(text: &str) -> Result<Self, NotAKeyId> {
        let digits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 16 || !text.bytes().all(digits) {
            return Err(NotAKeyId);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| NotAKeyId)
    }
}

impl TryFrom<String> for KeyId {
    type Error = NotAKeyId;
    fn try_from(text: String) -> Result<Self, NotAKeyId> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not a JSON Pointer to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a path is a JSON Pointer such as `/attrs/email`")]
pub struct NotAPointer;

/// The way to a member from the outside in, written as a JSON Pointer such as
/// `/attrs/address/street`. It leads through objects only.
///
/// # Source
/// RFC 6901 §3.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// The way by these names.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().map(str::to_owned).collect())
    }

    /// The names on the way, from the outside in.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }
}

impl FromStr for Pointer {
    type Err = NotAPointer;
    fn from_str(text: &str) -> Result<Self, NotAPointer> {
        let names = text.strip_prefix('/').ok_or(NotAPointer)?;
        Ok(Self(names.split('/').map(|name| name.replace("~1", "/").replace("~0", "~")).collect()))
    }
}

impl TryFrom<String> for Pointer {
    type Error = NotAPointer;
    fn try_from(text: String) -> Result<Self, NotAPointer> {
        text.parse()
    }
}

impl From<Pointer> for String {
    fn from(pointer: Pointer) -> Self {
        pointer.to_string()
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = |name: &String| name.replace('~', "~0").replace('/', "~1");
        self.0.iter().try_for_each(|name| write!(f, "/{}", escaped(name)))
    }
}

/// Takes a member out of an object. Nothing if there is none, or if it is null.
pub(super) fn take(from: &mut Map<String, Value>, path: &[&str]) -> Option<Value> {
    match path {
        [] => None,
        [name] if from.get(*name).is_none_or(Value::is_null) => None,
        [name] => from.remove(*name),
        [name, rest @ ..] => take(from.get_mut(*name)?.as_object_mut()?, rest),
    }
}

/// Puts a member back where it was taken from; where there is no way, it stays out.
pub(super) fn put(into: &mut Map<String, Value>, path: &[&str], value: &Value) {
    match path {
        [] => {}
        [name] => drop(into.insert((*name).to_owned(), value.clone())),
        [name, rest @ ..] => {
            if let Some(inner) = into.get_mut(*name).and_then(Value::as_object_mut) {
                put(inner, rest, value);
            }
        }
    }
}

/// Personal values of one subject. They are stored sealed only: as long as they are not,
/// there is no JSON of them.
#[derive(Clone, PartialEq)]
pub struct Personal {
    /// Whose they are, and whose key seals them.
    pub of: Uid,
    /// Where each of them belongs.
    pub paths: Vec<Pointer>,
    state: State,
}

#[derive(Clone, PartialEq)]
enum State {
    Fresh(Arc<[Value]>),
    Sealed { key: KeyId, text: Arc<str>, opened: Option<Arc<[Value]>> },
}

impl Personal {
    /// Values that have yet to be sealed, each with where it belongs.
    #[must_use]
    pub fn fresh(of: Uid, members: Vec<(Pointer, Value)>) -> Self {
        let (paths, values): (Vec<_>, Vec<_>) = members.into_iter().unzip();
        Self { of, paths, state: State::Fresh(values.into()) }
    }

    /// The values in the order of their paths; nothing while they are sealed or once they
    /// are erased.
    #[must_use]
    pub fn values(&self) -> Option<&[Value]> {
        match &self.state {
            State::Fresh(values) | State::Sealed { opened: Some(values), .. } => Some(values),
            State::Sealed { opened: None, .. } => None,
        }
    }

    /// Each value with its path; nothing that cannot be seen.
    pub fn members(&self) -> impl Iterator<Item = (&Pointer, &Value)> {
        self.paths.iter().zip(self.values().unwrap_or_default())
    }

    /// The key they are sealed under, and their sealed form in base64; nothing while they
    /// have yet to be sealed.
    #[must_use]
    pub fn sealed(&self) -> Option<(KeyId, &str)> {
        match &self.state {
            State::Fresh(_) => None,
            State::Sealed { key, text, .. } => Some((*key, text)),
        }
    }

    /// The key without which they cannot be seen, if that is so.
    #[must_use]
    pub fn closed(&self) -> Option<KeyId> {
        match &self.state {
            State::Sealed { key, opened: None, .. } => Some(*key),
            State::Fresh(_) | State::Sealed { .. } => None,
        }
    }

    /// The same values, sealed; they stay open for whoever has them now.
    pub fn seal(&mut self, key: KeyId, text: String) {
        let opened = self.values().map(Arc::from);
        self.state = State::Sealed { key, text: text.into(), opened };
    }

    /// Opens them; the shell has held their key against the seal. False if they are not
    /// as many as their paths: then they stay closed.
    pub fn open(&mut self, values: Vec<Value>) -> bool {
        let fits = values.len() == self.paths.len();
        if let (true, State::Sealed { opened, .. }) = (fits, &mut self.state) {
            *opened = Some(values.into());
        }
        fits
    }

    /// Forgets the values; their sealed form stays.
    pub fn close(&mut self) {
        if let State::Sealed { opened, .. } = &mut self.state {
            *opened = None;
        }
    }

    /// How many bytes they take as stored, in base64 and with what stands around them.
    #[must_use]
    pub fn stored_bytes(&self) -> usize {
        match &self.state {
            State::Sealed { text, .. } => text.len() + ENVELOPE_BYTES,
            State::Fresh(values) => {
                let plain = serde_json::to_vec(&**values).map_or(usize::MAX / 4, |text| text.len());
                (plain + ENVELOPE_BYTES) / 3 * 4 + ENVELOPE_BYTES
            }
        }
    }
}

/// What a seal takes besides its content, generously: nonce, tag, padding; and member
/// names.
const ENVELOPE_BYTES: usize = 160;

impl fmt::Debug for Personal {
    /// Whose and where; never what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Personal({} {:?})", self.of, self.paths)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    of: Uid,
    key: KeyId,
    paths: Vec<Pointer>,
    sealed: Arc<str>,
}

impl Serialize for Personal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let State::Sealed { key, text, .. } = &self.state else {
            return Err(S::Error::custom("personal values are stored only when they are sealed"));
        };
        let (of, paths) = (self.of.clone(), self.paths.clone());
        Stored { of, key: *key, paths, sealed: Arc::clone(text) }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Personal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Stored { of, key, paths, sealed } = Stored::deserialize(deserializer)?;
        Ok(Self { of, paths, state: State::Sealed { key, text: sealed, opened: None } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn personal() -> Personal {
        let alice = Uid::parse("User", "alice").unwrap();
        Personal::fresh(alice, vec![(Pointer::new(["attrs", "email"]), json!("a@example.org"))])
    }

    #[test]
    fn what_is_not_sealed_cannot_be_stored() {
        assert!(serde_json::to_string(&personal()).is_err());
    }

    #[test]
    fn what_is_stored_is_the_sealed_form_and_nothing_else() {
        let mut sealed = personal();
        sealed.seal(KeyId(255), "Zm9v".to_owned());
        let text = serde_json::to_string(&sealed).unwrap();
        let expected = concat!(
            r#"{"of":{"type":"User","id":"alice"},"key":"00000000000000ff","#,
            r#""paths":["/attrs/email"],"sealed":"Zm9v"}"#
        );
        assert_eq!(text, expected);
        let mut read: Personal = serde_json::from_str(&text).unwrap();
        assert_eq!((read.closed(), read.values()), (Some(KeyId(255)), None));
        assert!(!read.open(vec![]) && read.open(vec![json!("a@example.org")]));
        assert_eq!(read, sealed);
        read.close();
        assert!(read.values().is_none() && !format!("{sealed:?}").contains("example"));
    }

    #[test]
    fn a_pointer_is_escaped_as_the_standard_says() {
        let pointer = Pointer::new(["attrs", "a/b~c"]);
        assert_eq!(pointer.to_string(), "/attrs/a~1b~0c");
        assert_eq!(pointer.to_string().parse(), Ok(pointer));
        assert_eq!("attrs".parse::<Pointer>(), Err(NotAPointer));
    }

    #[test]
    fn a_member_is_taken_out_and_put_back_where_it_was() {
        let whole = json!({"a": {"b": 1, "c": 2}, "n": null});
        let mut object = whole.as_object().unwrap().clone();
        assert_eq!(take(&mut object, &["a", "b"]), Some(json!(1)));
        assert_eq!(take(&mut object, &["a", "b"]), None);
        assert_eq!(take(&mut object, &["n"]), None, "a null says nothing about anybody");
        put(&mut object, &["a", "b"], &json!(1));
        assert_eq!(Value::Object(object), whole);
    }

    #[test]
    fn only_16_digits_are_a_key_id() {
        assert_eq!("00000000000000ff".parse(), Ok(KeyId(255)));
        for bad in ["", "ff", "00000000000000FF", "+0000000000000ff"] {
            assert_eq!(bad.parse::<KeyId>(), Err(NotAKeyId), "{bad}");
        }
    }
}
