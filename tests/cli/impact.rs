//! `policy impact`: what other policies would have changed of the recorded accesses.

use std::fs;

use serde_json::{Value, json};

use crate::binary::{Said, shipped};
use crate::place::Place;

const CLOUD: &str = "policies/cloud";

/// Has each of them want to view the handbook.
fn viewed(place: &Place, by: &[&str]) {
    let made = place.json(&["token", "create", "--scope", "evaluate"]);
    let bearer = format!("Bearer {}", made["token"].as_str().unwrap());
    let url = format!("{}/access/v1/evaluation", place.server.as_ref().unwrap().url);
    for who in by {
        let asked = json!({
            "subject": {"type": "User", "id": who},
            "action": {"name": "view"},
            "resource": {"type": "Document", "id": "handbook"},
        });
        let answered = ureq::post(&url).header("authorization", &bearer).send_json(asked);
        assert_eq!(answered.unwrap().status(), 200);
    }
}

/// A served place in which Alice has opened the handbook three times, and Mallory has not.
fn lived_in() -> Place {
    let place = Place::served();
    viewed(&place, &["alice", "alice", "mallory", "alice"]);
    place.write(
        "wall.cedar",
        "@id(\"wall\") forbid (principal == User::\"alice\", action, resource);\n",
    );
    place
}

/// What two reports of one log have in common.
fn figures(said: &Said) -> Value {
    let mut report = said.json();
    let members = report.as_object_mut().unwrap();
    for name in ["took_ms", "threads", "through"] {
        assert!(members.remove(name).is_some(), "{name}");
    }
    report
}

/// Goal: an author hears the same from a running server and from its stopped directory.
#[test]
fn an_impact_is_told_alike_by_a_server_and_by_its_stopped_directory() {
    let mut place = lived_in();
    let (cloud, schema) = (shipped(CLOUD), shipped("schemas/cloud.cedarschema"));
    let impact = ["policy", "impact", &cloud, "wall.cedar", "--since", "90d"];
    let asked = [&impact[..], &["--format", "json"]].concat();
    let served = figures(&place.say(&asked).ended(1));
    assert_eq!(place.stop(), Some(0));
    let stopped = figures(&place.say(&asked).ended(1));
    assert_eq!(served, stopped);
    let count = |name: &str| stopped[name].as_u64().unwrap();
    let counts = ["would_deny", "would_allow", "unchanged", "not_replayable"].map(count);
    assert_eq!(counts, [3, 0, 1, 0]);
    assert_eq!(stopped["policies"]["first"][0]["would_deny"], 3);
    let sample = &stopped["samples"][0];
    assert_eq!((&sample["count"], &sample["principal"]), (&json!(3), &json!("User::\"alice\"")));
    assert_eq!(sample["after"]["determining"], json!(["wall"]));

    let told = place.say(&impact).ended(1).out;
    let head = "would deny 3 · would allow 0 · unchanged 1 · not replayable 0\n";
    assert!(told.starts_with(head), "{told}");
    assert!(told.contains("would be    denied by `wall`"), "{told}");
    let row = told.lines().find(|line| line.ends_with("  User::\"alice\"")).unwrap();
    assert_eq!(row.split_whitespace().take(2).collect::<Vec<_>>(), ["3", "0"]);

    let same = place.say(&["policy", "impact", &cloud]).done().out;
    assert!(same.starts_with("would deny 0 · would allow 0 · unchanged 4 ·"), "{same}");
    place.write("none.json", "[]");
    let apply = ["policy", "apply", &cloud, "wall.cedar", "--schema", &schema];
    let wall = place.say(&[&apply[..], &["--tests", "none.json"]].concat());
    assert!(wall.done().out.contains("in force"));
    let wall = place.say(&["policy", "impact", &cloud, "wall.cedar"]).done().out;
    assert!(wall.starts_with("this change: would deny 0 · would allow 0\n"), "{wall}");
    assert!(wall.contains("recorded    would deny 3 · would allow 0 · unchanged 1"), "{wall}");
    assert!(wall.contains("already so  would deny 3 · would allow 0: what is in force"), "{wall}");
    let back = place.say(&["policy", "impact", &cloud]).ended(1).out;
    assert!(back.starts_with("this change: would deny 0 · would allow 3\n"), "{back}");
    assert!(back.contains("is now      denied by `wall`"), "{back}");

    let later = place.json(&["policy", "impact", &cloud, "--since", "2099-01-01T00:00:00Z"]);
    assert_eq!((&later["decisions"], &later["oldest"]), (&json!(0), &Value::Null));
}

/// Goal: a report that was interrupted is gone on from, of the same draft only.
#[test]
fn a_partial_report_is_gone_on_from() {
    for stop in [false, true] {
        let mut place = lived_in();
        if stop {
            place.stop();
        }
        let cloud = shipped(CLOUD);
        let asked = ["policy", "impact", &cloud, "wall.cedar", "--format", "json"];
        let resumed = [&asked[..], &["--resume", "partial.json"]].concat();
        let whole = place.say(&asked).ended(1);
        let first = place.say(&resumed).ended(1);
        assert_eq!(figures(&first), figures(&whole));
        assert!(fs::metadata(place.ground.at("partial.json")).unwrap().len() > 100);
        assert_eq!(figures(&place.say(&resumed).ended(1)), figures(&whole), "nothing counts twice");

        let other = ["policy", "impact", &cloud, "--resume", "partial.json", "--format", "json"];
        let refused = place.say(&other).ended(1);
        assert!(refused.err.contains("\"not_resumable\""), "{refused:?}");
        place.write("partial.json", "{}");
        assert!(place.say(&resumed).ended(2).err.contains("not a partial report"));
    }
}

/// Goal: “what if Alice had not been there”, without a word of policy.
#[test]
fn a_patch_of_the_directory_is_supposed_as_well() {
    let place = lived_in();
    place.write("patch.json", "[{\"type\": \"User\", \"id\": \"alice\"}]");
    let asked = ["policy", "impact", "--entities", "patch.json", "--format", "json"];
    let report = place.say(&asked).ended(1).json();
    assert_eq!((&report["would_deny"], &report["unchanged"]), (&json!(3), &json!(1)));

    place.write("patch.json", "[{\"uid\": {\"type\": \"User\"}}]");
    let wrong = place.say(&asked).ended(1).err;
    assert!(wrong.contains("patch.json`: entities[0]: uid.id"), "{wrong}");
    place.write("bad.cedar", "@id(\"bad\") permit (principal is Usr, action, resource);\n");
    let refused = place.say(&["policy", "impact", "bad.cedar"]).ended(1).err;
    assert!(refused.contains("bad.cedar:1:"), "{refused}");
    assert!(place.say(&["policy", "impact"]).ended(2).err.contains("nothing is supposed"));
}

/// Goal: what a staged version would have changed is told alike while the node runs and when
/// it does not, and a pipeline hears it by the exit code.
#[test]
fn a_shadow_is_told_alike_by_a_server_and_by_its_stopped_directory() {
    let mut place = lived_in();
    let shadow = ["policy", "shadow"];
    assert_eq!(place.say(&shadow).done().out, "No version has been staged.\n");
    place.write("none.json", "[]");
    let draft = ["policy", "draft", &shipped(CLOUD), "wall.cedar", "--tests", "none.json"];
    let drafted = place.json(&draft)["digest"].as_str().unwrap().to_owned();
    place.say(&["policy", "stage", &drafted]).done();
    let agreed = place.say(&shadow).done().out;
    assert!(agreed.starts_with("would deny 0 · would allow 0 · same answer 0\n"), "{agreed}");

    viewed(&place, &["alice", "mallory"]);
    let asked = ["policy", "shadow", "--format", "json"];
    let served = place.say(&asked).ended(1).json();
    assert_eq!(place.stop(), Some(0));
    assert_eq!(served, place.say(&asked).ended(1).json());
    let counts = ["would_deny", "would_allow", "same"].map(|name| served[name].as_u64());
    assert_eq!(counts, [Some(1), Some(0), Some(1)]);
    assert_eq!((&served["version"], &served["staged"]), (&json!(drafted), &json!(true)));
    let told = place.say(&shadow).ended(1).out;
    assert!(told.starts_with("would deny 1 · would allow 0 · same answer 1\n"), "{told}");
    assert!(told.contains("access      User::\"alice\" view Document::\"handbook\""), "{told}");
    assert!(told.contains("would be    denied by `wall`"), "{told}");
}
