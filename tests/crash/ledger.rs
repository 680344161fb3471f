//! What clients have been told, and what is on record.

use std::collections::{HashMap, HashSet};

use countersign::audit::Replay;
use countersign::cedar::on_large_stack;
use countersign::event::{Envelope, Event, Verdict, decode};
use countersign::model::{Index, SetKind};
use uuid::Uuid;

use crate::wire::{Arrived, Wire};

/// What a client has been told, and what must therefore be on record.
#[derive(Debug)]
pub enum Told {
    /// Decisions, by the first and the last one's id and index, and each one's verdict.
    Decided { ids: [Uuid; 2], indices: [u64; 2], verdicts: Vec<bool> },
    /// Something that the log tells by an event of this type, under the request's id.
    Done { request: String, kind: &'static str },
}

impl Told {
    /// An answer of `/access/v1/evaluation` or `…/evaluations`.
    pub fn decided(answer: &Arrived) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.text);
        let verdict = |item: &serde_json::Value| item["decision"].as_bool().unwrap();
        let verdicts = match answer.body["evaluations"].as_array() {
            Some(items) => items.iter().map(verdict).collect(),
            None => vec![verdict(&answer.body)],
        };
        let ids = ends(answer.header("countersign-decision")).map(|id| id.parse().unwrap());
        let indices = ends(answer.header("countersign-index")).map(|at| at.parse().unwrap());
        Self::Decided { ids, indices, verdicts }
    }

    /// An answer that says that something has been recorded.
    pub fn done(answer: &Arrived, kind: &'static str) -> Self {
        Self::Done { request: answer.request.clone(), kind }
    }
}

/// The first and the last of `first/last`, or of one that is both.
fn ends(header: &str) -> [&str; 2] {
    header.split_once('/').map_or([header; 2], |(first, last)| [first, last])
}

/// The log, as an auditor has read it.
#[derive(Default)]
pub struct Ledger {
    lines: Vec<String>,
    entries: Vec<Envelope>,
    by_request: HashMap<String, Vec<usize>>,
    replay: Replay,
}

impl Ledger {
    /// Reads what has been recorded since.
    pub fn read_on(&mut self, url: &str, auditor: &str) {
        let wire = Wire::to(url);
        loop {
            let path = format!("/audit/v1/entries?from={}", self.entries.len());
            let page = wire.get(&path, auditor).unwrap();
            assert_eq!(page.status, 200, "{}", page.text);
            page.text.lines().for_each(|line| self.take(line));
            if page.headers.get("countersign-next").is_none() {
                break;
            }
        }
    }

    /// Takes the next entry, if it is the next: no gap, and its id above the last.
    pub fn take(&mut self, line: &str) {
        let at = self.entries.len();
        let entry = decode(Index(at as u64), line.as_bytes()).unwrap();
        assert_eq!(entry.index, Index(at as u64));
        assert!(self.entries.last().is_none_or(|last| last.id < entry.id), "ids at {at}");
        if let Some(request) = &entry.correlation {
            self.by_request.entry(request.clone()).or_default().push(at);
        }
        self.entries.push(entry);
        self.lines.push(line.to_owned());
    }

    /// Fails unless each decision comes out as recorded when it is taken again, and
    /// each entry follows the one before it. Costs what has been read since.
    #[track_caller]
    pub fn assert_replays(&mut self) {
        let (replay, entries) = (&mut self.replay, &self.entries);
        let done = usize::try_from(replay.entries()).unwrap();
        on_large_stack(|| entries[done..].iter().for_each(|entry| replay.step(entry))).unwrap();
        assert!(self.replay.report().clean, "{}", self.replay.report());
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Fails unless all of it is on record, as it was told.
    #[track_caller]
    pub fn assert_holds<'a>(&self, told: impl IntoIterator<Item = &'a Told>) {
        for one in told {
            match one {
                Told::Decided { ids, indices: [first, last], verdicts } => {
                    let at = usize::try_from(*first).unwrap()..=usize::try_from(*last).unwrap();
                    let there = self.entries.get(at).unwrap_or_else(|| panic!("lost: {one:?}"));
                    let recorded: Vec<_> = there.iter().filter_map(verdict).collect();
                    assert_eq!(&recorded, verdicts, "{one:?}");
                    assert_eq!([there[0].id, there[there.len() - 1].id], *ids, "{one:?}");
                }
                Told::Done { request, kind } => {
                    let there = self.by_request.get(request).map_or(&[][..], Vec::as_slice);
                    let kinds: Vec<_> =
                        there.iter().map(|at| self.entries[*at].event.type_name()).collect();
                    assert!(kinds.contains(kind), "lost: {one:?} among {kinds:?}");
                }
            }
        }
    }

    /// Fails if an application's decision is on record from an index on that nobody
    /// was told.
    #[track_caller]
    pub fn assert_all_told(&self, from: usize, told: &[Told]) {
        let mut known = HashSet::new();
        for one in told {
            if let Told::Decided { indices: [first, last], .. } = one {
                known.extend(*first..=*last);
            }
        }
        for entry in &self.entries[from..] {
            let counts = matches!(&entry.event, Event::AccessDecided(decided)
                if decided.set == SetKind::Application);
            assert!(!counts || known.contains(&entry.index.0), "nobody was told: {entry:?}");
        }
    }

    /// Fails unless the other is the same log, byte for byte, as far as this one goes.
    #[track_caller]
    pub fn assert_begins(&self, other: &Self) {
        assert_eq!(other.lines.get(..self.lines.len()), Some(self.lines.as_slice()));
    }
}

fn verdict(entry: &Envelope) -> Option<bool> {
    match &entry.event {
        Event::AccessDecided(decided) => Some(decided.decision == Verdict::Allow),
        _ => None,
    }
}
