//! Getting back in: codes that a person keeps for when their second factor is lost. No
//! code is in an event; a set of them is named by its id and the SHA-256 of its sealed form.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Refused;
use crate::model::{Digest, Username};

/// A person got a set of recovery codes, in place of any they had
/// (`countersign.recovery_codes.issued.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryCodesIssued {
    /// Whose.
    pub person: Username,
    /// The set's id.
    pub credential: Uuid,
    /// SHA-256 of the sealed set in the vault.
    pub sealed: Digest,
    /// How many codes are in it.
    pub codes: u32,
}

/// A recovery code was given beside the right password; it is used up, and a fresh one has
/// taken its place (`countersign.recovery_code.used.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryCodeUsed {
    /// By whom.
    pub person: Username,
    /// The id of the set that it was in, which is no more.
    pub used: Uuid,
    /// The id of the set with the fresh code.
    pub credential: Uuid,
    /// SHA-256 of that set, sealed.
    pub sealed: Digest,
}

/// A recovery code was refused, beside the right password
/// (`countersign.recovery_code.refused.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryCodeRefused {
    /// Whose password it was.
    pub person: Username,
    /// The set tried, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Uuid>,
    /// Why.
    pub reason: Refused,
}
