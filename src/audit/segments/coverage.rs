//! What no segment and no wall covers.

use serde::{Deserialize, Serialize};

use super::place::Places;
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
        }
    }
}
