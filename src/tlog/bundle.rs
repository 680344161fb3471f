//! Entry bundles: up to 256 entries, each behind its length.

use std::fmt;
use std::str::FromStr;

use super::hash::ENTRY_BYTES_MAX_C2SP;
use super::tile::{self, NotATile, TILE_WIDTH, TileId};

/// Why entries cannot be a bundle, or bytes are not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// An entry whose length does not fit 16 bits.
    #[error("entry {at} of the bundle has {bytes} bytes, more than {ENTRY_BYTES_MAX_C2SP}")]
    EntryTooLarge {
        /// Which entry, from 0.
        at: usize,
        /// Its length.
        bytes: usize,
    },
    /// No entry, or more than 256.
    #[error("a bundle has 1 to {TILE_WIDTH} entries, not {found}")]
    Count {
        /// How many were given.
        found: usize,
    },
    /// The bytes end within an entry, or before the last one.
    #[error("the bundle ends within entry {at}")]
    Short {
        /// Which entry, from 0.
        at: usize,
    },
    /// Bytes follow the last entry.
    #[error("{bytes} bytes follow the last entry of the bundle")]
    Rest {
        /// How many.
        bytes: usize,
    },
}

/// One entry bundle, written as its path below a log's prefix, such as
/// `tile/entries/x001/x234/067.p/12`. It holds the entries of the tile of the same
/// index and width on level 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleId(TileId);

impl BundleId {
    /// Names a bundle.
    ///
    /// # Errors
    /// [`NotATile::Width`] if the width is not 1 to 256.
    pub fn new(index: u64, width: u16) -> Result<Self, NotATile> {
        TileId::new(0, index, width).map(Self)
    }

    /// The bundle `index` of a log of `size` entries, if it has any entry there.
    #[must_use]
    pub fn at(index: u64, size: u64) -> Option<Self> {
        TileId::at(0, index, size).map(Self)
    }

    /// Its place, from 0.
    #[must_use]
    pub const fn index(self) -> u64 {
        self.0.index()
    }

    /// How many entries it holds, 1 to 256.
    #[must_use]
    pub const fn width(self) -> u16 {
        self.0.width()
    }

    /// True if it holds fewer than 256 entries.
    #[must_use]
    pub const fn is_partial(self) -> bool {
        self.0.is_partial()
    }

    /// The full bundle in the same place, which takes a partial one's place in time.
    #[must_use]
    pub const fn full(self) -> Self {
        Self(self.0.full())
    }

    /// The log's index of its first entry; nothing beyond what 64 bits hold.
    #[must_use]
    pub fn start(self) -> Option<u64> {
        self.index().checked_mul(u64::from(TILE_WIDTH))
    }

    /// Its path below the log's prefix.
    #[must_use]
    pub fn path(self) -> String {
        self.to_string()
    }
}

impl fmt::Display for BundleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tile/entries/")?;
        tile::write_place(f, self.index(), self.width())
    }
}

impl FromStr for BundleId {
    type Err = NotATile;
    /// Reads a path in the one form in which it is written.
    fn from_str(path: &str) -> Result<Self, NotATile> {
        let place = path.strip_prefix("tile/entries/").ok_or(NotATile::BundlePath)?;
        let (index, width) = tile::read_place(place).ok_or(NotATile::BundlePath)?;
        Self::new(index, width).map_err(|_| NotATile::BundlePath)
    }
}

/// Every bundle that a log of `size` entries serves, from the left.
pub fn bundles_of(size: u64) -> impl Iterator<Item = BundleId> {
    let bundles = size.div_ceil(u64::from(TILE_WIDTH));
    (0..bundles).filter_map(move |index| BundleId::at(index, size))
}

/// Writes 1 to 256 entries as a bundle: each as a big-endian `uint16` length and its
/// bytes. Linear.
///
/// # Errors
/// An entry above [`ENTRY_BYTES_MAX_C2SP`], no entry, or more than 256.
///
/// # Source
/// c2sp.org/tlog-tiles, “Log entries”.
pub fn encode_bundle<'a>(
    entries: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, BundleError> {
    let (mut bytes, mut found) = (Vec::new(), 0);
    for (at, entry) in entries.into_iter().enumerate() {
        let too_large = BundleError::EntryTooLarge { at, bytes: entry.len() };
        let length = u16::try_from(entry.len()).map_err(|_| too_large)?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
        found = at + 1;
        if found > usize::from(TILE_WIDTH) {
            break;
        }
    }
    let fits = (1..=usize::from(TILE_WIDTH)).contains(&found);
    if fits { Ok(bytes) } else { Err(BundleError::Count { found }) }
}

/// Reads a bundle of `width` entries, which stay where they are. Linear; allocates the
/// list alone.
///
/// # Errors
/// A width that is not 1 to 256, bytes that end too early, or bytes left over.
pub fn decode_bundle(bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, BundleError> {
    let count = usize::from(width);
    if tile::checked_width(width).is_err() {
        return Err(BundleError::Count { found: count });
    }
    let (mut entries, mut rest) = (Vec::with_capacity(count), bytes);
    for at in 0..count {
        let (entry, behind) = split_entry(rest).ok_or(BundleError::Short { at })?;
        entries.push(entry);
        rest = behind;
    }
    if rest.is_empty() { Ok(entries) } else { Err(BundleError::Rest { bytes: rest.len() }) }
}

/// The first entry, and what follows it.
fn split_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_lengths_and_entries() {
        let entries: [&[u8]; 3] = [b"one", b"", b"three"];
        let bytes = encode_bundle(entries).unwrap();
        assert_eq!(bytes, b"\0\x03one\0\0\0\x05three");
        assert_eq!(decode_bundle(&bytes, 3).unwrap(), entries);
    }

    #[test]
    fn a_bundle_has_exactly_its_entries() {
        let bytes = b"\0\x03one\0\0\0\x05three".as_slice();
        assert_eq!(decode_bundle(bytes, 2), Err(BundleError::Rest { bytes: 7 }));
        assert_eq!(decode_bundle(bytes, 4), Err(BundleError::Short { at: 3 }));
        assert_eq!(decode_bundle(&bytes[..9], 3), Err(BundleError::Short { at: 2 }));
        assert_eq!(decode_bundle(&bytes[..8], 3), Err(BundleError::Short { at: 2 }));
        assert_eq!(decode_bundle(&[], 0), Err(BundleError::Count { found: 0 }));
        assert_eq!(decode_bundle(&[0; 514], 257), Err(BundleError::Count { found: 257 }));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let longest = vec![7; ENTRY_BYTES_MAX_C2SP];
        let bytes = encode_bundle([longest.as_slice()]).unwrap();
        assert_eq!(decode_bundle(&bytes, 1).unwrap(), [longest.as_slice()]);
        let longer = vec![7; ENTRY_BYTES_MAX_C2SP + 1];
        let refusal = BundleError::EntryTooLarge { at: 1, bytes: 65_536 };
        assert_eq!(encode_bundle([b"".as_slice(), &longer]), Err(refusal));
        assert_eq!(encode_bundle([]), Err(BundleError::Count { found: 0 }));
        assert!(encode_bundle([b"".as_slice(); 256]).is_ok());
        assert_eq!(encode_bundle([b"".as_slice(); 300]), Err(BundleError::Count { found: 257 }));
    }

    #[test]
    fn the_bundles_of_a_log_hold_each_entry_once() {
        let paths = |size| bundles_of(size).map(BundleId::path).collect::<Vec<_>>();
        assert!(paths(0).is_empty());
        assert_eq!(paths(1), ["tile/entries/000.p/1"]);
        assert_eq!(paths(256), ["tile/entries/000"]);
        assert_eq!(paths(513), ["tile/entries/000", "tile/entries/001", "tile/entries/002.p/1"]);
        assert_eq!(bundles_of(70_000).map(|bundle| u64::from(bundle.width())).sum::<u64>(), 70_000);
    }

    #[test]
    fn a_bundles_path_has_one_form() {
        let bundle = BundleId::new(1_234_067, 12).unwrap();
        assert_eq!(bundle.path(), "tile/entries/x001/x234/067.p/12");
        assert_eq!(bundle.path().parse(), Ok(bundle));
        for path in ["tile/entries/", "tile/0/000", "tile/entries/x000/000", "tile/data/000"] {
            assert_eq!(path.parse::<BundleId>(), Err(NotATile::BundlePath), "{path}");
        }
        assert_eq!(BundleId::new(0, 0), Err(NotATile::Width));
        assert_eq!(BundleId::new(u64::MAX, 1).unwrap().start(), None);
    }
}
