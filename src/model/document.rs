//! An entity of the directory, as its author wrote it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{NotAUid, Personal, Pointer, Uid, personal};

/// Why a JSON value is not an entity; says where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAnEntity {
    /// A member is missing or has another shape.
    #[error("{place}: expected {expected}")]
    Shape {
        /// A path such as `uid.type`.
        place: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// A type or id that cannot be one.
    #[error("{place}: {source}")]
    Uid {
        /// A path such as `parents[3]`.
        place: String,
        /// Why not.
        source: NotAUid,
    },
    /// A member that an entity does not have.
    #[error("unknown member `{0}`: an entity has uid, attrs, parents and tags")]
    Unknown(String),
}

/// One entity in Cedar's JSON form: `{"uid", "attrs", "parents", "tags"}`. The
/// attributes are untyped here; the schema gives them their types.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EntityDocument {
    /// Its name.
    pub uid: Uid,
    /// Its attributes by name, in Cedar's JSON.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attrs: Map<String, Value>,
    /// What it is directly in; each at most once.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub parents: BTreeSet<Uid>,
    /// Its tags by key, in Cedar's JSON.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub tags: Map<String, Value>,
    /// Attributes that the schema declares personal, taken out of `attrs`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub personal: Vec<Personal>,
}

impl EntityDocument {
    /// Reads an entity. A uid may be `{"type","id"}` or `{"__entity":{"type","id"}}`.
    ///
    /// # Errors
    /// [`NotAnEntity`] with the path of what is wrong.
    ///
    /// # Source
    /// Cedar's entities JSON format.
    pub fn from_json(value: &Value) -> Result<Self, NotAnEntity> {
        let members = object(value, "entity")?;
        // A listing may be sent back as it was; what it says of the unseen says nothing new.
        let known = ["uid", "attrs", "parents", "tags", UNSEEN];
        if let Some(name) = members.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(NotAnEntity::Unknown(name.chars().take(64).collect()));
        }
        Ok(Self {
            uid: uid(members.get("uid").unwrap_or(&Value::Null), "uid")?,
            attrs: members.get("attrs").map_or(Ok(Map::new()), |v| object(v, "attrs").cloned())?,
            parents: parents(members.get("parents"))?,
            tags: members.get("tags").map_or(Ok(Map::new()), |v| object(v, "tags").cloned())?,
            personal: Vec::new(),
        })
    }

    /// The entity that an attribute holds; nothing if it holds none.
    #[must_use]
    pub fn entity(&self, attribute: &str) -> Option<Uid> {
        uid(self.attrs.get(attribute)?, attribute).ok()
    }

    /// An entity with nothing but its name.
    #[must_use]
    pub fn bare(uid: Uid) -> Self {
        let (attrs, tags) = (Map::new(), Map::new());
        Self { uid, attrs, parents: BTreeSet::new(), tags, personal: Vec::new() }
    }

    /// The same entity with the attributes at these paths taken out as personal, for the
    /// shell to seal.
    #[must_use]
    pub fn separated(mut self, paths: &[Vec<String>]) -> Self {
        let mut taken = Vec::new();
        for path in paths {
            let names: Vec<_> = path.iter().map(String::as_str).collect();
            if let Some(value) = personal::take(&mut self.attrs, &names) {
                taken.push((Pointer::new([ATTRS].into_iter().chain(names)), value));
            }
        }
        if !taken.is_empty() {
            self.personal.push(Personal::fresh(self.uid.clone(), taken));
        }
        self
    }

    /// The attributes, with what is personal where it belongs; what is sealed or erased is
    /// absent.
    #[must_use]
    pub fn opened_attrs(&self) -> Map<String, Value> {
        let mut attrs = self.attrs.clone();
        for (pointer, value) in self.personal.iter().flat_map(Personal::members) {
            if let [ATTRS, path @ ..] = pointer.names().as_slice() {
                personal::put(&mut attrs, path, value);
            }
        }
        attrs
    }

    /// Cedar's JSON form, all four members present; personal attributes as far as they can
    /// be seen.
    #[must_use]
    pub fn to_cedar_json(&self) -> Value {
        self.json_with(&self.opened_attrs())
    }

    /// As [`EntityDocument::to_cedar_json`], for people and programs: with `unseen`, the
    /// paths of the attributes that cannot be seen, if there are any.
    #[must_use]
    pub fn to_listed_json(&self) -> Value {
        let mut json = self.to_cedar_json();
        let closed = self.personal.iter().filter(|one| one.closed().is_some());
        let unseen: Vec<_> = closed.flat_map(|one| &one.paths).collect();
        if let (false, Some(members)) = (unseen.is_empty(), json.as_object_mut()) {
            members.insert(UNSEEN.to_owned(), serde_json::json!(unseen));
        }
        json
    }

    /// As [`EntityDocument::to_cedar_json`], without anything personal.
    #[must_use]
    pub fn to_impersonal_json(&self) -> Value {
        self.json_with(&self.attrs)
    }

    fn json_with(&self, attrs: &Map<String, Value>) -> Value {
        let name = |uid: &Uid| serde_json::json!({"type": uid.kind().as_str(), "id": uid.id()});
        serde_json::json!({
            "uid": name(&self.uid),
            "attrs": attrs,
            "parents": self.parents.iter().map(name).collect::<Vec<_>>(),
            "tags": self.tags,
        })
    }
}

/// The member of a listing that names sealed and erased attributes.
const UNSEEN: &str = "unseen";

/// Where in an entity its attributes are.
const ATTRS: &str = "attrs";

fn parents(value: Option<&Value>) -> Result<BTreeSet<Uid>, NotAnEntity> {
    let Some(value) = value else { return Ok(BTreeSet::new()) };
    let expected = "an array of entity names";
    let list = value
        .as_array()
        .ok_or_else(|| NotAnEntity::Shape { place: "parents".to_owned(), expected })?;
    list.iter().enumerate().map(|(at, item)| uid(item, &format!("parents[{at}]"))).collect()
}

fn uid(value: &Value, place: &str) -> Result<Uid, NotAnEntity> {
    let members = object(value, place)?;
    let members = match members.get("__entity") {
        Some(inner) => object(inner, place)?,
        None => members,
    };
    let text = |name: &str| {
        members.get(name).and_then(Value::as_str).ok_or_else(|| NotAnEntity::Shape {
            place: format!("{place}.{name}"),
            expected: "text",
        })
    };
    Uid::parse(text("type")?, text("id")?)
        .map_err(|source| NotAnEntity::Uid { place: place.to_owned(), source })
}

fn object<'a>(value: &'a Value, place: &str) -> Result<&'a Map<String, Value>, NotAnEntity> {
    value
        .as_object()
        .ok_or_else(|| NotAnEntity::Shape { place: place.to_owned(), expected: "an object" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_forms_of_a_name_are_read() {
        let written = json!({
            "uid": {"__entity": {"type": "User", "id": "alice"}},
            "attrs": {"level": 3},
            "parents": [{"type": "Group", "id": "staff"}],
        });
        let entity = EntityDocument::from_json(&written).unwrap();
        assert_eq!(entity.uid.to_string(), "User::\"alice\"");
        assert_eq!(entity.parents.len(), 1);
        assert_eq!(EntityDocument::from_json(&entity.to_cedar_json()), Ok(entity));
    }

    #[test]
    fn an_error_says_where() {
        let wrong = |value: Value| EntityDocument::from_json(&value).unwrap_err().to_string();
        assert_eq!(wrong(json!({})), "uid: expected an object");
        assert_eq!(wrong(json!({"uid": {"type": "User"}})), "uid.id: expected text");
        let uid = json!({"type": "User", "id": "a"});
        assert!(wrong(json!({"uid": uid, "parents": [1]})).starts_with("parents[0]: expected"));
        assert!(wrong(json!({"uid": uid, "attr": {}})).starts_with("unknown member `attr`"));
    }
}
