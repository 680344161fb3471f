//! One checkpoint in a file that is replaced as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The largest file that is read: a checkpoint with the lines of many witnesses.
const BYTES_MAX: u64 = 64 * 1024;

/// Why a checkpoint could not be read or replaced.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointFileError {
    /// The operating system refused.
    #[error("cannot {doing} the checkpoint `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is not text.
    #[error("the checkpoint `{}` is not text of at most {BYTES_MAX} bytes", .0.display())]
    NotText(PathBuf),
}

/// The file that holds the newest checkpoint.
#[derive(Clone, Debug)]
pub struct CheckpointFile(PathBuf);

impl CheckpointFile {
    /// The file at a path, there or not.
    #[must_use]
    pub const fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What it holds; none if it is not there.
    ///
    /// # Errors
    /// [`CheckpointFileError`].
    pub fn read(&self) -> Result<Option<String>, CheckpointFileError> {
        let mut bytes = Vec::new();
        let file = File::open(&self.0);
        match file.and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("read")(error)),
            Ok(_) => {}
        }
        let whole = bytes.len() as u64 <= BYTES_MAX;
        let text = String::from_utf8(bytes).ok().filter(|_| whole);
        text.map(Some).ok_or_else(|| CheckpointFileError::NotText(self.0.clone()))
    }

    /// Replaces what it holds: written under another name, synced, renamed, and the
    /// folder synced. So a power cut leaves the old one or the new one, whole.
    ///
    /// # Errors
    /// [`CheckpointFileError`]; the old one is then still there.
    pub fn write(&self, note: &str) -> Result<(), CheckpointFileError> {
        let draft = self.draft();
        let mut file = OpenOptions::new();
        let file = file.write(true).create(true).truncate(true).mode(0o644);
        let mut file = file.open(&draft).map_err(self.failed("create a draft of"))?;
        let written = file.write_all(note.as_bytes()).and_then(|()| file.sync_all());
        written.map_err(self.failed("write"))?;
        fs::rename(&draft, &self.0).map_err(self.failed("replace"))?;
        File::open(self.folder())
            .and_then(|folder| folder.sync_all())
            .map_err(self.failed("sync the folder of"))
    }

    /// Sets what it holds aside under a name that says how many entries it was signed for.
    ///
    /// # Errors
    /// [`CheckpointFileError`].
    pub fn set_aside(&self, size: u64) -> Result<PathBuf, CheckpointFileError> {
        let mut name = self.0.file_name().unwrap_or_default().to_owned();
        name.push(format!(".lost-{size}"));
        let aside = self.0.with_file_name(name);
        fs::copy(&self.0, &aside).map_err(self.failed("set aside"))?;
        let synced = File::open(&aside).and_then(|copy| copy.sync_all());
        synced.map_err(self.failed("set aside"))?;
        Ok(aside)
    }

    fn draft(&self) -> PathBuf {
        let mut name = self.0.file_name().unwrap_or_default().to_owned();
        name.push(".draft");
        self.0.with_file_name(name)
    }

    fn folder(&self) -> &Path {
        let parent = self.0.parent().filter(|parent| !parent.as_os_str().is_empty());
        parent.unwrap_or(Path::new("."))
    }

    fn failed(&self, doing: &'static str) -> impl FnOnce(io::Error) -> CheckpointFileError {
        let path = self.0.clone();
        move |source| CheckpointFileError::Io { doing, path, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_replaced_as_a_whole() {
        let ground = tempfile::tempdir().unwrap();
        let file = CheckpointFile::at(ground.path().join("checkpoint"));
        assert_eq!(file.read().unwrap(), None);
        for note in ["one\n", "another, longer\n", "short\n"] {
            file.write(note).unwrap();
            assert_eq!(file.read().unwrap().as_deref(), Some(note));
        }
        assert!(!file.draft().exists());
    }

    #[test]
    fn what_is_not_a_checkpoint_is_not_taken_for_one() {
        let ground = tempfile::tempdir().unwrap();
        let file = CheckpointFile::at(ground.path().join("checkpoint"));
        fs::write(file.path(), [0xff, 0xfe]).unwrap();
        assert!(matches!(file.read(), Err(CheckpointFileError::NotText(_))));
        fs::write(file.path(), vec![b'a'; 65 * 1024]).unwrap();
        assert!(matches!(file.read(), Err(CheckpointFileError::NotText(_))));
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_that_names_the_file() {
        let ground = tempfile::tempdir().unwrap();
        let file = CheckpointFile::at(ground.path().join("nowhere").join("checkpoint"));
        let told = file.write("one\n").unwrap_err().to_string();
        assert!(told.starts_with("cannot create a draft of the checkpoint `"), "{told}");
    }
}
