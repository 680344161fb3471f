//! Tags: what stands for something without giving it away, made under the key for names.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use unicode_normalization::UnicodeNormalization as _;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Vault;
use crate::model::Digest;

/// What no text begins with: so nothing that somebody types as a name has the tag of
/// anything else.
const NO_TEXT: &[u8] = &[0xff];

impl Vault {
    /// A tag that stands for a name in the log without giving it away, for what
    /// was typed as a user name and is none: often a password. The same for
    /// every way of typing it (NFC, lower case).
    ///
    /// # Source
    /// HMAC-SHA-256 (RFC 2104) under a key derived from the KEK (RFC 5869).
    #[must_use]
    pub fn name_tag(&self, text: &str) -> Digest {
        let name =
            Zeroizing::new(text.nfc().flat_map(char::to_lowercase).nfc().collect::<String>());
        Digest::from(*self.tag(&[name.as_bytes()]))
    }

    /// The id by which authenticators know a person: the same for ever, random to whoever
    /// has no key of this vault, and without anything of the person's in it.
    ///
    /// # Source
    /// `WebAuthn` Level 3 §14.6.1: a user handle holds nothing that tells who it is.
    #[must_use]
    pub fn user_handle(&self, person: &str) -> Uuid {
        let tag = self.tag(&[NO_TEXT, b"user handle", person.as_bytes()]);
        let (half, _) = tag.split_at(16);
        uuid::Builder::from_random_bytes(half.try_into().unwrap_or_default()).into_uuid()
    }

    /// The key by which passkeys are made up for names that have none: the same for ever,
    /// for what is made up must not change.
    #[must_use]
    pub fn pretence_key(&self) -> Zeroizing<[u8; 32]> {
        self.tag(&[NO_TEXT, b"passkeys that nobody has"])
    }

    /// A tag that stands in the forms of one session, given the SHA-256 of its token: who
    /// can read neither the pages nor the token cannot make it.
    #[must_use]
    pub fn form_tag(&self, token: &Digest) -> Digest {
        self.tag_of(&[b"form", token.as_bytes()])
    }

    /// HMAC-SHA-256 of some parts under the key for names.
    fn tag(&self, parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let mut mac = Hmac::<Sha256>::new((&*self.tagging).into());
        parts.iter().for_each(|part| mac.update(part));
        Zeroizing::new(mac.finalize().into_bytes().into())
    }

    /// A tag that stands for a network in the log without giving it away.
    #[must_use]
    pub fn source_tag(&self, network: &[u8]) -> Digest {
        self.tag_of(&[b"source", network])
    }

    /// What makes a device's id genuine, for a name and the password it has logged in to.
    #[must_use]
    pub fn device_tag(&self, name_tag: &Digest, password: &Uuid, id: &[u8]) -> Digest {
        self.tag_of(&[b"device", name_tag.as_bytes(), password.as_bytes(), id])
    }

    /// No text begins with this byte, so no name that is typed has such a tag.
    fn tag_of(&self, parts: &[&[u8]]) -> Digest {
        let mut mac = Hmac::<Sha256>::new((&*self.tagging).into());
        mac.update(&[0xff]);
        mac.update(Digest::of_parts(parts.iter().copied()).as_bytes());
        Digest::from(<[u8; 32]>::from(mac.finalize().into_bytes()))
    }
}
