//! Policies, schema and directory. A publication is parts, inert until the final
//! `…activated` event of the same batch puts them in force together.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{Digest, EntityDocument, Label, PolicyId, PolicySource, SetKind, Uid, Version};

/// A piece of a schema's text (`countersign.schema.submitted.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaSubmitted {
    /// The publication it belongs to.
    pub publication: Uuid,
    /// Whose schema.
    pub set: SetKind,
    /// The text, following the pieces before it.
    pub text: String,
}

/// A schema came in force (`countersign.schema.activated.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaActivated {
    /// The publication whose pieces make it up.
    pub publication: Uuid,
    /// Whose schema.
    pub set: SetKind,
    /// Its version; the first is 1.
    pub version: Version,
    /// SHA-256 of the whole text.
    pub digest: Digest,
    /// Why, in the author's words.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub message: Label,
}

/// A new or changed policy, template or link (`countersign.policy.submitted.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicySubmitted {
    /// The publication it belongs to.
    pub publication: Uuid,
    /// Whose policy.
    pub set: SetKind,
    /// The policy.
    pub policy: PolicySource,
}

/// A policy that the publication takes out (`countersign.policy.withdrawn.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyWithdrawn {
    /// The publication it belongs to.
    pub publication: Uuid,
    /// Whose policy.
    pub set: SetKind,
    /// The policy's name.
    pub policy: PolicyId,
}

/// A policy set came in force (`countersign.policies.activated.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoliciesActivated {
    /// The publication whose parts change the set before it into this one.
    pub publication: Uuid,
    /// Whose policies.
    pub set: SetKind,
    /// The set's version; the first is 1.
    pub version: Version,
    /// How many policies, templates and links it has.
    pub count: u64,
    /// SHA-256 over the ids and digests of the whole set.
    pub digest: Digest,
    /// Why, in the author's words.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub message: Label,
}

/// A new or changed entity (`countersign.entity.submitted.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntitySubmitted {
    /// The publication it belongs to.
    pub publication: Uuid,
    /// The entity, replacing one of the same name whole.
    pub entity: EntityDocument,
}

/// An entity that the publication takes out (`countersign.entity.withdrawn.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntityWithdrawn {
    /// The publication it belongs to.
    pub publication: Uuid,
    /// The entity's name.
    pub uid: Uid,
}

/// A directory change came in force (`countersign.directory.activated.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryActivated {
    /// The publication whose parts make up the change.
    pub publication: Uuid,
    /// The directory's version; the first is 1.
    pub version: Version,
    /// How many entities changed.
    pub changed: u64,
    /// Why, in the author's words.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub message: Label,
}
