//! Reports on the generated history of the example organisation.

use std::io;

use serde_json::Value;
use tempfile::TempDir;

use super::super::console::Kept;

/// A quarter of about so many decisions, in a directory of its own.
fn quarter(decisions: &str) -> (TempDir, String) {
    let place = TempDir::new().unwrap();
    let data = place.path().join("data").to_string_lossy().into_owned();
    let until = "2026-11-20T00:00:00Z";
    let write = ["demo", "--history", "--data", &data, "--decisions", decisions, "--until", until];
    assert_eq!(crate::cli::call(write, io::sink(), io::sink()), 0);
    (place, data)
}

fn told(arguments: &[&str]) -> Value {
    let out = Kept::default();
    let all = arguments.iter().copied().chain(["--format", "json"]);
    assert_eq!(crate::cli::call(all, out.clone(), io::sink()), 0, "{arguments:?}");
    serde_json::from_str(&out.text()).unwrap()
}

/// Goal: each planted fault that concerns grants is found by its name.
#[test]
fn the_least_privilege_report_finds_what_is_planted() {
    let (_place, data) = quarter("600");
    let report = told(&["report", "least-privilege", "--data", &data]);
    let grants = report["grants"].as_array().unwrap();
    let of = |policy: &str| grants.iter().find(|grant| grant["policy"] == policy).unwrap();

    let broad = of("support-handles-contracts");
    assert_eq!((&broad["finding"], &broad["members"]), (&"used_by_few".into(), &11.into()));
    let text = broad["proposal"]["text"].as_str().unwrap();
    assert!(text.contains("principal in [User::\"omar\", User::\"pat\"]"), "{text}");
    assert!(text.contains("action == Action::\"view\""), "{text}");
    let unused = of("migration-team-administers-data");
    assert_eq!(
        (&unused["finding"], &unused["proposal"]["summary"]),
        (&"never_used".into(), &"withdraw it".into())
    );
    let dead = of("road-recommendations-stock");
    assert_eq!(dead["finding"], "never_used");
    assert!(dead["denied"].as_u64().unwrap() > 0, "{dead}");
    let kept = of("break-glass-administration");
    assert!(kept["proposal"].is_null() && kept["kept"].as_str().unwrap().contains("@break_glass"));

    let found = |grant: &&Value| grant["finding"] != "used";
    assert_eq!(grants.iter().filter(found).count(), 4, "nothing but what is planted");
    assert_eq!(report["together"]["would_deny"], 0);
}

#[test]
fn the_table_for_spreadsheets_has_a_row_for_each_grant_action_and_type() {
    let (place, data) = quarter("100");
    let file = place.path().join("grants.csv");
    let name = file.to_string_lossy().into_owned();
    let report = told(&["report", "least-privilege", "--data", &data, "--csv", &name]);
    let mut table = csv::Reader::from_path(&file).unwrap();
    let rows: Vec<_> = table.records().map(Result::unwrap).collect();
    let grants = report["grants"].as_array().unwrap();
    let expected: usize = grants.iter().map(|it| it["rows"].as_array().unwrap().len()).sum();
    assert_eq!(rows.len(), expected);
    assert!(rows.iter().any(|row| &row[0] == "support-handles-contracts" && &row[9] != "0"));
}
