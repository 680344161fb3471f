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
use crate::model::Digest;

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
/// line `countersign-kek-v1 <base64>`; and while it is taking the place of another, that
/// one on a second line `countersign-kek-v1-retiring <base64>`. No `Debug`, wiped when
/// dropped.
///
/// Keep it away from the data directory and from its backups: without it they
/// hold no secret.
pub struct KeyFile {
    key: Zeroizing<[u8; 32]>,
    retiring: Option<Zeroizing<[u8; 32]>>,
}

impl KeyFile {
    /// Draws a key and writes it to a new file of mode 0600, durably.
    ///
    /// # Errors
    /// [`KeyFileError::Exists`] if anything has the name.
    pub fn create(path: &Path, entropy: &dyn Entropy) -> Result<Self, KeyFileError> {
        let key = Self { key: draw(entropy)?, retiring: None };
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
        file.take(3 * TEXT_BYTES as u64).read_to_end(&mut text).map_err(failed("read", path))?;
        Self::from_text(&text).ok_or_else(|| KeyFileError::NotAKeyFile(path.to_owned()))
    }

    /// What tells this key from others, and nothing else about it.
    #[must_use]
    pub(super) fn id(&self) -> Digest {
        Digest::from(*self.derive(b"countersign vault v1: key id"))
    }

    /// The key that this one is taking the place of, if it is.
    pub(super) fn retiring(&self) -> Option<Self> {
        self.retiring.clone().map(|key| Self { key, retiring: None })
    }

    /// True while it is taking the place of another.
    #[must_use]
    pub const fn is_rotating(&self) -> bool {
        self.retiring.is_some()
    }

    /// A key that takes the place of this one, and still knows it.
    pub(super) fn succeeded_by(&self, key: Zeroizing<[u8; 32]>) -> Self {
        Self { key, retiring: Some(self.key.clone()) }
    }

    /// The key alone.
    pub(super) fn settled(&self) -> Self {
        Self { key: self.key.clone(), retiring: None }
    }

    /// Writes it in the place of its file, durably and at once.
    pub(super) fn replace(&self, path: &Path, entropy: &dyn Entropy) -> Result<(), FileError> {
        files::replace(path, self.to_text().as_bytes(), entropy)
    }

    /// A key of its own for each use, so that none serves two.
    ///
    /// # Source
    /// HKDF-SHA-256, RFC 5869; the label is `info`.
    #[expect(clippy::expect_used, reason = "HKDF gives up to 8,160 bytes; these are 32 or 64")]
    pub(super) fn derive<const N: usize>(&self, label: &[u8]) -> Zeroizing<[u8; N]> {
        const { assert!(N <= 8_160) };
        let mut key = Zeroizing::new([0; N]);
        Hkdf::<Sha256>::new(None, &*self.key)
            .expand(label, key.as_mut())
            .expect("at most 8,160 bytes");
        key
    }

    fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(4 * TEXT_BYTES));
        for (prefix, key) in [(PREFIX, Some(&self.key)), (RETIRING, self.retiring.as_ref())] {
            let Some(key) = key else { continue };
            text.push_str(prefix);
            STANDARD.encode_string(**key, &mut text);
            text.push('\n');
        }
        text
    }

    fn from_text(text: &[u8]) -> Option<Self> {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let mut lines = text.split(|byte| *byte == b'\n');
        let key = Self::read(lines.next()?, PREFIX)?;
        let retiring = match lines.next() {
            Some(line) => Some(Self::read(line, RETIRING)?),
            None => None,
        };
        lines.next().is_none().then_some(Self { key, retiring })
    }

    fn read(line: &[u8], prefix: &str) -> Option<Zeroizing<[u8; 32]>> {
        let encoded = line.strip_prefix(prefix.as_bytes())?;
        let decoded = Zeroizing::new(STANDARD.decode(encoded).ok()?);
        <[u8; 32]>::try_from(decoded.as_slice()).ok().map(Zeroizing::new)
    }
}

const PREFIX: &str = "countersign-kek-v1 ";
const RETIRING: &str = "countersign-kek-v1-retiring ";
/// The longer prefix, 44 characters of base64, the end of the line.
const TEXT_BYTES: usize = RETIRING.len() + 44 + 1;
