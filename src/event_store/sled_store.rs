//! The log on disk, in sled 0.34.7.
//!
//! sled is wrapped because its `flush` is not an fsync on Linux: it calls
//! `sync_file_range`, which flushes neither the device's cache nor the new length of
//! the file. So each group is applied as one batch, flushed, and then synced by us on
//! our own handle of the same file. In simulated power cuts that was the difference
//! between 115 of 150 states with lost groups and none of 500. Further:
//!
//! - no background flusher and no `flush_async`: beside `apply_batch` it deadlocks;
//! - segments of 8 MiB, so that no leaf becomes a blob file, which is never synced;
//! - the cache has a bound (sled's own default is 1 GiB);
//! - a disk that is nearly full is refused before sled touches it: half a write poisons;
//! - sled panics on some failures: caught here, and the store is poisoned;
//! - sled forgets to wake who waits for a write that has failed, see `watch`;
//! - sled drops a damaged tail without a word: only the checkpoint outside shows it;
//! - sled takes a snapshot whose writing was cut short for its newest one, and then
//!   refuses to open for ever: such files are removed before it looks.

use std::fs::File;
use std::io::ErrorKind;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::model::Index;
use crate::tlog::TileId;

use super::error::StoreError;
use super::log::Log;
use super::record::{self, Record};
use super::table::{Table, Visitor};
use super::watch::{PATIENCE, Watch};
use super::{EventStore, Group, IdempotencyKey, directory};

/// The usual bound of sled's page cache: 64 MiB.
pub const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// What is kept free on the log's disk: a few of sled's segments, and room for an
/// administrator to work in.
const RESERVE_BYTES: u64 = 32 * 1024 * 1024;
/// What opening needs: sled writes the rest of its newest segment, and a snapshot.
const OPENING_BYTES: u64 = 2 * SEGMENT_BYTES as u64;
/// How many bytes sled may write for each that it is given.
const AMPLIFICATION: u64 = 4;

/// Fixed at creation; sled refuses to open with another.
const SEGMENT_BYTES: usize = 8 * 1024 * 1024;

/// A log in a directory of its own, open in one process at a time.
///
/// Dropping it closes the log, which may be opened again at once. On closing, sled
/// may still write a group that has failed: after poisoning, restart, and let what the
/// log then says be compared with the checkpoint outside.
pub struct SledStore(Log<Sled>);

impl SledStore {
    /// Creates an empty log in a new directory with mode 0700 (or an empty one) and
    /// opens it. Durable on `Ok`, the directory's own name included.
    ///
    /// # Errors
    /// [`StoreError::NoParent`], [`StoreError::Exists`]; otherwise as for
    /// [`open`](Self::open). Where creation was interrupted both refuse, with
    /// [`StoreError::Exists`] and [`StoreError::Missing`] or [`StoreError::Unmarked`].
    pub fn create(dir: impl AsRef<Path>) -> Result<Self, StoreError> {
        let dir = directory::make(dir.as_ref())?;
        let lock = directory::lock(&dir)?;
        let tree = open_sled(&dir, CACHE_BYTES)?;
        watch(&tree, &dir)?.over(|| write(&tree, vec![record::format_record()]))?;
        drop(tree);
        directory::sync(&dir)?;
        Self::open_locked(dir, lock, CACHE_BYTES)
    }

    /// Opens the log in a directory, with a cache of [`CACHE_BYTES`].
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Locked`], [`StoreError::Format`],
    /// [`StoreError::Unmarked`], [`StoreError::Blobs`]; [`StoreError::NoRoom`] if the
    /// disk is full; [`StoreError::Broken`] if the last blocks are damaged; otherwise
    /// what the disk or sled said.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with_cache(dir, CACHE_BYTES)
    }

    /// Opens the log in a directory, with a bound on the bytes of pages in memory.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_with_cache(dir: impl AsRef<Path>, cache_bytes: u64) -> Result<Self, StoreError> {
        let dir = directory::find(dir.as_ref())?;
        let lock = directory::lock(&dir)?;
        Self::open_locked(dir, lock, cache_bytes)
    }

    fn open_locked(dir: PathBuf, lock: File, cache_bytes: u64) -> Result<Self, StoreError> {
        require_room(&dir, OPENING_BYTES)?;
        directory::remove_unfinished(&dir)?;
        // A process that was killed between flush and sync has left a group that only
        // the kernel knows. It must not be lost once a snapshot of sled's lists it.
        directory::sync(&dir)?;
        let tree = open_sled(&dir, cache_bytes)?;
        directory::refuse_blobs(&dir)?;
        // Recovery itself has written. Durable first, then read.
        directory::sync(&dir)?;
        let db = dir.join("db");
        let synced = File::open(&db).map_err(StoreError::io("open", &db))?;
        let watch = watch(&tree, &dir)?;
        Log::open(Sled { watch, tree, synced, dir, _lock: lock }).map(Self)
    }

    /// The tree, to alter it behind the log's back.
    #[cfg(test)]
    pub(super) const fn tree(&self) -> &sled::Db {
        &self.0.table().tree
    }

    /// Makes every sync fail from now on: the null device has none.
    #[cfg(test)]
    pub(super) fn break_sync(&mut self) {
        self.0.table_mut().synced = File::open("/dev/null").unwrap();
    }
}

impl EventStore for SledStore {
    fn append(&self, group: &Group) -> Result<(), StoreError> {
        self.0.append(group)
    }

    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read(
        &self,
        from: Index,
        entries_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<(Index, Vec<u8>)>, StoreError> {
        self.0.read(from, entries_max, bytes_max)
    }

    fn index_of(&self, key: &IdempotencyKey) -> Result<Option<Index>, StoreError> {
        self.0.index_of(key)
    }

    fn tile(&self, tile: TileId) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.tile(tile)
    }

    fn checkpoint(&self) -> Result<Option<String>, StoreError> {
        self.0.checkpoint()
    }

    fn disk_bytes(&self) -> u64 {
        self.0.disk_bytes()
    }
}

/// One tree of sled, and what makes it durable.
struct Sled {
    // Closed in this order: the directory stays locked until sled is done.
    watch: Watch,
    tree: sled::Db,
    /// Our own handle of sled's file. A sync concerns the file, whoever wrote to it.
    synced: File,
    dir: PathBuf,
    _lock: File,
}

impl Table for Sled {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        edge("read a record", || Ok(self.tree.get(key)?.map(|value| value.to_vec())))
    }

    fn before(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        edge("find a record", || Ok(self.tree.get_lt(key)?.map(|(key, _)| key.to_vec())))
    }

    fn scan(&self, from: &[u8], to: &[u8], visit: &mut Visitor<'_>) -> Result<(), StoreError> {
        edge("read a block", || {
            for record in self.tree.range(from..to) {
                let (key, value) = record?;
                match visit(&key, &value) {
                    Ok(flow) if flow.is_continue() => {}
                    done => return Ok(done.map(|_| ())),
                }
            }
            Ok(Ok(()))
        })?
    }

    fn commit(&self, records: Vec<Record>) -> Result<(), StoreError> {
        self.watch.over(|| write(&self.tree, records))?;
        // A value in a blob file is not in the file that is synced next.
        directory::refuse_blobs(&self.dir)?;
        self.synced.sync_data().map_err(StoreError::io("sync", &self.dir.join("db")))
    }

    fn room(&self, bytes: u64) -> Result<(), StoreError> {
        let needed = RESERVE_BYTES.saturating_add(bytes.saturating_mul(AMPLIFICATION));
        require_room(&self.dir, needed)
    }

    fn disk_bytes(&self) -> u64 {
        directory::bytes(&self.dir)
    }

    fn place(&self) -> PathBuf {
        self.dir.clone()
    }
}

fn require_room(dir: &Path, needed: u64) -> Result<(), StoreError> {
    let free = directory::free(dir)?;
    if free >= needed {
        return Ok(());
    }
    Err(StoreError::NoRoom { dir: dir.to_owned(), free, needed })
}

/// Looks after the writes of a tree.
fn watch(tree: &sled::Db, dir: &Path) -> Result<Watch, StoreError> {
    let tree = tree.clone();
    let wake = move || drop(edge("wake a write", || tree.flush()));
    Watch::start(PATIENCE, wake).map_err(StoreError::io("watch", dir))
}

/// Applies one batch and hands it to the kernel.
fn write(tree: &sled::Db, records: Vec<Record>) -> Result<(), StoreError> {
    edge("write a group", || {
        let mut batch = sled::Batch::default();
        for (key, value) in records {
            batch.insert(key, value);
        }
        tree.apply_batch(batch)?;
        tree.flush()?;
        Ok(())
    })
}

/// Opens sled in a directory that we have locked.
fn open_sled(dir: &Path, cache_bytes: u64) -> Result<sled::Db, StoreError> {
    /// How long sled's threads may hold its file after it was closed: a second.
    const TRIES: u32 = 100;
    const PAUSE: Duration = Duration::from_millis(10);

    for _ in 1..TRIES {
        match try_open_sled(dir, cache_bytes) {
            Err(StoreError::Locked { .. }) => thread::sleep(PAUSE),
            opened => return opened,
        }
    }
    try_open_sled(dir, cache_bytes)
}

fn try_open_sled(dir: &Path, cache_bytes: u64) -> Result<sled::Db, StoreError> {
    let config = sled::Config::new()
        .path(dir)
        .segment_size(SEGMENT_BYTES)
        .cache_capacity(cache_bytes)
        .flush_every_ms(None)
        .use_compression(false);
    edge("open the log", || match config.open() {
        Err(sled::Error::Io(refusal)) if is_lock(&refusal) => {
            Ok(Err(StoreError::Locked { dir: dir.to_owned() }))
        }
        opened => opened.map(Ok),
    })?
}

/// sled has no kind of its own for this; the version is pinned and a test watches it.
fn is_lock(refusal: &std::io::Error) -> bool {
    refusal.kind() == ErrorKind::Other && refusal.to_string().contains("could not acquire lock")
}

/// Every call into sled passes here: its errors become ours and its panics errors.
fn edge<R>(
    doing: &'static str,
    call: impl FnOnce() -> Result<R, sled::Error>,
) -> Result<R, StoreError> {
    // Unwind safe: after a panic the log is poisoned, and nothing of it written again.
    match panic::catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(refusal)) => Err(StoreError::Sled { doing, what: refusal.to_string() }),
        Err(payload) => {
            let text = payload.downcast_ref::<&str>().copied();
            let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
            Err(StoreError::Panicked { doing, what: text.unwrap_or("no message").to_owned() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn ground() -> (tempfile::TempDir, PathBuf) {
        let ground = tempfile::tempdir().unwrap();
        let dir = ground.path().join("log");
        (ground, dir)
    }

    fn group(first: u64, count: u64) -> Group {
        let entries = (first..first + count).map(|index| format!("entry {index}").into_bytes());
        Group { first: Index(first), entries: entries.collect(), ..Group::default() }
    }

    #[test]
    fn a_log_is_for_its_owner_alone() {
        let (_ground, dir) = ground();
        let _store = SledStore::create(&dir).unwrap();
        assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_log_may_be_created_in_an_empty_directory_which_is_closed_to_others() {
        let (_ground, dir) = ground();
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        let _store = SledStore::create(&dir).unwrap();
        assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_log_is_never_created_over_another() {
        let (_ground, dir) = ground();
        let store = SledStore::create(&dir).unwrap();
        store.append(&group(0, 3)).unwrap();
        for store in [Some(store), None] {
            assert!(matches!(SledStore::create(&dir), Err(StoreError::Exists { .. })));
            drop(store);
        }
        assert_eq!(SledStore::open(&dir).unwrap().size(), 3);
    }

    #[test]
    fn a_log_is_not_created_without_a_parent_directory() {
        let (_ground, dir) = ground();
        let refused = SledStore::create(dir.join("deeper")).map(|_| ());
        assert!(matches!(refused, Err(StoreError::NoParent { .. })), "{refused:?}");
        assert!(!dir.exists());
    }

    #[test]
    fn opening_creates_nothing() {
        let (_ground, dir) = ground();
        assert!(matches!(SledStore::open(&dir), Err(StoreError::Missing { .. })));
        assert!(!dir.exists());

        drop(SledStore::create(&dir).unwrap());
        fs::remove_file(dir.join("db")).unwrap();
        assert!(matches!(SledStore::open(&dir), Err(StoreError::Missing { .. })));
        assert!(!dir.join("db").exists());
    }

    #[test]
    fn a_log_is_open_once_at_a_time() {
        let (_ground, dir) = ground();
        let store = SledStore::create(&dir).unwrap();
        let second = SledStore::open(&dir).map(|_| ());
        assert!(matches!(second, Err(StoreError::Locked { .. })), "{second:?}");
        drop(store);
        SledStore::open(&dir).unwrap();
    }

    /// `is_lock` reads sled's words.
    #[test]
    fn a_file_that_sled_itself_has_locked_is_recognised() {
        let (_ground, dir) = ground();
        let _store = SledStore::create(&dir).unwrap();
        let second = try_open_sled(&dir, CACHE_BYTES).map(|_| ());
        assert!(matches!(second, Err(StoreError::Locked { .. })), "{second:?}");
    }

    /// sled 0.34.7 gives a snapshot its name when it is whole, but looks at those that
    /// are not as well.
    #[test]
    fn a_snapshot_that_was_cut_short_is_no_hindrance() {
        let (_ground, dir) = ground();
        let store = SledStore::create(&dir).unwrap();
        store.append(&group(0, 3)).unwrap();
        drop(store);
        let unfinished = dir.join("snap.00000000000F0000.generating");
        for written in [&b""[..], b"cut", &[7; 80]] {
            fs::write(&unfinished, written).unwrap();
            assert!(try_open_sled(&dir, CACHE_BYTES).is_err(), "sled has been mended");

            let store = SledStore::open(&dir).unwrap();
            assert_eq!(store.size(), 3);
            assert!(!unfinished.exists());
        }
    }

    #[test]
    fn a_blob_file_is_refused_when_opening() {
        let (_ground, dir) = ground();
        drop(SledStore::create(&dir).unwrap());
        fs::write(dir.join("blobs").join("1"), b"never synced").unwrap();
        assert!(matches!(SledStore::open(&dir), Err(StoreError::Blobs { .. })));
    }

    #[test]
    fn a_blob_file_poisons_a_log_in_use() {
        let (_ground, dir) = ground();
        let store = SledStore::create(&dir).unwrap();
        fs::write(dir.join("blobs").join("1"), b"never synced").unwrap();
        assert!(matches!(store.append(&group(0, 1)), Err(StoreError::Blobs { .. })));
        assert!(matches!(store.append(&group(0, 1)), Err(StoreError::Poisoned { .. })));
        assert_eq!(store.size(), 0);
    }

    /// Full blocks are the largest values there are, and leaves of them the largest
    /// that sled writes.
    #[test]
    fn the_largest_groups_leave_no_blob_file() {
        let (_ground, dir) = ground();
        let store = SledStore::create(&dir).unwrap();
        for round in 0..8 {
            let mut group = group(round * 40, 40);
            group.entries.iter_mut().for_each(|entry| entry.resize(30_000, b'.'));
            store.append(&group).unwrap();
        }
        directory::refuse_blobs(&dir).unwrap();
        assert!(store.disk_bytes() > 8 * 40 * 30_000);
    }

    #[test]
    fn a_panic_of_sled_is_an_error_that_says_what_was_done() {
        let caught = edge::<()>("read a block", || panic!("page {} is torn", 7));
        let Err(StoreError::Panicked { doing: "read a block", what }) = caught else {
            panic!("not caught: {caught:?}");
        };
        assert_eq!(what, "page 7 is torn");
    }

    /// Goal: damage to sled's file costs entries or the log, never their truth. What
    /// sled drops from the tail without a word is for the checkpoint outside.
    #[test]
    fn a_flipped_bit_never_changes_an_entry() {
        let (ground, dir) = ground();
        let store = SledStore::create(&dir).unwrap();
        for round in 0..40 {
            store.append(&group(round * 10, 10)).unwrap();
        }
        let whole = store.read(Index(0), usize::MAX, usize::MAX).unwrap();
        drop(store);
        // What was written since the last opening sled drops from the damage on. What
        // its snapshot lists, which opening has written, it refuses when damaged.
        let mut found = [0; 2];
        for snapshot in [false, true] {
            if snapshot {
                drop(SledStore::open(&dir).unwrap());
            }
            let db = fs::read(dir.join("db")).unwrap();
            let written = db.iter().rposition(|byte| *byte != 0).unwrap();
            for flip in 0..30 {
                let spoilt = copy(&dir, &ground.path().join("spoilt"));
                let mut bytes = db.clone();
                bytes[written * flip / 30] ^= 1 << (flip % 8);
                fs::write(spoilt.join("db"), bytes).unwrap();

                let read = SledStore::open(&spoilt)
                    .and_then(|store| store.read(Index(0), usize::MAX, usize::MAX));
                found[usize::from(snapshot)] += u32::from(read.is_err());
                if let Ok(entries) = read {
                    assert!(whole.starts_with(&entries), "bit flipped at {flip}/30");
                }
                fs::remove_dir_all(spoilt).unwrap();
            }
        }
        assert!(found[1] > 20, "sled has refused {found:?} of 30");
    }

    /// Copies a closed log.
    fn copy(from: &Path, to: &Path) -> PathBuf {
        fs::create_dir_all(to.join("blobs")).unwrap();
        for file in fs::read_dir(from).unwrap().map(|file| file.unwrap().path()) {
            if file.is_file() {
                fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
            }
        }
        to.to_owned()
    }
}
