//! The Merkle tree of a stored log, tile by tile.

use crate::model::Index;
use crate::tlog::{
    BundleId, Hash, TILE_WIDTH, TileId, TileSource, Tree, decode_tile, encode_bundle, leaf_hash,
};

use super::{EventStore, StoreError};

/// Hashes in a full tile.
const WIDTH: u64 = TILE_WIDTH as u64;

/// A store as a source of tiles: full ones as they were written, the incomplete right
/// edge computed from what is below it.
///
/// Cost of an incomplete tile: at level 0 the entries it covers are read and hashed, at
/// most 255; above it, at most 255 full tiles of the level below.
pub struct StoredTiles<'a>(pub &'a dyn EventStore);

impl TileSource for StoredTiles<'_> {
    type Error = StoreError;

    /// # Errors
    /// [`StoreError::Broken`] if an entry or a tile that it is made of is not there;
    /// otherwise what the store says.
    fn tile(&self, tile: TileId) -> Result<Vec<u8>, StoreError> {
        if !tile.is_partial()
            && let Some(hashes) = self.0.tile(tile)?
        {
            return Ok(hashes);
        }
        match tile.level() {
            0 => self.leaves(tile),
            level => self.roots(level, tile),
        }
    }
}

impl StoredTiles<'_> {
    /// A bundle of entries, byte for byte; none if the log does not hold all of them.
    ///
    /// # Errors
    /// What the store says.
    pub fn bundle(&self, bundle: BundleId) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(first) = bundle.start() else { return Ok(None) };
        let wanted = usize::from(bundle.width());
        let mut entries = Vec::with_capacity(wanted);
        while entries.len() < wanted {
            let next = Index(first.saturating_add(entries.len() as u64));
            let page = self.0.read(next, wanted - entries.len(), usize::MAX)?;
            if page.is_empty() {
                return Ok(None);
            }
            entries.extend(page.into_iter().map(|(_, entry)| entry));
        }
        // An entry is shorter than a bundle would take.
        Ok(encode_bundle(entries.iter().map(Vec::as_slice)).ok())
    }

    fn leaves(&self, tile: TileId) -> Result<Vec<u8>, StoreError> {
        let first = tile.index().saturating_mul(WIDTH);
        let end = first.saturating_add(u64::from(tile.width()));
        let mut hashes = Vec::new();
        let mut next = first;
        while next < end {
            let left = usize::try_from(end - next).unwrap_or(usize::MAX);
            let page = self.0.read(Index(next), left, usize::MAX)?;
            if page.is_empty() {
                return Err(StoreError::missing(next));
            }
            for (index, entry) in page {
                hashes.extend_from_slice(leaf_hash(&entry).as_bytes());
                next = index.next().0;
            }
        }
        Ok(hashes)
    }

    fn roots(&self, level: u8, tile: TileId) -> Result<Vec<u8>, StoreError> {
        let first = tile.index().saturating_mul(WIDTH);
        let mut hashes = Vec::new();
        for index in first..first.saturating_add(u64::from(tile.width())) {
            let missing = || StoreError::missing(covered(level, index));
            let below = TileId::new(level - 1, index, TILE_WIDTH).map_err(|_| missing())?;
            let below = decode_tile(&self.tile(below)?, TILE_WIDTH).map_err(|_| missing())?;
            hashes.extend_from_slice(root(below).as_bytes());
        }
        Ok(hashes)
    }
}

/// The root over the hashes of a full tile.
fn root(hashes: Vec<Hash>) -> Hash {
    let (mut tree, mut full) = (Tree::default(), Vec::new());
    hashes.into_iter().for_each(|hash| tree.append(hash, &mut full));
    tree.root()
}

/// The first entry below a hash of a level.
fn covered(level: u8, index: u64) -> u64 {
    WIDTH.checked_pow(u32::from(level)).map_or(u64::MAX, |span| span.saturating_mul(index))
}
