//! The directory of a log on disk: making it, locking it, syncing it.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::StoreError;

/// The owner alone: events tell who did what.
const MODE: u32 = 0o700;

/// Makes the directory, or takes over an empty one (a mounted volume), and returns
/// its absolute path.
///
/// # Errors
/// [`StoreError::NoParent`]; [`StoreError::Exists`] if there is anything in it.
pub(super) fn make(dir: &Path) -> Result<PathBuf, StoreError> {
    match DirBuilder::new().mode(MODE).create(dir) {
        Ok(()) => {}
        Err(refusal) if refusal.kind() == ErrorKind::NotFound => {
            return Err(StoreError::NoParent { dir: dir.to_owned() });
        }
        Err(refusal) if refusal.kind() == ErrorKind::AlreadyExists => take_over(dir)?,
        Err(refusal) => return Err(StoreError::io("make", dir)(refusal)),
    }
    dir.canonicalize().map_err(StoreError::io("find", dir))
}

fn take_over(dir: &Path) -> Result<(), StoreError> {
    if !is_empty(dir).map_err(StoreError::io("list", dir))? {
        return Err(StoreError::Exists { dir: dir.to_owned() });
    }
    fs::set_permissions(dir, Permissions::from_mode(MODE))
        .map_err(StoreError::io("set the mode of", dir))
}

/// The absolute path of a directory that sled has filled before. sled itself would
/// create what is missing, and an empty log would take the place of a lost one.
///
/// # Errors
/// [`StoreError::Missing`].
pub(super) fn find(dir: &Path) -> Result<PathBuf, StoreError> {
    let has = |name| dir.join(name).is_file();
    if !has("db") || !has("conf") {
        return Err(StoreError::Missing { dir: dir.to_owned() });
    }
    dir.canonicalize().map_err(StoreError::io("find", dir))
}

/// Locks the directory itself until the handle is closed. sled locks its file too,
/// but lets go of it between creation and reopening, and a moment after closing.
///
/// # Errors
/// [`StoreError::Locked`].
pub(super) fn lock(dir: &Path) -> Result<File, StoreError> {
    let handle = File::open(dir).map_err(StoreError::io("open", dir))?;
    match handle.try_lock() {
        Ok(()) => Ok(handle),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { dir: dir.to_owned() }),
        Err(TryLockError::Error(refusal)) => Err(StoreError::io("lock", dir)(refusal)),
    }
}

/// Makes everything in the directory durable, and its name in its parent. sled 0.34
/// leaves `conf` and the directories unsynced: of 200 simulated power cuts after a
/// creation, 55 left a log that did not open.
///
/// # Errors
/// [`StoreError::Io`].
pub(super) fn sync(dir: &Path) -> Result<(), StoreError> {
    for file in files(dir).map_err(StoreError::io("list", dir))? {
        sync_one(&file)?;
    }
    sync_one(&dir.join("blobs"))?;
    sync_one(dir)?;
    dir.parent().map_or(Ok(()), sync_one)
}

/// Removes the snapshots of sled's whose writing was cut short. Nothing is lost: the one
/// before is removed only after its successor has its name, and without any, sled reads
/// the whole log.
///
/// # Errors
/// [`StoreError::Io`].
pub(super) fn remove_unfinished(dir: &Path) -> Result<(), StoreError> {
    let is_unfinished = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("snap.") && name.ends_with(".generating")
    };
    for file in files(dir).map_err(StoreError::io("list", dir))? {
        if is_unfinished(&file) {
            fs::remove_file(&file).map_err(StoreError::io("remove", &file))?;
        }
    }
    Ok(())
}

fn sync_one(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(StoreError::io("sync", path))
}

/// Refuses a log with blob files: sled writes values above a quarter of a segment
/// there and never syncs them.
///
/// # Errors
/// [`StoreError::Blobs`].
pub(super) fn refuse_blobs(dir: &Path) -> Result<(), StoreError> {
    let blobs = dir.join("blobs");
    if is_empty(&blobs).map_err(StoreError::io("list", &blobs))? {
        Ok(())
    } else {
        Err(StoreError::Blobs { dir: dir.to_owned() })
    }
}

/// Bytes that may still be written to the disk of the log.
///
/// # Errors
/// [`StoreError::Io`].
pub(super) fn free(dir: &Path) -> Result<u64, StoreError> {
    let disk = rustix::fs::statvfs(dir).map_err(io::Error::from);
    let disk = disk.map_err(StoreError::io("measure the disk of", dir))?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Bytes allocated to the files of the log, those in `blobs` included.
pub(super) fn bytes(dir: &Path) -> u64 {
    [dir.to_owned(), dir.join("blobs")]
        .iter()
        .flat_map(|dir| files(dir).unwrap_or_default())
        .filter_map(|file| file.metadata().ok())
        .map(|metadata| metadata.blocks() * 512)
        .sum()
}

fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir)?.collect::<io::Result<Vec<_>>>()?;
    Ok(entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_file()).collect())
}

fn is_empty(dir: &Path) -> io::Result<bool> {
    Ok(fs::read_dir(dir)?.next().transpose()?.is_none())
}
