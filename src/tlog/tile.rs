//! Tiles: 256 hashes of one level side by side, and what they are called.

use std::fmt;
use std::str::FromStr;

use super::decimal;
use super::hash::Hash;

/// How many hashes a full tile holds, and how many entries a full bundle.
pub const TILE_WIDTH: u16 = 256;

/// Each tile spans this many levels of the tree: 2^8 = 256.
pub(super) const TILE_HEIGHT: u8 = 8;

/// The highest level that a path may name (c2sp.org/tlog-tiles, “Merkle Tree”).
const LEVEL_MAX: u8 = 63;

/// Why something is not a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotATile {
    /// A level above 63.
    #[error("the level of a tile is at most {LEVEL_MAX}")]
    Level,
    /// A width of 0 or above 256.
    #[error("the width of a tile or bundle is 1 to {TILE_WIDTH}")]
    Width,
    /// A path that names no tile, or not in the one way it is written.
    #[error("a tile's path is `tile/LEVEL/INDEX`, with `.p/WIDTH` if it is partial")]
    Path,
    /// A path that names no bundle, or not in the one way it is written.
    #[error("a bundle's path is `tile/entries/INDEX`, with `.p/WIDTH` if it is partial")]
    BundlePath,
    /// Not as many bytes as its width says.
    #[error("a tile of {width} hashes has {} bytes, not {found}", .width * Hash::BYTES)]
    Length {
        /// The width asked for, in hashes.
        width: usize,
        /// The bytes found.
        found: usize,
    },
}

/// One tile: where it is, and how many hashes of it are there. Written as its path
/// below a log's prefix, such as `tile/0/x001/x234/067.p/12`.
///
/// Hash `i` of tile `n` on level `l` is the root of the leaves
/// `[(256n+i)·256^l, (256n+i+1)·256^l)`.
///
/// # Source
/// c2sp.org/tlog-tiles, “Merkle Tree”.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    level: u8,
    index: u64,
    width: u16,
}

impl TileId {
    /// Names a tile.
    ///
    /// # Errors
    /// A level above 63, or a width that is not 1 to 256.
    pub fn new(level: u8, index: u64, width: u16) -> Result<Self, NotATile> {
        if level > LEVEL_MAX {
            return Err(NotATile::Level);
        }
        Ok(Self { level, index, width: checked_width(width)? })
    }

    /// The tile `index` of `level` in a log of `size` entries, if it has any hash there.
    #[must_use]
    pub fn at(level: u8, index: u64, size: u64) -> Option<Self> {
        let hashes = hashes_on(level, size);
        let before = index.checked_mul(u64::from(TILE_WIDTH))?;
        let width = hashes.checked_sub(before)?.min(u64::from(TILE_WIDTH));
        Self::new(level, index, u16::try_from(width).ok()?).ok()
    }

    /// A full tile on a level that is known to exist.
    pub(super) const fn filled(level: u8, index: u64) -> Self {
        Self { level, index, width: TILE_WIDTH }
    }

    /// Its level: 0 for leaves, each higher one the roots of full tiles below.
    #[must_use]
    pub const fn level(self) -> u8 {
        self.level
    }

    /// Its place on its level, from 0.
    #[must_use]
    pub const fn index(self) -> u64 {
        self.index
    }

    /// How many hashes it holds, 1 to 256.
    #[must_use]
    pub const fn width(self) -> u16 {
        self.width
    }

    /// True if it holds fewer than 256 hashes.
    #[must_use]
    pub const fn is_partial(self) -> bool {
        self.width < TILE_WIDTH
    }

    /// The full tile in the same place, which takes a partial one's place in time.
    #[must_use]
    pub const fn full(self) -> Self {
        Self { width: TILE_WIDTH, ..self }
    }

    /// How many bytes it has.
    #[must_use]
    pub fn bytes(self) -> usize {
        usize::from(self.width) * Hash::BYTES
    }

    /// Its path below the log's prefix.
    #[must_use]
    pub fn path(self) -> String {
        self.to_string()
    }
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.level)?;
        write_place(f, self.index, self.width)
    }
}

impl FromStr for TileId {
    type Err = NotATile;
    /// Reads a path in the one form in which it is written.
    fn from_str(path: &str) -> Result<Self, NotATile> {
        let rest = path.strip_prefix("tile/").ok_or(NotATile::Path)?;
        let (level, place) = rest.split_once('/').ok_or(NotATile::Path)?;
        let level = decimal::read(level).ok_or(NotATile::Path)?;
        let level = u8::try_from(level).map_err(|_| NotATile::Path)?;
        let (index, width) = read_place(place).ok_or(NotATile::Path)?;
        Self::new(level, index, width).map_err(|_| NotATile::Path)
    }
}

/// How many hashes the rightmost, partial tile of a level has in a log of `size`
/// entries; 0 where no tile is partial: `floor(size / 256^level) mod 256`.
#[must_use]
pub fn partial_width(level: u8, size: u64) -> u16 {
    u16::try_from(hashes_on(level, size) % u64::from(TILE_WIDTH)).unwrap_or_default()
}

/// Every tile that a log of `size` entries serves, level by level from the leaves, each
/// from the left. Pruning apart: c2sp.org/tlog-tiles, “Partial Tiles”.
pub fn tiles_of(size: u64) -> impl Iterator<Item = TileId> {
    (0..TILE_HEIGHT).flat_map(move |level| {
        let tiles = hashes_on(level, size).div_ceil(u64::from(TILE_WIDTH));
        (0..tiles).filter_map(move |index| TileId::at(level, index, size))
    })
}

/// Writes hashes as a tile: one after the other. Linear.
#[must_use]
pub fn encode_tile(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

/// Reads a tile of `width` hashes. Linear.
///
/// # Errors
/// [`NotATile::Length`] if there are more bytes or fewer.
pub fn decode_tile(bytes: &[u8], width: u16) -> Result<Vec<Hash>, NotATile> {
    let (hashes, rest) = bytes.as_chunks::<{ Hash::BYTES }>();
    if !rest.is_empty() || hashes.len() != usize::from(width) {
        return Err(NotATile::Length { width: width.into(), found: bytes.len() });
    }
    Ok(hashes.iter().map(|hash| Hash::from(*hash)).collect())
}

/// How many complete subtrees of 256^level leaves there are.
pub(super) fn hashes_on(level: u8, size: u64) -> u64 {
    size.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or_default()
}

pub(super) fn checked_width(width: u16) -> Result<u16, NotATile> {
    if (1..=TILE_WIDTH).contains(&width) { Ok(width) } else { Err(NotATile::Width) }
}

/// `x001/x234/067`, and `.p/12` behind it if there are fewer than 256.
pub(super) fn write_place(f: &mut fmt::Formatter<'_>, index: u64, width: u16) -> fmt::Result {
    let mut group = 1_000_000_000_000_000_000; // 1000^6: a `u64` has at most seven groups.
    while group > 1 {
        if index >= group {
            write!(f, "x{:03}/", index / group % 1_000)?;
        }
        group /= 1_000;
    }
    write!(f, "{:03}", index % 1_000)?;
    if width < TILE_WIDTH { write!(f, ".p/{width}") } else { Ok(()) }
}

/// The index and width that [`write_place`] wrote.
pub(super) fn read_place(place: &str) -> Option<(u64, u16)> {
    let (index, width) = match place.split_once(".p/") {
        Some((index, width)) => {
            let width = decimal::read(width).filter(|width| (1..256).contains(width))?;
            (index, u16::try_from(width).ok()?)
        }
        None => (place, TILE_WIDTH),
    };
    let mut groups = index.split('/').peekable();
    let (mut sum, mut first) = (0_u64, true);
    while let Some(group) = groups.next() {
        let digits = match groups.peek() {
            Some(_) => group.strip_prefix('x')?,
            None => group,
        };
        let is_group = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
        // `x000/001` would be a second name of `001`.
        let is_needless = first && digits != group && digits == "000";
        if !is_group || is_needless {
            return None;
        }
        sum = sum.checked_mul(1_000)?.checked_add(digits.parse().ok()?)?;
        first = false;
    }
    Some((sum, width))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(level: u8, index: u64, width: u16) -> TileId {
        TileId::new(level, index, width).unwrap()
    }

    #[test]
    fn a_path_is_that_of_the_specification() {
        let written = [
            (tile(0, 1_234_067, 256), "tile/0/x001/x234/067"),
            (tile(0, 1_234_067, 12), "tile/0/x001/x234/067.p/12"),
            (tile(63, 0, 1), "tile/63/000.p/1"),
            (tile(1, 1_000, 255), "tile/1/x001/000.p/255"),
            (tile(2, u64::MAX, 256), "tile/2/x018/x446/x744/x073/x709/x551/615"),
        ];
        for (tile, path) in written {
            assert_eq!(tile.path(), path);
            assert_eq!(path.parse(), Ok(tile));
        }
    }

    #[test]
    fn a_path_has_one_form() {
        let paths = [
            "",
            "tile/0/",
            "tile/0/0",
            "tile/0/00",
            "tile/0/0000",
            "tile/00/000",
            "tile/01/000",
            "tile/64/000",
            "tile/-1/000",
            "tile/0/x000/001",
            "tile/0/001/002",
            "tile/0/x001",
            "tile/0/x001/x002",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/",
            "tile/0/000.p",
            "tile/0/000/",
            "/tile/0/000",
            "tile/0/000.p/1/",
            "tile/0/+01",
            "tile/0/x1/000",
            "tile/entries/000",
            "tile/0/000.p/1.p/1",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
            "tile/8/0/000",
            "tile/0/０００",
        ];
        for path in paths {
            assert_eq!(path.parse::<TileId>(), Err(NotATile::Path), "{path}");
        }
    }

    #[test]
    fn a_log_of_70000_entries_has_the_tiles_of_the_specifications_example() {
        let tiles: Vec<_> = tiles_of(70_000).collect();
        assert_eq!(tiles.len(), 273 + 1 + 1 + 1 + 1);
        let partial: Vec<_> = tiles.iter().filter(|tile| tile.is_partial()).copied().collect();
        assert_eq!(partial, [tile(0, 273, 112), tile(1, 1, 17), tile(2, 0, 1)]);
        assert!(tiles.contains(&tile(1, 0, 256)));
    }

    #[test]
    fn a_log_of_256_entries_has_no_empty_tile() {
        let tiles: Vec<_> = tiles_of(256).collect();
        assert_eq!(tiles, [tile(0, 0, 256), tile(1, 0, 1)]);
        assert_eq!(tiles_of(0).count(), 0);
        assert_eq!(partial_width(0, 256), 0);
        assert_eq!(partial_width(1, 256), 1);
    }

    #[test]
    fn the_largest_size_does_not_overflow() {
        assert_eq!(partial_width(7, u64::MAX), 255);
        assert_eq!(partial_width(8, u64::MAX), 0);
        assert_eq!(partial_width(255, u64::MAX), 0);
        assert_eq!(TileId::at(0, u64::MAX, u64::MAX), None);
        assert_eq!(TileId::at(0, u64::MAX / 256, u64::MAX), Some(tile(0, u64::MAX / 256, 255)));
        assert_eq!(tiles_of(u64::MAX).next(), Some(tile(0, 0, 256)));
    }

    #[test]
    fn a_tile_has_the_bytes_that_its_width_says() {
        let hashes = [Hash::from([1; 32]), Hash::from([2; 32])];
        let bytes = encode_tile(&hashes);
        assert_eq!(bytes.len(), tile(0, 0, 2).bytes());
        assert_eq!(decode_tile(&bytes, 2).unwrap(), hashes);
        for (bytes, width) in [(&bytes[..63], 2), (&bytes[..], 1), (&bytes[..], 3), (&[], 1)] {
            assert!(decode_tile(bytes, width).is_err());
        }
    }
}
