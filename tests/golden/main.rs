//! Logs of builds before this one. Whatever this build can do, it reads them, and what
//! they amount to is what it was.
//!
//! A version is two files: `v1.ndjson`, a log with at least one entry of each type that
//! was known when it was written, one stored entry a line, byte for byte; and
//! `v1.state.json`, the digest of the state it folds to.
//!
//! To add a version, because an event type or a payload's form is new: let it happen in
//! `history.rs`, put the next name at the end of [`VERSIONS`], run this test once
//! (it writes the two files and fails, saying so), and commit them.
//!
//! Never change one. A log that has been committed is what deployments have on their
//! disks: if this build cannot read it, this build is wrong. A state file changes only
//! if what the World holds is meant to change, in a commit of its own that says why;
//! delete it and run this test once.

#![cfg(test)]

mod history;
mod passkeys;
mod passwords;
mod recovery;
mod scribe;
mod sealed;
mod shadow;
mod tickets;
mod versions;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use countersign::audit::Replay;
use countersign::cedar::on_large_stack;
use countersign::event::{Envelope, Event, NewEvent, Stamp, Tail, decode};
use countersign::model::Index;
use countersign::projection::World;
use serde_json::Value;

/// Every version there has been, oldest first.
const VERSIONS: [&str; 8] = ["v1", "v2", "v2-sealed", "v3", "v4", "v5", "v6", "v7"];

/// What was said once, and goes without saying by now.
const UNSAID: [(&str, &str); 3] =
    [("datacontenttype", "application/json"), ("set", "application"), ("source", "countersign")];

/// Goal: a deployment may skip any number of releases.
#[test]
fn an_old_log_is_read_and_amounts_to_what_it_did() {
    for version in VERSIONS {
        let log = entries(version);
        let world = on_large_stack(|| World::fold(&log)).unwrap();
        let state = serde_json::to_string_pretty(&world.digest()).unwrap() + "\n";
        let kept = file(version, "state.json", || state.clone());
        assert_eq!(state, kept, "{version}: another state than it was");
    }
}

/// Goal: an auditor may ask about any past, and hears the same.
#[test]
fn an_old_log_replays() {
    for version in VERSIONS {
        let (log, mut replay) = (entries(version), Replay::new());
        on_large_stack(|| log.iter().for_each(|entry| replay.step(entry))).unwrap();
        let report = replay.report();
        assert!(report.clean && report.decisions > 0, "{version}: {report}");
    }
}

/// Goal: what is in an entry does not get lost on the way into this build.
#[test]
fn everything_in_an_old_entry_is_read() {
    for version in VERSIONS {
        for (line, entry) in lines(version).iter().zip(entries(version)) {
            let (was, is) = (json(line), json(&written_again(entry)));
            assert!(holds(&is, &was), "{version}: of {was} this build has read {is}");
        }
    }
}

/// Goal: no event type is forgotten here.
#[test]
fn every_event_type_is_in_an_old_log() {
    let logs = VERSIONS.into_iter().flat_map(entries);
    let there: BTreeSet<_> = logs.map(|entry| entry.event.type_name()).collect();
    assert_eq!(there, Event::TYPE_NAMES.iter().copied().collect());
}

fn entries(version: &str) -> Vec<Envelope> {
    let read = |(index, line): (u64, &String)| decode(Index(index), line.as_bytes()).unwrap();
    (0..).zip(&lines(version)).map(read).collect()
}

fn lines(version: &str) -> Vec<String> {
    let written = if version == "v2-sealed" { sealed::written } else { history::written };
    let write = || on_large_stack(written).unwrap().join("\n") + "\n";
    file(version, "ndjson", write).lines().map(str::to_owned).collect()
}

/// The file of a version. One that is not there is written, once.
fn file(version: &str, extension: &str, write: impl FnOnce() -> String) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let path = folder.join(format!("{version}.{extension}"));
    if path.exists() {
        return fs::read_to_string(path).unwrap();
    }
    fs::write(&path, write()).unwrap();
    panic!("{} was not there and has been written: look at it, and commit it", path.display());
}

/// What this build would have stored.
fn written_again(entry: Envelope) -> String {
    let Envelope { id, time, index, version, causation, log, .. } = entry;
    let Envelope { actor, correlation, whence, event, .. } = entry;
    let new = NewEvent { actor, correlation, whence, event };
    let stamp = Stamp { id, time, index, version, causation };
    String::from_utf8(Tail::new(new, log).unwrap().stamp(stamp).0).unwrap()
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

/// True if all of `part` is in `whole`; what a build adds of its own does not matter.
fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(name, value)| match whole.get(name) {
                Some(found) => holds(found, value),
                None => value.as_str().is_some_and(|it| UNSAID.contains(&(name, it))),
            })
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(a, b)| holds(a, b))
        }
        _ => whole == part,
    }
}
