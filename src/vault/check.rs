//! Are the sealed files those that the log names? Takes no key: the log carries the digest
//! of each.

use std::path::Path;

use uuid::Uuid;

use super::files::{self, FileError};
use crate::model::Digest;

/// A secret as the log names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Whose, as it was sealed for.
    pub subject: String,
    /// Its credential's id.
    pub credential: Uuid,
    /// SHA-256 of the sealed file.
    pub sealed: Digest,
}

/// How a sealed file is not the one that the log names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAsNamed {
    /// There is none.
    #[error("the sealed secret of credential `{0}` is not there")]
    Missing(Uuid),
    /// It is another, or an older one, or damaged.
    #[error("the sealed secret of credential `{0}` is not the one that the log names")]
    Swapped(Uuid),
}

/// Holds the sealed files of a vault's folder against what the log names; what is wrong.
/// Reads each file once.
///
/// # Errors
/// [`FileError`] if a file that is there cannot be read.
pub fn check(dir: &Path, named: &[Named]) -> Result<Vec<NotAsNamed>, FileError> {
    let mut wrong = Vec::new();
    for Named { subject, credential, sealed } in named {
        let path = dir.join(Digest::of(subject).to_string()).join(credential.to_string());
        match files::read(&path)? {
            None => wrong.push(NotAsNamed::Missing(*credential)),
            Some(file) if Digest::of(&file) != *sealed => {
                wrong.push(NotAsNamed::Swapped(*credential));
            }
            Some(_) => {}
        }
    }
    Ok(wrong)
}
