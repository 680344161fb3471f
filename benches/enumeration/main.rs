//! Whether a refused login tells who is known here, by what it says or by how long it
//! takes: names that nobody has beside persons whose password is wrong, worn out or
//! disabled, who have none, and whose hash was imported. `cargo bench --bench enumeration`;
//! `-- --tries N` for other than 200 tries of each kind.
//!
//! Everything is real: a server on a loopback port, sled on the disk, argon2 at the default
//! cost. Tries are interleaved, so that whatever else the machine does falls on all alike;
//! each is of a name of its own, so that no delay is in the way. Every status and body must
//! be the same; times are compared with those of unknown names by the test of Mann and
//! Whitney.

#![cfg(test)] // so that the lints take all of this for a test
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

#[expect(dead_code, reason = "shared with the bench `http`, which reads headers too")]
#[path = "../http/client.rs"]
mod client;
#[expect(dead_code, reason = "shared with the bench `http`, which has an echo beside the node")]
#[path = "../http/node.rs"]
mod node;
#[path = "../http/others.rs"]
mod others;
mod whitney;

use std::net::SocketAddr;
use std::time::Instant;

use actix_web::rt::System;
use serde_json::{Value, json};

use client::{Connection, call, post};
use node::{PASSWORD, Served, two_factors};

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Tries of each kind: as many as the issue asks for.
const TRIES: usize = 200;
/// Tries when nothing is measured.
const TRIED: usize = 4;
/// One wrong password wears a password out; no failure delays the next.
const SETTINGS: [&str; 3] = [
    "decisions.throttle.failures_free=20",
    "decisions.throttle.failures_max_password=1",
    "limits.logins_per_s=10000",
];
const WRONG: &str = "no password of anybody's";

/// Who is asked for, by name and number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unknown,
    Known,
    WornOut,
    Disabled,
    WithoutPassword,
    Imported,
}

const KINDS: [Kind; 6] = [
    Kind::Unknown,
    Kind::Known,
    Kind::WornOut,
    Kind::Disabled,
    Kind::WithoutPassword,
    Kind::Imported,
];

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Known => "known",
            Self::WornOut => "worn-out",
            Self::Disabled => "disabled",
            Self::WithoutPassword => "without-password",
            Self::Imported => "imported-bcrypt",
        }
    }

    fn name(self, number: usize) -> String {
        format!("{}-{number}", self.as_str())
    }
}

fn main() {
    let Some((tries, rounds)) = arguments() else { return };
    whitney::check();
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let settings = SETTINGS.map(str::to_owned);
    let (served, ticket) = Served::start(directory.path(), &settings, 0);
    let times = System::new().block_on(async {
        let admin = two_factors(served.address, "admin", ticket.expose()).await;
        people(served.address, admin["token"].as_str().unwrap(), tries, rounds).await;
        measured(served.address, tries).await
    });
    told(&times);
    drop(served.stop());
}

/// How many tries of each kind, and the cost of imported hashes; nothing if there is
/// nothing to run (see the bench `http`).
fn arguments() -> Option<(usize, u32)> {
    let all: Vec<String> = std::env::args().skip(1).collect();
    let measure = all.iter().any(|it| it == "--bench") && !all.iter().any(|it| it == "--test");
    if !measure {
        let filter = all.iter().find(|it| !it.starts_with('-'));
        let listed = all.iter().any(|it| it == "--list");
        let here = filter.is_none_or(|filter| "enumeration".contains(filter.as_str()));
        return (here && !listed).then_some((TRIED, 4));
    }
    let given = all.iter().position(|it| it == "--tries");
    let tries = given.map_or(TRIES, |at| all[at + 1].parse().unwrap());
    Some((tries, 12))
}

/// Makes everybody who is asked for, and wears out whose password is to be worn out. One
/// imported hash is tried beforehand: from then on the node knows what they take.
async fn people(address: SocketAddr, admin: &str, tries: usize, rounds: u32) {
    let hash = bcrypt::hash(PASSWORD, rounds).unwrap();
    for number in 0..=tries {
        for kind in [Kind::Known, Kind::WornOut, Kind::Disabled, Kind::WithoutPassword] {
            let name = kind.name(number);
            let made = call(address, "/users/v1", admin, &json!({"name": name}), 201).await;
            if kind != Kind::WithoutPassword {
                let body = json!({"ticket": made["ticket"], "password": PASSWORD});
                call(address, "/auth/v1/enrol", "", &body, 201).await;
            }
        }
        log_in(address, &Kind::WornOut.name(number)).await;
        let name = Kind::Imported.name(number);
        let users = json!({"users": [{"name": name, "hash": hash}]});
        let told = call(address, "/users/v1/import", admin, &users, 200).await;
        assert_eq!(told["imported"], json!([name]));
        disable(address, admin, &Kind::Disabled.name(number)).await;
    }
    for kind in KINDS {
        log_in(address, &kind.name(tries)).await;
    }
}

async fn disable(address: SocketAddr, admin: &str, name: &str) {
    let bearer = format!("Bearer {admin}");
    let path = format!("/users/v1/{name}/disable");
    let mut connection = Connection::open(address).await;
    let request = post(&path, &[("authorization", &*bearer)], "{}");
    assert_eq!(connection.ask(&request).await.status, 204);
}

async fn log_in(address: SocketAddr, name: &str) -> (f64, Value) {
    let mut connection = Connection::open(address).await;
    let body = json!({"username": name, "password": WRONG}).to_string();
    let request = post("/auth/v1/login", &[], &body);
    let begun = Instant::now();
    let answer = connection.ask(&request).await;
    let took = begun.elapsed().as_secs_f64() * 1e3;
    assert_eq!(answer.status, 401, "{name}: {}", String::from_utf8_lossy(answer.body));
    (took, serde_json::from_slice(answer.body).unwrap())
}

/// The milliseconds that each try took, by kind.
async fn measured(address: SocketAddr, tries: usize) -> [Vec<f64>; KINDS.len()] {
    let mut times = KINDS.map(|_| Vec::new());
    let (_, expected) = log_in(address, "nobody").await;
    for number in 0..tries {
        for (kind, times) in KINDS.iter().zip(&mut times) {
            let (took, body) = log_in(address, &kind.name(number)).await;
            assert_eq!(body, expected, "{}", kind.as_str());
            times.push(took);
        }
    }
    times
}

fn told(times: &[Vec<f64>; KINDS.len()]) {
    println!("\n## What a refused login tells\n");
    println!("Status and body were the same for all. Times beside those of unknown names:\n");
    println!("| who | tries | median | p10 | p90 | p (Mann-Whitney, two-sided) |");
    println!("|---|---:|---:|---:|---:|---:|");
    for (kind, theirs) in KINDS.iter().zip(times) {
        let mut sorted = theirs.clone();
        sorted.sort_by(f64::total_cmp);
        let [p10, median, p90] = [10, 50, 90].map(|percent| sorted[sorted.len() * percent / 100]);
        let p = whitney::p_value(theirs, &times[0]);
        println!(
            "| {} | {} | {median:.2} ms | {p10:.2} ms | {p90:.2} ms | {p:.3} |",
            kind.as_str(),
            theirs.len(),
        );
    }
    println!("\nA p of 0.01 and more is what no difference looks like, 99 times in a hundred.");
}
