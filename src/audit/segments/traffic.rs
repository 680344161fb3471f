//! What was done and attempted between segments, from the decisions of a window.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::matrix::{self, Key, NoMatrix};
use super::place::Places;
use super::report::{Attempt, Counted};
use crate::cedar::CompiledSchema;
use crate::event::{AccessDecided, Envelope, Event, Verdict};
use crate::model::{Moment, PolicyId, SetKind, Uid};
use crate::pdp::names_of;
use crate::projection::World;

/// How many policies are told apart in one cell.
const POLICIES_MAX: usize = 256;
/// How many refused pairs are told apart in one cell.
const ATTEMPTS_MAX: usize = 256;
/// How many of them are named.
const ATTEMPTS_TOLD: usize = 3;

/// The recorded decisions of a window by where their principals and resources stand as of
/// one World, which is mostly a later one. Memory is bounded by the cells there can be.
pub struct Traffic<'a> {
    world: &'a World,
    schema: &'a CompiledSchema,
    places: Places<'a>,
    actions: HashSet<Uid>,
    flows: HashMap<Key, Flow>,
    decisions: u64,
}

/// What went on in one cell.
#[derive(Clone, Debug, Default)]
pub(super) struct Flow {
    pub(super) used: Counted,
    pub(super) by: BTreeMap<PolicyId, Counted>,
    pub(super) refused: Counted,
    attempts: BTreeMap<(Uid, Uid), Counted>,
    /// Uses of policies beyond those told apart.
    pub(super) uses_of_others: u64,
    /// Attempts of pairs beyond those told apart.
    pub(super) attempts_of_others: u64,
}

impl<'a> Traffic<'a> {
    /// Before the first decision.
    ///
    /// # Errors
    /// [`NoMatrix`]: nothing to decide by, or no segments.
    pub fn new(world: &'a World) -> Result<Self, NoMatrix> {
        let schema = &matrix::ground(world)?.schema;
        let places = Places::of(world, schema);
        let actions = matrix::actions(schema).into_iter().collect();
        Ok(Self { world, schema, places, actions, flows: HashMap::new(), decisions: 0 })
    }

    /// Takes the next entry of the window.
    pub fn see(&mut self, entry: &Envelope) {
        if let Event::AccessDecided(decided) = &entry.event
            && decided.set == SetKind::Application
        {
            self.decisions += 1;
            self.count(decided, entry.time);
        }
    }

    fn count(&mut self, decided: &AccessDecided, at: Moment) {
        let Some([subject, action, resource]) = names_of(self.world, &decided.request) else {
            return;
        };
        let fits = self.schema.fits(&subject, &action, &resource).is_ok();
        if !fits || !self.actions.contains(&action) {
            return;
        }
        for from in self.places.of_entity(&subject) {
            for to in self.places.of_entity(&resource) {
                let key = (action.clone(), from.clone(), to);
                let flow = self.flows.entry(key).or_default();
                match decided.decision {
                    Verdict::Allow => flow.allowed(&decided.determining, at),
                    Verdict::Deny => flow.denied((&subject, &resource), at),
                }
            }
        }
    }

    /// How many decisions of applications there were.
    pub(super) fn decisions(&self) -> u64 {
        self.decisions
    }

    pub(super) fn places(&self) -> &Places<'a> {
        &self.places
    }

    pub(super) fn flow(&self, key: &Key) -> Option<&Flow> {
        self.flows.get(key)
    }

    /// The cells in which there was anything.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.flows.keys()
    }
}

impl Flow {
    fn allowed(&mut self, by: &[PolicyId], at: Moment) {
        self.used.count(at);
        for policy in by {
            if let Some(known) = self.by.get_mut(policy) {
                known.count(at);
            } else if self.by.len() < POLICIES_MAX {
                self.by.entry(policy.clone()).or_default().count(at);
            } else {
                self.uses_of_others += 1;
            }
        }
    }

    fn denied(&mut self, (from, to): (&Uid, &Uid), at: Moment) {
        self.refused.count(at);
        let pair = (from.clone(), to.clone());
        if let Some(known) = self.attempts.get_mut(&pair) {
            known.count(at);
        } else if self.attempts.len() < ATTEMPTS_MAX {
            self.attempts.entry(pair).or_default().count(at);
        } else {
            self.attempts_of_others += 1;
        }
    }

    /// Of those told apart, the pairs that were refused most often.
    pub(super) fn attempts(&self) -> Vec<Attempt> {
        let mut all: Vec<_> = self.attempts.iter().collect();
        all.sort_by_key(|(pair, counted)| (std::cmp::Reverse(counted.count), *pair));
        let told = all.into_iter().take(ATTEMPTS_TOLD);
        told.map(|((from, to), refused)| Attempt {
            from: from.clone(),
            to: to.clone(),
            refused: refused.clone(),
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_many_to_be_told_apart_is_counted_together() {
        let mut flow = Flow::default();
        let policy = |at: usize| -> PolicyId { format!("p{at}").parse().unwrap() };
        let someone = |at: usize| Uid::parse("User", &format!("u{at}")).unwrap();
        let doc = Uid::parse("Doc", "plan").unwrap();
        for at in 0..POLICIES_MAX + 3 {
            flow.allowed(&[policy(at), policy(0)], Moment::EPOCH);
        }
        for at in 0..ATTEMPTS_MAX + 5 {
            flow.denied((&someone(at), &doc), Moment::EPOCH);
        }
        flow.denied((&someone(7), &doc), Moment::EPOCH);
        assert_eq!((flow.by.len(), flow.uses_of_others), (POLICIES_MAX, 3));
        assert_eq!(flow.attempts_of_others, 5);
        assert_eq!(flow.attempts()[0].from, someone(7));
    }
}
