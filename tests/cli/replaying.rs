//! `replay` beside the checkpoints that say what was signed.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::thread;

use crate::binary::text;
use crate::evidence::{copy, keys};
use crate::place::Place;

/// Goal: entries that were signed and are gone are missed by a replay, too.
#[test]
fn a_log_that_was_rolled_back_does_not_replay_clean() {
    let place = Place::stopped();
    let ground = &place.ground;
    copy(&ground.at("data/log"), &ground.at("older"));
    let older = fs::read_to_string(ground.at("data/checkpoint")).unwrap();
    place.say(&["user", "create", "alice"]).done();
    fs::remove_dir_all(ground.at("data/log")).unwrap();
    copy(&ground.at("older"), &ground.at("data/log"));

    let found = place.say(&["replay"]).ended(1);
    assert!(found.out.contains("is of more entries than there are"), "{found:?}");
    // Less was asked for, and the rest not looked at.
    place.say(&["replay", "--at", "3"]).done();
    fs::write(ground.at("data/checkpoint"), "no checkpoint\n").unwrap();
    let found = place.say(&["replay"]).ended(1);
    assert!(found.out.contains("is not a signed checkpoint"), "{found:?}");
    // An auditor's copy of the log alone has none beside it.
    fs::remove_file(ground.at("data/checkpoint")).unwrap();
    place.say(&["replay"]).done();
    fs::write(ground.at("data/checkpoint"), older).unwrap();
    place.say(&["replay"]).done();
}

/// Goal: nobody takes the log's own word for somebody else's.
#[test]
fn a_replay_says_by_whose_keys_the_log_was_signed() {
    let other = keys(&Place::stopped()).remove(0);
    for place in Place::both() {
        let key = keys(&place).remove(0);
        let told = place.say(&["replay"]).done().out;
        assert!(told.contains("keys that the log itself names"), "{told}");
        let told = place.json(&["replay", "--key", &key]);
        assert_eq!((&told["keys_given"], &told["clean"]), (&true.into(), &true.into()));
        assert_eq!(text(&told["checkpoint"], "outcome"), "same");
        let told = place.say(&["replay", "--key", &other, "--format", "json"]).ended(1).json();
        assert_eq!(text(&told["checkpoint"], "outcome"), "unsigned");
    }
}

/// Goal: a checkpoint that could not be had is not one that agreed.
#[test]
fn a_server_that_shows_no_checkpoint_is_told() {
    let place = Place::stopped();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
        let asked = lines.next().unwrap();
        assert!(lines.any(|line| line.is_empty()), "the head ends");
        let body = r#"{"code":"no_checkpoint","detail":"no checkpoint is published yet"}"#;
        let head = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json";
        let length = body.len();
        write!(stream, "{head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
            .unwrap();
        asked
    });
    let mut command = place.ground.program(&["replay", "--server", &url]);
    let output = command.env("COUNTERSIGN_TOKEN", &place.token).output().unwrap();
    assert_eq!(server.join().unwrap(), "GET /log/v1/checkpoint HTTP/1.1");
    let err = String::from_utf8(output.stderr).unwrap();
    assert_ne!(output.status.code(), Some(0));
    assert!(err.contains("no checkpoint is published yet"), "{err}");
}
