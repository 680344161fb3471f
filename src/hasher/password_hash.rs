//! A password's hash, as it is sealed in the vault.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::cost::Cost;
use crate::entropy::{Entropy, NoEntropy, draw};

/// A stored text that is not a hash this server can verify. It is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a password hash is PHC text such as `$argon2id$v=19$m=19456,t=2,p=1$…$…`")]
pub struct NotAPasswordHash;

/// An argon2id hash with its salt and cost, written as a PHC string. No `Debug`,
/// wiped when dropped: who has it can guess the password at leisure.
///
/// # Source
/// PHC string format; RFC 9106.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PasswordHash {
    #[zeroize(skip)]
    cost: Cost,
    salt: Vec<u8>,
    tag: Vec<u8>,
}

impl PasswordHash {
    /// The length of a new salt, in bytes.
    pub const SALT_BYTES: usize = 16;
    /// The length of a new tag, in bytes.
    pub const TAG_BYTES: usize = 32;

    /// The PHC string, to be sealed; parsing it gives the hash back.
    #[must_use]
    pub fn to_phc(&self) -> Zeroizing<String> {
        let Cost { memory_kib, passes, lanes } = self.cost;
        let head = format!("$argon2id$v=19$m={memory_kib},t={passes},p={lanes}$");
        let mut text = Zeroizing::new(head);
        // Room for the rest, so that no copy of it is left behind by growing.
        text.reserve_exact(TEXT_BYTES_MAX);
        STANDARD_NO_PAD.encode_string(&self.salt, &mut text);
        text.push('$');
        STANDARD_NO_PAD.encode_string(&self.tag, &mut text);
        text
    }

    /// A hash still to be computed.
    pub(super) fn blank(cost: Cost, salt: Vec<u8>) -> Self {
        Self { cost, salt, tag: vec![0; Self::TAG_BYTES] }
    }

    /// The same with its tag.
    pub(super) fn with_tag(mut self, mut tag: Zeroizing<Vec<u8>>) -> Self {
        self.tag.zeroize();
        self.tag = std::mem::take(&mut *tag);
        self
    }

    /// A hash that no known password has: valid in form, random in content, so
    /// that verifying against it does all the work (a malformed one would not).
    pub(super) fn of_nobody(cost: Cost, entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        let salt = draw::<{ Self::SALT_BYTES }>(entropy)?.to_vec();
        let tag = Zeroizing::new(draw::<{ Self::TAG_BYTES }>(entropy)?.to_vec());
        Ok(Self::blank(cost, salt).with_tag(tag))
    }

    /// Whether a new hash at `cost` would have this one's strength and lengths.
    pub(super) fn is_as_hashed_at(&self, cost: Cost) -> bool {
        self.cost == cost
            && self.salt.len() == Self::SALT_BYTES
            && self.tag.len() == Self::TAG_BYTES
    }

    pub(super) const fn cost(&self) -> Cost {
        self.cost
    }

    pub(super) fn salt(&self) -> &[u8] {
        &self.salt
    }

    pub(super) fn tag(&self) -> &[u8] {
        &self.tag
    }
}

/// Above the longest that can be read: 64-byte salt and tag, ten-digit numbers.
const TEXT_BYTES_MAX: usize = 256;

impl FromStr for PasswordHash {
    type Err = NotAPasswordHash;
    /// Reads argon2id of version 19 with a salt of 8 to 64 bytes and a tag of 16
    /// to 64. Whether its cost can be afforded is asked when it is verified.
    fn from_str(text: &str) -> Result<Self, NotAPasswordHash> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(NotAPasswordHash);
        }
        let fields: Vec<&str> = text.split('$').collect();
        let ["", "argon2id", "v=19", cost, salt, tag] = fields.as_slice() else {
            return Err(NotAPasswordHash);
        };
        let cost = read_cost(cost).ok_or(NotAPasswordHash)?;
        let hash = Self { cost, salt: read_bytes(salt)?, tag: read_bytes(tag)? };
        let sized = (8..=64).contains(&hash.salt.len()) && (16..=64).contains(&hash.tag.len());
        if sized { Ok(hash) } else { Err(NotAPasswordHash) }
    }
}

fn read_cost(text: &str) -> Option<Cost> {
    let mut parts = text.split(',');
    let mut number = |prefix| parts.next()?.strip_prefix(prefix)?.parse().ok();
    let (memory_kib, passes, lanes) = (number("m=")?, number("t=")?, number("p=")?);
    let possible = passes >= 1 && lanes >= 1 && memory_kib / 8 >= lanes;
    (possible && parts.next().is_none()).then_some(Cost { memory_kib, passes, lanes })
}

fn read_bytes(text: &str) -> Result<Vec<u8>, NotAPasswordHash> {
    STANDARD_NO_PAD.decode(text).map_err(|_| NotAPasswordHash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Law: what is written is read back to the letter.
        #[test]
        fn a_hash_and_its_text_are_one(
            (lanes, memory) in (1..=u32::MAX / 8, any::<u32>()),
            passes in 1..=u32::MAX,
            salt in prop::collection::vec(any::<u8>(), 8..=64),
            tag in prop::collection::vec(any::<u8>(), 16..=64),
        ) {
            let cost = Cost { memory_kib: memory.max(lanes * 8), passes, lanes };
            let text = PasswordHash { cost, salt, tag }.to_phc();
            prop_assert!(text.len() <= TEXT_BYTES_MAX);
            let again: PasswordHash = text.parse().unwrap_or_else(|_| panic!("{}", *text));
            prop_assert!(again.cost() == cost && *again.to_phc() == *text);
        }

        /// Law: no text makes reading panic.
        #[test]
        fn any_text_is_read_or_refused(text in "(\\$argon2id)?(\\$[a-z0-9=,/+]{0,50}){0,6}|.*") {
            let hash = text.parse::<PasswordHash>();
            prop_assert!(hash.is_err() || text.starts_with("$argon2id$v=19$"));
        }
    }

    #[test]
    fn only_argon2id_of_version_19_in_full_is_read() {
        let (salt, tag) = ("c29tZXNhbHQ", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4");
        let good = format!("$argon2id$v=19$m=256,t=2,p=1${salt}${tag}");
        assert!(good.parse::<PasswordHash>().is_ok());
        for bad in [
            String::new(),
            format!("$argon2i$v=19$m=256,t=2,p=1${salt}${tag}"),
            format!("$argon2id$v=16$m=256,t=2,p=1${salt}${tag}"),
            format!("$argon2id$m=256,t=2,p=1${salt}${tag}"),
            format!("$argon2id$v=19$t=2,m=256,p=1${salt}${tag}"),
            format!("$argon2id$v=19$m=256,t=2,p=1,keyid=a${salt}${tag}"),
            format!("$argon2id$v=19$m=256,t=0,p=1${salt}${tag}"),
            format!("$argon2id$v=19$m=7,t=2,p=1${salt}${tag}"),
            format!("$argon2id$v=19$m=256,t=2,p=33${salt}${tag}"),
            format!("$argon2id$v=19$m=99999999999,t=2,p=1${salt}${tag}"),
            format!("$argon2id$v=19$m=256,t=2,p=1$c2FsdA${tag}"),
            format!("$argon2id$v=19$m=256,t=2,p=1${salt}$c2hvcnQ"),
            format!("$argon2id$v=19$m=256,t=2,p=1${salt}"),
            format!("{good}$"),
            format!(" {good}"),
            format!("$argon2id$v=19$m=256,t=2,p=1${salt}$not base64"),
        ] {
            assert!(bad.parse::<PasswordHash>().is_err(), "{bad}");
        }
    }
}
