//! The tree, its tiles and proofs are those that two other implementations make of the
//! same entries; and no proof holds for anything but what it proves.

use std::collections::BTreeMap;
use std::io;

use countersign::tlog::{
    BundleId, Hash, NotATile, ProofError, TileId, TileNodes, TileSource, Tree, consistency_proof,
    decode_bundle, encode_bundle, inclusion_proof, leaf_hash, root_at, tiles_of,
    verify_consistency, verify_inclusion,
};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index as Pick;
use sha2::Sha256;
use tlog_tiles::{HashReader as _, Tile, TileHashReader, TileReader};

use crate::mutation::edits;

/// A log's tiles as they were given away, and those that were partial at its end.
struct Log {
    tree: Tree,
    tiles: BTreeMap<(u8, u64), Vec<u8>>,
}

impl Log {
    fn of<'a>(entries: impl IntoIterator<Item = &'a Vec<u8>>) -> Self {
        let (mut tree, mut full) = (Tree::default(), Vec::new());
        entries.into_iter().for_each(|entry| tree.append(leaf_hash(entry), &mut full));
        full.extend(tree.partial_tiles());
        let tiles = full.into_iter().map(|(tile, bytes)| ((tile.level(), tile.index()), bytes));
        Self { tiles: tiles.collect(), tree }
    }

    fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The nodes of the log as it was at a size.
    fn nodes(&self, size: u64) -> TileNodes<&Self> {
        TileNodes::new(size, self)
    }

    /// The other implementation, over these tiles. It checks each of them against the
    /// root before it uses one.
    fn theirs(&self, size: u64) -> TileHashReader<'_> {
        let root = root_at(size, &self.nodes(size)).unwrap();
        TileHashReader::new(size, their_hash(root), self)
    }
}

impl TileSource for Log {
    type Error = io::Error;
    fn tile(&self, tile: TileId) -> Result<Vec<u8>, io::Error> {
        let stored = self.tiles.get(&(tile.level(), tile.index()));
        let bytes = stored.and_then(|bytes| bytes.get(..tile.bytes()));
        bytes.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl TileReader for Log {
    fn height(&self) -> u8 {
        8
    }
    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |tile: &Tile| self.tile(our_tile(tile)).unwrap();
        Ok(tiles.iter().map(read).collect())
    }
    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// Their paths are those of Go's checksum database: `tile/8/…` for `tile/…`.
fn our_tile(tile: &Tile) -> TileId {
    tile.path().replacen("tile/8/", "tile/", 1).parse().unwrap()
}

fn their_hash(hash: Hash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(hash.into())
}

fn our_hashes(hashes: Vec<tlog_tiles::Hash>) -> Vec<Hash> {
    hashes.into_iter().map(|hash| Hash::from(hash.0)).collect()
}

fn joined(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

fn entries(most: usize) -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(vec(any::<u8>(), 0..40), 1..most)
}

/// A log, an index in it, and an earlier size of it.
fn case(most: usize) -> impl Strategy<Value = (Vec<Vec<u8>>, u64, u64)> {
    (entries(most), any::<Pick>(), any::<Pick>()).prop_map(|(entries, index, old)| {
        let (index, old) = (index.index(entries.len()), 1 + old.index(entries.len()));
        (entries, index as u64, old as u64)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Law: whoever makes a root or a proof of these entries makes the same, byte for byte.
    #[test]
    fn three_implementations_agree((entries, index, old) in case(1_200)) {
        let log = Log::of(&entries);
        let size = log.size();
        let mut memory = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        entries.iter().for_each(|entry| memory.push(entry.clone()));
        let theirs: [u8; 32] = (*memory.root().as_bytes()).into();
        prop_assert_eq!(Hash::from(theirs), log.tree.root());
        prop_assert_eq!(root_at(size, &log.nodes(size)).unwrap(), log.tree.root());

        let proof = inclusion_proof(index, size, &log.nodes(size)).unwrap();
        let theirs = memory.prove_inclusion(usize::try_from(index).unwrap());
        prop_assert_eq!(theirs.as_bytes(), joined(&proof));
        let theirs = tlog_tiles::prove_record(size, index, &log.theirs(size)).unwrap();
        prop_assert_eq!(our_hashes(theirs), proof);

        let proof = consistency_proof(old, size, &log.nodes(size)).unwrap();
        let theirs = memory.prove_consistency(usize::try_from(size - old).unwrap());
        // It proves a tree to grow out of itself by its own root; others by nothing.
        prop_assert!(old == size || theirs.as_bytes() == joined(&proof));
        let theirs = tlog_tiles::prove_tree(size, old, &log.theirs(size)).unwrap();
        prop_assert_eq!(our_hashes(theirs), proof);
    }

    /// Law: an earlier log is a part of the later one: same tiles, same root, same proofs.
    #[test]
    fn a_log_keeps_what_it_was((entries, index, old) in case(1_200)) {
        let (log, size) = (Log::of(&entries), entries.len() as u64);
        let before = Log::of(&entries[..usize::try_from(old).unwrap()]);
        for tile in tiles_of(old) {
            prop_assert_eq!(log.tile(tile).unwrap(), before.tile(tile).unwrap(), "{}", tile);
        }
        prop_assert_eq!(root_at(old, &log.nodes(size)).unwrap(), before.tree.root());
        prop_assert_eq!(&Tree::rebuild(old, &log.nodes(size)).unwrap(), &before.tree);
        if index < old {
            let now = inclusion_proof(index, old, &log.nodes(size)).unwrap();
            prop_assert_eq!(now, inclusion_proof(index, old, &before.nodes(old)).unwrap());
        }
    }

    /// Law: a proof holds for its entry, index, size, hashes and root; with any of them
    /// changed it does not.
    #[test]
    fn a_changed_proof_does_not_hold((entries, index, old) in case(300), flip in any::<Pick>()) {
        let log = Log::of(&entries);
        let (size, root) = (log.size(), log.tree.root());
        let leaf = leaf_hash(&entries[usize::try_from(index).unwrap()]);
        let proof = inclusion_proof(index, size, &log.nodes(size)).unwrap();
        let holds = |leaf, proof: &[Hash], root| verify_inclusion(index, size, leaf, proof, root);
        prop_assert_eq!(holds(leaf, &proof, root), Ok(()));
        prop_assert_eq!(holds(flipped(leaf, flip), &proof, root), Err(ProofError::Root));
        prop_assert_eq!(holds(leaf, &proof, flipped(root, flip)), Err(ProofError::Root));
        for bad in changes(&proof, flip) {
            prop_assert!(holds(leaf, &bad, root).is_err());
        }

        let old_root = root_at(old, &log.nodes(size)).unwrap();
        let proof = consistency_proof(old, size, &log.nodes(size)).unwrap();
        let holds = |old_root, proof: &[Hash], root| {
            verify_consistency(old, old_root, size, root, proof)
        };
        prop_assert_eq!(holds(old_root, &proof, root), Ok(()));
        prop_assert!(holds(flipped(old_root, flip), &proof, root).is_err());
        prop_assert!(holds(old_root, &proof, flipped(root, flip)).is_err());
        for bad in changes(&proof, flip) {
            prop_assert!(holds(old_root, &bad, root).is_err());
        }
    }

    /// Law: no sizes, indices and hashes end the process, however absurd.
    #[test]
    fn any_claim_is_judged(
        (one, two) in (sizes(), sizes()),
        hashes in vec(any::<[u8; 32]>().prop_map(Hash::from), 2..70),
    ) {
        let (ends, proof) = hashes.split_at(2);
        prop_assert!(verify_inclusion(one, two, ends[0], proof, ends[1]).is_err());
        let same = one == two && proof.is_empty() && ends[0] == ends[1];
        prop_assert!(same || verify_consistency(one, ends[0], two, ends[1], proof).is_err());
        for level in [0, 1, 7, 8, 63, 255] {
            prop_assert!(TileId::at(level, one, two).is_none_or(|tile| tile.level() < 8));
        }
    }

    /// Law: a path names a tile for us if and only if it does for Go's rules.
    #[test]
    fn a_tile_is_called_the_same_elsewhere(
        level in 0_u8..64, index in any::<u64>(), width in 1_u16..257, edits in edits(),
    ) {
        let tile = TileId::new(level, index, width).unwrap();
        let theirs = Tile::new(8, level, index, width.into(), false);
        prop_assert_eq!(our_tile(&theirs), tile);
        prop_assert_eq!(tile.path().parse(), Ok(tile));

        let edited = edits.of(&tile.path());
        match edited.parse::<TileId>() {
            Ok(tile) => {
                prop_assert_eq!(tile.path(), &*edited);
                let theirs = Tile::from_path(&edited.replacen("tile/", "tile/8/", 1)).unwrap();
                prop_assert_eq!(our_tile(&theirs), tile);
            }
            Err(refusal) => prop_assert_eq!(refusal, NotATile::Path),
        }
    }

    /// Law: bytes are the one bundle of their entries, or none.
    #[test]
    fn a_bundle_is_read_as_it_is_written(
        entries in entries(257), edits in edits(), width in any::<u16>(),
    ) {
        let bytes = encode_bundle(entries.iter().map(Vec::as_slice)).unwrap();
        let width_of = u16::try_from(entries.len()).unwrap();
        prop_assert_eq!(decode_bundle(&bytes, width_of).unwrap(), entries);
        let edited = edits.of_bytes(&bytes);
        for width in [width_of, width] {
            if let Ok(read) = decode_bundle(&edited, width) {
                prop_assert_eq!(read.len(), usize::from(width));
                prop_assert_eq!(encode_bundle(read).unwrap(), &*edited);
            }
        }
        let edited = edits.of(&BundleId::new(width.into(), width_of).unwrap().path());
        if let Ok(bundle) = edited.parse::<BundleId>() {
            prop_assert_eq!(bundle.path(), edited);
        }
    }
}

/// Sizes near where arithmetic ends, and small ones.
fn sizes() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), 0..70_u64, (0..70_u64).prop_map(|below| u64::MAX - below), {
        (0..64_u32, 0..3_u64)
            .prop_map(|(bit, off)| (1_u64 << bit).wrapping_add(off).wrapping_sub(1))
    }]
}

fn flipped(hash: Hash, at: Pick) -> Hash {
    let mut bytes: [u8; 32] = hash.into();
    bytes[at.index(256) / 8] ^= 1 << (at.index(256) % 8);
    bytes.into()
}

/// The proof with one hash changed, one too few, one too many, or two exchanged.
fn changes(proof: &[Hash], at: Pick) -> Vec<Vec<Hash>> {
    let mut longer = proof.to_vec();
    longer.push(Hash::from([7; 32]));
    let mut changed = vec![longer];
    if !proof.is_empty() {
        let at_hash = at.index(proof.len());
        let mut other = proof.to_vec();
        other[at_hash] = flipped(other[at_hash], at);
        let mut shorter = proof.to_vec();
        shorter.remove(at_hash);
        changed.extend([other, shorter]);
        let mut exchanged = proof.to_vec();
        exchanged.swap(0, at_hash);
        changed.extend((exchanged != proof).then_some(exchanged));
    }
    changed
}

/// Law: the same holds where tiles of the third level begin.
#[test]
fn three_implementations_agree_about_70000_entries() {
    let entries: Vec<_> = (0..70_000_u32).map(|index| index.to_be_bytes().to_vec()).collect();
    let log = Log::of(&entries);
    assert_eq!(log.size(), 70_000);
    assert!(tiles_of(70_000).all(|tile| log.tile(tile).is_ok()));
    assert_eq!(log.tiles.len(), tiles_of(70_000).count());
    for size in [65_535, 65_536, 65_537, 70_000] {
        let theirs = log.theirs(size);
        assert_eq!(tlog_tiles::tree_hash(size, &theirs).unwrap().0, *root(&log, size).as_bytes());
        for index in [0, 255, 256, 65_279, 65_534] {
            let proof = inclusion_proof(index, size, &log.nodes(size)).unwrap();
            let leaf = leaf_hash(&entries[usize::try_from(index).unwrap()]);
            assert_eq!(verify_inclusion(index, size, leaf, &proof, root(&log, size)), Ok(()));
            let stored = tlog_tiles::stored_hash_index(0, index);
            assert_eq!(theirs.read_hashes(&[stored]).unwrap()[0].0, *leaf.as_bytes());
            let theirs = tlog_tiles::prove_record(size, index, &theirs).unwrap();
            assert_eq!(our_hashes(theirs), proof);
        }
        for old in [1, 256, 65_535] {
            let proof = consistency_proof(old, size, &log.nodes(size)).unwrap();
            let theirs = tlog_tiles::prove_tree(size, old, &theirs).unwrap();
            assert_eq!(our_hashes(theirs), proof);
            let verdict = verify_consistency(old, root(&log, old), size, root(&log, size), &proof);
            assert_eq!(verdict, Ok(()));
        }
    }
}

fn root(log: &Log, size: u64) -> Hash {
    root_at(size, &log.nodes(size)).unwrap()
}
