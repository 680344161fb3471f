//! A page: consecutive entries gathered from the blocks that hold them.

use crate::model::Index;

use super::block;
use super::error::{Damage, StoreError};
use super::record;

/// A page that is being read. Blocks are offered in order; each must begin where the
/// one before ended, so a block that sled lost, or one too many, cannot pass.
pub(super) struct Page {
    /// The next index to take.
    wanted: u64,
    /// Where the log ends.
    size: u64,
    entries_max: usize,
    bytes_left: usize,
    full: bool,
    entries: Vec<(Index, Vec<u8>)>,
}

impl Page {
    /// An empty page that begins at `from`, below `size`.
    pub(super) const fn new(from: u64, size: u64, entries_max: usize, bytes_max: usize) -> Self {
        let entries = Vec::new();
        Self { wanted: from, size, entries_max, bytes_left: bytes_max, full: false, entries }
    }

    /// Whether a limit is reached. The end of the log is none: another block before
    /// it, after one that claims to reach it, is damage to be found.
    pub(super) const fn is_full(&self) -> bool {
        self.full
    }

    /// Takes what it may of the next block.
    ///
    /// # Errors
    /// [`StoreError::Broken`] if the block is damaged or not the next one.
    pub(super) fn take(&mut self, key: &[u8], bytes: &[u8]) -> Result<(), StoreError> {
        let first = record::block_first(key, self.wanted)?
            .ok_or(StoreError::broken(self.wanted, Damage::BlockKey))?;
        let entries = block::unpack(Index(first), bytes)?;
        let end = first.saturating_add(entries.len() as u64);
        // Only the first block of a page may begin before the index wanted.
        let begun = !self.entries.is_empty();
        if end > self.size || (begun && first < self.wanted) {
            return Err(StoreError::broken(first, Damage::Overlap));
        }
        if first > self.wanted || end <= self.wanted {
            return Err(StoreError::broken(self.wanted, Damage::Missing));
        }
        let known = usize::try_from(self.wanted - first).unwrap_or(usize::MAX);
        entries.into_iter().skip(known).for_each(|entry| self.push(entry));
        Ok(())
    }

    /// The entries.
    ///
    /// # Errors
    /// [`StoreError::Broken`] if the blocks ended before the page was full.
    pub(super) fn finish(self) -> Result<Vec<(Index, Vec<u8>)>, StoreError> {
        if self.full || self.wanted == self.size {
            Ok(self.entries)
        } else {
            Err(StoreError::broken(self.wanted, Damage::Missing))
        }
    }

    fn push(&mut self, entry: &[u8]) {
        let fits = entry.len() <= self.bytes_left;
        if self.full || !(fits || self.entries.is_empty()) {
            self.full = true;
            return;
        }
        self.entries.push((Index(self.wanted), entry.to_vec()));
        self.bytes_left = self.bytes_left.saturating_sub(entry.len());
        self.wanted += 1;
        self.full = !fits || self.entries.len() >= self.entries_max;
    }
}
