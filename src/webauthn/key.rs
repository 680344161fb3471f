//! A key as it is kept: what its signatures are checked with.

use webauthn_rs::prelude::{
    AttestationMetadata, Credential, ParsedAttestation, ParsedAttestationData, Uuid,
};
use zeroize::Zeroizing;

/// A key that was made for this deployment: its public half, its id, and how it was made.
#[derive(Clone)]
pub struct Key(Credential);

/// Bytes that are no key. They are not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what a passkey is verified with has another shape")]
pub struct NotAKey;

impl Key {
    /// The longest id of a key, in bytes (`WebAuthn` Level 3 §5.8.3).
    pub const ID_BYTES_MAX: usize = 1_023;

    /// Without what nothing is asked of later: certificates are large, and the counter is
    /// counted elsewhere.
    pub(super) fn new(mut credential: Credential) -> Self {
        credential.counter = 0;
        let metadata = match model_of(&credential) {
            Some(aaguid) => AttestationMetadata::Packed { aaguid },
            None => AttestationMetadata::None,
        };
        credential.attestation = ParsedAttestation { data: ParsedAttestationData::None, metadata };
        Self(credential)
    }

    /// The id that its authenticator gave it.
    #[must_use]
    pub fn id(&self) -> &[u8] {
        &self.0.cred_id
    }

    /// The model of its authenticator, as that said itself.
    #[must_use]
    pub fn model(&self) -> Option<Uuid> {
        model_of(&self.0)
    }

    pub(super) const fn credential(&self) -> &Credential {
        &self.0
    }

    /// As it is sealed: JSON of about 500 bytes, and an id of at most
    /// [`Key::ID_BYTES_MAX`].
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // No such value fails to become JSON; if one did, it could not be read back.
        Zeroizing::new(serde_json::to_vec(&self.0).unwrap_or_default())
    }

    /// From what was sealed.
    ///
    /// # Errors
    /// [`NotAKey`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotAKey> {
        serde_json::from_slice(bytes).map(Self).map_err(|_| NotAKey)
    }
}

fn model_of(credential: &Credential) -> Option<Uuid> {
    match &credential.attestation.metadata {
        AttestationMetadata::Packed { aaguid } | AttestationMetadata::Tpm { aaguid, .. } => {
            Some(*aaguid)
        }
        _ => None,
    }
}
