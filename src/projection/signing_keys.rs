//! Who signs the log's checkpoints, now and before.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use imbl::Vector;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use crate::event::{Envelope, Event, SigningKeyAdopted, SigningKeyRetired};
use crate::model::{Digest, Index};
use crate::tlog::VerifierKey;

/// One key, public half.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SigningKeyState {
    /// What checkpoints signed by it are verified with. Its name is the log's origin.
    #[serde(serialize_with = "text", deserialize_with = "read")]
    pub verifier_key: VerifierKey,
    /// The credential's id in the vault.
    pub credential: Uuid,
    /// SHA-256 of the sealed private half.
    pub sealed: Digest,
    /// The entry that adopted it.
    pub adopted: Index,
    /// The entry that retired it, if one did.
    pub retired: Option<Index>,
}

/// All keys that ever signed, oldest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SigningKeys(Vector<Arc<SigningKeyState>>);

impl SigningKeys {
    /// The log's name as checkpoints give it: that of the key adopted last.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.0.last().map(|key| key.verifier_key.name().as_str())
    }

    /// The keys that sign now; several while one follows another.
    pub fn in_force(&self) -> impl Iterator<Item = &Arc<SigningKeyState>> {
        self.0.iter().filter(|key| key.retired.is_none())
    }

    /// All of them, oldest first, those retired included.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<SigningKeyState>> {
        self.0.iter()
    }

    /// Takes an entry, if it is about signing keys; for who follows nothing else.
    pub fn take(&mut self, entry: &Envelope) {
        match &entry.event {
            Event::SigningKeyAdopted(it) => self.adopted(it, entry.index),
            Event::SigningKeyRetired(it) => self.retired(it, entry.index),
            _ => {}
        }
    }

    /// Keys of another origin retire with it: nothing is signed for two logs.
    pub(super) fn adopted(&mut self, it: &SigningKeyAdopted, at: Index) {
        let other = |key: &SigningKeyState| key.verifier_key.name() != it.verifier_key.name();
        self.retire(at, other);
        self.0.push_back(Arc::new(SigningKeyState {
            verifier_key: it.verifier_key.clone(),
            credential: it.credential,
            sealed: it.sealed,
            adopted: at,
            retired: None,
        }));
    }

    pub(super) fn retired(&mut self, it: &SigningKeyRetired, at: Index) {
        self.retire(at, |key| key.credential == it.credential);
    }

    fn retire(&mut self, at: Index, which: impl Fn(&SigningKeyState) -> bool) {
        for key in self.0.iter_mut().filter(|key| key.retired.is_none() && which(key)) {
            Arc::make_mut(key).retired = Some(at);
        }
    }
}

/// Writes a value as its text.
pub(super) fn text<S: Serializer>(value: &impl Display, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

/// Reads a value from its text.
pub(super) fn read<'de, D: Deserializer<'de>, T>(from: D) -> Result<T, D::Error>
where
    T: FromStr<Err: Display>,
{
    String::deserialize(from)?.parse().map_err(de::Error::custom)
}
