//! Transparency logs' own test data: proofs with their verdicts, a whole log, and what
//! a witness answered.

use std::fs;
use std::path::{Path, PathBuf};

use countersign::tlog::{
    AddCheckpoint, BundleId, Checkpoint, CosigningKey, Hash, KnownLog, TileId, TileNodes,
    TileSource, TlogProof, Tree, VerifierKey, WitnessRefusal, bundles_of, consistency_proof,
    decode_bundle, encode_bundle, inclusion_proof, leaf_hash, open_checkpoint, root_at, tiles_of,
    verify_consistency, verify_inclusion,
};
use serde_json::Value;

use crate::litewitness::{sigsum_log, transcript};
use crate::vectors;

/// Goal: every proof gets the verdict that transparency-dev's own verifier gives it.
#[test]
fn the_proofs_of_transparency_dev_get_their_verdicts() {
    let Some(root) = vectors("tlog/transparency-dev-merkle/testdata") else { return };
    let mut judged = 0;
    for file in json_files(&root) {
        let case: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let is_inclusion = file.strip_prefix(&root).unwrap().starts_with("inclusion");
        let holds = if is_inclusion { is_included(&case) } else { is_consistent(&case) };
        let expected = !case["wantErr"].as_bool().unwrap();
        assert_eq!(holds.is_some(), expected, "{}: {}", file.display(), case["desc"]);
        judged += 1;
    }
    assert_eq!(judged, 196);
}

fn is_included(case: &Value) -> Option<()> {
    let (index, size) = (case["leafIdx"].as_u64()?, case["treeSize"].as_u64()?);
    let (leaf, root) = (hash(&case["leafHash"])?, hash(&case["root"])?);
    verify_inclusion(index, size, leaf, &hashes(&case["proof"])?, root).ok()
}

fn is_consistent(case: &Value) -> Option<()> {
    let (old, new) = (case["size1"].as_u64()?, case["size2"].as_u64()?);
    let (old_root, new_root) = (root(&case["root1"])?, root(&case["root2"])?);
    verify_consistency(old, old_root, new, new_root, &hashes(&case["proof"])?).ok()
}

/// Nothing for what is not 32 bytes: it is refused where it is read.
fn hash(value: &Value) -> Option<Hash> {
    value.as_str()?.parse().ok()
}

/// As a root of trees that may grow, some cases have a text that is no hash. A hash of it
/// stands for it: equal to what it is equal to, and to no other.
fn root(value: &Value) -> Option<Hash> {
    let text = value.as_str()?;
    Some(hash(value).unwrap_or_else(|| leaf_hash(text.as_bytes())))
}

fn hashes(value: &Value) -> Option<Vec<Hash>> {
    value.as_array().map_or(Some(Vec::new()), |list| list.iter().map(hash).collect())
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                return json_files(&path);
            }
            let json = path.extension().is_some_and(|extension| extension == "json");
            if json { vec![path] } else { Vec::new() }
        })
        .collect()
}

/// The log of 15 entries that Tessera's tests read, with a checkpoint for every size.
struct TesseraLog(PathBuf);

impl TesseraLog {
    const ORIGIN: &str = "example.com/log/testdata";
    const KEY: &str =
        "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";

    fn find() -> Option<Self> {
        vectors("tlog/tessera-testlog/testdata/log").map(Self)
    }

    fn keys() -> [VerifierKey; 1] {
        [Self::KEY.parse().unwrap()]
    }

    fn signed(&self, size: u64) -> String {
        fs::read_to_string(self.0.join(format!("checkpoint.{size}"))).unwrap()
    }

    fn checkpoint(&self, size: u64) -> Checkpoint {
        open_checkpoint(&self.signed(size), &Self::keys(), Self::ORIGIN).unwrap()
    }

    fn bundle(&self, bundle: BundleId) -> Vec<u8> {
        fs::read(self.0.join(bundle.path())).unwrap()
    }

    fn nodes(&self, size: u64) -> TileNodes<&Self> {
        TileNodes::new(size, self)
    }
}

impl TileSource for TesseraLog {
    type Error = std::io::Error;
    fn tile(&self, tile: TileId) -> Result<Vec<u8>, std::io::Error> {
        fs::read(self.0.join(tile.path()))
    }
}

/// Goal: a log that another implementation wrote is, byte for byte, what this one would
/// have written of the same entries.
#[test]
fn tesseras_log_is_recomputed_from_its_entries() {
    let Some(log) = TesseraLog::find() else { return };
    for size in 0..=15 {
        let checkpoint = log.checkpoint(size);
        assert_eq!(checkpoint.size(), size);
        let (mut tree, mut full) = (Tree::default(), Vec::new());
        for bundle in bundles_of(size) {
            let bytes = log.bundle(bundle);
            let entries = decode_bundle(&bytes, bundle.width()).unwrap();
            assert_eq!(encode_bundle(entries.iter().copied()).unwrap(), bytes);
            entries.iter().for_each(|entry| tree.append(leaf_hash(entry), &mut full));
        }
        assert_eq!(tree.size(), size);
        assert_eq!(tree.root(), checkpoint.root(), "{size}");
        assert_eq!(full, []);
        let tiles: Vec<_> = tree.partial_tiles().collect();
        assert!(tiles.iter().map(|(tile, _)| *tile).eq(tiles_of(size)));
        for (tile, bytes) in tiles {
            assert_eq!(log.tile(tile).unwrap(), bytes, "{tile}");
        }
        assert_eq!(root_at(size, &log.nodes(size)).unwrap(), checkpoint.root());
        assert_eq!(Tree::rebuild(size, &log.nodes(size)).unwrap(), tree);
    }
}

/// Goal: each checkpoint of that log grew out of each before it, and shows it.
#[test]
fn tesseras_checkpoints_are_consistent_with_each_other() {
    let Some(log) = TesseraLog::find() else { return };
    for new in 1..=15 {
        let new_root = log.checkpoint(new).root();
        for old in 1..=new {
            let proof = consistency_proof(old, new, &log.nodes(new)).unwrap();
            let old_root = log.checkpoint(old).root();
            let verdict = verify_consistency(old, old_root, new, new_root, &proof);
            assert_eq!(verdict, Ok(()), "{old} {new}");
        }
    }
}

/// Goal: each entry of that log has a receipt that holds for it alone.
#[test]
fn tesseras_entries_have_receipts() {
    let Some(log) = TesseraLog::find() else { return };
    let bundle = log.bundle(BundleId::at(0, 15).unwrap());
    let (entries, keys) = (decode_bundle(&bundle, 15).unwrap(), TesseraLog::keys());
    for size in 1..=15 {
        for index in 0..size {
            let hashes = inclusion_proof(index, size, &log.nodes(size)).unwrap();
            let note = log.signed(size).parse().unwrap();
            let text = TlogProof::new(index, hashes, note).unwrap().to_string();
            let proof: TlogProof = text.parse().unwrap();
            for (other, entry) in (0..).zip(&entries) {
                let verdict = proof.verify(entry, &keys, TesseraLog::ORIGIN);
                assert_eq!(verdict.is_ok(), other == index, "{other} {index} {size}");
            }
        }
    }
}

/// Goal: as a witness, the same requests get the same answers that litewitness gives.
#[test]
fn litewitness_and_this_witness_answer_alike() {
    let Some(root) = vectors("tlog/litewitness/cmd/litewitness/testdata") else { return };
    let text = fs::read_to_string(root.join("litewitness.txt")).unwrap();
    let (origin, log_key) = sigsum_log();
    let witness = CosigningKey::new("example.com/witness".parse().unwrap(), &[1; 32]);
    let mut cosigned = None;
    let exchanges = transcript(&text);
    assert_eq!(exchanges.len(), 9);
    for exchange in exchanges {
        let request: AddCheckpoint = exchange.request.parse().unwrap();
        assert_eq!(request.to_string().parse(), Ok(request.clone()));
        let known = KnownLog { keys: std::slice::from_ref(&log_key), cosigned };
        let is_known = request.origin() == origin;
        let (status, body) = match request.decide(is_known.then_some(&known)) {
            Ok(checkpoint) => {
                cosigned = Some((checkpoint.size(), checkpoint.root()));
                let text = request.checkpoint().text();
                (200, format!("{}\n", witness.cosign(text, 1_679_315_147)))
            }
            Err(refusal) => {
                assert_eq!(is_known, refusal != WitnessRefusal::UnknownLog);
                (refusal.status(), refusal.body().1)
            }
        };
        // litewitness answers 403 for an unknown log; the specification has since set 404.
        let expected = if is_known { exchange.status } else { 404 };
        assert_eq!(status, expected, "{}\n{body}", exchange.request);
        assert!(exchange.body.is_none_or(|wanted| wanted == body));
        if status == 200 {
            assert!(body.contains(&exchange.contains.unwrap()), "{body}");
            let cosigned = request.checkpoint().with_cosignatures(&body, &[witness.verifier()]);
            assert_eq!(cosigned.unwrap().signatures().len(), 2);
        }
    }
    assert_eq!(cosigned.map(|(size, _)| size), Some(5));
}
