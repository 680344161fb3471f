//! The interop vectors of the OpenID `AuthZEN` working group, Todo and API gateway, over
//! a real socket. Bodies are compared as JSON text, as the interop's own runners do.

use std::path::Path;

use serde_json::{Value, json};

use crate::app::{Setup, TestApp};
use crate::vectors;

/// What the fixtures' entities and the vectors' requests have in them. The fixtures come
/// without a schema; of the requests' properties only `ownerID` is anything.
const SCHEMA: &str = "
entity role in [role];
entity user, identity in [role] = { email?: String, name?: String };
entity todo = { ownerID?: String };
entity route;

action can_read_user appliesTo { principal: [user], resource: [user] };
action can_read_todos, can_create_todo, can_update_todo, can_delete_todo
  appliesTo { principal: [user], resource: [todo] };
action GET, POST, PUT, DELETE appliesTo { principal: [identity], resource: [route] };
";

/// Goal: the Todo interop of draft 01, as its runner plays it.
#[test]
fn todo_vectors_of_draft_01() {
    let Some(folder) = vectors("authzen") else { return };
    let (app, pep) = serving(&folder);
    let cases = read(&folder.join("interop/todo-decisions-1_0-01.json"));
    assert_eq!(single(&app, &pep, &cases), 40);
    app.assert_replays();
}

/// Goal: the Todo interop of draft 02, which became 1.0: single and batched.
#[test]
fn todo_vectors_of_draft_02() {
    let Some(folder) = vectors("authzen") else { return };
    let (app, pep) = serving(&folder);
    let cases = read(&folder.join("interop/todo-decisions-1_0-02.json"));
    assert_eq!(single(&app, &pep, &cases), 40);
    assert_eq!(batched(&app, &pep, &cases), 3);
    app.assert_replays();
}

/// Goal: the API gateway interop.
#[test]
fn gateway_vectors() {
    let Some(folder) = vectors("authzen") else { return };
    let (app, pep) = serving(&folder);
    let cases = read(&folder.join("interop/gateway-decisions.json"));
    assert_eq!(single(&app, &pep, &cases), 25);
    app.assert_replays();
}

/// Goal: what the batch endpoint says of each single vector is what the single one says,
/// with and without items.
#[test]
fn every_single_vector_is_answered_alike_in_a_batch() {
    let Some(folder) = vectors("authzen") else { return };
    let (app, pep) = serving(&folder);
    for file in ["todo-decisions-1_0-01.json", "gateway-decisions.json"] {
        let cases = read(&folder.join("interop").join(file));
        let cases = cases["evaluation"].as_array().unwrap();
        let items: Vec<_> = cases.iter().map(|case| case["request"].clone()).collect();
        let answer = app.evaluate_all(&pep, &json!({"evaluations": items}));
        let expected: Vec<_> = cases.iter().map(|case| decision(&case["expected"])).collect();
        let body = format!(r#"{{"evaluations":[{}]}}"#, expected.join(","));
        assert_eq!((answer.status, answer.text), (200, body), "{file}");
        for (item, expected) in items.iter().zip(&expected) {
            assert_eq!(app.evaluate_all(&pep, item).text, *expected);
        }
    }
    app.assert_replays();
}

/// A node with the fixtures in force, and a token to ask it with.
fn serving(folder: &Path) -> (TestApp, String) {
    let policies = std::fs::read_to_string(folder.join("fixtures/todo-gateway.cedar")).unwrap();
    let entities = read(&folder.join("fixtures/todo-gateway.entities.json"));
    let app = TestApp::spawn(&Setup::of(SCHEMA, &policies, &entities));
    let pep = app.token(&app.admin(), &["evaluate"]);
    (app, pep)
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The whole body that a decision is answered with.
fn decision(expected: &Value) -> String {
    format!(r#"{{"decision":{}}}"#, expected.as_bool().unwrap())
}

/// Asks each question by itself; how many there were.
fn single(app: &TestApp, pep: &str, cases: &Value) -> usize {
    let cases = cases["evaluation"].as_array().unwrap();
    for case in cases {
        let answer = app.evaluate(pep, &case["request"]);
        let body = decision(&case["expected"]);
        assert_eq!((answer.status, &answer.text), (200, &body), "{}", case["request"]);
        app.recorded(&answer);
    }
    cases.len()
}

/// Asks each batch; how many there were.
fn batched(app: &TestApp, pep: &str, cases: &Value) -> usize {
    let cases = cases["evaluations"].as_array().unwrap();
    for case in cases {
        let answer = app.evaluate_all(pep, &case["request"]);
        let body = json!({"evaluations": case["expected"]}).to_string();
        assert_eq!((answer.status, &answer.text), (200, &body), "{}", case["request"]);
    }
    cases.len()
}
