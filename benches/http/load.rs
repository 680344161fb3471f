//! Closed-loop load: each connection asks again as soon as it has been answered.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use actix_web::rt::{System, spawn, time::sleep_until};
use serde_json::json;

use crate::client::{Answer, Connection, post};
use crate::samples::{Begun, Samples};

/// A request and the answer that it must get.
#[derive(Clone)]
pub struct Question {
    pub address: SocketAddr,
    pub request: Arc<Vec<u8>>,
    pub body: Arc<String>,
    /// How many entries of the log the answer rests on; none for an echo.
    pub entries: u64,
}

/// How long a round lasts.
#[derive(Clone, Copy)]
pub enum Length {
    Time(Duration),
    /// So many requests on each connection.
    Requests(usize),
}

impl Question {
    /// Checks an answer and gives the log indices that it names.
    pub fn check(&self, answer: &Answer<'_>, before: Option<u64>) -> Option<RangeInclusive<u64>> {
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(answer.body));
        assert_eq!(answer.body, self.body.as_bytes());
        if self.entries == 0 {
            return None;
        }
        assert_eq!(answer.header("countersign-durability"), Some("fsync"));
        let named = answer.header("countersign-index").unwrap();
        let (first, last) = named.split_once('/').unwrap_or((named, named));
        let range = first.parse().unwrap()..=last.parse().unwrap();
        assert_eq!(range.end() - range.start() + 1, self.entries);
        assert!(before < Some(*range.start()), "index {named} after {before:?}");
        Some(range)
    }
}

/// What one connection has done: its latencies, and where its answers are in the log.
type Done = (Vec<Duration>, Vec<RangeInclusive<u64>>);

/// Asks over some connections at once, all on this thread; gives the samples, and
/// the log indices of all answers. Every answer is checked before it counts.
pub fn round(
    question: &Question,
    connections: usize,
    length: Length,
) -> (Samples, Vec<RangeInclusive<u64>>) {
    System::new().block_on(async {
        let mut open = Vec::new();
        for _ in 0..connections {
            open.push(Connection::open(question.address).await);
        }
        let begun = Begun::now();
        let tasks: Vec<_> =
            open.into_iter().map(|it| spawn(converse(it, question.clone(), length))).collect();
        let (mut latencies, mut indices) = (Vec::new(), Vec::new());
        for task in tasks {
            let done = task.await.unwrap();
            latencies.extend(done.0);
            indices.extend(done.1);
        }
        let decisions = latencies.len() as u64 * question.entries;
        (Samples::since(&begun, latencies, decisions), indices)
    })
}

async fn converse(mut connection: Connection, question: Question, length: Length) -> Done {
    let begun = Instant::now();
    let (mut latencies, mut indices) = (Vec::new(), Vec::new());
    let mut newest = None;
    let mut sent = begun;
    while match length {
        Length::Time(time) => sent - begun < time,
        Length::Requests(requests) => latencies.len() < requests,
    } {
        let answer = connection.ask(&question.request).await;
        let heard = Instant::now();
        if let Some(range) = question.check(&answer, newest) {
            newest = Some(*range.end());
            indices.push(range);
        }
        latencies.push(heard - sent);
        sent = Instant::now();
    }
    (latencies, indices)
}

/// Logins of invented names from a thread of its own, more at a time than the hasher's
/// queue takes.
pub struct Flood {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
    hashed: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
}

/// How long an attacker waits after a refusal on average, unless a rate is asked for. Without
/// any pause the flood would be one of cheap requests, not of hashes.
pub const PAUSE: Duration = Duration::from_millis(50);

/// Names tried so far: one that is tried again soon would be throttled, not hashed.
static NAMES: AtomicU64 = AtomicU64::new(0);

impl Flood {
    /// Starts it and waits until it has been turned away, or is served without a queue.
    pub fn start(address: SocketAddr, connections: usize, pause: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (hashed, refused) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let flood = (Arc::clone(&stop), Arc::clone(&hashed), Arc::clone(&refused));
        let attack = move || {
            give_way();
            let (stop, hashed, refused) = flood;
            System::new().block_on(async {
                let log_in = || {
                    let (hashed, refused) = (Arc::clone(&hashed), Arc::clone(&refused));
                    spawn(log_in(address, Arc::clone(&stop), (hashed, refused), pause))
                };
                let tasks: Vec<_> = (0..connections).map(|_| log_in()).collect();
                for task in tasks {
                    task.await.unwrap();
                }
            });
        };
        let thread = thread::Builder::new().name("flood".to_owned()).spawn(attack).unwrap();
        let full = || refused.load(Ordering::Relaxed) > 0;
        let fast = || hashed.load(Ordering::Relaxed) > connections as u64;
        while !full() && !fast() {
            assert!(!thread.is_finished(), "the flood has ended early");
            thread::yield_now();
        }
        Self { stop, thread, hashed, refused }
    }

    /// Ends it; gives how many passwords were hashed and how many refused.
    pub fn stop(self) -> (u64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        (self.hashed.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }
}

/// Has the thread of the flood's clients give way to all others: strangers do not share the
/// node's processors, nor those of whoever asks it for decisions.
fn give_way() {
    #[cfg(target_os = "linux")]
    rustix::process::setpriority_process(None, 19).unwrap();
}

/// The nth pause, long or short as those of a Poisson process are: strangers come one by one,
/// and those who were refused together do not come back together.
fn pause_after(nth: u64, mean: Duration) -> Duration {
    /// Its multiples fall evenly between 0 and 1, in no order that shows.
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let drawn = (nth as f64 * GOLDEN).fract();
    mean.mul_f64(-drawn.max(1e-6).ln())
}

async fn log_in(
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    (hashed, refused): (Arc<AtomicU64>, Arc<AtomicU64>),
    pause: Duration,
) {
    let mut connection = Connection::open(address).await;
    while !stop.load(Ordering::Relaxed) {
        let nth = NAMES.fetch_add(1, Ordering::Relaxed);
        let name = format!("nobody-{nth}");
        let body = json!({"username": name, "password": "no password of anybody's"}).to_string();
        let answer = connection.ask(&post("/auth/v1/login", &[], &body)).await;
        match answer.status {
            401 => hashed.fetch_add(1, Ordering::Relaxed),
            429 | 503 => refused.fetch_add(1, Ordering::Relaxed),
            other => panic!("{other}: {}", String::from_utf8_lossy(answer.body)),
        };
        if answer.status != 401 {
            sleep_until((Instant::now() + pause_after(nth, pause)).into()).await;
        }
    }
}
