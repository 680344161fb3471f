//! One made-up request with the entities it touches: what a solver gives as an example.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy_core::ast::{self, Expr, PartialValue, Value, ValueKind};
use cedar_policy_core::entities::Entities;
use cedar_policy_core::evaluator::Evaluator;
use cedar_policy_core::extensions::Extensions;
use serde_json::{Value as Json, json};

use super::policies::Reach;
use super::slice::slice;
use super::{
    Assumption, CompiledSchema, EntitySource, Question, Statement, TypedEntity, extension,
};
use crate::model::Uid;

/// A request and entities for it. Nobody has asked it, and no directory holds them.
#[derive(Clone, Debug)]
pub struct Instance {
    pub(super) question: Question,
    pub(super) entities: BTreeMap<Uid, TypedEntity>,
    pub(super) schema: CompiledSchema,
}

/// What a statement says of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matched {
    /// It applies.
    Yes,
    /// It does not.
    No,
    /// It could not be evaluated.
    Error,
}

impl EntitySource for Instance {
    fn entity(&self, uid: &Uid) -> Option<TypedEntity> {
        self.entities.get(uid).cloned()
    }
}

impl Instance {
    /// What is asked.
    #[must_use]
    pub const fn question(&self) -> &Question {
        &self.question
    }

    /// What each statement says of it, by Cedar's evaluator. Nothing if it cannot be asked.
    #[must_use]
    pub fn matches<'a>(
        &self,
        statements: impl IntoIterator<Item = &'a Statement>,
    ) -> Option<Vec<Matched>> {
        self.each(statements.into_iter().map(Statement::condition))
    }

    /// True if it is as all requests are.
    #[must_use]
    pub fn fulfils(&self, assumed: &Assumption) -> bool {
        let matched = self.each(assumed.condition());
        matched.is_some_and(|all| all.iter().all(|one| *one == Matched::Yes))
    }

    fn each<'a>(&self, conditions: impl IntoIterator<Item = &'a Expr>) -> Option<Vec<Matched>> {
        let (request, entities) = (self.schema.request(&self.question)?, self.slice()?);
        let evaluator = Evaluator::new(request, &entities, Extensions::all_available());
        let slots = ast::SlotEnv::new();
        let of = |condition: &Expr| {
            // The conjunction makes sure of a Boolean, as it does in the index.
            let whole = Expr::and(Expr::val(true), condition.clone());
            match evaluator.interpret(&whole, &slots).map(|value| value.value) {
                Ok(ValueKind::Lit(ast::Literal::Bool(true))) => Matched::Yes,
                Ok(_) => Matched::No,
                Err(_) => Matched::Error,
            }
        };
        Some(conditions.into_iter().map(of).collect())
    }

    /// The request in the form of Cedar's own tests: `principal`, `action`, `resource` and
    /// `context`.
    #[must_use]
    pub fn request_json(&self) -> Json {
        let Question { principal, action, resource, context } = &self.question;
        let context = context.members().map(|(name, value)| (name.to_string(), plain(value)));
        json!({
            "principal": principal.to_string(),
            "action": action.to_string(),
            "resource": resource.to_string(),
            "context": context.collect::<serde_json::Map<_, _>>(),
        })
    }

    /// The entities in Cedar's JSON form, in order; those that are nothing but a name are
    /// left out, for they decide as if they were not there.
    #[must_use]
    pub fn entities_json(&self) -> Vec<Json> {
        let members = |all: &mut dyn Iterator<Item = (&smol_str::SmolStr, &PartialValue)>| {
            let json = |value: &PartialValue| match value {
                PartialValue::Value(value) => plain(value),
                PartialValue::Residual(unknown) => Json::from(unknown.to_string()),
            };
            all.map(|(name, value)| (name.to_string(), json(value)))
                .collect::<serde_json::Map<_, _>>()
        };
        let of = |entity: &TypedEntity| {
            let core = entity.core();
            let (attrs, tags) = (members(&mut core.attrs()), members(&mut core.tags()));
            let mut parents: Vec<_> = core.ancestors().collect();
            parents.sort();
            if attrs.is_empty() && tags.is_empty() && parents.is_empty() {
                return None;
            }
            let parents: Vec<_> = parents.into_iter().map(named).collect();
            let mut json = json!({"uid": named(core.uid()), "attrs": attrs, "parents": parents});
            if let (false, Some(members)) = (tags.is_empty(), json.as_object_mut()) {
                members.insert("tags".to_owned(), tags.into());
            }
            Some(json)
        };
        self.entities.values().filter_map(of).collect()
    }

    fn slice(&self) -> Option<Entities> {
        let all = Reach::Unknown(self.entities.keys().cloned().collect());
        slice(&self.question, &all, &self.schema, self)
    }
}

impl CompiledSchema {
    /// A request and entities of Cedar's own as an instance. Nothing if they name a type
    /// that is not declared, or an id that is longer than ours may be.
    pub(crate) fn instance(
        &self,
        request: &cedar_policy::Request,
        entities: &cedar_policy::Entities,
    ) -> Option<Instance> {
        let (request, entities): (&ast::Request, &Entities) = (request.as_ref(), entities.as_ref());
        let uid = |entry: &ast::EntityUIDEntry| self.tables().uid(entry.uid()?);
        let ast::Context::Value(members) = request.context()? else { return None };
        let question = Question {
            principal: uid(request.principal())?,
            action: uid(request.action())?,
            resource: uid(request.resource())?,
            context: self.context(members.as_ref().clone()),
        };
        let mut found = BTreeMap::new();
        for core in entities.iter().filter(|core| !core.uid().is_action()) {
            let uid = self.tables().uid(core.uid())?;
            found.insert(uid.clone(), TypedEntity::new(uid, core.clone(), self));
        }
        Some(Instance { question, entities: found, schema: self.clone() })
    }
}

/// A value as a caller writes it where the schema gives the type: entities by type and id,
/// extension values as their texts.
fn plain(value: &Value) -> Json {
    match value.value_kind() {
        ValueKind::Lit(ast::Literal::Bool(bool)) => Json::from(*bool),
        ValueKind::Lit(ast::Literal::Long(number)) => Json::from(*number),
        ValueKind::Lit(ast::Literal::String(text)) => Json::from(text.as_str()),
        ValueKind::Lit(ast::Literal::EntityUID(uid)) => named(uid),
        ValueKind::Set(set) => set.iter().map(plain).collect(),
        ValueKind::Record(members) => {
            let members = members.iter().map(|(name, value)| (name.to_string(), plain(value)));
            Json::Object(members.collect())
        }
        ValueKind::ExtensionValue(_) => Json::from(extension::text(value)),
    }
}

fn named(uid: &ast::EntityUID) -> Json {
    let id: &str = uid.eid().as_ref();
    json!({"type": uid.entity_type().to_string(), "id": id})
}

/// The names of those entities that can be reached from the question.
pub(super) fn reachable(instance: &Instance) -> BTreeSet<Uid> {
    let Question { principal, resource, context, .. } = &instance.question;
    let mut open: Vec<Uid> = vec![principal.clone(), resource.clone()];
    open.extend(context.references().iter().cloned());
    let mut seen = BTreeSet::new();
    while let Some(uid) = open.pop() {
        let Some(entity) = instance.entities.get(&uid) else { continue };
        if seen.insert(uid) {
            open.extend(entity.references().iter().cloned());
            let above = entity.core().ancestors();
            open.extend(above.filter_map(|core| instance.schema.tables().uid(core)));
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cedar::example::{directory, object, schema, uid};

    #[test]
    fn a_request_is_written_as_its_context_can_be_read_again() {
        let (schema, action) = (schema(), uid("Action", "view"));
        let said = object(json!({
            "mfa": true, "from": "10.0.0.0/8", "at": "2026-11-22T12:00:00.001Z",
            "score": "0.5", "ttl": "1500ms", "device": {"serial": "s", "risk": 3},
            "devices": [{"serial": "t"}], "tags": ["a", "b"],
            "on_behalf_of": {"type": "User", "id": "bob"},
            "colour": {"type": "Colour", "id": "red"},
        }));
        let shaped = schema.shape_context(&action, &said);
        assert!(shaped.pruned.is_empty() && shaped.missing.is_empty(), "{shaped:?}");
        let (principal, resource) = (uid("User", "alice"), uid("Document", "plan"));
        let context = shaped.value.clone();
        let question = Question { principal, action: action.clone(), resource, context };
        let instance = Instance { question, entities: directory(&schema).0, schema };
        let written = instance.request_json();
        let again = instance.schema.shape_context(&action, &object(written["context"].clone()));
        assert_eq!(again.value, shaped.value, "{written}");
        assert_eq!(written["principal"], "User::\"alice\"");
        assert_eq!(written["context"]["at"], "2026-11-22T12:00:00.001Z");
    }

    #[test]
    fn entities_are_written_as_cedar_reads_them_and_bare_names_are_left_out() {
        let schema = schema();
        let question = crate::cedar::example::view(&schema, "alice");
        let entities = directory(&schema).0;
        let instance = Instance { question, entities, schema };
        let written = instance.entities_json();
        let bob = written.iter().find(|one| one["uid"]["id"] == "bob").unwrap();
        let expected = json!({
            "uid": {"type": "User", "id": "bob"},
            "attrs": {"level": 1, "manager": {"type": "User", "id": "alice"}},
            "parents": [{"type": "Group", "id": "all"}],
        });
        assert_eq!(bob, &expected);
        assert!(written.iter().all(|one| one["uid"]["id"] != "all"), "{written:?}");
    }
}
