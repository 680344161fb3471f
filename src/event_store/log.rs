//! The log over any table: what is refused, what is durable, what is read.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use crate::model::Index;
use crate::tlog::TileId;

use super::error::{Damage, StoreError};
use super::page::Page;
use super::record::{self, BLOCKS_END, FORMAT, FORMAT_KEY};
use super::table::Table;
use super::{EventStore, Group, IdempotencyKey, block};

/// How many blocks at the end of the log are checked when it is opened. A crash can
/// only have hurt the last group; replay and `verify` check every block.
const TAIL_BLOCKS: usize = 64;

/// A log over a table.
pub(super) struct Log<T> {
    table: T,
    /// Entries durably stored: advanced only after the sync, so that a reader never
    /// sees what a power cut could still take away.
    size: AtomicU64,
    /// Held by the writer for a whole append.
    writing: Mutex<()>,
    /// The failure after which nothing is written any more.
    poison: OnceLock<Poison>,
}

struct Poison {
    since: Index,
    cause: String,
}

impl<T: Table> Log<T> {
    /// Opens the log in a table whose records are durable.
    ///
    /// # Errors
    /// [`StoreError::Format`], [`StoreError::Unmarked`]; [`StoreError::Broken`] if its last
    /// blocks are damaged or do not follow each other; what the table says.
    pub(super) fn open(table: T) -> Result<Self, StoreError> {
        require_format(&table)?;
        let size = end_of_blocks(&table)?;
        Ok(Self::of_size(table, size))
    }

    /// The log in a table that is known to hold this many entries.
    pub(super) const fn of_size(table: T, size: u64) -> Self {
        let size = AtomicU64::new(size);
        Self { table, size, writing: Mutex::new(()), poison: OnceLock::new() }
    }

    /// The table, for what only its engine can do.
    pub(super) const fn table(&self) -> &T {
        &self.table
    }

    /// The same, to break it.
    #[cfg(test)]
    pub(super) const fn table_mut(&mut self) -> &mut T {
        &mut self.table
    }

    fn refuse_if_poisoned(&self) -> Result<(), StoreError> {
        self.poison.get().map_or(Ok(()), |Poison { since, cause }| {
            Err(StoreError::Poisoned { since: *since, cause: cause.clone() })
        })
    }

    /// Passes a failure on, after which nothing is written any more.
    fn poisoned_by(&self, failure: StoreError) -> StoreError {
        let cause = failure.told_whole();
        // The first failure is the one that is told.
        self.poison.get_or_init(|| Poison { since: Index(self.size()), cause });
        failure
    }

    /// After a panic in a read the engine's memory is in an unknown state, which the
    /// next write would make durable.
    fn watched<R>(&self, read: Result<R, StoreError>) -> Result<R, StoreError> {
        read.map_err(|failure| match failure {
            StoreError::Panicked { .. } => self.poisoned_by(failure),
            _ => failure,
        })
    }

    /// A key that is known already would lose its entry.
    fn refuse_taken_keys(&self, group: &Group) -> Result<(), StoreError> {
        let mut seen = BTreeSet::new();
        for (key, index) in &group.keys {
            let known = self.watched(self.table.get(&record::idempotency_key(key)))?.is_some();
            if known || !seen.insert(key) {
                return Err(StoreError::KeyTaken { index: *index });
            }
        }
        Ok(())
    }

    /// The key of the block that holds an index below the size.
    fn block_holding(&self, index: u64) -> Result<Vec<u8>, StoreError> {
        let above = record::block_key(index.saturating_add(1));
        match self.table.before(&above)? {
            Some(key) if record::block_first(&key, index)?.is_some() => Ok(key),
            _ => Err(StoreError::broken(index, Damage::Missing)),
        }
    }

    fn page(&self, from: u64, size: u64, mut page: Page) -> Result<Page, StoreError> {
        let start = self.block_holding(from)?;
        self.table.scan(&start, &record::block_key(size), &mut |key, value| {
            page.take(key, value)?;
            Ok(if page.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(page)
    }
}

impl<T: Table> EventStore for Log<T> {
    fn append(&self, group: &Group) -> Result<(), StoreError> {
        let Ok(_writing) = self.writing.lock() else {
            let cause = "the writer panicked".to_owned();
            return Err(StoreError::Poisoned { since: Index(self.size()), cause });
        };
        self.refuse_if_poisoned()?;
        let end = end_of_group(group, self.size())?;
        self.refuse_taken_keys(group)?;
        let records = record::records(group)?;
        if records.is_empty() {
            return Ok(());
        }
        self.table
            .room(records.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum())?;
        self.table.commit(records).map_err(|failure| self.poisoned_by(failure))?;
        self.size.store(end, Ordering::Release); // the commit point
        Ok(())
    }

    fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    fn read(
        &self,
        from: Index,
        entries_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<(Index, Vec<u8>)>, StoreError> {
        let size = self.size();
        if from.0 >= size || entries_max == 0 {
            return Ok(Vec::new());
        }
        let page = Page::new(from.0, size, entries_max, bytes_max);
        self.watched(self.page(from.0, size, page))?.finish()
    }

    fn index_of(&self, key: &IdempotencyKey) -> Result<Option<Index>, StoreError> {
        // The size first: what was durable before is in the table now.
        let size = self.size();
        let value = self.watched(self.table.get(&record::idempotency_key(key)))?;
        let index = value.as_deref().map(record::index_in).transpose()?;
        Ok(index.filter(|index| index.0 < size))
    }

    fn tile(&self, tile: TileId) -> Result<Option<Vec<u8>>, StoreError> {
        self.watched(self.table.get(&record::tile_key(tile)))
    }

    fn checkpoint(&self) -> Result<Option<String>, StoreError> {
        let note = self.watched(self.table.get(record::CHECKPOINT_KEY))?;
        note.map(String::from_utf8).transpose().map_err(|_| StoreError::BrokenCheckpoint)
    }

    fn disk_bytes(&self) -> u64 {
        self.table.disk_bytes()
    }
}

/// The size of the log after a group, if the group fits there.
fn end_of_group(group: &Group, size: u64) -> Result<u64, StoreError> {
    if group.first.0 != size {
        return Err(StoreError::Gap { expected: Index(size), found: group.first });
    }
    let end = size.saturating_add(group.entries.len() as u64);
    match group.keys.iter().find(|(_, index)| !(size..end).contains(&index.0)) {
        Some((_, index)) => Err(StoreError::KeyOutside { index: *index }),
        None => Ok(end),
    }
}

fn require_format(table: &impl Table) -> Result<(), StoreError> {
    let dir = table.place();
    match table.get(FORMAT_KEY)? {
        None => Err(StoreError::Unmarked { dir }),
        Some(found) if found == FORMAT => Ok(()),
        Some(found) => Err(StoreError::Format { dir, found: found.escape_ascii().to_string() }),
    }
}

/// The size of the log by its last block, after checking that the last blocks are
/// whole and follow each other and that the first one is there.
fn end_of_blocks(table: &impl Table) -> Result<u64, StoreError> {
    let Some((first, size)) = block_before(table, BLOCKS_END, u64::MAX)? else {
        return Ok(0);
    };
    let mut next = first;
    for _ in 1..TAIL_BLOCKS {
        if next == 0 {
            return Ok(size);
        }
        next = match block_before(table, &record::block_key(next), next)? {
            Some((first, end)) if end == next => first,
            Some((_, end)) if end < next => return Err(StoreError::broken(end, Damage::Missing)),
            Some(_) => return Err(StoreError::broken(next, Damage::Overlap)),
            None => return Err(StoreError::broken(0, Damage::Missing)),
        };
    }
    let whole = table.get(&record::block_key(0))?.is_some();
    if whole { Ok(size) } else { Err(StoreError::broken(0, Damage::Missing)) }
}

/// The last block below a key: its first index and the one after its last.
fn block_before(
    table: &impl Table,
    key: &[u8],
    near: u64,
) -> Result<Option<(u64, u64)>, StoreError> {
    let Some(key) = table.before(key)? else {
        return Ok(None);
    };
    let Some(first) = record::block_first(&key, near)? else {
        return Ok(None);
    };
    let block = table.get(&key)?.ok_or(StoreError::broken(first, Damage::Missing))?;
    let count = block::unpack(Index(first), &block)?.len() as u64;
    let end = first.checked_add(count).ok_or(StoreError::broken(first, Damage::Overlap))?;
    Ok(Some((first, end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::path::PathBuf;
    use std::sync::atomic::AtomicBool;

    use super::super::record::Record;
    use super::super::table::Visitor;

    /// A table that panics when read, and must not be written after that.
    struct Torn {
        committed: AtomicBool,
    }

    impl Torn {
        fn panicked<R>() -> Result<R, StoreError> {
            Err(StoreError::Panicked { doing: "read a block", what: "torn page".to_owned() })
        }
    }

    impl Table for Torn {
        fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
            Self::panicked()
        }
        fn before(&self, _: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
            Self::panicked()
        }
        fn scan(&self, _: &[u8], _: &[u8], _: &mut Visitor<'_>) -> Result<(), StoreError> {
            Self::panicked()
        }
        fn commit(&self, _: Vec<Record>) -> Result<(), StoreError> {
            self.committed.store(true, Ordering::Relaxed);
            Ok(())
        }
        fn room(&self, _: u64) -> Result<(), StoreError> {
            Ok(())
        }
        fn disk_bytes(&self) -> u64 {
            0
        }
        fn place(&self) -> PathBuf {
            PathBuf::new()
        }
    }

    type Reading = fn(&Log<Torn>) -> Result<(), StoreError>;

    #[test]
    fn a_panic_while_reading_poisons_the_log() {
        let readings: [Reading; 3] = [
            |log| log.read(Index(1), 1, 1).map(|_| ()),
            |log| log.index_of(&IdempotencyKey::of("source", "id")).map(|_| ()),
            |log| {
                let keys = vec![(IdempotencyKey::of("source", "id"), Index(2))];
                log.append(&Group {
                    first: Index(2),
                    entries: vec![vec![]],
                    keys,
                    ..Group::default()
                })
            },
        ];
        for reading in readings {
            let log = Log::of_size(Torn { committed: AtomicBool::new(false) }, 2);
            assert!(matches!(reading(&log), Err(StoreError::Panicked { .. })));

            let group = Group { first: Index(2), entries: vec![vec![]], ..Group::default() };
            let refused = log.append(&group);
            let Err(StoreError::Poisoned { since: Index(2), cause }) = refused else {
                panic!("a group was taken after a panic: {refused:?}");
            };
            assert_eq!(cause, "sled panicked when asked to read a block: torn page");
            assert!(!log.table().committed.load(Ordering::Relaxed));
        }
    }
}
