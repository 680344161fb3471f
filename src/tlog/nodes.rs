//! Reading a tree's nodes back, whatever holds them.

use std::cell::RefCell;

use super::hash::{Hash, root_of};
use super::tile::{NotATile, TILE_HEIGHT, TILE_WIDTH, TileId, decode_tile};
use super::tree::SIZE_MAX;

/// Where the complete subtrees of a tree are read from.
pub trait Nodes {
    /// Why a node could not be read.
    type Error;

    /// The root of the leaves `[index·2^level, (index+1)·2^level)`, all of which are in
    /// the tree; on level 0, that leaf's hash.
    ///
    /// # Errors
    /// Whatever keeps it from being read.
    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

impl<N: Nodes + ?Sized> Nodes for &N {
    type Error = N::Error;
    fn node(&self, level: u8, index: u64) -> Result<Hash, N::Error> {
        (**self).node(level, index)
    }
}

/// Why a root, a proof or a tree could not be made from nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError<E> {
    /// The entry is not in the tree.
    #[error("there is no entry {index} in a tree of {size}")]
    NoSuchEntry {
        /// The index asked for.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// The older tree is the larger one.
    #[error("a tree of {old} entries cannot grow into one of {new}")]
    Shrinks {
        /// The size of the older tree.
        old: u64,
        /// The size of the newer tree.
        new: u64,
    },
    /// More leaves than a tree can have.
    #[error("a tree has at most {SIZE_MAX} entries, not {size}")]
    TooLarge {
        /// The size asked for.
        size: u64,
    },
    /// A node could not be read.
    #[error(transparent)]
    Nodes(E),
}

/// Where tiles are read from: a store, a folder, a server.
pub trait TileSource {
    /// Why a tile could not be read.
    type Error;

    /// The tile's bytes: exactly [`TileId::bytes`] of them. Of a partial tile that is no
    /// longer there, the first of [`TileId::full`].
    ///
    /// # Errors
    /// Whatever keeps it from being read.
    fn tile(&self, tile: TileId) -> Result<Vec<u8>, Self::Error>;
}

impl<S: TileSource + ?Sized> TileSource for &S {
    type Error = S::Error;
    fn tile(&self, tile: TileId) -> Result<Vec<u8>, S::Error> {
        (**self).tile(tile)
    }
}

/// Why a node could not be had from tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError<E> {
    /// The tile could not be read.
    #[error("`{tile}` could not be read")]
    Source {
        /// Which.
        tile: TileId,
        /// Why.
        source: E,
    },
    /// The tile is not of the length that its width asks for.
    #[error("`{tile}` is damaged")]
    Damaged {
        /// Which.
        tile: TileId,
        /// How.
        source: NotATile,
    },
    /// The node's leaves are not all in the tree.
    #[error("node {index} of level {level} is not in a tree of {size} entries")]
    Outside {
        /// The node's level.
        level: u8,
        /// Its place there.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
}

/// The nodes of a tree of a given size, read from its tiles. The tiles used last are
/// kept: making one proof reads each tile once.
///
/// It believes the tiles. Whether they are the tree's is known by the root that comes
/// of them, or by the proof that verifies.
#[derive(Debug)]
pub struct TileNodes<S> {
    size: u64,
    source: S,
    /// The one used last stands last.
    kept: RefCell<Vec<(TileId, Vec<Hash>)>>,
}

/// A path from a leaf to the root of the largest tree crosses eight tiles; the right
/// edge beside it, eight more. 16 tiles are 128 KiB.
const TILES_KEPT: usize = 16;

impl<S: TileSource> TileNodes<S> {
    /// Reads the tree of `size` leaves from here.
    pub const fn new(size: u64, source: S) -> Self {
        Self { size, source, kept: RefCell::new(Vec::new()) }
    }

    /// Does something with a tile's hashes, which are read unless kept.
    fn with_tile<T>(
        &self,
        tile: TileId,
        then: impl FnOnce(&[Hash]) -> T,
    ) -> Result<T, NodeError<S::Error>> {
        let found = self.take_kept(tile);
        let hashes = match found {
            Some(hashes) => hashes,
            None => self.read(tile)?,
        };
        let result = then(&hashes);
        self.keep(tile, hashes);
        Ok(result)
    }

    fn read(&self, tile: TileId) -> Result<Vec<Hash>, NodeError<S::Error>> {
        let bytes = self.source.tile(tile).map_err(|source| NodeError::Source { tile, source })?;
        decode_tile(&bytes, tile.width()).map_err(|source| NodeError::Damaged { tile, source })
    }

    fn take_kept(&self, tile: TileId) -> Option<Vec<Hash>> {
        let mut kept = self.kept.try_borrow_mut().ok()?;
        let at = kept.iter().position(|(id, _)| *id == tile)?;
        Some(kept.remove(at).1)
    }

    fn keep(&self, tile: TileId, hashes: Vec<Hash>) {
        if let Ok(mut kept) = self.kept.try_borrow_mut() {
            if kept.len() >= TILES_KEPT {
                kept.remove(0);
            }
            kept.push((tile, hashes));
        }
    }
}

impl<S: TileSource> Nodes for TileNodes<S> {
    type Error = NodeError<S::Error>;

    /// One tile read at most, and at most 127 hashes computed in it.
    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error> {
        let outside = NodeError::Outside { level, index, size: self.size };
        let Some((tile, first, count)) = place(level, index, self.size) else {
            return Err(outside);
        };
        let root = self.with_tile(tile, |hashes| {
            hashes.get(first..).and_then(|hashes| hashes.get(..count)).map(root_of)
        })?;
        root.ok_or(outside)
    }
}

/// The tile that holds a node's part of the tree, and which of its hashes that is:
/// the first, and how many.
fn place(level: u8, index: u64, size: u64) -> Option<(TileId, usize, usize)> {
    let (tile_level, height) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
    let (count, width) = (1_u64 << height, u64::from(TILE_WIDTH));
    let first = index.checked_mul(count)?;
    let tile = TileId::at(tile_level, first / width, size)?;
    Some((tile, usize::try_from(first % width).ok()?, usize::try_from(count).ok()?))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;

    use super::*;
    use crate::tlog::{encode_tile, leaf_hash, tiles_of};

    /// The tiles of a tree whose leaves hash their index; it counts what is asked.
    struct Counting {
        leaves: Vec<Hash>,
        asked: Cell<usize>,
    }

    impl TileSource for Counting {
        type Error = Infallible;
        fn tile(&self, tile: TileId) -> Result<Vec<u8>, Infallible> {
            self.asked.set(self.asked.get() + 1);
            let span = 256_usize.pow(tile.level().into());
            let start = usize::try_from(tile.index()).unwrap() * 256 * span;
            let below = &self.leaves[start..start + usize::from(tile.width()) * span];
            Ok(encode_tile(&below.chunks(span).map(root_of).collect::<Vec<_>>()))
        }
    }

    fn tiles(size: u64) -> TileNodes<Counting> {
        let leaves = (0..size).map(|index| leaf_hash(&index.to_be_bytes())).collect();
        TileNodes::new(size, Counting { leaves, asked: Cell::new(0) })
    }

    #[test]
    fn each_node_is_the_root_of_its_leaves() {
        let nodes = tiles(1_000);
        for level in 0..=9 {
            for index in 0..(1_000 >> level) {
                let (start, count) = (index << level, 1 << level);
                let root = root_of(&nodes.source.leaves[start..start + count]);
                assert_eq!(nodes.node(level, index as u64).unwrap(), root, "{level} {index}");
            }
        }
        assert_eq!(nodes.source.asked.get(), tiles_of(1_000).count(), "each tile once");
    }

    #[test]
    fn what_is_not_in_the_tree_is_not_answered() {
        let nodes = tiles(1_000);
        let cases = [(0, 1_000), (9, 1), (10, 0), (63, 0), (64, 0), (255, 0), (63, u64::MAX)];
        for (level, index) in cases {
            let outside = NodeError::Outside { level, index, size: 1_000 };
            assert_eq!(nodes.node(level, index), Err(outside));
        }
    }

    #[test]
    fn a_tile_of_a_wrong_length_is_damaged() {
        struct Short;
        impl TileSource for Short {
            type Error = Infallible;
            fn tile(&self, _: TileId) -> Result<Vec<u8>, Infallible> {
                Ok(vec![0; 31])
            }
        }
        let answer = TileNodes::new(1, Short).node(0, 0);
        assert!(matches!(answer, Err(NodeError::Damaged { .. })), "{answer:?}");
    }
}
