//! Two logs, one the witness of the other: real programs on this machine.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use countersign::tlog::CosigningKey;
use serde_json::json;

use crate::binary::{Ground, text};
use crate::evidence::{copy, decision, keys, path};
use crate::place::Place;

/// The key of a witness whom nobody has asked.
fn nobody() -> String {
    CosigningKey::new("nobody.example".parse().unwrap(), &[7; 32]).verifier().to_string()
}

/// Waits for what comes about by itself.
#[track_caller]
fn until(what: &str, come: impl Fn() -> bool) {
    let late = Instant::now() + Duration::from_secs(60);
    while !come() {
        assert!(Instant::now() < late, "never: {what}");
        thread::yield_now();
    }
}

/// Serves a node as the witness of a log.
fn watch(place: &mut Place, log: &str) {
    let watched = format!("witness.logs={log}");
    place.server = Some(place.ground.serve(&["--log-level", "warn", "--set", &watched]));
}

/// A node that serves as the witness of the log with this key, and its own key.
fn witness(log: &str) -> (Place, String) {
    let mut place = Place::stopped();
    watch(&mut place, log);
    let shown = place.json(&["keygen", "--show"]);
    let key = text(&shown["witness"], "verifier_key");
    let told = place.say(&["keygen", "--show"]).done().out;
    assert!(told.contains("As a witness of other logs") && told.contains(&key), "{told}");
    (place, key)
}

/// Serves a log that asks a witness.
fn serve(place: &mut Place, witness: &Place, key: &str) {
    let url = &witness.server.as_ref().unwrap().url;
    let ask = format!("witness.ask={url}/log/v1 {key}");
    place.server = Some(place.ground.serve(&["--log-level", "warn", "--set", &ask]));
}

/// Goal: an auditor who trusts a witness need not trust the log's keeper.
#[test]
fn a_log_is_published_with_its_witnesss_line() {
    let mut log = Place::stopped();
    let key = keys(&log).remove(0);
    let (witness, witness_key) = witness(&key);
    serve(&mut log, &witness, &witness_key);
    let verify = |log: &Place, witness: &str| {
        log.say(&["verify", "--key", &key, "--witness", witness]).code.unwrap()
    };

    until("the line of the witness", || verify(&log, &witness_key) == 0);
    assert_eq!(verify(&log, &nobody()), 1);

    // It is still there when the log grows, ends, and begins again.
    log.say(&["user", "create", "alice"]).done();
    until("the line under what was added", || verify(&log, &witness_key) == 0);
    assert_eq!(log.stop(), Some(0));
    assert_eq!((verify(&log, &witness_key), verify(&log, &nobody())), (0, 1));
    taken_away(&log, &key, &witness_key);
    let checkpoint = fs::read_to_string(log.ground.at("data/checkpoint")).unwrap();
    let line = format!("\u{2014} {} ", witness_key.split('+').next().unwrap());
    assert_eq!(checkpoint.matches(&line).count(), 1, "{checkpoint}");
    serve(&mut log, &witness, &witness_key);
    until("the line after a restart", || verify(&log, &witness_key) == 0);
    let refusals = log.ground.server_log().matches("has not cosigned").count();
    assert_eq!(refusals, 0, "{}", log.ground.server_log());
}

/// Goal: the witness's word goes wherever the log goes, and what is not its word is told.
fn taken_away(log: &Place, key: &str, witness: &str) {
    let ground = &log.ground;
    let folder = path(ground, "export");
    log.say(&["log", "export", &folder, "--key", key, "--witness", witness]).done();
    let verify = |more: &[&str]| {
        ground.run(&[&["verify", &folder, "--key", key, "--format", "json"], more].concat())
    };
    let verified = verify(&["--witness", witness]).done().json();
    assert_eq!(text(&verified["witnessed_by"][0], "witness"), witness);
    assert!(text(&verified["witnessed_by"][0], "at").ends_with('Z'), "{verified}");
    assert_eq!(verified["unchecked"], json!([]));
    let told = ground.run(&["verify", &folder, "--key", key, "--witness", witness]).done().out;
    assert!(told.contains(&format!("cosigned by     {witness}, at 20")), "{told}");
    let unasked = verify(&[]).done().json();
    assert_eq!((&unasked["witnessed_by"], &unasked["clean"]), (&json!([]), &json!(true)));
    let named: Vec<_> = witness.splitn(3, '+').take(2).collect();
    assert_eq!(unasked["unchecked"], json!([named.join("+")]));

    let receipt = path(ground, "it.tlog-proof");
    log.say(&["proof", &decision(log), "--out", &receipt]).done();
    let check = |witness: &str| {
        ground.run(&["proof", "check", &receipt, "--key", key, "--witness", witness])
    };
    check(witness).done();
    check(&nobody()).ended(1);

    // Another time under the same signature.
    let checkpoint = ground.at("export/checkpoint");
    let note = fs::read_to_string(&checkpoint).unwrap();
    let (before, line) = note.trim_end().rsplit_once(' ').unwrap();
    let altered = |(at, letter)| match (at, letter) {
        (14, 'A') => 'B',
        (14, _) => 'A',
        (_, same) => same,
    };
    let line: String = line.chars().enumerate().map(altered).collect();
    fs::write(&checkpoint, format!("{before} {line}\n")).unwrap();
    let refused = verify(&["--witness", witness]).ended(1);
    assert!(refused.out.contains("does not hold"), "{refused:?}");
    verify(&[]).done();
}

/// Goal: whoever runs a log twice, under one key, finds no witness for the second.
#[test]
fn a_fork_finds_no_witness() {
    let mut log = Place::stopped();
    let key = keys(&log).remove(0);
    let fork = Ground::new();
    copy(&log.ground.at("data"), &fork.at("data"));
    fs::copy(log.ground.at("data.key"), fork.at("data.key")).unwrap();
    let mut fork = Place { ground: fork, server: None, token: log.token.clone() };
    log.say(&["user", "create", "alice"]).done();
    for name in ["mallory", "malcolm", "malvina"] {
        fork.say(&["user", "create", name]).done();
    }
    let (witness, witness_key) = witness(&key);
    let verify =
        |log: &Place| log.say(&["verify", "--key", &key, "--witness", &witness_key]).code.unwrap();
    serve(&mut log, &witness, &witness_key);
    until("the line under the true log", || verify(&log) == 0);

    serve(&mut fork, &witness, &witness_key);
    let told = || fork.ground.server_log();
    until("the refusal", || told().contains("has not cosigned"));
    assert!(told().contains("it answered 422"), "{}", told());
    assert!(told().contains("ERROR") && told().contains("stop this node"), "{}", told());

    // It goes on all the same, but nobody who wants the witness's word believes it.
    assert_eq!(fork.say(&["verify", "--key", &key]).code, Some(0));
    assert_eq!(verify(&fork), 1);
    assert_eq!(fork.stop(), Some(0));
    log.say(&["user", "create", "bob"]).done();
    until("the line under the true log again", || verify(&log) == 0);
}

/// Goal: the key that cosigns is kept like the one that signs: what was swapped is found
/// out, a rotation and a backup keep it, and nobody has to learn another.
#[test]
fn the_key_that_cosigns_is_one_of_the_logs_secrets() {
    let mut log = Place::stopped();
    let key = keys(&log).remove(0);
    let (mut witness, witness_key) = witness(&key);
    let credential = text(&witness.json(&["keygen", "--show"])["witness"], "credential");
    assert_eq!(witness.stop(), Some(0));

    let vault = witness.ground.at("data/vault");
    let folders = fs::read_dir(&vault).unwrap().map(|folder| folder.unwrap().path());
    let sealed = folders.map(|folder| folder.join(&credential)).find(|file| file.exists()).unwrap();
    let bytes = fs::read(&sealed).unwrap();
    fs::write(&sealed, [&bytes[..], b"x"].concat()).unwrap();
    let found = witness.say(&["verify"]).ended(1);
    assert!(found.out.contains("secret_not_as_named") && found.out.contains(&credential));
    fs::write(&sealed, bytes).unwrap();
    assert_eq!(witness.json(&["verify"])["secrets"], 2);

    witness.say(&["key", "rotate"]).done();
    let backup = path(&witness.ground, "vault-export");
    witness.say(&["key", "export", &backup]).done();
    fs::remove_dir_all(&vault).unwrap();
    witness.say(&["key", "import", &backup]).done();
    watch(&mut witness, &key);
    serve(&mut log, &witness, &witness_key);
    let verify = ["verify", "--key", &key, "--witness", &witness_key];
    until("the line of the same key", || log.say(&verify).code == Some(0));
}

/// Goal: a witness that is not there stops nobody.
#[test]
fn a_log_goes_on_without_its_witness() {
    let mut log = Place::stopped();
    let key = keys(&log).remove(0);
    let nowhere = format!("witness.ask=http://127.0.0.1:1/log/v1 {}", nobody());
    log.server = Some(log.ground.serve(&["--log-level", "warn", "--set", &nowhere]));
    until("the warning", || log.ground.server_log().contains("has not cosigned"));
    let created = log.json(&["user", "create", "alice"]);
    assert_eq!(text(&created, "name"), "alice");
    assert_eq!(log.say(&["verify", "--key", &key]).code, Some(0));
    assert_eq!(log.say(&["verify", "--key", &key, "--witness", &nobody()]).code, Some(1));
    assert_eq!(log.stop(), Some(0));
}
