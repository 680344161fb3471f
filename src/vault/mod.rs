//! Sealed secrets and the keys that open them; the log only names them.
//!
//! ```text
//! key file (outside the data directory)          the key-encryption key, KEK
//! vault/about                                    which log and which KEK it belongs to
//! vault/names                                    the key for names, once the KEK has changed
//! vault/<SHA-256 of the subject's name>/key      the subject's own key, sealed under the KEK
//! vault/<SHA-256 of the subject's name>/<uuid>   one secret, sealed under the subject's key
//! ```
//!
//! A sealed file is written once, durably, before the event that names it, and
//! never again: a changed secret is a new credential. The event carries the
//! SHA-256 of the sealed bytes, so that a file put in another's place, or in its
//! own older state, is refused. A file that no event names any more is removed, at
//! once or, after a crash, at the next start. Removing a subject's folder makes everything
//! that was sealed under its key unreadable for ever, backups of the log included.
//!
//! Everything here blocks on the disk: call it where blocking is allowed.

mod archive;
mod check;
mod envelope;
mod files;
mod key_file;
mod rotation;
mod snapshot_key;
mod subject;
mod tags;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::entropy::{Entropy, NoEntropy, draw};
use crate::model::{Digest, KeyId};

pub use archive::{Imported, export, import};
pub use check::{Named, NotAsNamed, check};
pub use files::FileError;
pub use key_file::{KeyFile, KeyFileError};
pub use rotation::{Rotated, rotate, settle};
pub use snapshot_key::SnapshotKey;
pub use subject::{DataKey, FreshKeys, Sealer, SubjectKeys};

use envelope::Key;
use files::Publication;
use subject::Kept;

/// What a sealed secret is for. It is bound into the seal: one cannot be opened
/// as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// A password's hash, as a PHC string.
    Password,
    /// A TOTP seed of 20 bytes.
    Totp,
    /// A person's recovery codes, as ten SHA-256 of 32 bytes.
    Recovery,
    /// What a passkey is verified with, as JSON.
    Passkey,
    /// The seed of the log's Ed25519 signing key, 32 bytes.
    Signing,
    /// The seed of the Ed25519 key that cosigns other logs, 32 bytes.
    Cosigning,
}

impl Purpose {
    /// Its name, as bound into the seal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Totp => "totp",
            Self::Recovery => "recovery",
            Self::Passkey => "passkey",
            Self::Signing => "signing",
            Self::Cosigning => "cosigning",
        }
    }
}

/// Why the vault could not seal or open. None repeats a secret or a subject's name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The key file belongs to another vault.
    #[error("the key file is not the one that vault `{}` was sealed with", .0.display())]
    WrongKey(PathBuf),
    /// The vault belongs to another log.
    #[error("vault `{}` belongs to another log than `{log}`", vault.display())]
    WrongLog {
        /// The vault's folder.
        vault: PathBuf,
        /// The log it was to be used with.
        log: Uuid,
    },
    /// The vault does not say what it belongs to, though there is something in it.
    #[error("vault `{}` lacks its file `about`, or it is not one: restore it", .0.display())]
    NotAVault(PathBuf),
    /// The log names a credential of which there is no sealed file.
    #[error("credential `{0}` is not in the vault: restore it from a backup, or enrol it again")]
    Missing(Uuid),
    /// The sealed file is not the one that the log names.
    #[error("the sealed file of credential `{0}` is not the one the log names: it was swapped")]
    Swapped(Uuid),
    /// The sealed file does not open as what it was asked for.
    #[error(
        "credential `{credential}` does not open as a {} of this subject in this log",
        purpose.as_str()
    )]
    Unopenable {
        /// The credential asked for.
        credential: Uuid,
        /// What it was asked for.
        purpose: Purpose,
    },
    /// The subject's key is gone or was altered.
    #[error("the subject's key `{}` does not open: restore it from a backup", .0.display())]
    SubjectKey(PathBuf),
    /// Something personal in the log does not open under the very key it names.
    #[error("what is sealed under the data key `{0}` does not open: it was altered")]
    Personal(KeyId),
    /// The credential has a sealed file already, and none is ever replaced.
    #[error("credential `{0}` is sealed already: a changed secret needs a new id")]
    AlreadySealed(Uuid),
    /// A secret larger than any that exists.
    #[error("a secret to seal has at most {} bytes", Vault::SECRET_BYTES_MAX)]
    TooLong,
    /// An export never replaces a file.
    #[error("`{}` exists already: choose another name for the export", .0.display())]
    Exists(PathBuf),
    /// Not an export, or not all of it.
    #[error("`{}` is not a whole export of a vault", .0.display())]
    NotAnArchive(PathBuf),
    /// An export of another vault, or from before a rotation.
    #[error(
        "`{}` is of another log, or sealed under another key than this key file's",
        .0.display()
    )]
    WrongArchive(PathBuf),
    /// The key file.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
    /// No key or nonce.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
}

impl VaultError {
    /// Whether the disk is what refused, and because there is no room on it.
    #[must_use]
    pub fn is_no_room(&self) -> bool {
        let Self::File(FileError::Io { source, .. }) = self else { return false };
        matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
    }
}

/// The file in a subject's folder that holds the subject's key.
const KEY: &str = "key";
/// The file that holds the key for names, once it is another's than the present one.
const NAMES: &str = "names";

/// One log's sealed secrets, opened with its key file. No `Debug`.
pub struct Vault {
    dir: PathBuf,
    log: Uuid,
    /// Seals the subjects' keys.
    wrapping: Key,
    /// Sealed them before, while a rotation is under way.
    retiring: Option<Key>,
    /// Makes tags of names; as long as HMAC-SHA-256's block.
    tagging: Zeroizing<[u8; 64]>,
    entropy: Arc<dyn Entropy>,
    /// Subjects' keys at hand.
    kept: Kept,
}

impl Vault {
    /// The largest secret, in bytes.
    pub const SECRET_BYTES_MAX: usize = 16 * 1_024;

    /// The vault in a folder, made (mode 0700) if it is not there, of the log
    /// with this id.
    ///
    /// # Errors
    /// [`VaultError::WrongKey`] or [`VaultError::WrongLog`] if it is another's.
    pub fn at(
        dir: &Path,
        key: &KeyFile,
        log: Uuid,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, VaultError> {
        files::private_dir(dir)?;
        let retiring = key.retiring();
        let wrapping = |key: &KeyFile| key.derive(b"countersign vault v1: subjects' keys");
        let tagging = |key: &KeyFile| key.derive(b"countersign vault v1: names");
        let mut vault = Self {
            dir: dir.to_owned(),
            log,
            wrapping: wrapping(key),
            retiring: retiring.as_ref().map(wrapping),
            tagging: tagging(retiring.as_ref().unwrap_or(key)),
            entropy,
            kept: Kept::default(),
        };
        vault.claim(&key.id(), retiring.map(|key| key.id()).as_ref())?;
        vault.take_up_names()?;
        Ok(vault)
    }

    /// The key for names is that of the first key-encryption key for ever: tags must stay
    /// what they are. From the first rotation on it is kept in a file.
    fn take_up_names(&mut self) -> Result<(), VaultError> {
        let path = self.dir.join(NAMES);
        let Some(sealed) = files::read(&path)? else { return Ok(()) };
        let opened = self.unwrapped(&sealed, [self.bound_names()]);
        let key = opened.and_then(|key| <[u8; 64]>::try_from(key.as_slice()).ok());
        self.tagging = Zeroizing::new(key.ok_or(VaultError::SubjectKey(path))?);
        Ok(())
    }

    /// Seals a secret of a subject under a credential's id. When this returns
    /// the file is durable; only then may an event name it.
    ///
    /// # Errors
    /// [`VaultError::AlreadySealed`] for an id used before;
    /// [`VaultError::TooLong`] above [`Vault::SECRET_BYTES_MAX`].
    ///
    /// # Returns
    /// The SHA-256 of the sealed bytes, for the event.
    pub fn seal(
        &self,
        subject: &str,
        credential: Uuid,
        purpose: Purpose,
        secret: &[u8],
    ) -> Result<Digest, VaultError> {
        if secret.len() > Self::SECRET_BYTES_MAX {
            return Err(VaultError::TooLong);
        }
        let key = self.subject_key_or_new(subject)?;
        let nonce = draw(&*self.entropy)?;
        let bound = self.bound_secret(subject, credential, purpose);
        let sealed = envelope::seal(&key, &nonce, &bound, secret).ok_or(VaultError::TooLong)?;
        let path = self.folder(subject).join(credential.to_string());
        match files::publish(&path, &sealed, &*self.entropy)? {
            Publication::Done => Ok(Digest::of(&sealed)),
            Publication::NameTaken => Err(VaultError::AlreadySealed(credential)),
        }
    }

    /// Opens a secret, wiped when dropped.
    ///
    /// `expected` is the digest that the log's event carries.
    ///
    /// # Errors
    /// [`VaultError::Missing`], [`VaultError::Swapped`], and
    /// [`VaultError::Unopenable`] if it was sealed for another subject,
    /// credential, purpose or log.
    pub fn open(
        &self,
        subject: &str,
        credential: Uuid,
        purpose: Purpose,
        expected: &Digest,
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let path = self.folder(subject).join(credential.to_string());
        let sealed = files::read(&path)?.ok_or(VaultError::Missing(credential))?;
        if Digest::of(&sealed) != *expected {
            return Err(VaultError::Swapped(credential));
        }
        let key = self.subject_key(subject)?;
        let bound = self.bound_secret(subject, credential, purpose);
        envelope::open(&key, &bound, &sealed).ok_or(VaultError::Unopenable { credential, purpose })
    }

    /// Removes a secret that no event names any more: what has taken its place is
    /// durable, or it was sealed for what was then refused. Done if it is not there.
    ///
    /// # Errors
    /// [`VaultError::File`]; the next sweep will take it.
    pub fn remove(&self, subject: &str, credential: Uuid) -> Result<(), VaultError> {
        let (folder, name) = (self.folder(subject), credential.to_string());
        files::remove_one(&folder.join(name))?;
        Ok(())
    }

    /// Removes the sealed files that no event names, left by a crash between
    /// sealing and recording, and unfinished ones. Subjects' keys stay.
    ///
    /// At start only: a secret sealed meanwhile, and not yet in `keep`, would go.
    ///
    /// # Returns
    /// How many files were removed.
    ///
    /// # Errors
    /// [`VaultError::File`]; what was removed until then stays removed.
    pub fn sweep(&self, keep: &HashSet<Uuid>) -> Result<usize, VaultError> {
        let is_orphan = |name: &str| name.parse().is_ok_and(|id: Uuid| !keep.contains(&id));
        let mut removed = files::remove(&self.dir, files::is_unfinished)?;
        for folder in files::folders(&self.dir)? {
            let gone = |name: &str| files::is_unfinished(name) || is_orphan(name);
            removed += files::remove(&folder, gone)?;
        }
        Ok(removed)
    }

    /// Makes sure that this vault is this log's and this key's, or makes it so if
    /// it is new. Without this a wrong key would show only at a login.
    fn claim(&self, key: &Digest, retiring: Option<&Digest>) -> Result<(), VaultError> {
        let path = self.dir.join("about");
        let (log, about) = (self.log, self.about(key));
        let before = retiring.map(|key| self.about(key));
        let found = match files::read(&path)? {
            Some(found) => found,
            None if !files::folders(&self.dir)?.is_empty() => {
                return Err(VaultError::NotAVault(self.dir.clone()));
            }
            None => {
                let _whoever_won = files::publish(&path, about.as_bytes(), &*self.entropy)?;
                files::read(&path)?.unwrap_or_default()
            }
        };
        let found = String::from_utf8(found).unwrap_or_default();
        if found == about || Some(&found) == before.as_ref() {
            Ok(())
        } else if !found.starts_with("countersign-vault-v1 ") {
            Err(VaultError::NotAVault(self.dir.clone()))
        } else if found.contains(&format!(" key={key}\n")) {
            Err(VaultError::WrongLog { vault: self.dir.clone(), log })
        } else {
            Err(VaultError::WrongKey(self.dir.clone()))
        }
    }

    /// What the file `about` says under this key.
    fn about(&self, key: &Digest) -> String {
        format!("countersign-vault-v1 log={} key={key}\n", self.log)
    }

    /// Opens what the key-encryption key seals, or the one it is taking the place of.
    fn unwrapped(
        &self,
        sealed: &[u8],
        bound: impl IntoIterator<Item = Digest>,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let open = |bound: Digest| {
            let mut keys = [Some(&self.wrapping), self.retiring.as_ref()].into_iter().flatten();
            keys.find_map(|key| envelope::open(key, &bound, sealed))
        };
        bound.into_iter().find_map(open)
    }

    /// A subject's own key, made on first use. Of two who make it at once, one
    /// is published, and both read that one.
    fn subject_key_or_new(&self, subject: &str) -> Result<Key, VaultError> {
        if files::read(&self.key_path(subject))?.is_none() {
            self.adopt_key(subject, &draw::<32>(&*self.entropy)?)?;
        }
        self.subject_key(subject)
    }

    /// Makes this the subject's key, durably, unless there is one.
    fn adopt_key(&self, subject: &str, key: &Key) -> Result<(), VaultError> {
        files::private_dir(&self.folder(subject))?;
        let bound = self.bound_folder(&Digest::of(subject).to_string());
        let nonce = draw(&*self.entropy)?;
        let sealed = envelope::seal(&self.wrapping, &nonce, &bound, &**key);
        let sealed = sealed.ok_or(VaultError::TooLong)?;
        let _whoever_won = files::publish(&self.key_path(subject), &sealed, &*self.entropy)?;
        Ok(())
    }

    fn subject_key(&self, subject: &str) -> Result<Key, VaultError> {
        let found = self.subject_key_if_any(subject)?;
        found.ok_or_else(|| VaultError::SubjectKey(self.key_path(subject)))
    }

    /// A subject's key; `None` if there is none, an error if there is one that is not
    /// readable.
    fn subject_key_if_any(&self, subject: &str) -> Result<Option<Key>, VaultError> {
        let path = self.key_path(subject);
        let Some(sealed) = files::read(&path)? else { return Ok(None) };
        // Older builds bound a key to its subject's name, which a rotation does not know.
        let bound = self.bound_folder(&Digest::of(subject).to_string());
        let opened = self.unwrapped(&sealed, [bound, self.bound_key(subject)]);
        match opened.as_deref().map(|key| <[u8; 32]>::try_from(key.as_slice())) {
            Some(Ok(key)) => Ok(Some(Zeroizing::new(key))),
            _ => Err(VaultError::SubjectKey(path)),
        }
    }

    /// Removes a subject's key and, after it, all of the subject's secrets. Durable when
    /// it returns; nothing happens if there is nothing of the subject's.
    ///
    /// # Errors
    /// [`VaultError::File`]; to be called again then.
    pub fn destroy(&self, subject: &str) -> Result<(), VaultError> {
        Ok(files::destroy(&self.folder(subject), KEY)?)
    }

    fn folder(&self, subject: &str) -> PathBuf {
        self.dir.join(Digest::of(subject).to_string())
    }

    fn key_path(&self, subject: &str) -> PathBuf {
        self.folder(subject).join(KEY)
    }

    fn bound_secret(&self, subject: &str, credential: Uuid, purpose: Purpose) -> Digest {
        let kind = purpose.as_str().as_bytes();
        Digest::of_parts([
            envelope::FORMAT,
            self.log.as_bytes(),
            subject.as_bytes(),
            credential.as_bytes(),
            kind,
        ])
    }

    fn bound_folder(&self, hash: &str) -> Digest {
        Digest::of_parts([b"subject's key", self.log.as_bytes().as_slice(), hash.as_bytes()])
    }

    fn bound_names(&self) -> Digest {
        Digest::of_parts([NAMES.as_bytes(), self.log.as_bytes()])
    }

    fn bound_key(&self, subject: &str) -> Digest {
        Digest::of_parts([envelope::FORMAT, self.log.as_bytes(), subject.as_bytes()])
    }
}
