//! `policy check`, `policy test` and `policy format`: before anything is in force.

use serde_json::{Value, json};

use crate::binary::{Ground, Said, shipped};
use crate::place::Place;

const CLOUD: &str = "policies/cloud";

/// The example organisation's policies with all that belongs to them.
fn cloud(command: &str) -> Vec<String> {
    let [policies, schema, entities] =
        [CLOUD, "schemas/cloud.cedarschema", "schemas/cloud.entities.json"].map(shipped);
    ["policy", command, &policies, "--schema", &schema, "--entities", &entities]
        .map(str::to_owned)
        .to_vec()
}

fn run(ground: &Ground, words: &[String], more: &[&str]) -> Said {
    let words: Vec<_> = words.iter().map(String::as_str).chain(more.iter().copied()).collect();
    ground.run(&words)
}

/// Goal: an author needs neither a server nor a log to know that policies are right; and
/// what ships is formatted, described, owned and tested to the last branch.
#[test]
fn the_shipped_policies_pass_their_own_tests_offline() {
    let ground = Ground::new();
    let told = run(&ground, &cloud("test"), &[]).done().out;
    assert!(told.contains("✓ archivists delete with two factors"), "{told}");
    assert!(told.contains("valid against the schema"), "{told}");
    let junit = ground.at("report.xml").display().to_string();
    let strictly = ["--strict", "--coverage-min", "100", "--format", "json", "--junit", &junit];
    let report = run(&ground, &cloud("check"), &strictly);
    let report = report.done().json();
    assert_eq!((&report["passed"], &report["tests"]["failed"]), (&json!(true), &json!(0)));
    assert!(report["tests"]["passed"].as_u64() >= Some(57), "{report}");
    assert_eq!(report["coverage"]["ways"], report["coverage"]["seen"], "{report}");
    let xml = std::fs::read_to_string(junit).unwrap();
    assert!(xml.starts_with("<?xml") && xml.contains("cloud.cedartests.json"), "{xml}");
    assert!(!xml.contains("<failure"), "{xml}");
}

/// Goal: a pipeline is told by the exit code, and a person by the reason.
#[test]
fn a_test_that_fails_says_what_decided_instead() {
    let ground = Ground::new();
    let tests = ground.at("wrong.cedartests.json");
    let wrong = json!([{
        "name": "everybody deletes",
        "request": {"principal": "User::\"carol\"", "action": "Action::\"delete\"",
                    "resource": "Document::\"handbook\""},
        "decision": "allow", "reason": ["archivists-delete-documents"],
        "session": {"aal": 1, "age_seconds": 60},
    }]);
    std::fs::write(&tests, wrong.to_string()).unwrap();
    let tests = tests.display().to_string();
    let failed = run(&ground, &cloud("test"), &["--tests", &tests]).ended(1);
    let right = wrong.to_string().replace("allow", "deny").replace("archivists", "mfa");
    std::fs::write(&tests, right).unwrap();
    let thin = run(&ground, &cloud("test"), &["--tests", &tests, "--coverage-min", "90"]).ended(1);
    assert!(thin.out.contains("✗ coverage is below 90 %"), "{}", thin.out);
    run(&ground, &cloud("test"), &["--tests", &tests, "--coverage-min", "5"]).done();
    assert!(failed.out.contains("✗ everybody deletes"), "{}", failed.out);
    let because = "expected allow, got deny: by `mfa-delete-documents`";
    assert!(failed.out.contains(because), "{}", failed.out);
    assert!(failed.out.contains("✗ 1 of 1 test failed"), "{}", failed.out);

    std::fs::write(ground.at("wrong.cedartests.json"), "[{\"decision\": \"allow\"}]").unwrap();
    let unread = run(&ground, &cloud("check"), &["--tests", &tests]).ended(1);
    assert!(unread.out.contains("test 1: missing field `request`"), "{}", unread.out);
    std::fs::write(ground.at("wrong.cedartests.json"), "[").unwrap();
    run(&ground, &cloud("check"), &["--tests", &tests]).ended(1);
    let missing = run(&ground, &cloud("check"), &["--tests", "none.json"]).ended(3);
    assert!(missing.err.contains("none.json"), "{}", missing.err);
}

/// Goal: without a schema nothing is checked by halves.
#[test]
fn a_check_without_a_schema_says_how_to_give_one() {
    let ground = Ground::new();
    let refused = ground.run(&["policy", "check", &shipped(CLOUD)]).ended(2);
    assert!(refused.err.contains("--schema FILE"), "{}", refused.err);
}

/// Goal: warnings are for people until a pipeline asks that they count.
#[test]
fn what_is_doubtful_counts_when_it_is_asked_to() {
    let ground = Ground::new();
    let scope = ["principal", "action == Action::\"open\"", "resource"].join(",\n  ");
    let undescribed = format!("@id(\"a\")\npermit (\n  {scope}\n);\n");
    std::fs::create_dir(ground.at("p")).unwrap();
    std::fs::write(ground.at("p/a.cedar"), undescribed).unwrap();
    let schema = shipped("schemas/cloud.cedarschema");
    let check = ["policy", "check", "p", "--schema", &schema];
    let told = ground.run(&check).done().out;
    assert!(told.contains("it does not say what it is for"), "{told}");
    assert!(told.contains("@owner(\"platform-security\")"), "{told}");
    let strict = ground.run(&[&check[..], &["--strict"]].concat()).ended(1).out;
    assert!(strict.contains("✗ 2 warnings, and --strict lets none pass"), "{strict}");
}

/// Goal: a slip in a name is found before it denies somebody, with the entities from a file
/// and with those of a log.
#[test]
fn an_entity_that_is_not_there_is_told_with_the_nearest_name() {
    let policy = "@id(\"a\")\npermit (\n  principal in Role::\"emplyoee\",\n  \
                  action == Action::\"open\",\n  resource\n);\n";
    let [schema, entities] =
        ["schemas/cloud.cedarschema", "schemas/cloud.entities.json"].map(shipped);
    for place in &Place::both() {
        place.write("p/a.cedar", policy);
        let check = ["policy", "check", "p", "--schema", &schema];
        let unknown = place.ground.run(&check).done().out;
        assert!(!unknown.contains("no entity is called"), "{unknown}");
        let from_file = place.ground.run(&[&check[..], &["--entities", &entities]].concat());
        for told in [from_file.done().out, place.say(&check).done().out] {
            let at = "a.cedar:3:22: policy `a`: no entity is called `Role::\"emplyoee\"`";
            assert!(told.contains(at), "{told}");
            assert!(told.contains("did you mean `Role::\"employee\"`?"), "{told}");
        }
    }
}

/// Goal: nobody is offered what is not taken.
#[test]
fn a_check_offers_no_log_of_the_environment() {
    for command in ["check", "test"] {
        let help = Ground::new().run(&["policy", command, "--help"]).done().out;
        assert!(!help.contains("COUNTERSIGN_DATA"), "{help}");
        assert!(!help.contains("COUNTERSIGN_SERVER"), "{help}");
    }
}

/// Goal: formatting changes how policies look, and what they say not at all.
#[test]
fn files_are_formatted_when_asked_and_only_then() {
    let ground = Ground::new();
    std::fs::create_dir(ground.at("p")).unwrap();
    let ugly = "// Readers\n\n@id(\"a\")permit(principal,action,resource);\n";
    std::fs::write(ground.at("p/a.cedar"), ugly).unwrap();
    let text = || std::fs::read_to_string(ground.at("p/a.cedar")).unwrap();
    let shown = ground.run(&["policy", "format", "p"]).done().out;
    assert!(shown.contains("+ permit (principal, action, resource);"), "{shown}");
    ground.run(&["policy", "format", "p", "--check"]).ended(1);
    assert_eq!(text(), ugly);
    ground.run(&["policy", "format", "p", "--write"]).done();
    assert_eq!(text(), "// Readers\n\n@id(\"a\")\npermit (principal, action, resource);\n");
    ground.run(&["policy", "format", "p", "--check"]).done();
    std::fs::write(ground.at("p/a.cedar"), "permit").unwrap();
    ground.run(&["policy", "format", "p", "--write"]).ended(1);
    assert_eq!(text(), "permit");
}

/// Goal: what is in force counts alike, whether its node is running or not.
#[test]
fn a_check_against_a_log_is_the_same_over_both() {
    let places = Place::both();
    let cloud = shipped(CLOUD);
    let wrong = "@id(\"a\")\n@description(\"x.\")\n@owner(\"o\")\n\
                 permit (principal, action, resource)\nwhen { 1 };\n";
    let both = |asked: &[&str], code: i32| -> Value {
        let asked = [asked, &["--format", "json"]].concat();
        let [here, there] = places.each_ref().map(|place| place.say(&asked).ended(code).json());
        assert_eq!(here, there, "{asked:?}");
        here
    };
    let report = both(&["policy", "check", &cloud], 0);
    assert!(report["tests"]["passed"].as_u64() >= Some(40), "{report}");
    places.iter().for_each(|place| place.write("wrong.cedar", wrong));
    let report = both(&["policy", "check", "wrong.cedar"], 1);
    assert_eq!(
        (&report["faults"][0]["file"], &report["faults"][0]["line"]),
        (&json!("wrong.cedar"), &json!(5))
    );
    let bad_schema = "entity User {\n  name: Sting,\n};\n";
    places.iter().for_each(|place| place.write("bad.cedarschema", bad_schema));
    let report = both(&["policy", "check", "wrong.cedar", "--schema", "bad.cedarschema"], 1);
    assert_eq!(report["faults"][0]["file"], "bad.cedarschema");
}
