//! The signed checkpoint outside the log: what a log that was cut short, rolled back or
//! swapped is found out by.
//!
//! It is a file of its own, best kept on another disk or copied away: whoever can write
//! both it and the log can roll both back together, and only somebody who kept an older
//! copy would know.

mod file;
mod publisher;
mod witnesses;

pub use file::{CheckpointFile, CheckpointFileError};
pub use publisher::Publisher;
pub use witnesses::{Asked, Witnesses};

use crate::tlog::{Checkpoint, Note};

/// How many entries a checkpoint of our own is for. It is not verified: whoever reads it
/// has signed it.
#[must_use]
pub fn size_of(note: &str) -> Option<u64> {
    let note: Note = note.parse().ok()?;
    note.text().parse::<Checkpoint>().ok().map(|checkpoint| checkpoint.size())
}
