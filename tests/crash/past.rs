//! The past, asked for at the command line: of a server that was killed and started from
//! a snapshot, and of the stopped directory.

use serde_json::json;

use crate::binary::{Ground, Said};

/// Goal: after a kill, a start from a snapshot answers about every past as the stopped
/// directory does without any, and the report that is handed over says whose log it is.
#[test]
fn a_killed_server_and_a_stopped_directory_tell_the_same_past() {
    let ground = Ground::new();
    ground.found();
    let token = ground.token("audit");
    let every = ["--set", "snapshots.every=5", "--set", "snapshots.spare_mib=0"];
    let newest = ["log", "--newest", "--limit", "1", "--data", &ground.data(), "--format", "json"];
    let founded = ground.run(&newest).done().json()["index"].as_u64().unwrap();
    let (then, later) = (founded.to_string(), (founded + 10).to_string());
    let server = ground.serve(&every);
    let asked = |url: &str, arguments: &[&str]| {
        let all = [arguments, &["--server", url, "--format", "json"]].concat();
        let mut command = ground.program(&all);
        Said::of(command.env("COUNTERSIGN_TOKEN", &token).output().unwrap())
    };
    let question = |at: &str| {
        let entity = "Document::\"handbook\"";
        ["evaluate", "--subject", "User::\"alice\"", "--action", "view", "--resource", entity]
            .iter()
            .chain(&["--at", at])
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    let evaluated = |url: &str, at: &str| {
        let words = question(at);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        asked(url, &words).done().json()
    };
    // Each question is itself an entry: the log grows past a few snapshots.
    let first: Vec<_> = (0..12).map(|_| evaluated(&server.url, &then)).collect();
    assert_eq!(first[0]["decision"], true);
    assert!(first.iter().all(|answer| *answer == first[0]));
    server.kill();

    let server = ground.serve(&every);
    assert!(ground.server_log().contains("starting from a snapshot"), "{}", ground.server_log());
    assert_eq!(evaluated(&server.url, &then), first[0]);
    let later_on = evaluated(&server.url, &later);
    assert_eq!(
        (&later_on["decision"], &later_on["context"]["as_of"]["index"]),
        (&json!(true), &json!(founded + 10))
    );
    let replayed = asked(&server.url, &["replay", "--at", "30"]).done().json();
    assert_eq!((&replayed["entries"], &replayed["live"]["same"]), (&json!(31), &json!(true)));
    let whole = asked(&server.url, &["replay"]).done().json();
    assert_eq!((&whole["checkpoint"]["outcome"], &whole["clean"]), (&json!("same"), &json!(true)));
    let shown = asked(&server.url, &["log", "--at", "7"]).done();
    assert_eq!(shown.out.lines().count(), 8);
    server.terminate();
    assert_eq!(server.ended(), Some(0));

    let data = ground.data();
    let of_data = |arguments: &[&str]| {
        ground.run(&[arguments, &["--data", &data, "--format", "json"]].concat())
    };
    let words = question(&later);
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let with_snapshots = of_data(&words).done().json();
    std::fs::remove_dir_all(ground.at("data").join("snapshots")).unwrap();
    let without = of_data(&words).done().json();
    assert_eq!((&with_snapshots, &without), (&later_on, &later_on));
    let stopped = of_data(&["replay", "--at", "30"]).done().json();
    for name in ["entries", "tree", "state", "determining", "from", "to", "events"] {
        assert_eq!(stopped[name], replayed[name], "{name}");
    }
    assert_eq!(stopped["checkpoint"]["outcome"], "beyond");
    let at_end = of_data(&["replay"]).done().json();
    assert_eq!(at_end["checkpoint"]["outcome"], "same");
    assert_eq!(at_end["checkpoint"]["root"], at_end["tree"]["root"]);
    assert_eq!(of_data(&["log", "--at", "7"]).done().out.lines().count(), 8);
}

/// Goal: an auditor who asks for a past that there never was hears so.
#[test]
fn a_past_that_never_was_is_a_usage_error() {
    let ground = Ground::new();
    ground.found();
    let data = ground.data();
    for wrong in [["replay", "--at", "99999"], ["log", "--at", "1999-01-01T00:00:00Z"]] {
        let said = ground.run(&[&wrong[..], &["--data", &data]].concat());
        assert!(said.ended(2).err.contains("--at"));
    }
}
