//! The snapshots of the World are sealed under a key of their own.

use zeroize::Zeroizing;

use super::envelope::{self, Key};
use super::{KeyFile, VaultError};
use crate::entropy::{Entropy, draw};
use crate::model::Digest;

/// Seals and opens snapshots under a key derived from the key file. No `Debug`.
///
/// # Source
/// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03 §2) under a key by HKDF-SHA-256
/// (RFC 5869), as for the vault's own files.
pub struct SnapshotKey(Key);

impl SnapshotKey {
    /// The key that belongs to a key file. After a rotation it is another one, and what was
    /// sealed before does not open any more.
    #[must_use]
    pub fn of(key: &KeyFile) -> Self {
        Self(key.derive(b"countersign snapshot v1"))
    }

    /// Seals some bytes. `bound` is authenticated but not stored; opening needs the same.
    ///
    /// # Errors
    /// [`VaultError::NoEntropy`]; [`VaultError::TooLong`] above 256 GiB.
    pub fn seal(
        &self,
        bound: &Digest,
        bytes: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, VaultError> {
        let nonce = draw(entropy)?;
        envelope::seal(&self.0, &nonce, bound, bytes).ok_or(VaultError::TooLong)
    }

    /// Opens what was sealed with the same key file and bound to the same; none if it was
    /// not, or was altered since.
    #[must_use]
    pub fn open(&self, bound: &Digest, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        envelope::open(&self.0, bound, sealed)
    }
}
