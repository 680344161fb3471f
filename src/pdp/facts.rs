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
        if kept.len() < KEPT_MAX {
            let (schema, action, pep) = (schema.clone(), action.clone(), decided.pep.clone());
            let key = Key { schema, action, now: decided.now, pep, session: session.cloned() };
            kept.push((key, Arc::clone(&facts)));
        }
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
