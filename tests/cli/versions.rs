//! `policy plan`, `apply`, `draft` and what may become of a version.

use serde_json::{Value, json};

use crate::binary::shipped;
use crate::place::Place;

const ONE: &str = "@id(\"one\")\npermit (principal, action, resource)\nwhen { false };\n";

/// Runs a command in both places for programs: it ends alike; what both said.
#[track_caller]
fn both(places: &[Place; 2], asked: &[&str], code: i32) -> [Value; 2] {
    let asked = [asked, &["--format", "json"]].concat();
    places.each_ref().map(|place| {
        let said = place.say(&asked).ended(code);
        let told = if said.out.is_empty() { &said.err } else { &said.out };
        serde_json::from_str(told).expect("JSON")
    })
}

/// The members of what both said that are the same wherever it happens.
#[track_caller]
fn same(places: &[Place; 2], asked: &[&str], code: i32, members: &[&str]) -> Value {
    let [here, there] = both(places, asked, code).map(|said| {
        members.iter().map(|name| ((*name).to_owned(), said[name].clone())).collect::<Value>()
    });
    assert_eq!(here, there, "{asked:?}");
    here
}

fn in_both(places: &[Place; 2], name: &str, text: &str) {
    places.iter().for_each(|place| place.write(name, text));
}

/// Goal: a pipeline sees what would change, changes it, and sees that nothing is left to
/// change; and what it did is taken back by one command.
#[test]
fn what_is_in_files_is_planned_applied_and_taken_back_over_both() {
    let places = Place::both();
    // Without the tests beside them: the version in force has none.
    for file in ["assurance", "least-privilege", "segments"] {
        let text = std::fs::read_to_string(shipped(&format!("policies/cloud/{file}.cedar")));
        in_both(&places, &format!("cloud/{file}.cedar"), &text.unwrap());
    }
    let cloud = "cloud";
    let parts = ["changes", "in_force", "added", "changed", "withdrawn", "schema", "tests"];
    let none = same(&places, &["policy", "plan", cloud], 0, &parts);
    assert_eq!((&none["changes"], &none["schema"]), (&json!(false), &json!([])));

    in_both(&places, "more/one.cedar", ONE);
    let plan = ["policy", "plan", cloud, "more"];
    let planned = same(&places, &plan, 1, &parts);
    assert_eq!((&planned["changes"], &planned["added"][0]["id"]), (&json!(true), &json!("one")));
    let text = places[0].say(&plan).ended(1).out;
    assert!(text.starts_with("1 added, against version "), "{text}");
    assert!(text.contains("added: one\n  + @id(\"one\")\n"), "{text}");

    let life = ["digest", "stage", "count", "in_force_as"];
    let apply = ["policy", "apply", cloud, "more", "--message", "one more"];
    let applied = both(&places, &apply, 0);
    let [here, there] = &applied;
    assert_eq!((&here["digest"], &here["stage"]), (&there["digest"], &json!("in_force")));
    assert_eq!(here["in_force_as"]["version"], 2);
    same(&places, &plan, 0, &parts);
    let again = same(&places, &apply, 0, &["unchanged"]);
    assert_eq!(again["unchanged"], true);

    in_both(&places, "more/one.cedar", &ONE.replace("false", "principal == resource"));
    let changed = same(&places, &plan, 1, &parts);
    assert_eq!(
        changed["changed"][0]["lines"][2],
        json!({"what": "removed", "line": "when { false };"})
    );

    let back = both(&places, &["policy", "rollback", "--reason", "undone"], 0);
    assert_eq!(back[0]["digest"], none["in_force"], "{back:?}");
    assert_eq!(back[1]["in_force_as"]["version"], 3);
    same(&places, &["policy", "plan", cloud], 0, &life[..1]);
}

/// Goal: links of templates are kept in files, too, as Cedar's own command line has them, and
/// stay in force for as long as they stand there.
#[test]
fn links_of_templates_are_planned_and_applied_from_a_folder_over_both() {
    let places = Place::both();
    let template = "@id(\"shared\")\npermit (\n  principal == ?principal,\n  action == \
                    Action::\"view\",\n  resource == ?resource\n);\n";
    in_both(&places, "shared/shared.cedar", template);
    let link = |who: &str| {
        json!({"template_id": "shared", "link_id": format!("shared-{who}"), "args": {
            "?principal": format!("User::\"{who}\""), "?resource": "Document::\"handbook\"",
        }})
    };
    let links = |all: &[&str]| {
        let all: Vec<_> = all.iter().map(|who| link(who)).collect();
        in_both(&places, "shared/links.json", &json!(all).to_string());
    };
    links(&["alice", "bob"]);
    let plan = ["policy", "plan", "shared"];
    let added = |planned: &Value| -> Vec<Value> {
        planned["added"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect()
    };
    let planned = same(&places, &plan, 1, &["added"]);
    assert_eq!(added(&planned), ["shared", "shared-alice", "shared-bob"]);
    same(&places, &["policy", "check", "shared"], 0, &["faults", "unformatted"]);
    both(&places, &["policy", "apply", "shared", "--message", "shared"], 0);
    same(&places, &plan, 0, &["changes"]);

    links(&["alice"]);
    let planned = same(&places, &plan, 1, &["added", "changed", "withdrawn"]);
    assert_eq!((&planned["added"], &planned["changed"]), (&json!([]), &json!([])));
    assert_eq!(planned["withdrawn"][0]["id"], "shared-bob");

    in_both(&places, "shared/links.json", "[{\"template_id\": \"shared\"}]");
    for place in &places {
        let said = place.say(&["policy", "check", "shared"]).ended(1).out;
        assert!(said.contains("shared/links.json: link 1: missing field `link_id`"), "{said}");
        assert!(said.contains("help: links are written"), "{said}");
    }
}

/// Goal: each step by the first digits of a version's name, and what there is in a table.
#[test]
fn a_version_is_drafted_staged_and_put_in_force_over_both() {
    let places = Place::both();
    in_both(&places, "next/one.cedar", ONE);
    let test = json!([{
        "name": "nothing is open", "decision": "deny", "request": {
            "principal": "User::\"alice\"", "action": "Action::\"view\"",
            "resource": "Document::\"handbook\"",
        },
    }]);
    in_both(&places, "next/one.cedartests.json", &test.to_string());
    let life = ["digest", "stage", "count", "tests_digest", "message"];
    let draft = ["policy", "draft", "next", "--message", "the next"];
    let drafted = same(&places, &draft, 0, &life);
    assert_eq!((&drafted["stage"], &drafted["count"]), (&json!("checked"), &json!(1)));
    let name: String = drafted["digest"].as_str().unwrap().chars().take(8).collect();
    assert_eq!(same(&places, &draft, 1, &["code"])["code"], "version_exists");

    let step = |word: &str, code| {
        let members = if code == 0 { "stage" } else { "code" };
        same(&places, &["policy", word, &name, "--reason", "r"], code, &[members])[members].clone()
    };
    assert_eq!(step("stage", 0), "staged");
    assert_eq!(step("stage", 1), "wrong_stage");
    assert_eq!(step("unstage", 0), "checked");
    assert_eq!(step("stage", 0), "staged");
    for place in &places {
        let refused = place.say(&["policy", "approve", &name]).ended(1).err;
        assert!(refused.contains("forbidden by `system-approve-person`"), "{refused}");
        let table = place.say(&["policy", "versions"]).done().out;
        let row = table.lines().find(|line| line.starts_with(&name)).unwrap();
        assert!(row.contains("staged") && row.ends_with("the next"), "{table}");
    }
    assert_eq!(step("activate", 0), "in_force");
    let whole = same(&places, &["policy", "versions", &name], 0, &["policies", "tests", "schema"]);
    assert_eq!(whole["policies"][0]["id"], "one");
    assert!(whole["tests"].as_str().unwrap().contains("\"nothing is open\""), "{whole}");
    let text = places[0].say(&["policy", "versions", &name]).done().out;
    assert!(text.contains("is in force, as number 2") && text.contains("@id(\"one\")"), "{text}");
    let log = places[0].say(&["log", "--format", "text"]).done().out;
    for words in
        ["was drafted", "was checked", "was staged", "taken off the stage", "came in force"]
    {
        assert!(log.contains(words), "{words}: {log}");
    }
}

/// Goal: a draft that is not fit is shown with its faults where they are, and is no more
/// than a draft.
#[test]
fn a_draft_that_is_not_fit_says_why_over_both() {
    let places = Place::both();
    in_both(
        &places,
        "bad/x.cedar",
        "// one\n@id(\"x\")\npermit (principal is Usr, action, resource);\n",
    );
    for words in [["policy", "draft", "bad"], ["policy", "apply", "bad"]] {
        let refused = same(&places, &words, 1, &["code", "faults"]);
        let fault = &refused["faults"][0];
        assert_eq!(refused["code"], "policy_invalid");
        assert!(fault["file"].as_str().unwrap().ends_with("x.cedar"), "{fault}");
        assert_eq!(fault["line"], 3, "{fault}");
    }
    for said in both(&places, &["policy", "versions"], 0) {
        let versions = said["versions"].as_array().unwrap();
        let stages: Vec<_> = versions.iter().map(|it| &it["stage"]).collect();
        assert_eq!(stages, ["draft", "in_force"]);
    }
    in_both(&places, "bad/y.cedar", "@id(\"y\") permit (principal is Usr, action, resource);\n");
    for place in &places {
        let refused = place.say(&["policy", "draft", "bad"]).ended(1).err;
        let (_, rest) = refused.split_once("; it is kept as draft ").expect(&refused);
        let (name, rest) = rest.split_at(12);
        assert!(rest.contains("mend the files and draft them again"), "{refused}");
        let kept = place.say(&["policy", "versions", name]).done().out;
        assert!(kept.contains("is a draft") && kept.contains("@id(\"y\")"), "{kept}");
        let again = place.say(&["policy", "draft", "bad"]).ended(1).err;
        assert!(again.contains("is draft: staging it checks it again"), "{again}");
    }
}

/// The name of the version in force, as people are told it.
fn in_force(place: &Place) -> String {
    let digest = place.json(&["policy", "versions"])["in_force"].as_str().unwrap().to_owned();
    digest.chars().take(12).collect()
}

/// Goal: nobody takes the digest of the policies for the name of their version.
#[test]
fn what_is_in_force_is_named_by_its_version_over_both() {
    for place in &Place::both() {
        let of_version = in_force(place);
        let shown = place.say(&["policy", "show"]).done().out;
        assert!(shown.starts_with(&format!("version {of_version}, in force as number 1: ")));
        let of_policies = place.json(&["policy", "show"])["digest"].as_str().unwrap().to_owned();
        let labelled = format!("\ndecisions name these policies by SHA-256 {of_policies}\n");
        assert!(shown.contains(&labelled), "{shown}");

        place.write("one.cedar", ONE);
        let told = place.say(&["policy", "publish", "one.cedar"]).done().out;
        let next = in_force(place);
        assert!(
            told.starts_with(&format!("version {next} is in force as number 2, by ")),
            "{told}"
        );
        let back = place.say(&["policy", "rollback"]).done().out;
        let instead = format!("in force, as number 3, instead of version {next} (number 2)\n");
        assert!(back.starts_with(&format!("version {of_version} is {instead}")), "{back}");
    }
}
