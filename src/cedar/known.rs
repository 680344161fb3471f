//! What Countersign itself knows about a request, typed by the schema as a caller's JSON
//! is, without taking the way over JSON where the types go together.

use cedar_policy_core::ast::{Literal, Value};
use serde_json::{Map, Value as Json};

use super::CompiledSchema;
use super::extension;
use super::types::{Extension, Kind};
use super::value::{self, Members, Misfits, Place, Said};
use crate::model::{Moment, Uid};

/// A fact of the World, such as who presented which session. It counts as the JSON that
/// it would be written as, whatever type the schema gives it.
#[derive(Clone, Debug, PartialEq)]
pub enum Known {
    /// True or false.
    Bool(bool),
    /// A count.
    Number(u64),
    /// A text.
    Text(String),
    /// A time; written as RFC 3339.
    Time(Moment),
    /// Some texts.
    Texts(Vec<&'static str>),
    /// Members by name, each once.
    Record(Vec<(&'static str, Known)>),
}

impl Known {
    fn json(&self) -> Json {
        match self {
            Self::Bool(bool) => Json::from(*bool),
            Self::Number(number) => Json::from(*number),
            Self::Text(text) => Json::from(text.as_str()),
            Self::Time(time) => Json::from(time.to_string()),
            Self::Texts(texts) => Json::from(texts.clone()),
            Self::Record(members) => {
                members.iter().map(|(name, known)| ((*name).to_owned(), known.json())).collect()
            }
        }
    }
}

/// Facts in the types that an action's context gives them. Cloning what is typed is cheap.
#[derive(Debug, Default)]
pub struct TypedFacts(Vec<(&'static str, Typed)>);

/// A fact's value, and what of it did not fit.
#[derive(Debug, Default)]
pub(super) struct Typed {
    value: Option<Value>,
    misfits: Misfits,
}

impl Typed {
    /// As if it were typed now.
    pub(super) fn again(&self, misfits: &mut Misfits) -> Option<Value> {
        misfits.undeclared.extend_from_slice(&self.misfits.undeclared);
        misfits.mistyped.extend_from_slice(&self.misfits.mistyped);
        misfits.missing.extend_from_slice(&self.misfits.missing);
        self.value.clone()
    }
}

impl CompiledSchema {
    /// Types facts as members of an action's context, to be laid in the place of what
    /// callers say. One that is not declared there does not count.
    #[must_use]
    pub fn type_facts(&self, action: &Uid, facts: Vec<(&'static str, Known)>) -> TypedFacts {
        let table = self.tables().actions.get(action);
        let kind = |name: &str| Some(&table?.context.members.get(name)?.kind);
        let typed = facts.into_iter().map(|(name, known)| {
            let mut misfits = Misfits::default();
            let value = kind(name).and_then(|kind| {
                value::value(kind, Said::Known(&known), &Place::top(name), &mut misfits)
            });
            (name, Typed { value, misfits })
        });
        TypedFacts(typed.collect())
    }
}

/// As [`value::of_json`] of the JSON that it would be written as.
pub(super) fn value(
    kind: &Kind,
    known: &Known,
    place: &Place<'_>,
    misfits: &mut Misfits,
) -> Option<Value> {
    match (kind, known) {
        (Kind::Bool, Known::Bool(bool)) => Some(Value::from(*bool)),
        (Kind::Long, Known::Number(number)) if i64::try_from(*number).is_ok() => {
            i64::try_from(*number).ok().map(Value::from)
        }
        (Kind::Text, Known::Text(text)) => Some(Value::from(text.as_str())),
        (Kind::Extension(Extension::Datetime), Known::Time(time)) => extension::time(*time),
        (Kind::Set(element), Known::Texts(texts)) if matches!(**element, Kind::Text) => {
            Some(Value::set_of_lits(texts.iter().map(|text| Literal::from(*text)), None))
        }
        (Kind::Record(declared), Known::Record(members)) => {
            value::record(declared, members.as_slice(), place, misfits)
        }
        _ => value::of_json(kind, &known.json(), place, misfits),
    }
}

impl Members for [(&'static str, Known)] {
    fn member(&self, name: &str) -> Option<Said<'_>> {
        self.iter().find(|(own, _)| *own == name).map(|(_, known)| Said::Known(known))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| *name)
    }
}

/// What a caller says, with what is known in its place.
pub(super) struct Whole<'a> {
    pub(super) said: &'a Map<String, Json>,
    pub(super) facts: &'a TypedFacts,
}

impl Members for Whole<'_> {
    fn member(&self, name: &str) -> Option<Said<'_>> {
        let fact = self.facts.0.iter().find(|(own, _)| *own == name);
        fact.map(|(_, typed)| Said::Typed(typed)).or_else(|| self.said.member(name))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.facts.0.iter().map(|(name, _)| *name).chain(self.said.names())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cedar::example::{schema, uid};

    fn any_known() -> impl Strategy<Value = Known> {
        let time = prop_oneof![any::<i64>(), 0..4_000_000_000_000_000_i64];
        let text = prop_oneof![
            "[a-z]{0,6}",
            Just("10.0.0.1".to_owned()),
            Just("red".to_owned()),
            Just("1h".to_owned()),
            Just("0.5".to_owned()),
            time.clone().prop_map(|micros| Moment::from_micros(micros).to_string()),
        ];
        let plain = prop_oneof![
            any::<bool>().prop_map(Known::Bool),
            prop_oneof![any::<u64>(), 0..9_u64].prop_map(Known::Number),
            text.prop_map(Known::Text),
            time.prop_map(|micros| Known::Time(Moment::from_micros(micros))),
            Just(Known::Texts(vec![])),
            Just(Known::Texts(vec!["pwd", "otp", "pwd"])),
        ];
        plain.prop_recursive(2, 6, 3, |inner| {
            let names = prop::sample::subsequence(vec!["serial", "risk", "other"], 0..=3);
            (names, prop::collection::vec(inner, 3))
                .prop_map(|(names, values)| Known::Record(names.into_iter().zip(values).collect()))
        })
    }

    const NAMES: [&str; 11] = [
        "mfa",
        "from",
        "at",
        "score",
        "ttl",
        "device",
        "devices",
        "on_behalf_of",
        "tags",
        "colour",
        "undeclared",
    ];

    proptest! {
        /// Law: a fact counts as the JSON it would be written as, under whatever type.
        #[test]
        fn what_is_known_counts_as_its_json(
            known in any_known(),
            name in prop::sample::select(&NAMES[..]),
        ) {
            let (schema, view) = (schema(), uid("Action", "view"));
            let written = Map::from_iter([(name.to_owned(), known.json())]);
            let by_json = schema.shape_context(&view, &written);
            let facts = schema.type_facts(&view, vec![(name, known)]);
            for _ in 0..2 {
                let ours = schema.shape_context_with(&view, &Map::new(), &facts);
                prop_assert_eq!(&ours.value, &by_json.value);
                prop_assert_eq!((&ours.pruned, &ours.missing), (&by_json.pruned, &by_json.missing));
            }
        }
    }

    #[test]
    fn what_is_known_stands_in_the_place_of_what_is_said() {
        let (schema, view) = (schema(), uid("Action", "view"));
        let said = Map::from_iter([("mfa".to_owned(), Json::from(true))]);
        let facts = schema.type_facts(&view, vec![("mfa", Known::Bool(false))]);
        let shaped = schema.shape_context_with(&view, &said, &facts);
        let no = Map::from_iter([("mfa".to_owned(), Json::from(false))]);
        assert_eq!(shaped.value, schema.shape_context(&view, &no).value);
    }
}
