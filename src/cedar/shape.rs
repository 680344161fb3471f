//! A request's context and entities, typed by the schema from what the caller says.

use std::collections::BTreeMap;
use std::sync::Arc;

use cedar_policy_core::ast::{self, PartialValue};
use serde_json::{Map, Value as Json};
use smol_str::SmolStr;

use super::known::{TypedFacts, Whole};
use super::types::Caller;
use super::value::{self, Misfits, Path, Place, Said};
use super::{CompiledSchema, TypedEntity};
use crate::model::Uid;

/// A typed value and what did not fit into it.
#[derive(Clone, Debug)]
pub struct Shaped<T> {
    /// The value, made of what fits.
    pub value: T,
    /// Members left out, as paths such as `device.serial`, in order: not declared, or not
    /// of the declared type. A set is left out whole, and so is a record within another
    /// value if it lacks a required member.
    pub pruned: Vec<String>,
    /// Required members that are not there, as paths, in order.
    pub missing: Vec<String>,
    paths: Vec<Path>,
}

impl<T> Shaped<T> {
    fn new(value: T, misfits: Misfits) -> Self {
        let Misfits { undeclared, mistyped, mut missing } = misfits;
        let mut pruned = [undeclared, mistyped].concat();
        for paths in [&mut pruned, &mut missing] {
            paths.sort();
            paths.dedup();
        }
        let shown = |paths: &[Path]| paths.iter().map(|path| path.join(".")).collect();
        Self { value, pruned: shown(&pruned), missing: shown(&missing), paths: pruned }
    }

    /// What was understood of the JSON the value was made of: all but what was pruned. Made
    /// into a value again, it gives the same one, with nothing pruned. To be recorded with
    /// the decision.
    #[must_use]
    pub fn kept(&self, given: &Map<String, Json>) -> Map<String, Json> {
        let mut kept = given.clone();
        self.keep(&mut kept);
        kept
    }

    /// The same in place.
    pub fn keep(&self, given: &mut Map<String, Json>) {
        value::prune(given, &self.paths);
    }
}

/// A request's context, typed. Cloning is cheap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context(Arc<ContextInner>);

#[derive(Debug, PartialEq)]
struct ContextInner {
    core: ast::Context,
    references: Vec<Uid>,
}

impl Context {
    /// The entities that the context mentions, each once, in order.
    #[must_use]
    pub fn references(&self) -> &[Uid] {
        &self.0.references
    }

    pub(super) fn core(&self) -> &ast::Context {
        &self.0.core
    }

    /// Its members by name, in order.
    pub(super) fn members(&self) -> impl Iterator<Item = (&SmolStr, &ast::Value)> {
        match &self.0.core {
            ast::Context::Value(members) => Some(members.iter()).into_iter().flatten(),
            ast::Context::RestrictedResidual(_) => None.into_iter().flatten(),
        }
    }
}

impl Default for ContextInner {
    fn default() -> Self {
        Self { core: ast::Context::empty(), references: Vec::new() }
    }
}

/// A stored entity with what its schema lets a caller say about it.
#[derive(Clone, Debug)]
pub struct Overlaid {
    /// The entity for this request.
    pub value: TypedEntity,
    /// Attributes that the stored entity did not have and the caller supplied, in order.
    pub filled: Vec<String>,
    /// Attributes of the stored entity that the caller replaced, in order.
    pub overridden: Vec<String>,
    /// What the caller said without effect, as paths, in order: not declared, not of the
    /// declared type, or not the caller's to say.
    pub ignored: Vec<String>,
    kept: Map<String, Json>,
}

impl Overlaid {
    /// What was understood of the caller's properties: those filled and overridden. Laid
    /// over the same entity again, they give the same one, with nothing ignored. To be
    /// recorded with the decision.
    #[must_use]
    pub fn kept(&self) -> &Map<String, Json> {
        &self.kept
    }
}

impl CompiledSchema {
    /// Types a context by what is declared for the action; for an action that is not
    /// declared everything is pruned. A null counts as absent; a JSON text is a reference,
    /// an address, a decimal, a time or a duration where the schema says so.
    ///
    /// Missing required members are reported; the caller of this function denies then,
    /// because policies were validated for a context that has them.
    #[must_use]
    pub fn shape_context(&self, action: &Uid, given: &Map<String, Json>) -> Shaped<Context> {
        self.shape_context_with(action, given, &TypedFacts::default())
    }

    /// As [`CompiledSchema::shape_context`], with facts, typed for the same action, in the
    /// place of what the caller says under the same name.
    #[must_use]
    pub fn shape_context_with(
        &self,
        action: &Uid,
        given: &Map<String, Json>,
        facts: &TypedFacts,
    ) -> Shaped<Context> {
        let mut misfits = Misfits::default();
        let Some(table) = self.tables().actions.get(action) else {
            misfits.undeclared = given.keys().map(|name| vec![name.clone()]).collect();
            return Shaped::new(Context::default(), misfits);
        };
        let whole = Whole { said: given, facts };
        let typed = value::members(&table.context, &whole, None, &mut misfits);
        Shaped::new(self.context(typed), misfits)
    }

    /// A context of typed members.
    pub(super) fn context(&self, typed: BTreeMap<SmolStr, ast::Value>) -> Context {
        let references = self.mentioned(typed.values());
        let core = ast::Context::Value(Arc::new(typed));
        Context(Arc::new(ContextInner { core, references }))
    }

    /// Types an entity that exists only in the request: all declared attributes come from
    /// `given`, and it is in nothing else. Nothing for a type that is not declared.
    ///
    /// Missing required attributes are reported, and are no fault: Cedar reports an error
    /// for each policy that reads one.
    #[must_use]
    pub fn shape_entity(
        &self,
        uid: &Uid,
        given: &Map<String, Json>,
    ) -> Option<Shaped<TypedEntity>> {
        let table = self.tables().entities.get(uid.kind())?;
        let core = self.tables().core_uid(uid)?;
        let mut misfits = Misfits::default();
        let typed = value::members(&table.attributes, given, None, &mut misfits);
        let attributes = typed.into_iter().map(|(name, value)| (name, PartialValue::Value(value)));
        let entity = ast::Entity::new_with_attr_partial_value(
            core,
            attributes,
            std::collections::HashSet::new(),
            std::collections::HashSet::new(),
            [],
        );
        Some(Shaped::new(TypedEntity::new(uid.clone(), entity, self), misfits))
    }

    /// Lays a caller's properties over a stored entity, attribute by attribute: one that is
    /// not stored is filled if its declaration is annotated `@caller("fill")` or
    /// `@caller("override")`, a stored one is replaced only under `@caller("override")`.
    /// All else is ignored. Tags and parents are never the caller's to say.
    #[must_use]
    pub fn overlay(&self, stored: &TypedEntity, given: &Map<String, Json>) -> Overlaid {
        let mut said = Overlaid {
            value: stored.clone(),
            filled: Vec::new(),
            overridden: Vec::new(),
            ignored: Vec::new(),
            kept: Map::new(),
        };
        let mut misfits = Misfits::default();
        let mut typed = BTreeMap::new();
        for (name, json) in given.iter().filter(|(_, json)| !json.is_null()) {
            let place = Place::top(name);
            let Some((place_of_value, caller)) = self.says(stored.uid(), name) else {
                misfits.undeclared.push(vec![name.clone()]);
                continue;
            };
            let there = stored.core().get(name).is_some();
            let value = (!there || caller == Caller::Override)
                .then(|| value::value(place_of_value, Said::Json(json), &place, &mut misfits));
            match value {
                None => misfits.undeclared.push(vec![name.clone()]),
                Some(None) => {}
                Some(Some(value)) => {
                    let list = if there { &mut said.overridden } else { &mut said.filled };
                    list.push(name.clone());
                    typed.insert(name.as_str(), value);
                }
            }
        }
        let shaped = Shaped::new((), misfits);
        said.kept = shaped.kept(given);
        said.kept.retain(|_, json| !json.is_null());
        said.ignored = shaped.pruned;
        said.filled.sort();
        said.overridden.sort();
        if !typed.is_empty() {
            said.value = stored.with_attributes(typed, self);
        }
        said
    }

    /// The type of an attribute and what a caller may do to it, if anything.
    fn says(&self, uid: &Uid, name: &str) -> Option<(&super::types::Kind, Caller)> {
        let table = self.tables().entities.get(uid.kind())?;
        let caller = table.callers.get(name)?;
        Some((&table.attributes.members.get(name)?.kind, *caller))
    }

    /// The entities that some values mention, each once, in order.
    pub(super) fn mentioned<'a>(&self, values: impl Iterator<Item = &'a ast::Value>) -> Vec<Uid> {
        let mut found = Vec::new();
        values.for_each(|value| value::references(value, &mut found));
        let mut uids: Vec<_> = found.into_iter().filter_map(|uid| self.tables().uid(uid)).collect();
        uids.sort();
        uids.dedup();
        uids
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cedar::EntitySource as _;
    use crate::cedar::example::{directory, document, object, schema, uid};
    use proptest::prelude::*;
    use serde_json::json;

    fn shape(given: Json) -> Shaped<Context> {
        schema().shape_context(&uid("Action", "view"), &object(given))
    }

    /// What is pruned of one optional member beside the required one.
    fn pruned(name: &str, json: Json) -> Vec<String> {
        let mut given = object(json!({"mfa": true}));
        given.insert(name.to_owned(), json);
        shape(Json::Object(given)).pruned
    }

    #[test]
    fn every_declared_type_is_read_from_plain_json() {
        let given = json!({
            "mfa": true,
            "from": "10.0.0.1",
            "at": "2026-11-22T12:00:00.123456+01:00",
            "score": 0.6,
            "ttl": "1h",
            "device": {"serial": "x", "risk": 3},
            "devices": [{"serial": "y"}, {"serial": "z", "risk": null}],
            "on_behalf_of": "bob",
            "tags": ["a", "b", "a"],
            "colour": {"type": "Colour", "id": "red"},
        });
        let shaped = shape(given.clone());
        assert_eq!((shaped.pruned.len(), shaped.missing.len()), (0, 0), "{shaped:?}");
        assert_eq!(shaped.value.references(), [uid("Colour", "red"), uid("User", "bob")]);
        let ast::Context::Value(members) = shaped.value.core() else { panic!("a residual") };
        assert_eq!(members.len(), 10);
        assert_eq!(shaped.kept(&object(given.clone())), object(given));
    }

    #[test]
    fn what_is_not_declared_is_pruned_and_null_is_absent() {
        let shaped = shape(json!({
            "mfa": true, "x": 1, "nothing": null, "from": null,
            "device": {"serial": "s", "colour": "red"},
            "devices": [{"serial": "s", "extra": 1}, {"serial": "t", "extra": 2}],
        }));
        assert_eq!(shaped.pruned, ["device.colour", "devices.extra", "x"]);
        assert!(shaped.missing.is_empty());
    }

    #[test]
    fn a_value_of_another_type_is_pruned() {
        let long = |json: Json| pruned("device", json!({"serial": "s", "risk": json}));
        for bad in
            [json!(1.5), json!(3.0), json!(9_223_372_036_854_775_808_u64), json!("3"), json!(1e3)]
        {
            assert_eq!(long(bad.clone()), ["device.risk"], "{bad}");
        }
        assert!(long(json!(i64::MIN)).is_empty());
        for (name, bad) in [
            ("from", json!("10.0.0.300")),
            ("from", json!(10)),
            ("at", json!("yesterday")),
            ("at", json!(1_700_000_000)),
            ("score", json!(0.123_45)),
            ("ttl", json!("an hour")),
            ("device", json!("x")),
            ("device", json!({"risk": 3})),
            ("devices", json!([{"serial": "y"}, {"risk": 3}])),
            ("devices", json!([{"serial": "y", "risk": "high"}])),
            ("on_behalf_of", json!(["bob"])),
            ("on_behalf_of", json!("x".repeat(1_025))),
            ("tags", json!("a")),
            ("tags", json!(["a", 1])),
            ("tags", json!(["a", null])),
            ("colour", json!("blue")),
        ] {
            assert_eq!(pruned(name, bad.clone()), [name], "{bad}");
        }
    }

    #[test]
    fn a_reference_is_of_the_declared_type_or_none() {
        let bob = |json: Json| shape(json!({"mfa": true, "on_behalf_of": json})).value;
        let expected = bob(json!("bob"));
        assert_eq!(expected.references(), [uid("User", "bob")]);
        assert_eq!(bob(json!({"type": "User", "id": "bob"})), expected);
        for other in [
            json!({"type": "Group", "id": "bob"}),
            json!({"type": "User", "id": "bob", "more": 1}),
            json!({"type": "User"}),
            json!({"__entity": {"type": "User", "id": "bob"}}),
            json!({"__extn": {"fn": "ip", "arg": "::1"}}),
        ] {
            assert!(bob(other.clone()).references().is_empty(), "{other}");
        }
        let escaped = shape(json!({"mfa": {"__entity": {"type": "User", "id": "bob"}}}));
        assert_eq!((escaped.pruned, escaped.missing), (vec!["mfa".into()], vec!["mfa".into()]));
        // An id may look like Cedar; it stays an id.
        let odd = bob(json!("bob\" || true || User::\"\0"));
        assert_eq!(odd.references()[0].id(), "bob\" || true || User::\"\0");
    }

    #[test]
    fn a_missing_required_member_is_reported() {
        assert_eq!(shape(json!({})).missing, ["mfa"]);
        assert_eq!(shape(json!({"mfa": null})).missing, ["mfa"]);
        let wrong = shape(json!({"mfa": "yes"}));
        assert_eq!((wrong.missing, wrong.pruned), (vec!["mfa".into()], vec!["mfa".to_owned()]));
    }

    #[test]
    fn of_an_undeclared_action_everything_is_pruned() {
        let shaped = schema().shape_context(&uid("Action", "fly"), &object(json!({"mfa": true})));
        assert_eq!(shaped.value, Context::default());
        assert_eq!(shaped.pruned, ["mfa"]);
    }

    #[test]
    fn an_entity_of_the_request_alone_is_made_of_its_properties() {
        let schema = schema();
        let given = object(json!({"level": 2, "manager": "alice", "admin": true, "office": 7}));
        let shaped = schema.shape_entity(&uid("User", "eve"), &given).unwrap();
        assert_eq!(shaped.pruned, ["admin", "office"]);
        assert_eq!(shaped.value.references(), [uid("User", "alice")]);
        assert!(shaped.missing.is_empty());
        let bare = schema.shape_entity(&uid("User", "eve"), &Map::new()).unwrap();
        assert_eq!(bare.missing, ["level"]);
        assert!(schema.shape_entity(&uid("Robot", "r"), &given).is_none());
        assert!(schema.shape_entity(&uid("Action", "view"), &given).is_none());
    }

    #[test]
    fn a_caller_fills_and_overrides_only_what_the_schema_allows() {
        let schema = schema();
        let alice = directory(&schema).entity(&uid("User", "alice")).unwrap();
        let given = json!({
            "nickname": "Al",           // fill, not stored
            "office": "Rome",           // override, stored
            "device": {"serial": "s", "x": 1}, // fill, not stored; one member not declared
            "level": 9,                 // stored, not the caller's
            "manager": "bob",           // not stored, not the caller's
            "admin": true,              // not declared
            "groups": null,             // absent
        });
        let overlaid = schema.overlay(&alice, &object(given));
        assert_eq!(overlaid.filled, ["device", "nickname"]);
        assert_eq!(overlaid.overridden, ["office"]);
        assert_eq!(overlaid.ignored, ["admin", "device.x", "level", "manager"]);
        let kept = json!({"nickname": "Al", "office": "Rome", "device": {"serial": "s"}});
        assert_eq!(Json::Object(overlaid.kept().clone()), kept);
        let expected = document(
            alice.uid(),
            &[uid("Group", "staff")],
            json!({"level": 3, "nickname": "Al", "office": "Rome", "device": {"serial": "s"}}),
        );
        let ancestors = [uid("Group", "staff"), uid("Group", "all")].into();
        assert_eq!(overlaid.value, schema.type_entity(&expected, &ancestors).unwrap());
    }

    #[test]
    fn fill_does_not_replace_and_a_wrong_type_changes_nothing() {
        let schema = schema();
        let stored = document(&uid("User", "a"), &[], json!({"level": 1, "nickname": "A"}));
        let stored = schema.type_entity(&stored, &[].into()).unwrap();
        let overlaid = schema.overlay(&stored, &object(json!({"nickname": "B", "office": 5})));
        assert_eq!(overlaid.value, stored);
        assert_eq!(overlaid.ignored, ["nickname", "office"]);
        assert!(overlaid.kept().is_empty());
        let filled = schema.overlay(&stored, &object(json!({"office": "Rome"})));
        assert_eq!((filled.filled, filled.overridden), (vec!["office".to_owned()], Vec::new()));
    }

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            (-9.0..9.0_f64).prop_map(Json::from),
            prop_oneof![Just("red"), Just("10.0.0.1"), Just("2026-01-01"), Just("1.5"), Just("1h")]
                .prop_map(Json::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                members(inner).prop_map(Json::Object),
            ]
        })
    }

    fn members(values: impl Strategy<Value = Json>) -> impl Strategy<Value = Map<String, Json>> {
        let names = "mfa|from|at|score|ttl|device|devices|on_behalf_of|tags|colour|serial|risk|x\
                     |level|nickname|office|manager|groups|type|id|__entity";
        prop::collection::btree_map(names, values, 0..8).prop_map(|map| map.into_iter().collect())
    }

    proptest! {
        /// Law: what was recorded of a context is understood again as it was, and nothing
        /// of it is pruned.
        #[test]
        fn a_recorded_context_is_understood_again(given in members(any_json())) {
            let (schema, action) = (schema(), uid("Action", "view"));
            let first = schema.shape_context(&action, &given);
            let kept = first.kept(&given);
            let again = schema.shape_context(&action, &kept);
            prop_assert_eq!(&again.value, &first.value);
            prop_assert_eq!(&again.missing, &first.missing);
            prop_assert!(again.pruned.is_empty(), "{:?}", again.pruned);
        }

        /// Law: the same for properties laid over a stored entity.
        #[test]
        fn a_recorded_overlay_gives_the_same_entity(given in members(any_json())) {
            let schema = schema();
            let alice = directory(&schema).entity(&uid("User", "alice")).unwrap();
            let first = schema.overlay(&alice, &given);
            let again = schema.overlay(&alice, first.kept());
            prop_assert_eq!(&again.value, &first.value);
            prop_assert_eq!(again.filled, first.filled);
            prop_assert!(again.ignored.is_empty());
        }
    }
}
