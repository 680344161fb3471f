//! `policy`, `schema` and `entities`: what decisions depend on.

use serde_json::{Value, json};

use crate::binary::{Said, shipped};
use crate::place::{Place, alike, masked};

const CLOUD: &str = "policies/cloud";
const SCHEMA: &str = "schemas/cloud.cedarschema";

/// Runs a command in both places for programs: it ends alike, and says the same.
#[track_caller]
fn same(places: &[Place; 2], asked: &[&str], code: i32) -> Value {
    let asked = [asked, &["--format", "json"]].concat();
    let [here, there] = places.each_ref().map(|place| place.say(&asked).ended(code));
    let told = |said: &Said| if code == 0 { said.out.clone() } else { said.err.clone() };
    let [here, there] = [told(&here), told(&there)];
    let [here, there] = [here, there].map(|told| alike(serde_json::from_str(&told).expect("JSON")));
    assert_eq!(here, there, "{asked:?}");
    here
}

/// The same for people.
#[track_caller]
fn same_text(places: &[Place; 2], asked: &[&str]) -> String {
    let [here, there] = places.each_ref().map(|place| place.say(asked).done().out);
    assert_eq!(masked(&here), masked(&there), "{asked:?}");
    here
}

fn in_both(places: &[Place; 2], name: &str, text: &str) {
    places.iter().for_each(|place| place.write(name, text));
}

/// Goal: an author's pipeline does not care whether the node is running.
#[test]
fn policies_are_published_alike_over_both() {
    let places = Place::both();
    let cloud = shipped(CLOUD);
    let before = same(&places, &["policy", "show"], 0);
    assert_eq!(before["version"], 1);
    assert_eq!(same(&places, &["policy", "publish", &cloud], 1)["code"], "unchanged");

    in_both(
        &places,
        "more/one.cedar",
        "@id(\"one\")\n@description(\"One more.\")\npermit (principal, action, resource);\n",
    );
    let tested = ["policy", "publish", &cloud, "more"];
    assert_eq!(same(&places, &tested, 1)["code"], "tests_failed");
    assert_eq!(same(&places, &["policy", "show"], 0)["version"], 1);
    let refused = places[0].say(&tested).ended(1).err;
    assert!(refused.contains("tests beside these policies do not hold"), "{refused}");
    assert!(refused.contains("cloud.cedartests.json: test `"), "{refused}");
    let publish = ["policy", "publish", &cloud, "more", "--without-tests", "--message", "one more"];
    let published = same(&places, &[&publish[..], &["--expect-version", "1"]].concat(), 0);
    assert_eq!((&published["version"], &published["added"]), (&json!(2), &json!(["one"])));
    let late = same(&places, &["policy", "publish", &cloud, "--expect-version", "1"], 1);
    assert_eq!(late["code"], "version_conflict");

    let withdrawn = same_text(&places, &["policy", "publish", &cloud]);
    assert!(withdrawn.contains("in force as number 3"), "{withdrawn}");
    assert!(withdrawn.contains("withdrawn   one"), "{withdrawn}");
    let shown = same_text(&places, &["policy", "show", "wall-data"]);
    assert!(shown.starts_with("@id(\"wall-data\")\n"), "{shown}");
    assert!(same_text(&places, &["policy", "show"]).contains(", in force as number 3: "));
    assert_eq!(same(&places, &["policy", "show", "one"], 1)["code"], "not_found");
    assert_eq!(same(&places, &["policy", "show"], 0)["policies"], before["policies"]);
}

/// Goal: an author is shown where in which file what is wrong, whoever found it.
#[test]
fn a_fault_is_told_by_file_line_and_column_over_both() {
    let places = Place::both();
    let publish = ["policy", "publish", "bad.cedar"];
    let good = "@id(\"a\")\npermit (principal, action, resource);\n\n";

    in_both(
        &places,
        "bad.cedar",
        &format!(
            "{good}@id(\"b\")\npermit (principal is User, action, resource)\n\
             when {{ principal.rank > 3 }};\n"
        ),
    );
    let refused = same(&places, &publish, 1);
    assert_eq!(refused["code"], "policy_invalid");
    let fault = &refused["faults"][0];
    assert_eq!((&fault["file"], &fault["policy"]), (&json!("bad.cedar"), &json!("b")));
    assert_eq!((&fault["line"], &fault["column"]), (&json!(6), &json!(8)), "{fault}");
    let [here, there] = places.each_ref().map(|place| place.say(&publish).ended(1));
    assert_eq!((here.out.as_str(), &here.err), ("", &there.err));
    assert!(here.err.contains("\nbad.cedar:6:8: policy `b`: "), "{}", here.err);
    assert!(here.err.contains("when { principal.rank > 3 };\n"), "{}", here.err);

    in_both(&places, "bad.cedar", &format!("{good}@id(\"b\")\npermit (principal, action);\n"));
    let fault = &same(&places, &publish, 1)["faults"][0];
    assert_eq!((&fault["file"], &fault["line"]), (&json!("bad.cedar"), &json!(5)), "{fault}");

    in_both(&places, "bad.cedarschema", "entity User;\nentity Doc = { owner: Usr };\n");
    let fault = &same(&places, &["schema", "publish", "bad.cedarschema"], 1)["faults"][0];
    assert_eq!(fault["file"], "bad.cedarschema", "{fault}");
    assert_eq!((&fault["line"], &fault["column"]), (&json!(2), &json!(23)), "{fault}");
    assert_eq!(same(&places, &["policy", "show"], 0)["version"], 1, "nothing has changed");
}

#[test]
fn schemas_are_published_alike_over_both() {
    let places = Place::both();
    let schema = std::fs::read_to_string(shipped(SCHEMA)).unwrap();
    assert_eq!(same(&places, &["schema", "show"], 0)["schema"], schema.as_str());
    assert_eq!(same(&places, &["schema", "publish", &shipped(SCHEMA)], 1)["code"], "unchanged");

    in_both(&places, "next.cedarschema", &format!("{schema}\nentity Printer;\n"));
    let published = same(&places, &["schema", "publish", "next.cedarschema"], 0);
    assert_eq!((&published["schema_version"], &published["version"]), (&json!(2), &json!(1)));
    let shown = same_text(&places, &["schema", "show"]);
    assert!(shown.starts_with("// version 2, ") && shown.ends_with("\nentity Printer;\n"));

    in_both(
        &places,
        "print.cedar",
        "@id(\"print\")\npermit (principal, action == Action::\"print\", resource);\n",
    );
    in_both(
        &places,
        "print.cedarschema",
        &format!(
            "{schema}\nentity Printer;\n\
             action print appliesTo {{ principal: [User], resource: [Printer] }};\n"
        ),
    );
    let together = ["policy", "publish", "print.cedar", "--schema", "print.cedarschema"];
    assert_eq!(same(&places, &together[..3], 1)["code"], "policy_invalid");
    let published = same(&places, &together, 0);
    assert_eq!((&published["schema_version"], &published["count"]), (&json!(3), &json!(1)));
}

#[test]
fn entities_are_changed_alike_over_both() {
    let places = Place::both();
    let all = same(&places, &["entities", "list"], 0);
    assert_eq!(all["version"], 1);
    let zara = json!([{"uid": {"type": "User", "id": "zara"}, "attrs": {},
                      "parents": [{"type": "Role", "id": "editor"}]}]);
    in_both(&places, "zara.json", &zara.to_string());
    let put = same(&places, &["entities", "put", "zara.json", "--message", "joins"], 0);
    assert_eq!(put, json!({"version": 2, "changed": 1}));
    let users = same_text(&places, &["entities", "list", "--type", "User"]);
    let shown = users.lines().find(|line| line.starts_with("User::\"zara\"")).unwrap();
    assert!(shown.ends_with("Role::\"editor\""), "{users}");

    let wrong = [
        ("{}", "bad_entities"),
        ("[{\"uid\": {\"type\": \"User\"}}]", "bad_entities"),
        ("[1, 1", "bad_json"),
        (
            "[{\"uid\": {\"type\": \"User\", \"id\": \"x\"}, \"attrs\": {\"rank\": 1}}]",
            "entity_invalid",
        ),
    ];
    for (text, code) in wrong {
        in_both(&places, "wrong.json", text);
        assert_eq!(same(&places, &["entities", "put", "wrong.json"], 1)["code"], code);
    }
    let deleted = same_text(&places, &["entities", "delete", "User::\"zara\""]);
    assert!(deleted.starts_with("in force: version 3"), "{deleted}");
    let again = same(&places, &["entities", "delete", "User::\"zara\""], 1);
    assert_eq!(again["code"], "entity_invalid");
    assert_eq!(same(&places, &["entities", "list"], 0)["entities"], all["entities"]);
}
