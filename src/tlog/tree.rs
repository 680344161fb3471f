//! A tree that grows: its right edge, which is all that growing needs.

use super::hash::{Hash, empty_root, node_hash, root_of};
use super::nodes::{Nodes, TreeError};
use super::tile::{TILE_HEIGHT, TILE_WIDTH, TileId, encode_tile, hashes_on, partial_width};

/// The most leaves a tree may have: 2^63 − 1, what the verifiers written in Go can count.
pub const SIZE_MAX: u64 = i64::MAX as u64;

/// How many levels of tiles the largest tree has.
const TILE_LEVELS: usize = 8;

/// Peaks or an edge that a tree of the size does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these hashes are not the right edge of a tree of {size} entries")]
pub struct NotATree {
    /// The size they were said to belong to.
    pub size: u64,
}

/// The right edge of an append-only tree: of each level of tiles, the hashes of the tile
/// that is not full yet (at most 255), and the roots of the complete subtrees that the
/// leaves so far fall into (at most 63). At most 67 KB, however many leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    /// Largest first; a subtree of 2^k leaves for each bit k set in the size.
    peaks: Vec<Hash>,
    /// By tile level, each from the left.
    edge: [Vec<Hash>; TILE_LEVELS],
}

impl Tree {
    /// How many leaves it has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Its root. O(log n): at most 62 hashes; no allocation.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let smallest = peaks.next().copied().unwrap_or_else(empty_root);
        peaks.fold(smallest, |right, left| node_hash(left, &right))
    }

    /// The roots of the complete subtrees that the leaves fall into, largest first.
    #[must_use]
    pub fn frontier(&self) -> &[Hash] {
        &self.peaks
    }

    /// Appends a leaf. Each tile that it fills, on whatever level, is pushed to `full` as
    /// its 8,192 bytes, lower levels first. One hash on average.
    pub fn append(&mut self, leaf: Hash, full: &mut Vec<(TileId, Vec<u8>)>) {
        let mut node = leaf;
        self.keep(0, node, full);
        // Each bit set at the low end of the size is a subtree that the new one joins.
        for (height, _) in (1_u8..).zip(0..self.size.trailing_ones()) {
            let Some(left) = self.peaks.pop() else { break };
            node = node_hash(&left, &node);
            if height % TILE_HEIGHT == 0 {
                self.keep(height / TILE_HEIGHT, node, full);
            }
        }
        self.peaks.push(node);
        // It cannot overflow: `rebuild` and `from_edge` stop at half of what 64 bits hold.
        self.size += 1;
    }

    /// The tiles that are partial at this size, from the leaves' level upwards.
    pub fn partial_tiles(&self) -> impl Iterator<Item = (TileId, Vec<u8>)> {
        (0..).zip(&self.edge).filter_map(|(level, hashes)| {
            let index = hashes_on(level, self.size) / u64::from(TILE_WIDTH);
            let tile = TileId::at(level, index, self.size)?;
            Some((tile, encode_tile(hashes)))
        })
    }

    /// The hashes of the partial tile on a level, from the left; none where none is.
    #[must_use]
    pub fn edge(&self, level: u8) -> &[Hash] {
        self.edge.get(usize::from(level)).map_or(&[], Vec::as_slice)
    }

    /// The tree of `size` leaves, its edge read from nodes: at most 255 for each of the
    /// levels of tiles. Whether it is the right tree is known by its root.
    ///
    /// # Errors
    /// A size above [`SIZE_MAX`], or whatever keeps a node from being read.
    pub fn rebuild<N: Nodes + ?Sized>(size: u64, nodes: &N) -> Result<Self, TreeError<N::Error>> {
        if size > SIZE_MAX {
            return Err(TreeError::TooLarge { size });
        }
        let mut edge: [Vec<Hash>; TILE_LEVELS] = Default::default();
        for (level, hashes) in (0_u8..).zip(&mut edge) {
            let end = hashes_on(level, size);
            let start = end - u64::from(partial_width(level, size));
            *hashes = (start..end)
                .map(|index| nodes.node(level * TILE_HEIGHT, index))
                .collect::<Result<_, _>>()
                .map_err(TreeError::Nodes)?;
        }
        let peaks = peaks_of(&edge);
        Ok(Self { size, peaks, edge })
    }

    /// The tree of `size` leaves, of what [`Tree::edge`] said on each level from 0.
    /// Levels above those given are empty. Whether it is the right tree is known by its
    /// root.
    ///
    /// # Errors
    /// [`NotATree`] if a level has not as many hashes as the size asks for.
    pub fn from_edge(
        size: u64,
        levels: impl IntoIterator<Item = Vec<Hash>>,
    ) -> Result<Self, NotATree> {
        let mut levels = levels.into_iter();
        let edge = std::array::from_fn(|_| levels.next().unwrap_or_default());
        let fits = (0..)
            .zip(&edge)
            .all(|(level, hashes)| hashes.len() == usize::from(partial_width(level, size)));
        if !fits || size > SIZE_MAX || levels.any(|more| !more.is_empty()) {
            return Err(NotATree { size });
        }
        Ok(Self { size, peaks: peaks_of(&edge), edge })
    }

    /// Adds a hash to a level of tiles, and gives the tile away if that was its last.
    fn keep(&mut self, level: u8, node: Hash, full: &mut Vec<(TileId, Vec<u8>)>) {
        let Some(edge) = self.edge.get_mut(usize::from(level)) else {
            return; // There is no ninth level below 2^64 leaves.
        };
        edge.push(node);
        if edge.len() == usize::from(TILE_WIDTH) {
            let index = hashes_on(level, self.size) / u64::from(TILE_WIDTH);
            full.push((TileId::filled(level, index), encode_tile(edge)));
            edge.clear();
        }
    }
}

/// The complete subtrees within each partial tile, largest first.
fn peaks_of(edge: &[Vec<Hash>]) -> Vec<Hash> {
    let mut peaks = Vec::new();
    for hashes in edge.iter().rev() {
        let mut rest = hashes.as_slice();
        while let Some(height) = rest.len().checked_ilog2() {
            let (subtree, behind) = rest.split_at(1 << height);
            peaks.push(root_of(subtree));
            rest = behind;
        }
    }
    peaks
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::tlog::{leaf_hash, tiles_of};

    /// Leaves that hash their index, and the nodes above them by definition.
    struct Leaves(Vec<Hash>);

    impl Nodes for Leaves {
        type Error = Infallible;
        fn node(&self, level: u8, index: u64) -> Result<Hash, Infallible> {
            let start = usize::try_from(index).unwrap() << level;
            Ok(root_of(&self.0[start..start + (1 << level)]))
        }
    }

    fn leaves(size: u64) -> Leaves {
        Leaves((0..size).map(|index| leaf_hash(&index.to_be_bytes())).collect())
    }

    fn grown(leaves: &Leaves) -> (Tree, Vec<(TileId, Vec<u8>)>) {
        let (mut tree, mut full) = (Tree::default(), Vec::new());
        leaves.0.iter().for_each(|leaf| tree.append(*leaf, &mut full));
        (tree, full)
    }

    #[test]
    fn the_root_is_that_of_the_definition_at_every_size() {
        let leaves = leaves(600);
        let (mut tree, mut full) = (Tree::default(), Vec::new());
        for (size, leaf) in leaves.0.iter().enumerate() {
            assert_eq!(tree.root(), root_of(&leaves.0[..size]), "{size}");
            assert_eq!(tree.frontier().len(), size.count_ones() as usize);
            tree.append(*leaf, &mut full);
        }
        assert_eq!(tree.size(), 600);
    }

    #[test]
    fn a_tree_can_be_taken_up_where_it_was_left() {
        for size in [0, 1, 2, 255, 256, 257, 511, 512, 600, 65_537] {
            let mut leaves = leaves(size);
            let (mut tree, _) = grown(&leaves);
            let mut rebuilt = Tree::rebuild(size, &leaves).unwrap();
            assert_eq!(rebuilt, tree, "{size}");
            let edge = (0..8).map(|level| tree.edge(level).to_vec());
            assert_eq!(Tree::from_edge(size, edge).unwrap(), tree, "{size}");

            let next = leaf_hash(b"next");
            leaves.0.push(next);
            tree.append(next, &mut Vec::new());
            rebuilt.append(next, &mut Vec::new());
            assert_eq!(rebuilt, tree);
            assert_eq!(tree.root(), root_of(&leaves.0));
        }
    }

    #[test]
    fn every_full_tile_is_given_away_once_and_the_rest_is_partial() {
        let leaves = leaves(66_000);
        let (tree, full) = grown(&leaves);
        let mut given: Vec<_> = full
            .iter()
            .chain(&tree.partial_tiles().collect::<Vec<_>>())
            .map(|(id, bytes)| {
                assert_eq!(bytes.len(), id.bytes());
                let first = u64::from(TILE_WIDTH) * id.index();
                let node = leaves.node(id.level() * TILE_HEIGHT, first).unwrap();
                assert_eq!(bytes[..32], *node.as_bytes(), "{id}");
                *id
            })
            .collect();
        given.sort();
        assert_eq!(given, tiles_of(66_000).collect::<Vec<_>>());
    }

    #[test]
    fn an_edge_of_another_size_is_refused() {
        let (tree, _) = grown(&leaves(300));
        let edge = || (0..8).map(|level| tree.edge(level).to_vec());
        for size in [0, 299, 301, 44, u64::MAX, SIZE_MAX] {
            assert_eq!(Tree::from_edge(size, edge()), Err(NotATree { size }));
        }
        let longer = edge().chain([vec![empty_root()]]);
        assert!(Tree::from_edge(300, longer).is_err());
        let too_large = TreeError::TooLarge { size: SIZE_MAX + 1 };
        assert_eq!(Tree::rebuild(SIZE_MAX + 1, &leaves(0)), Err(too_large));
    }

    #[test]
    fn the_largest_tree_can_be_rebuilt_and_still_grows() {
        struct Same;
        impl Nodes for Same {
            type Error = Infallible;
            fn node(&self, _: u8, _: u64) -> Result<Hash, Infallible> {
                Ok(Hash::from([7; 32]))
            }
        }
        let mut tree = Tree::rebuild(SIZE_MAX, &Same).unwrap();
        assert_eq!(tree.frontier().len(), 63);
        let mut full = Vec::new();
        tree.append(Hash::from([7; 32]), &mut full);
        assert_eq!(tree.size(), 1 << 63);
        assert_eq!(full.len(), 7);
        assert_eq!(tree.edge(7).len(), 128);
        assert_eq!(tree.frontier().len(), 1);
    }
}
