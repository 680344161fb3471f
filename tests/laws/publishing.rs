//! What the writer signs, on its way out: published, and taken to witnesses.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use countersign::authn::Refusal;
use countersign::checkpoint::{Asked, CheckpointFile, Publisher, Witnesses, size_of};
use countersign::clock::ManualClock;
use countersign::entropy::SeededEntropy;
use countersign::event::{CheckpointCosigned, Event, LogCreated, SigningKeyAdopted};
use countersign::event_store::MemoryStore;
use countersign::model::Digest;
use countersign::sequencer::{
    Expected, Log, Notary, Origin, Sequencer, SequencerSettings, Sources,
};
use countersign::telemetry::Metrics;
use countersign::tlog::{SigningKey, leaf_hash};
use uuid::Uuid;

use crate::writer::{noon, tick};

/// Tells which sizes it was asked about.
struct Witness(Sender<u64>);

impl Witnesses for Witness {
    fn ask(&mut self, note: &str) -> Asked {
        self.0.send(size_of(note).unwrap()).unwrap();
        Asked::default()
    }
}

fn sequencer(publisher: Publisher, notary: Notary) -> Sequencer {
    let sources = Sources {
        store: Arc::new(MemoryStore::new()),
        clock: Arc::new(ManualClock::at(noon())),
        entropy: Arc::new(SeededEntropy::new(11)),
        metrics: Arc::new(Metrics::new().unwrap()),
        notary: Arc::new(notary),
        publisher: Arc::new(publisher),
    };
    Sequencer::start(Log::default(), sources, SequencerSettings::default()).unwrap()
}

/// Waits until the checkpoint of so many entries is published.
fn published(sequencer: &Sequencer, size: u64) {
    while sequencer.publisher().published().as_deref().and_then(size_of) != Some(size) {
        std::thread::yield_now();
    }
}

/// Goal: two logs that cosign each other come to rest: that one has cosigned is published
/// at once, but is no news to take to the other; what follows is.
#[tokio::test]
async fn what_was_only_cosigned_is_published_but_no_news() {
    let ground = tempfile::tempdir().unwrap();
    let file = CheckpointFile::at(ground.path().join("checkpoint"));
    let (asked, heard) = channel();
    let publisher = Publisher::witnessed(file.clone(), None, Witness(asked)).unwrap();
    let (notary, credential) = (Notary::default(), Uuid::from_u128(1));
    let key = SigningKey::new("log.example".parse().unwrap(), &[1; 32]);
    let (verifier_key, sealed) = (key.verifier(), Digest::of("sealed"));
    notary.hold(credential, key);
    let sequencer = sequencer(publisher, notary);
    let record = async |events: Vec<Event>| {
        let decide = move |_: &_, _| Ok::<_, Refusal>(events);
        sequencer.commit(Origin::node(), Expected::default(), decide).await.unwrap();
    };
    let cosigned = |size: u64| {
        let (origin, root) = ("other.example/log".to_owned(), leaf_hash(&size.to_be_bytes()));
        Event::CheckpointCosigned(CheckpointCosigned { origin, size, root })
    };

    record(vec![Event::LogCreated(LogCreated { log: Uuid::from_u128(7) })]).await;
    let adopted = SigningKeyAdopted { verifier_key, credential, sealed };
    record(vec![Event::SigningKeyAdopted(adopted)]).await;
    assert_eq!(heard.recv(), Ok(2));
    record(vec![cosigned(1)]).await;
    published(&sequencer, 3);
    record(vec![cosigned(2), tick("news")]).await;
    assert_eq!(heard.recv(), Ok(5));
    record(vec![cosigned(3)]).await;
    published(&sequencer, 6);
    assert!(heard.try_recv().is_err());
    drop(sequencer);

    // The end is one, and no news for the other log either.
    assert_eq!(heard.iter().collect::<Vec<_>>(), [6]);
    assert_eq!(file.read().unwrap().as_deref().and_then(size_of), Some(6));
}
