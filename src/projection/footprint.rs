//! What a decision rests on, to know whether it would still be the same later.

use std::sync::Arc;

use super::{Directory, Node, World};
use crate::model::Uid;

/// What of a World a decision rests on: all of it but the directory, and of that the
/// entities it has looked for. So a change of others, however many, leaves it as it is.
#[derive(Clone, Debug)]
pub struct Footprint {
    epoch: u64,
    elsewhere: u64,
    looked_for: LookedFor,
}

/// How many entities are remembered of one decision, and of all in one proposal. A caller
/// may mention thousands in a context; what has looked for more is taken again.
const ONES_MAX: usize = 64;
const ALL_MAX: usize = 1_024;

/// The entities of a directory that were looked for, of one decision each once.
#[derive(Clone, Debug, Default)]
pub struct LookedFor {
    found: Vec<Arc<Node>>,
    missing: Vec<Uid>,
    /// More than are remembered.
    too_many: bool,
}

impl LookedFor {
    /// Adds one, as it was found or not.
    pub fn note(&mut self, uid: &Uid, found: Option<&Arc<Node>>) {
        if self.too_many {
            return;
        }
        match found {
            Some(node) if !self.found.iter().any(|known| Arc::ptr_eq(known, node)) => {
                self.found.push(Arc::clone(node));
            }
            None if !self.missing.contains(uid) => self.missing.push(uid.clone()),
            _ => return,
        }
        self.forget_above(ONES_MAX);
    }

    /// Adds those of the same question, decided otherwise in the same World.
    pub fn extend(&mut self, other: &Self) {
        other.found.iter().for_each(|node| self.note(&node.document.uid, Some(node)));
        other.missing.iter().for_each(|uid| self.note(uid, None));
        self.too_many |= other.too_many;
    }

    /// Adds those of another question, whether or not they are known already.
    fn append(&mut self, other: Self) {
        self.found.extend(other.found);
        self.missing.extend(other.missing);
        self.too_many |= other.too_many;
        self.forget_above(ALL_MAX);
    }

    fn forget_above(&mut self, most: usize) {
        if self.found.len() + self.missing.len() > most {
            *self = Self { too_many: true, ..Self::default() };
        }
    }

    fn are_as_they_were(&self, directory: &Directory) -> bool {
        let is_same = |then: &Arc<Node>| {
            directory.get(&then.document.uid).is_some_and(|now| Arc::ptr_eq(then, now))
        };
        !self.too_many
            && self.found.iter().all(is_same)
            && self.missing.iter().all(|uid| directory.get(uid).is_none())
    }
}

impl Footprint {
    /// Of a decision in this World that has looked for no entity yet.
    #[must_use]
    pub fn of(world: &World) -> Self {
        Self { epoch: world.epoch, elsewhere: world.elsewhere, looked_for: LookedFor::default() }
    }

    /// Adds the entities that were looked for, as they were found.
    #[must_use]
    pub fn with(mut self, looked_for: LookedFor) -> Self {
        self.looked_for.append(looked_for);
        self
    }

    /// Adds what another decision in the same World rests on.
    pub fn join(&mut self, other: Self) {
        self.looked_for.append(other.looked_for);
    }

    /// Whether the same decision would be taken in `world`, a later one of the same process
    /// (a node is the same as long as neither its entity nor what that is in has changed). At once
    /// if nothing that bears on decisions has changed; else a look-up an entity.
    #[must_use]
    pub fn holds_in(&self, world: &World) -> bool {
        self.epoch == world.epoch
            || self.elsewhere == world.elsewhere
                && self.looked_for.are_as_they_were(&world.directory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EntityDocument;
    use crate::projection::Change;

    fn named(id: &str) -> Uid {
        format!("User::\"{id}\"").parse().unwrap()
    }

    fn put(id: &str, parents: &[&str]) -> Change {
        let parents = parents.iter().map(|id| named(id)).collect();
        Change::Put(EntityDocument { parents, ..EntityDocument::bare(named(id)) })
    }

    /// The World after an epoch more, in which the directory has changed.
    fn after(world: &World, changes: &[Change]) -> World {
        let directory = world.directory.with(changes).unwrap();
        World { directory, epoch: world.epoch + 1, ..world.clone() }
    }

    fn looked_for(world: &World, ids: &[&str]) -> Footprint {
        let mut all = LookedFor::default();
        ids.iter().for_each(|id| all.note(&named(id), world.directory.get(&named(id))));
        Footprint::of(world).with(all)
    }

    /// Goal: no change goes by unseen that a decision could rest on: of an entity that it
    /// has looked for, of one that was not there, or of what it is in by way of another.
    #[test]
    fn a_decision_rests_on_the_entities_that_it_has_looked_for() {
        let world = World::default();
        let world = after(&world, &[put("top", &[]), put("group", &[]), put("a", &["group"])]);
        let mut seen = looked_for(&world, &["a"]);
        seen.join(looked_for(&world, &["nobody"]));
        assert!(seen.holds_in(&world));
        assert!(seen.holds_in(&after(&world, &[put("other", &["group"])])));
        for change in
            [put("a", &[]), put("nobody", &[]), put("group", &["top"]), Change::Remove(named("a"))]
        {
            assert!(!seen.holds_in(&after(&world, std::slice::from_ref(&change))), "{change:?}");
        }
    }

    /// Goal: no caller has the node remember or compare without end.
    #[test]
    fn what_has_looked_for_too_much_rests_on_the_whole_directory() {
        let world = World::default();
        let other = after(&world, &[put("other", &[])]);
        let names: Vec<_> = (0..=ONES_MAX).map(|number| number.to_string()).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let few = looked_for(&world, &names[1..]);
        assert!(few.holds_in(&other));
        let many = looked_for(&world, &names);
        assert!(many.holds_in(&world) && !many.holds_in(&other));
        assert!(many.looked_for.missing.is_empty());
        let mut all = Footprint::of(&world);
        (0..ALL_MAX / ONES_MAX).for_each(|_| all.join(few.clone()));
        assert!(all.holds_in(&other));
        all.join(looked_for(&world, &names[..1]));
        assert!(!all.holds_in(&other));
    }

    #[test]
    fn a_decision_rests_on_all_else() {
        let world = after(&World::default(), &[put("a", &[])]);
        let seen = looked_for(&world, &["a"]);
        let (epoch, elsewhere) = (world.epoch + 1, world.elsewhere + 1);
        assert!(!seen.holds_in(&World { epoch, elsewhere, ..world }));
    }
}
