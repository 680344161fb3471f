//! The storage seam: where the log's entries become durable, and come back.
//!
//! A store keeps entries as bytes, in order, for ever. It parses none of them,
//! updates none and deletes none. What it promises is the commit point of the
//! whole house: when [`EventStore::append`] returns `Ok`, the group survives a
//! power cut; when it returns an error, nobody was told anything.
//!
//! What it does not promise: that nobody altered the bytes. Its checks find
//! accidents (a torn block, a missing one), not an adversary; that is the work
//! of the Merkle tree and of the checkpoint kept outside the store.
//!
//! [`SledStore`] is for production, [`MemoryStore`] for tests and benches. Both
//! are the same log over a table of records; only the table differs.

mod block;
mod directory;
mod error;
mod log;
mod memory_store;
mod page;
mod receipt;
mod record;
mod sled_store;
mod table;
#[cfg(test)]
mod tests;
mod tiles;
mod watch;

pub use error::{Damage, StoreError};
pub use memory_store::{Fault, MemoryStore};
pub use receipt::{ReceiptError, receipt};
pub use sled_store::{CACHE_BYTES, SledStore};
pub use tiles::StoredTiles;

use crate::model::{Digest, Index};
use crate::tlog::TileId;

/// The longest entry: 48 KiB. C2SP tlog-tiles allows 65,535 bytes; a block must
/// hold any entry and its frame, [`BLOCK_BYTES_MAX`].
pub const ENTRY_BYTES_MAX: usize = 48 * 1024;

/// The longest block, frame included: 60 KiB. It keeps a leaf of sled's tree (16
/// values) under its 2 MiB limit for blob files, which sled never syncs.
pub const BLOCK_BYTES_MAX: usize = 60 * 1024;

/// A log of entries, and the indexes that are written with them.
///
/// Methods block on the disk: call [`append`](Self::append) from one writer
/// thread. Reads may come from any thread at any time and see whole groups only.
pub trait EventStore: Send + Sync {
    /// Appends one group, all or nothing; on `Ok` it is durable (synced).
    ///
    /// Cost: one write and one `fdatasync`, whatever the size of the group. An
    /// empty group is `Ok` and writes nothing.
    ///
    /// # Errors
    /// [`StoreError::Gap`], [`StoreError::EntryTooLarge`], [`StoreError::KeyOutside`]
    /// and [`StoreError::KeyTaken`] refuse a wrong group, [`StoreError::NoRoom`] any
    /// group while the disk is nearly full: nothing was touched and the store goes on.
    /// Any other error poisons the store: whether the group is on disk is known only
    /// after reopening, and every later append is refused with
    /// [`StoreError::Poisoned`] without touching the disk. A failed sync is never
    /// tried again: the kernel may have dropped the pages and would report success.
    fn append(&self, group: &Group) -> Result<(), StoreError>;

    /// Number of entries durably stored, which is the index of the next one.
    fn size(&self) -> u64;

    /// Entries from `from` on, in order: at most `entries_max`, and about `bytes_max`
    /// bytes (the first one is returned even if it is larger). None at or beyond
    /// [`size`](Self::size), and none if `entries_max` is 0. Bytes, never parsed here.
    ///
    /// Cost: the blocks touched are read and checked whole, at most 60 KiB each.
    ///
    /// # Errors
    /// [`StoreError::Broken`] if a block touched is damaged, missing or out of place;
    /// otherwise what the disk or sled said.
    fn read(
        &self,
        from: Index,
        entries_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<(Index, Vec<u8>)>, StoreError>;

    /// Where the command with this key was recorded, if it was.
    ///
    /// # Errors
    /// [`StoreError::BrokenKey`] if the record of the key is damaged; otherwise what the
    /// disk or sled said.
    fn index_of(&self, key: &IdempotencyKey) -> Result<Option<Index>, StoreError>;

    /// The 256 hashes of the full tile in a place, if it was written with its group. May
    /// be of a group that is not durable yet: ask only for tiles of a size that is.
    ///
    /// # Errors
    /// What the disk or sled said.
    fn tile(&self, tile: TileId) -> Result<Option<Vec<u8>>, StoreError>;

    /// The signed checkpoint that was written with the last group that had one.
    ///
    /// # Errors
    /// [`StoreError::BrokenCheckpoint`] if it is not text; what the disk or sled said.
    fn checkpoint(&self) -> Result<Option<String>, StoreError>;

    /// Bytes on disk, for metrics: blocks allocated, all files together. 0 for a
    /// store in memory, and where the directory cannot be read.
    fn disk_bytes(&self) -> u64;
}

/// What is committed together: entries in order, the keys that lead to them, and what
/// the Merkle tree gains by them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// The index of the first entry: the store's size before.
    pub first: Index,
    /// The entries, each at most [`ENTRY_BYTES_MAX`] bytes.
    pub entries: Vec<Vec<u8>>,
    /// Keys of commands that may be repeated, with the index of the entry that
    /// answers each; only entries of this group.
    pub keys: Vec<(IdempotencyKey, Index)>,
    /// Tiles of the Merkle tree that these entries fill, 8,192 bytes each.
    pub tiles: Vec<(TileId, Vec<u8>)>,
    /// The signed checkpoint of the log with these entries.
    pub checkpoint: Option<String>,
}

/// What a caller repeats when it repeats a command: `SHA-256(source, id)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey(Digest);

impl IdempotencyKey {
    /// The key of the command that `source` calls `id`: the digest of both, each
    /// preceded by its length, so that no two pairs share an input.
    #[must_use]
    pub fn of(source: &str, id: &str) -> Self {
        Self(Digest::of_parts([source.as_bytes(), id.as_bytes()]))
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl From<Digest> for IdempotencyKey {
    fn from(digest: Digest) -> Self {
        Self(digest)
    }
}
