//! The folder that snapshots are kept in.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::Unfit;
use crate::vault::VaultError;

/// The largest snapshot that is read, in bytes.
const BYTES_MAX: u64 = 2 << 30;
const SUFFIX: &str = ".snapshot";
const DRAFT_SUFFIX: &str = ".unfinished";

/// Why a snapshot could not be written or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The operating system refused.
    #[error("cannot {doing} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The disk is for the log.
    #[error("there is no room for a snapshot: {free} bytes are free, and {needed} are needed")]
    NoRoom {
        /// The bytes free.
        free: u64,
        /// The bytes that there must be.
        needed: u64,
    },
    /// It could not be sealed.
    #[error("a snapshot cannot be sealed: {0}")]
    NotSealed(#[from] VaultError),
}

/// The files by how many entries each reflects.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes the folder of mode 0700 if it is not there.
    pub(super) fn at(path: &Path) -> Result<Self, SnapshotError> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(failed("create", path)(error))
            }
            Ok(()) | Err(_) => Ok(Self(path.to_owned())),
        }
    }

    /// The sizes there are snapshots of, in order.
    pub(super) fn sizes(&self) -> Result<Vec<u64>, SnapshotError> {
        let size = |name: &str| {
            let size = name.strip_suffix(SUFFIX)?.parse().ok()?;
            (file_name(size) == name).then_some(size)
        };
        let mut sizes: Vec<_> = self.names()?.iter().filter_map(|name| size(name)).collect();
        sizes.sort_unstable();
        Ok(sizes)
    }

    /// The bytes of a snapshot.
    pub(super) fn read(&self, size: u64) -> Result<Vec<u8>, Unfit> {
        let file = File::open(self.path(size))?;
        let length = file.metadata()?.len();
        if length > BYTES_MAX {
            return Err(Unfit::TooLong(length));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        file.take(BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Writes a snapshot under another name, flushed to the disk, if that leaves so many
    /// MiB of it free.
    pub(super) fn draft(
        &self,
        size: u64,
        bytes: &[u8],
        spare_mib: u64,
    ) -> Result<Draft<'_>, SnapshotError> {
        self.room((bytes.len() as u64).saturating_add(spare_mib.saturating_mul(1 << 20)))?;
        let mut name = file_name(size);
        name.push_str(DRAFT_SUFFIX);
        let draft = Draft { folder: self, path: self.0.join(name), size };
        let mut file = OpenOptions::new();
        let file = file.write(true).create(true).truncate(true).mode(0o600);
        let mut file = file.open(&draft.path).map_err(failed("create", &draft.path))?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        written.map_err(failed("write", &draft.path))?;
        Ok(draft)
    }

    fn room(&self, needed: u64) -> Result<(), SnapshotError> {
        let disk = rustix::fs::statvfs(&self.0).map_err(io::Error::from);
        let disk = disk.map_err(failed("measure the disk of", &self.0))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < needed { Err(SnapshotError::NoRoom { free, needed }) } else { Ok(()) }
    }

    /// Removes a snapshot; one that cannot be removed is only in the way.
    pub(super) fn remove(&self, size: u64) {
        if let Err(error) = fs::remove_file(self.path(size))
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(size, %error, "a snapshot cannot be removed");
        }
    }

    /// Removes what a crash left half written.
    pub(super) fn remove_unfinished(&self) -> Result<(), SnapshotError> {
        self.remove_all(|name| name.ends_with(DRAFT_SUFFIX))
    }

    /// Removes every snapshot, half written ones too, durably.
    pub(super) fn clear(&self) -> Result<(), SnapshotError> {
        self.remove_all(|name| name.ends_with(SUFFIX) || name.ends_with(DRAFT_SUFFIX))
    }

    fn remove_all(&self, is_to_go: impl Fn(&str) -> bool) -> Result<(), SnapshotError> {
        let names = self.names()?.into_iter().filter(|name| is_to_go(name));
        let mut removed = false;
        for path in names.map(|name| self.0.join(name)) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(failed("remove", &path)(error));
                }
                Ok(()) | Err(_) => removed = true,
            }
        }
        if removed { self.sync() } else { Ok(()) }
    }

    /// Everything that has a name in UTF-8, as all of ours have.
    fn names(&self) -> Result<Vec<String>, SnapshotError> {
        let entries = fs::read_dir(&self.0).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.map_err(failed("list", &self.0))?;
        Ok(entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    fn path(&self, size: u64) -> PathBuf {
        self.0.join(file_name(size))
    }

    fn sync(&self) -> Result<(), SnapshotError> {
        File::open(&self.0).and_then(|dir| dir.sync_all()).map_err(failed("flush", &self.0))
    }
}

/// A snapshot that has not got its name yet; gone when dropped without it.
pub(super) struct Draft<'f> {
    folder: &'f Folder,
    path: PathBuf,
    size: u64,
}

impl Draft<'_> {
    /// Gives it its name, durably.
    pub(super) fn publish(self) -> Result<(), SnapshotError> {
        let path = self.folder.path(self.size);
        fs::rename(&self.path, &path).map_err(failed("name", &path))?;
        self.folder.sync()
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        // Not there any more if it was published; else the next opening sweeps it.
        drop(fs::remove_file(&self.path));
    }
}

/// As wide as the largest size, so that names sort as sizes do.
fn file_name(size: u64) -> String {
    format!("{size:020}{SUFFIX}")
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SnapshotError {
    let path = path.to_owned();
    move |source| SnapshotError::Io { doing, path, source }
}
