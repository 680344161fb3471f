//! An export of ours in the hands of others: Go's own reading of notes and tiles
//! (`signed_note` and `tlog_tiles` are ports of x/mod), and a tree kept in memory.

use std::fs;
use std::path::{Path, PathBuf};

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use serde_json::{Value, json};
use sha2::Sha256;
use signed_note::{StandardVerifier, VerifierList};
use tlog_tiles::{Tile, TileHashReader, TileReader};

use crate::call::call;

/// A data directory with more entries than one tile holds, its export and verifier key.
fn exported(ground: &Path) -> (PathBuf, String) {
    let at = |name: &str| ground.join(name).display().to_string();
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let shipped = |path: &str| root.join(path).display().to_string();
    let (data, folder) = (at("data"), at("export"));
    let (policies, schema) = (shipped("policies/cloud"), shipped("schemas/cloud.cedarschema"));
    let init = ["init", "--data", &data, "--policies", &policies, "--schema", &schema];
    run(&[&init[..], &["--origin", "log.example/conformance"]].concat());
    let role = |nth: u32| {
        let uid = json!({"type": "Role", "id": format!("role-{nth}")});
        json!({"uid": uid, "attrs": {}, "parents": []})
    };
    let entities: Vec<Value> = (0..700).map(role).collect();
    fs::write(ground.join("entities.json"), json!(entities).to_string()).unwrap();
    run(&["entities", "put", &at("entities.json"), "--data", &data]);
    run(&["log", "export", &folder, "--data", &data]);
    let shown = run(&["keygen", "--show", "--data", &data, "--format", "json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    (folder.into(), shown["keys"][0]["verifier_key"].as_str().unwrap().to_owned())
}

/// Runs a command that ends well; what it said.
fn run(arguments: &[&str]) -> String {
    let (code, said) = call(arguments);
    assert_eq!(code, 0, "{arguments:?}: {said}");
    said
}

struct Folder<'a>(&'a Path);

impl TileReader for Folder<'_> {
    fn height(&self) -> u8 {
        8
    }
    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        // Their paths are those of Go's checksum database: `tile/8/…` for `tile/…`.
        let read = |tile: &Tile| {
            let path = tile.path().replacen("tile/8/", "tile/", 1);
            fs::read(self.0.join(&path)).unwrap_or_else(|error| panic!("{path}: {error}"))
        };
        Ok(tiles.iter().map(read).collect())
    }
    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// The entries of all bundles: 16 bits of length, then as many bytes.
fn entries(folder: &Path, size: u64) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for bundle in 0..size.div_ceil(256) {
        let width = (size - bundle * 256).min(256);
        let partial = if width < 256 { format!(".p/{width}") } else { String::new() };
        let bytes = fs::read(folder.join(format!("tile/entries/{bundle:03}{partial}"))).unwrap();
        let mut rest = bytes.as_slice();
        while let [high, low, tail @ ..] = rest {
            let (entry, tail) = tail.split_at(usize::from(u16::from_be_bytes([*high, *low])));
            all.push(entry.to_vec());
            rest = tail;
        }
        assert!(rest.is_empty(), "bundle {bundle} ends within an entry");
    }
    all
}

/// Goal: an auditor who trusts nobody verifies our log with somebody else's tool.
#[test]
fn others_verify_an_export_of_ours() {
    let ground = tempfile::tempdir().unwrap();
    let (folder, key) = exported(ground.path());

    let note = fs::read(folder.join("checkpoint")).unwrap();
    let note = signed_note::Note::from_bytes(&note).unwrap();
    let known = VerifierList::new(vec![Box::new(StandardVerifier::new(&key).unwrap())]);
    let (verified, unknown) = note.verify(&known).unwrap();
    assert_eq!((verified.len(), unknown.len()), (1, 0));
    let signed = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
    assert_eq!(signed.origin(), "log.example/conformance");
    let (size, root) = (signed.size(), *signed.hash());
    assert!(size > 700, "more than two tiles");

    let entries = entries(&folder, size);
    assert_eq!(entries.len() as u64, size);
    let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    entries.iter().for_each(|entry| tree.push(entry.clone()));
    assert_eq!(tree.root().as_bytes().as_slice(), root.0);

    let tiles = Folder(&folder);
    let reader = TileHashReader::new(size, root, &tiles);
    for (index, entry) in (0..).zip(&entries) {
        let proof = tlog_tiles::prove_record(size, index, &reader).unwrap();
        let leaf = tlog_tiles::record_hash(entry);
        tlog_tiles::check_record(&proof, size, root, index, leaf).unwrap();
    }
}
