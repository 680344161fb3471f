//! Ed25519 keys with a name: what signs notes, and what they are verified with.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signature as Ed25519Signature;
use ed25519_dalek::Signer as _;
use sha2::{Digest as _, Sha256};

use super::cosignature;
use super::note::{Signature, Verified};

/// Why a text is neither a key nor a name of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAKey {
    /// An empty name, or one with a space, a plus or a control character.
    #[error("a key's name is not empty and has no space, no `+` and no control character")]
    Name,
    /// Not in the form of a verifier key.
    #[error("a verifier key is `NAME+ID+KEY`: a name, 8 hexadecimal digits, and base64")]
    Form,
    /// An algorithm that is not read here.
    #[error("key type {found:#04x} is neither Ed25519 (0x01) nor cosignature/v1 (0x04)")]
    Kind {
        /// The type byte.
        found: u8,
    },
    /// The key is no point of the curve, or one for which anyone can sign.
    #[error("the key is no public Ed25519 key, or a weak one")]
    Point,
    /// The id is not the one that comes of the name and the key: one of them is mistyped.
    #[error("the key's id is {expected:08x}, not {found:08x}")]
    Id {
        /// What comes of the name and the key.
        expected: u32,
        /// What the text says.
        found: u32,
    },
}

/// A key's name: not empty, without Unicode spaces, `+` and control characters. It
/// should be a URL without scheme, such as `example.com/log`; a log's is its origin.
///
/// # Source
/// c2sp.org/signed-note, “Format”.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = NotAKey;
    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let barred = |c: char| c == '+' || c < ' ' || c.is_whitespace();
        if text.is_empty() || text.contains(barred) {
            return Err(NotAKey::Name);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a key signs, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// The text of a note: how a log signs. Type 0x01 of c2sp.org/signed-note.
    Ed25519,
    /// The text and a time: how a witness cosigns. Type 0x04, c2sp.org/tlog-cosignature.
    CosignatureV1,
}

impl KeyKind {
    const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }

    const fn of(byte: u8) -> Option<Self> {
        match byte {
            0x01 => Some(Self::Ed25519),
            0x04 => Some(Self::CosignatureV1),
            _ => None,
        }
    }
}

/// A public key that signatures of notes are verified with, written
/// `NAME+ID+base64(TYPE ‖ KEY)`.
///
/// # Source
/// c2sp.org/signed-note, “Verifier keys”.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    id: u32,
    kind: KeyKind,
    key: ed25519_dalek::VerifyingKey,
}

impl VerifierKey {
    pub(super) fn new(name: KeyName, kind: KeyKind, key: ed25519_dalek::VerifyingKey) -> Self {
        Self { id: key_id(&name, kind, key.as_bytes()), name, kind, key }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The start of a hash over name, kind and key, by which signatures refer to it.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// What it signs.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Checks what a signature line of this key carries behind the key's id.
    pub(super) fn verify(&self, text: &str, signature: &[u8]) -> Option<Verified<'_>> {
        let (time, message, signature) = match self.kind {
            KeyKind::Ed25519 => (None, Cow::Borrowed(text), signature),
            KeyKind::CosignatureV1 => {
                let (time, signature) = cosignature::split(signature)?;
                (Some(time), Cow::Owned(cosignature::message(text, time)), signature)
            }
        };
        let holds = self.is_signed(message.as_bytes(), signature.try_into().ok()?);
        holds.then_some(Verified { key: self, time })
    }

    /// Strict: beyond RFC 8032, no key or nonce of small order, so that one signature
    /// holds for one message under one key; the looser rule would let a log make a
    /// signature of which two verifiers think differently.
    fn is_signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.key.verify_strict(message, &Ed25519Signature::from_bytes(signature)).is_ok()
    }
}

impl FromStr for VerifierKey {
    type Err = NotAKey;
    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let (name, rest) = text.split_once('+').ok_or(NotAKey::Form)?;
        let (id, encoded) = rest.split_once('+').ok_or(NotAKey::Form)?;
        let name: KeyName = name.parse()?;
        let found = read_id(id).ok_or(NotAKey::Form)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| NotAKey::Form)?;
        let (kind, key) = bytes.split_first().ok_or(NotAKey::Form)?;
        let kind = KeyKind::of(*kind).ok_or(NotAKey::Kind { found: *kind })?;
        let key = key.try_into().map_err(|_| NotAKey::Form)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(key)
            .ok()
            .filter(|key| !key.is_weak())
            .ok_or(NotAKey::Point)?;
        let key = Self::new(name, kind, key);
        if key.id == found { Ok(key) } else { Err(NotAKey::Id { expected: key.id, found }) }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [self.kind.byte(); 33];
        let (_, key) = bytes.split_at_mut(1);
        key.copy_from_slice(self.key.as_bytes());
        write!(f, "{}+{:08x}+{}", self.name, self.id, STANDARD.encode(bytes))
    }
}

/// A log's private key, which signs notes. No `Debug`; wiped when dropped.
pub struct SigningKey {
    name: KeyName,
    key: ed25519_dalek::SigningKey,
}

impl SigningKey {
    /// The key that comes of a seed: 32 bytes of chance, to be kept as the key itself.
    #[must_use]
    pub fn new(name: KeyName, seed: &[u8; 32]) -> Self {
        Self { name, key: ed25519_dalek::SigningKey::from_bytes(seed) }
    }

    /// What its signatures are verified with.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey::new(self.name.clone(), KeyKind::Ed25519, self.key.verifying_key())
    }

    /// Signs the text of a note, which ends in a newline. Deterministic (RFC 8032).
    #[must_use]
    pub fn sign(&self, text: &str) -> Signature {
        let signature = self.key.sign(text.as_bytes());
        Signature::new(self.name.clone(), self.verifier().id(), signature.to_bytes().to_vec())
    }
}

/// The first four bytes of `SHA-256(name ‖ 0x0A ‖ type ‖ key)`.
fn key_id(name: &KeyName, kind: KeyKind, key: &[u8; 32]) -> u32 {
    let mut hasher = Sha256::new();
    hasher.update(name.as_str());
    hasher.update([b'\n', kind.byte()]);
    hasher.update(key);
    let digest: [u8; 32] = hasher.finalize().into();
    digest.first_chunk().copied().map_or(0, u32::from_be_bytes)
}

/// Eight lower-case hexadecimal digits.
fn read_id(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if text.len() == 8 && digits { u32::from_str_radix(text, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of the log that Tessera's own tests are written against.
    const TESSERA: &str =
        "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";

    fn name(text: &str) -> KeyName {
        text.parse().unwrap()
    }

    #[test]
    fn a_verifier_key_is_read_as_it_is_written() {
        let key: VerifierKey = TESSERA.parse().unwrap();
        assert_eq!(key.to_string(), TESSERA);
        assert_eq!(key.name().as_str(), "example.com/log/testdata");
        assert_eq!((key.id(), key.kind()), (0x33d7_b496, KeyKind::Ed25519));
        let made = SigningKey::new(name("a"), &[1; 32]).verifier();
        assert_eq!(made.to_string().parse(), Ok(made));
    }

    #[test]
    fn a_mistyped_key_is_noticed() {
        let refusal = |text: &str| text.parse::<VerifierKey>().unwrap_err();
        let other_name = TESSERA.replace("testdata", "testdate");
        assert!(matches!(refusal(&other_name), NotAKey::Id { found: 0x33d7_b496, .. }));
        let other_key = TESSERA.replace("AeHT", "AeHU");
        assert!(matches!(refusal(&other_key), NotAKey::Id { .. } | NotAKey::Point));
        assert_eq!(refusal(&TESSERA.replace("33d7b496", "33D7B496")), NotAKey::Form);
        assert_eq!(refusal(&TESSERA.replace("33d7b496", "3d7b496")), NotAKey::Form);
        assert_eq!(refusal(&TESSERA.replace("+AeHT", "+BuHT")), NotAKey::Kind { found: 6 });
        assert_eq!(refusal(&format!("{TESSERA}=")), NotAKey::Form);
        assert_eq!(refusal("example.com/log+33d7b496"), NotAKey::Form);
        assert_eq!(refusal(&format!("+{TESSERA}")), NotAKey::Name);
        assert_eq!(refusal(""), NotAKey::Form);
    }

    #[test]
    fn a_key_for_which_anyone_can_sign_is_refused() {
        let mut bytes = [0; 33];
        (bytes[0], bytes[1]) = (0x01, 0x01); // The neutral point.
        let text = format!("a+00000000+{}", STANDARD.encode(bytes));
        assert_eq!(text.parse::<VerifierKey>(), Err(NotAKey::Point));
    }

    #[test]
    fn a_name_has_neither_spaces_nor_plus() {
        assert_eq!(name("example.com/log").to_string(), "example.com/log");
        for bad in ["", "a b", "a+b", "a\u{2003}b", "a\nb", "a\u{1}b", "\u{a0}"] {
            assert_eq!(bad.parse::<KeyName>(), Err(NotAKey::Name), "{bad:?}");
        }
    }
}
