//! What an entity takes in memory: the resident set of a process that holds a directory
//! and little else.

use std::fs;
use std::process::Command;
use std::time::Duration;

use countersign::projection::{Change, Directory};

use crate::ground::{compiled, founded};
use crate::samples::timed;
use crate::workload::{Organisation, Workload};
use crate::workloads;

/// Makes this process one that measures: `--memory NAME ENTITIES`.
const FLAG: &str = "--memory";
/// Few at a time, so that what is thrown away is not what is measured.
const TOGETHER: usize = 1_000;

pub struct Taken {
    pub workload: &'static str,
    pub entities: usize,
    /// Bytes an entity as its author wrote it, with its place in the hierarchy.
    pub untyped: f64,
    /// Bytes an entity once a decision has looked at it.
    pub typed: f64,
    /// What typing one takes, when it is first looked at.
    pub typing: Duration,
}

/// Has another process measure, so that nothing that this one did before counts.
pub fn measured(workload: &'static Workload, entities: usize) -> Taken {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args([FLAG, workload.name, &entities.to_string()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    let figures: Vec<u64> = told.split_whitespace().map(|it| it.parse().unwrap()).collect();
    let [before, untyped, typed, nanos] = figures[..] else { panic!("{told}") };
    let bytes = |from: u64, to: u64| to.saturating_sub(from) as f64 / entities as f64;
    Taken {
        workload: workload.name,
        entities,
        untyped: bytes(before, untyped),
        typed: bytes(before, typed),
        typing: Duration::from_nanos(nanos),
    }
}

/// In the process that measures: prints the resident set before, with the directory, and
/// with all of it typed, in bytes, and the nanoseconds that typing one took. True if this
/// is that process.
pub fn measuring() -> bool {
    let all: Vec<_> = std::env::args().skip(1).collect();
    let [flag, name, entities] = all.as_slice() else { return false };
    if flag != FLAG {
        return false;
    }
    let workload = workloads().into_iter().find(|one| one.name == name).unwrap();
    let organisation = Organisation { workload, size: entities.parse().unwrap() };
    let world = founded(workload);
    let before = resident();
    let mut directory = Directory::default();
    let mut documents = organisation.documents().peekable();
    while documents.peek().is_some() {
        let changes: Vec<_> = documents.by_ref().take(TOGETHER).map(Change::Put).collect();
        directory = directory.with(&changes).unwrap();
    }
    assert_eq!(directory.len(), organisation.size);
    let untyped = resident();
    let schema = &compiled(&world).schema;
    let (fit, time) = timed(|| directory.iter().all(|node| node.typed(schema).is_ok()));
    assert!(fit);
    let (typed, nanos) = (resident(), time.as_nanos() / organisation.size as u128);
    println!("{before} {untyped} {typed} {nanos}");
    true
}

/// proc(5), `VmRSS` of `/proc/self/status`, in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
