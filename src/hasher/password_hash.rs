//! A password's hash, as it is sealed in the vault.

use std::fmt::Write as _;
use std::str::FromStr;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{NO_PAD, STANDARD_NO_PAD};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::cost::Cost;
use super::recipe::{BCRYPT_TAG_CHARS, Recipe, Variant};
use crate::entropy::{Entropy, NoEntropy, draw};
use crate::event::PasswordScheme;

/// A stored text that is not a hash this server can verify. It is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a password hash is PHC text such as `$argon2id$v=19$m=19456,t=2,p=1$…$…`, or bcrypt's \
     such as `$2b$12$…`"
)]
pub struct NotAPasswordHash;

/// Why a hash from elsewhere is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unimportable {
    /// It cannot be read.
    #[error(transparent)]
    NotAHash(#[from] NotAPasswordHash),
    /// Each verification would cost more than a login may.
    #[error(
        "this hash asks for too much: at most argon2 with {} KiB, {} passes and {} lanes, or \
         bcrypt with cost {}",
        PasswordHash::IMPORT_KIB_MAX,
        PasswordHash::IMPORT_PASSES_MAX,
        PasswordHash::IMPORT_LANES_MAX,
        PasswordHash::BCRYPT_ROUNDS_MAX
    )]
    TooCostly,
}

/// A password's hash with its salt and cost, written as a PHC string: argon2id, or what
/// was imported. No `Debug`, wiped when dropped: who has it can guess the password at
/// leisure.
///
/// # Source
/// PHC string format; RFC 9106; the format of OpenBSD's bcrypt.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PasswordHash {
    #[zeroize(skip)]
    recipe: Recipe,
    salt: Vec<u8>,
    /// Bytes for argon2; for bcrypt its last 31 characters.
    tag: Vec<u8>,
}

impl PasswordHash {
    /// The length of a new salt, in bytes.
    pub const SALT_BYTES: usize = 16;
    /// The length of a new tag, in bytes.
    pub const TAG_BYTES: usize = 32;
    /// The most memory that an imported hash may ask for, in KiB: 64 MiB. While one is
    /// verified a hashing thread holds that much.
    pub const IMPORT_KIB_MAX: u32 = 65_536;
    /// The most passes that an imported hash may ask for.
    pub const IMPORT_PASSES_MAX: u32 = 10;
    /// The most lanes that an imported hash may ask for.
    pub const IMPORT_LANES_MAX: u32 = 4;
    /// The highest cost of a bcrypt hash; one of 14 takes about a second.
    pub const BCRYPT_ROUNDS_MAX: u32 = 14;

    /// Reads a hash made elsewhere: argon2id, argon2i, or bcrypt `$2a$`, `$2b$` or `$2y$`.
    ///
    /// # Errors
    /// [`Unimportable`], before anything is computed.
    pub fn imported(text: &str) -> Result<Self, Unimportable> {
        let hash: Self = text.parse()?;
        let fits = match hash.recipe {
            Recipe::Bcrypt { rounds } => rounds <= Self::BCRYPT_ROUNDS_MAX,
            Recipe::Argon2 { cost: Cost { memory_kib, passes, lanes }, .. } => {
                memory_kib <= Self::IMPORT_KIB_MAX
                    && passes <= Self::IMPORT_PASSES_MAX
                    && lanes <= Self::IMPORT_LANES_MAX
            }
        };
        if fits { Ok(hash) } else { Err(Unimportable::TooCostly) }
    }

    /// How it was made.
    #[must_use]
    pub const fn scheme(&self) -> PasswordScheme {
        self.recipe.scheme()
    }

    /// The text to be sealed; parsing it gives the hash back.
    #[must_use]
    pub fn to_phc(&self) -> Zeroizing<String> {
        // Room for all of it, so that no copy of it is left behind by growing.
        let mut text = Zeroizing::new(String::with_capacity(TEXT_BYTES_MAX));
        match self.recipe {
            Recipe::Argon2 { variant, cost } => {
                let Cost { memory_kib, passes, lanes } = cost;
                text.push_str(match variant {
                    Variant::Id => "$argon2id",
                    Variant::I => "$argon2i",
                });
                let _infallible = write!(text, "$v=19$m={memory_kib},t={passes},p={lanes}$");
                STANDARD_NO_PAD.encode_string(&self.salt, &mut text);
                text.push('$');
                STANDARD_NO_PAD.encode_string(&self.tag, &mut text);
            }
            Recipe::Bcrypt { rounds } => {
                let _infallible = write!(text, "$2b${rounds:02}$");
                BCRYPT_BASE64.encode_string(&self.salt, &mut text);
                text.extend(self.tag.iter().map(|byte| char::from(*byte)));
            }
        }
        text
    }

    /// A hash still to be computed.
    pub(super) fn blank(cost: Cost, salt: Vec<u8>) -> Self {
        Self { recipe: Recipe::of(cost), salt, tag: vec![0; Self::TAG_BYTES] }
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

    /// Whether a new hash at `cost` would be dearer to guess, or longer.
    pub(super) fn is_weaker_than(&self, cost: Cost) -> bool {
        self.recipe.is_weaker_than(cost)
            || self.salt.len() < Self::SALT_BYTES
            || self.tag.len() < Self::TAG_BYTES
    }

    pub(super) const fn recipe(&self) -> Recipe {
        self.recipe
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

/// bcrypt's own base64.
const BCRYPT_BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, NO_PAD);

impl FromStr for PasswordHash {
    type Err = NotAPasswordHash;
    /// Reads argon2id or argon2i of version 19 with a salt of 8 to 64 bytes and a tag of
    /// 16 to 64, or bcrypt. Whether its cost can be afforded is asked when it is verified.
    fn from_str(text: &str) -> Result<Self, NotAPasswordHash> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(NotAPasswordHash);
        }
        let fields: Vec<&str> = text.split('$').collect();
        match fields.as_slice() {
            ["", "argon2id", "v=19", cost, salt, tag] => argon2(Variant::Id, cost, salt, tag),
            ["", "argon2i", "v=19", cost, salt, tag] => argon2(Variant::I, cost, salt, tag),
            ["", "2a" | "2b" | "2y", _, _] => bcrypt(text),
            _ => Err(NotAPasswordHash),
        }
    }
}

fn argon2(
    variant: Variant,
    cost: &str,
    salt: &str,
    tag: &str,
) -> Result<PasswordHash, NotAPasswordHash> {
    let cost = read_cost(cost).ok_or(NotAPasswordHash)?;
    let recipe = Recipe::Argon2 { variant, cost };
    let hash = PasswordHash { recipe, salt: read_bytes(salt)?, tag: read_bytes(tag)? };
    let sized = (8..=64).contains(&hash.salt.len()) && (16..=64).contains(&hash.tag.len());
    if sized { Ok(hash) } else { Err(NotAPasswordHash) }
}

/// What `2a`, `2b` and `2y` stand for differs only in mistakes that nobody makes any more.
fn bcrypt(text: &str) -> Result<PasswordHash, NotAPasswordHash> {
    let parts: bcrypt::HashParts = text.parse().map_err(|_| NotAPasswordHash)?;
    let rounds = parts.get_cost();
    if !(4..=31).contains(&rounds) {
        return Err(NotAPasswordHash);
    }
    let normal = Zeroizing::new(parts.format_for_version(bcrypt::Version::TwoB));
    let tag = normal.as_bytes().last_chunk::<BCRYPT_TAG_CHARS>().ok_or(NotAPasswordHash)?;
    let (recipe, salt) = (Recipe::Bcrypt { rounds }, parts.get_salt_raw().to_vec());
    Ok(PasswordHash { recipe, salt, tag: tag.to_vec() })
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
            variant in prop_oneof![Just(Variant::Id), Just(Variant::I)],
        ) {
            let cost = Cost { memory_kib: memory.max(lanes * 8), passes, lanes };
            let recipe = Recipe::Argon2 { variant, cost };
            let text = PasswordHash { recipe, salt, tag }.to_phc();
            prop_assert!(text.len() <= TEXT_BYTES_MAX);
            let again: PasswordHash = text.parse().unwrap_or_else(|_| panic!("{}", *text));
            prop_assert!(again.recipe() == recipe && *again.to_phc() == *text);
        }

        /// Law: no text makes reading panic.
        #[test]
        fn any_text_is_read_or_refused(
            text in "(\\$argon2id|\\$2b)?(\\$[a-z0-9=,/+.]{0,53}){0,6}|.*",
        ) {
            let hash = text.parse::<PasswordHash>();
            prop_assert!(hash.is_err() || text.starts_with("$argon2i") || text.starts_with("$2"));
        }
    }

    #[test]
    fn only_argon2_of_version_19_in_full_is_read() {
        let (salt, tag) = ("c29tZXNhbHQ", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4");
        let good = format!("$argon2id$v=19$m=256,t=2,p=1${salt}${tag}");
        assert!(good.parse::<PasswordHash>().is_ok());
        for bad in [
            String::new(),
            format!("$argon2d$v=19$m=256,t=2,p=1${salt}${tag}"),
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
