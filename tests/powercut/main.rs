//! The power, cut. What anybody has been told is still on record, and the node starts,
//! whatever of that which was not synced has reached the disk.
//!
//! A real run of the real program is recorded call by call; from the record are made the
//! states in which a power cut may leave the disk, and a node is started on each. Which
//! states are made is drawn from a seed that is printed; `COUNTERSIGN_SEED=…` draws
//! others, `COUNTERSIGN_STATES=…` more of them.

#![cfg(test)]

#[allow(dead_code)] // the other tests that run the program use the rest
#[path = "../binary/mod.rs"]
mod binary;
mod cut;
#[allow(dead_code)] // the other tests that use it want the rest
#[path = "../hostile/dice.rs"]
mod dice;
#[allow(dead_code)] // the other tests that use it want the rest
#[path = "../crash/house.rs"]
mod house;
mod image;
#[allow(dead_code)] // the other tests that use it want the rest
#[path = "../crash/ledger.rs"]
mod ledger;
#[path = "../crash/load.rs"]
mod load;
mod operation;
mod recording;
mod strace;
mod verdict;
#[allow(dead_code)] // the other tests that use it want the rest
#[path = "../crash/wire.rs"]
mod wire;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::thread;

use countersign::model::Digest;
use tempfile::TempDir;

use cut::{Broken, Cut, Remains};
use dice::Dice;
use recording::Recording;
use verdict::{Bench, Start, Verdict};

/// Distinct states that are opened.
const STATES: usize = 1_000;
/// Threads that open them.
const THREADS: usize = 2;
/// On one of so many a whole node is started, which also goes on.
const WHOLE: usize = 5;

static RECORDING: LazyLock<Option<Recording>> = LazyLock::new(Recording::make);

/// Goal: 0 acknowledged events lost, and every state opens. Only before the founder was
/// told that the log is founded may a state refuse, in words.
#[test]
fn no_power_cut_loses_what_was_acknowledged() {
    let Some(recording) = &*RECORDING else { return };
    let states = asked("COUNTERSIGN_STATES", STATES);
    let tally = survey(recording, states, Broken::Nothing);
    println!("{}", tally.told(recording));
    assert!(tally.wrong.is_empty(), "{:#?}", tally.wrong);
    assert_eq!(tally.opened + tally.refused_before_founding, states);
    assert!(tally.with_acknowledged > states / 2, "{tally:?}");
}

/// Goal: the simulator can fail. Without its own `fdatasync` the log loses what it has
/// acknowledged: `sync_file_range`, which is all that sled does, promises nothing.
#[test]
fn without_its_data_syncs_the_log_would_lose_groups() {
    let Some(recording) = &*RECORDING else { return };
    let tally = survey(recording, 60, Broken::DataSyncs);
    println!("{} of 60 states lose something without fdatasync", tally.lost);
    assert!(tally.lost > 10, "{tally:#?}");
}

/// Goal: and without the syncs of folders, what is in them may be gone.
#[test]
fn without_syncs_of_folders_the_log_would_not_be_found() {
    let Some(recording) = &*RECORDING else { return };
    let tally = survey(recording, 60, Broken::FolderSyncs);
    println!("{} of 60 states lose something without syncs of folders", tally.lost);
    assert!(tally.lost > 10, "{tally:#?}");
}

/// What came of all states.
#[derive(Debug, Default)]
struct Tally {
    states: usize,
    opened: usize,
    with_acknowledged: usize,
    with_more_than_acknowledged: usize,
    refused_before_founding: usize,
    lost: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn told(&self, recording: &Recording) -> String {
        let (operations, entries) = (recording.story.operations.len(), recording.entries.len());
        let acknowledged = recording.acknowledged.last().unwrap();
        format!(
            "{} states of {operations} operations and {entries} entries ({acknowledged} \
            acknowledged): {} opened, {} of them with acknowledged entries and {} with more, \
            {} refused before the founding was told, {} lost something, {} wrong in all",
            self.states,
            self.opened,
            self.with_acknowledged,
            self.with_more_than_acknowledged,
            self.refused_before_founding,
            self.lost,
            self.wrong.len(),
        )
    }
}

/// Opens so many distinct states.
fn survey(recording: &Recording, states: usize, broken: Broken) -> Tally {
    let seed = asked("COUNTERSIGN_SEED", 1);
    println!("COUNTERSIGN_SEED={seed}");
    let place = TempDir::new_in(fast_disk()).unwrap();
    let operations = recording.story.operations.len();
    let tally = Mutex::new(Tally::default());
    let seen = Mutex::new(HashSet::<Digest>::new());
    let bench = Bench::default();
    let next = AtomicUsize::new(0);
    let work = |name: usize| {
        loop {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            let mut dice = Dice::of(seed as u64, nth);
            let after = dice.below(operations + 1);
            let remains = Cut::after(&recording.story, after, broken).draw(&mut dice);
            let fresh = seen.lock().unwrap().insert(remains.digest());
            if !fresh && nth < 100 * states {
                continue;
            }
            let mut so_far = tally.lock().unwrap();
            if so_far.states == states {
                return;
            }
            so_far.states += 1;
            let is_whole = so_far.states.is_multiple_of(WHOLE);
            drop(so_far);
            let start = if is_whole { Start::Whole } else { Start::Brief };
            let folder = place.path().join(name.to_string());
            remains.store(&folder);
            let verdict = bench.verdict(&folder, start);
            std::fs::remove_dir_all(&folder).unwrap();
            judge(recording, after, &remains, verdict, &mut tally.lock().unwrap());
        }
    };
    thread::scope(|scope| {
        let work = &work;
        (0..THREADS).for_each(|name| {
            scope.spawn(move || work(name));
        });
    });
    tally.into_inner().unwrap()
}

fn judge(
    recording: &Recording,
    after: usize,
    remains: &Remains,
    verdict: Verdict,
    tally: &mut Tally,
) {
    let acknowledged = recording.acknowledged[after];
    let is_founded = after >= recording.founded;
    let told = &remains.told;
    match verdict {
        Verdict::Opened { entries, faults } => {
            tally.opened += 1;
            tally.with_acknowledged += usize::from(acknowledged > 0);
            tally.with_more_than_acknowledged += usize::from(entries.len() > acknowledged);
            if entries.len() < acknowledged {
                tally.lost += 1;
                let there = entries.len();
                tally.wrong.push(format!("{there} of {acknowledged} are left: {told}"));
            } else if !recording.entries.starts_with(&entries) {
                tally.wrong.push(format!("entries differ: {told}"));
            }
            tally.wrong.extend(faults.into_iter().map(|fault| format!("{fault}: {told}")));
        }
        Verdict::Refused(_) if !is_founded => tally.refused_before_founding += 1,
        Verdict::Refused(why) => {
            tally.lost += 1;
            tally.wrong.push(format!("it refuses ({why}): {told}"));
        }
        Verdict::Panicked(why) => tally.wrong.push(format!("it panics ({why}): {told}")),
    }
}

/// Memory if there is a disk of it with room for a few logs: what is measured is not how
/// fast a disk syncs.
fn fast_disk() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let room = rustix::fs::statvfs(memory).map_or(0, |disk| disk.f_bavail * disk.f_frsize);
    let enough = room >= 512 << 20;
    if enough { memory.to_owned() } else { env!("CARGO_TARGET_TMPDIR").into() }
}

/// A number that the environment may name.
fn asked(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |number| number.parse().unwrap())
}
