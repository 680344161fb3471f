//! Passkeys: keys of `WebAuthn`, each made for one person and this deployment alone. The key's
//! public half is sealed in the vault; the log names it by ids and hashes.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Refused;
use crate::model::{Digest, Label, Username};

/// A passkey was registered (`countersign.passkey.registered.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasskeyRegistered {
    /// Whose.
    pub person: Username,
    /// The credential's id here.
    pub credential: Uuid,
    /// SHA-256 of the sealed key in the vault.
    pub sealed: Digest,
    /// SHA-256 of the id that the authenticator gave it, by which it is found.
    pub key: Digest,
    /// What its person calls it.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub label: Label,
    /// True if its authenticator verified its user when it was made: it is two factors.
    pub user_verifying: bool,
    /// True if it may be copied to other devices (`WebAuthn` §6.1, flag BE).
    pub backup_eligible: bool,
    /// The model of its authenticator (AAGUID), where a certificate on the owner's list
    /// attests it; else nothing is known about where the key is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attested: Option<Uuid>,
    /// What its signature counter began at.
    pub counter: u32,
}

/// A passkey signed what it was asked to (`countersign.passkey.verified.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasskeyVerified {
    /// By whom.
    pub person: Username,
    /// The credential used.
    pub credential: Uuid,
    /// True if its authenticator verified its user (flag UV).
    pub user_verified: bool,
    /// True if a copy of it is elsewhere by now (flag BS).
    pub backed_up: bool,
    /// Its signature counter; 0 for ever if its authenticator does not count.
    pub counter: u32,
}

/// A passkey was refused (`countersign.passkey.refused.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasskeyRefused {
    /// Whose, if it is a key known here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Username>,
    /// The credential tried, if it is one known here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Uuid>,
    /// Why.
    pub reason: Refused,
}
