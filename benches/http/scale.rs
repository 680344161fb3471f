//! The same question while the directory changes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use actix_web::rt::{System, time::sleep_until};
use serde_json::{Value, json};

use crate::client::{Connection, post};

/// Changes of the directory in one request.
const TOGETHER: u64 = 20;

/// Rounds of changes so far; each user's next differs from their last.
static ROUND: AtomicU64 = AtomicU64::new(0);
/// Users that move.
const USERS: u64 = 1_000;

/// Changes the directory all the while, at a rate of its own.
pub struct Changing {
    stop: Arc<AtomicBool>,
    made: Arc<AtomicU64>,
    begun: Instant,
    thread: JoinHandle<()>,
}

impl Changing {
    /// Starts to move users between roles, so many a second.
    pub fn start(address: SocketAddr, author: &str, a_second: u64) -> Self {
        let (stop, made) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&made));
        let bearer = format!("Bearer {author}");
        let thread = thread::spawn(move || {
            System::new().block_on(async {
                let mut connection = Connection::open(address).await;
                let every = Duration::from_secs_f64(TOGETHER as f64 / a_second as f64);
                let mut due = Instant::now();
                while !stopped.load(Ordering::Relaxed) {
                    let round = ROUND.fetch_add(1, Ordering::Relaxed);
                    let put: Vec<_> = (0..TOGETHER).map(|n| user(round, n)).collect();
                    let headers = [("authorization", &*bearer)];
                    let request = post("/entities/v1", &headers, &json!({"put": put}).to_string());
                    let answer = connection.ask(&request).await;
                    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(answer.body));
                    counted.fetch_add(TOGETHER, Ordering::Relaxed);
                    due += every;
                    sleep_until(due.into()).await;
                }
            });
        });
        Self { stop, made, begun: Instant::now(), thread }
    }

    /// Ends it; gives how many changes a second there were.
    pub fn stop(self) -> f64 {
        let seconds = self.begun.elapsed().as_secs_f64();
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.made.load(Ordering::Relaxed) as f64 / seconds
    }
}

/// One of a thousand users, each time in another role.
fn user(round: u64, n: u64) -> Value {
    let nth = round * TOGETHER + n;
    let (nth, moves) = (nth % USERS, nth / USERS);
    let role = ["employee", "contractor"][usize::from(moves % 2 == 0)];
    json!({
        "uid": {"type": "User", "id": format!("moving-{nth}")},
        "attrs": {},
        "parents": [{"type": "Role", "id": role}],
    })
}
