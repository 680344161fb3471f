//! The program under attack: whatever reaches an endpoint, it answers, and answers with
//! a decision, a refusal or a deliberate 503; afterwards it is as sound as before.
//!
//! What is sent is drawn from a seed that is printed; `COUNTERSIGN_SEED=…` draws
//! something else, `COUNTERSIGN_REQUESTS=…` more of it.

#![cfg(test)]

mod auditor;
#[allow(dead_code)] // the tests that kill the program use the rest
#[path = "../binary/mod.rs"]
mod binary;
mod body;
mod dice;
mod house;
mod page;
mod report;
mod request;
mod strike;
mod target;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign::http::TEMPLATES;

use dice::Dice;
use house::House;
use request::Request;
use strike::strike;
use target::{Target, targets};
use wire::{Heard, Wire};

/// Connections that are kept alive. Most of the time each waits for the disk, which does
/// the work of all in one go.
const CLIENTS: usize = 16;

/// Goal: nobody brings the node down, makes it wait, or has it record what cannot be
/// decided again.
#[test]
fn no_request_breaks_the_node() {
    let (seed, count) = (number("COUNTERSIGN_SEED", 1), number("COUNTERSIGN_REQUESTS", 10_000));
    println!("COUNTERSIGN_SEED={seed} COUNTERSIGN_REQUESTS={count}");
    let house = House::open();
    let targets = targets(&house);
    assert_covers_every_route(&house, &targets);
    targets.iter().for_each(|target| assert_opens(&house, target));

    let told = attack(&house, &targets, seed, usize::try_from(count).unwrap());

    println!("{told:#?}");
    assert_sound(house);
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

/// Fails if an endpoint, or a method of one, is not among the targets.
fn assert_covers_every_route(house: &House, targets: &[Target]) {
    let mut covered: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for target in targets {
        covered.entry(target.template).or_default().insert(target.method);
    }
    let all: BTreeSet<_> = TEMPLATES.into_iter().collect();
    assert_eq!(covered.keys().copied().collect::<BTreeSet<_>>(), all);
    for target in targets {
        let refused = house.ask("PURGE", &target.paths[0], "", None);
        assert_eq!((refused.status, target.template), (405, target.template));
        let allowed: BTreeSet<_> = refused.header("allow").split(", ").collect();
        assert_eq!((&covered[target.template], target.template), (&allowed, target.template));
    }
}

/// Fails unless the honest call gets past the guard and the reading of its body, and is
/// stopped there without its token.
fn assert_opens(house: &House, target: &Target) {
    let asked = |token| {
        let mut wire = Wire::to(&house.server.url);
        let request = Request::honest(target, token);
        wire.send(&request.bytes);
        match wire.hear(false) {
            Heard::Answer(answer) => answer,
            other => panic!("{}: {}", request.shown(), other.shown()),
        }
    };
    let place = format!("{} {}", target.method, target.template);
    if !target.tokens.is_empty() {
        // A page shows a stranger where to sign in.
        let stopped = if target.is_page { 303 } else { 401 };
        assert_eq!((asked(None).status, place.as_str()), (stopped, place.as_str()));
    }
    let answer = asked(target.tokens.first());
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, target.honest, "{place}: {body}");
}

/// How often each template has been answered with each status; 0 stands for a connection
/// that was closed.
type Told = BTreeMap<&'static str, BTreeMap<u16, usize>>;

/// Sends so many requests over several connections, and more where several go together.
fn attack(house: &House, targets: &[Target], seed: u64, count: usize) -> Told {
    let plan: Vec<_> =
        targets.iter().flat_map(|target| std::iter::repeat_n(target, target.weight)).collect();
    let (next, told, fault) = (AtomicUsize::new(0), Mutex::new(Told::new()), Mutex::new(None));
    let turn = |wire: &mut Wire, nth: usize| {
        let mut dice = Dice::of(seed, nth);
        let together = if nth.is_multiple_of(20) { 4 } else { 1 };
        // Every target has its turn before any has its next.
        let chosen: Vec<_> = (nth..nth + together).map(|at| plan[at % plan.len()]).collect();
        let request = |(place, target): (usize, &&Target)| {
            Request::hostile(target, format!("hostile-{nth}-{place}"), &mut dice)
        };
        let requests: Vec<_> = chosen.iter().enumerate().map(request).collect();
        let statuses = strike(wire, &requests)?;
        let mut told = told.lock().unwrap();
        for (target, status) in chosen.iter().zip(statuses) {
            *told.entry(target.template).or_default().entry(status).or_default() += 1;
        }
        Ok::<_, String>(())
    };
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut wire = Wire::to(&house.server.url);
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= count {
                        break;
                    }
                    if let Err(what) = turn(&mut wire, nth) {
                        next.store(count, Ordering::Relaxed);
                        fault.lock().unwrap().get_or_insert(format!("turn {nth}: {what}"));
                    }
                }
            });
        }
    });
    if let Some(fault) = fault.into_inner().unwrap() {
        panic!("{fault}\n{}", house.ground.server_log());
    }
    told.into_inner().unwrap()
}
/// Fails unless the node still works, ends when asked to, and has recorded nothing that
/// does not come out the same again.
fn assert_sound(house: House) {
    for path in ["/healthz", "/readyz"] {
        assert_eq!(house.ask("GET", path, "", None).status, 200);
    }
    // A password for each of seven, two authenticators, a key to cosign by, and what is being
    // replaced just now.
    assert!(house.sealed() <= 17, "{} secrets lie in the vault", house.sealed());
    let House { ground, server, office, .. } = house;
    let mut replay = ground.program(&["replay", "--server", &server.url]);
    let replay = replay.env("COUNTERSIGN_TOKEN", office).output().unwrap();
    assert!(replay.status.success(), "{}", String::from_utf8_lossy(&replay.stdout));
    server.terminate();
    assert_eq!(server.ended(), Some(0));
    let log = ground.server_log();
    assert!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
}
