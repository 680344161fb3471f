//! `report`: what policies, directory and log come to.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::place::{Place, alike};

/// What a report says, without the moment at which it was asked for.
fn said(place: &Place, asked: &[&str]) -> Value {
    let mut report = place.json(&[&["report"], asked].concat());
    for moment in ["as_of", "window"] {
        report[moment] = Value::Null;
    }
    if let Some(difference) = report.get_mut("difference") {
        difference["from"] = Value::Null;
    }
    report
}

/// Goal: an auditor with a copy of the directory finds what the server says.
#[test]
fn reports_are_alike_over_both() {
    let places = Place::both();
    let draft = "@id(\"all\")\n@description(\"All.\")\npermit (principal, action, resource);\n";
    places.iter().for_each(|place| place.write("draft/all.cedar", draft));
    let dave = "User::\"dave\"";
    for asked in [
        &["segments"][..],
        &["segments", "--policies", "draft", "--compare", "70"],
        &["blast-radius", dave, "--assurance", "mfa", "--hops", "2"],
        &["blast-radius", dave, "--policies", "draft"],
    ] {
        let [here, there] = places.each_ref().map(|place| said(place, asked));
        assert_eq!(alike(here.clone()), alike(there), "{asked:?}");
        assert!(here["decisions"].as_u64().unwrap() > 0, "{asked:?}");
    }
    let drafted = said(&places[0], &["segments", "--policies", "draft"]);
    assert_eq!(drafted["draft"], true);
    assert!(drafted["difference"]["gained"].as_u64().unwrap() > 0, "{drafted}");
}

/// Goal: what is granted and unused is the same whoever looks.
#[test]
fn least_privilege_is_alike_over_both() {
    let [here, there] = Place::both().each_ref().map(|place| {
        let mut report = said(place, &["least-privilege", "--since", "30d"]);
        for grant in report["grants"].as_array_mut().unwrap() {
            grant["observed_from"] = Value::Null;
        }
        alike(report)
    });
    assert_eq!(here, there);
    let grants = here["grants"].as_array().unwrap();
    assert!(grants.iter().any(|grant| grant["policy"] == "road-web-api"), "{here}");
}

#[test]
fn a_matrix_is_written_for_people_spreadsheets_graphs_and_eyes() {
    let place = Place::stopped();
    let at = |name: &str| place.ground.at(name).display().to_string();
    let [svg, dot, csv] = ["m.svg", "m.dot", "m.csv"].map(at);
    let files = ["--svg", svg.as_str(), "--dot", &dot, "--csv", &csv];
    let text = place.say(&[&["report", "segments"], &files[..]].concat()).done().out;
    assert!(text.contains("road-web-api"), "{text}");
    let svg = fs::read_to_string(svg).unwrap();
    assert!(svg.starts_with("<svg xmlns=") && svg.contains("road-web-api"), "{svg}");
    let heads = |file: &str| fs::read_to_string(file).unwrap().lines().next().unwrap().to_owned();
    assert!(heads(&csv).starts_with("action,from,to,verdict,"));
    graphviz_reads(&dot, "connect");

    let alice = ["report", "blast-radius", "User::\"alice\"", "--dot", &dot, "--csv", &csv];
    place.say(&alice).done();
    assert!(heads(&csv).starts_with("hop,from,others,action,to,"));
    graphviz_reads(&dot, "alice");
}

/// Has Graphviz draw a graph, if it is there.
fn graphviz_reads(dot: &str, says: &str) {
    match Command::new("dot").args(["-Tsvg", dot]).output() {
        Ok(drawn) => {
            assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
            let picture = String::from_utf8(drawn.stdout).unwrap();
            assert!(picture.contains("<svg") && picture.contains(says), "{picture}");
        }
        Err(_) => println!("SKIPPED: `dot` is not installed"),
    }
}

#[test]
fn what_cannot_be_reported_is_refused_with_what_would_be_right() {
    let places = Place::both();
    places.iter().for_each(|place| place.write("bad/p.cedar", "permit (principal, action);"));
    for (asked, code, says) in [
        (&["blast-radius", "User::\"nobody\""][..], 1, "the directory held no `User::\"nobody\"`"),
        (&["blast-radius", "dave"], 2, "expected an entity such as `User::\"alice\"`"),
        (&["blast-radius", "User::\"dave\"", "--assurance", "x"], 2, "one of none, password"),
        (&["segments", "--policies", "bad"], 1, "bad/p.cedar:1"),
        (&["segments", "--since", "soon"], 2, "such as 90d"),
    ] {
        for place in &places {
            let told = place.say(&[&["report"], asked].concat()).ended(code).err;
            assert!(told.contains(says), "{asked:?}: {told}");
        }
    }
    let hops = ["report", "blast-radius", "User::\"dave\"", "--hops", "0"];
    let [here, there] = places.each_ref().map(|place| place.say(&hops).err);
    assert!(here.contains("at most 10 hops") && there.contains("at most 10 hops"), "{there}");
}
