//! The entities of one question: the directory's, with what the caller says about
//! the subject and the resource as far as the schema lets it count.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use super::personal::Met;
use crate::cedar::{CompiledSchema, EntitySource, TypedEntity};
use crate::model::{EntityAsked, EntityDocument, EntityType, ReservedType, SetKind, Uid};
use crate::projection::{LookedFor, World};

/// Where a decision finds its entities.
pub(super) struct Entities<'a> {
    set: SetKind,
    world: &'a World,
    schema: &'a CompiledSchema,
    asked: HashMap<Uid, TypedEntity>,
    /// What the caller said that does not count, by path.
    pub(super) ignored: Vec<String>,
    /// What the caller said that does count, by path.
    pub(super) believed: Vec<String>,
    /// What cannot be seen of the entities looked at so far.
    pub(super) met: RefCell<Met>,
    /// Which entities of the directory were looked for so far, and what was found.
    pub(super) looked_for: RefCell<LookedFor>,
}

impl<'a> Entities<'a> {
    pub(super) fn new(set: SetKind, world: &'a World, schema: &'a CompiledSchema) -> Self {
        let (asked, ignored, believed) = (HashMap::new(), Vec::new(), Vec::new());
        let (met, looked_for) = (RefCell::default(), RefCell::default());
        Self { set, world, schema, asked, ignored, believed, met, looked_for }
    }

    /// Adds what the caller says about the subject or resource, and drops from
    /// `asked` the properties that do not count.
    pub(super) fn say(&mut self, place: &str, uid: &Uid, asked: &mut EntityAsked) {
        if asked.properties.is_empty() {
            return;
        }
        let given = std::mem::take(&mut asked.properties);
        let (entity, ignored, believed) = match (self.set, self.stored(uid)) {
            (SetKind::System, _) => (None, names(&given), Vec::new()),
            (SetKind::Application, Some(stored)) => {
                let over = self.schema.overlay(&stored, &given);
                asked.properties.clone_from(over.kept());
                (Some(over.value), over.ignored, [over.filled, over.overridden].concat())
            }
            (SetKind::Application, None) => match self.schema.shape_entity(uid, &given) {
                Some(shaped) => {
                    asked.properties = shaped.kept(&given);
                    // Of what does not count nothing is recorded, so nothing may come of it
                    // either: an entity without attributes is another than none.
                    let entity = (!asked.properties.is_empty()).then_some(shaped.value);
                    (entity, shaped.pruned, names(&asked.properties))
                }
                None => (None, names(&given), Vec::new()),
            },
        };
        if let Some(entity) = entity {
            self.asked.insert(uid.clone(), entity);
        }
        let mut believed = believed;
        believed.sort();
        let path = |name: String| format!("{place}.properties.{name}");
        self.ignored.extend(ignored.into_iter().map(path));
        self.believed.extend(believed.into_iter().map(path));
    }

    fn stored(&self, uid: &Uid) -> Option<TypedEntity> {
        match self.set {
            SetKind::Application => {
                let found = self.world.directory.get(uid);
                self.looked_for.borrow_mut().note(uid, found);
                let node = found?;
                // As in any view of a directory, one that does not fit the schema is absent.
                let entity = node.typed(self.schema).ok();
                if !node.document.personal.is_empty() {
                    let erased = &self.world.erasures;
                    self.met.borrow_mut().entity(&node.document, entity.is_some(), erased);
                }
                entity
            }
            SetKind::System => {
                let document = administrative(self.world, uid);
                self.schema.type_entity(&document, &document.parents).ok()
            }
        }
    }
}

impl EntitySource for Entities<'_> {
    fn entity(&self, uid: &Uid) -> Option<TypedEntity> {
        self.asked.get(uid).cloned().or_else(|| self.stored(uid))
    }
}

fn names(properties: &Map<String, Value>) -> Vec<String> {
    properties.keys().cloned().collect()
}

/// A person, service or other entity of Countersign's own administration, from
/// what the log says of it.
fn administrative(world: &World, uid: &Uid) -> EntityDocument {
    let mut document = EntityDocument::bare(uid.clone());
    if *uid.kind() == EntityType::reserved(ReservedType::Service) {
        let service = uid.id().parse().ok().and_then(|id| world.services.get(&id));
        let scopes = service.map(|service| json!(service.scopes)).unwrap_or(json!([]));
        document.attrs.insert("scopes".to_owned(), scopes);
    } else if *uid.kind() == EntityType::reserved(ReservedType::Person) {
        let person = uid.id().parse().ok().and_then(|name| world.identities.get(&name));
        document.parents =
            person.filter(|person| !person.disabled).map_or_else(BTreeSet::new, |person| {
                person.roles.iter().filter_map(|role| self::role(role)).collect()
            });
    }
    document
}

fn role(name: &str) -> Option<Uid> {
    Uid::new(EntityType::reserved(ReservedType::Role), name).ok()
}
