//! The life of a version of the owner's policies: drafted, checked, staged, approved, in
//! force, and in force again. A version is named by the digest of all it consists of.
//!
//! Each event says in its envelope who, and here by which session, if by one: what was
//! shown for it is on record beside what was done.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{SessionFacts, VersionRef};
use crate::model::{Digest, Label};

/// A piece of the tests that a draft brings along (`countersign.policy_tests.submitted.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyTestsSubmitted {
    /// The publication it belongs to.
    pub publication: Uuid,
    /// The text, following the pieces before it.
    pub text: String,
}

/// A version was drafted (`countersign.version.drafted.v1`). Its policies are those in force
/// then, changed by the parts of its publication; its schema and tests are those parts, or
/// for want of any the schema in force and no tests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionDrafted {
    /// The publication whose parts make it up.
    pub publication: Uuid,
    /// Its name.
    pub digest: Digest,
    /// SHA-256 of the schema's text.
    pub schema: Digest,
    /// SHA-256 over the ids and digests of its policies.
    pub policies: Digest,
    /// SHA-256 of the text of its tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<Digest>,
    /// How many policies, templates and links it has.
    pub count: u64,
    /// Why, in the author's words.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub message: Label,
    /// The author's session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionFacts>,
}

/// A version was found fit to be put in force (`countersign.version.checked.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionChecked {
    /// Which.
    pub digest: Digest,
    /// The least level at which its policies validate (Cedar's RFC 76).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<u32>,
    /// How much in it is allowed, but probably not meant.
    pub warnings: u64,
    /// How many tests held, all of them; none if it has no tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<u64>,
    /// The session of whoever had it checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionFacts>,
}

/// From here on decisions are taken by this version too, beside the one in force and
/// without effect (`countersign.version.staged.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionStaged {
    /// Which.
    pub digest: Digest,
    /// Why.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub reason: Label,
    /// The session of whoever did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionFacts>,
}

/// From here on no longer (`countersign.version.unstaged.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionUnstaged {
    /// Which.
    pub digest: Digest,
    /// Why.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub reason: Label,
    /// The session of whoever did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionFacts>,
}

/// A person other than its author has approved a version as it is
/// (`countersign.version.approved.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionApproved {
    /// Which.
    pub digest: Digest,
    /// Why.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub reason: Label,
    /// The approver's session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionFacts>,
}

/// A drafted version came in force, its policies and its schema at once
/// (`countersign.version.activated.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionActivated {
    /// Which.
    pub digest: Digest,
    /// The number and digest that decisions name its policies by.
    pub policies: VersionRef,
    /// The same of its schema: the number before, if the text is.
    pub schema: VersionRef,
    /// Why.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub reason: Label,
    /// The session of whoever did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionFacts>,
}

/// A version that had been in force before is in force again
/// (`countersign.version.rolled_back.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionRolledBack {
    /// Which.
    pub digest: Digest,
    /// The version that it took the place of.
    pub left: Digest,
    /// The number and digest that decisions name its policies by: a number of its own, so
    /// that no number ever meant two things.
    pub policies: VersionRef,
    /// The same of its schema: the number before, if the text is.
    pub schema: VersionRef,
    /// Why.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub reason: Label,
    /// The session of whoever did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionFacts>,
}
