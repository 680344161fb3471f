//! Policies are checked against what is in force, and nothing comes of it.

use serde_json::{Value, json};

use crate::app::Answer;
use crate::office::{Office, POLICIES, SCHEMA};

impl Office {
    fn check(&self, body: &Value) -> Answer {
        self.app.post("/policies/v1/check", &self.admin.token, body)
    }
}

fn draft(policies: &str) -> Value {
    json!({"files": [{"name": "a.cedar", "text": policies}]})
}

/// Goal: an author learns what a publication would be refused for, and nothing is changed.
#[test]
fn a_draft_is_checked_against_the_schema_in_force_and_changes_nothing() {
    let office = Office::open();
    let good = office.check(&draft(POLICIES)).expect(200);
    assert_eq!((&good["passed"], &good["faults"]), (&json!(true), &json!([])), "{good}");
    assert_eq!(good["digest"], office.shown("/policies/v1")["digest"]);

    let bad = POLICIES.to_owned() + "@id(\"x\")\npermit (principal is Nobody, action, resource);\n";
    let report = office.check(&draft(&bad)).expect(200);
    let fault = &report["faults"][0];
    assert_eq!((&report["passed"], &fault["code"]), (&json!(false), &json!("policy_invalid")));
    assert_eq!((&fault["file"], &fault["policy"]), (&json!("a.cedar"), &json!("x")));
    assert!(fault["message"].as_str().unwrap().contains("Nobody"), "{fault}");
    assert_eq!(office.shown("/policies/v1")["version"], 1);
}

/// Goal: tests are decided with the directory in force, unless they bring their own
/// entities; a login that nobody has made can be supposed.
#[test]
fn tests_are_decided_as_a_request_would_be() {
    let office = Office::open();
    let mut body = draft(POLICIES);
    body["schema"] = json!(SCHEMA);
    let test = |decision: &str| {
        json!({
            "name": decision, "decision": decision,
            "request": {"principal": "User::\"alice\"", "action": "Action::\"read\"",
                        "resource": "Doc::\"plan\""},
        })
    };
    let mut nobody = test("allow");
    nobody["entities"] = json!([]);
    body["suites"] = json!([{"name": "t.json", "tests": [test("allow"), test("deny"), nobody]}]);
    let report = office.check(&body).expect(200);
    let tests = &report["tests"];
    assert_eq!((&tests["passed"], &tests["failed"]), (&json!(1), &json!(2)), "{tests}");
    let [held, refused, unknown] = [0, 1, 2].map(|at| &tests["suites"][0]["tests"][at]);
    assert_eq!(held["failed"], json!([]));
    assert!(refused["failed"][0].as_str().unwrap().starts_with("expected deny, got allow: by `"));
    assert!(unknown["failed"][0].as_str().unwrap().starts_with("expected allow, got deny"));
    assert_eq!(report["passed"], false);
}

/// Goal: a version is checked only if its own tests hold, and nothing untested comes in force
/// by the short way either.
#[test]
fn a_version_whose_tests_fail_is_not_checked() {
    let office = Office::open();
    let (admin, app) = (&office.admin.token, &office.app);
    let version = |decision: &str| {
        let tests = json!([{
            "name": "alice reads", "decision": decision,
            "request": {"principal": "User::\"alice\"", "action": "Action::\"read\"",
                        "resource": "Doc::\"plan\""},
        }]);
        let mut version = draft(POLICIES);
        version["suites"] = json!([{"name": "t.cedartests.json", "tests": tests}]);
        version
    };
    let drafted = app.post("/versions/v1", admin, &version("deny")).expect(200);
    let check = |version: &Value| {
        let path = format!("/versions/v1/{}/check", version["digest"].as_str().unwrap());
        app.post(&path, admin, &json!({}))
    };
    let refused = check(&drafted);
    assert_eq!((refused.status, refused.code().as_str()), (422, "tests_failed"));
    let told = refused.json();
    let why = told["faults"][0]["message"].as_str().unwrap();
    assert!(why.contains("`alice reads`: expected deny, got allow: by `"), "{why}");
    assert_eq!(app.put("/versions/v1", admin, &version("deny")).code(), "tests_failed");
    assert_eq!(office.shown("/policies/v1")["version"], 1);

    let drafted = app.post("/versions/v1", admin, &version("allow")).expect(200);
    assert_eq!(check(&drafted).expect(200)["stage"], "checked");
}

/// Goal: who may not draft policies may not probe the directory by tests either.
#[test]
fn a_check_takes_the_permission_to_draft() {
    let office = Office::open();
    let refused = office.app.post("/policies/v1/check", &office.pep, &draft(POLICIES));
    assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden"));
    let many: Vec<_> = vec![json!({}); 10_001];
    let mut body = draft(POLICIES);
    body["suites"] = json!([{"name": "t.json", "tests": many}]);
    assert_eq!(office.check(&body).code(), "too_many_tests");
}
