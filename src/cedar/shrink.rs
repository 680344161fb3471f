//! Makes an example small enough to be read.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use cedar_policy_core::ast::{self, PartialValue, Value, ValueKind};
use serde_json::Value as Json;
use smol_str::SmolStr;

use super::instance::{Instance, reachable};
use super::types::{Extension, Kind, Record};
use super::{CompiledSchema, Question, TypedEntity, extension};
use crate::model::Uid;

/// How many changes are made at most.
const CHANGES_MAX: usize = 200;

impl Instance {
    /// A smaller instance of which `holds` is still true: without entities that nothing
    /// leads to, without optional members and memberships that do not matter, with small
    /// numbers, under names such as `user-1`. At most some thousand calls of `holds`, for an
    /// instance of usual size some dozen.
    #[must_use]
    pub fn shrunk(self, holds: impl Fn(&Self) -> bool) -> Self {
        let mut small = self.bare(&holds);
        for _ in 0..CHANGES_MAX {
            let Some(smaller) = small.smaller().find(&holds) else { break };
            small = smaller;
        }
        small.bare(&holds).named(holds)
    }

    /// With names to be read, where policies do not ask for another.
    fn named(self, holds: impl Fn(&Self) -> bool) -> Self {
        let Question { principal, resource, context, .. } = &self.question;
        let references = self.entities.values().flat_map(TypedEntity::references);
        let mut all: BTreeSet<Uid> = self.entities.keys().chain(references).cloned().collect();
        all.extend([principal, resource].into_iter().chain(context.references()).cloned());
        let mut named = self;
        for from in &all {
            let of_type = from.kind().as_str().rsplit("::").next().unwrap_or_default();
            let free = (1..).map(|number| format!("{}-{number}", of_type.to_lowercase()));
            let mut free = free.filter_map(|id| Uid::new(from.kind().clone(), &id).ok());
            let Some(to) = free.find(|to| !all.contains(to) && !named.mentions(to)) else {
                continue;
            };
            named = named.renamed(from, &to).filter(&holds).unwrap_or(named);
        }
        named
    }

    fn mentions(&self, uid: &Uid) -> bool {
        let Question { principal, resource, context, .. } = &self.question;
        let asked = principal == uid || resource == uid || context.references().contains(uid);
        asked || self.entities.iter().any(|(own, it)| own == uid || it.references().contains(uid))
    }

    /// The same with one entity under another name, which none has.
    fn renamed(&self, from: &Uid, to: &Uid) -> Option<Self> {
        let tables = self.schema.tables();
        let [core_from, core_to] = [tables.core_uid(from)?, tables.core_uid(to)?];
        let uid = |uid: &ast::EntityUID| {
            if *uid == core_from { core_to.clone() } else { uid.clone() }
        };
        let ours = |uid: &Uid| if uid == from { to.clone() } else { uid.clone() };
        let value = |value: &Value| renamed(value, &core_from, &core_to);
        let members = self.question.context.members();
        let context = members.map(|(name, member)| (name.clone(), value(member))).collect();
        let mut instance = self.clone();
        instance.question.principal = ours(&self.question.principal);
        instance.question.resource = ours(&self.question.resource);
        instance.question.context = self.schema.context(context);
        instance.entities = BTreeMap::new();
        for (own, entity) in &self.entities {
            let core = entity.core();
            let all = |members: BTreeMap<SmolStr, Value>| {
                members.into_iter().map(|(name, member)| (name, value(&member))).collect()
            };
            let (attributes, tags) = (all(whole(&mut core.attrs())), all(whole(&mut core.tags())));
            let above = core.ancestors().map(uid).collect();
            let (own, core) = (ours(own), uid(core.uid()));
            let entity = made(&own, &core, &attributes, &above, &tags, &self.schema);
            instance.entities.insert(own, entity);
        }
        Some(instance)
    }

    /// Without the entities that nothing leads to.
    fn bare(self, holds: impl Fn(&Self) -> bool) -> Self {
        let kept = reachable(&self);
        let mut bare = self.clone();
        bare.entities.retain(|uid, _| kept.contains(uid));
        if holds(&bare) { bare } else { self }
    }

    /// The same with one thing less.
    fn smaller(&self) -> impl Iterator<Item = Self> + '_ {
        self.contexts().chain(self.entities.iter().flat_map(|(uid, entity)| {
            self.entities_like(uid, entity).into_iter().map(|smaller| {
                let mut instance = self.clone();
                instance.entities.insert(uid.clone(), smaller);
                instance
            })
        }))
    }

    fn contexts(&self) -> impl Iterator<Item = Self> + '_ {
        let members = self.question.context.members();
        let members: BTreeMap<_, _> =
            members.map(|(name, value)| (name.clone(), value.clone())).collect();
        let declared = self.schema.context_of(&self.question.action);
        let smaller = declared.map(|declared| simpler_members(&members, declared));
        smaller.into_iter().flatten().map(|members| {
            let mut instance = self.clone();
            instance.question.context = self.schema.context(members);
            instance
        })
    }

    fn entities_like(&self, uid: &Uid, entity: &TypedEntity) -> Vec<TypedEntity> {
        let table = self.schema.tables().entities.get(uid.kind());
        let Some(declared) = table.map(|table| &table.attributes) else { return Vec::new() };
        let core = entity.core();
        let (attributes, tags) = (whole(&mut core.attrs()), whole(&mut core.tags()));
        let above: HashSet<_> = core.ancestors().cloned().collect();
        let less = |attributes: &BTreeMap<_, _>, above: &HashSet<_>, tags: &BTreeMap<_, _>| {
            made(uid, core.uid(), attributes, above, tags, &self.schema)
        };
        let mut smaller = Vec::new();
        for left_out in core.ancestors().filter(|left_out| self.is_loose(core, left_out)) {
            let mut above = above.clone();
            above.remove(left_out);
            smaller.push(less(&attributes, &above, &tags));
        }
        for key in tags.keys() {
            let mut tags = tags.clone();
            tags.remove(key);
            smaller.push(less(&attributes, &above, &tags));
        }
        for attributes in simpler_members(&attributes, declared) {
            smaller.push(less(&attributes, &above, &tags));
        }
        smaller
    }

    /// True if the entity is in the other of itself, not by way of a third.
    fn is_loose(&self, core: &ast::Entity, other: &ast::EntityUID) -> bool {
        core.ancestors().all(|between| {
            let between = self.schema.tables().uid(between).and_then(|uid| self.entities.get(&uid));
            between.is_none_or(|between| !between.core().is_descendant_of(other))
        })
    }
}

/// The members that have values: all, where a solver gave them.
fn whole(members: &mut dyn Iterator<Item = (&SmolStr, &PartialValue)>) -> BTreeMap<SmolStr, Value> {
    let one = |(name, value): (&SmolStr, &PartialValue)| match value {
        PartialValue::Value(value) => Some((name.clone(), value.clone())),
        PartialValue::Residual(_) => None,
    };
    members.filter_map(one).collect()
}

/// The value with one reference in the place of another.
fn renamed(value: &Value, from: &ast::EntityUID, to: &ast::EntityUID) -> Value {
    match value.value_kind() {
        ValueKind::Lit(ast::Literal::EntityUID(uid)) if **uid == *from => Value::from(to.clone()),
        ValueKind::Set(set) => Value::set(set.iter().map(|one| renamed(one, from, to)), None),
        ValueKind::Record(members) => {
            let members = members.iter();
            let members = members.map(|(name, one)| (name.clone(), renamed(one, from, to)));
            Value::record_arc(Arc::new(members.collect()), None)
        }
        ValueKind::Lit(_) | ValueKind::ExtensionValue(_) => value.clone(),
    }
}

fn made(
    uid: &Uid,
    core: &ast::EntityUID,
    attributes: &BTreeMap<SmolStr, Value>,
    above: &HashSet<ast::EntityUID>,
    tags: &BTreeMap<SmolStr, Value>,
    schema: &CompiledSchema,
) -> TypedEntity {
    let partial = |members: &BTreeMap<SmolStr, Value>| {
        let members = members.clone().into_iter();
        members.map(|(name, value)| (name, PartialValue::Value(value))).collect::<Vec<_>>()
    };
    let entity = ast::Entity::new_with_attr_partial_value(
        core.clone(),
        partial(attributes),
        HashSet::new(),
        above.clone(),
        partial(tags),
    );
    TypedEntity::new(uid.clone(), entity, schema)
}

/// The members with one thing less.
fn simpler_members(
    members: &BTreeMap<SmolStr, Value>,
    declared: &Record,
) -> Vec<BTreeMap<SmolStr, Value>> {
    let mut simpler_ones = Vec::new();
    for (name, value) in members {
        let Some(member) = declared.members.get(name) else { continue };
        if !member.required {
            let mut without = members.clone();
            without.remove(name);
            simpler_ones.push(without);
        }
        for value in simpler(value, &member.kind) {
            let mut with = members.clone();
            with.insert(name.clone(), value);
            simpler_ones.push(with);
        }
    }
    simpler_ones
}

/// Simpler values of the same type, the simplest first. Whoever takes the first again and
/// again comes to an end.
fn simpler(value: &Value, kind: &Kind) -> Vec<Value> {
    match (value.value_kind(), kind) {
        (ValueKind::Lit(ast::Literal::Long(number)), _) => {
            (0..4_i64).take_while(|small| small != number).map(Value::from).collect()
        }
        (ValueKind::Lit(ast::Literal::Bool(true)), _) => vec![Value::from(false)],
        (ValueKind::ExtensionValue(_), Kind::Extension(kind @ Extension::Datetime)) => {
            let times = ["2000-01-01", "1970-01-01"].map(Json::from);
            let times = times.iter().filter_map(|time| extension::value(*kind, time));
            times.take_while(|time| time != value).collect()
        }
        (ValueKind::Set(set), _) if !set.is_empty() => vec![Value::empty_set(None)],
        (ValueKind::Record(members), Kind::Record(declared)) => {
            let smaller = simpler_members(members, declared).into_iter();
            smaller.map(|members| Value::record_arc(members.into(), None)).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cedar::example::{always, directory, object, policies, schema, uid};

    /// Alice views the plan, with all that a context can say.
    fn large() -> Instance {
        let (schema, action) = (schema(), uid("Action", "view"));
        let said = object(json!({
            "mfa": true, "score": "0.5", "at": "2026-11-22", "tags": ["a"],
            "device": {"serial": "s", "risk": 7}, "on_behalf_of": "bob",
        }));
        let context = schema.shape_context(&action, &said).value;
        let (principal, resource) = (uid("User", "alice"), uid("Document", "plan"));
        let question = Question { principal, action, resource, context };
        Instance { question, entities: directory(&schema).0, schema }
    }

    fn shrunk(condition: &str) -> Instance {
        let policies = policies(&always("p", "permit", condition)).unwrap();
        let holds = |one: &Instance| policies.evaluate(&one.question, one).allowed;
        assert!(holds(&large()), "{condition}");
        let small = large().shrunk(holds);
        assert!(holds(&small), "{condition}");
        small
    }

    #[test]
    fn what_does_not_matter_is_gone_and_what_does_stays() {
        let small = shrunk("context has device && context.device has risk && principal.level > 1");
        let request = json!({
            "principal": "User::\"user-1\"",
            "action": "Action::\"view\"",
            "resource": "Document::\"document-1\"",
            "context": {"mfa": false, "device": {"serial": "s", "risk": 0}},
        });
        assert_eq!(small.request_json(), request);
        let entities = json!([
            {
                "uid": {"type": "Document", "id": "document-1"},
                "attrs": {"owner": {"type": "User", "id": "user-1"}},
                "parents": [],
            },
            {"uid": {"type": "User", "id": "user-1"}, "attrs": {"level": 2}, "parents": []},
        ]);
        assert_eq!(json!(small.entities_json()), entities);
    }

    #[test]
    fn names_that_policies_ask_for_are_kept() {
        let small = shrunk("principal == User::\"alice\" && resource in Folder::\"plans\"");
        let request = small.request_json();
        assert_eq!(request["principal"], "User::\"alice\"");
        assert_eq!(request["resource"], "Document::\"document-1\"");
        let entities = small.entities_json();
        let plan = entities.iter().find(|one| one["uid"]["type"] == "Document").unwrap();
        assert_eq!(plan["parents"], json!([{"type": "Folder", "id": "plans"}]));
    }

    #[test]
    fn who_is_in_something_by_way_of_another_stays_in_both_or_neither() {
        let small = shrunk("principal in Group::\"all\"");
        let entities = small.entities_json();
        let user = entities.iter().find(|one| one["uid"]["type"] == "User").unwrap();
        // In `all` alone, since what lay between does not matter; never in `staff` alone.
        assert_eq!(user["parents"], json!([{"type": "Group", "id": "all"}]));
    }
}
