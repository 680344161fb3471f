//! What this node vouches for as a witness of other logs.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::as_text;
use crate::model::Digest;
use crate::tlog::{Hash, VerifierKey};

/// A key cosigns the checkpoints of other logs from here on
/// (`countersign.witness_key.adopted.v1`). It takes the place of the one before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessKeyAdopted {
    /// The public half, for everybody.
    #[serde(with = "as_text")]
    pub verifier_key: VerifierKey,
    /// The credential's id in the vault.
    pub credential: Uuid,
    /// SHA-256 of the sealed private half.
    pub sealed: Digest,
}

/// A checkpoint of another log had grown out of the one cosigned before it, and was
/// cosigned as of the time of this entry (`countersign.checkpoint.cosigned.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointCosigned {
    /// The other log.
    pub origin: String,
    /// How many entries it had.
    pub size: u64,
    /// The Merkle root over them (RFC 6962 §2.1).
    #[serde(with = "as_text")]
    pub root: Hash,
}
