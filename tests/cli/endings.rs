//! How commands end: 0 done, 1 refused or found, 2 wrong usage, 3 could not run.

use std::net::TcpListener;

use crate::binary::{Ground, Said};
use crate::place::Place;

fn with_token(ground: &Ground, arguments: &[&str], token: &str) -> Said {
    Said::of(ground.program(arguments).env("COUNTERSIGN_TOKEN", token).output().unwrap())
}

const TOKEN: &str = "cs_service_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Every command that works on a log, in a form that would run on one.
const ON_A_LOG: [&[&str]; 10] = [
    &["user", "list"],
    &["user", "create", "alice"],
    &["token", "list"],
    &["token", "create", "--scope", "audit"],
    &["policy", "show"],
    &["schema", "show"],
    &["entities", "list"],
    &["entities", "delete", "User::\"alice\""],
    &["log"],
    &["replay"],
];

#[test]
fn a_command_without_a_log_is_wrong_usage() {
    let ground = Ground::new();
    for asked in ON_A_LOG {
        let told = ground.run(asked).ended(2);
        assert!(told.err.contains("--data DIR") && told.err.contains("--server URL"), "{told:?}");
        let url = [asked, &["--server", "http://127.0.0.1:1"]].concat();
        let told = ground.run(&url).ended(2);
        assert!(told.err.contains("COUNTERSIGN_TOKEN"), "{told:?}");
        ground.run(&[&url[..], &["--data", "data"]].concat()).ended(2);
    }
}

#[test]
fn a_command_that_reaches_no_log_could_not_run() {
    let ground = Ground::new();
    // A port that is free, for this test holds it and answers nothing.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for asked in ON_A_LOG {
        let missing = ground.run(&[asked, &["--data", "nowhere"]].concat()).ended(3);
        assert!(missing.err.contains("countersign init"), "{missing:?}");
        assert!(!ground.at("nowhere").exists(), "{asked:?} leaves a directory behind");
        let url = format!("http://{closed}");
        let silent = with_token(&ground, &[asked, &["--server", &url]].concat(), TOKEN).ended(3);
        assert!(silent.err.contains(&url), "{silent:?}");
    }
}

/// Goal: what a server holds is asked of it, and nobody is left to guess how.
#[test]
fn a_directory_in_use_sends_to_its_server() {
    let place = Place::served();
    let data = place.ground.data();
    for asked in ON_A_LOG {
        let told = place.ground.run(&[asked, &["--data", &data]].concat()).ended(3);
        assert!(told.err.contains("--server URL"), "{told:?}");
    }
    let url = place.server.as_ref().unwrap().url.clone();
    for asked in ON_A_LOG {
        let told = with_token(&place.ground, &[asked, &["--server", &url]].concat(), TOKEN);
        assert!(told.ended(1).err.contains("valid token"), "{asked:?}");
    }
}

#[test]
fn what_is_no_command_is_wrong_usage() {
    let ground = Ground::new();
    for asked in [
        &[][..],
        &["levitate"],
        &["user"],
        &["user", "create"],
        &["user", "create", "\u{7}", "--data", "data"],
        &["token", "create", "--scope", "fly", "--data", "data"],
        &["token", "revoke", "7", "--data", "data"],
        &["entities", "delete", "alice", "--data", "data"],
        &["log", "--limit", "-1", "--data", "data"],
        &["replay", "--format", "xml", "--data", "data"],
        &["login", "--server", "http://127.0.0.1:1"],
        &["login", "--username", "alice"],
        &["enrol"],
        &["enrol", "--server", "http://pdp.example.com"],
    ] {
        let told = ground.run(asked).ended(2);
        assert!(told.out.is_empty() && !told.err.is_empty(), "{asked:?}: {told:?}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    let ground = Ground::new();
    for command in [
        "init", "serve", "enrol", "login", "user", "token", "policy", "schema", "entities", "log",
        "replay", "demo",
    ] {
        let help = ground.run(&[command, "--help"]).done();
        assert!(help.out.contains("Example") && help.err.is_empty(), "{command}: {help:?}");
    }
    let version = ground.run(&["--version"]).done().out;
    assert_eq!(version.trim(), format!("countersign {}", env!("CARGO_PKG_VERSION")));
}

/// Goal: a program that reads JSON gets JSON, whatever happens.
#[test]
fn a_program_is_told_of_failures_in_json() {
    let ground = Ground::new();
    for (asked, code, exit) in [
        (&["user", "list"][..], "usage", 2),
        (&["user", "list", "--data", "nowhere"], "could_not_run", 3),
        (&["policy", "publish", "none.cedar", "--data", "nowhere"], "could_not_run", 3),
    ] {
        let told = ground.run(&[asked, &["--format", "json"]].concat()).ended(exit);
        let json: serde_json::Value = serde_json::from_str(&told.err).unwrap();
        assert_eq!(json["code"], code, "{told:?}");
        assert_eq!(told.out, "");
    }
}
