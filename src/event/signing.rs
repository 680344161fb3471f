//! Who signs the log, and what was given up of it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::as_text;
use crate::model::{Digest, Label};
use crate::tlog::{Hash, VerifierKey};

/// A key signs the log's checkpoints from here on
/// (`countersign.signing_key.adopted.v1`). Its name is the log's origin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningKeyAdopted {
    /// The public half, for everybody.
    #[serde(with = "as_text")]
    pub verifier_key: VerifierKey,
    /// The credential's id in the vault.
    pub credential: Uuid,
    /// SHA-256 of the sealed private half.
    pub sealed: Digest,
}

/// A key signs no more checkpoints (`countersign.signing_key.retired.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningKeyRetired {
    /// The credential's id in the vault.
    pub credential: Uuid,
}

/// An operator went on with a log that is shorter than, or differs from, what had been
/// signed (`countersign.loss.accepted.v1`). Another origin follows in the same batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossAccepted {
    /// The newest checkpoint that was found outside the log; none if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<HeadRef>,
    /// What there was of the log.
    pub found: HeadRef,
    /// Why, in the operator's words.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub reason: Label,
}

/// The head of a log: a tree of some size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadRef {
    /// The origin it was signed for; empty if it never was.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The Merkle root over them (RFC 6962 §2.1).
    #[serde(with = "as_text")]
    pub root: Hash,
}
