//! What can go wrong in a store, and what to do about it.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use crate::model::Index;

use super::{BLOCK_BYTES_MAX, ENTRY_BYTES_MAX};

/// Why a store could not be created, opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The directory holds something already; a log is never created over another.
    #[error("`{}` is not empty: a log is created in a new or an empty directory", dir.display())]
    Exists {
        /// The directory asked for.
        dir: PathBuf,
    },
    /// The directory cannot be made, because its parent is not there.
    #[error("`{}` cannot be made: create its parent directory first", dir.display())]
    NoParent {
        /// The directory asked for.
        dir: PathBuf,
    },
    /// There is no log to open. Nothing was created in its place.
    #[error("there is no log in `{}`: name another directory, or create one there", dir.display())]
    Missing {
        /// The directory asked for.
        dir: PathBuf,
    },
    /// Another process has the log open; it has one writer and no second reader.
    #[error(
        "the log in `{}` is open in another process: stop that process, or ask its server instead",
        dir.display()
    )]
    Locked {
        /// The directory asked for.
        dir: PathBuf,
    },
    /// The directory holds a log of another format.
    #[error(
        "the log in `{}` has format `{found}`, not `1`: use the release that wrote it",
        dir.display()
    )]
    Format {
        /// The directory asked for.
        dir: PathBuf,
        /// What its format record says.
        found: String,
    },
    /// The directory holds no format record. A creation that was interrupted leaves
    /// that, and so does damage at the beginning of sled's file.
    #[error(
        "there is no format record in `{}`: its creation was interrupted, or the log is damaged",
        dir.display()
    )]
    Unmarked {
        /// The directory asked for.
        dir: PathBuf,
    },
    /// The group does not begin where the log ends.
    #[error("the group begins at index {found}, but the log goes on at {expected}")]
    Gap {
        /// The size of the log.
        expected: Index,
        /// The first index of the group.
        found: Index,
    },
    /// An entry is too long to be stored.
    #[error("the entry for index {index} has {bytes} bytes, more than {ENTRY_BYTES_MAX}")]
    EntryTooLarge {
        /// The index it would have had.
        index: Index,
        /// Its length.
        bytes: usize,
    },
    /// An idempotency key leads to an entry that is not in its group.
    #[error("an idempotency key leads to index {index}, which is not in its group")]
    KeyOutside {
        /// Where it leads.
        index: Index,
    },
    /// An idempotency key is in the log, or twice in the group; keys are never moved.
    #[error("the idempotency key for index {index} is taken by another entry")]
    KeyTaken {
        /// Where the second use of the key leads.
        index: Index,
    },
    /// Stored bytes are not what was written. Restore the directory from a copy.
    #[error("the log is broken at index {index}: {what}")]
    Broken {
        /// The first entry that cannot be read.
        index: Index,
        /// What is wrong with it.
        what: Damage,
    },
    /// The record of an idempotency key is damaged. Restore the directory from a copy.
    #[error("the log is broken: the record of an idempotency key is not an index")]
    BrokenKey,
    /// The record of the newest checkpoint is damaged. Restore the directory from a copy.
    #[error("the log is broken: the record of its checkpoint is not text")]
    BrokenCheckpoint,
    /// sled has put a value in a file of its own, which it never syncs.
    #[error("`{}` is not empty: values there are not durable", dir.join("blobs").display())]
    Blobs {
        /// The directory of the log.
        dir: PathBuf,
    },
    /// The disk is nearly full. Nothing was touched, and the store goes on once there is
    /// room: what a full disk would break half-way through cannot be mended.
    #[error(
        "the disk of `{}` has {free} bytes left and {needed} are kept free: make room",
        dir.display()
    )]
    NoRoom {
        /// The directory of the log.
        dir: PathBuf,
        /// What is left, in bytes.
        free: u64,
        /// What must be left, in bytes.
        needed: u64,
    },
    /// An earlier write failed; what is on disk is known only after reopening.
    #[error("nothing is written since the group at index {since} failed ({cause}): restart")]
    Poisoned {
        /// The size of the log then and now.
        since: Index,
        /// The error that was returned then.
        cause: String,
    },
    /// The operating system refused.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was tried, such as `sync`.
        doing: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// sled refused.
    #[error("sled cannot {doing}: {what}")]
    Sled {
        /// What was tried, such as `write a group`.
        doing: &'static str,
        /// What sled said.
        what: String,
    },
    /// sled panicked, as it does on some damage and some failures of the disk. The
    /// state of its memory is unknown, so this poisons the store, reads included.
    #[error("sled panicked when asked to {doing}: {what}")]
    Panicked {
        /// What was tried, such as `read a block`.
        doing: &'static str,
        /// The message of the panic.
        what: String,
    },
}

/// How stored bytes differ from what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The block is absent: indices are gap-free from 0.
    #[error("the block that should hold it is missing")]
    Missing,
    /// Two blocks, or a block and the end of the log, overlap.
    #[error("its block holds indices that belong to the next")]
    Overlap,
    /// Shorter than any block.
    #[error("its block is cut short")]
    Short,
    /// Longer than any block.
    #[error("its block has more than {BLOCK_BYTES_MAX} bytes")]
    Long,
    /// The check value at the end does not belong to these bytes at this index.
    #[error("the check value of its block does not match")]
    Check,
    /// The check value matches, but the lengths within do not add up.
    #[error("the entries of its block do not fill it")]
    Frame,
    /// The check value matches, but there are more or fewer entries than it says.
    #[error("its block does not hold as many entries as it says")]
    Count,
    /// A key in the table of blocks is not an index.
    #[error("the key of its block is not an index")]
    BlockKey,
}

impl StoreError {
    /// An input or output error, with what was tried on which file.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }

    /// Damage found at an index.
    pub(super) const fn broken(index: u64, what: Damage) -> Self {
        Self::Broken { index: Index(index), what }
    }

    /// An entry, or what was made of it, that is not there.
    pub(super) const fn missing(index: u64) -> Self {
        Self::broken(index, Damage::Missing)
    }

    /// The message with those of its sources, for the record of a failure.
    #[must_use]
    pub fn told_whole(&self) -> String {
        let mut told = self.to_string();
        let mut next = self.source();
        while let Some(source) = next {
            told = format!("{told}: {source}");
            next = source.source();
        }
        told
    }
}
