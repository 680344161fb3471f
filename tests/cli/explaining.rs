//! `explain`: why something was decided, or would be.

use serde_json::{Value, json};

use crate::place::{Place, alike, masked};

const REQUEST: &str = r#"{
  "subject": {"type": "User", "id": "alice"},
  "action": {"name": "open"},
  "resource": {"type": "ProtectedResource", "id": "protected-resource"}
}"#;

const DRAFT: &str = "@id(\"all\")\n@description(\"Everybody may.\")\n\
                     permit (principal, action, resource);\n";

/// What both ways say of the same, but for times and places.
#[track_caller]
fn both(places: &[Place; 2], arguments: &[&str]) -> Value {
    let [here, there] = places.each_ref().map(|place| {
        let mut told = place.json(&[&["explain"], arguments].concat());
        told["as_of"] = Value::Null;
        alike(told)
    });
    assert_eq!(here, there);
    here
}

/// Goal: an operator at the machine and an auditor far away are told the same.
#[test]
fn a_question_is_explained_alike_over_both() {
    let places = Place::both();
    for place in &places {
        place.write("request.json", REQUEST);
        place.write("draft/all.cedar", DRAFT);
    }
    let at = |name: &str| places.each_ref().map(|place| place.ground.at(name));
    let [here, _] = at("request.json");
    let request = here.display().to_string();
    let told = both(&places, &["--request", &request]);
    assert_eq!(told["decision"], "deny");
    let newest = places[0].json(&["log", "--newest", "--limit", "1"])["index"].to_string();
    let told = both(
        &places,
        &[
            "--subject",
            "User::\"alice\"",
            "--action",
            "view",
            "--resource",
            "Document::\"handbook\"",
            "--at",
            &newest,
        ],
    );
    assert_eq!(told["decision"], "allow");
    let [draft, _] = at("draft");
    let draft = draft.display().to_string();
    let told = both(&places, &["--request", &request, "--policies", &draft]);
    let expected = json!("Allowed: Everybody may (policy `all`).");
    assert_eq!((&told["sentence"], &told["draft"]), (&expected, &json!(true)));

    let drafted = places.each_ref().map(|place| place.json(&["policy", "draft", &draft]));
    let version = drafted[0]["digest"].as_str().unwrap();
    let told = both(&places, &["--request", &request, "--version", version]);
    assert_eq!((&told["sentence"], &told["draft"]), (&expected, &json!(true)));
    for place in &places {
        let text = place.say(&["explain", "--request", &request, "--version", version]).done().out;
        let named: String = version.chars().take(12).collect();
        let line = format!("policies    version {named}, not those in force\n");
        assert!(text.contains(&line), "{text}");
        place.say(&["policy", "stage", version]).done();
        let staged = place.say(&["explain", "--request", &request, "--staged"]).done().out;
        assert!(staged.contains("policies    the staged version, not those in"), "{staged}");
        let unknown = ["explain", "--request", &request, "--version", "0123456789ab"];
        assert!(place.say(&unknown).ended(1).err.contains("no version `0123456789ab`"));
    }
}

#[test]
fn an_explanation_reads_from_the_sentence_to_the_clause() {
    let place = Place::stopped();
    place.write("request.json", REQUEST);
    let request = place.ground.at("request.json").display().to_string();
    let told = place.say(&["explain", "--request", &request]).done().out;
    let expected = "Denied: The protected resource wants two factors (policy \
        `mfa-protected-resource`); there was no `context.session`. But for that it would be \
        allowed: Employees open the protected resource (policy \
        `employees-open-protected-resource`). No session was presented with the request, so \
        nothing is known of how the subject signed in. subject User::\"alice\" action \
        Action::\"open\" resource ProtectedResource::\"protected-resource\" as of entry … … … UTC \
        policies number 1 Denied by forbid mfa-protected-resource: The protected resource wants \
        two factors. ✓ action == Action::\"open\" ✓ resource is ProtectedResource ✓ unless { \
        context has session && context.session.aal >= 2 }: false - context has session: false - \
        context.session.aal >= 2: not reached there was no `context.session.aal` Would allow, if \
        that did not deny permit employees-open-protected-resource: Employees open the protected \
        resource. ✓ principal in Role::\"employee\" ✓ action == Action::\"open\" ✓ resource == \
        ProtectedResource::\"protected-resource\"";
    assert_eq!(masked(&told), expected);
}

/// Goal: a recorded decision is explained by its id; here one of the operator's own.
#[test]
fn a_recorded_decision_is_explained_by_its_id() {
    let places = Place::both();
    for place in &places {
        let decided = place.json(&["log", "--type", "access.decided", "--limit", "1"]);
        let told = place.json(&["explain", decided["id"].as_str().unwrap()]);
        assert_eq!(told["recorded"]["again"], json!({"outcome": "identical"}), "{told}");
        assert_eq!(told["recorded"]["index"], decided["index"]);
        assert_eq!(told["policies"][0]["policy"], "system-local-operator");
        let nobodys = "01a2f6c8-5d3e-7b41-9c0a-2f6e8d1b3a57";
        place.say(&["explain", nobodys]).ended(1);
        place.say(&["explain", nobodys, "--at", "3"]).ended(2);
        let nothing = place.say(&["explain"]).ended(2).err;
        assert!(nothing.contains("nothing to explain: give a decision's id, or"), "{nothing}");
        place.say(&["explain", "--request", "none.json"]).ended(3);
    }
}

#[test]
fn a_fault_in_a_draft_is_told_by_its_file() {
    let places = Place::both();
    for place in &places {
        place.write("request.json", REQUEST);
        place.write("draft/all.cedar", &DRAFT.replace("permit", "\npermti"));
        let at = |name: &str| place.ground.at(name).display().to_string();
        let asked = ["explain", "--request", &at("request.json"), "--policies", &at("draft")];
        let told = place.say(&asked).ended(1);
        assert!(told.err.contains("all.cedar:4:1"), "{}", told.err);
    }
}
