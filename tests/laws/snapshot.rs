//! A World that was put away and taken up again is the World that lived on.

use std::path::PathBuf;
use std::sync::Arc;

use countersign::cedar::on_large_stack;
use countersign::entropy::SeededEntropy;
use countersign::event::{AccessDecided, Presented};
use countersign::event_store::{EventStore as _, Group, MemoryStore};
use countersign::model::{AccessRequest, Index};
use countersign::pdp::{Ask, decide};
use countersign::projection::{Artefacts, World};
use countersign::sequencer::{Log, fold_to, recover_opened, resume};
use countersign::settings::SnapshotSettings;
use countersign::snapshot::{Keeper, Snapshot, SnapshotError, Snapshots};
use countersign::tlog::{Tree, leaf_hash};
use countersign::vault::KeyFile;
use proptest::prelude::*;
use proptest::sample::Index as Pick;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

use crate::course::{Course, Step, steps};
use crate::writer::noon;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Law: for any log and any cut, folding the rest on what was put away at the cut and
    /// taken up again gives the state of the whole, to the byte, and decides as it does.
    #[test]
    fn what_was_put_away_is_taken_up_as_it_was(steps in steps(), cut in any::<Pick>()) {
        let course = Course::of(&steps);
        let (before, after) = course.log.split_at(cut.index(course.log.len() + 1));
        let (resumed, whole) = on_large_stack(|| {
            let bytes = World::fold(before).put_away();
            // With the keys that are left: what was erased stays closed.
            let mut open = |personal: &mut [_]| course.sealer.open_entity(personal).is_ok();
            let taken_up = World::restored(&bytes, &Artefacts::default(), &mut open).unwrap();
            assert_eq!(taken_up.put_away(), bytes);
            (after.iter().fold(taken_up, World::apply), World::fold(&course.log))
        }).unwrap();
        prop_assert_eq!(resumed.digest(), whole.digest());
        prop_assert!(resumed.put_away() == whole.put_away());
        prop_assert_eq!(decisions(&resumed), decisions(&whole));
    }

    /// Law: a start from a snapshot file gives the World and the tree of a start from the
    /// first entry; and the past found from it is the past.
    #[test]
    fn a_start_from_a_snapshot_is_a_start(
        steps in steps(), cut in any::<Pick>(), past in any::<Pick>(),
    ) {
        let course = Course::of(&steps);
        let (store, trees) = stored(&course);
        let (ground, key) = ground();
        let sealer = &course.sealer;
        let path = ground.path().join("s");
        let snapshots = Snapshots::at(&path, &key, LOG, sealer.clone(), RULES).unwrap();
        let at = cut.index(course.log.len());
        let world = on_large_stack(|| World::fold(&course.log[..=at])).unwrap();
        let tree = trees[at].clone();
        snapshots.write(&Snapshot { world, tree }, snapshots.era()).unwrap();

        let found = snapshots.nearest(&store, store.size(), &Artefacts::default()).unwrap();
        prop_assert_eq!(found.tree.size(), at as u64 + 1);
        let start = Log { world: found.world, tree: found.tree };
        let resumed = resume(&store, start, Some(sealer), |_, _| {}).unwrap();
        let none = Artefacts::default();
        let whole = recover_opened(&store, &none, Some(sealer), |_, _| {}).unwrap();
        prop_assert_eq!(&resumed.tree, &whole.tree);
        prop_assert!(resumed.world.put_away() == whole.world.put_away());
        prop_assert_eq!(decisions(&resumed.world), decisions(&whole.world));

        let past = past.index(course.log.len());
        let start = snapshots.before(&store, Index(past as u64)).unwrap_or_default();
        let then = fold_to(&store, Some(sealer), start, Index(past as u64)).unwrap();
        let lived = on_large_stack(|| World::fold(&course.log[..=past])).unwrap();
        prop_assert!(then.put_away() == lived.put_away());
    }
}

/// Goal: a snapshot that was altered anywhere, cut, or put in another's place is not
/// taken up; the next older one is, and the altered one is gone.
#[test]
fn an_altered_snapshot_gives_way_to_an_older_one() {
    let house = House::new(90);
    let [old, new] = [30, 60].map(|size| house.put_away(size));
    let whole = std::fs::read(&new).unwrap();
    let of_old = std::fs::read(&old).unwrap();
    let mut altered: Vec<_> = (0..whole.len())
        .step_by(whole.len() / 150 + 1)
        .chain([0, 30, whole.len() - 1])
        .map(|at| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            bytes
        })
        .collect();
    altered.extend([Vec::new(), whole[..whole.len() / 2].to_vec(), whole[..100].to_vec()]);
    altered.extend([of_old, [whole.as_slice(), b"x"].concat()]);
    for bytes in altered {
        std::fs::write(&new, bytes).unwrap();
        assert_eq!(house.nearest(90), Some(30));
        assert!(!new.exists(), "what was altered is removed");
    }
    std::fs::write(&new, whole).unwrap();
    assert_eq!((house.nearest(90), house.nearest(59)), (Some(60), Some(30)));
    assert_eq!(house.nearest(29), None);
}

/// Goal: a snapshot of another key, another log, or of entries that are not the log's is
/// not taken up.
#[test]
fn a_snapshot_of_something_else_is_not_taken_up() {
    let house = House::new(90);
    let file = house.put_away(60);
    let bytes = std::fs::read(&file).unwrap();
    let other_key = house.ground.path().join("other");
    let other_key = KeyFile::create(&other_key, &SeededEntropy::new(5)).unwrap();
    let other_log = Uuid::from_u128(8);
    for (key, log) in [(&other_key, LOG), (&house.key, other_log)] {
        let other =
            Snapshots::at(&house.folder(), key, log, house.course.sealer.clone(), RULES).unwrap();
        let found = other.nearest(&house.store, 90, &Artefacts::default());
        assert!(found.is_none() && !file.exists());
        std::fs::write(&file, &bytes).unwrap();
    }
    // The same entries but for one below the snapshot: a forked log.
    let mut course = Course::of(&house.steps);
    course.stored[5].push(b' ');
    let (forked, _) = stored(&course);
    let found = house.snapshots.nearest(&forked, 90, &Artefacts::default());
    assert!(found.is_none() && !file.exists());
    // A log that has lost what the snapshot reflects.
    std::fs::write(&file, &bytes).unwrap();
    let mut course = Course::of(&house.steps);
    course.stored.truncate(50);
    let (cut, _) = stored(&course);
    let found = house.snapshots.nearest(&cut, 50, &Artefacts::default());
    assert!(found.is_none() && !file.exists());
}

/// Goal: after everything was forgotten nothing of before can be found, and nothing that
/// was begun before is kept.
#[test]
fn what_is_forgotten_is_gone() {
    let house = House::new(90);
    let files = [20, 40, 60].map(|size| house.put_away(size));
    let past = house.snapshot(45).world;
    house.snapshots.remember(&past, house.snapshots.era());
    let remembered = house.snapshots.before(&house.store, Index(50)).unwrap();
    assert_eq!(remembered.through, past.through);

    let begun = house.snapshots.era();
    house.snapshots.forget().unwrap();
    assert!(files.iter().all(|file| !file.exists()));
    house.snapshots.remember(&past, begun);
    house.snapshots.write(&house.snapshot(60), begun).unwrap();
    assert_eq!(std::fs::read_dir(house.folder()).unwrap().count(), 0);
    assert!(house.snapshots.before(&house.store, Index(89)).is_none());

    house.put_away(60);
    assert_eq!(house.nearest(90), Some(60), "what is begun after it is kept");
}

/// Goal: the keeper puts away what is due and what it was given last, and no more files
/// are kept than the setting says.
#[test]
fn the_keeper_puts_away_what_is_due() {
    let house = House::new(90);
    for size in [10, 20, 30, 50, 80] {
        let keeper = Keeper::start(Arc::clone(&house.snapshots), 10).unwrap();
        let Snapshot { world, tree } = house.snapshot(size);
        assert!(keeper.is_due(size));
        keeper.offer(Arc::new(world), tree);
        assert!(!keeper.is_due(size + 9) && keeper.is_due(size + 10));
        assert!(!keeper.is_worth_it(size) && keeper.is_worth_it(size + 1));
        drop(keeper);
        assert_eq!(house.snapshots.newest(), size);
    }
    let files = std::fs::read_dir(house.folder()).unwrap();
    let mut names: Vec<_> =
        files.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let sizes = names.iter().map(|name| name.split('.').next().unwrap().parse::<u64>().unwrap());
    assert_eq!(sizes.collect::<Vec<_>>(), [30, 50, 80]);
}

/// Goal: a snapshot does not take the room that the log will need.
#[test]
fn a_snapshot_leaves_the_disk_to_the_log() {
    let house = House::new(90);
    let rules = SnapshotSettings { spare_mib: u64::MAX, ..RULES };
    let sealer = house.course.sealer.clone();
    let greedy = Snapshots::at(&house.folder(), &house.key, LOG, sealer, rules).unwrap();

    let refused = greedy.write(&house.snapshot(60), greedy.era()).unwrap_err();
    assert!(matches!(refused, SnapshotError::NoRoom { needed: u64::MAX, .. }), "{refused}");
    assert_eq!(std::fs::read_dir(house.folder()).unwrap().count(), 0);
}

const LOG: Uuid = Uuid::from_u128(7);
/// Nothing is spared: a test is not to depend on how full a disk is.
const RULES: SnapshotSettings = SnapshotSettings { every: 10, kept: 3, spare_mib: 0 };

/// A log of so many entries, and snapshots of it.
struct House {
    ground: TempDir,
    key: KeyFile,
    steps: Vec<Step>,
    course: Course,
    store: MemoryStore,
    trees: Vec<Tree>,
    snapshots: Arc<Snapshots>,
}

impl House {
    fn new(size: usize) -> Self {
        let mut runner = TestRunner::deterministic();
        let (strategy, mut steps) = (steps(), Vec::new());
        let mut course = Course::of(&steps);
        while course.log.len() < size {
            steps.extend(strategy.new_tree(&mut runner).unwrap().current());
            course = Course::of(&steps);
        }
        course.log.truncate(size);
        course.stored.truncate(size);
        let (store, trees) = stored(&course);
        let (ground, key) = ground();
        let (path, sealer) = (ground.path().join("snapshots"), course.sealer.clone());
        let snapshots = Arc::new(Snapshots::at(&path, &key, LOG, sealer, RULES).unwrap());
        Self { ground, key, steps, course, store, trees, snapshots }
    }

    fn folder(&self) -> PathBuf {
        self.ground.path().join("snapshots")
    }

    /// What there is to put away after so many entries.
    fn snapshot(&self, size: u64) -> Snapshot {
        let size = usize::try_from(size).unwrap();
        let world = on_large_stack(|| World::fold(&self.course.log[..size])).unwrap();
        Snapshot { world, tree: self.trees[size - 1].clone() }
    }

    /// Puts it away; gives the file.
    fn put_away(&self, size: u64) -> PathBuf {
        self.snapshots.write(&self.snapshot(size), self.snapshots.era()).unwrap();
        self.folder().join(format!("{size:020}.snapshot"))
    }

    /// The size of the snapshot that is taken up.
    fn nearest(&self, size: u64) -> Option<u64> {
        let found = self.snapshots.nearest(&self.store, size, &Artefacts::default());
        found.map(|found| found.tree.size())
    }
}

/// The course as a node would have stored it, and the tree after each entry.
fn stored(course: &Course) -> (MemoryStore, Vec<Tree>) {
    let (store, mut tree, mut trees) = (MemoryStore::new(), Tree::default(), Vec::new());
    for entry in &course.stored {
        let mut tiles = Vec::new();
        tree.append(leaf_hash(entry), &mut tiles);
        trees.push(tree.clone());
        let (first, entries) = (Index(store.size()), vec![entry.clone()]);
        store.append(&Group { first, entries, tiles, ..Group::default() }).unwrap();
    }
    (store, trees)
}

fn ground() -> (TempDir, KeyFile) {
    let ground = tempfile::tempdir().unwrap();
    let key = KeyFile::create(&ground.path().join("key"), &SeededEntropy::new(1)).unwrap();
    (ground, key)
}

/// Some decisions, for each session there is and for none.
fn decisions(world: &World) -> Vec<AccessDecided> {
    let mut sessions: Vec<_> =
        world.sessions.iter().map(|session| Presented::Session(session.id)).collect();
    sessions.sort_by_key(|presented| format!("{presented:?}"));
    sessions.push(Presented::Nothing);
    let now = world.not_before_last(noon());
    let ask = |who: &str, presented| {
        let asked = json!({
            "subject": {"type": "User", "id": who},
            "action": {"name": "open"},
            "resource": {"type": "Door", "id": "1"},
        });
        let request = AccessRequest::from_json(&asked).unwrap();
        Ask { step_up: true, ..Ask::access(request, presented, "law") }
    };
    let asks = sessions.iter().flat_map(|it| ["alice", "bob", "1"].map(|who| ask(who, *it)));
    on_large_stack(|| asks.map(|ask| decide(world, &ask, now)).collect()).unwrap()
}
