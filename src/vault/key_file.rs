//! The file that holds the key-encryption key.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::files::{self, FileError, Publication, failed};
use crate::entropy::{Entropy, NoEntropy, draw};

/// Why there is no key-encryption key. None repeats what the file holds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// A key is never overwritten: what was sealed with it would be lost.
    #[error("key file `{}` exists already and is never overwritten", .0.display())]
    Exists(PathBuf),
    /// Others than its owner may use it.
    #[error(
        "key file `{}` has mode {mode:04o}: others may read it; `chmod 600` it",
        path.display()
    )]
    TooOpen {
        /// Where it is.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Something else is in it.
    #[error("`{}` is not a key file: it holds one line, `countersign-kek-v1 …`", .0.display())]
    NotAKeyFile(PathBuf),
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
    /// No key.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
}

/// The key-encryption key (KEK), as read from its file: 32 bytes, written as one
/// line `countersign-kek-v1 <base64>`. No `Debug`, wiped when dropped.
///
/// Keep it away from the data directory and from its backups: without it they
/// hold no secret.
pub struct KeyFile(Zeroizing<[u8; 32]>);

impl KeyFile {
    /// Draws a key and writes it to a new file of mode 0600, durably.
    ///
    /// # Errors
    /// [`KeyFileError::Exists`] if anything has the name.
    pub fn create(path: &Path, entropy: &dyn Entropy) -> Result<Self, KeyFileError> {
        let key = Self(draw(entropy)?);
        match files::publish(path, key.to_text().as_bytes(), entropy)? {
            Publication::Done => Ok(key),
            Publication::NameTaken => Err(KeyFileError::Exists(path.to_owned())),
        }
    }

    /// Reads a key from its file.
    ///
    /// # Errors
    /// [`KeyFileError::TooOpen`] if group or others may do anything with it.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let file = File::open(path).map_err(failed("open", path))?;
        let about = file.metadata().map_err(failed("read", path))?;
        let mode = about.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::TooOpen { path: path.to_owned(), mode });
        }
        // Room for more than is read, so that no copy is left behind by growing.
        let mut text = Zeroizing::new(Vec::with_capacity(4 * TEXT_BYTES));
        file.take(2 * TEXT_BYTES as u64).read_to_end(&mut text).map_err(failed("read", path))?;
        Self::from_text(&text).ok_or_else(|| KeyFileError::NotAKeyFile(path.to_owned()))
    }

    /// A key of its own for each use, so that none serves two.
    ///
    /// # Source
    /// HKDF-SHA-256, RFC 5869; the label is `info`.
    #[expect(clippy::expect_used, reason = "HKDF gives up to 8,160 bytes; these are 32 or 64")]
    pub(super) fn derive<const N: usize>(&self, label: &[u8]) -> Zeroizing<[u8; N]> {
        const { assert!(N <= 8_160) };
        let mut key = Zeroizing::new([0; N]);
        Hkdf::<Sha256>::new(None, &*self.0)
            .expand(label, key.as_mut())
            .expect("at most 8,160 bytes");
        key
    }

    fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(4 * TEXT_BYTES));
        text.push_str(PREFIX);
        STANDARD.encode_string(*self.0, &mut text);
        text.push('\n');
        text
    }

    fn from_text(text: &[u8]) -> Option<Self> {
        let line = text.strip_suffix(b"\n").unwrap_or(text);
        let encoded = line.strip_prefix(PREFIX.as_bytes())?;
        let decoded = Zeroizing::new(STANDARD.decode(encoded).ok()?);
        let key = <[u8; 32]>::try_from(decoded.as_slice()).ok()?;
        Some(Self(Zeroizing::new(key)))
    }
}

const PREFIX: &str = "countersign-kek-v1 ";
/// The prefix, 44 characters of base64, the end of the line.
const TEXT_BYTES: usize = PREFIX.len() + 44 + 1;
