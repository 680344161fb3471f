//! An entity's name in the field's terms: a type and an id.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Username;

/// The longest type name, in bytes.
pub(super) const TYPE_BYTES_MAX: usize = 256;
/// The longest id, in bytes.
pub(super) const ID_BYTES_MAX: usize = 1024;

/// Why a text is not an entity type or id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAUid {
    /// Empty, too long, or not identifiers joined by `::`.
    #[error(
        "`{0}` is not an entity type: write identifiers of letters, digits and `_` joined by `::`"
    )]
    Type(String),
    /// Longer than the limit.
    #[error("an id of {0} bytes is too long: at most {ID_BYTES_MAX}")]
    IdTooLong(usize),
}

/// The name of an entity type, such as `User` or `Shop::Order`: identifiers
/// joined by `::`, 1 to 256 bytes, as Cedar's grammar for a path allows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntityType(Arc<str>);

impl EntityType {
    /// Reads a type name.
    ///
    /// # Errors
    /// [`NotAUid::Type`] if it is not a path of identifiers.
    pub fn new(text: &str) -> Result<Self, NotAUid> {
        let fits = !text.is_empty() && text.len() <= TYPE_BYTES_MAX;
        if fits && text.split("::").all(is_identifier) {
            Ok(Self(Arc::from(text)))
        } else {
            Err(NotAUid::Type(text.chars().take(TYPE_BYTES_MAX).collect()))
        }
    }

    /// `User`, the type of the persons who log in unless a setting says otherwise.
    #[must_use]
    pub fn user() -> Self {
        Self(Arc::from("User"))
    }

    /// `Countersign::` and a name, the types of Countersign's own administration.
    #[must_use]
    pub fn reserved(name: ReservedType) -> Self {
        Self(Arc::from(name.as_str()))
    }

    /// The name as written in Cedar.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for `Countersign::…`, the namespace of Countersign's own administration.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        &*self.0 == "Countersign" || self.0.starts_with("Countersign::")
    }
}

/// The entity types of Countersign's own administration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservedType {
    /// An action.
    Action,
    /// Whoever can write a stopped data directory.
    LocalOperator,
    /// This deployment.
    Node,
    /// A person who logs in here.
    Person,
    /// What a person may be granted.
    Role,
    /// A holder of a service token.
    Service,
}

impl ReservedType {
    /// The type's full name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Action => "Countersign::Action",
            Self::LocalOperator => "Countersign::LocalOperator",
            Self::Node => "Countersign::Node",
            Self::Person => "Countersign::Person",
            Self::Role => "Countersign::Role",
            Self::Service => "Countersign::Service",
        }
    }
}

fn is_identifier(part: &str) -> bool {
    let mut bytes = part.bytes();
    bytes.next().is_some_and(|first| first == b'_' || first.is_ascii_alphabetic())
        && bytes.all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

impl Borrow<str> for EntityType {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for EntityType {
    type Error = NotAUid;
    fn try_from(text: String) -> Result<Self, NotAUid> {
        Self::new(&text)
    }
}

impl From<EntityType> for String {
    fn from(name: EntityType) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for EntityType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EntityType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An entity's unique name: `Type::"id"`. The id is any text of at most 1,024
/// bytes; it is never formatted into Cedar text to be parsed again.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Uid {
    #[serde(rename = "type")]
    kind: EntityType,
    #[serde(deserialize_with = "bounded_id")]
    id: Arc<str>,
}

/// A text that is no entity's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an entity such as `User::\"alice\"`")]
pub struct NotWritten;

impl FromStr for Uid {
    type Err = NotWritten;
    /// Reads `TYPE::"ID"`; what is between the first and the last quotation mark is the id.
    fn from_str(text: &str) -> Result<Self, NotWritten> {
        let parts = text.strip_suffix('"').and_then(|text| text.split_once("::\""));
        let (kind, id) = parts.ok_or(NotWritten)?;
        Self::parse(kind, id).map_err(|_| NotWritten)
    }
}

impl Uid {
    /// Joins a type and an id.
    ///
    /// # Errors
    /// [`NotAUid::IdTooLong`] above 1,024 bytes.
    pub fn new(kind: EntityType, id: &str) -> Result<Self, NotAUid> {
        if id.len() > ID_BYTES_MAX {
            return Err(NotAUid::IdTooLong(id.len()));
        }
        Ok(Self { kind, id: Arc::from(id) })
    }

    /// A person's entity of a type: the login name is its id, and never too long.
    #[must_use]
    pub fn of_person(kind: EntityType, name: &Username) -> Self {
        Self { kind, id: Arc::from(name.as_str()) }
    }

    /// An entity of Countersign's own administration, by an id that is never too
    /// long: a UUID or a word of ours.
    #[must_use]
    pub fn reserved(kind: ReservedType, id: Uuid) -> Self {
        Self { kind: EntityType::reserved(kind), id: Arc::from(id.to_string()) }
    }

    /// Reads both parts.
    ///
    /// # Errors
    /// [`NotAUid`] if either is not what it must be.
    pub fn parse(kind: &str, id: &str) -> Result<Self, NotAUid> {
        Self::new(EntityType::new(kind)?, id)
    }

    /// The type.
    #[must_use]
    pub fn kind(&self) -> &EntityType {
        &self.kind
    }

    /// The id, as it is.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl PartialOrd for Uid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Uid {
    fn cmp(&self, other: &Self) -> Ordering {
        self.kind.cmp(&other.kind).then_with(|| self.id.cmp(&other.id))
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::\"{}\"", self.kind, self.id.escape_debug())
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn bounded_id<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Arc<str>, D::Error> {
    let id = String::deserialize(from)?;
    if id.len() > ID_BYTES_MAX {
        return Err(serde::de::Error::custom(NotAUid::IdTooLong(id.len())));
    }
    Ok(Arc::from(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_a_path_of_identifiers() {
        for good in ["User", "a", "_x1", "Shop::Order", "A::B::C"] {
            assert_eq!(EntityType::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "::", "A::", "1a", "my-user", "http:route", "A:B", "A b", "é", "A::\"x\""]
        {
            assert!(EntityType::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_id_is_shown_escaped() {
        let uid = Uid::parse("User", "a\"b\n").unwrap();
        assert_eq!(uid.to_string(), r#"User::"a\"b\n""#);
    }

    #[test]
    fn an_id_has_a_limit_on_every_way_in() {
        let long = "x".repeat(ID_BYTES_MAX + 1);
        assert_eq!(Uid::parse("User", &long), Err(NotAUid::IdTooLong(1025)));
        let json = format!(r#"{{"type":"User","id":"{long}"}}"#);
        assert!(serde_json::from_str::<Uid>(&json).is_err());
    }
}
