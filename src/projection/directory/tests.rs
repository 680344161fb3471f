//! The hierarchy: its bounds, and its closure by law.

use super::*;
use proptest::prelude::*;

fn uid(n: u8) -> Uid {
    Uid::parse("Node", &n.to_string()).unwrap()
}

fn put(n: u8, parents: &[u8]) -> Change {
    let mut document = EntityDocument::bare(uid(n));
    document.parents = parents.iter().copied().map(uid).collect();
    Change::Put(document)
}

fn attribute(n: u8, parents: &[u8], value: u8) -> Change {
    let Change::Put(mut document) = put(n, parents) else { unreachable!() };
    document.attrs.insert("n".to_owned(), value.into());
    Change::Put(document)
}

/// What an entity is in, found by walking up anew.
fn walked(directory: &Directory, from: &Uid) -> BTreeSet<Uid> {
    let mut found = BTreeSet::new();
    let mut open = vec![from.clone()];
    while let Some(one) = open.pop() {
        for parent in directory.parents(&one) {
            if found.insert(parent.clone()) {
                open.push(parent.clone());
            }
        }
    }
    found
}

#[test]
fn a_cycle_is_refused_with_its_path() {
    let tree = Directory::default().with(&[put(1, &[2]), put(2, &[3])]).unwrap();
    let fault = tree.with(&[put(3, &[1])]).unwrap_err();
    let HierarchyFault::Cycle { path } = &fault else { panic!("{fault}") };
    assert_eq!(path, &[uid(3), uid(1), uid(2), uid(3)]);
    assert!(Directory::default().with(&[put(1, &[1])]).is_err());
}

#[test]
fn depth_has_a_limit() {
    let chain: Vec<_> = (0..64).map(|n| put(n, &[n + 1])).collect();
    let tree = Directory::default().with(&chain).unwrap();
    assert!(tree.with(&[put(64, &[])]).is_ok());
    let fault = tree.with(&[put(64, &[65])]).unwrap_err();
    assert!(matches!(fault, HierarchyFault::TooDeep { depth: 65, .. }), "{fault}");
}

#[test]
fn what_does_not_move_leaves_all_that_is_in_it_alone() {
    let tree = Directory::default()
        .with(&[put(1, &[]), put(2, &[1]), put(3, &[2]), put(4, &[2])])
        .unwrap();
    let same = |after: &Directory, n: u8| {
        Arc::ptr_eq(tree.get(&uid(n)).unwrap(), after.get(&uid(n)).unwrap())
    };
    let renamed = tree.with(&[attribute(2, &[1], 7)]).unwrap();
    assert!(!same(&renamed, 2) && same(&renamed, 3) && same(&renamed, 4));
    assert_eq!(renamed.get(&uid(2)).unwrap().document.attrs["n"], 7);
    let without_root = tree.with(&[Change::Remove(uid(1))]).unwrap();
    assert!(same(&without_root, 2) && same(&without_root, 3));
    let moved = tree.with(&[put(2, &[])]).unwrap();
    assert!(!same(&moved, 3));
    assert_eq!(*moved.get(&uid(3)).unwrap().ancestors, BTreeSet::from([uid(2)]));
}

#[test]
fn what_is_in_one_and_the_same_entity_shares_what_that_is_in() {
    let siblings = [put(1, &[]), put(2, &[1]), put(3, &[2]), put(4, &[2]), put(5, &[2, 1])];
    let tree = Directory::default().with(&siblings).unwrap();
    let [three, four, five] = [3, 4, 5].map(|n| Arc::clone(&tree.get(&uid(n)).unwrap().ancestors));
    assert!(Arc::ptr_eq(&three, &four) && !Arc::ptr_eq(&three, &five));
    assert_eq!(three, five);
}

/// Every entity with its place, computed from nothing but the documents.
fn from_nothing(directory: &Directory) -> Vec<(Uid, BTreeSet<Uid>, usize)> {
    fn level(directory: &Directory, one: &Uid) -> usize {
        directory.parents(one).map(|parent| level(directory, parent) + 1).max().unwrap_or(0)
    }
    let uids = directory.iter().map(|node| &node.document.uid);
    let mut all: Vec<_> =
        uids.map(|uid| (uid.clone(), walked(directory, uid), level(directory, uid))).collect();
    all.sort();
    all
}

fn kept(directory: &Directory) -> Vec<(Uid, BTreeSet<Uid>, usize)> {
    let place = |node: &Arc<Node>| {
        (node.document.uid.clone(), BTreeSet::clone(&node.ancestors), node.depth)
    };
    let mut all: Vec<_> = directory.iter().map(place).collect();
    all.sort();
    all
}

/// A change of one of twelve entities; `same` keeps its parents, `keep` keeps it.
fn edited(directory: &Directory, n: u8, parents: &[u8], same: bool, keep: bool) -> Change {
    let present = directory.get(&uid(n)).map(|node| node.document.parents.clone());
    match present {
        _ if !keep => Change::Remove(uid(n)),
        Some(parents) if same => {
            let Change::Put(mut document) = attribute(n, &[], 1) else { unreachable!() };
            document.parents = parents;
            Change::Put(document)
        }
        _ => put(n, parents),
    }
}

proptest! {
    /// Law: whatever is changed, in whatever order, every entity stands where it would if
    /// the hierarchy were computed from nothing. Other attributes move nobody.
    #[test]
    fn the_closure_is_kept(
        edits in prop::collection::vec(
            (0_u8..12, prop::collection::vec(0_u8..12, 0..3), 0_u8..6), 0..40)
    ) {
        let mut directory = Directory::default();
        for (n, parents, what) in edits {
            let change = edited(&directory, n, &parents, what < 2, what != 5);
            if let Ok(after) = directory.with(&[change]) {
                directory = after;
            }
            prop_assert_eq!(kept(&directory), from_nothing(&directory));
        }
    }

    /// Law: several changes at once leave the hierarchy that they leave one by one, and a
    /// directory that was put away comes back the same.
    #[test]
    fn the_closure_does_not_depend_on_the_way(
        edits in prop::collection::vec((0_u8..12, prop::collection::vec(0_u8..12, 0..3)), 0..20)
    ) {
        let mut changes = Vec::new();
        let mut directory = Directory::default();
        for (n, parents) in edits {
            let change = put(n, &parents);
            if let Ok(after) = directory.with(std::slice::from_ref(&change)) {
                directory = after;
                changes.push(change);
            }
        }
        let at_once = Directory::default().with(&changes).unwrap();
        prop_assert_eq!(kept(&at_once), kept(&directory));
        let erasures = Erasures::default();
        let restored = Directory::restored(directory.state(), &erasures, &mut |_| true).unwrap();
        prop_assert_eq!(kept(&restored), kept(&directory));
    }
}
