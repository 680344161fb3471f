//! No secret is kept where it could be read: a whole story is played on the real
//! binary with secrets that are easy to recognise, and then everything that it has
//! left behind is searched for each of them, in every spelling that comes to mind.

mod found;
mod process;
mod spelling;
mod story;

use std::fs;
use std::path::Path;

use countersign::event_store::{EventStore as _, SledStore};
use countersign::model::Index;
use tempfile::TempDir;

use found::Search;
use process::Process;
use story::Story;

/// Goal: the sixth proof. Log, data directory and everything written to
/// standard output and error hold no password, seed, code, ticket or token.
#[test]
fn nothing_that_a_node_leaves_behind_holds_a_secret() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let ticket = process::init(&data);
    let node = Process::serve(&data);
    let story = Story::play(&node.base, &ticket);
    let said = node.stop();

    let files = files(&data);
    let entries = entries(&data.join("log"));
    assert!(entries.len() > 60, "only {} entries", entries.len());
    assert!(said.contains("listening on"), "{said}");

    let mut search = Search::new(&story.secrets);
    for (place, bytes) in files.iter().chain(&entries) {
        search.look(place, bytes);
    }
    search.look("standard output and error", said.as_bytes());
    assert_eq!(search.found, [""; 0]);

    // What must be there is: the search read the right bytes.
    let there = |wanted: &str| {
        let holds = |bytes: &[u8]| bytes.windows(wanted.len()).any(|it| it == wanted.as_bytes());
        (files.iter().any(|(_, bytes)| holds(bytes)), entries.iter().any(|(_, it)| holds(it)))
    };
    for recorded in &story.recorded {
        assert_eq!(there(recorded), (true, true), "{recorded}");
    }
}

/// Every file below a directory, with its name.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    all
}

/// Every entry of a stopped log, as stored.
fn entries(log: &Path) -> Vec<(String, Vec<u8>)> {
    let store = SledStore::open(log).unwrap();
    let size = usize::try_from(store.size()).unwrap();
    let page = store.read(Index(0), size, usize::MAX).unwrap();
    page.into_iter().map(|(index, bytes)| (format!("entry {index}"), bytes)).collect()
}
