//! Codes that a person keeps on paper for when their second factor is lost.

use std::fmt::Write as _;
use std::str::FromStr;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{Digest, NotASecret};

/// The alphabet of RFC 4648 §6 in lower case: no 0, 1, 8 or 9 to be taken for letters.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// 120 random bits, written as six groups of four: `xxxx-xxxx-xxxx-xxxx-xxxx-xxxx`. No
/// `Debug`, wiped when dropped.
///
/// More than the 112 bits from which a plain hash is enough: so a code can be held against
/// all ten of a set at once, at no cost that an attacker could multiply.
///
/// # Source
/// SP 800-63B-4 §3.1.2.2; ASVS 5.0 6.5.2.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct RecoveryCode([u8; Self::BYTES]);

impl RecoveryCode {
    /// Its length, in bytes.
    pub const BYTES: usize = 15;
    const LETTERS: usize = 24;
    const GROUP: usize = 4;

    /// The text to show, once.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(Self::LETTERS + 5));
        for (place, letter) in self.letters().enumerate() {
            let hyphen = if place > 0 && place % Self::GROUP == 0 { "-" } else { "" };
            // Writing to a string does not fail.
            let _written = write!(text, "{hyphen}{letter}");
        }
        text
    }

    /// What is kept of it: SHA-256.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of_parts([b"countersign recovery code".as_slice(), self.0.as_slice()])
    }

    fn letters(&self) -> impl Iterator<Item = char> {
        // Each five bytes are eight letters.
        self.0.chunks(5).flat_map(|chunk| {
            let bits = chunk.iter().fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
            (0..8).rev().filter_map(move |place| {
                let value = usize::try_from((bits >> (5 * place)) & 31).ok()?;
                ALPHABET.get(value).map(|letter| char::from(*letter))
            })
        })
    }
}

impl From<[u8; Self::BYTES]> for RecoveryCode {
    /// From fresh random bytes.
    fn from(random: [u8; Self::BYTES]) -> Self {
        Self(random)
    }
}

impl FromStr for RecoveryCode {
    type Err = NotASecret;

    /// Reads what a person types: capitals, spaces and hyphens do not matter, and the digits
    /// that are not in it are taken for the letters they look like.
    fn from_str(text: &str) -> Result<Self, NotASecret> {
        let mut bytes = Zeroizing::new([0_u8; Self::BYTES]);
        let (mut bits, mut letters) = (0_u64, 0_usize);
        for letter in text.chars().filter(|letter| !letter.is_whitespace() && *letter != '-') {
            let letter = match letter.to_ascii_lowercase() {
                '0' => 'o',
                '1' => 'l',
                '8' => 'b',
                other => other,
            };
            let place = ALPHABET.iter().position(|known| char::from(*known) == letter);
            let value = place.and_then(|place| u64::try_from(place).ok());
            bits = (bits << 5) | value.ok_or(NotASecret::RecoveryCode)?;
            letters += 1;
            if letters.is_multiple_of(8) {
                let group = bytes.chunks_mut(5).nth(letters / 8 - 1);
                let group = group.ok_or(NotASecret::RecoveryCode)?;
                let [.., a, b, c, d, e] = bits.to_be_bytes();
                group.copy_from_slice(&[a, b, c, d, e]);
                bits = 0;
            }
        }
        if letters == Self::LETTERS { Ok(Self(*bytes)) } else { Err(NotASecret::RecoveryCode) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Law: what is shown is read as what it was, however it is typed.
        #[test]
        fn a_code_is_read_as_it_was_written(random in any::<[u8; 15]>(), loud in any::<bool>()) {
            let code = RecoveryCode::from(random);
            let shown = code.expose();
            prop_assert_eq!(shown.len(), 29);
            let typed = if loud { shown.to_uppercase() } else { shown.replace('-', "  ") };
            let read: RecoveryCode = typed.parse().ok().unwrap();
            prop_assert_eq!(read.0, random);
            prop_assert_eq!(read.digest(), code.digest());
        }

        /// Law: two codes have two digests.
        #[test]
        fn another_code_has_another_digest(one in any::<[u8; 15]>(), other in any::<[u8; 15]>()) {
            prop_assume!(one != other);
            let digest = |bytes| RecoveryCode::from(bytes).digest();
            prop_assert_ne!(digest(one), digest(other));
        }
    }

    /// The vectors of RFC 4648 §10, in lower case.
    #[test]
    fn the_letters_are_those_of_base32() {
        let code = RecoveryCode::from(*b"foobafoobafooba");
        assert_eq!(*code.expose(), "mzxw-6ytb-mzxw-6ytb-mzxw-6ytb");
    }

    #[test]
    fn what_is_no_code_is_refused() {
        let whole = "mzxw-6ytb-mzxw-6ytb-mzxw-6ytb";
        for text in [
            "",
            "mzxw",
            &whole.replace("ytb", "yt"),
            &format!("{whole}a"),
            "9zxw-6ytb-mzxw-6ytb-mzxw-6ytb",
        ] {
            assert!(text.parse::<RecoveryCode>().is_err(), "{text}");
        }
        assert!("M2XW 6YT8 mzxw6ytb m2xw-6y7b".parse::<RecoveryCode>().is_ok());
    }
}
