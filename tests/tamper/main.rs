//! Thousands of ways to alter a log behind its keeper's back. Whatever is done to a data
//! directory or to an export, `verify` finds it, or it changes nothing that anybody would
//! read.
//!
//! What is altered is drawn from a seed that is printed; `COUNTERSIGN_SEED=…` draws
//! something else, `COUNTERSIGN_MUTATIONS=…` more of it.

#![cfg(test)]

#[path = "../binary/call.rs"]
mod call;
mod entries;
mod files;
mod ground;

use std::panic;
use std::sync::Mutex;

use ground::{Dice, Outcome};

/// How many mutations of files each of the two tests below makes, unless told otherwise.
const MUTATIONS: u64 = 2_500;

/// Goal: nobody alters the files of a log unseen, wherever they put their hand.
#[test]
fn an_altered_data_directory_is_found_out() {
    quietly(|| attack("data directory", files::Directory::new));
}

/// Goal: nor those of an export, on whatever server it lies.
#[test]
fn an_altered_export_is_found_out() {
    quietly(|| attack("export", files::Export::new));
}

/// Goal: nor do they who know the format, and mend every check that needs no key.
#[test]
fn a_log_written_anew_without_the_key_is_found_out() {
    quietly(|| {
        let ground = ground::Ground::new();
        let mut told = 0;
        for (name, entries) in entries::rewritten(&ground) {
            for tiles in [true, false] {
                let outcome = entries::verified(&ground, &entries, tiles);
                assert_eq!(outcome, Outcome::Found, "{name}, tiles anew: {tiles}");
                told += 1;
            }
        }
        println!("{told} logs written anew, all found out");
    });
}

/// Goal: an older log put back, a wrong key and a forger's key are found out too.
#[test]
fn a_log_of_another_time_or_key_is_found_out() {
    quietly(|| {
        let ground = ground::Ground::new();
        entries::rolled_back(&ground);
        entries::signed_by_another(&ground);
    });
}

/// Goal: a replay of less than was signed, or of what nobody signed, is not clean.
#[test]
fn a_replay_misses_what_was_signed() {
    quietly(|| entries::replayed(&ground::Ground::new()));
}

/// Two halves of the mutations at a time, each on a copy of its own.
fn attack<T: files::Target>(what: &str, target: fn(ground::Ground) -> T) {
    let seed = ground::number("COUNTERSIGN_SEED", 1);
    let count = ground::number("COUNTERSIGN_MUTATIONS", MUTATIONS);
    println!("{what}: COUNTERSIGN_SEED={seed} COUNTERSIGN_MUTATIONS={count}");
    let told = Mutex::new([0_u64; 2]);
    std::thread::scope(|scope| {
        for half in 0..2 {
            let told = &told;
            scope.spawn(move || {
                let mut target = target(ground::Ground::new());
                for nth in (half..count).step_by(2) {
                    let mutation = target.mutate(&mut Dice::of(seed, nth));
                    let outcome = target.verify();
                    let sound = outcome == Outcome::Found || target.reads_the_same();
                    assert!(sound, "mutation {nth} of the {what} was not found: {mutation}");
                    told.lock().unwrap()[usize::from(outcome == Outcome::Found)] += 1;
                    target.restore();
                }
                assert_eq!(target.verify(), Outcome::Clean, "what was restored is whole");
            });
        }
    });
    let [harmless, found] = *told.lock().unwrap();
    println!("{what}: {found} found out, {harmless} changed nothing that is read");
    assert!(found > count / 2, "most of what was altered is read by somebody");
}

/// sled's panics are caught and told as errors; their backtraces help nobody here.
fn quietly(test: impl FnOnce()) {
    panic::set_hook(Box::new(|about| {
        if about.location().is_some_and(|it| it.file().starts_with("tests")) {
            println!("{about}");
        }
    }));
    test();
}
