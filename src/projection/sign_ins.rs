//! Where in the log each person's latest sign-ins are, so that they can be shown to them
//! without reading the log. Nothing is decided by it, so it is no part of the state's
//! digest; a snapshot keeps it, for no other part of the state tells it.

use std::collections::VecDeque;

use imbl::HashMap;
use serde::{Deserialize, Serialize};

use crate::event::{Envelope, Event, PasskeyRefused, Refused};
use crate::model::{Index, Moment, Username};

/// How many of each kind are remembered; the oldest go first.
const REMEMBERED: usize = 20;

/// What is remembered of one person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remembered {
    /// Where sessions began and rose, oldest first, at most 20.
    pub succeeded: VecDeque<Index>,
    /// Where a secret of theirs was refused, oldest first, at most 20. Apart from the
    /// others, so that whoever guesses cannot push them out.
    pub refused: VecDeque<Index>,
    /// When a code that had been used was given again, the last time.
    pub reused_code_at: Option<Moment>,
}

/// All persons' latest sign-ins.
#[derive(Clone, Debug, Default)]
pub struct SignIns(HashMap<Username, Remembered>);

impl SignIns {
    /// What is remembered of a person; none if they never came.
    #[must_use]
    pub fn of(&self, person: &Username) -> Option<&Remembered> {
        self.0.get(person)
    }

    pub(super) fn wrote(&mut self, entry: &Envelope) {
        match &entry.event {
            Event::SessionStarted(it) => self.succeeded(&it.person, entry.index),
            Event::SessionRaised(it) => self.succeeded(&it.person, entry.index),
            Event::RecoveryCodeUsed(it) => self.succeeded(&it.person, entry.index),
            Event::PasswordRefused(it) => {
                if let Some(person) = &it.person {
                    self.refused(person, entry.index);
                }
            }
            Event::MfaRefused(it) => {
                self.refused(&it.person, entry.index);
                if it.reason == Refused::Replayed {
                    self.remembered(&it.person).reused_code_at = Some(entry.time);
                }
            }
            // As many as anybody likes may come too soon.
            Event::RecoveryCodeRefused(it) if it.reason != Refused::TooSoon => {
                self.refused(&it.person, entry.index);
            }
            // A copy has signed. What nobody signed may be a stranger's, and without end.
            Event::PasskeyRefused(PasskeyRefused {
                person: Some(person),
                reason: Refused::Cloned,
                ..
            }) => self.refused(person, entry.index),
            Event::PersonErased(it) => drop(self.0.remove(&it.person)),
            // Nothing else is a sign-in; one forgotten here is not shown, and no more.
            _ => {}
        }
    }

    fn succeeded(&mut self, person: &Username, at: Index) {
        push(&mut self.remembered(person).succeeded, at);
    }

    fn refused(&mut self, person: &Username, at: Index) {
        push(&mut self.remembered(person).refused, at);
    }

    fn remembered(&mut self, person: &Username) -> &mut Remembered {
        self.0.entry(person.clone()).or_default()
    }

    pub(super) fn state(&self) -> Vec<(Username, Remembered)> {
        let mut all: Vec<_> = self.0.iter().map(|(name, it)| (name.clone(), it.clone())).collect();
        all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        all
    }

    pub(super) fn restored(state: Vec<(Username, Remembered)>) -> Self {
        Self(state.into_iter().collect())
    }
}

fn push(remembered: &mut VecDeque<Index>, at: Index) {
    if remembered.len() >= REMEMBERED {
        remembered.pop_front();
    }
    remembered.push_back(at);
}
