//! How long a change of the directory takes, by how many entities there are: from an
//! admitted change to the new World, and admitting it.

use std::collections::{BTreeSet, HashSet};

use countersign::model::{EntityDocument, Uid};
use countersign::projection::{Change, Directory, World};
use serde_json::{Value, json};

use crate::drive::DRIVE;
use crate::ground::{changed, events, founded, peopled, placed};
use crate::samples::{Samples, timed};
use crate::workload::{Organisation, uid};

/// Members of the group that is changed, as far as there are so many users.
const MEMBERS: usize = 10_000;
/// Documents in the folder that is moved.
const MOVED: usize = 100;

/// One kind of change in a directory of one size.
pub struct Changed {
    pub what: String,
    pub entities: usize,
    /// From the newest World to the next: the fold.
    pub folded: Samples,
    /// Holding the change against schema and hierarchy, and making its events.
    pub admitted: Samples,
}

/// A kind of change.
struct Case {
    what: String,
    /// The nth change of a World.
    change: fn(&World, usize) -> Change,
}

/// Makes so many changes of each kind, one after the other, and checks each.
pub fn measured(entities: usize, count: usize) -> Vec<Changed> {
    let organisation = Organisation { workload: &DRIVE, size: entities };
    let members = organisation.count("User").min(MEMBERS);
    let world = crowded(&peopled(&founded(&DRIVE), &organisation), members);
    let named = |what: &str| what.to_owned();
    let cases = [
        Case { what: named("a user with another attribute"), change: other_attribute },
        Case { what: named("a user moved to another group"), change: other_group },
        Case { what: format!("a folder with {MOVED} documents moved"), change: other_place },
        Case {
            what: format!("an attribute of a group with {members} members"),
            change: other_name,
        },
        Case { what: named("a document removed, or put back"), change: removed },
    ];
    cases.into_iter().map(|case| made(case, world.clone(), count)).collect()
}

fn crowd() -> Uid {
    Uid::parse("Group", "crowd").unwrap()
}

fn moved() -> Uid {
    Uid::parse("Folder", "moved").unwrap()
}

fn in_moved(nth: usize) -> Uid {
    Uid::parse("Document", &format!("moved-{nth}")).unwrap()
}

/// The World with a large group and a folder to be moved beside what it has.
fn crowded(world: &World, members: usize) -> World {
    let mut group = EntityDocument::bare(crowd());
    group.attrs.insert("name".to_owned(), json!("crowd"));
    let join = |nth| {
        let mut document = present(world, &uid("User", nth));
        document.parents.insert(crowd());
        document
    };
    let file = |nth| {
        let mut document = present(world, &uid("Document", nth));
        document.uid = in_moved(nth);
        document.parents = BTreeSet::from([moved()]);
        document
    };
    let documents = (0..members).map(join).chain((0..MOVED).map(file));
    let all = [group, EntityDocument::bare(moved())].into_iter().chain(documents);
    changed(world, all.map(Change::Put).collect())
}

fn present(world: &World, uid: &Uid) -> EntityDocument {
    EntityDocument::clone(&world.directory.get(uid).unwrap().document)
}

fn with_attribute(world: &World, uid: &Uid, name: &str, value: Value) -> Change {
    let mut document = present(world, uid);
    assert_ne!(document.attrs.insert(name.to_owned(), value.clone()), Some(value));
    Change::Put(document)
}

/// Spreads changes over the users of the smallest directory.
const fn somebody(nth: usize) -> usize {
    nth * 37 % 280
}

fn other_attribute(world: &World, nth: usize) -> Change {
    with_attribute(world, &uid("User", somebody(nth)), "office", json!(format!("office {nth}")))
}

fn other_group(world: &World, nth: usize) -> Change {
    let mut document = present(world, &uid("User", somebody(nth)));
    let before = document.parents.clone();
    document.parents = BTreeSet::from([uid("Group", nth % 20), uid("Group", (nth / 20) % 20)]);
    if document.parents == before {
        document.parents.insert(uid("Group", (nth + 1) % 20));
    }
    Change::Put(document)
}

fn other_place(world: &World, nth: usize) -> Change {
    let mut document = present(world, &moved());
    document.parents = BTreeSet::from([uid("Folder", 40 + nth % 2)]);
    Change::Put(document)
}

fn other_name(world: &World, nth: usize) -> Change {
    with_attribute(world, &crowd(), "name", json!(format!("crowd {nth}")))
}

/// Every other one is put back: no directory runs out of documents.
fn removed(world: &World, nth: usize) -> Change {
    let gone = in_moved(nth / 2 % MOVED);
    if nth.is_multiple_of(2) {
        return Change::Remove(gone);
    }
    let mut document = present(world, &uid("Document", nth / 2 % MOVED));
    (document.uid, document.parents) = (gone, BTreeSet::from([moved()]));
    Change::Put(document)
}

fn made(case: Case, mut world: World, count: usize) -> Changed {
    let entities = world.directory.len();
    let (mut folded, mut admitted) = (Vec::new(), Vec::new());
    for nth in 0..count {
        let change = (case.change)(&world, nth);
        let (events, time) = timed(|| events(&world, vec![change.clone()]));
        admitted.push(time);
        let mut at = world.clone();
        let entries: Vec<_> = events
            .into_iter()
            .map(|event| {
                let entry = placed(&at, event);
                at.through = Some(entry.index);
                entry
            })
            .collect();
        let (after, time) = timed(|| entries.iter().fold(world.clone(), World::apply));
        folded.push(time);
        assert_made(&after.directory, &change);
        world = after;
    }
    let (folded, admitted) = (Samples::of(folded), Samples::of(admitted));
    Changed { what: case.what, entities, folded, admitted }
}

/// The entity is as it was put, and it and what is in it are in what a walk finds.
fn assert_made(directory: &Directory, change: &Change) {
    let document = match change {
        Change::Put(document) => document,
        Change::Remove(uid) => return assert!(directory.get(uid).is_none()),
    };
    assert_eq!(*directory.get(&document.uid).unwrap().document, *document);
    let members = [uid("User", 0), in_moved(0), in_moved(MOVED - 1)];
    for one in members.iter().chain([&document.uid]) {
        assert_eq!(*directory.get(one).unwrap().ancestors, walked(directory, one), "{one}");
    }
}

fn walked(directory: &Directory, from: &Uid) -> BTreeSet<Uid> {
    let (mut found, mut open) = (HashSet::new(), vec![from.clone()]);
    while let Some(one) = open.pop() {
        let parents = directory.get(&one).into_iter().flat_map(|node| &node.document.parents);
        open.extend(parents.filter(|parent| found.insert((*parent).clone())).cloned());
    }
    found.into_iter().collect()
}
