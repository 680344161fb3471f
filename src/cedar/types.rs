//! What the schema declares, as tables to look things up in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cedar_policy_core::ast;
use cedar_policy_core::validator::types::{Attributes, EntityKind, Type};
use cedar_policy_core::validator::{
    ValidatorActionId, ValidatorEntityType, ValidatorEntityTypeKind, ValidatorSchema,
};

use foldhash::{HashMap, HashMapExt as _};
use smol_str::SmolStr;

use super::declared::Callers;
use super::personal::{Path, Personals};
use super::{Fault, codes};
use crate::model::{EntityType, Uid};

/// Everything declared, by name.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) entities: HashMap<EntityType, EntityTable>,
    pub(super) actions: HashMap<Uid, ActionTable>,
    /// The types of actions, in Cedar's form.
    pub(super) action_types: HashMap<EntityType, ast::EntityType>,
    /// From Cedar's form of a type's name to ours.
    names: HashMap<ast::EntityType, EntityType>,
}

/// One entity type.
#[derive(Debug)]
pub(super) struct EntityTable {
    /// Its name in Cedar's form.
    pub(super) core: ast::EntityType,
    /// The only ids there are, for an enumerated type.
    pub(super) ids: Option<Arc<BTreeSet<String>>>,
    pub(super) attributes: Record,
    /// What a caller may say about an attribute; absent: nothing.
    pub(super) callers: BTreeMap<String, Caller>,
    /// The attributes to be sealed where they are recorded.
    pub(super) personal: Vec<Path>,
}

/// What a caller's property may do to an entity of the directory: `@caller("…")`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// Stand in for an attribute that is not there.
    Fill,
    /// Stand in for the attribute, there or not.
    Override,
}

/// One action.
#[derive(Debug)]
pub(super) struct ActionTable {
    pub(super) principals: BTreeSet<EntityType>,
    pub(super) resources: BTreeSet<EntityType>,
    pub(super) context: Record,
    /// The members of the context to be sealed where they are recorded.
    pub(super) personal: Vec<Path>,
    /// The action's entity and those of all actions it is in.
    pub(super) entities: Vec<Arc<ast::Entity>>,
}

/// The type of a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Bool,
    Long,
    Text,
    Entity(Reference),
    Set(Arc<Kind>),
    Record(Arc<Record>),
    Extension(Extension),
}

/// One of Cedar's extension types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extension {
    Ip,
    Decimal,
    Datetime,
    Duration,
}

/// The type of a reference to an entity.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reference {
    pub(super) core: ast::EntityType,
    pub(super) name: EntityType,
    /// The only ids there are, for an enumerated type or the type of actions.
    pub(super) ids: Option<Arc<BTreeSet<String>>>,
}

/// Members by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Record {
    pub(super) members: BTreeMap<SmolStr, Member>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    pub(super) kind: Kind,
    pub(super) required: bool,
}

impl Tables {
    /// Compiles the tables of a schema whose size has been checked. Linear in its types
    /// written out.
    pub(super) fn compile(
        schema: &ValidatorSchema,
        callers: &Callers,
        personals: &Personals,
    ) -> Result<Self, Fault> {
        let names = Names::of(schema)?;
        let mut entities = HashMap::new();
        for declared in schema.entity_types() {
            let name = names.ours(declared.name())?;
            let mut table = entity_table(declared, &names, callers.of(&name))?;
            table.personal = personals.of_entity(&name);
            entities.insert(name, table);
        }
        let store = schema.action_entities().map_err(|error| broken(&error))?;
        let mut actions = HashMap::new();
        for action in schema.action_ids() {
            let uid = names.uid(action.name())?;
            let mut table = action_table(action, &store, &names)?;
            table.personal = personals.of_action(&uid);
            actions.insert(uid, table);
        }
        let action_types = names.action_types();
        Ok(Self { entities, actions, action_types, names: names.types })
    }

    /// A uid in Cedar's form; nothing if its type is not declared.
    pub(super) fn core_uid(&self, uid: &Uid) -> Option<ast::EntityUID> {
        let declared = self.entities.get(uid.kind()).map(|table| &table.core);
        let core = declared.or_else(|| self.action_types.get(uid.kind()))?;
        let eid = ast::Eid::new(uid.id());
        Some(ast::EntityUID::from_components(core.clone(), eid, None))
    }

    /// A uid of Cedar's in ours; nothing if its type is not declared.
    pub(super) fn uid(&self, core: &ast::EntityUID) -> Option<Uid> {
        let name = self.names.get(core.entity_type())?;
        Uid::new(name.clone(), core.eid().as_ref()).ok()
    }
}

/// Every type's name in both forms, and the ids of types that list theirs.
struct Names {
    types: HashMap<ast::EntityType, EntityType>,
    ids: HashMap<ast::EntityType, Arc<BTreeSet<String>>>,
}

impl Names {
    fn of(schema: &ValidatorSchema) -> Result<Self, Fault> {
        let mut types = HashMap::new();
        let mut ids: HashMap<ast::EntityType, BTreeSet<String>> = HashMap::new();
        for declared in schema.entity_types() {
            types.insert(declared.name().clone(), ours(declared.name())?);
            if let ValidatorEntityTypeKind::Enum(choices) = &declared.kind {
                let choices = choices.iter().map(|eid| eid.as_ref().to_owned()).collect();
                ids.insert(declared.name().clone(), choices);
            }
        }
        for action in schema.action_ids() {
            let kind = action.name().entity_type();
            types.insert(kind.clone(), ours(kind)?);
            let known = ids.entry(kind.clone()).or_default();
            known.insert(action.name().eid().as_ref().to_owned());
        }
        let ids = ids.into_iter().map(|(kind, ids)| (kind, Arc::new(ids))).collect();
        Ok(Self { types, ids })
    }

    fn ours(&self, core: &ast::EntityType) -> Result<EntityType, Fault> {
        self.types.get(core).cloned().map_or_else(|| ours(core), Ok)
    }

    fn uid(&self, core: &ast::EntityUID) -> Result<Uid, Fault> {
        Uid::new(self.ours(core.entity_type())?, core.eid().as_ref())
            .map_err(|error| Fault::new(codes::SCHEMA_INVALID, error.to_string()))
    }

    fn action_types(&self) -> HashMap<EntityType, ast::EntityType> {
        let actions = self.types.iter().filter(|(core, _)| core.is_action());
        actions.map(|(core, name)| (name.clone(), core.clone())).collect()
    }
}

fn ours(core: &ast::EntityType) -> Result<EntityType, Fault> {
    EntityType::new(&core.to_string())
        .map_err(|error| Fault::new(codes::SCHEMA_INVALID, error.to_string()))
}

fn broken(error: &dyn std::fmt::Display) -> Fault {
    Fault::new(codes::SCHEMA_INVALID, error.to_string())
}

fn entity_table(
    declared: &ValidatorEntityType,
    names: &Names,
    callers: BTreeMap<String, Caller>,
) -> Result<EntityTable, Fault> {
    Ok(EntityTable {
        core: declared.name().clone(),
        ids: names.ids.get(declared.name()).cloned(),
        attributes: record(declared.attributes(), names)?,
        callers,
        personal: Vec::new(),
    })
}

fn action_table(
    action: &ValidatorActionId,
    store: &cedar_policy_core::entities::Entities,
    names: &Names,
) -> Result<ActionTable, Fault> {
    let context = match action.context() {
        Some(Type::Record { attrs, .. }) => record(attrs, names)?,
        _ => Record::default(),
    };
    // `action in [...]` looks at the ancestors that the action's own entity lists.
    let above = |entity: &&ast::Entity| {
        entity.uid() == action.name() || action_is_in(store, action.name(), entity.uid())
    };
    Ok(ActionTable {
        principals: action.principals().map(|kind| names.ours(kind)).collect::<Result<_, _>>()?,
        resources: action.resources().map(|kind| names.ours(kind)).collect::<Result<_, _>>()?,
        context,
        personal: Vec::new(),
        entities: store.iter().filter(above).map(|entity| Arc::new(entity.clone())).collect(),
    })
}

fn action_is_in(
    store: &cedar_policy_core::entities::Entities,
    action: &ast::EntityUID,
    group: &ast::EntityUID,
) -> bool {
    match store.entity(action) {
        cedar_policy_core::entities::Dereference::Data(entity) => entity.is_descendant_of(group),
        _ => false,
    }
}

fn record(attributes: &Attributes, names: &Names) -> Result<Record, Fault> {
    let members = attributes.iter().map(|(name, declared)| {
        let kind = kind(&declared.attr_type, names)?;
        Ok((name.clone(), Member { kind, required: declared.is_required() }))
    });
    Ok(Record { members: members.collect::<Result<_, Fault>>()? })
}

fn kind(declared: &Type, names: &Names) -> Result<Kind, Fault> {
    Ok(match declared {
        Type::Bool(_) => Kind::Bool,
        Type::Long => Kind::Long,
        Type::String => Kind::Text,
        Type::Entity(EntityKind::Entity(lub)) => {
            Kind::Entity(reference(lub.get_single_entity(), names)?)
        }
        Type::Set { element_type: Some(element) } => Kind::Set(Arc::new(kind(element, names)?)),
        Type::Record { attrs, .. } => Kind::Record(Arc::new(record(attrs, names)?)),
        Type::ExtensionType { name } => Kind::Extension(extension(&name.to_string())?),
        Type::Never | Type::Entity(EntityKind::AnyEntity) | Type::Set { element_type: None } => {
            return Err(unknown(declared));
        }
    })
}

fn reference(core: Option<&ast::EntityType>, names: &Names) -> Result<Reference, Fault> {
    let core = core.ok_or_else(|| unknown(&"any entity"))?;
    let ids = names.ids.get(core).cloned();
    Ok(Reference { core: core.clone(), name: names.ours(core)?, ids })
}

fn extension(name: &str) -> Result<Extension, Fault> {
    match name {
        "ipaddr" => Ok(Extension::Ip),
        "decimal" => Ok(Extension::Decimal),
        "datetime" => Ok(Extension::Datetime),
        "duration" => Ok(Extension::Duration),
        other => Err(unknown(&other)),
    }
}

fn unknown(declared: &dyn std::fmt::Display) -> Fault {
    Fault::new(codes::SCHEMA_INVALID, format!("values of the type `{declared}` are not known"))
}
