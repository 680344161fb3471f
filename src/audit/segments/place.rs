//! Where somebody stands: in a segment, or outside all of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cedar::CompiledSchema;
use crate::model::{EntityType, Uid};
use crate::projection::World;

/// A row or a column of the matrix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A segment.
    Segment(Uid),
    /// The entities of this type that are in no segment.
    Outside(EntityType),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segment(uid) => f.write_str(uid.id()),
            Self::Outside(kind) => write!(f, "({kind} in no segment)"),
        }
    }
}

/// Entities by where they stand.
pub(super) type Group = BTreeMap<Place, Vec<Uid>>;

/// Where every entity stands as of one World.
pub(super) struct Places<'a> {
    world: &'a World,
    schema: &'a CompiledSchema,
    known: HashMap<Uid, Vec<Place>>,
}

impl<'a> Places<'a> {
    /// Of a World's directory. Linear in it.
    pub(super) fn of(world: &'a World, schema: &'a CompiledSchema) -> Self {
        let mut places = Self { world, schema, known: HashMap::new() };
        for node in world.directory.iter() {
            let uid = &node.document.uid;
            let innermost = places.innermost(&node.ancestors);
            places.known.insert(uid.clone(), standing(uid, innermost));
        }
        places
    }

    /// The places of an entity: mostly one, more if it is in several segments of which none
    /// is in another. What the directory does not hold is outside.
    pub(super) fn of_entity(&self, uid: &Uid) -> Vec<Place> {
        let unknown = || vec![Place::Outside(uid.kind().clone())];
        self.known.get(uid).cloned().unwrap_or_else(unknown)
    }

    /// Who can do an action and to what, by their places.
    pub(super) fn sides(&self, action: &Uid) -> (Group, Group) {
        let group = |kinds: Option<&BTreeSet<EntityType>>| {
            kinds.map(|kinds| self.group(kinds)).unwrap_or_default()
        };
        (group(self.schema.principals_of(action)), group(self.schema.resources_of(action)))
    }

    /// The entities of these types by their places, all in order.
    fn group(&self, kinds: &BTreeSet<EntityType>) -> Group {
        let mut groups = Group::new();
        for (uid, places) in self.known.iter().filter(|(uid, _)| kinds.contains(uid.kind())) {
            for place in places {
                groups.entry(place.clone()).or_default().push(uid.clone());
            }
        }
        groups.values_mut().for_each(|all| all.sort());
        groups
    }

    /// The segments that the directory holds, in order.
    pub(super) fn segments(&self) -> Vec<Uid> {
        let kinds = self.schema.segment_types();
        let mut all: Vec<_> =
            self.known.keys().filter(|uid| kinds.contains(uid.kind())).cloned().collect();
        all.sort();
        all
    }

    /// The entities that could be in a segment and are in none, in order.
    pub(super) fn outside(&self) -> Vec<Uid> {
        let kinds = self.schema.types_in_segments();
        let is_outside = |places: &[Place]| matches!(places, [Place::Outside(_)]);
        let all = self
            .known
            .iter()
            .filter(|(uid, places)| kinds.contains(uid.kind()) && is_outside(places));
        let mut all: Vec<_> = all.map(|(uid, _)| uid.clone()).collect();
        all.sort();
        all
    }

    fn innermost(&self, ancestors: &BTreeSet<Uid>) -> Vec<Uid> {
        let kinds = self.schema.segment_types();
        let within: Vec<_> = ancestors.iter().filter(|uid| kinds.contains(uid.kind())).collect();
        let holds_another = |uid: &Uid| {
            within.iter().any(|other| {
                let node = self.world.directory.get(other);
                node.is_some_and(|node| node.ancestors.contains(uid))
            })
        };
        within.iter().filter(|uid| !holds_another(uid)).map(|uid| (*uid).clone()).collect()
    }
}

fn standing(uid: &Uid, innermost: Vec<Uid>) -> Vec<Place> {
    if innermost.is_empty() {
        return vec![Place::Outside(uid.kind().clone())];
    }
    innermost.into_iter().map(Place::Segment).collect()
}
