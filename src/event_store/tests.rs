//! What every store must do, tested on each: the laws of the seam. A replicated
//! engine that takes their place joins the list.

use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tempfile::TempDir;

use crate::model::Index;

use super::record::{FORMAT_KEY, block_key, idempotency_key};
use super::*;

macro_rules! laws {
    ($($law:ident)*) => {
        mod on_disk { $(#[test] fn $law() { super::$law::<super::OnDisk>(); })* }
        mod in_memory { $(#[test] fn $law() { super::$law::<super::InMemory>(); })* }
    };
}

laws! {
    what_was_appended_is_read_back
    a_group_larger_than_a_block_is_read_whole
    a_gap_is_refused_and_the_store_goes_on
    an_entry_too_large_refuses_its_whole_group
    an_empty_group_is_nothing
    a_page_ends_at_either_limit
    an_idempotency_key_leads_to_its_entry
    an_idempotency_key_is_never_moved
    a_log_is_the_same_after_reopening
    a_damaged_block_is_an_error_and_hides_nothing_before_it
    a_missing_block_is_an_error_wherever_it_is
    blocks_that_overlap_are_an_error
    a_damaged_end_does_not_open
    a_damaged_key_record_is_an_error
    another_format_does_not_open
    a_failed_sync_poisons_the_store
    readers_see_durable_groups_only
    any_page_of_any_groups_is_a_slice_of_the_log
}

/// A store and the ground it stands on.
trait Subject: Sized + Sync {
    type Store: EventStore;
    fn new() -> Self;
    fn store(&self) -> &Self::Store;
    /// Closes and opens.
    fn reopen(self) -> Result<Self, StoreError>;
    fn record(&self, key: &[u8]) -> Option<Vec<u8>>;
    /// Alters a record behind the store's back; `None` removes it.
    fn rewrite(&self, key: &[u8], value: Option<Vec<u8>>);
    /// A store with these groups whose next append fails.
    fn about_to_fail(groups: &[Group]) -> Self;

    fn with(groups: &[Group]) -> Self {
        let subject = Self::new();
        for group in groups {
            subject.store().append(group).unwrap();
        }
        subject
    }

    fn alter(&self, key: &[u8], change: impl FnOnce(&mut Vec<u8>)) {
        let mut value = self.record(key).expect("the record is there");
        change(&mut value);
        self.rewrite(key, Some(value));
    }
}

struct OnDisk {
    store: SledStore,
    dir: TempDir,
}

impl OnDisk {
    fn path(dir: &TempDir) -> PathBuf {
        dir.path().join("log")
    }
}

impl Subject for OnDisk {
    type Store = SledStore;

    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = SledStore::create(Self::path(&dir)).unwrap();
        Self { store, dir }
    }

    fn store(&self) -> &SledStore {
        &self.store
    }

    fn reopen(self) -> Result<Self, StoreError> {
        let Self { store, dir } = self;
        drop(store);
        let store = SledStore::open(Self::path(&dir))?;
        Ok(Self { store, dir })
    }

    fn record(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.store.tree().get(key).unwrap().map(|value| value.to_vec())
    }

    fn rewrite(&self, key: &[u8], value: Option<Vec<u8>>) {
        let tree = self.store.tree();
        match value {
            Some(value) => tree.insert(key, value),
            None => tree.remove(key),
        }
        .unwrap();
    }

    fn about_to_fail(groups: &[Group]) -> Self {
        let mut subject = Self::with(groups);
        subject.store.break_sync();
        subject
    }
}

struct InMemory(MemoryStore);

impl Subject for InMemory {
    type Store = MemoryStore;

    fn new() -> Self {
        Self(MemoryStore::new())
    }

    fn store(&self) -> &MemoryStore {
        &self.0
    }

    fn reopen(self) -> Result<Self, StoreError> {
        self.0.reopened().map(Self)
    }

    fn record(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.record(key)
    }

    fn rewrite(&self, key: &[u8], value: Option<Vec<u8>>) {
        self.0.rewrite(key, value);
    }

    fn about_to_fail(groups: &[Group]) -> Self {
        let subject = Self(MemoryStore::failing_at(groups.len() as u64 + 1, Fault::Kept));
        for group in groups {
            subject.0.append(group).unwrap();
        }
        subject
    }
}

/// A group of short entries, each telling its index.
fn group(indices: Range<u64>) -> Group {
    let first = Index(indices.start);
    let entries = indices.map(|index| format!("entry {index}").into_bytes()).collect();
    Group { first, entries, ..Group::default() }
}

/// A group of entries so long that each fills a block.
fn long_group(indices: Range<u64>) -> Group {
    let mut group = group(indices);
    group.entries.iter_mut().for_each(|entry| entry.resize(ENTRY_BYTES_MAX, b'.'));
    group
}

fn keyed(mut group: Group, keys: &[(&str, u64)]) -> Group {
    group.keys = keys.iter().map(|(id, index)| (key(id), Index(*index))).collect();
    group
}

fn key(id: &str) -> IdempotencyKey {
    IdempotencyKey::of("https://idp.example", id)
}

fn read_all(store: &impl EventStore, from: u64) -> Result<Vec<(Index, Vec<u8>)>, StoreError> {
    store.read(Index(from), usize::MAX, usize::MAX)
}

fn numbered(groups: &[Group]) -> Vec<(Index, Vec<u8>)> {
    let entries = groups.iter().flat_map(|group| group.entries.iter().cloned());
    (0..).map(Index).zip(entries).collect()
}

fn broken_at<T>(result: &Result<T, StoreError>) -> Option<(u64, Damage)> {
    match result {
        Err(StoreError::Broken { index, what }) => Some((index.0, *what)),
        _ => None,
    }
}

fn what_was_appended_is_read_back<S: Subject>() {
    let groups = [group(0..1), group(1..4), group(4..5)];
    let subject = S::with(&groups);
    let store = subject.store();

    assert_eq!(store.size(), 5);
    assert_eq!(read_all(store, 0).unwrap(), numbered(&groups));
    assert_eq!(read_all(store, 3).unwrap(), numbered(&groups)[3..]);
    assert_eq!(read_all(store, 5).unwrap(), []);
    assert_eq!(read_all(store, u64::MAX).unwrap(), []);
}

fn a_group_larger_than_a_block_is_read_whole<S: Subject>() {
    // 200 blocks, 9.6 MiB: more than a segment of sled.
    let groups = [group(0..3), long_group(3..203), group(203..204)];
    let subject = S::with(&groups).reopen().unwrap();

    assert_eq!(subject.store().size(), 204);
    assert!(read_all(subject.store(), 0).unwrap() == numbered(&groups));
}

fn a_gap_is_refused_and_the_store_goes_on<S: Subject>() {
    let subject = S::with(&[group(0..2)]);
    for wrong in [group(1..2), group(3..4), group(0..1), Group { first: Index(7), ..group(0..0) }] {
        let refused = subject.store().append(&wrong);
        let Err(StoreError::Gap { expected: Index(2), found }) = refused else {
            panic!("not refused as a gap: {refused:?}");
        };
        assert_eq!(found, wrong.first);
    }
    subject.store().append(&group(2..3)).unwrap();
    assert_eq!(subject.store().size(), 3);
}

fn an_entry_too_large_refuses_its_whole_group<S: Subject>() {
    let subject = S::with(&[group(0..2)]);
    let mut wrong = group(2..5);
    wrong.entries[1].resize(ENTRY_BYTES_MAX + 1, b'.');

    let refused = subject.store().append(&wrong);

    assert!(matches!(refused, Err(StoreError::EntryTooLarge { index: Index(3), bytes: 49_153 })));
    assert_eq!(subject.store().size(), 2);
    subject.store().append(&group(2..5)).unwrap();
}

fn an_empty_group_is_nothing<S: Subject>() {
    let subject = S::with(&[group(0..0), group(0..2), group(2..2), group(2..3)]);
    assert_eq!(read_all(subject.store(), 0).unwrap(), numbered(&[group(0..3)]));
}

fn a_page_ends_at_either_limit<S: Subject>() {
    let subject = S::with(&[group(0..4), group(4..8)]); // 7 bytes each
    let indices = |from, entries_max, bytes_max| -> Vec<u64> {
        let page = subject.store().read(Index(from), entries_max, bytes_max).unwrap();
        page.into_iter().map(|(index, _)| index.0).collect()
    };

    assert_eq!(indices(2, 3, usize::MAX), [2, 3, 4]);
    assert_eq!(indices(2, 100, 21), [2, 3, 4]);
    assert_eq!(indices(2, 100, 27), [2, 3, 4]);
    assert_eq!(indices(2, 100, 28), [2, 3, 4, 5]);
    assert_eq!(indices(2, 100, 0), [2], "one entry, however small the page");
    assert_eq!(indices(2, 0, 100), [] as [u64; 0]);

    // An entry above the limit stands alone, even before one that takes no room.
    let entries = vec![vec![1; 9], Vec::new()];
    let subject = S::with(&[Group { first: Index(0), entries, ..Group::default() }]);
    assert_eq!(subject.store().read(Index(0), 100, 8).unwrap().len(), 1);
    assert_eq!(subject.store().read(Index(0), 100, 9).unwrap().len(), 2);
}

fn an_idempotency_key_leads_to_its_entry<S: Subject>() {
    let keyed_groups = [keyed(group(0..3), &[("a", 0), ("b", 2)]), keyed(group(3..4), &[("c", 3)])];
    let subject = S::with(&keyed_groups).reopen().unwrap();

    for (id, index) in [("a", Some(0)), ("b", Some(2)), ("c", Some(3)), ("d", None)] {
        assert_eq!(subject.store().index_of(&key(id)).unwrap(), index.map(Index), "{id}");
    }
}

fn an_idempotency_key_is_never_moved<S: Subject>() {
    let subject = S::with(&[keyed(group(0..2), &[("a", 1)])]);
    let store = subject.store();

    let again = store.append(&keyed(group(2..3), &[("a", 2)]));
    assert!(matches!(again, Err(StoreError::KeyTaken { index: Index(2) })));
    let twice = store.append(&keyed(group(2..4), &[("b", 2), ("b", 3)]));
    assert!(matches!(twice, Err(StoreError::KeyTaken { index: Index(3) })));
    let before = store.append(&keyed(group(2..3), &[("b", 1)]));
    assert!(matches!(before, Err(StoreError::KeyOutside { index: Index(1) })));
    let after = store.append(&keyed(group(2..3), &[("b", 3)]));
    assert!(matches!(after, Err(StoreError::KeyOutside { index: Index(3) })));

    assert_eq!(store.size(), 2);
    assert_eq!(store.index_of(&key("a")).unwrap(), Some(Index(1)));
    assert_eq!(store.index_of(&key("b")).unwrap(), None);
}

fn a_log_is_the_same_after_reopening<S: Subject>() {
    let mut subject = S::new().reopen().unwrap();
    assert_eq!(subject.store().size(), 0);
    let mut groups = Vec::new();
    for round in 0..3 {
        groups.push(group(round * 100..(round + 1) * 100));
        subject.store().append(&groups[groups.len() - 1]).unwrap();
        subject = subject.reopen().unwrap();
        assert_eq!(read_all(subject.store(), 0).unwrap(), numbered(&groups));
    }
}

fn a_damaged_block_is_an_error_and_hides_nothing_before_it<S: Subject>() {
    type Change = fn(&mut Vec<u8>);
    let damages: [(Change, Damage); 4] = [
        (|value| value[4] ^= 1, Damage::Check),
        (|value| value.truncate(value.len() - 1), Damage::Check),
        (Vec::clear, Damage::Short),
        (|value| value.resize(BLOCK_BYTES_MAX + 1, 0), Damage::Long),
    ];
    for (damage, what) in damages {
        let subject = S::with(&[group(0..3), group(3..6), group(6..9)]);
        subject.alter(&block_key(3), damage);

        let store = subject.store();
        assert_eq!(broken_at(&read_all(store, 0)), Some((3, what)));
        assert_eq!(broken_at(&store.read(Index(4), 1, 1)), Some((3, what)));
        assert_eq!(store.read(Index(0), 3, usize::MAX).unwrap(), numbered(&[group(0..3)]));
        assert_eq!(read_all(store, 6).unwrap(), numbered(&[group(0..9)])[6..]);
        assert_eq!(broken_at(&subject.reopen().map(|_| ())), Some((3, what)));
    }
}

fn a_missing_block_is_an_error_wherever_it_is<S: Subject>() {
    for lost in [0, 3, 6] {
        let subject = S::with(&[group(0..3), group(3..6), group(6..9)]);
        subject.rewrite(&block_key(lost), None);

        let store = subject.store();
        assert_eq!(broken_at(&read_all(store, 0)), Some((lost, Damage::Missing)));
        assert_eq!(broken_at(&read_all(store, lost + 1)), Some((lost + 1, Damage::Missing)));
        let reopened = subject.reopen().map(|subject| subject.store().size());
        match lost {
            // The end of the log cannot miss itself: the checkpoint outside does.
            6 => assert_eq!(reopened.unwrap(), 6),
            _ => assert_eq!(broken_at(&reopened), Some((lost, Damage::Missing))),
        }
    }
}

fn blocks_that_overlap_are_an_error<S: Subject>() {
    let subject = S::with(&[group(0..3), group(3..6), group(6..7)]);
    let (_, long) = block::pack(Index(3), &group(3..7).entries).unwrap().remove(0);
    subject.rewrite(&block_key(3), Some(long));

    assert_eq!(broken_at(&read_all(subject.store(), 0)), Some((6, Damage::Overlap)));
    assert_eq!(broken_at(&subject.reopen().map(|_| ())), Some((6, Damage::Overlap)));

    let subject = S::with(&[group(0..3)]);
    let (_, long) = block::pack(Index(0), &group(0..5).entries).unwrap().remove(0);
    subject.rewrite(&block_key(0), Some(long));
    assert_eq!(broken_at(&read_all(subject.store(), 0)), Some((0, Damage::Overlap)));
}

fn a_damaged_end_does_not_open<S: Subject>() {
    let subject = S::with(&[group(0..3), group(3..6)]);
    subject.alter(&block_key(3), |value| value[0] ^= 1);
    assert_eq!(broken_at(&subject.reopen().map(|_| ())), Some((3, Damage::Check)));

    let subject = S::with(&[group(0..3)]);
    subject.rewrite(b"e\xff", Some(Vec::new()));
    let reopened = subject.reopen().map(|_| ());
    assert_eq!(broken_at(&reopened), Some((u64::MAX, Damage::BlockKey)));
}

fn a_damaged_key_record_is_an_error<S: Subject>() {
    let subject = S::with(&[keyed(group(0..1), &[("a", 0)])]);
    subject.alter(&idempotency_key(&key("a")), |value| value.truncate(7));
    assert!(matches!(subject.store().index_of(&key("a")), Err(StoreError::BrokenKey)));
}

fn another_format_does_not_open<S: Subject>() {
    let reopened = |record| {
        let subject = S::with(&[group(0..1)]);
        subject.rewrite(FORMAT_KEY, record);
        subject.reopen().map(|_| ())
    };
    let other = reopened(Some(b"2".to_vec()));
    assert!(matches!(other, Err(StoreError::Format { found, .. }) if found == "2"));
    assert!(matches!(reopened(None), Err(StoreError::Unmarked { .. })));
}

fn a_failed_sync_poisons_the_store<S: Subject>() {
    let before = [group(0..2), keyed(group(2..4), &[("a", 3)])];
    let subject = S::about_to_fail(&before);
    let store = subject.store();

    let failed = store.append(&keyed(group(4..6), &[("b", 5)]));

    assert!(matches!(failed, Err(StoreError::Io { doing: "sync", .. })));
    for refused in [group(4..6), group(6..7), group(4..4)].map(|group| store.append(&group)) {
        let Err(StoreError::Poisoned { since: Index(4), cause }) = refused else {
            panic!("a poisoned store took a group: {refused:?}");
        };
        assert!(cause.starts_with("cannot sync `"), "{cause}");
    }
    // Nothing of the failed group is acknowledged, and the rest can still be read.
    assert_eq!(store.size(), 4);
    assert_eq!(read_all(store, 0).unwrap(), numbered(&before));
    assert_eq!(store.index_of(&key("b")).unwrap(), None);
    assert_eq!(store.index_of(&key("a")).unwrap(), Some(Index(3)));

    // After a restart the group is there whole or not at all.
    let subject = subject.reopen().unwrap();
    let size = subject.store().size();
    assert!([4, 6].contains(&size), "{size}");
    assert_eq!(read_all(subject.store(), 0).unwrap(), numbered(&[group(0..size)]));
    subject.store().append(&group(size..size + 1)).unwrap();
}

fn readers_see_durable_groups_only<S: Subject>() {
    const GROUPS: u64 = 100;
    let subject = S::new();
    let done = AtomicBool::new(false);
    let read = |store: &S::Store| {
        while !done.load(Ordering::Acquire) {
            let before = store.size();
            let page = read_all(store, before.saturating_sub(25)).unwrap();
            let after = store.size();
            let end = page.last().map_or(0, |(index, _)| index.0 + 1);
            assert!((before..=after).contains(&end), "{before} ≤ {end} ≤ {after}");
            assert!(end % 10 == 0, "a group was read in part, up to {end}");
            let expected = group(before.saturating_sub(25)..end).entries;
            assert!(page.into_iter().map(|(_, entry)| entry).eq(expected));
        }
    };
    thread::scope(|scope| {
        let readers = [(); 2].map(|()| scope.spawn(|| read(subject.store())));
        let writing = std::panic::catch_unwind(AssertUnwindSafe(|| {
            for first in (0..GROUPS).map(|round| round * 10) {
                subject.store().append(&group(first..first + 10)).unwrap();
            }
        }));
        done.store(true, Ordering::Release);
        writing.unwrap();
        for reader in readers {
            reader.join().unwrap();
        }
    });
    assert_eq!(subject.store().size(), GROUPS * 10);
}

/// Law: whatever the groups were, a page is a slice of the log, and pages put one
/// after the other are the log, before and after reopening.
fn any_page_of_any_groups_is_a_slice_of_the_log<S: Subject>() {
    let entry = prop_oneof![8 => 0..200_usize, 1 => 20_000..=ENTRY_BYTES_MAX];
    let groups = vec(vec(entry, 0..12), 0..8);
    let page = (any::<prop::sample::Index>(), 1..40_usize, 0..100_000_usize);
    let mut runner = TestRunner::new(Config::with_cases(24));
    let law = |(lengths, (from, entries_max, bytes_max)): (Vec<Vec<usize>>, _)| {
        let from: prop::sample::Index = from;
        let groups = filled(&lengths);
        let log = numbered(&groups);
        let mut subject = S::with(&groups);
        for _ in 0..2 {
            let store = subject.store();
            prop_assert_eq!(store.size(), log.len() as u64);
            let mut next = from.index(log.len() + 1);
            while next < log.len() {
                let page = store.read(Index(next as u64), entries_max, bytes_max).unwrap();
                prop_assert!(page == log[next..next + page.len()]);
                prop_assert!((1..=entries_max).contains(&page.len()));
                let bytes: usize = page.iter().map(|(_, entry)| entry.len()).sum();
                prop_assert!(bytes <= bytes_max || page.len() == 1);
                next += page.len();
            }
            subject = subject.reopen().unwrap();
        }
        Ok(())
    };
    runner.run(&(groups, page), law).unwrap();
}

/// Groups with entries of these lengths, each filled with a byte of its own.
fn filled(lengths: &[Vec<usize>]) -> Vec<Group> {
    let mut fill = (0..=u8::MAX).cycle();
    let mut first = 0;
    let group = |lengths: &Vec<usize>| {
        let entries = lengths.iter().zip(&mut fill).map(|(length, byte)| vec![byte; *length]);
        let group = Group { first: Index(first), entries: entries.collect(), ..Group::default() };
        first += lengths.len() as u64;
        group
    };
    lengths.iter().map(group).collect()
}
