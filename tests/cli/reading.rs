//! `log` and `replay`: what is recorded, and whether it comes out the same again.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use serde_json::Value;

use crate::place::{Place, alike, masked};

/// Makes a little history, the same in each place.
fn lived_in(place: &Place) {
    for asked in [
        &["user", "create", "alice", "--role", "author"][..],
        &["user", "disable", "alice", "--reason", "on leave"],
        &["entities", "delete", "User::\"mallory\""],
        &["entities", "delete", "User::\"mallory\""],
    ] {
        place.say(asked);
    }
}

fn entries(place: &Place, filters: &[&str]) -> Vec<Value> {
    let asked = [&["log", "--format", "json"], filters].concat();
    let out = place.say(&asked).done().out;
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Goal: an auditor reads the same story wherever he reads it.
#[test]
fn the_log_is_read_alike_over_both() {
    let places = Place::both();
    places.iter().for_each(lived_in);
    for filters in [
        &["--type", "person.registered"][..],
        &["--type", "countersign.person.disabled.v1"],
        &["--type", "directory.activated", "--newest"],
        &["--subject", "alice", "--type", "role.granted"],
        &["--set", "application", "--type", "policies.activated"],
        &["--type", "access.decided", "--policy", "wall-data"],
        &["--type", "person.registered", "--limit", "1"],
    ] {
        let data = |place: &Place| -> Vec<Value> {
            entries(place, filters).into_iter().map(|mut it| alike(it["data"].take())).collect()
        };
        let [here, there] = places.each_ref().map(data);
        assert_eq!(here, there, "{filters:?}");
    }
    let registered = entries(&places[0], &["--type", "person.registered"]);
    assert_eq!(registered.len(), 2, "the administrator and alice");
    let [newest, oldest] = [&["--newest"][..], &[]].map(|order| entries(&places[0], order));
    assert_eq!(newest.iter().rev().collect::<Vec<_>>(), oldest.iter().collect::<Vec<_>>());
    assert!(oldest.iter().enumerate().all(|(at, entry)| entry["index"] == at));
}

#[test]
fn a_row_says_when_what_and_by_whom() {
    let place = Place::stopped();
    lived_in(&place);
    let out = place.say(&["log", "--type", "person.disabled"]).done().out;
    let [head, row] = out.lines().collect::<Vec<_>>()[..] else { panic!("{out}") };
    assert_eq!(masked(head), "INDEX TIME (UTC) TYPE BY WHAT");
    assert!(row.contains("person.disabled") && row.contains("local-operator"), "{row}");
    assert!(row.contains("alice") && row.contains("on leave"), "{row}");
}

#[test]
fn filters_narrow_by_answer_policy_and_time() {
    let place = Place::stopped();
    let all = entries(&place, &[]);
    let allowed = entries(&place, &["--decision", "allow", "--set", "system"]);
    assert!(!allowed.is_empty() && allowed.iter().all(|it| it["data"]["decision"] == "allow"));
    let by = entries(&place, &["--policy", "system-local-operator"]);
    assert_eq!(by, allowed, "whoever can write the directory is allowed by one policy");
    assert_eq!(entries(&place, &["--decision", "deny"]), Vec::<Value>::new());

    let middle = all[all.len() / 2]["time"].as_str().unwrap();
    let (before, after) =
        (entries(&place, &["--to", middle]), entries(&place, &["--from", middle]));
    assert_eq!([before, after].concat(), all);
    for wrong in [["--type", "nothing.happened"], ["--from", "yesterday"], ["--decision", "maybe"]]
    {
        let told = place.say(&[&["log"], &wrong[..]].concat()).ended(2);
        assert!(told.err.contains(wrong[0].trim_start_matches('-')), "{told:?}");
    }
}

/// Goal: who watches sees what is recorded from now on, as it is recorded, until the
/// server ends.
#[test]
fn the_log_is_followed_until_the_server_ends() {
    let mut place = Place::served();
    let follow = ["log", "--follow", "--type", "person.registered", "--format", "json"];
    let mut command = place.command(&[&follow[..], &["--after", "0"]].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut name = || {
        let entry: Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
        entry["data"]["person"].as_str().unwrap().to_owned()
    };
    assert_eq!(name(), "admin", "what was recorded behind entry 0");
    for person in ["alice", "bob"] {
        place.say(&["user", "create", person]).done();
        assert_eq!(name(), person);
    }
    assert_eq!(place.stop(), Some(0));
    assert_eq!(lines.next(), None);
    let mut aside = String::new();
    child.stderr.take().unwrap().read_to_string(&mut aside).unwrap();
    assert_eq!(
        (child.wait().unwrap().code(), aside.trim()),
        (Some(0), "the server has ended the stream")
    );
}

#[test]
fn a_stopped_directory_cannot_be_followed() {
    let place = Place::stopped();
    let told = place.say(&["log", "--follow"]).ended(2);
    assert!(told.err.contains("--data"), "{told:?}");
}

/// Goal: both auditors come to the same verdict, and over a server the live state too.
#[test]
fn the_log_is_replayed_alike_over_both() {
    let places = Place::both();
    places.iter().for_each(lived_in);
    let [here, there] = places.each_ref().map(|place| place.json(&["replay"]));
    for report in [&here, &there] {
        assert_eq!((&report["clean"], &report["different"]), (&Value::from(true), &Value::from(0)));
        assert_eq!(report["decisions"], report["identical"]);
    }
    assert_eq!((&here["live"], &there["live"]["same"]), (&Value::Null, &Value::from(true)));
    for kind in ["countersign.person.registered.v1", "countersign.directory.activated.v1"] {
        assert_eq!(here["events"][kind], there["events"][kind], "{kind}");
    }
    let [here, there] = places.each_ref().map(|place| place.say(&["replay"]).done().out);
    assert!(there.contains("The replayed state is the live one.") && !here.contains("live"));
}
