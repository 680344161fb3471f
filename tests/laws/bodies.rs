//! The bodies of the evaluation APIs are read in one pass; what that gives is what a walk
//! over the whole tree gives, member by member, for good bodies and for bad ones.

use countersign::model::{
    AccessRequest, Action, BadRequest, Batch, EntityAsked, Item, JsonError, JsonLimits, Semantic,
    parse_json,
};
use proptest::prelude::*;
use serde_json::{Map, Value};

const LIMITS: JsonLimits = JsonLimits { bytes: 4_000, depth: 6 };
const ITEMS_MAX: usize = 3;
const NAMES: [&str; 14] = [
    "subject",
    "action",
    "resource",
    "context",
    "evaluations",
    "options",
    "type",
    "id",
    "name",
    "properties",
    "evaluations_semantic",
    "__entity",
    "n\\u0061me",
    "other",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_048))]

    /// Law: for whatever comes in whatever shape, members named twice included.
    #[test]
    fn one_pass_reads_what_the_tree_holds(text in any_body()) {
        let (text, tree) = (text.as_bytes(), parse_json(text.as_bytes(), LIMITS));
        let batch = tree.clone().map(|tree| by_the_tree::batch(&tree));
        prop_assert_eq!(Batch::read(text, LIMITS, ITEMS_MAX), batch);
        let one = tree.clone().map(|tree| by_the_tree::request(&tree));
        prop_assert_eq!(AccessRequest::read(text, LIMITS), one);
        if let Ok(tree) = tree {
            prop_assert_eq!(Batch::from_json(&tree, ITEMS_MAX), by_the_tree::batch(&tree));
            prop_assert_eq!(AccessRequest::from_json(&tree), by_the_tree::request(&tree));
        }
    }

    /// Law: however a text is cut or broken, the fault is the one that strict JSON has.
    #[test]
    fn a_broken_text_has_the_fault_it_has_as_json(
        text in any_body(), at in any::<prop::sample::Index>(), put in "[\\x00-\\x7f]{0,2}",
    ) {
        let mut text = text.into_bytes();
        let at = at.index(text.len() + 1);
        text.splice(at.., put.into_bytes());
        let fault = parse_json(&text, LIMITS).err();
        prop_assert_eq!(Batch::read(&text, LIMITS, ITEMS_MAX).err(), fault);
    }
}

#[test]
fn the_drawn_bodies_are_good_and_bad_in_all_ways() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut one, mut many, mut bad, mut broken) = (0, 0, 0, 0);
    for _ in 0..2_000 {
        let text = any_body().new_tree(&mut runner).unwrap().current();
        match Batch::read(text.as_bytes(), LIMITS, ITEMS_MAX) {
            Ok(Ok(Batch::Single(_))) => one += 1,
            Ok(Ok(Batch::Many { .. })) => many += 1,
            Ok(Err(_)) => bad += 1,
            Err(JsonError::Malformed { .. } | _) => broken += 1,
        }
    }
    assert!(
        [one, many, bad, broken].iter().all(|times| *times > 40),
        "{one} {many} {bad} {broken}"
    );
}

/// Mostly what should come, written as it may come.
fn any_body() -> impl Strategy<Value = String> {
    let options = prop_oneof![
        12 => prop_oneof![
            Just("execute_all"), Just("deny_on_first_deny"), Just("permit_on_first_permit"),
            Just("sometimes"),
        ].prop_map(|name| format!(r#"{{"evaluations_semantic":"{name}"}}"#)),
        1 => anything(),
    ];
    let items = prop_oneof![
        20 => prop::collection::vec(prop_oneof![20 => members(question()), 1 => anything()], 0..5)
            .prop_map(|items| format!("[{}]", items.join(","))),
        1 => anything(),
    ];
    let more = vec![("options", options.boxed()), ("evaluations", items.boxed())];
    prop_oneof![
        30 => members([question(), more].concat()),
        1 => anything(),
    ]
}

fn question() -> Vec<(&'static str, BoxedStrategy<String>)> {
    let text = || {
        let (some, empty) = (Just("\"a\"".to_owned()), Just("\"\"".to_owned()));
        prop_oneof![40 => some, 1 => empty, 1 => anything()]
    };
    let free =
        || prop_oneof![20 => members(vec![("p", anything().boxed())]), 1 => anything()].boxed();
    let entity = || {
        let own = vec![("type", text().boxed()), ("id", text().boxed()), ("properties", free())];
        prop_oneof![30 => members(own), 1 => anything()].boxed()
    };
    let action = members(vec![("name", text().boxed()), ("properties", free())]);
    vec![
        ("subject", entity()),
        ("action", prop_oneof![30 => action, 1 => anything()].boxed()),
        ("resource", entity()),
        ("context", free()),
    ]
}

/// An object of these members, of which each mostly comes, and now and then another does.
fn members(known: Vec<(&'static str, BoxedStrategy<String>)>) -> BoxedStrategy<String> {
    let known = known.into_iter().map(|(name, value)| {
        let member = value.prop_map(move |value| Some(format!("\"{name}\":{value}")));
        prop_oneof![40 => member, 1 => Just(None)].boxed()
    });
    let other = (prop::sample::select(&NAMES[..]), anything());
    let other = other.prop_map(|(name, value)| Some(format!("\"{name}\":{value}")));
    let other = prop_oneof![40 => Just(None), 1 => other].boxed();
    let all: Vec<_> = known.chain([other]).collect();
    all.prop_shuffle()
        .prop_map(|members| {
            format!("{{{}}}", members.into_iter().flatten().collect::<Vec<_>>().join(", "))
        })
        .boxed()
}

/// Any JSON, members named twice included.
fn anything() -> impl Strategy<Value = String> {
    let good = prop::sample::select(&["null", "true", "7", "-1", "1.5", "\"x\""][..]);
    let bad = prop::sample::select(&["1e999", "\"\\ud800\""][..]);
    let plain = prop_oneof![60 => good, 1 => bad];
    plain.prop_map(str::to_owned).prop_recursive(4, 12, 3, |inner| {
        let item = inner.clone();
        let list = prop::collection::vec(item, 0..3).prop_map(|all| format!("[{}]", all.join(",")));
        let member = (prop::sample::select(&NAMES[..]), inner);
        let member = member.prop_map(|(name, value)| format!("\"{name}\": {value}"));
        let object = prop::collection::vec(member, 0..3);
        prop_oneof![list, object.prop_map(|all| format!("{{{}}}", all.join(",")))]
    })
}

/// The specification, read off a tree.
mod by_the_tree {
    use super::*;

    const OBJECT: &str = "expected an object";

    fn bad(place: impl Into<String>, problem: &'static str) -> BadRequest {
        BadRequest { place: place.into(), problem }
    }

    pub fn request(body: &Value) -> Result<AccessRequest, BadRequest> {
        let members = object(body, "body")?;
        of_parts(&|name| present(members, name))
    }

    pub fn batch(body: &Value) -> Result<Batch, BadRequest> {
        let members = object(body, "body")?;
        for name in ["subject", "action", "resource", "context", "options"] {
            present(members, name).map_or(Ok(()), |value| object(value, name).map(|_| ()))?;
        }
        let named = present(members, "options")
            .and_then(|options| present(options.as_object()?, "evaluations_semantic"));
        let semantic = match named.map(Value::as_str) {
            None | Some(Some("execute_all")) => Semantic::ExecuteAll,
            Some(Some("deny_on_first_deny")) => Semantic::DenyOnFirstDeny,
            Some(Some("permit_on_first_permit")) => Semantic::PermitOnFirstPermit,
            Some(_) => {
                let problem = "expected execute_all, deny_on_first_deny or permit_on_first_permit";
                return Err(bad("options.evaluations_semantic", problem));
            }
        };
        let items = match present(members, "evaluations") {
            None => &[],
            Some(Value::Array(items)) => items.as_slice(),
            Some(_) => return Err(bad("evaluations", "expected an array")),
        };
        if items.is_empty() {
            return request(body).map(|one| Batch::Single(Box::new(one)));
        }
        if items.len() > ITEMS_MAX {
            return Err(bad("evaluations", "more items than one request may have"));
        }
        let items = items.iter().enumerate().map(|(at, item)| merged(members, item, at));
        Ok(Batch::Many { items: items.collect(), semantic })
    }

    fn merged(defaults: &Map<String, Value>, item: &Value, at: usize) -> Item {
        let own = object(item, &format!("evaluations[{at}]"))?;
        of_parts(&|name| present(own, name).or_else(|| present(defaults, name)))
            .map_err(|error| bad(format!("evaluations[{at}].{}", error.place), error.problem))
    }

    fn of_parts<'a>(part: &dyn Fn(&str) -> Option<&'a Value>) -> Result<AccessRequest, BadRequest> {
        let entity = |name: &str| {
            let own = own(part(name), name)?;
            let (kind, id) = (text(own, "type", name, 256)?, text(own, "id", name, 1_024)?);
            let properties = free(present(own, "properties"), &format!("{name}.properties"))?;
            Ok(EntityAsked { kind, id, properties })
        };
        let action = || {
            let own = own(part("action"), "action")?;
            let name = text(own, "name", "action", 1_024)?;
            let properties = free(present(own, "properties"), "action.properties")?;
            Ok(Action { name, properties })
        };
        Ok(AccessRequest {
            subject: entity("subject")?,
            action: action()?,
            resource: entity("resource")?,
            context: free(part("context"), "context")?,
        })
    }

    fn own<'a>(value: Option<&'a Value>, name: &str) -> Result<&'a Map<String, Value>, BadRequest> {
        object(value.ok_or_else(|| bad(name, "missing: expected an object"))?, name)
    }

    fn present<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
        members.get(name).filter(|value| !value.is_null())
    }

    fn object<'a>(value: &'a Value, place: &str) -> Result<&'a Map<String, Value>, BadRequest> {
        value.as_object().ok_or_else(|| bad(place, OBJECT))
    }

    fn text(
        members: &Map<String, Value>,
        name: &str,
        of: &str,
        bytes_max: usize,
    ) -> Result<String, BadRequest> {
        let problem = match present(members, name) {
            None => "missing: expected text",
            Some(Value::String(text)) if text.is_empty() => "must not be empty",
            Some(Value::String(text)) if text.len() <= bytes_max => return Ok(text.clone()),
            Some(Value::String(_)) => "too long",
            Some(_) => "expected text",
        };
        Err(bad(format!("{of}.{name}"), problem))
    }

    fn free(value: Option<&Value>, place: &str) -> Result<Map<String, Value>, BadRequest> {
        let Some(value) = value else { return Ok(Map::new()) };
        let own = object(value, place)?;
        own.iter().try_for_each(|(name, value)| no_escape(name, value, place))?;
        Ok(own.clone())
    }

    fn no_escape(name: &str, value: &Value, place: &str) -> Result<(), BadRequest> {
        let here = format!("{place}.{name}");
        if ["__entity", "__extn", "__expr"].contains(&name) {
            let problem = "reserved: write a reference as plain text, the schema gives it its type";
            return Err(bad(here, problem));
        }
        inside(value, &here)
    }

    fn inside(value: &Value, place: &str) -> Result<(), BadRequest> {
        match value {
            Value::Object(all) => all.iter().try_for_each(|(name, it)| no_escape(name, it, place)),
            Value::Array(items) => {
                let mut items = items.iter().enumerate();
                items.try_for_each(|(at, item)| inside(item, &format!("{place}[{at}]")))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        }
    }
}
