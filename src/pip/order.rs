//! The order in which several changes are made.

use std::collections::{BTreeMap, HashSet};

use crate::model::Uid;
use crate::projection::{Change, Directory};

/// Orders changes so that what an entity will be in is changed before the entity
/// itself. Made one by one in this order they pass through no cycle that the directory
/// does not end in, whatever order their author wrote them in; and no closure is
/// computed twice. Each entity may be named once only.
///
/// Linear in the changes and in what they will be in.
pub(super) fn parents_first(directory: &Directory, changes: Vec<Change>) -> Vec<Change> {
    let names: Vec<_> = changes.iter().map(|change| uid(change).clone()).collect();
    let by_name: BTreeMap<_, _> = changes.into_iter().map(|it| (uid(&it).clone(), it)).collect();
    let order = Walk { directory, changes: &by_name, seen: HashSet::new() }.order(&names);
    let mut left = by_name;
    order.iter().filter_map(|name| left.remove(name)).collect()
}

/// The entity that a change is about.
pub(super) fn uid(change: &Change) -> &Uid {
    match change {
        Change::Put(document) => &document.uid,
        Change::Remove(uid) => uid,
    }
}

/// A walk up the hierarchy as it will be.
struct Walk<'a> {
    directory: &'a Directory,
    changes: &'a BTreeMap<Uid, Change>,
    seen: HashSet<&'a Uid>,
}

impl<'a> Walk<'a> {
    /// All entities on the way, each after all that it will be in; in no such order
    /// where there is a cycle. A stack of our own, because chains may be long.
    fn order(mut self, names: &'a [Uid]) -> Vec<Uid> {
        let mut order = Vec::new();
        for name in names {
            let mut open = vec![(name, false)];
            while let Some((one, parents_done)) = open.pop() {
                if parents_done {
                    order.push(one.clone());
                } else if self.seen.insert(one) {
                    open.push((one, true));
                    open.extend(self.parents(one).into_iter().map(|parent| (parent, false)));
                }
            }
        }
        order
    }

    fn parents(&self, name: &Uid) -> Vec<&'a Uid> {
        match self.changes.get(name) {
            Some(Change::Put(document)) => document.parents.iter().collect(),
            Some(Change::Remove(_)) => Vec::new(),
            None => {
                let node = self.directory.get(name);
                node.into_iter().flat_map(|node| &node.document.parents).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EntityDocument;
    use proptest::prelude::*;

    fn node(n: u8) -> Uid {
        Uid::parse("Node", &n.to_string()).unwrap()
    }

    fn put(n: u8, parents: &[u8]) -> Change {
        let mut document = EntityDocument::bare(node(n));
        document.parents = parents.iter().copied().map(node).collect();
        Change::Put(document)
    }

    /// A forest in which an entity's parents follow it in `order`.
    fn forest(order: &[u8], links: &[(usize, usize)]) -> Vec<Change> {
        let parents = |at: usize| {
            links.iter().filter(move |(low, high)| *low == at && low < high).map(|(_, high)| *high)
        };
        let known = |at: usize| parents(at).filter_map(|p| order.get(p).copied());
        order.iter().enumerate().map(|(at, n)| put(*n, &known(at).collect::<Vec<_>>())).collect()
    }

    #[test]
    fn a_hierarchy_may_be_turned_round_in_one_request() {
        let before = Directory::default().with(&[put(1, &[2]), put(2, &[3]), put(3, &[])]).unwrap();
        let turned = vec![put(3, &[2]), put(2, &[1]), put(1, &[])];
        assert!(before.with(&turned).is_err(), "in the order written it passes a cycle");
        let after = before.with(&parents_first(&before, turned)).unwrap();
        assert_eq!(after.get(&node(3)).unwrap().ancestors.len(), 2);
    }

    #[test]
    fn a_cycle_is_still_found() {
        let changes = parents_first(&Directory::default(), vec![put(1, &[2]), put(2, &[1])]);
        assert_eq!(changes.len(), 2);
        assert!(Directory::default().with(&changes).is_err());
    }

    proptest! {
        /// Law: from any hierarchy to any other, in one request, in any order.
        #[test]
        fn any_hierarchy_can_become_any_other(
            before in Just((0_u8..8).collect::<Vec<_>>()).prop_shuffle(),
            after in Just((0_u8..8).collect::<Vec<_>>()).prop_shuffle(),
            links in prop::collection::vec((0_usize..8, 0_usize..8), 0..20),
            changed in prop::collection::btree_set(0_usize..8, 0..8),
        ) {
            let start = Directory::default();
            let start = start.with(&parents_first(&start, forest(&before, &links))).unwrap();
            let mut changes = forest(&after, &links);
            let mut at = 0;
            changes.retain(|_| { at += 1; changed.contains(&(at - 1)) });
            let count = changes.len();
            let ordered = parents_first(&start, changes.clone());
            prop_assert_eq!(ordered.len(), count);
            // Changed in part, the two hierarchies may together make a cycle; then any
            // order ends in it.
            if let Ok(end) = start.with(&ordered) {
                for change in &changes {
                    let found = end.get(uid(change));
                    let found = found.map(|node| EntityDocument::clone(&node.document));
                    prop_assert_eq!(Some(change.clone()), found.map(Change::Put));
                }
            } else {
                let mut bare = start.clone();
                for change in &changes {
                    bare = bare.with(&[Change::Remove(uid(change).clone())]).unwrap();
                }
                prop_assert!(bare.with(&ordered).is_err());
            }
        }
    }
}
