//! A real run of the real program, recorded: a founding, people at work, two kills, a
//! stop, and what everybody was told meanwhile.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::thread;

use countersign::event::{Envelope, Event, decode};
use countersign::event_store::{EventStore as _, SledStore};
use countersign::model::Index;

use super::cut;
use super::operation::{Deed, Story};
use super::strace::{self, Reader};
use crate::binary::{Ground, found_program};
use crate::house::{House, Person};
use crate::load::{Alice, load};

/// At which commit of its life the first server is killed: written, but not synced.
const KILLED_AT: &str = "inject=fdatasync:signal=KILL:when=60";

/// What happened, and what is on record of it.
pub struct Recording {
    pub story: Story,
    /// The entries, byte for byte.
    pub entries: Vec<Vec<u8>>,
    /// For each operation, how many entries had been acknowledged by then.
    pub acknowledged: Vec<usize>,
    /// After how many operations the founder was told that the log is founded.
    pub founded: usize,
    /// The folder it happened in; gone when dropped.
    _house: House,
}

impl Recording {
    /// Records; nothing if there is no tracer on this machine.
    pub fn make() -> Option<Self> {
        let tracer = found_program("strace")?;
        let mut ground = Ground::new();
        let mut story = Story::of(&ground.at(""));
        let mut lines = 0;
        let mut pipe = Pipe::on(&ground.at("calls"), &tracer);
        ground.under = pipe.under(&[]);
        let (mut house, tickets) = House::found_on(ground);
        lines = pipe.end(&mut story, lines);

        let mut alice = None;
        for (nth, more) in [&["-e", KILLED_AT][..], &[], &[]].into_iter().enumerate() {
            pipe = Pipe::on(&house.ground.at("calls"), &tracer);
            house.ground.under = pipe.under(more);
            serve(nth, &house, &tickets, &mut alice);
            lines = pipe.end(&mut story, lines);
        }
        house.ground.under = Vec::new();
        assert_nothing_escaped(&story, &house.ground.at(""));
        Some(Self::of(story, house))
    }

    fn of(story: Story, house: House) -> Self {
        let store = SledStore::open(Path::new(&house.ground.data()).join("log")).unwrap();
        let entries = store.read(Index(0), usize::MAX, usize::MAX).unwrap();
        let entries: Vec<_> = entries.into_iter().map(|(_, bytes)| bytes).collect();
        let record = Record::of(&entries);
        let (mut said, mut known, mut founded) = (0, 0, None);
        let mut acknowledged = vec![0];
        for (at, operation) in story.operations.iter().enumerate() {
            let told = match &operation.deed {
                Deed::Say => {
                    founded.get_or_insert(at + 1);
                    said += 1;
                    record.by_run[said - 1]
                }
                // A 503 says that nothing was recorded.
                Deed::Answer { request, status } if *status != 503 => {
                    record.by_request.get(request).copied().unwrap_or_default()
                }
                _ => 0,
            };
            known = known.max(told);
            acknowledged.push(known);
        }
        assert_eq!(said, record.by_run.len(), "each run has said something");
        Self { story, entries, acknowledged, founded: founded.unwrap(), _house: house }
    }
}

/// What each answer has acknowledged, as a number of entries.
struct Record {
    by_run: Vec<usize>,
    by_request: HashMap<String, usize>,
}

impl Record {
    fn of(entries: &[Vec<u8>]) -> Self {
        let entries: Vec<Envelope> =
            (0..).zip(entries).map(|(index, bytes)| decode(Index(index), bytes).unwrap()).collect();
        let mut record = Self { by_run: Vec::new(), by_request: HashMap::new() };
        // A founding is one group, and ends with the key that signs it.
        let adopted = |it: &Envelope| matches!(it.event, Event::SigningKeyAdopted(_));
        let founded = entries.iter().position(adopted).unwrap() + 1;
        record.by_run.push(founded);
        for (number, entry) in (1..).zip(&entries) {
            if let Some(request) = &entry.correlation {
                record.by_request.insert(request.clone(), number);
            }
            let by_run = matches!(
                entry.event,
                Event::PersonRegistered(_) | Event::ServiceRegistered(_) | Event::NodeStarted(_)
            );
            if by_run && number > founded {
                record.by_run.push(number);
            }
        }
        record
    }
}

/// Serves for a while: killed by the tracer, killed by us, or asked to end.
fn serve(nth: usize, house: &House, tickets: &[String], alice: &mut Option<Alice>) {
    let server = house.serve();
    let url = server.url.clone();
    let alice = alice.get_or_insert_with(|| {
        tickets.iter().for_each(|ticket| House::enrol(&server, ticket));
        Alice::new(Person::with_two_factors(&server, "alice"))
    });
    match nth {
        0 => {
            load(house, &url, alice, |_| true, || assert_eq!(server.ended(), None));
        }
        1 => {
            load(house, &url, alice, |told| told.len() > 80, || server.kill());
        }
        _ => {
            load(house, &url, alice, |told| told.len() > 40, || server.terminate());
            assert_eq!(server.ended(), Some(0));
        }
    }
}

/// The pipe from the tracer to us.
struct Pipe {
    tracer: String,
    path: String,
    /// Held open for writing, so that it does not end between two programs.
    keeper: File,
    reading: thread::JoinHandle<Vec<String>>,
}

impl Pipe {
    fn on(path: &Path, tracer: &str) -> Self {
        let _gone = fs::remove_file(path);
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, path, mode).unwrap();
        let keeper = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let reader = BufReader::with_capacity(1 << 20, File::open(path).unwrap());
        let reading = thread::spawn(|| reader.lines().map(Result::unwrap).collect());
        let (tracer, path) = (tracer.to_owned(), path.display().to_string());
        Self { tracer, path, keeper, reading }
    }

    fn under(&self, more: &[&str]) -> Vec<String> {
        strace::command(&self.tracer, &self.path, more)
    }

    /// Waits until every tracer has told all, and adds it to the story.
    fn end(self, story: &mut Story, lines: usize) -> usize {
        drop(self.keeper);
        let mut reader = Reader::after(lines);
        for line in self.reading.join().unwrap() {
            if let Some(call) = reader.take(&line) {
                story.take(&call);
            }
        }
        reader.cut_off().iter().for_each(|call| story.take(call));
        reader.lines()
    }
}

/// What the trace says was written is what is on the disk.
fn assert_nothing_escaped(story: &Story, root: &Path) {
    let mut found = BTreeMap::new();
    read(root, "", &mut found);
    found.retain(|path, _| path.starts_with("/data"));
    let told = cut::whole(story).files();
    assert_eq!(told.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>());
    for (path, bytes) in &found {
        assert!(told[path] == *bytes, "{path} is not as the trace tells it");
    }
}

fn read(folder: &Path, path: &str, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = format!("{path}/{}", entry.file_name().to_str().unwrap());
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => read(&entry.path(), &path, found),
            kind if kind.is_file() => {
                found.insert(path, fs::read(entry.path()).unwrap());
            }
            _ => {}
        }
    }
}
