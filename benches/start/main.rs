//! Starting, looking back and replaying on a long log: with snapshots and without.
//! `cargo bench --bench start`; what it printed on which machine, and the budgets (start on 1
//! million entries with a snapshot, replay), are in benches/README.md.
//!
//! The log is built by a real node: sled on the disk, its own writer, every group signed,
//! and a snapshot each 100,000 entries. `-- --entries N` sets its length.

#![cfg(test)] // so that the lints take all of this for a test
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod build;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use countersign::audit::Replay;
use countersign::cedar::on_large_stack;
use countersign::event::decode;
use countersign::model::Index;
use countersign::node::Node;
use countersign::projection::{StateDigest, World};
use countersign::sequencer::fold_to;

use build::{Ground, each_page};

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How often each start is measured.
const STARTS: usize = 5;
/// How many pasts are looked at.
const LOOKS: u64 = 12;

fn main() {
    let Some(entries) = entries() else { return };
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let ground = Ground::found(directory.path());
    let begun = Instant::now();
    let state = ground.write(entries);
    let took = begun.elapsed();
    println!("\nBuilt a log of {entries} entries in {:.0} s.", took.as_secs_f64());
    let snapshots = directory.path().join("data/snapshots");
    let (files, bytes) = files(&snapshots);
    println!("{files} snapshots, {:.1} MiB together.\n", bytes as f64 / f64::from(1 << 20));

    println!("| what | with snapshots | without |");
    println!("|---|---:|---:|");
    let (with, looks_with) = measured(&ground, &state);
    let ground = ground.without_snapshots();
    let (without, looks_without) = measured(&ground, &state);
    println!("| start | {} | {} |", shown(with), shown(without));
    let looks = [looks_with, looks_without];
    let [one, two] = looks.each_ref().map(Vec::len);
    let [with, without] = looks.each_ref().map(|looks| shown(looks[looks.len() / 2]));
    println!("| the World as of an entry, median of {one} and of {two} | {with} | {without} |");
    let [with, without] = looks.each_ref().map(|looks| shown(looks[looks.len() - 1]));
    println!("| the slowest of them | {with} | {without} |");
    replayed(&ground, &state);
    drop(ground);
    verified(&directory.path().join("data"));
}

/// The length of the log; none if `cargo test` only asks whether this runs.
fn entries() -> Option<u64> {
    let arguments: Vec<_> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "--test") {
        return None;
    }
    let at = arguments.iter().position(|argument| argument == "--entries");
    Some(at.map_or(1_000_000, |at| arguments[at + 1].parse().unwrap()))
}

/// The median start, and looks into the past in order of what they took. Each start must
/// give the state of the node that wrote the log.
fn measured(ground: &Ground, state: &StateDigest) -> (Duration, Vec<Duration>) {
    // Without snapshots every start folds the whole log: one is enough.
    let has_some = ground.open().snapshots.newest() > 0;
    let mut starts: Vec<_> = (0..if has_some { STARTS } else { 1 })
        .map(|_| {
            let begun = Instant::now();
            let node = ground.open();
            let took = begun.elapsed();
            assert_eq!(node.sequencer.world().digest(), *state);
            took
        })
        .collect();
    starts.sort_unstable();
    let node = ground.open();
    let size = node.sequencer.store().size();
    // From the newest to the oldest: none helps the next.
    let count = if has_some { LOOKS } else { 3 };
    let mut looks: Vec<_> = (1..=count)
        .rev()
        .map(|part| {
            let index = Index(size * part / (count + 1));
            let begun = Instant::now();
            let world = world_at(&node, index);
            let took = begun.elapsed();
            assert_eq!(world.through, Some(index));
            took
        })
        .collect();
    looks.sort_unstable();
    (starts[starts.len() / 2], looks)
}

fn world_at(node: &Node, index: Index) -> World {
    let store = node.sequencer.store();
    let start = node.snapshots.before(&**store, index).unwrap_or_default();
    fold_to(&**store, Some(&node.sealer), start, index).unwrap()
}

/// Replays the whole log, hashing every entry.
fn replayed(ground: &Ground, state: &StateDigest) {
    let node = ground.open();
    let store = node.sequencer.store();
    let begun = Instant::now();
    let report = on_large_stack(|| {
        let mut replay = Replay::new();
        each_page(&**store, |page| {
            for (index, bytes) in page {
                replay.step(&decode(*index, bytes).unwrap());
                replay.hash(bytes);
            }
        });
        replay.report()
    });
    let (took, report) = (begun.elapsed(), report.unwrap());
    assert!(report.clean && report.state == *state, "{report}");
    let rate = report.entries as f64 / took.as_secs_f64();
    println!(
        "\nReplay (read, decode, fold, decide again, hash; clean): {rate:.0} entries/s a core, \
         {} decisions.",
        report.decisions
    );
}

/// Has the real command verify the stopped directory: every entry read, decoded and hashed,
/// the tree held against tiles, checkpoints and signatures.
fn verified(data: &Path) {
    let begun = Instant::now();
    let run = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["verify", "--format", "json", "--data"])
        .arg(data)
        .output()
        .unwrap();
    let took = begun.elapsed();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let told: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(told["clean"], true, "{told}");
    let entries = told["entries"].as_u64().unwrap();
    println!(
        "\n`countersign verify` of that directory, opening included: {:.1} s, {:.0} entries/s.",
        took.as_secs_f64(),
        entries as f64 / took.as_secs_f64()
    );
}

fn files(folder: &Path) -> (usize, u64) {
    let all: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap()).collect();
    (all.len(), all.iter().map(|file| file.metadata().unwrap().len()).sum())
}

fn shown(took: Duration) -> String {
    format!("{:.2} s", took.as_secs_f64())
}
