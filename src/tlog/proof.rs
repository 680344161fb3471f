//! Proofs that an entry is in a tree, and that a tree grew out of another.

use super::hash::{Hash, empty_root, node_hash};
use super::nodes::{Nodes, TreeError};

/// The most hashes of any proof that is read: a path in the largest tree, and what a
/// witness accepts (c2sp.org/tlog-witness, “add-checkpoint”).
pub const PROOF_HASHES_MAX: usize = 63;

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The entry is not in the tree.
    #[error("there is no entry {index} in a tree of {size}")]
    NoSuchEntry {
        /// The index claimed.
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
    /// Any tree grew out of the empty one, so a proof of that is meaningless.
    #[error("nothing can be proved about a tree without entries")]
    FromNothing,
    /// More hashes or fewer than a proof between these has.
    #[error("the proof has {found} hashes, which is too many or too few")]
    Length {
        /// How many it has.
        found: usize,
    },
    /// The hashes do not lead to the older root.
    #[error("the proof does not lead to the root of the older tree")]
    OldRoot,
    /// The hashes do not lead to the root.
    #[error("the proof does not lead to the root of the tree")]
    Root,
}

/// The root of the first `size` leaves. At most 63 nodes are read.
///
/// # Errors
/// Whatever keeps a node from being read.
pub fn root_at<N: Nodes + ?Sized>(size: u64, nodes: &N) -> Result<Hash, N::Error> {
    root_between(0, size, nodes)
}

/// Proves that entry `index` is in the tree of `size`: the siblings on its way to the
/// root, the leaf's first. O(log n) nodes are read.
///
/// # Errors
/// [`TreeError::NoSuchEntry`], or whatever keeps a node from being read.
///
/// # Source
/// RFC 6962 §2.1.1, `PATH`, without its recursion.
pub fn inclusion_proof<N: Nodes + ?Sized>(
    index: u64,
    size: u64,
    nodes: &N,
) -> Result<Vec<Hash>, TreeError<N::Error>> {
    if index >= size {
        return Err(TreeError::NoSuchEntry { index, size });
    }
    let (mut start, mut end, mut path) = (0, size, Vec::new());
    while let Some(middle) = split(start, end) {
        let sibling = if index < middle {
            let right = root_between(middle, end, nodes);
            end = middle;
            right
        } else {
            let left = root_between(start, middle, nodes);
            start = middle;
            left
        };
        path.push(sibling.map_err(TreeError::Nodes)?);
    }
    path.reverse();
    Ok(path)
}

/// Proves that the tree of `new` leaves begins with the tree of `old` leaves. Empty if
/// `old` is 0 or `new`. O(log n) nodes are read.
///
/// # Errors
/// [`TreeError::Shrinks`], or whatever keeps a node from being read.
///
/// # Source
/// RFC 6962 §2.1.2, `PROOF`, without its recursion.
pub fn consistency_proof<N: Nodes + ?Sized>(
    old: u64,
    new: u64,
    nodes: &N,
) -> Result<Vec<Hash>, TreeError<N::Error>> {
    if old > new {
        return Err(TreeError::Shrinks { old, new });
    }
    if old == 0 {
        return Ok(Vec::new());
    }
    let (mut start, mut end, mut path) = (0, new, Vec::new());
    while end != old {
        let Some(middle) = split(start, end) else { break };
        let sibling = if old <= middle {
            let right = root_between(middle, end, nodes);
            end = middle;
            right
        } else {
            let left = root_between(start, middle, nodes);
            start = middle;
            left
        };
        path.push(sibling.map_err(TreeError::Nodes)?);
    }
    // The verifier has the old root itself, but no part of it.
    if start > 0 {
        path.push(root_between(start, end, nodes).map_err(TreeError::Nodes)?);
    }
    path.reverse();
    Ok(path)
}

/// Checks that `leaf` is entry `index` of the tree of `size` that has this root. O(log n)
/// hashes; no allocation.
///
/// # Errors
/// Why it is not shown to be.
///
/// # Source
/// RFC 9162 §2.1.3.2.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: Hash,
    proof: &[Hash],
    root: Hash,
) -> Result<(), ProofError> {
    let Some(last) = size.checked_sub(1).filter(|last| index <= *last) else {
        return Err(ProofError::NoSuchEntry { index, size });
    };
    let mut way = Way { at: index, last };
    let mut node = leaf;
    for sibling in proof {
        node = match way.up().ok_or(ProofError::Length { found: proof.len() })? {
            Side::Left => node_hash(sibling, &node),
            Side::Right => node_hash(&node, sibling),
        };
    }
    match way.last {
        0 if node == root => Ok(()),
        0 => Err(ProofError::Root),
        _ => Err(ProofError::Length { found: proof.len() }),
    }
}

/// Checks that the tree of `new` leaves begins with the tree of `old` leaves, of which
/// these are the roots. O(log n) hashes; no allocation.
///
/// Strict: about an `old` of 0 nothing can be proved, and it is refused; trees of one
/// size need equal roots and an empty proof. So do the verifiers of transparency-dev;
/// witnesses differ, see [`verify_growth`].
///
/// # Errors
/// Why it is not shown to.
///
/// # Source
/// RFC 9162 §2.1.4.2.
pub fn verify_consistency(
    old: u64,
    old_root: Hash,
    new: u64,
    new_root: Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::Shrinks { old, new });
    }
    let Some(last_of_old) = old.checked_sub(1) else { return Err(ProofError::FromNothing) };
    let length = ProofError::Length { found: proof.len() };
    if old == new {
        let same = if old_root == new_root { Ok(()) } else { Err(ProofError::Root) };
        return if proof.is_empty() { same } else { Err(length) };
    }
    // Up to the largest subtree that ends where the old tree ends.
    let height = last_of_old.trailing_ones();
    let mut way = Way {
        at: last_of_old.checked_shr(height).unwrap_or_default(),
        last: (new - 1).checked_shr(height).unwrap_or_default(),
    };
    // Is that subtree the whole old tree, its root is known and left out of the proof.
    let (seed, proof) = match proof.split_first() {
        _ if old.is_power_of_two() => (old_root, proof),
        Some((seed, rest)) => (*seed, rest),
        None => return Err(length),
    };
    let (mut old_node, mut new_node) = (seed, seed);
    for sibling in proof {
        match way.up().ok_or(length)? {
            Side::Left => {
                old_node = node_hash(sibling, &old_node);
                new_node = node_hash(sibling, &new_node);
            }
            Side::Right => new_node = node_hash(&new_node, sibling),
        }
    }
    match way.last {
        0 if old_node != old_root => Err(ProofError::OldRoot),
        0 if new_node != new_root => Err(ProofError::Root),
        0 => Ok(()),
        _ => Err(length),
    }
}

/// Checks as a witness does that one tree grew into another: as [`verify_consistency`],
/// but from an `old` of 0 everything grows, by an empty proof.
///
/// # Errors
/// Why it is not shown to.
///
/// # Source
/// c2sp.org/tlog-witness, “add-checkpoint”.
pub fn verify_growth(
    old: u64,
    old_root: Hash,
    new: u64,
    new_root: Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    match old {
        0 if !proof.is_empty() => Err(ProofError::Length { found: proof.len() }),
        0 if new == 0 && new_root != empty_root() => Err(ProofError::Root),
        0 => Ok(()),
        _ => verify_consistency(old, old_root, new, new_root, proof),
    }
}

/// Where a sibling stands.
enum Side {
    Left,
    Right,
}

/// A way from a node to the root: its place on its level, and that of the last node
/// there. RFC 9162 calls them `fn` and `sn`.
struct Way {
    at: u64,
    last: u64,
}

impl Way {
    /// Goes up past the next sibling; nothing if the root is reached.
    fn up(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        let side = if self.at & 1 == 1 || self.at == self.last {
            // The last node of a level that is alone goes up as it is.
            let alone = self.at.trailing_zeros();
            self.at = self.at.checked_shr(alone).unwrap_or_default();
            self.last = self.last.checked_shr(alone).unwrap_or_default();
            Side::Left
        } else {
            Side::Right
        };
        self.at >>= 1;
        self.last >>= 1;
        Some(side)
    }
}

/// Where the leaves `[start, end)` are split: behind the largest power of two that is
/// less than their count. Nothing if they are fewer than two.
fn split(start: u64, end: u64) -> Option<u64> {
    let height = end.checked_sub(start)?.checked_sub(1)?.checked_ilog2()?;
    Some(start + (1 << height))
}

/// The root of the leaves `[start, end)`, where `start` is a multiple of the largest
/// power of two in their count.
fn root_between<N: Nodes + ?Sized>(start: u64, end: u64, nodes: &N) -> Result<Hash, N::Error> {
    let count = end - start;
    let mut root = None;
    for level in 0_u8..64 {
        let subtrees = count >> level;
        if subtrees & 1 == 1 {
            let node = nodes.node(level, (start >> level) + subtrees - 1)?;
            root = Some(root.map_or(node, |right| node_hash(&node, &right)));
        }
    }
    Ok(root.unwrap_or_else(empty_root))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::tlog::hash::root_of;
    use crate::tlog::leaf_hash;

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

    #[test]
    fn every_entry_of_every_small_tree_is_proved() {
        let leaves = leaves(70);
        for size in 1..=70 {
            let root = root_at(size, &leaves).unwrap();
            assert_eq!(root, root_of(&leaves.0[..usize::try_from(size).unwrap()]));
            for index in 0..size {
                let proof = inclusion_proof(index, size, &leaves).unwrap();
                let leaf = leaves.0[usize::try_from(index).unwrap()];
                assert_eq!(verify_inclusion(index, size, leaf, &proof, root), Ok(()));
                let other = verify_inclusion(index, size, empty_root(), &proof, root);
                assert_eq!(other, Err(ProofError::Root));
            }
        }
    }

    #[test]
    fn every_growth_of_small_trees_is_proved() {
        let leaves = leaves(70);
        for new in 1..=70 {
            let new_root = root_at(new, &leaves).unwrap();
            for old in 1..=new {
                let proof = consistency_proof(old, new, &leaves).unwrap();
                let old_root = root_at(old, &leaves).unwrap();
                let verdict = verify_consistency(old, old_root, new, new_root, &proof);
                assert_eq!(verdict, Ok(()), "{old} {new}");
                let forked = verify_consistency(old, empty_root(), new, new_root, &proof);
                assert!(forked.is_err(), "{old} {new}");
            }
        }
    }

    #[test]
    fn a_proof_has_exactly_its_hashes() {
        let leaves = leaves(13);
        let root = root_at(13, &leaves).unwrap();
        let (leaf, proof) = (leaves.0[5], inclusion_proof(5, 13, &leaves).unwrap());
        let longer = [proof.as_slice(), &[root]].concat();
        for bad in [&proof[..3], &[], &longer] {
            let found = bad.len();
            let verdict = verify_inclusion(5, 13, leaf, bad, root);
            assert_eq!(verdict, Err(ProofError::Length { found }));
        }
        let (old_root, proof) =
            (root_at(6, &leaves).unwrap(), consistency_proof(6, 13, &leaves).unwrap());
        let longer = [proof.as_slice(), &[root]].concat();
        for bad in [&proof[..2], &[], &longer] {
            let found = bad.len();
            let verdict = verify_consistency(6, old_root, 13, root, bad);
            assert!(matches!(verdict, Err(ProofError::Length { .. })), "{found} {verdict:?}");
        }
    }

    #[test]
    fn growth_from_nothing_needs_an_empty_proof() {
        let (empty, root) = (empty_root(), leaf_hash(b"a"));
        assert_eq!(verify_growth(0, empty, 5, root, &[]), Ok(()));
        assert!(verify_growth(0, empty, 5, root, &[root]).is_err());
        assert_eq!(verify_growth(0, empty, 0, empty, &[]), Ok(()));
        assert_eq!(verify_growth(0, empty, 0, root, &[]), Err(ProofError::Root));
        assert_eq!(verify_consistency(0, empty, 5, root, &[]), Err(ProofError::FromNothing));
        assert_eq!(verify_growth(5, root, 5, root, &[]), Ok(()));
        assert_eq!(verify_growth(5, root, 5, empty, &[]), Err(ProofError::Root));
        assert!(verify_growth(5, root, 5, root, &[root]).is_err());
        let shrinks = ProofError::Shrinks { old: 5, new: 4 };
        assert_eq!(verify_growth(5, root, 4, root, &[]), Err(shrinks));
    }

    #[test]
    fn what_cannot_be_proved_is_not() {
        let leaves = leaves(4);
        let outside = TreeError::NoSuchEntry { index: 4, size: 4 };
        assert_eq!(inclusion_proof(4, 4, &leaves), Err(outside));
        assert!(inclusion_proof(0, 0, &leaves).is_err());
        let shrinks = TreeError::Shrinks { old: 4, new: 3 };
        assert_eq!(consistency_proof(4, 3, &leaves), Err(shrinks));
        assert_eq!(consistency_proof(0, 4, &leaves), Ok(Vec::new()));
        assert_eq!(consistency_proof(4, 4, &leaves), Ok(Vec::new()));
    }

    #[test]
    fn sizes_at_the_end_of_what_64_bits_hold_do_not_overflow() {
        struct Same;
        impl Nodes for Same {
            type Error = Infallible;
            fn node(&self, _: u8, _: u64) -> Result<Hash, Infallible> {
                Ok(Hash::from([7; 32]))
            }
        }
        let any = Hash::from([7; 32]);
        for size in [u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) + 1] {
            let proof = inclusion_proof(size - 1, size, &Same).unwrap();
            assert!(verify_inclusion(size - 1, size, any, &proof, any).is_err());
            let proof = consistency_proof(size - 1, size, &Same).unwrap();
            let verdict = verify_consistency(size - 1, any, size, any, &proof);
            assert!(verdict.is_err());
            assert!(!matches!(verdict, Err(ProofError::Length { .. })), "{size} {verdict:?}");
        }
    }
}
