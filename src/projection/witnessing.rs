//! What this node vouches for as a witness: by which key, and how far it has seen each
//! other log grow.

use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::signing_keys::{read, text};
use crate::event::{CheckpointCosigned, WitnessKeyAdopted};
use crate::model::{Digest, Index};
use crate::tlog::{Hash, VerifierKey};

/// The key that cosigns, public half.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WitnessKeyState {
    /// What its cosignatures are verified with.
    #[serde(serialize_with = "text", deserialize_with = "read")]
    pub verifier_key: VerifierKey,
    /// The credential's id in the vault.
    pub credential: Uuid,
    /// SHA-256 of the sealed private half.
    pub sealed: Digest,
    /// The entry that adopted it.
    pub adopted: Index,
}

/// The checkpoint of another log that was cosigned last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cosigned {
    /// How many entries it was for.
    pub size: u64,
    /// The root over them.
    #[serde(serialize_with = "text", deserialize_with = "read")]
    pub root: Hash,
}

/// The key in use, and the checkpoint cosigned last by each log's origin.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Witnessing {
    key: Option<Arc<WitnessKeyState>>,
    logs: OrdMap<Arc<str>, Cosigned>,
}

impl Witnessing {
    /// The key that cosigns, if one has been adopted.
    #[must_use]
    pub fn key(&self) -> Option<&Arc<WitnessKeyState>> {
        self.key.as_ref()
    }

    /// The checkpoint of a log that was cosigned last, if any was.
    #[must_use]
    pub fn last(&self, origin: &str) -> Option<&Cosigned> {
        self.logs.get(origin)
    }

    /// True for a node that has never been a witness.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.key.is_none() && self.logs.is_empty()
    }

    pub(super) fn adopted(&mut self, it: &WitnessKeyAdopted, at: Index) {
        self.key = Some(Arc::new(WitnessKeyState {
            verifier_key: it.verifier_key.clone(),
            credential: it.credential,
            sealed: it.sealed,
            adopted: at,
        }));
    }

    pub(super) fn cosigned(&mut self, it: &CheckpointCosigned) {
        let last = Cosigned { size: it.size, root: it.root };
        self.logs.insert(Arc::from(it.origin.as_str()), last);
    }

    /// What the key cosigned may be among what is lost: it must cosign nothing more, or
    /// it could vouch for another future of the same log.
    pub(super) fn loss_accepted(&mut self) {
        self.key = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::{CosigningKey, leaf_hash};

    /// Goal: no key vouches for two futures of one log, also if this node's own log was
    /// rolled back.
    #[test]
    fn a_key_cosigns_nothing_once_a_loss_was_accepted() {
        let key = CosigningKey::new("log.example/witness".parse().unwrap(), &[1; 32]);
        let adopted = WitnessKeyAdopted {
            verifier_key: key.verifier(),
            credential: Uuid::from_u128(1),
            sealed: Digest::of("sealed"),
        };
        let mut witnessing = Witnessing::default();
        witnessing.adopted(&adopted, Index(3));
        let root = leaf_hash(b"entry");
        let origin = "other.example/log".to_owned();
        witnessing.cosigned(&CheckpointCosigned { origin: origin.clone(), size: 1, root });
        assert_eq!(witnessing.key().map(|key| key.adopted), Some(Index(3)));
        witnessing.loss_accepted();
        assert!(witnessing.key().is_none());
        assert_eq!(witnessing.last(&origin), Some(&Cosigned { size: 1, root }));
        assert_eq!(witnessing.last("unheard.example/of"), None);
    }
}
