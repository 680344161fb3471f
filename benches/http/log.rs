//! What the log says after the load: it must hold each answer, and nothing else.

use std::ops::RangeInclusive;
use std::thread;
use std::time::{Duration, Instant};

use countersign::audit::Replay;
use countersign::event::{Event, decode};
use countersign::event_store::EventStore;
use countersign::http::App;
use countersign::model::{Index, SetKind};

/// Entries and bytes read at a time.
const PAGE: (usize, usize) = (4_096, 8 << 20);

/// The log's own account.
pub struct Account {
    pub entries: u64,
    pub decisions: u64,
    /// Bytes of one recorded decision, on average.
    pub decision_bytes: f64,
    /// Bytes on disk for each entry, on average.
    pub disk_bytes: f64,
    /// How long reading, folding and deciding again took.
    pub replayed: Duration,
}

/// Compares the log with the indices that were answered, and replays it.
pub fn account(app: &App, mut answered: Vec<RangeInclusive<u64>>) -> Account {
    let store = &**app.sequencer.store();
    let (mut recorded, mut bytes) = (Vec::new(), 0);
    each_page(store, |entries| {
        for (index, stored) in entries {
            if let Event::AccessDecided(decided) = decode(*index, stored).unwrap().event
                && decided.set == SetKind::Application
            {
                recorded.push(index.0);
                bytes += stored.len();
            }
        }
    });
    answered.sort_unstable_by_key(|range| *range.start());
    let told: Vec<u64> = answered.into_iter().flatten().collect();
    assert_eq!(told.len(), recorded.len(), "answers and recorded decisions differ in number");
    assert!(told == recorded, "an answer is not where it was said to be");
    let decisions = recorded.len() as u64;
    let entries = store.size();
    Account {
        entries,
        decisions,
        decision_bytes: bytes as f64 / decisions as f64,
        disk_bytes: store.disk_bytes() as f64 / entries as f64,
        replayed: replay(store),
    }
}

fn each_page(store: &dyn EventStore, mut take: impl FnMut(&[(Index, Vec<u8>)])) {
    let mut next = Index(0);
    while next.0 < store.size() {
        let page = store.read(next, PAGE.0, PAGE.1).unwrap();
        take(&page);
        next = page.last().unwrap().0.next();
    }
}

/// Replays the log on one thread; whatever it finds ends the bench.
fn replay(store: &dyn EventStore) -> Duration {
    let begun = Instant::now();
    let work = || {
        let mut replay = Replay::new();
        each_page(store, |entries| {
            entries
                .iter()
                .for_each(|(index, stored)| replay.step(&decode(*index, stored).unwrap()));
        });
        replay.report()
    };
    let report = thread::scope(|scope| {
        let large = thread::Builder::new().stack_size(64 << 20);
        large.spawn_scoped(scope, work).unwrap().join().unwrap()
    });
    assert!(report.clean, "{report:?}");
    begun.elapsed()
}
