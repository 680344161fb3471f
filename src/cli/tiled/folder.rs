//! A folder of static files, as any web server can serve it.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::super::failure::Failure;
use super::Tiled;
use crate::tlog::{BundleId, TileId};

/// The largest file read: 256 entries of 65,535 bytes, each with its length.
const BYTES_MAX: u64 = 256 * (2 + 65_535);

/// An exported log.
pub(in super::super) struct Exported(PathBuf);

impl Exported {
    /// The log in a folder.
    pub(in super::super) const fn at(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The checkpoint; none if it is not there, as in a folder that holds no log yet.
    ///
    /// # Errors
    /// [`Failure`]: it cannot be read.
    pub(in super::super) fn kept(&self) -> Result<Option<String>, Failure> {
        // What is not text is no checkpoint, and will be told as one that is not believed.
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(self.read("checkpoint")?.map(text))
    }

    /// Reads a file; nothing if it is not there.
    ///
    /// # Errors
    /// [`Failure`]: it is larger than any, or cannot be read.
    pub(super) fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        let whole = self.0.join(path);
        let mut bytes = Vec::new();
        let read =
            File::open(&whole).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes));
        match read {
            Ok(_) if bytes.len() as u64 > BYTES_MAX => {
                Err(Failure::refused("log_broken", format!("`{}` is too large", whole.display())))
            }
            Ok(_) => Ok(Some(bytes)),
            // A folder where a file belongs is as good as nothing.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::NotFound | ErrorKind::IsADirectory | ErrorKind::NotADirectory
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(unusable("read", &whole, &error)),
        }
    }
}

impl Tiled for Exported {
    fn checkpoint(&self) -> Result<String, Failure> {
        let none = || {
            let what = format!("there is no file `checkpoint` in `{}`", self.0.display());
            Failure::refused("no_checkpoint", what)
        };
        self.kept()?.ok_or_else(none)
    }

    fn tile(&self, tile: TileId) -> Result<Option<Vec<u8>>, Failure> {
        if let Some(bytes) = self.read(&tile.path())? {
            return Ok(Some(bytes));
        }
        let full = if tile.is_partial() { self.read(&tile.full().path())? } else { None };
        Ok(full.and_then(|full| full.get(..tile.bytes()).map(<[u8]>::to_vec)))
    }

    fn bundle(&self, bundle: BundleId) -> Result<Option<Vec<u8>>, Failure> {
        if let Some(bytes) = self.read(&bundle.path())? {
            return Ok(Some(bytes));
        }
        if !bundle.is_partial() {
            return Ok(None);
        }
        let full = self.read(&bundle.full().path())?;
        Ok(full.and_then(|full| beginning(&full, bundle.width())))
    }
}

/// The first entries of a bundle, as a bundle.
pub(super) fn beginning(bundle: &[u8], entries: u16) -> Option<Vec<u8>> {
    let mut end = 0_usize;
    for _ in 0..entries {
        let length = bundle.get(end..)?.first_chunk::<2>()?;
        end += 2 + usize::from(u16::from_be_bytes(*length));
    }
    bundle.get(..end).map(<[u8]>::to_vec)
}

pub(super) fn unusable(doing: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::could_not_run(format!("cannot {doing} `{}`: {error}", path.display()))
}
