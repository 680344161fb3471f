//! The log itself, the node, persons and service tokens.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::SessionFacts;
use crate::model::{Aal, Digest, EntityType, Label, Scopes, Username};

/// The log began (`countersign.log.created.v1`); always entry 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogCreated {
    /// The log's own id, part of every entry's `source`.
    pub log: Uuid,
}

/// A node began to write (`countersign.node.started.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeStarted {
    /// Countersign's version.
    pub build: String,
    /// The version of the Cedar crates.
    pub cedar: String,
    /// The version of the Cedar language.
    pub language: String,
    /// How people authenticate here; older builds did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<AuthenticationSettings>,
}

/// The settings of a node that what was shown at a login rests on, and no decision does: an
/// auditor sees under which of them a password was hashed and a key attested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthenticationSettings {
    /// The memory of a new password's hash by argon2id, in KiB.
    pub argon2_kib: u32,
    /// The passes over it.
    pub argon2_passes: u32,
    /// The lanes of it.
    pub argon2_lanes: u32,
    /// The domain that passkeys are made for; none if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rp_id: Option<String>,
    /// The origins that they are used at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<String>,
    /// SHA-256 of the file that lists the authenticators which may give AAL3, if there is
    /// one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attestation: Option<Digest>,
}

/// A person was made known (`countersign.person.registered.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonRegistered {
    /// The login name.
    pub person: Username,
}

/// A person may no longer log in (`countersign.person.disabled.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonDisabled {
    /// The login name.
    pub person: Username,
    /// Why.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub reason: Label,
}

/// A person got an administrative role (`countersign.role.granted.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleGranted {
    /// The login name.
    pub person: Username,
    /// The role, the id of a `Countersign::Role`.
    pub role: Label,
}

/// A person lost an administrative role (`countersign.role.revoked.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleRevoked {
    /// The login name.
    pub person: Username,
    /// The role, the id of a `Countersign::Role`.
    pub role: Label,
}

/// What an ingest token is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceBinding {
    /// The `CloudEvents` source it may report for.
    pub source: String,
    /// The entity type of its users.
    pub user_type: EntityType,
    /// The highest assurance that its reports can give.
    pub max_aal: Aal,
}

/// A service token was made (`countersign.service.registered.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceRegistered {
    /// The service's id, the id of a `Countersign::Service`.
    pub service: Uuid,
    /// What people call it.
    pub label: Label,
    /// What it may be used for.
    pub scopes: Scopes,
    /// SHA-256 of the token.
    pub token: Digest,
    /// For scope `ingest`: what it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<SourceBinding>,
    /// The session of the person who made it, and so what they had shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionFacts>,
}

/// A service token was revoked (`countersign.service.revoked.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceRevoked {
    /// The service's id.
    pub service: Uuid,
}
