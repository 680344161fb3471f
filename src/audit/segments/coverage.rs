//! What no segment and no wall covers.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::place::{Place, Places};
use crate::cedar::CompiledSchema;
use crate::model::Uid;
use crate::projection::{Compiled, World};

/// How many are named of each.
const NAMED_MAX: usize = 100;

/// What stands outside, and what stands open but for the lack of a permit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// How many entities could be in a segment and are in none.
    pub outside_count: u64,
    /// The first hundred of them.
    pub outside: Vec<Uid>,
    /// The segments that no `forbid` names for what is done to their resources: the next
    /// permit may open them to anybody.
    pub unwalled: Vec<Uid>,
    /// The ways from one place to another that no road shows: whoever may use what stands
    /// in the one goes on as somebody who stands in the other.
    pub bridges: Vec<Bridge>,
}

/// A resource that leads to another place than its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bridge {
    /// What is used.
    pub resource: Uid,
    /// Where it stands.
    pub from: Place,
    /// As whom one goes on.
    pub onward: Uid,
    /// Where they stand.
    pub to: Place,
}

impl Coverage {
    pub(super) fn of(world: &World, compiled: &Compiled, places: &Places<'_>) -> Self {
        let outside = places.outside();
        let walled = compiled.policies.walled();
        let has_wall = |segment: &Uid| {
            let node = world.directory.get(segment);
            let above = node.is_some_and(|node| !node.ancestors.is_disjoint(&walled));
            above || walled.contains(segment)
        };
        Self {
            outside_count: outside.len() as u64,
            outside: outside.into_iter().take(NAMED_MAX).collect(),
            unwalled: places.segments().into_iter().filter(|it| !has_wall(it)).collect(),
            bridges: bridges(world, &compiled.schema, places),
        }
    }
}

/// The pivots that lead out of the place of their resource, in order.
fn bridges(world: &World, schema: &CompiledSchema, places: &Places<'_>) -> Vec<Bridge> {
    let mut found = BTreeMap::new();
    for (action, attribute) in schema.pivots() {
        let kinds = schema.resources_of(action).into_iter().flatten().collect::<BTreeSet<_>>();
        let documents = world.directory.iter().map(|node| &node.document);
        for document in documents.filter(|document| kinds.contains(document.uid.kind())) {
            let Some(onward) = document.entity(attribute) else { continue };
            let (from, to) = (places.of_entity(&document.uid), places.of_entity(&onward));
            if let (false, Some(from), Some(to)) =
                (from.iter().any(|place| to.contains(place)), from.first(), to.first())
            {
                let (from, to) = (from.clone(), to.clone());
                let key = (document.uid.clone(), onward.clone());
                let resource = document.uid.clone();
                found.insert(key, Bridge { resource, from, onward, to });
            }
        }
    }
    found.into_values().take(NAMED_MAX).collect()
}
