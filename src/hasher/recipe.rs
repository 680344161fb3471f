//! How a tag is computed: argon2 at some cost, as ours and others' are, or bcrypt, as
//! others' are.

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use super::HasherError;
use super::cost::Cost;
use crate::event::PasswordScheme;

/// The scheme of a hash and what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recipe {
    /// Argon2id or argon2i, version 1.3 (RFC 9106).
    Argon2 {
        /// Which of the two.
        variant: Variant,
        /// At what cost.
        cost: Cost,
    },
    /// bcrypt: 2 to the power of `rounds` (Provos and Mazières 1999).
    Bcrypt {
        /// The exponent, 4 to 31.
        rounds: u32,
    },
}

/// Whether memory is read in an order that the password decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    /// In the second half: what new hashes have.
    Id,
    /// Never.
    I,
}

impl Recipe {
    /// What new hashes are made by.
    pub(super) const fn of(cost: Cost) -> Self {
        Self::Argon2 { variant: Variant::Id, cost }
    }

    pub(super) const fn scheme(self) -> PasswordScheme {
        match self {
            Self::Argon2 { variant: Variant::Id, .. } => PasswordScheme::Argon2id,
            Self::Argon2 { variant: Variant::I, .. } => PasswordScheme::Argon2i,
            Self::Bcrypt { .. } => PasswordScheme::Bcrypt,
        }
    }

    /// Whether a new hash at `cost` would be dearer to guess. A dearer one than that is
    /// left as it is: no login lowers what protects a password.
    pub(super) fn is_weaker_than(self, cost: Cost) -> bool {
        match self {
            Self::Argon2 { variant: Variant::Id, cost: has } => has.work() < cost.work(),
            Self::Argon2 { variant: Variant::I, .. } | Self::Bcrypt { .. } => true,
        }
    }
}

impl Variant {
    /// The algorithm at a cost.
    pub(super) fn argon2(
        self,
        cost: Cost,
        tag_bytes: usize,
    ) -> Result<Argon2<'static>, HasherError> {
        let algorithm = match self {
            Self::Id => Algorithm::Argon2id,
            Self::I => Algorithm::Argon2i,
        };
        Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(tag_bytes))
            .map(|params| Argon2::new(algorithm, Version::V0x13, params))
            .map_err(HasherError::Argon2)
    }
}

/// The last 31 characters of a bcrypt hash, which are its tag. As everywhere where such
/// hashes come from, 72 bytes of the password count and the rest is not looked at.
///
/// A password with a NUL in it has none, at the same cost: bcrypt ends a password by one and
/// begins again, so that `a` and `a`, NUL, `a` would be the same to it.
pub(super) fn bcrypt_tag(
    rounds: u32,
    salt: &[u8],
    password: &[u8],
) -> Result<Zeroizing<Vec<u8>>, HasherError> {
    let salt = <[u8; 16]>::try_from(salt).map_err(|_| HasherError::Bcrypt)?;
    let parts = bcrypt::hash_with_salt(password, rounds, salt).map_err(|_| HasherError::Bcrypt)?;
    let text = Zeroizing::new(parts.format_for_version(bcrypt::Version::TwoB));
    let tag = text.as_bytes().last_chunk::<BCRYPT_TAG_CHARS>().ok_or(HasherError::Bcrypt)?;
    if password.contains(&0) {
        // No character of a tag is a NUL.
        return Ok(Zeroizing::new(vec![0; BCRYPT_TAG_CHARS]));
    }
    Ok(Zeroizing::new(tag.to_vec()))
}

/// How many characters a bcrypt tag has.
pub(super) const BCRYPT_TAG_CHARS: usize = 31;
