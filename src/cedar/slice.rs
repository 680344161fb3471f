//! The few entities that one evaluation can look at.

use std::collections::HashSet;
use std::sync::Arc;

use cedar_policy_core::ast;
use cedar_policy_core::entities::{Entities, NoEntitiesSchema, TCComputation};
use cedar_policy_core::extensions::Extensions;

use super::policies::Reach;
use super::{CompiledSchema, EntitySource, Question};
use crate::model::Uid;

/// Gathers the entities within reach of the question: its principal, action and resource
/// and what its context mentions, what those mention, and so on for as many steps as the
/// policies take. Each brings along all that it is in. The cost does not depend on how
/// many entities there are. Nothing if Cedar refuses them, which it has no cause to.
///
/// Exact, because policies validated at a level look at nothing further away (RFC 76,
/// proved by Cedar's authors). That holds for entities that conform to the schema; for
/// one that exists only in the request and lacks a required attribute, a policy that
/// would have looked further reports an error instead.
pub(super) fn slice(
    question: &Question,
    reach: &Reach,
    schema: &CompiledSchema,
    source: &dyn EntitySource,
) -> Option<Entities> {
    let mut front = vec![&question.principal, &question.action, &question.resource];
    front.extend(question.context.references());
    let mut steps = match reach {
        Reach::Level(level) => *level,
        Reach::Unknown(named) => {
            front.extend(named);
            u32::MAX
        }
    };
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    let mut front: Vec<Uid> = front.into_iter().cloned().collect();
    while steps > 0 && !front.is_empty() {
        steps -= 1;
        let mut next = Vec::new();
        for uid in front {
            if seen.insert(uid.clone()) {
                gather(&uid, schema, source, &mut found, &mut next);
            }
        }
        front = next;
    }
    Entities::new()
        .add_entities(
            found,
            None::<&NoEntitiesSchema>,
            TCComputation::AssumeAlreadyComputed,
            Extensions::all_available(),
        )
        .ok()
}

/// One entity, and what it mentions. An action is the schema's alone, whatever the source
/// says: without it `action in [...]` would silently be false.
fn gather(
    uid: &Uid,
    schema: &CompiledSchema,
    source: &dyn EntitySource,
    found: &mut Vec<Arc<ast::Entity>>,
    next: &mut Vec<Uid>,
) {
    if schema.tables().action_types.contains_key(uid.kind()) {
        let action = schema.tables().actions.get(uid);
        found.extend(action.into_iter().flat_map(|action| action.entities.iter().cloned()));
    } else if let Some(entity) = source.entity(uid) {
        found.push(Arc::clone(entity.core()));
        next.extend(entity.references().iter().cloned());
    }
}

#[cfg(test)]
mod tests {
    use cedar_policy_core::authorizer::{Authorizer, Decision};
    use cedar_policy_core::validator::CoreSchema;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::cedar::example::{
        Directory, always, directory, document, object, schema, uid, view,
    };
    use crate::cedar::{CompiledPolicies, Evaluation, Limits, TypedEntity, read_policies};
    use crate::model::{EntityDocument, SetKind};

    /// Conditions that go one, two, three and four steps.
    const CONDITIONS: [&str; 14] = [
        "context.mfa",
        "action in Action::\"readers\"",
        "principal in Group::\"g1\"",
        "principal in [Group::\"g0\", Group::\"g3\"] || resource in Folder::\"f0\"",
        "principal.level + 9223372036854775806 > 0",
        "resource.owner == principal",
        "resource.owner in Group::\"g2\"",
        "resource.owner.level > principal.level",
        "principal has manager && principal.manager.level > 2",
        "principal has manager && principal.manager in Group::\"g1\"",
        "principal has manager.manager.manager && principal.manager.manager.manager.level > 1",
        "principal has groups && principal.groups.contains(Group::\"g1\")",
        "context has on_behalf_of && context.on_behalf_of in Group::\"g2\"",
        "context has on_behalf_of && context.on_behalf_of has manager && \
         context.on_behalf_of.manager has manager && \
         context.on_behalf_of.manager.manager == principal",
    ];

    /// A policy for all that readers may do.
    fn readers(id: &str, effect: &str, condition: &str) -> String {
        let scope = "(principal, action in Action::\"readers\", resource)";
        format!("@id(\"{id}\") {effect} {scope} when {{ {condition} }};")
    }

    fn slice_of(level: u32) -> Vec<String> {
        let schema = schema();
        let question = view(&schema, "bob");
        let entities = slice(&question, &Reach::Level(level), &schema, &directory(&schema));
        let mut names: Vec<_> =
            entities.unwrap().iter().map(|entity| entity.uid().to_string()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_slice_holds_what_is_within_reach_and_no_more() {
        let (view, readers) = ("Action::\"view\"", "Action::\"readers\"");
        let (bob, plan) = ("User::\"bob\"", "Document::\"plan\"");
        assert!(slice_of(0).is_empty());
        assert_eq!(slice_of(1), [readers, view, plan, bob]);
        assert_eq!(slice_of(2), [readers, view, plan, "User::\"alice\"", bob]);
        assert_eq!(slice_of(9), slice_of(2));
    }

    #[test]
    fn an_action_is_the_schemas_whatever_the_source_says() {
        struct Liar(TypedEntity);
        impl EntitySource for Liar {
            fn entity(&self, _: &Uid) -> Option<TypedEntity> {
                Some(self.0.clone())
            }
        }
        let schema = schema();
        let group = schema.shape_entity(&uid("Group", "g"), &object(json!({}))).unwrap().value;
        let question = view(&schema, "bob");
        let entities = slice(&question, &Reach::Level(1), &schema, &Liar(group)).unwrap();
        let actions = entities.iter().filter(|entity| entity.uid().is_action()).count();
        assert_eq!(actions, 2);
    }

    /// Such as `g3` for a group.
    fn id(kind: &str, n: usize) -> String {
        let initial: String = kind.chars().take(1).flat_map(char::to_lowercase).collect();
        format!("{initial}{n}")
    }

    /// Entities of each type, wired at random; groups and folders without circles.
    fn documents() -> impl Strategy<Value = Vec<EntityDocument>> {
        let wires = prop::collection::vec(0..5_usize, 24);
        (wires, any::<u32>()).prop_map(|(wires, bits)| {
            let on = |bit: usize| bits >> (bit % 32) & 1 == 1;
            let name = |kind: &str, n: usize| uid(kind, &id(kind, n));
            let reference = |kind: &str, n: usize| json!({"type": kind, "id": id(kind, n)});
            let mut all = Vec::new();
            for n in 0..4 {
                let groups: Vec<_> =
                    (n + 1..4).filter(|up| on(n * 4 + up)).map(|up| name("Group", up)).collect();
                all.push(document(&name("Group", n), &groups, json!({})));
                let folders: Vec<_> =
                    (n + 1..4).filter(|up| on(9 + n + up)).map(|up| name("Folder", up)).collect();
                let owner = json!({"owner": reference("User", wires[n])});
                all.push(document(&name("Folder", n), &folders, owner.clone()));
                all.push(document(&name("Document", n), &[name("Folder", wires[4 + n])], owner));
                let mut attrs = json!({"level": wires[8 + n]});
                if on(n) {
                    attrs["manager"] = reference("User", wires[12 + n]);
                }
                if on(n + 5) {
                    attrs["groups"] = json!([reference("Group", wires[16 + n])]);
                }
                all.push(document(&name("User", n), &[name("Group", wires[20 + n])], attrs));
            }
            all
        })
    }

    /// What Cedar says with every entity at hand, its closure computed by Cedar itself.
    fn by_cedar(
        policies: &CompiledPolicies,
        question: &Question,
        documents: &[EntityDocument],
    ) -> (bool, Vec<String>, Vec<String>) {
        let schema = policies.schema();
        let none = std::collections::BTreeSet::new();
        let all = documents
            .iter()
            .map(|document| schema.type_entity(document, &none).unwrap().core().as_ref().clone());
        let entities = Entities::from_entities(
            all,
            Some(&CoreSchema::new(schema.validator().schema())),
            TCComputation::ComputeNow,
            Extensions::all_available(),
        );
        let request = policies.request(question).unwrap();
        let response = Authorizer::new().is_authorized(request, policies.set(), &entities.unwrap());
        let mut reasons: Vec<_> =
            response.diagnostics.reason.iter().map(ToString::to_string).collect();
        reasons.sort();
        let errors = response.diagnostics.errors.iter().map(ToString::to_string);
        let mut errors: Vec<_> = errors.collect();
        errors.sort();
        (response.decision == Decision::Allow, reasons, errors)
    }

    fn ours(evaluation: &Evaluation) -> (bool, Vec<String>, Vec<String>) {
        let reasons = evaluation.determining.iter().map(ToString::to_string).collect();
        let errors = evaluation.errors.iter();
        let errors =
            errors.map(|e| format!("while evaluating policy `{}`: {}", e.policy, e.message));
        (evaluation.allowed, reasons, errors.collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Law: the slice gives the answer of the whole directory, with reasons and errors;
        /// for a set that validates at a level, and for one that was not validated.
        #[test]
        fn a_slice_gives_the_answer_of_the_whole(
            documents in documents(),
            chosen in prop::collection::vec((0..CONDITIONS.len(), any::<bool>()), 1..6),
            asked in prop::collection::vec((0..5_usize, 0..4_usize, any::<bool>(), 0..6_usize), 8),
        ) {
            let schema = schema();
            let mut text = String::new();
            for (n, (condition, permit)) in chosen.into_iter().enumerate() {
                let effect = if permit { "permit" } else { "forbid" };
                text += &readers(&format!("p{n}"), effect, CONDITIONS[condition]);
            }
            let limits = Limits::default();
            let sources = read_policies("p", &text, &limits).unwrap();
            let valid =
                CompiledPolicies::compile(&sources, &schema, SetKind::Application, &limits);
            let valid = valid.unwrap_or_else(|faults| panic!("{faults:?}"));
            let unchecked =
                CompiledPolicies::compile_without_validation(&sources, &schema, &limits).unwrap();
            let directory = Directory::of(&schema, &documents);
            for (who, what, mfa, other) in asked {
                let action = uid("Action", if what % 2 == 0 { "view" } else { "edit" });
                let mut given = object(json!({"mfa": mfa}));
                if other < 5 {
                    given.insert("on_behalf_of".to_owned(), json!(format!("u{other}")));
                }
                let question = Question {
                    principal: uid("User", &format!("u{who}")),
                    context: schema.shape_context(&action, &given).value,
                    action,
                    resource: uid("Document", &format!("d{what}")),
                };
                let expected = by_cedar(&valid, &question, &documents);
                prop_assert_eq!(&ours(&valid.evaluate(&question, &directory)), &expected);
                prop_assert_eq!(ours(&unchecked.evaluate(&question, &directory)), expected);
            }
        }
    }

    #[test]
    fn a_set_that_was_not_validated_follows_what_it_names() {
        let limits = Limits::default();
        let text = always("a", "permit", "User::\"bob\".manager.level == 3");
        let sources = read_policies("p", &text, &limits).unwrap();
        let schema = schema();
        let policies =
            CompiledPolicies::compile_without_validation(&sources, &schema, &limits).unwrap();
        assert_eq!(policies.level(), None);
        assert!(policies.evaluate(&view(&schema, "nobody"), &directory(&schema)).allowed);
    }
}
