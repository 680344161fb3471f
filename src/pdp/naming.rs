//! From `AuthZEN`'s names to Cedar's, never by formatting text that is parsed again.

use serde_json::Map;

use crate::cedar::CompiledSchema;
use crate::event::Note;
use crate::model::{AccessRequest, Action, EntityAsked, EntityType, Uid};
use crate::projection::World;

/// The entity that a subject or resource names, in the namespace where its type
/// has none of its own. What the schema has a type for is not read anew.
pub(super) fn entity(
    asked: &EntityAsked,
    namespace: Option<&EntityType>,
    schema: Option<&CompiledSchema>,
) -> Result<Uid, Note> {
    let kind = qualified(&asked.kind, namespace, schema).ok_or(Note::UnknownType)?;
    Uid::new(kind, &asked.id).map_err(|_| Note::UnknownType)
}

/// The action that a name stands for: `view` is `Action::"view"`, or
/// `Shop::Action::"view"` in the namespace `Shop`; `Shop::Action::view` names it whole.
pub(super) fn action(
    name: &str,
    namespace: Option<&EntityType>,
    schema: Option<&CompiledSchema>,
) -> Result<Uid, Note> {
    let (space, id) = match name.split_once("::Action::") {
        Some((space, id)) => (Some(space), id),
        None => (namespace.map(EntityType::as_str), name.strip_prefix("Action::").unwrap_or(name)),
    };
    let kind = match space {
        None => typed("Action", schema),
        Some(space) => typed(&format!("{space}::Action"), schema),
    };
    kind.and_then(|kind| Uid::new(kind, id).ok()).ok_or(Note::UnknownAction)
}

/// Subject, action and resource of a request to the owner's policies, in Cedar's names;
/// nothing if one of them cannot be one.
#[must_use]
pub fn names_of(world: &World, request: &AccessRequest) -> Option<[Uid; 3]> {
    let space = world.settings.namespace.as_ref();
    let subject = entity(&request.subject, space, None).ok()?;
    let action = action(&request.action.name, space, None).ok()?;
    Some([subject, action, entity(&request.resource, space, None).ok()?])
}

/// The request that asks for this, about which the caller says nothing.
#[must_use]
pub fn asked_of(subject: &Uid, action: &Uid, resource: &Uid) -> AccessRequest {
    let asked = |uid: &Uid| EntityAsked {
        kind: uid.kind().as_str().to_owned(),
        id: uid.id().to_owned(),
        properties: Map::new(),
    };
    let name = match action.kind().as_str() {
        "Action" => action.id().to_owned(),
        kind => format!("{kind}::{}", action.id()),
    };
    AccessRequest {
        subject: asked(subject),
        action: Action { name, properties: Map::new() },
        resource: asked(resource),
        context: Map::new(),
    }
}

fn qualified(
    kind: &str,
    namespace: Option<&EntityType>,
    schema: Option<&CompiledSchema>,
) -> Option<EntityType> {
    match namespace {
        Some(space) if !kind.contains("::") => typed(&format!("{space}::{kind}"), schema),
        _ => typed(kind, schema),
    }
}

fn typed(kind: &str, schema: Option<&CompiledSchema>) -> Option<EntityType> {
    let declared = schema.and_then(|schema| schema.entity_type(kind)).cloned();
    declared.or_else(|| EntityType::new(kind).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, space: Option<&str>) -> String {
        let space = space.map(|text| EntityType::new(text).unwrap());
        action(name, space.as_ref(), None)
            .map_or_else(|note| format!("{note:?}"), |uid| uid.to_string())
    }

    #[test]
    fn an_action_is_found_in_its_namespace() {
        assert_eq!(named("view", None), "Action::\"view\"");
        assert_eq!(named("view", Some("Shop")), "Shop::Action::\"view\"");
        assert_eq!(named("Bank::Action::pay", Some("Shop")), "Bank::Action::\"pay\"");
        assert_eq!(named("a::b", None), "Action::\"a::b\"");
        assert_eq!(named("x y::Action::z", None), "UnknownAction");
    }

    #[test]
    fn a_type_that_cannot_be_one_is_unknown() {
        let asked = |kind: &str| EntityAsked {
            kind: kind.to_owned(),
            id: "1".to_owned(),
            properties: Map::new(),
        };
        assert_eq!(entity(&asked("http:route"), None, None), Err(Note::UnknownType));
        let space = EntityType::new("Shop").unwrap();
        let uid = entity(&asked("Order"), Some(&space), None).unwrap();
        assert_eq!(uid.to_string(), "Shop::Order::\"1\"");
    }
}
