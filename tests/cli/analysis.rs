//! `policy analyze`: what a set decides of all requests at once. Needs cvc5.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

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

/// Operators administer services, with two factors that are this fresh.
fn administration(seconds: u32) -> String {
    format!(
        "@id(\"operators\")\npermit (principal in Role::\"operator\", action == \
         Action::\"administer\", resource);\n\n@id(\"fresh\")\nforbid (principal, action == \
         Action::\"administer\", resource)\nunless {{ context has session && \
         context.session.aal >= 2 && context.session.age_seconds < {seconds} }};\n"
    )
}

/// Writes both.
fn two_sets(ground: &Ground) {
    fs::write(ground.at("old.cedar"), administration(900)).unwrap();
    fs::write(ground.at("new.cedar"), administration(300)).unwrap();
}

/// Goal: who weakens a policy sees a request that shows it, whether the node runs or not.
#[test]
fn a_weaker_policy_is_found_with_a_request_that_shows_it() {
    let Some(solver) = solver() else { return };
    let told = Place::both().map(|place| {
        let folder = place.ground.at("new");
        fs::create_dir(&folder).unwrap();
        for file in fs::read_dir(shipped(CLOUD)).unwrap() {
            let (path, name) = file.map(|file| (file.path(), file.file_name())).unwrap();
            let text = fs::read_to_string(&path).unwrap();
            fs::write(folder.join(name), text.replace("_seconds < 900", "_seconds < 3600"))
                .unwrap();
        }
        let mut command = place.command(&["policy", "analyze", "new", "--format", "json"]);
        let said = Said::of(command.env("CVC5", &solver).output().unwrap()).ended(1);
        serde_json::from_str::<Value>(&said.out).unwrap()
    });
    // Which of several requests the solver shows is its own affair.
    let [here, there] = told.each_ref().map(|told| {
        let each = told["environments"].as_array().unwrap().iter();
        let each = each.map(|one| json!([one["principal"], one["action"], one["verdict"]]));
        (told["policies"].clone(), told["against"].clone(), each.collect::<Vec<_>>())
    });
    assert_eq!(here, there);
    told.iter().for_each(shows_what_is_weaker);
}

fn shows_what_is_weaker(told: &Value) {
    assert_eq!(told["verdict"], "more_permissive");
    assert_eq!((&told["findings"], &told["undecided"]), (&json!([]), &json!([])));
    let environments = told["environments"].as_array().unwrap();
    let changed: Vec<_> =
        environments.iter().filter(|one| one["verdict"] != "equivalent").collect();
    let [one] = changed.as_slice() else { panic!("{changed:?}") };
    let example = &one["newly_allowed"];
    let age = &example["request"]["context"]["session"]["age_seconds"];
    assert!((900..3600).contains(&age.as_i64().unwrap()), "{example}");
    assert_eq!(example["confirmed"], true);
    assert!(example["new"]["determining"].as_array().is_some_and(|by| !by.is_empty()));
    assert_eq!(example["old"]["determining"], json!(["fresh-mfa-administration"]));
}

/// Goal: tightening passes a pipeline, and files alone are enough to find out.
#[test]
fn a_stricter_set_passes_without_a_log() {
    let Some(solver) = solver() else { return };
    let ground = Ground::new();
    two_sets(&ground);
    let arguments = ["new.cedar", "--schema", &shipped(SCHEMA), "--against", "old.cedar"];
    let said = analysed(&ground, &arguments, &solver).done();
    let expected = "✓ stricter: nothing is newly allowed, something is newly denied\n\
                    ✓ every policy is needed, and none can end in an error\n";
    assert!(said.out.contains(expected), "{}", said.out);
    let example = "\nNewly denied for User, Action::\"administer\", Service, for example:\n  \
                   principal   User::\"user-1\" in Role::\"operator\"\n  \
                   action      Action::\"administer\"\n  \
                   resource    Service::\"service-1\"\n";
    assert!(said.out.contains(example), "{}", said.out);
    let decided = "\n  now         denied by `fresh`\n  before      allowed by `operators`\n";
    assert!(said.out.contains(decided), "{}", said.out);
}

/// Goal: one check says all there is to say, and does not pass for what it could not do.
#[test]
fn a_check_has_the_solver_asked_if_that_is_wanted() {
    let ground = Ground::new();
    let never = "@id(\"never\")\npermit (principal, action == Action::\"open\", resource)\n\
                 when { context has session && context.session.aal > 3 };\n";
    fs::write(ground.at("p.cedar"), never).unwrap();
    let schema = shipped(SCHEMA);
    let check = |solver: &str, more: &[&str]| {
        let words = ["policy", "check", "p.cedar", "--analyze", "--schema", &schema];
        let mut command = ground.program(&[&words, more].concat());
        Said::of(command.env("CVC5", solver).env("PATH", "/nowhere").output().unwrap())
    };
    let without = check("/nowhere/cvc5", &[]).ended(3).out;
    assert!(without.contains("✓ 1 policy, valid against the schema"), "{without}");
    assert!(
        without.contains("✗ symbolic analysis was skipped: CVC5 names `/nowhere/cvc5`"),
        "{without}"
    );
    let Some(solver) = solver() else { return };
    let with = check(&solver, &[]).ended(1).out;
    assert!(with.contains("✗ `never` never applies, whatever is asked\n"), "{with}");
    let json: Value =
        serde_json::from_str(&check(&solver, &["--format", "json"]).ended(1).out).unwrap();
    assert_eq!((&json["passed"], &json["policies"]), (&json!(true), &json!(1)));
    assert_eq!(json["analysis"]["findings"][0]["kind"], "never_applies");
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

/// A program that calls itself cvc5 and answers with a shell script.
fn pretender(ground: &Ground, answer: &str) -> String {
    let path = ground.at("pretender");
    let text = format!(
        "#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'This is cvc5 version 9'; exit; fi\n\
         {answer}\n"
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

/// Goal: a solver that is broken, or lies, makes nobody believe anything.
#[test]
fn a_solver_that_lies_or_says_nothing_is_not_believed() {
    let ground = Ground::new();
    two_sets(&ground);
    let schema = shipped(SCHEMA);
    let arguments =
        ["new.cedar", "--schema", &schema, "--against", "old.cedar", "--format", "json"];
    let json = |said: &Said| serde_json::from_str::<Value>(&said.out).unwrap();

    // `sat`, with a model of nothing.
    let liar = pretender(
        &ground,
        "while read -r line; do case \"$line\" in *check-sat*) echo sat;; *get-model*) \
         printf '(\\n)\\n';; esac; done",
    );
    let said = json(&analysed(&ground, &arguments, &liar).ended(1));
    let undecided = said["undecided"].as_array().unwrap();
    let environments = said["environments"].as_array().unwrap();
    let shown = environments.iter().flat_map(|one| [&one["newly_allowed"], &one["newly_denied"]]);
    let mut shown = shown.filter(|example| !example.is_null()).peekable();
    assert!(shown.peek().is_some() || !undecided.is_empty(), "{said}");
    assert!(shown.all(|example| example["confirmed"] == false), "{said}");
    assert_eq!(said["findings"], json!([]));

    let silent = pretender(&ground, "exec cat > /dev/null");
    let bounds = ["--question-limit", "1", "--time-limit", "1"];
    let said = json(&analysed(&ground, &[&arguments[..], &bounds].concat(), &silent).ended(1));
    assert_eq!(said["verdict"], "undecided");
    assert!(!said["undecided"].as_array().unwrap().is_empty() && said["findings"] == json!([]));
}

/// Goal: sets that cannot be held against one schema are not compared in part.
#[test]
fn a_set_that_does_not_fit_the_schema_is_refused_with_its_faults() {
    let Some(solver) = solver() else { return };
    let ground = Ground::new();
    let text = "@id(\"a\")\npermit (principal, action, resource) when { principal.x };\n";
    fs::write(ground.at("a.cedar"), text).unwrap();
    let (schema, cloud) = (shipped(SCHEMA), shipped(CLOUD));
    let arguments = [&cloud, "--schema", &schema, "--against", "a.cedar"];
    let said = analysed(&ground, &arguments, &solver).ended(1);
    assert!(said.err.contains("the set cannot be analysed"), "{}", said.err);
    assert!(said.err.contains("a.cedar:2:"), "{}", said.err);
    let said = analysed(&ground, &[&cloud], &solver).ended(2);
    assert!(said.err.contains("no log named"), "{}", said.err);
}
