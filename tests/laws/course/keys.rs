//! What happens to the keys that sign the log and cosign others.

use countersign::event::{
    CheckpointCosigned, Event, HeadRef, LossAccepted, SigningKeyAdopted, SigningKeyRetired,
    WitnessKeyAdopted,
};
use countersign::model::Label;
use countersign::tlog::{CosigningKey, SigningKey, leaf_hash};
use proptest::sample::Index as Pick;

use super::{Course, pick};

impl Course {
    /// A key is adopted, of the same origin or, after a loss, of another.
    pub(super) fn sign(&mut self, after_loss: bool) -> Vec<Event> {
        let origin = self.live.signing.origin().unwrap_or("log.example/0").to_owned();
        let (credential, sealed) = (self.id(), self.digest());
        let adopted = |origin: &str| {
            let key = SigningKey::new(origin.parse().unwrap(), sealed.as_bytes());
            let verifier_key = key.verifier();
            Event::SigningKeyAdopted(SigningKeyAdopted { verifier_key, credential, sealed })
        };
        if !after_loss {
            return vec![adopted(&origin)];
        }
        let root = leaf_hash(origin.as_bytes());
        let found = HeadRef { origin, size: self.stored.len() as u64, root };
        let lost = LossAccepted { expected: None, found, reason: Label::default() };
        let another = format!("log.example/{}", self.drawn);
        vec![Event::LossAccepted(lost), adopted(&another)]
    }

    pub(super) fn unsign(&mut self, which: Pick) -> Option<Vec<Event>> {
        let all: Vec<_> = self.live.signing.in_force().map(|key| key.credential).collect();
        let credential = *pick(&all, which)?;
        Some(vec![Event::SigningKeyRetired(SigningKeyRetired { credential })])
    }

    /// A key to cosign by is adopted if none is in force.
    pub(super) fn watch(&mut self) -> Option<Vec<Event>> {
        if self.live.witnessing.key().is_some() {
            return None;
        }
        let (credential, sealed) = (self.id(), self.digest());
        let key = CosigningKey::new("log.example/0/witness".parse().unwrap(), sealed.as_bytes());
        let adopted = WitnessKeyAdopted { verifier_key: key.verifier(), credential, sealed };
        Some(vec![Event::WitnessKeyAdopted(adopted)])
    }

    /// Another log has grown by so many entries.
    pub(super) fn cosign(&mut self, log: u8, more: u64) -> Vec<Event> {
        let origin = format!("other.example/{log}");
        let size = self.live.witnessing.last(&origin).map_or(0, |last| last.size) + more;
        let root = leaf_hash(&size.to_be_bytes());
        vec![Event::CheckpointCosigned(CheckpointCosigned { origin, size, root })]
    }
}
