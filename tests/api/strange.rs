//! Whatever JSON stands where a caller may say what they like.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

use crate::app::Setup;
use crate::office::{Office, ask};

/// Law: whatever JSON stands where a caller may say what they like, the answer is a
/// decision or a fault of the request; what was decided can be decided again.
#[test]
fn no_json_is_too_strange() {
    let office = Office::open();
    let mut runner = TestRunner::new(Config { cases: 150, ..Config::default() });
    let strange = (prop::array::uniform4(members()), ".{0,6}", ".{0,6}");
    let law = |(said, user, doc): ([Map<String, Value>; 4], String, String)| {
        let [context, subject, resource, action] = said.map(Value::Object);
        let mut request = ask(&format!("u{user}"), "write", &format!("d{doc}"));
        request["context"] = context;
        request["subject"]["properties"] = subject;
        request["resource"]["properties"] = resource;
        request["action"]["properties"] = action;
        let answer = office.app.evaluate(&office.pep, &request);
        match answer.status {
            200 => drop(office.app.recorded(&answer)),
            status => prop_assert_eq!(status, 400, "{}", answer.text),
        }
        Ok(())
    };
    runner.run(&strange, law).unwrap();
    office.app.assert_replays();
}

/// Goal: what a caller says about a stranger and nobody understands makes no difference,
/// now or when the decision is taken again.
#[test]
fn what_does_not_count_makes_no_entity() {
    let schema = "entity User; entity Doc = { level: Long };
        action read appliesTo { principal: [User], resource: [Doc] };";
    let policy = "@id(\"low\") permit (principal, action, resource)
        when { resource.level < 3 };";
    let office = Office::with(&Setup::of(schema, policy, &json!([])));
    let mut request = ask("alice", "read", "unheard-of");
    let mut errors = Vec::new();
    for properties in [json!({}), json!({"level": "low"}), json!({"colour": "red"})] {
        request["resource"]["properties"] = properties;
        errors.push(office.app.recorded(&office.app.evaluate(&office.pep, &request)).errors);
    }
    assert_eq!(errors[0].len(), 1);
    assert!(errors.iter().all(|each| *each == errors[0]), "{errors:?}");
    office.app.assert_replays();
}

/// JSON that nobody planned for, at most a few levels deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "[0-9.:a-zT-]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(member(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Names that the schema knows, and names that are ours.
const KNOWN: &[&str] = &[
    "ip",
    "risk",
    "count",
    "note",
    "group",
    "session",
    "now",
    "session_token",
    "id",
    "type",
    "owner",
    "tags",
    "origin",
    "city",
    "zip",
    "score",
    "level",
    "posture",
    "__entity",
];

/// A name that means something, or one that does not.
fn member() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(KNOWN).prop_map(str::to_owned),
        1 => ".{0,8}",
    ]
}

fn members() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map(member(), any_json(), 0..6)
        .prop_map(|members| members.into_iter().collect())
}
