//! What the World says in the context of a question, typed once for all questions of a
//! batch: they come from one caller, in one session, at one time.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::session;
use crate::cedar::{CompiledSchema, Known, TypedFacts};
use crate::event::{AccessDecided, SessionFacts, SessionUsed};
use crate::model::{Moment, Uid};

/// For how many actions, sessions and schemas it is kept: a batch is about a few.
const KEPT_MAX: usize = 8;

/// What has been typed so far for questions that are asked together. It goes by all that
/// the facts depend on, so that sharing it changes no answer.
#[derive(Clone, Default)]
pub struct SharedFacts(Option<Arc<Mutex<Kept>>>);

type Kept = Vec<(Key, Arc<TypedFacts>)>;

/// All that the facts, and what they are in Cedar's types, depend on.
struct Key {
    schema: CompiledSchema,
    action: Uid,
    now: Moment,
    pep: String,
    session: Option<SessionFacts>,
}

impl SharedFacts {
    /// For questions that are asked together.
    #[must_use]
    pub fn of_a_batch() -> Self {
        Self(Some(Arc::default()))
    }

    /// The facts that count for an action's policies: those that its context declares.
    pub(super) fn of(
        &self,
        schema: &CompiledSchema,
        action: &Uid,
        decided: &AccessDecided,
    ) -> Arc<TypedFacts> {
        let Some(kept) = &self.0 else { return Arc::new(typed(schema, action, decided)) };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let session = in_force(decided);
        let fits = |key: &Key| {
            key.action == *action
                && key.now == decided.now
                && key.session.as_ref() == session
                && key.pep == decided.pep
                && key.schema.is_same(schema)
        };
        if let Some((_, facts)) = kept.iter().find(|(key, _)| fits(key)) {
            return Arc::clone(facts);
        }
        let facts = Arc::new(typed(schema, action, decided));
        if kept.len() == KEPT_MAX {
            // The oldest: a batch goes on with what it did last.
            kept.remove(0);
        }
        let (schema, action, pep) = (schema.clone(), action.clone(), decided.pep.clone());
        let key = Key { schema, action, now: decided.now, pep, session: session.cloned() };
        kept.push((key, Arc::clone(&facts)));
        facts
    }
}

/// What has been kept is no part of a question.
impl PartialEq for SharedFacts {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for SharedFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "of a batch" } else { "of one" })
    }
}

fn typed(schema: &CompiledSchema, action: &Uid, decided: &AccessDecided) -> TypedFacts {
    let declared = |name: &&str| schema.context_declares(action, name);
    let mut known: Vec<(&'static str, Known)> = Vec::new();
    known.extend(Some("now").filter(declared).map(|name| (name, Known::Time(decided.now))));
    let pep = || Known::Text(decided.pep.clone());
    known.extend(Some("pep").filter(declared).map(|name| (name, pep())));
    if let Some(facts) = in_force(decided)
        && declared(&"session")
    {
        known.push(("session", session::context(facts, decided.now)));
    }
    schema.type_facts(action, known)
}

fn in_force(decided: &AccessDecided) -> Option<&SessionFacts> {
    match &decided.session {
        Some(SessionUsed::InForce(facts)) => Some(facts),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};
    use uuid::Uuid;

    use super::*;
    use crate::cedar::Limits;
    use crate::model::{AccessRequest, Method, SetKind};
    use crate::pdp::Ask;
    use crate::pdp::decide::undecided;
    use crate::projection::World;

    fn schema(of_pep: &str) -> CompiledSchema {
        let text = format!(
            "entity User; entity Doc; \
             type Session = {{ aal: Long, amr: Set<String>, authenticated_at: datetime, \
                               age_seconds: Long, phishing_resistant: Bool, source: String }}; \
             action view appliesTo {{ principal: User, resource: Doc, \
               context: {{ now: datetime, pep: {of_pep}, session?: Session }} }}; \
             action edit appliesTo {{ principal: User, resource: Doc, \
               context: {{ session?: Session }} }};"
        );
        CompiledSchema::compile(&text, SetKind::Application, &Limits::default()).unwrap()
    }

    fn session(id: u128, aal: u8) -> SessionFacts {
        SessionFacts {
            id: Uuid::from_u128(id),
            aal,
            methods: [Method::Pwd].into_iter().collect(),
            authenticated_at: Moment::from_micros(7),
            source: "countersign".to_owned(),
        }
    }

    /// Goal: what is kept for one question is not taken for another, in whatever it differs.
    #[test]
    fn what_is_shared_is_what_each_would_have_by_itself() {
        let body = json!({
            "subject": {"type": "User", "id": "a"},
            "action": {"name": "view"},
            "resource": {"type": "Doc", "id": "b"},
        });
        let request = AccessRequest::from_json(&body).unwrap();
        let schemas = [schema("String"), schema("Long")];
        let actions = ["view", "edit"].map(|id| Uid::parse("Action", id).unwrap());
        let sessions = [None, Some(session(1, 1)), Some(session(1, 2)), Some(session(2, 1))];
        let shared = SharedFacts::of_a_batch();
        let mut values = Vec::new();
        for at in 0..64 {
            // Neighbours differ in one thing, each in its turn.
            let gray = at ^ (at >> 1);
            let bit = |which: usize| (gray >> which) & 1;
            let (schema, action) = (&schemas[bit(0)], &actions[bit(1)]);
            let (session, pep) = (&sessions[bit(2) + 2 * bit(3)], ["p", "q"][bit(4)]);
            let micros = [3_000_000, 9_000_000][bit(5)];
            let ask = Ask::access(request.clone(), crate::event::Presented::Nothing, pep);
            let mut decided = undecided(&World::default(), &ask, Moment::from_micros(micros));
            decided.session = session.clone().map(SessionUsed::InForce);
            let shaped = |facts: &SharedFacts| {
                let facts = facts.of(schema, action, &decided);
                let shaped = schema.shape_context_with(action, &Map::new(), &facts);
                (shaped.value, shaped.pruned, shaped.missing)
            };
            let alone = shaped(&SharedFacts::default());
            assert_eq!((shaped(&shared), shaped(&shared)), (alone.clone(), alone.clone()));
            values.push(alone);
        }
        values.dedup();
        assert!(values.len() > 30, "{}", values.len());
    }
}
