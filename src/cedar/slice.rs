//! The few entities that one evaluation can look at.

use std::sync::Arc;

use cedar_policy_core::ast;
use cedar_policy_core::entities::{Entities, NoEntitiesSchema, TCComputation};
use cedar_policy_core::extensions::Extensions;
use foldhash::{HashSet, HashSetExt as _};

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
    use super::*;
    use crate::cedar::example::{always, directory, schema, uid, view};
    use crate::cedar::{CompiledPolicies, Limits, TypedEntity, read_policies};

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
        let group = schema.shape_entity(&uid("Group", "g"), &serde_json::Map::new()).unwrap().value;
        let question = view(&schema, "bob");
        let entities = slice(&question, &Reach::Level(1), &schema, &Liar(group)).unwrap();
        let actions = entities.iter().filter(|entity| entity.uid().is_action()).count();
        assert_eq!(actions, 2);
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
