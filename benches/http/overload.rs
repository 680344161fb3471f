//! More than the server can do: requests arrive at a rate of their own, whether or not
//! those before them have been answered.

use std::time::{Duration, Instant};

use actix_web::rt::{System, spawn, time::sleep_until};

use crate::client::Connection;
use crate::load::Question;
use crate::samples::percentiles;
use crate::table::shown;

/// Connections that offer the load together.
const CONNECTIONS: usize = 2_000;

/// What came of one offered rate.
#[derive(Default)]
pub struct Offered {
    /// From when it was due to its answer.
    pub accepted: Vec<Duration>,
    /// The same, from when it was sent.
    served: Vec<Duration>,
    refused: Vec<Duration>,
    /// Where in the log the answers are.
    indices: Vec<u64>,
    took: Duration,
}

impl Offered {
    /// The 99th percentile of what was accepted, for people.
    pub fn p99(&self) -> String {
        let [p99] = percentiles(&self.accepted, [99.0]);
        shown(p99)
    }
}

/// Offers these multiples of a capacity (requests a second), each for so long, and prints
/// what became of them. Every answer is an allow or a 503 that says when to come back.
/// Gives the log indices of what was accepted.
pub fn overload(question: &Question, capacity: f64, time: Duration) -> Vec<u64> {
    println!("\n## Overload: an open loop on {CONNECTIONS} connections\n");
    println!("Offered in multiples of {capacity:.0} requests/s, the closed loop's rate.\n");
    println!(
        "Since due: what a caller waits who comes at that rate, the generator's own lateness \
         included, for it shares the processors. Since sent: what the server takes.\n"
    );
    println!(
        "| offered | offered/s | accepted/s | refused/s | since due: p50 | p99 | since sent: p50 \
         | p99 | max | refused, since sent: p50 | p99 |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    let mut indices = Vec::new();
    for multiple in [0.5, 0.8, 1.5, 3.0] {
        let rate = capacity * multiple;
        let offered = offer(question, rate, CONNECTIONS, time);
        let seconds = offered.took.as_secs_f64();
        let [due50, due99] = percentiles(&offered.accepted, [50.0, 99.0]).map(shown);
        let [p50, p99, max] = percentiles(&offered.served, [50.0, 99.0, 100.0]).map(shown);
        let [refused50, refused99] = percentiles(&offered.refused, [50.0, 99.0]).map(shown);
        println!(
            "| {multiple}× | {:.0} | {:.0} | {:.0} | {due50} | {due99} | {p50} | {p99} | {max} \
             | {refused50} | {refused99} |",
            rate,
            offered.accepted.len() as f64 / seconds,
            offered.refused.len() as f64 / seconds,
        );
        indices.extend(offered.indices);
    }
    indices
}

/// Offers a rate for a time on some connections. Every answer is the question's or a 503.
pub fn offer(question: &Question, rate: f64, connections: usize, time: Duration) -> Offered {
    System::new().block_on(async {
        let mut open = Vec::new();
        for _ in 0..connections {
            open.push(Connection::open(question.address).await);
        }
        let begun = Instant::now();
        let every = Duration::from_secs_f64(connections as f64 / rate);
        let tasks: Vec<_> = (0_u32..)
            .zip(open)
            .map(|(nth, connection)| {
                let first = begun + every * nth / connections as u32;
                spawn(arrive(connection, question.clone(), (first, every), begun + time))
            })
            .collect();
        let mut offered = Offered::default();
        for task in tasks {
            let done = task.await.unwrap();
            offered.accepted.extend(done.accepted);
            offered.served.extend(done.served);
            offered.refused.extend(done.refused);
            offered.indices.extend(done.indices);
        }
        offered.took = begun.elapsed();
        offered
    })
}

/// Asks on a schedule. A request that could not be sent in time because the one before it
/// was not answered yet has waited since it was due: else a slow server would seem fast
/// for being asked less.
async fn arrive(
    mut connection: Connection,
    question: Question,
    (first, every): (Instant, Duration),
    end: Instant,
) -> Offered {
    let (mut done, mut due) = (Offered::default(), first);
    while due < end {
        let late = Instant::now() > due;
        if !late {
            sleep_until(due.into()).await;
        }
        let sent = Instant::now();
        let since = if late { due } else { sent };
        let answer = connection.ask(&question.request).await;
        let (waited, took) = (since.elapsed(), sent.elapsed());
        if answer.status == 503 {
            assert!(answer.header("retry-after").is_some(), "a 503 without Retry-After");
            done.refused.push(took);
        } else if let Some(range) = question.check(&answer, None) {
            done.accepted.push(waited);
            done.served.push(took);
            done.indices.extend(range);
        }
        due += every;
    }
    done
}
