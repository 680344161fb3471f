//! The program, killed; refused by its disk; its disk full. What a client has been told is
//! on record, whatever happens to the process afterwards (ARCHITECTURE, invariant 1).
//!
//! Each test founds a data directory under `target/tmp`, a real disk, and runs the real
//! binary. When a kill strikes is drawn from a seed that is printed;
//! `COUNTERSIGN_SEED=… cargo test --test crash` draws the same again, and
//! `COUNTERSIGN_KILLS=…` says how many there are.

#![cfg(test)]

#[path = "../binary/mod.rs"]
mod binary;
mod full_disk;
mod house;
mod inspection;
mod ledger;
mod load;
mod past;
mod refused_calls;
mod wire;

use std::collections::BTreeSet;

use countersign::model::Digest;

use binary::Server;
use house::{House, Person};
use inspection::Inspection;
use ledger::{Ledger, Told};
use load::{Alice, load};
use wire::Wire;

const KILLS: u64 = 200;

/// Goal: no PEP, person or author has ever heard what an auditor cannot find; and after
/// each kill the log is the one that was signed, goes on from the one before, and replays.
#[test]
fn two_hundred_kills_lose_no_answer() {
    let seed = std::env::var("COUNTERSIGN_SEED").unwrap_or_else(|_| "1".to_owned());
    println!("COUNTERSIGN_SEED={seed}");
    let kills = std::env::var("COUNTERSIGN_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let (house, mut server, mut alice) = at_work();
    let (mut ledger, mut told) = (Ledger::default(), Vec::new());
    let mut inspection = Inspection::of(&house.ground);
    for round in 0..kills {
        let (url, count) = (server.url.clone(), drawn(&seed, round, 12));
        let of_every_kind = round % 40 == 39 || round + 1 == kills;
        let enough =
            |told: &[Told]| told.len() as u64 > count && (!of_every_kind || kinds(told) == KINDS);
        let heard = load(&house, &url, &mut alice, enough, || server.kill());
        if round % 5 == 4 {
            // While it opens and folds the log it may be killed just as well.
            house.ground.begin_to_serve(&[]).kill();
        }
        inspection.assert_verifies(&mut ledger);
        ledger.assert_holds(&heard);
        ledger.assert_replays();
        if round % 40 == 0 {
            inspection.assert_found_clean(&house.ground);
            house.assert_replays(None);
        }
        server = house.serve();
        if round % 40 == 20 {
            house.assert_replays(Some(&server));
        }
        told.extend(heard);
    }
    assert_whole(&house, server, &ledger, &told);
    println!("{kills} kills, {} answers, {} entries", told.len(), ledger.len());
}

/// Goal: whoever stops a node to update it loses nothing: what was asked is answered,
/// what was answered is on record, and nothing is on record that nobody was told.
#[test]
fn a_stop_under_load_loses_nothing() {
    let (house, mut server, mut alice) = at_work();
    let mut ledger = Ledger::default();
    for _ in 0..5 {
        ledger.read_on(&server.url, &house.auditor);
        let (before, url) = (ledger.len(), server.url.clone());
        let enough = |told: &[Told]| told.len() > 40;

        let told = load(&house, &url, &mut alice, enough, || server.terminate());
        assert_eq!(server.ended(), Some(0));

        server = house.serve();
        ledger.read_on(&server.url, &house.auditor);
        ledger.assert_holds(&told);
        ledger.assert_all_told(before, &told);
    }
    house.assert_replays(Some(&server));
    assert_eq!(house.ground.server_log().matches("panicked").count(), 0);
}

/// Goal: two writers never share a log, and the second says what to do instead.
#[test]
fn a_second_process_is_told_that_the_log_is_open() {
    let (house, _) = House::found();
    let server = house.serve();
    let data = house.ground.data();
    for arguments in [
        &["serve", "--listen", "127.0.0.1:0", "--data", &data][..],
        &["replay", "--data", &data],
        &["log", "--data", &data],
        &["token", "create", "--scope", "audit", "--data", &data],
    ] {
        let said = house.ground.run(arguments).ended(3);
        let wanted = ["is open in another process", "--server URL"];
        assert!(wanted.iter().all(|it| said.err.contains(it)), "{said:?}");
        assert_eq!(said.out, "");
    }
    let alive = Wire::to(&server.url).get("/readyz", "").unwrap();
    assert_eq!(alive.status, 200, "{}", alive.text);
    server.terminate();
    assert_eq!(server.ended(), Some(0));
}

/// A served house with alice logged in, and bob who can be.
fn at_work() -> (House, Server, Alice) {
    let (house, tickets) = House::found();
    let server = house.serve();
    tickets.iter().for_each(|ticket| House::enrol(&server, ticket));
    let alice = Alice::new(Person::with_two_factors(&server, "alice"));
    (house, server, alice)
}

/// The whole log once more: everything ever told is in it, nothing read before has
/// changed, and it replays.
fn assert_whole(house: &House, server: Server, read_before: &Ledger, told: &[Told]) {
    let mut whole = Ledger::default();
    whole.read_on(&server.url, &house.auditor);
    read_before.assert_begins(&whole);
    whole.assert_holds(told);
    assert_eq!(kinds(told), KINDS);
    house.assert_replays(Some(&server));
    server.terminate();
    assert_eq!(server.ended(), Some(0));
    house.assert_replays(None);
    assert_eq!(house.ground.server_log().matches("panicked").count(), 0);
}

/// What there is to be told.
const KINDS: [&str; 8] = [
    "allow",
    "countersign.directory.activated.v1",
    "countersign.mfa.enrolled.v1",
    "countersign.mfa.offered.v1",
    "countersign.mfa.refused.v1",
    "countersign.password.refused.v1",
    "countersign.policies.activated.v1",
    "deny",
];

fn kinds(told: &[Told]) -> Vec<&'static str> {
    let mut kinds = BTreeSet::new();
    for one in told {
        match one {
            Told::Decided { verdicts, .. } => {
                kinds.extend(verdicts.iter().map(|allow| if *allow { "allow" } else { "deny" }));
            }
            Told::Done { kind, .. } => {
                kinds.insert(*kind);
            }
        }
    }
    kinds.into_iter().filter(|kind| KINDS.contains(kind)).collect()
}

/// A number below a bound, by the seed and the round alone.
fn drawn(seed: &str, round: u64, below: u64) -> u64 {
    let digest = Digest::of_parts([seed.as_bytes(), &round.to_be_bytes()]);
    let first = digest.as_bytes().first_chunk::<8>().unwrap();
    u64::from_be_bytes(*first) % below
}
