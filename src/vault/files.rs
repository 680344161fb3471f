//! Files that are written once, whole and durable, and for the owner's eyes only.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::entropy::{Entropy, NoEntropy, draw};
use crate::model::Digest;

/// What could not be done on the disk, and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The operating system refused.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No name for an unfinished file.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
}

/// Whether a file took its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Publication {
    /// It is there, durably.
    Done,
    /// Another has the name, and it was left as it is.
    NameTaken,
}

/// The largest file read; larger ones are not ours.
const BYTES_MAX: u64 = 64 * 1_024;

/// Writes a new file of mode 0600: under another name, flushed to the disk, then
/// linked to its own. So the name stands for the whole content or for nothing,
/// after a power cut too; and, unlike a rename, a link replaces nobody.
pub(super) fn publish(
    path: &Path,
    bytes: &[u8],
    entropy: &dyn Entropy,
) -> Result<Publication, FileError> {
    let draft = Draft::beside(path, entropy)?;
    draft.write(bytes)?;
    match fs::hard_link(&draft.0, path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Ok(Publication::NameTaken);
        }
        Err(error) => return Err(failed("link", path)(error)),
    }
    drop(draft);
    sync_parent(path)?;
    Ok(Publication::Done)
}

/// Writes a file of mode 0600 in the place of the one of that name, if any: whoever reads
/// the name reads the one or the other, whole, after a power cut too.
pub(super) fn replace(path: &Path, bytes: &[u8], entropy: &dyn Entropy) -> Result<(), FileError> {
    let draft = Draft::beside(path, entropy)?;
    draft.write(bytes)?;
    fs::rename(&draft.0, path).map_err(failed("replace", path))?;
    sync_parent(path)
}

/// The content of a file, `None` if there is none of that name.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BYTES_MAX).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

/// Makes a folder of mode 0700, or makes it so.
pub(super) fn private_dir(path: &Path) -> Result<(), FileError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(failed("create", path)(error));
        }
        Ok(()) | Err(_) => {}
    }
    fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(failed("protect", path))?;
    // Even if it was there: who made it may have crashed before this.
    sync_parent(path)
}

/// The subjects' folders in a folder.
pub(super) fn folders(dir: &Path) -> Result<Vec<PathBuf>, FileError> {
    let is_ours = |name: &str| name.parse::<Digest>().is_ok();
    let named = named(dir)?.into_iter().filter(|(name, _)| is_ours(name));
    Ok(named.map(|(_, path)| path).collect())
}

/// Removes the files of a folder whose name is to go; returns how many.
pub(super) fn remove(dir: &Path, is_to_go: impl Fn(&str) -> bool) -> Result<usize, FileError> {
    let mut removed = 0;
    for (_, path) in named(dir)?.into_iter().filter(|(name, _)| is_to_go(name)) {
        fs::remove_file(&path).map_err(failed("remove", &path))?;
        removed += 1;
    }
    if removed > 0 {
        sync(dir)?;
    }
    Ok(removed)
}

/// Removes a folder and what is in it, the file named `first` before all else, each step
/// durably. There need be no such folder.
pub(super) fn destroy(dir: &Path, first: &str) -> Result<(), FileError> {
    match fs::metadata(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("read", dir)(error)),
        Ok(_) => {}
    }
    remove(dir, |name| name == first)?;
    remove(dir, |_| true)?;
    fs::remove_dir(dir).map_err(failed("remove", dir))?;
    sync_parent(dir)
}

/// Removes a file durably, if it is there.
pub(super) fn remove_one(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Ok(()) => sync_parent(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("remove", path)(error)),
    }
}

/// Whether a file's name is that of one whose writing was cut short.
pub(super) fn is_unfinished(name: &str) -> bool {
    name.ends_with(DRAFT_SUFFIX)
}

/// The names of the files in a folder.
pub(super) fn names(dir: &Path) -> Result<Vec<String>, FileError> {
    Ok(named(dir)?.into_iter().map(|(name, _)| name).collect())
}

/// Everything in a folder that has a name in UTF-8, as ours all do.
fn named(dir: &Path) -> Result<Vec<(String, PathBuf)>, FileError> {
    let entries = fs::read_dir(dir).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(failed("list", dir))?;
    let named = entries
        .into_iter()
        .filter_map(|entry| entry.file_name().into_string().ok().map(|name| (name, entry.path())));
    Ok(named.collect())
}

fn sync_parent(path: &Path) -> Result<(), FileError> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => sync(Path::new(".")),
        Some(parent) => sync(parent),
        None => Ok(()),
    }
}

fn sync(dir: &Path) -> Result<(), FileError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("flush", dir))
}

pub(super) fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError::Io { doing, path, source }
}

const DRAFT_SUFFIX: &str = ".unfinished";

/// The other name under which a file is written; gone when dropped. If that
/// fails, the next sweep takes it.
struct Draft(PathBuf);

impl Draft {
    fn beside(path: &Path, entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        let unique = u64::from_be_bytes(*draw(entropy)?);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self(path.with_file_name(format!("{name}.{unique:016x}{DRAFT_SUFFIX}"))))
    }

    fn write(&self, bytes: &[u8]) -> Result<(), FileError> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.0)
            .map_err(failed("create", &self.0))?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed("write", &self.0))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}
