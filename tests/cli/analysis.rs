//! `policy analyze`: what a set decides of all requests at once. Needs cvc5.

use std::fs;

use serde_json::{Value, json};

use crate::binary::{Ground, Said, found_program, shipped};
use crate::place::Place;

const CLOUD: &str = "policies/cloud";
const SCHEMA: &str = "schemas/cloud.cedarschema";

fn solver() -> Option<String> {
    std::env::var("CVC5").ok().or_else(|| found_program("cvc5"))
}

/// Analyses on a ground where no log is.
fn analysed(ground: &Ground, arguments: &[&str], solver: &str) -> Said {
    let mut command = ground.program(&[&["policy", "analyze"], arguments].concat());
    Said::of(command.env("CVC5", solver).env("PATH", "/nowhere").output().unwrap())
}

/// Writes the shipped policies with one text in the place of another into `new`.
fn edit(ground: &Ground, file: &str, from: &str, to: &str) {
    fs::create_dir_all(ground.at("new")).unwrap();
    for name in ["assurance", "least-privilege", "segments"] {
        let text = fs::read_to_string(shipped(&format!("{CLOUD}/{name}.cedar"))).unwrap();
        let edited = if name == file { text.replacen(from, to, 1) } else { text.clone() };
        assert!(name != file || edited != text, "`{from}` is not in {file}");
        fs::write(ground.at(&format!("new/{name}.cedar")), &edited).unwrap();
    }
}

/// Goal: who weakens a policy sees a request that shows it, whether the node runs or not.
#[test]
fn a_weaker_policy_is_found_with_a_request_that_shows_it() {
    let Some(solver) = solver() else { return };
    let told = Place::both().map(|place| {
        edit(&place.ground, "assurance", "age_seconds < 900", "age_seconds < 3600");
        let mut command = place.command(&["policy", "analyze", "new", "--format", "json"]);
        let said = Said::of(command.env("CVC5", &solver).output().unwrap()).ended(1);
        serde_json::from_str::<Value>(&said.out).unwrap()
    });
    let [here, there] = &told;
    assert_eq!(here, there);
    assert_eq!(here["verdict"], "more_permissive");
    assert_eq!((&here["findings"], &here["undecided"]), (&json!([]), &json!([])));
    let environments = here["environments"].as_array().unwrap();
    let changed: Vec<_> =
        environments.iter().filter(|one| one["verdict"] != "equivalent").collect();
    let [one] = changed.as_slice() else { panic!("{changed:?}") };
    let example = &one["newly_allowed"];
    let age = &example["request"]["context"]["session"]["age_seconds"];
    assert!((900..3600).contains(&age.as_i64().unwrap()), "{example}");
    assert_eq!(example["confirmed"], true);
    assert_eq!(example["new"]["determining"], json!(["operators-administer-services"]));
    assert_eq!(example["old"]["determining"], json!(["fresh-mfa-administration"]));
}

/// Goal: tightening passes a pipeline, and files alone are enough to find out.
#[test]
fn a_stricter_set_passes_without_a_log() {
    let Some(solver) = solver() else { return };
    let ground = Ground::new();
    edit(&ground, "assurance", "age_seconds < 900", "age_seconds < 300");
    let (schema, cloud) = (shipped(SCHEMA), shipped(CLOUD));
    let arguments = ["new", "--schema", &schema, "--against", &cloud];
    let said = analysed(&ground, &arguments, &solver).done();
    let expected = "✓ stricter: nothing is newly allowed, something is newly denied\n\
                    ✓ every policy is needed, and none can end in an error\n";
    assert!(said.out.contains(expected), "{}", said.out);
    for example in [
        "Newly denied for User, Action::\"administer\", Service, for example:\n",
        "  principal   User::\"user-1\" in Role::\"operator\"; device_posture: \"healthy\"\n",
    ] {
        assert!(said.out.contains(example), "{}", said.out);
    }
}

/// Goal: a policy that does nothing is named, and why it does nothing.
#[test]
fn policies_that_change_nothing_or_may_err_are_named() {
    let Some(solver) = solver() else { return };
    let ground = Ground::new();
    let policy = |id: &str, text: &str| format!("@id(\"{id}\")\n{text}\n");
    let text = [
        policy("all-view", "permit (principal is User, action == Action::\"view\", resource);"),
        policy(
            "some-view",
            "permit (principal in Role::\"x\", action == Action::\"view\", resource);",
        ),
        policy("no-delete", "forbid (principal, action == Action::\"delete\", resource);"),
        policy("delete", "permit (principal, action == Action::\"delete\", resource);"),
        policy(
            "no-confidential-delete",
            "forbid (principal, action == Action::\"delete\", resource)\
            \nwhen { resource.classification == \"confidential\" };",
        ),
        policy(
            "never",
            "permit (principal, action == Action::\"open\", resource)\
            \nwhen { context has session && context.session.aal > 3 };",
        ),
        policy(
            "sum",
            "permit (principal, action == Action::\"edit\", resource)\
            \nwhen { context has session && context.session.age_seconds * 1000000 < 900 };",
        ),
    ];
    fs::write(ground.at("p.cedar"), text.concat()).unwrap();
    let arguments = ["p.cedar", "--schema", &shipped(SCHEMA), "--against", "p.cedar"];
    let told = analysed(&ground, &[&arguments[..], &["--format", "json"]].concat(), &solver);
    let told: Value = serde_json::from_str(&told.ended(1).out).unwrap();
    assert_eq!(told["verdict"], "equivalent");
    let findings = told["findings"].as_array().unwrap().iter();
    let findings: Vec<_> =
        findings.map(|one| json!([one["policy"], one["kind"], one["by"]])).collect();
    let expected = [
        json!(["delete", "overridden", ["no-delete"]]),
        json!(["never", "never_applies", null]),
        json!(["no-confidential-delete", "shadowed", ["no-delete"]]),
        json!(["some-view", "redundant", ["all-view"]]),
        json!(["sum", "may_err", null]),
    ];
    assert_eq!(findings, expected);
    let said = analysed(&ground, &arguments, &solver).ended(1).out;
    for line in [
        "✗ `delete` permits nothing: all of it is forbidden by `no-delete`\n",
        "✗ `never` never applies, whatever is asked\n",
        "✗ `sum` may end in an error, and does not apply then, for example:\n",
    ] {
        assert!(said.contains(line), "{said}");
    }
}

/// Goal: a machine without a solver is told what to do, and nothing is claimed.
#[test]
fn without_a_solver_that_is_said_and_nothing_else() {
    let ground = Ground::new();
    let said = analysed(&ground, &[&shipped(CLOUD)], "/nowhere/cvc5").ended(3);
    assert_eq!(said.out, "");
    assert!(said.err.contains("CVC5 names `/nowhere/cvc5`, which is not there"), "{}", said.err);
    let said = analysed(&ground, &[&shipped(CLOUD)], "").ended(3);
    assert!(said.err.contains("no `cvc5` on the PATH"), "{}", said.err);
    let other = analysed(&ground, &[&shipped(CLOUD)], "/bin/true").ended(3);
    assert!(other.err.contains("`/bin/true` does not answer as cvc5 does"), "{}", other.err);
}
