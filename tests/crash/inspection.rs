//! What an auditor does who comes after each kill: verifies the whole log, against the
//! log's key and the checkpoint kept from the time before.

use std::fs;
use std::path::PathBuf;

use countersign::audit::{Claims, Verification};
use countersign::event_store::{EventStore, SledStore};
use countersign::model::Index;
use countersign::tlog::{TileId, VerifierKey};

use crate::binary::Ground;
use crate::ledger::Ledger;

/// Entries read at a time.
const PAGE: usize = 4_096;

/// An auditor, the log's key in hand.
pub struct Inspection {
    data: PathBuf,
    key: VerifierKey,
    /// The checkpoint kept from the time before, and where a copy is.
    kept: Option<String>,
    copy: PathBuf,
}

impl Inspection {
    pub fn of(ground: &Ground) -> Self {
        let key = fs::read_to_string(ground.at("log.vkey")).unwrap();
        let (data, copy) = (ground.data().into(), ground.at("kept"));
        Self { data, key: key.trim().parse().unwrap(), kept: None, copy }
    }

    /// Verifies the log in the stopped directory as `countersign verify` does, and reads on
    /// in it. Keeps its checkpoint for the next time.
    #[track_caller]
    pub fn assert_verifies(&mut self, ledger: &mut Ledger) {
        let store = SledStore::open(self.data.join("log")).unwrap();
        let head = store.checkpoint().unwrap().unwrap();
        let outside = fs::read_to_string(self.data.join("checkpoint")).unwrap();
        let kept = self.kept.iter().map(|kept| ("the time before".to_owned(), kept.clone()));
        let kept = kept.chain([("published".to_owned(), outside)]).collect();
        let keys = vec![self.key.clone()];
        let claims = Claims { head: head.clone(), kept, keys, ..Claims::default() };
        let mut verification = Verification::of(claims);
        let compare = |verification: &mut Verification, tiles: Vec<(TileId, Vec<u8>)>| {
            for (tile, computed) in tiles {
                let stored = store.tile(tile).unwrap();
                verification.compare(tile, &computed, stored.as_deref());
            }
        };
        while verification.entries() < store.size() {
            let page = store.read(Index(verification.entries()), PAGE, usize::MAX).unwrap();
            assert!(!page.is_empty(), "the log ends before its size");
            for (index, bytes) in page {
                verification.step(&bytes);
                if index.0 == ledger.len() as u64 {
                    ledger.take(std::str::from_utf8(&bytes).unwrap());
                }
            }
            let filled = verification.filled();
            compare(&mut verification, filled);
        }
        let verified = verification.report();
        assert!(verified.clean, "{verified}");
        assert!(verified.kept.iter().all(|kept| kept.holds), "{verified}");
        fs::write(&self.copy, &head).unwrap();
        self.kept = Some(head);
    }

    /// The same by the program itself.
    #[track_caller]
    pub fn assert_found_clean(&self, ground: &Ground) {
        let [data, key, kept] =
            [&self.data, &ground.at("log.vkey"), &self.copy].map(|path| path.display().to_string());
        let verify = ["verify", "--data", &data, "--key", &key, "--since", &kept];
        ground.run(&[&verify[..], &["--format", "json"]].concat()).done();
    }
}
