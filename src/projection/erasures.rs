//! Whose personal values were erased, by the keys destroyed.

use imbl::HashMap;

use crate::event::SubjectErased;
use crate::model::{EntityDocument, KeyId, Personal, Uid};

/// All erasures. What is sealed under one of these keys nobody can open any more.
#[derive(Clone, Debug, Default)]
pub struct Erasures(HashMap<KeyId, Uid>);

impl Erasures {
    /// True if the key was destroyed, and with it all that is sealed under it.
    #[must_use]
    pub fn contains(&self, key: &KeyId) -> bool {
        self.0.contains_key(key)
    }

    /// True if there was none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each key with its subject, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&KeyId, &Uid)> {
        self.0.iter()
    }

    /// Each key with its subject in order of the keys, as they are put away.
    pub(super) fn state(&self) -> Vec<(KeyId, Uid)> {
        let mut all: Vec<_> = self.0.iter().map(|(key, of)| (*key, of.clone())).collect();
        all.sort_unstable();
        all
    }

    pub(super) fn restored(all: Vec<(KeyId, Uid)>) -> Self {
        Self(all.into_iter().collect())
    }

    pub(super) fn erased(&mut self, it: &SubjectErased) {
        self.0.extend(it.keys.iter().map(|key| (*key, it.subject.clone())));
    }

    /// Closes what is open of an entity and must not be any more; true if anything was.
    pub(super) fn close(&self, document: &mut EntityDocument) -> bool {
        let erased = |one: &&mut Personal| {
            let open = one.closed().is_none();
            open && one.sealed().is_some_and(|(key, _)| self.contains(&key))
        };
        let mut closed = false;
        for one in document.personal.iter_mut().filter(erased) {
            one.close();
            closed = true;
        }
        closed
    }
}
