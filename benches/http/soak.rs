//! Mixed load for a long time: does anything grow that should not?

use std::fs;
use std::time::{Duration, Instant};

use crate::load::{Flood, PAUSE, Question};
use crate::node::{Served, Tokens};
use crate::overload::offer;
use crate::scale::Changing;

/// Evaluations a second, so that half an hour's log fits on a disk.
const RATE: f64 = 1_500.0;
/// Batches of a hundred a second.
const BATCHES: f64 = 3.0;
/// Changes of the directory a second.
const CHANGES: u64 = 40;
/// Logins of unknown names at a time.
const LOGINS: usize = 1;
/// Connections that evaluate.
const CONNECTIONS: usize = 64;
/// What may still settle: buffers, arenas and the snapshots' first round.
const WARM_UP: Duration = Duration::from_secs(180);
const ROUND: Duration = Duration::from_secs(15);

/// What the process holds.
#[derive(Clone, Copy)]
pub struct Held {
    pub resident_mib: u64,
    files: usize,
}

/// Loads the node for so many minutes and prints what it held meanwhile. Gives how many
/// decisions were answered.
pub fn soak(
    single: &Question,
    batch: &Question,
    served: &Served,
    tokens: &Tokens,
    minutes: u64,
) -> u64 {
    println!("\n## Soak: {minutes} minutes of mixed load\n");
    println!(
        "{RATE} evaluations, {BATCHES} batches of 100 and {CHANGES} changes of the directory a \
         second, {LOGINS} logins of unknown names at a time; client and server in one process.\n"
    );
    println!("| minute | resident | open files | p99 of evaluations |");
    println!("|---:|---:|---:|---:|");
    let flood = Flood::start(served.address, LOGINS, PAUSE);
    let changing = Changing::start(served.address, &tokens.author, CHANGES);
    let begun = Instant::now();
    let (mut decisions, mut settled, mut minute) = (0, Vec::new(), 0);
    while begun.elapsed() < Duration::from_secs(minutes * 60) {
        let batches = std::thread::scope(|scope| {
            let beside = scope.spawn(|| offer(batch, BATCHES, 2, ROUND).accepted.len() as u64);
            let round = offer(single, RATE, CONNECTIONS, ROUND);
            decisions += round.accepted.len() as u64;
            let now = Held::now();
            if begun.elapsed() > WARM_UP {
                settled.push(now);
            }
            if begun.elapsed().as_secs() / 60 >= minute {
                minute += 1;
                println!(
                    "| {minute} | {} MiB | {} | {} |",
                    now.resident_mib,
                    now.files,
                    round.p99()
                );
            }
            beside.join().unwrap()
        });
        decisions += batches * batch.entries;
    }
    let changes = changing.stop();
    let (hashed, refused) = flood.stop();
    told(&settled);
    println!("{changes:.0} changes a second; {hashed} logins hashed, {refused} refused.");
    decisions
}

fn told(settled: &[Held]) {
    let (first, last) = settled.split_at(settled.len() / 2);
    let mean = |part: &[Held]| {
        part.iter().map(|held| held.resident_mib).sum::<u64>() / (part.len() as u64).max(1)
    };
    let files = |part: &[Held]| part.iter().map(|held| held.files).max().unwrap_or_default();
    println!(
        "\nAfter {} s of warm-up, resident memory was {} MiB on average in the first half and {} \
         MiB in the second; open files at most {} and {}.",
        WARM_UP.as_secs(),
        mean(first),
        mean(last),
        files(first),
        files(last),
    );
}

impl Held {
    /// Of this process: proc(5), `/proc/self/status` and `/proc/self/fd`.
    pub fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        Self { resident_mib: kib / 1024, files: fs::read_dir("/proc/self/fd").unwrap().count() }
    }
}
