//! A store in memory, for tests and benches, which can be made to fail.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use crate::model::Index;
use crate::tlog::TileId;

use super::error::StoreError;
use super::log::Log;
use super::record::{self, Record};
use super::table::{Table, Visitor};
use super::{EventStore, Group, IdempotencyKey};

/// What an injected failure leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing of the group was written.
    Lost,
    /// The whole group was written, and its sync failed.
    Kept,
    /// There was no room; nothing was touched, and the store goes on.
    NoRoom,
}

/// The log of [`SledStore`](super::SledStore) over a map in memory: the same checks,
/// the same bytes, nothing durable.
pub struct MemoryStore(Log<Map>);

impl MemoryStore {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::over(Map::default())
    }

    /// An empty log whose `nth` group, counted from 1, fails and so, unless it was for want
    /// of room, poisons the store. Refused and empty groups do not count otherwise.
    #[must_use]
    pub fn failing_at(nth: u64, fault: Fault) -> Self {
        Self::over(Map { fault: Some((nth, fault)), ..Map::default() })
    }

    /// What a restart would find: the same records in a sound store.
    ///
    /// # Errors
    /// As when a log is opened; none unless a test has altered the records.
    pub fn reopened(&self) -> Result<Self, StoreError> {
        let records = RwLock::new(self.0.table().records().clone());
        Log::open(Map { records, ..Map::default() }).map(Self)
    }

    fn over(map: Map) -> Self {
        map.insert([record::format_record()]);
        Self(Log::of_size(map, 0))
    }

    /// Alters a record behind the log's back; `None` removes it.
    #[cfg(test)]
    pub(super) fn rewrite(&self, key: &[u8], value: Option<Vec<u8>>) {
        let mut records = self.0.table().records.write().unwrap();
        match value {
            Some(value) => records.insert(key.to_vec(), value),
            None => records.remove(key),
        };
    }

    /// A record as it is stored.
    #[cfg(test)]
    pub(super) fn record(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.table().records().get(key).cloned()
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl EventStore for MemoryStore {
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

/// An ordered map that counts groups, beginning where room is asked for, and fails at one.
#[derive(Default)]
struct Map {
    records: RwLock<BTreeMap<Vec<u8>, Vec<u8>>>,
    commits: AtomicU64,
    fault: Option<(u64, Fault)>,
}

impl Map {
    fn records(&self) -> RwLockReadGuard<'_, BTreeMap<Vec<u8>, Vec<u8>>> {
        // No insertion stops half-way but for want of memory, which ends the process.
        self.records.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to become of a group, by its number.
    fn fault_of(&self, nth: u64) -> Option<Fault> {
        self.fault.filter(|(at, _)| *at == nth).map(|(_, fault)| fault)
    }

    fn insert(&self, records: impl IntoIterator<Item = Record>) {
        self.records.write().unwrap_or_else(PoisonError::into_inner).extend(records);
    }
}

impl Table for Map {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.records().get(key).cloned())
    }

    fn before(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let below = (Bound::Unbounded, Bound::Excluded(key));
        Ok(self.records().range::<[u8], _>(below).next_back().map(|(key, _)| key.clone()))
    }

    fn scan(&self, from: &[u8], to: &[u8], visit: &mut Visitor<'_>) -> Result<(), StoreError> {
        let between = (Bound::Included(from), Bound::Excluded(to));
        for (key, value) in self.records().range::<[u8], _>(between) {
            if visit(key, value)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn commit(&self, records: Vec<Record>) -> Result<(), StoreError> {
        let fault = self.fault_of(self.commits.load(Ordering::Relaxed));
        if fault != Some(Fault::Lost) {
            self.insert(records);
        }
        let injected = io::Error::other("a fault was injected");
        fault.map_or(Ok(()), |_| Err(StoreError::io("sync", &self.place())(injected)))
    }

    fn room(&self, bytes: u64) -> Result<(), StoreError> {
        let nth = self.commits.fetch_add(1, Ordering::Relaxed) + 1;
        match self.fault_of(nth) {
            Some(Fault::NoRoom) => {
                Err(StoreError::NoRoom { dir: self.place(), free: 0, needed: bytes })
            }
            _ => Ok(()),
        }
    }

    fn disk_bytes(&self) -> u64 {
        0
    }

    fn place(&self) -> PathBuf {
        PathBuf::from("memory")
    }
}
