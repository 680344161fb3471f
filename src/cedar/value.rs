//! From a stranger's JSON to typed values, by the schema's tables.
//!
//! Cedar's own reader takes `{"__entity": …}` and `{"__extn": …}` anywhere and refuses a
//! whole request for one member that is not declared. Here the declared type alone says
//! what a value is; what does not fit is left out and named.

use std::collections::BTreeMap;
use std::sync::Arc;

use cedar_policy_core::ast::{self, Value, ValueKind};
use serde_json::{Map, Value as Json};
use smol_str::SmolStr;

use super::extension;
use super::known::{self, Known, Typed};
use super::types::{Kind, Record, Reference};
use crate::model::Uid;

/// The way to a member, from the outside in.
pub(super) type Path = Vec<String>;

/// What did not fit.
#[derive(Debug, Default)]
pub(super) struct Misfits {
    /// Members left out because they are not declared.
    pub(super) undeclared: Vec<Path>,
    /// Members left out because they are not of their type.
    pub(super) mistyped: Vec<Path>,
    /// Required members that are not there.
    pub(super) missing: Vec<Path>,
}

/// Where a value stands.
pub(super) struct Place<'a> {
    above: Option<&'a Place<'a>>,
    name: &'a str,
}

impl<'a> Place<'a> {
    pub(super) fn top(name: &'a str) -> Self {
        Self { above: None, name }
    }

    fn path(&self) -> Path {
        let mut path = self.above.map(Self::path).unwrap_or_default();
        path.push(self.name.to_owned());
        path
    }
}

/// A value before it has a type.
#[derive(Clone, Copy)]
pub(super) enum Said<'a> {
    /// By a caller.
    Json(&'a Json),
    /// By the World.
    Known(&'a Known),
    /// By the World, and it has its type.
    Typed(&'a Typed),
}

/// Values by name, before they have types.
pub(super) trait Members {
    /// The member of this name, unless it is null.
    fn member(&self, name: &str) -> Option<Said<'_>>;
    /// The names of all that are not null.
    fn names(&self) -> impl Iterator<Item = &str>;
}

impl Members for Map<String, Json> {
    fn member(&self, name: &str) -> Option<Said<'_>> {
        self.get(name).filter(|json| !json.is_null()).map(Said::Json)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().filter(|(_, json)| !json.is_null()).map(|(name, _)| name.as_str())
    }
}

/// Types the members of an object. A null member counts as absent. What is not declared
/// or not of its type is pruned; a pruned member that is required is missing, too.
/// Linear in the object and in the declared members.
pub(super) fn members<M: Members + ?Sized>(
    declared: &Record,
    given: &M,
    above: Option<&Place<'_>>,
    misfits: &mut Misfits,
) -> BTreeMap<SmolStr, Value> {
    let mut typed = BTreeMap::new();
    for (name, member) in &declared.members {
        let place = Place { above, name };
        let said = given.member(name);
        match said.and_then(|said| value(&member.kind, said, &place, misfits)) {
            Some(value) => drop(typed.insert(name.clone(), value)),
            None if member.required => misfits.missing.push(place.path()),
            None => {}
        }
    }
    let unknown = given.names().filter(|name| !declared.members.contains_key(*name));
    misfits.undeclared.extend(unknown.map(|name| Place { above, name }.path()));
    typed
}

/// The value of the declared type that this stands for, or nothing, and then its
/// place is among the pruned. Recursive as deep as the declared type.
pub(super) fn value(
    kind: &Kind,
    said: Said<'_>,
    place: &Place<'_>,
    misfits: &mut Misfits,
) -> Option<Value> {
    let (undeclared, mistyped) = (misfits.undeclared.len(), misfits.mistyped.len());
    let value = match said {
        Said::Json(json) => of_json(kind, json, place, misfits),
        Said::Known(known) => known::value(kind, known, place, misfits),
        Said::Typed(typed) => return typed.again(misfits),
    };
    if value.is_none() {
        misfits.undeclared.truncate(undeclared);
        misfits.mistyped.truncate(mistyped);
        misfits.mistyped.push(place.path());
    }
    value
}

/// The value, if it is of the type; what has been noted of a value that is not is the
/// caller's to forget.
pub(super) fn of_json(
    kind: &Kind,
    json: &Json,
    place: &Place<'_>,
    misfits: &mut Misfits,
) -> Option<Value> {
    match (kind, json) {
        (Kind::Bool, Json::Bool(bool)) => Some(Value::from(*bool)),
        // Not `3.0`: what is a whole number to one reader is a float to the next.
        (Kind::Long, Json::Number(number)) => number.as_i64().map(Value::from),
        (Kind::Text, Json::String(text)) => Some(Value::from(text.as_str())),
        (Kind::Entity(reference), json) => entity(reference, json).map(Value::from),
        (Kind::Extension(extension), json) => extension::value(*extension, json),
        (Kind::Set(element), Json::Array(items)) => set(element, items, place, misfits),
        (Kind::Record(declared), Json::Object(given)) => record(declared, given, place, misfits),
        _ => None,
    }
}

/// A set, all of whose elements are of its type, undeclared members aside: one without
/// the others would turn `containsAll` and `!contains` into something that nobody said.
fn set(kind: &Kind, items: &[Json], place: &Place<'_>, misfits: &mut Misfits) -> Option<Value> {
    let mistyped = misfits.mistyped.len();
    let elements = items.iter().map(|item| value(kind, Said::Json(item), place, misfits));
    let elements = elements.collect::<Option<Vec<_>>>()?;
    (misfits.mistyped.len() == mistyped).then(|| Value::set(elements, None))
}

/// A record with all of its required members.
pub(super) fn record<M: Members + ?Sized>(
    declared: &Record,
    given: &M,
    place: &Place<'_>,
    misfits: &mut Misfits,
) -> Option<Value> {
    let missing = misfits.missing.len();
    let typed = members(declared, given, Some(place), misfits);
    let complete = misfits.missing.len() == missing;
    // It is the record that is missing then, if that was required.
    misfits.missing.truncate(missing);
    complete.then(|| Value::record_arc(Arc::new(typed), None))
}

/// A reference: an id alone, or the id with the type that the schema declares anyway.
fn entity(reference: &Reference, json: &Json) -> Option<ast::EntityUID> {
    let id = match json {
        Json::String(id) => id,
        Json::Object(members) if members.len() == 2 => {
            let kind = members.get("type").and_then(Json::as_str);
            kind.filter(|kind| *kind == reference.name.as_str())?;
            members
                .get("id")
                .and_then(|id| if let Json::String(id) = id { Some(id) } else { None })?
        }
        _ => return None,
    };
    let listed = reference.ids.as_ref().is_none_or(|ids| ids.contains(id));
    let uid = Uid::new(reference.name.clone(), id).ok().filter(|_| listed)?;
    let eid = ast::Eid::new(uid.id());
    Some(ast::EntityUID::from_components(reference.core.clone(), eid, None))
}

/// The entities that a value mentions, added to `found`. Recursive as deep as the value.
pub(super) fn references<'a>(value: &'a Value, found: &mut Vec<&'a ast::EntityUID>) {
    match value.value_kind() {
        ValueKind::Lit(ast::Literal::EntityUID(uid)) => found.push(uid),
        ValueKind::Lit(_) | ValueKind::ExtensionValue(_) => {}
        ValueKind::Set(set) => set.iter().for_each(|element| references(element, found)),
        ValueKind::Record(members) => {
            members.values().for_each(|member| references(member, found));
        }
    }
}

/// Takes the pruned members out of an object.
pub(super) fn prune(given: &mut Map<String, Json>, pruned: &[Path]) {
    for path in pruned {
        remove(given, path);
    }
}

fn remove(from: &mut Map<String, Json>, path: &[String]) {
    match path {
        [] => {}
        [name] => drop(from.remove(name)),
        [name, rest @ ..] => match from.get_mut(name) {
            Some(Json::Object(inner)) => remove(inner, rest),
            // A set: what its records do not declare is pruned in each of them.
            Some(Json::Array(items)) => {
                items
                    .iter_mut()
                    .filter_map(Json::as_object_mut)
                    .for_each(|item| remove(item, rest));
            }
            _ => {}
        },
    }
}
