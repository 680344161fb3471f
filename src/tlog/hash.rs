//! The three hashes of RFC 6962, and how a hash is written.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// The longest entry that an entry bundle can hold: its length is a `uint16`
/// (c2sp.org/tlog-tiles, “Log entries”). Hashing knows no such bound.
pub const ENTRY_BYTES_MAX_C2SP: usize = 65_535;

/// 32 bytes are 44 characters of padded base64.
const TEXT_BYTES: usize = 44;

/// A text that is not the base64 of 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 44 characters of standard base64")]
pub struct NotAHash;

/// A node of the tree: 32 bytes of SHA-256, written in standard base64 with padding
/// (RFC 4648 §4). Its order is that of its bytes and means nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// How many bytes a hash has.
    pub const BYTES: usize = 32;

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Hash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl From<Hash> for [u8; 32] {
    fn from(hash: Hash) -> Self {
        hash.0
    }
}

impl FromStr for Hash {
    type Err = NotAHash;
    /// Reads what [`Display`](fmt::Display) writes and nothing else: no other alphabet,
    /// no missing padding, no bits set behind the last byte.
    fn from_str(text: &str) -> Result<Self, NotAHash> {
        if text.len() != TEXT_BYTES {
            return Err(NotAHash);
        }
        let mut bytes = [0; 33]; // What 44 characters may hold at most.
        match STANDARD.decode_slice(text, &mut bytes) {
            Ok(32) => bytes.first_chunk().copied().map(Self).ok_or(NotAHash),
            _ => Err(NotAHash),
        }
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; TEXT_BYTES];
        let length = STANDARD.encode_slice(self.0, &mut text).map_err(|_| fmt::Error)?;
        let written = text.get(..length).and_then(|text| std::str::from_utf8(text).ok());
        f.write_str(written.ok_or(fmt::Error)?)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Hashes one log entry: `SHA-256(0x00 ‖ entry)`.
///
/// `entry` may have any length, also 0 and above [`ENTRY_BYTES_MAX_C2SP`]. Linear; no
/// allocation.
///
/// # Source
/// RFC 6962 §2.1.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0x00]);
    hasher.update(entry);
    Hash(hasher.finalize().into())
}

/// Hashes two subtrees into the node above them: `SHA-256(0x01 ‖ left ‖ right)`.
///
/// The prefix differs from a leaf's, so no entry can pass for a node. No allocation.
///
/// # Source
/// RFC 6962 §2.1.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut input = [0x01; 65];
    let (_, children) = input.split_at_mut(1);
    let (first, second) = children.split_at_mut(32);
    first.copy_from_slice(&left.0);
    second.copy_from_slice(&right.0);
    Hash(Sha256::digest(input).into())
}

/// The root of the tree without leaves: SHA-256 of nothing (RFC 6962 §2.1).
#[must_use]
pub fn empty_root() -> Hash {
    Hash(Sha256::digest([]).into())
}

/// The root of these nodes, which lie side by side on one level.
///
/// Linear; no allocation; the stack grows with the logarithm of their count.
///
/// # Source
/// RFC 6962 §2.1, `MTH`, with nodes for leaves.
pub(super) fn root_of(nodes: &[Hash]) -> Hash {
    match nodes {
        [] => empty_root(),
        [node] => *node,
        [left, right] => node_hash(left, right),
        more => {
            let half = more.len().div_ceil(2).next_power_of_two();
            let (left, right) = more.split_at(half);
            node_hash(&root_of(left), &root_of(right))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The leaves and the root of the eight-leaf tree in RFC 6962's first reference
    /// implementation, in hexadecimal, as all later ones use them.
    const ENTRIES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];

    #[test]
    fn the_known_tree_has_its_known_roots() {
        let leaves: Vec<_> = ENTRIES.iter().map(|entry| leaf_hash(entry)).collect();
        let root = |size: usize| root_of(&leaves[..size]).to_string();
        assert_eq!(root(0), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(root(1), "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=");
        assert_eq!(root(2), "+sVCA+fMaWzw38tCySodnbr3CtnmIfS9jZhmLwDjwSU=");
        assert_eq!(root(5), "Tju7H3tHjc/nH7YxYxUZo7yhLJrvyhYSv85ME6hiZNQ=");
        assert_eq!(root(8), "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=");
    }

    #[test]
    fn a_hash_is_read_as_it_is_written_and_no_other_way() {
        let hash = leaf_hash(b"entry");
        let text = hash.to_string();
        assert_eq!(text.parse(), Ok(hash));
        assert_eq!(format!("{hash:?}"), text);
        let unpadded = text.trim_end_matches('=');
        let other_bits = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=";
        let url_safe = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=";
        let longer = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let shorter = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";
        for bad in ["", unpadded, other_bits, url_safe, longer, shorter, &format!(" {text}")] {
            assert_eq!(bad.parse::<Hash>(), Err(NotAHash), "{bad}");
        }
    }

    #[test]
    fn a_leaf_cannot_pass_for_a_node() {
        let (left, right) = (leaf_hash(b"left"), leaf_hash(b"right"));
        let joined = [left.as_bytes().as_slice(), right.as_bytes()].concat();
        assert_ne!(leaf_hash(&joined), node_hash(&left, &right));
    }
}
