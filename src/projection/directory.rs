//! The directory of entities, with its hierarchy's closure kept as it changes.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use foldhash::{HashMap as PlainMap, HashMapExt as _};
use imbl::{HashMap, OrdSet};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Erasures, NotAWorld};
use crate::cedar::{CompiledSchema, EntitySource, Fault, TypedEntity};
use crate::event::{DirectoryActivated, EntitySubmitted, EntityWithdrawn};
use crate::model::{Digest, EntityDocument, Personal, Uid, Version};

/// How many levels of entities within entities there may be.
pub(super) const DEPTH_MAX: usize = 64;
/// How many entities one entity may be in, directly or not.
pub(super) const ANCESTORS_MAX: usize = 1_000;

/// One change of the directory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Put an entity, replacing one of the same name whole.
    Put(EntityDocument),
    /// Take one out.
    Remove(Uid),
}

/// Why a hierarchy is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HierarchyFault {
    /// An entity would be in itself.
    #[error("an entity would be in itself: {}", shown(.path))]
    Cycle {
        /// From the entity, by way of what it is in, back to itself.
        path: Vec<Uid>,
    },
    /// Too many levels.
    #[error("`{uid}` would stand {depth} levels deep; at most {DEPTH_MAX} are allowed")]
    TooDeep {
        /// The deepest entity.
        uid: Uid,
        /// Its level.
        depth: usize,
    },
    /// In too much.
    #[error("`{uid}` would be in {count} entities; at most {ANCESTORS_MAX} are allowed")]
    TooMany {
        /// The entity.
        uid: Uid,
        /// How many it would be in.
        count: usize,
    },
}

fn shown(path: &[Uid]) -> String {
    path.iter().map(|uid| format!("`{uid}`")).collect::<Vec<_>>().join(" is in ")
}

/// One entity and what follows from its place in the hierarchy.
#[derive(Debug)]
pub struct Node {
    /// The entity as its author wrote it; a move shares it.
    pub document: Arc<EntityDocument>,
    /// All it is in, directly or not.
    pub ancestors: Arc<BTreeSet<Uid>>,
    /// How many levels are above it.
    pub depth: usize,
    // What everything is in that is in this alone; shared by all of that.
    within: OnceLock<Arc<BTreeSet<Uid>>>,
    // Its typed form under the schema of that digest; made when first asked for. Beside it
    // that under another schema, such as a draft's: who asks a draft must not have those who
    // ask what is in force type it anew each time.
    typed: [ArcSwapOption<(Digest, TypedEntity)>; 2],
}

/// Where an entity stands: all it is in, directly or not, and how many levels are above.
type Place = (Arc<BTreeSet<Uid>>, usize);

/// Entities with new places, by their names.
type Fresh<'a> = PlainMap<&'a Uid, Arc<Node>>;

impl Node {
    fn new(document: impl Into<Arc<EntityDocument>>, (ancestors, depth): Place) -> Self {
        let document = document.into();
        let (within, typed) = (OnceLock::new(), [const { ArcSwapOption::const_empty() }; 2]);
        Self { document, ancestors, depth, within, typed }
    }

    fn place(&self) -> Place {
        (Arc::clone(&self.ancestors), self.depth)
    }

    /// The place of what is in this entity and in no other.
    fn below(&self) -> Place {
        let within = self.within.get_or_init(|| {
            let mut within = BTreeSet::clone(&self.ancestors);
            within.insert(self.document.uid.clone());
            Arc::new(within)
        });
        (Arc::clone(within), self.depth + 1)
    }

    /// The entity with the types that a schema gives it.
    ///
    /// # Errors
    /// [`Fault`] if it does not fit the schema; admission has refused that.
    pub fn typed(&self, schema: &CompiledSchema) -> Result<TypedEntity, Fault> {
        let [first, beside] = &self.typed;
        for known in [first, beside] {
            if let Some(known) = &*known.load()
                && known.0 == schema.digest()
            {
                return Ok(known.1.clone());
            }
        }
        let typed = schema.type_entity(&self.document, &self.ancestors)?;
        let place = if first.load().is_none() { first } else { beside };
        place.store(Some(Arc::new((schema.digest(), typed.clone()))));
        Ok(typed)
    }
}

/// All entities. A change costs what it touches; a copy costs nothing.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    nodes: HashMap<Uid, Arc<Node>>,
    children: HashMap<Uid, OrdSet<Uid>>,
    version: Version,
    staged: HashMap<Uuid, Arc<Vec<Change>>>,
}

impl Directory {
    /// An entity by its name.
    #[must_use]
    pub fn get(&self, uid: &Uid) -> Option<&Arc<Node>> {
        self.nodes.get(uid)
    }

    /// All entities, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes.values()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// How often it has been changed.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The directory after some changes, or why its hierarchy would not do.
    ///
    /// # Errors
    /// [`HierarchyFault`] for a cycle, with its path, too many levels, or too many entities
    /// that one would be in.
    pub fn with(&self, changes: &[Change]) -> Result<Self, HierarchyFault> {
        let mut after = self.clone();
        changes.iter().try_for_each(|change| after.change(change))?;
        Ok(after)
    }

    pub(super) fn entity_submitted(&mut self, it: &EntitySubmitted) {
        self.stage(it.publication, Change::Put(it.entity.clone()));
    }

    pub(super) fn entity_withdrawn(&mut self, it: &EntityWithdrawn) {
        self.stage(it.publication, Change::Remove(it.uid.clone()));
    }

    fn stage(&mut self, publication: Uuid, change: Change) {
        Arc::make_mut(self.staged.entry(publication).or_default()).push(change);
    }

    pub(super) fn activated(&mut self, it: &DirectoryActivated, erasures: &Erasures) {
        let staged = self.staged.remove(&it.publication).unwrap_or_default();
        for change in staged.iter() {
            // Admission has refused what cannot be; a fold goes on regardless.
            let _refused_at_admission = self.change(change);
            if let Change::Put(document) = change
                && !document.personal.is_empty()
            {
                self.close_personal(&document.uid, erasures);
            }
        }
        self.version = it.version;
    }

    /// Forgets what is personal of an entity, as far as it is erased.
    pub(super) fn close_personal(&mut self, uid: &Uid, erasures: &Erasures) {
        let Some(node) = self.nodes.get(uid) else { return };
        let mut document = EntityDocument::clone(&node.document);
        if erasures.close(&mut document) {
            let node = Node::new(document, node.place());
            self.nodes.insert(uid.clone(), Arc::new(node));
        }
    }

    fn change(&mut self, change: &Change) -> Result<(), HierarchyFault> {
        let (uid, document) = match change {
            Change::Put(document) => (&document.uid, Some(document)),
            Change::Remove(uid) => (uid, None),
        };
        let before = self.nodes.get(uid).cloned();
        let parents = before.as_ref().map(|node| &node.document.parents);
        for parent in parents.into_iter().flatten() {
            self.forget_child(parent, uid);
        }
        let place = before.as_ref().map(|node| node.place()).unwrap_or_default();
        let now = document.map(|it| self.place(&it.parents, &Fresh::new())).unwrap_or_default();
        // What is in an entity depends on nothing of it but its place. So what does not
        // move, however much is in it, costs as much as if nothing were.
        let stays = now == place;
        match document {
            None => {
                self.nodes.remove(uid);
            }
            Some(document) => {
                for parent in &document.parents {
                    self.children.entry(parent.clone()).or_default().insert(uid.clone());
                }
                let place = if stays { place } else { Place::default() };
                self.nodes.insert(uid.clone(), Arc::new(Node::new(document.clone(), place)));
            }
        }
        if stays { Ok(()) } else { self.close(uid) }
    }

    fn forget_child(&mut self, parent: &Uid, child: &Uid) {
        if let Some(children) = self.children.get_mut(parent) {
            children.remove(child);
            if children.is_empty() {
                self.children.remove(parent);
            }
        }
    }

    /// Computes anew what `uid` and everything in it are in, parents first.
    fn close(&mut self, uid: &Uid) -> Result<(), HierarchyFault> {
        let mut waiting = self.with_descendants(uid);
        let affected = waiting.len();
        // All others wait for a parent among them; so does it, if it is in itself.
        let first = waiting.get(uid).filter(|parents| **parents == 0).map(|_| uid);
        let mut ready: VecDeque<&Uid> = first.into_iter().collect();
        let (mut fresh, mut closed) = (Fresh::new(), 0);
        while let Some(one) = ready.pop_front() {
            let place = self.bounded_place(one, self.parents(one), &fresh)?;
            if let Some(node) = self.nodes.get(one) {
                fresh.insert(one, Arc::new(Node::new(Arc::clone(&node.document), place)));
            }
            closed += 1;
            for child in self.children.get(one).into_iter().flatten() {
                let Some(left) = waiting.get_mut(child) else { continue };
                *left = left.saturating_sub(1);
                if *left == 0 {
                    ready.push_back(child);
                }
            }
        }
        if closed < affected {
            return Err(HierarchyFault::Cycle { path: self.cycle_through(uid) });
        }
        // Their names are borrowed from what is altered now.
        let moved: Vec<_> = fresh.into_values().collect();
        for node in moved {
            self.nodes.insert(node.document.uid.clone(), node);
        }
        Ok(())
    }

    /// The place of what has these parents, within the bounds.
    fn bounded_place<'p>(
        &self,
        uid: &Uid,
        parents: impl IntoIterator<Item = &'p Uid>,
        fresh: &Fresh<'_>,
    ) -> Result<Place, HierarchyFault> {
        let (ancestors, depth) = self.place(parents, fresh);
        if depth > DEPTH_MAX {
            return Err(HierarchyFault::TooDeep { uid: uid.clone(), depth });
        }
        if ancestors.len() > ANCESTORS_MAX {
            let count = ancestors.len();
            return Err(HierarchyFault::TooMany { uid: uid.clone(), count });
        }
        Ok((ancestors, depth))
    }

    /// The place of what has these parents, given theirs.
    fn place<'p>(&self, parents: impl IntoIterator<Item = &'p Uid>, fresh: &Fresh<'_>) -> Place {
        let node = |uid: &Uid| fresh.get(uid).or_else(|| self.nodes.get(uid));
        let mut parents = parents.into_iter().peekable();
        let Some(first) = parents.next() else { return Place::default() };
        if let (None, Some(only)) = (parents.peek(), node(first)) {
            return only.below();
        }
        let (mut ancestors, mut depth) = (BTreeSet::new(), 0);
        for parent in std::iter::once(first).chain(parents) {
            let (above, level) = node(parent).map(|node| node.place()).unwrap_or_default();
            ancestors.extend(above.iter().cloned());
            ancestors.insert(parent.clone());
            depth = depth.max(level + 1);
        }
        (Arc::new(ancestors), depth)
    }

    fn parents(&self, uid: &Uid) -> impl Iterator<Item = &Uid> {
        self.nodes.get(uid).into_iter().flat_map(|node| &node.document.parents)
    }

    /// An entity and all that is in it; of each, how many of its parents are among them.
    fn with_descendants<'a>(&'a self, uid: &'a Uid) -> PlainMap<&'a Uid, usize> {
        let mut found = PlainMap::from_iter([(uid, 0)]);
        let mut open = vec![uid];
        while let Some(one) = open.pop() {
            for child in self.children.get(one).into_iter().flatten() {
                let parents = found.entry(child).or_insert_with(|| {
                    open.push(child);
                    0
                });
                *parents += 1;
            }
        }
        found
    }

    /// The shortest way from `uid` up and back to itself.
    fn cycle_through(&self, uid: &Uid) -> Vec<Uid> {
        let mut came_from: PlainMap<&Uid, &Uid> = PlainMap::new();
        let mut open: VecDeque<&Uid> = VecDeque::from([uid]);
        while let Some(one) = open.pop_front() {
            for parent in self.parents(one) {
                if parent == uid {
                    let mut path = vec![uid.clone()];
                    let mut at = one;
                    while at != uid {
                        path.push(at.clone());
                        at = came_from.get(at).copied().unwrap_or(uid);
                    }
                    path.push(uid.clone());
                    path.reverse();
                    return path;
                }
                if !came_from.contains_key(parent) {
                    came_from.insert(parent, one);
                    open.push_back(parent);
                }
            }
        }
        vec![uid.clone()]
    }
}

/// The directory as it is put away, its hierarchy's top first.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DirectoryState<'a> {
    entities: Vec<Cow<'a, EntityDocument>>,
    version: Version,
    staged: Vec<(Uuid, Arc<Vec<Change>>)>,
}

impl Directory {
    pub(super) fn state(&self) -> DirectoryState<'_> {
        let mut nodes: Vec<_> = self.nodes.values().collect();
        // What an entity is in stands on lower levels, so before it.
        nodes.sort_unstable_by_key(|node| (node.depth, &node.document.uid));
        let staged = self.staged.iter();
        let mut staged: Vec<_> = staged.map(|(id, it)| (*id, Arc::clone(it))).collect();
        staged.sort_unstable_by_key(|(id, _)| *id);
        let entities = nodes.into_iter().map(|node| Cow::Borrowed(&*node.document)).collect();
        DirectoryState { entities, version: self.version, staged }
    }

    /// Takes it up again; `open` opens what is personal as far as its keys are there.
    ///
    /// # Errors
    /// [`NotAWorld`], for a hierarchy or a seal that no directory of ours has.
    pub(super) fn restored(
        state: DirectoryState<'_>,
        erasures: &Erasures,
        open: &mut dyn FnMut(&mut [Personal]) -> bool,
    ) -> Result<Self, NotAWorld> {
        let mut directory = Self { version: state.version, ..Self::default() };
        for (publication, mut changes) in state.staged {
            for change in Arc::make_mut(&mut changes) {
                if let Change::Put(document) = change {
                    opened(document, open)?;
                }
            }
            directory.staged.insert(publication, changes);
        }
        let none = Fresh::new();
        for mut document in state.entities.into_iter().map(Cow::into_owned) {
            opened(&mut document, open)?;
            // Its key may be there still, if its destruction was cut short.
            erasures.close(&mut document);
            let uid = document.uid.clone();
            for parent in &document.parents {
                directory.children.entry(parent.clone()).or_default().insert(uid.clone());
            }
            let place = directory.bounded_place(&uid, &document.parents, &none)?;
            directory.nodes.insert(uid, Arc::new(Node::new(document, place)));
        }
        Ok(directory)
    }
}

fn opened(
    document: &mut EntityDocument,
    open: &mut dyn FnMut(&mut [Personal]) -> bool,
) -> Result<(), NotAWorld> {
    let opens = document.personal.is_empty() || open(&mut document.personal);
    if opens { Ok(()) } else { Err(NotAWorld::Sealed) }
}

/// The directory as a schema types it: what a decision looks entities up in.
#[derive(Clone, Copy, Debug)]
pub struct DirectoryView<'a> {
    /// The entities.
    pub directory: &'a Directory,
    /// The schema in force.
    pub schema: &'a CompiledSchema,
}

impl EntitySource for DirectoryView<'_> {
    fn entity(&self, uid: &Uid) -> Option<TypedEntity> {
        // An entity that its schema does not fit is as good as absent: a policy
        // that needs it errs, and an erring `forbid` denies.
        self.directory.get(uid).and_then(|node| node.typed(self.schema).ok())
    }
}

#[cfg(test)]
mod tests;
