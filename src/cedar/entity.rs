//! Entities, typed by the schema.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use cedar_policy::ffi::DetailedError;
use cedar_policy_core::ast::{self, PartialValue, Value};
use cedar_policy_core::entities::conformance::EntitySchemaConformanceChecker;
use cedar_policy_core::entities::{EntityJsonParser, Schema as _, TCComputation};
use cedar_policy_core::extensions::Extensions;
use cedar_policy_core::validator::CoreSchema;
use serde_json::Value as Json;

use super::{CompiledSchema, Fault, codes, diagnosis};
use crate::model::{EntityDocument, Uid};

/// An entity with typed attributes and tags and with all that it is in, directly or not.
/// Cloning is cheap.
#[derive(Clone)]
pub struct TypedEntity(Arc<Inner>);

struct Inner {
    uid: Uid,
    core: Arc<ast::Entity>,
    references: Vec<Uid>,
}

/// Where an evaluation finds entities: the directory, with what the request says about
/// its own subject and resource on top.
pub trait EntitySource {
    /// The entity of this name, with all that it is in; nothing if there is none.
    fn entity(&self, uid: &Uid) -> Option<TypedEntity>;
}

impl TypedEntity {
    pub(super) fn new(uid: Uid, core: ast::Entity, schema: &CompiledSchema) -> Self {
        let members = core.attrs().chain(core.tags()).filter_map(|(_, member)| match member {
            PartialValue::Value(value) => Some(value),
            PartialValue::Residual(_) => None,
        });
        let references = schema.mentioned(members);
        Self(Arc::new(Inner { uid, core: Arc::new(core), references }))
    }

    /// Its name.
    #[must_use]
    pub fn uid(&self) -> &Uid {
        &self.0.uid
    }

    /// The entities that its attributes and tags mention, each once, in order.
    #[must_use]
    pub fn references(&self) -> &[Uid] {
        &self.0.references
    }

    pub(super) fn core(&self) -> &Arc<ast::Entity> {
        &self.0.core
    }

    /// The same entity with these attributes instead of or beside its own.
    pub(super) fn with_attributes(
        &self,
        attributes: BTreeMap<&str, Value>,
        schema: &CompiledSchema,
    ) -> Self {
        let (uid, mut own, indirect, parents, tags) = self.core().as_ref().clone().into_inner();
        own.extend(
            attributes.into_iter().map(|(name, value)| (name.into(), PartialValue::Value(value))),
        );
        let core = ast::Entity::new_with_attr_partial_value(uid, own, indirect, parents, tags);
        Self::new(self.uid().clone(), core, schema)
    }
}

impl PartialEq for TypedEntity {
    /// True for the same name, attributes, tags and ancestors.
    fn eq(&self, other: &Self) -> bool {
        self.core().deep_eq(other.core())
    }
}

impl fmt::Debug for TypedEntity {
    /// The name only: attributes may be personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TypedEntity({})", self.uid())
    }
}

impl CompiledSchema {
    /// Types an entity of the directory, strictly: exactly the declared attributes, tags
    /// and parents of declared types, listed ids only. Cedar's escapes `__entity` and
    /// `__extn` are allowed, for a publisher wrote this. `ancestors` is all that it is in,
    /// directly or not; its parents may be left out there. About 10 µs.
    ///
    /// # Errors
    /// One fault, with the attribute's name.
    pub fn type_entity(
        &self,
        document: &EntityDocument,
        ancestors: &BTreeSet<Uid>,
    ) -> Result<TypedEntity, Fault> {
        let uid = &document.uid;
        let json = self.bounded_json(document)?;
        whole_numbers(document)?;
        if !self.has_entity_type(uid.kind()) {
            return Err(self.undeclared(uid));
        }
        let schema = CoreSchema::new(self.validator().schema());
        let invalid = |error: &DetailedError| {
            let mut fault = diagnosis::unplaced(codes::ENTITY_INVALID, error);
            fault.message = about(uid, &fault.message).into();
            fault
        };
        let extensions = Extensions::all_available();
        let assumed = TCComputation::AssumeAlreadyComputed;
        let core = EntityJsonParser::new(Some(&schema), extensions, assumed)
            .single_from_json_value(json)
            .map_err(|error| invalid(&DetailedError::from(&error)))?;
        let core = self.with_core_ancestors(core, ancestors)?;
        if let Some(description) = schema.entity_type(core.uid().entity_type()) {
            EntitySchemaConformanceChecker::new(&schema, extensions)
                .validate_entity_ancestors(core.uid(), core.ancestors(), &description)
                .map_err(|error| invalid(&DetailedError::from(&error)))?;
        }
        Ok(TypedEntity::new(uid.clone(), core, self))
    }

    /// The same entity, in other entities than before: cheaper than typing it anew when
    /// only the hierarchy above it has changed. Its own parents stay.
    ///
    /// # Errors
    /// [`codes::ENTITY_INVALID`] if an ancestor's type is not declared.
    pub fn with_ancestors(
        &self,
        entity: &TypedEntity,
        ancestors: &BTreeSet<Uid>,
    ) -> Result<TypedEntity, Fault> {
        let core = self.with_core_ancestors(entity.core().as_ref().clone(), ancestors)?;
        let references = entity.references().to_vec();
        Ok(TypedEntity(Arc::new(Inner {
            uid: entity.uid().clone(),
            core: Arc::new(core),
            references,
        })))
    }

    fn with_core_ancestors(
        &self,
        core: ast::Entity,
        ancestors: &BTreeSet<Uid>,
    ) -> Result<ast::Entity, Fault> {
        let (uid, attributes, _, parents, tags) = core.into_inner();
        let mut indirect = HashSet::with_capacity(ancestors.len());
        for ancestor in ancestors {
            let found = self.tables().core_uid(ancestor);
            let ancestor = found.ok_or_else(|| self.undeclared(ancestor))?;
            if !parents.contains(&ancestor) {
                indirect.insert(ancestor);
            }
        }
        Ok(ast::Entity::new_with_attr_partial_value(uid, attributes, indirect, parents, tags))
    }

    /// Cedar's JSON form of an entity within the limits.
    fn bounded_json(&self, document: &EntityDocument) -> Result<Json, Fault> {
        let (limits, uid) = (self.limits(), &document.uid);
        let mut members = document.attrs.values().chain(document.tags.values());
        // First, because all that follows recurses.
        if members.any(|json| deeper_than(json, limits.nesting)) {
            let message = format!("the entity `{uid}` is nested more than {} deep", limits.nesting);
            return Err(Fault::new(codes::ENTITY_TOO_LARGE, message));
        }
        let json = document.to_cedar_json();
        let (found, most) = (json.to_string().len(), limits.entity_bytes);
        if found > most {
            let message = format!("the entity `{uid}` has {found} bytes; at most {most} are read");
            return Err(Fault::new(codes::ENTITY_TOO_LARGE, message));
        }
        Ok(json)
    }

    fn undeclared(&self, uid: &Uid) -> Fault {
        let kind = uid.kind();
        if self.tables().action_types.contains_key(kind) {
            let message = format!("`{uid}` is an action: the directory holds no actions");
            let help = "declare actions and their groups in the schema";
            return Fault::new(codes::ENTITY_INVALID, message).with_help(help);
        }
        let message = format!("the schema declares no entity type `{kind}` (of `{uid}`)");
        let fault = Fault::new(codes::ENTITY_INVALID, message);
        let declared: Vec<_> =
            self.entity_types().iter().take(20).map(|kind| format!("`{kind}`")).collect();
        fault.with_help(format!("declared are {}", declared.join(", ")))
    }
}

/// Cedar's message, naming the entity.
fn about(uid: &Uid, message: &str) -> String {
    let plain = message.strip_prefix("error during entity deserialization: ").unwrap_or(message);
    let plain = plain.strip_prefix("entity does not conform to the schema: ").unwrap_or(plain);
    if plain.contains(uid.id()) { plain.to_owned() } else { format!("`{uid}`: {plain}") }
}

/// Of a number that is none of Cedar's, Cedar says neither where it is nor what is wrong.
fn whole_numbers(document: &EntityDocument) -> Result<(), Fault> {
    for (name, json) in document.attrs.iter().chain(&document.tags) {
        let mut open = vec![json];
        while let Some(json) = open.pop() {
            match json {
                Json::Number(number) if number.as_i64().is_none() => {
                    let uid = &document.uid;
                    let message =
                        format!("in `{name}` of `{uid}`, `{number}` is not a number of Cedar's");
                    let help = "write a whole number of 64 bits; a decimal is written as text, \
                                such as `\"0.5\"`, where the schema declares one";
                    return Err(Fault::new(codes::ENTITY_INVALID, message).with_help(help));
                }
                Json::Array(items) => open.extend(items),
                Json::Object(members) => open.extend(members.values()),
                _ => {}
            }
        }
    }
    Ok(())
}

/// True if arrays and objects are nested more deeply than `limit`. Without recursion.
fn deeper_than(json: &Json, limit: usize) -> bool {
    let mut open = vec![(json, 1)];
    while let Some((json, depth)) = open.pop() {
        let inner: Vec<&Json> = match json {
            Json::Array(items) => items.iter().collect(),
            Json::Object(members) => members.values().collect(),
            _ => continue,
        };
        if depth > limit {
            return true;
        }
        open.extend(inner.into_iter().map(|json| (json, depth + 1)));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cedar::Limits;
    use crate::cedar::example::{document, schema, uid};
    use serde_json::json;

    fn typed(attrs: Json, parents: &[Uid]) -> Result<TypedEntity, Fault> {
        schema().type_entity(&document(&uid("User", "a"), parents, attrs), &BTreeSet::new())
    }

    fn refused(attrs: Json, parents: &[Uid]) -> String {
        let fault = typed(attrs, parents).unwrap_err();
        assert_eq!(fault.code, codes::ENTITY_INVALID, "{fault}");
        fault.to_string()
    }

    #[test]
    fn a_publisher_may_write_references_with_or_without_escape() {
        let reference = json!({"type": "User", "id": "b"});
        let plain = typed(json!({"level": 1, "manager": reference}), &[]).unwrap();
        let escaped = typed(json!({"level": 1, "manager": {"__entity": reference}}), &[]).unwrap();
        assert_eq!(plain, escaped);
        assert_eq!(plain.references(), [uid("User", "b")]);
    }

    #[test]
    fn tags_are_typed_and_their_references_found() {
        let schema = schema();
        let mut own = document(&uid("User", "a"), &[], json!({"level": 1}));
        own.tags.insert("team".to_owned(), json!(["x", "y"]));
        assert!(schema.type_entity(&own, &BTreeSet::new()).is_ok());
        own.tags.insert("team".to_owned(), json!(1));
        assert!(schema.type_entity(&own, &BTreeSet::new()).is_err());
    }

    #[test]
    fn an_entity_of_the_directory_is_read_strictly() {
        assert!(refused(json!({}), &[]).contains("`level`"));
        assert!(refused(json!({"level": "1"}), &[]).contains("`level`"));
        for number in [json!(1.5), json!(3.0), json!(u64::MAX)] {
            let told = refused(json!({"level": number}), &[]);
            assert!(told.starts_with("in `level` of `User::\"a\"`, `"), "{told}");
        }
        assert!(refused(json!({"level": 1, "admin": true}), &[]).contains("`admin`"));
        assert!(refused(json!({"level": 1, "office": null}), &[]).contains("office"));
        let group = json!({"type": "Group", "id": "g"});
        assert!(refused(json!({"level": 1, "manager": group}), &[]).contains("manager"));
        assert!(refused(json!({"level": 1}), &[uid("Folder", "f")]).contains("Folder"));
        assert!(refused(json!({"level": 1}), &[uid("Robot", "r")]).contains("Robot"));
    }

    #[test]
    fn listed_ids_are_checked_wherever_they_stand() {
        let schema = schema();
        let owner = json!({"type": "User", "id": "a"});
        let colour = |id: &str| json!({"owner": owner, "colour": {"type": "Colour", "id": id}});
        let plan = |id: &str| document(&uid("Document", "p"), &[], colour(id));
        assert!(schema.type_entity(&plan("red"), &BTreeSet::new()).is_ok());
        assert!(schema.type_entity(&plan("blue"), &BTreeSet::new()).is_err());
        let bare = |id: &str| document(&uid("Colour", id), &[], json!({}));
        assert!(schema.type_entity(&bare("red"), &BTreeSet::new()).is_ok());
        assert!(schema.type_entity(&bare("blue"), &BTreeSet::new()).is_err());
    }

    #[test]
    fn the_directory_holds_no_actions_and_no_undeclared_types() {
        let schema = schema();
        let refused = |uid: Uid| {
            let found = schema.type_entity(&document(&uid, &[], json!({})), &BTreeSet::new());
            found.unwrap_err().to_string()
        };
        assert!(refused(uid("Action", "view")).contains("holds no actions"));
        let unknown = refused(uid("Robot", "r2"));
        assert!(unknown.contains("no entity type `Robot`") && unknown.contains("`User`"));
    }

    #[test]
    fn ancestors_are_checked_and_can_be_replaced() {
        let schema = schema();
        let (staff, all) = (uid("Group", "staff"), uid("Group", "all"));
        let own = document(&uid("User", "a"), std::slice::from_ref(&staff), json!({"level": 1}));
        let both = BTreeSet::from([staff.clone(), all.clone()]);
        let entity = schema.type_entity(&own, &both).unwrap();
        let alone = schema.type_entity(&own, &BTreeSet::new()).unwrap();
        assert_ne!(entity, alone);
        assert_eq!(schema.with_ancestors(&alone, &both), Ok(entity));
        let wrong = BTreeSet::from([uid("Folder", "f")]);
        assert!(schema.type_entity(&own, &wrong).unwrap_err().to_string().contains("Folder"));
        let itself = BTreeSet::from([uid("Robot", "r")]);
        assert!(schema.with_ancestors(&alone, &itself).is_err());
    }

    #[test]
    fn size_and_depth_have_limits() {
        let long = typed(json!({"level": 1, "office": "x".repeat(50_000)}), &[]).unwrap_err();
        assert_eq!(long.code, codes::ENTITY_TOO_LARGE);
        let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
        let deep = typed(json!({"level": nested(500)}), &[]).unwrap_err();
        assert_eq!(deep.code, codes::ENTITY_TOO_LARGE);
        let fits = typed(json!({"level": nested(Limits::default().nesting)}), &[]).unwrap_err();
        assert_eq!(fits.code, codes::ENTITY_INVALID);
    }
}
