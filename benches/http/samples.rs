//! What a round of requests took.

use std::fs;
use std::time::{Duration, Instant};

/// The latencies of some requests and the time they took together. Nothing is
/// thrown away: percentiles come from all of them, sorted.
#[derive(Default)]
pub struct Samples {
    latencies: Vec<Duration>,
    /// Answers times what one answer holds: 1, or the items of a batch.
    pub decisions: u64,
    elapsed: Duration,
    cpu: Duration,
}

impl Samples {
    /// What some requests took since `begun`.
    pub fn since(begun: &Begun, latencies: Vec<Duration>, decisions: u64) -> Self {
        let cpu = cpu_time().saturating_sub(begun.cpu);
        Self { latencies, decisions, elapsed: begun.at.elapsed(), cpu }
    }

    /// Adds another round, taken at another time.
    pub fn add(&mut self, round: Self) {
        self.latencies.extend(round.latencies);
        self.decisions += round.decisions;
        self.elapsed += round.elapsed;
        self.cpu += round.cpu;
    }

    pub fn requests(&self) -> usize {
        self.latencies.len()
    }

    /// Requests a second.
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// Decisions a second.
    pub fn decision_rate(&self) -> f64 {
        self.decisions as f64 / self.elapsed.as_secs_f64()
    }

    /// Processor time of this process for one request, client and servers together; it
    /// says more than the rate where others use the machine, too.
    pub fn cpu(&self) -> Duration {
        self.cpu / self.latencies.len().max(1) as u32
    }

    /// The least latency that at least so many percent of all do not exceed
    /// (nearest rank).
    pub fn percentiles<const N: usize>(&self, percent: [f64; N]) -> [Duration; N] {
        percentiles(&self.latencies, percent)
    }
}

/// The least of some latencies that at least so many percent of all do not exceed
/// (nearest rank); 0 if there are none.
pub fn percentiles<const N: usize>(all: &[Duration], percent: [f64; N]) -> [Duration; N] {
    let mut sorted = all.to_vec();
    sorted.sort_unstable();
    percent.map(|percent| {
        let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.max(1) - 1).copied().unwrap_or_default()
    })
}

/// The start of a round.
pub struct Begun {
    at: Instant,
    cpu: Duration,
}

impl Begun {
    pub fn now() -> Self {
        Self { at: Instant::now(), cpu: cpu_time() }
    }
}

/// User and system time of this process, in ticks of 10 ms: proc(5), `/proc/self/stat`.
fn cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = behind_name.split(' ').skip(11).take(2);
    Duration::from_millis(ticks.filter_map(|it| it.parse::<u64>().ok()).sum::<u64>() * 10)
}
