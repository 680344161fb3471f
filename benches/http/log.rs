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
    let mut recorded = Vec::new();
    let bytes = each_decision(store, |index| recorded.push(index.0));
    answered.sort_unstable_by_key(|range| *range.start());
    let told: Vec<u64> = answered.into_iter().flatten().collect();
    assert_eq!(told.len(), recorded.len(), "answers and recorded decisions differ in number");
    assert!(told == recorded, "an answer is not where it was said to be");
    replayed(store, recorded.len() as u64, bytes)
}

/// As [`account`], where only the number of answers is known.
pub fn counted(app: &App, answered: u64) -> Account {
    let store = &**app.sequencer.store();
    let mut recorded = 0;
    let bytes = each_decision(store, |_| recorded += 1);
    assert_eq!(answered, recorded, "answers and recorded decisions differ in number");
    replayed(store, recorded, bytes)
}

fn replayed(store: &dyn EventStore, decisions: u64, bytes: usize) -> Account {
    let entries = store.size();
    Account {
        entries,
        decisions,
        decision_bytes: bytes as f64 / decisions as f64,
        disk_bytes: store.disk_bytes() as f64 / entries as f64,
        replayed: replay(store),
    }
}

/// Every decision of an application; gives their bytes together.
fn each_decision(store: &dyn EventStore, mut take: impl FnMut(Index)) -> usize {
    let mut bytes = 0;
    each_page(store, |entries| {
        for (index, stored) in entries {
            if let Event::AccessDecided(decided) = decode(*index, stored).unwrap().event
                && decided.set == SetKind::Application
            {
                take(*index);
                bytes += stored.len();
            }
        }
    });
    bytes
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
