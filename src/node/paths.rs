//! Where things are in a data directory.

use std::path::{Path, PathBuf};

/// The layout of a data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The directory itself.
    pub data: PathBuf,
    /// The log's entries.
    pub log: PathBuf,
    /// The sealed secrets.
    pub vault: PathBuf,
    /// The snapshots of the World, which may be deleted at any time.
    pub snapshots: PathBuf,
}

impl Paths {
    /// The layout below a directory.
    #[must_use]
    pub fn in_directory(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            log: data.join("log"),
            vault: data.join("vault"),
            snapshots: data.join("snapshots"),
        }
    }
}
