//! `/log/v1` over a real socket: a C2SP tlog-tiles log that any client of that format reads.

use countersign::tlog::{
    TlogProof, Tree, VerifierKey, bundles_of, decode_bundle, leaf_hash, open_checkpoint, tiles_of,
};

use crate::app::Answer;
use crate::office::{Office, ask, setup};

/// An office whose log has entries, and an auditor's token.
fn opened(public: bool) -> (Office, String) {
    let office = Office::with(&setup().with_setting(&format!("log.public={public}")));
    let body = serde_json::json!({"scopes": ["audit"]});
    let made = office.app.post("/tokens/v1", &office.admin.token, &body).expect(201);
    (office, made["token"].as_str().unwrap().to_owned())
}

fn keys(answer: &Answer) -> Vec<VerifierKey> {
    let keys = answer.expect(200);
    let keys = keys["keys"].as_array().unwrap();
    keys.iter().map(|key| key["verifier_key"].as_str().unwrap().parse().unwrap()).collect()
}

/// Goal: what a monitor reads of the log is the log: signed, whole, and not a byte more.
#[test]
fn every_file_of_the_log_is_there_and_fits() {
    let (office, auditor) = opened(false);
    let get = |path: &str| office.app.get(&format!("/log/v1/{path}"), &auditor);
    let keys = keys(&get("keys"));
    let note = get("checkpoint");
    assert_eq!(note.header("content-type"), "text/plain; charset=utf-8");
    let origin = keys[0].name().to_string();
    let signed = open_checkpoint(&note.text, &keys, &origin).unwrap();

    let (mut tree, mut tiles) = (Tree::default(), Vec::new());
    for bundle in bundles_of(signed.size()) {
        let answer = get(&bundle.path());
        assert_eq!(answer.header("content-type"), "application/octet-stream");
        assert!(answer.header("cache-control").contains("immutable"));
        let entries = decode_bundle(answer.raw(200), bundle.width()).unwrap();
        entries.iter().for_each(|entry| tree.append(leaf_hash(entry), &mut tiles));
    }
    assert_eq!((tree.size(), tree.root()), (signed.size(), signed.root()));
    tiles.extend(tree.partial_tiles());
    assert_eq!(tiles.len(), tiles_of(signed.size()).count());
    for (tile, hashes) in &tiles {
        assert_eq!(get(&tile.path()).raw(200), hashes, "{tile}");
    }
    // Whoever saw an older checkpoint finds its partial tiles too.
    assert_eq!(get("tile/0/000.p/3").raw(200), &tiles[0].1[..96]);
    for missing in ["tile/0/001", "tile/7/000", "tile/entries/009.p/4", "tile/0/0", "tile/x"] {
        assert_eq!(get(missing).expect(404)["code"], "not_found", "{missing}");
    }
}

#[test]
fn the_log_is_for_auditors_unless_it_is_public() {
    let (office, _) = opened(false);
    for path in ["/log/v1/checkpoint", "/log/v1/tile/0/000.p/1", "/log/v1/keys"] {
        office.app.raw("GET", path, &[], b"").expect(401);
        office.app.get(path, &office.pep).expect(403);
    }
    let (office, _) = opened(true);
    for path in ["/log/v1/checkpoint", "/log/v1/tile/0/000.p/1", "/log/v1/keys"] {
        office.app.raw("GET", path, &[], b"").raw(200);
    }
    office.app.raw("POST", "/log/v1/keys", &[], b"").expect(401);
}

/// Goal: who was answered can have the receipt at once.
#[test]
fn a_receipt_is_there_as_soon_as_the_answer() {
    let (office, auditor) = opened(false);
    let keys = keys(&office.app.get("/log/v1/keys", &auditor));
    let origin = keys[0].name().to_string();
    for user in ["alice", "bob"] {
        let answer = office.app.evaluate(&office.pep, &ask(user, "read", "plan"));
        let decision = answer.header("countersign-decision");
        let path = format!("/audit/v1/decisions/{decision}/proof");
        let receipt = office.app.get(&path, &auditor);
        let receipt: TlogProof = receipt.text.parse().unwrap();
        let entry = receipt.extra().unwrap();
        receipt.verify(entry, &keys, &origin).unwrap();
        let entry = String::from_utf8(entry.to_vec()).unwrap();
        assert!(entry.contains(decision) && entry.contains(user), "{entry}");
        assert_eq!(receipt.index().to_string(), answer.header("countersign-index"));
        office.app.get(&path, &office.pep).expect(403);
    }
    let nobodys = "/audit/v1/decisions/01a2f6c8-5d3e-7b41-9c0a-2f6e8d1b3a57/proof";
    office.app.get(nobodys, &auditor).expect(404);
}
