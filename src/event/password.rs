//! Passwords: set, tried, known to others, hashed anew, brought along. No password and no
//! hash is in any of these: a hash is named by its credential's id and the SHA-256 of its
//! sealed form.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Refused;
use crate::model::{Digest, Label, Moment, Username};

/// A password was set (`countersign.password.enrolled.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordEnrolled {
    /// Whose.
    pub person: Username,
    /// The credential's id.
    pub credential: Uuid,
    /// SHA-256 of the sealed hash in the vault.
    pub sealed: Digest,
    /// Whether it is long enough to be the only factor (SP 800-63B-4 §3.1.1.2). Older
    /// builds did not say; they asked for it of whoever had no second factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alone: Option<bool>,
    /// On what grounds.
    #[serde(default, skip_serializing_if = "PasswordGrounds::is_ticket")]
    pub grounds: PasswordGrounds,
    /// The buckets of failures that are empty from here on: see
    /// [`PasswordRefused::buckets`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buckets: Vec<Digest>,
}

/// What let a person set a password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PasswordGrounds {
    /// A one-time ticket.
    #[default]
    Ticket,
    /// The password before it, in a session.
    Changed,
}

impl PasswordGrounds {
    /// True for a ticket.
    #[must_use]
    pub const fn is_ticket(&self) -> bool {
        matches!(self, Self::Ticket)
    }
}

/// A right password was given (`countersign.password.verified.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordVerified {
    /// By whom.
    pub person: Username,
    /// The credential used.
    pub credential: Uuid,
    /// The buckets of failures that are empty from here on: see
    /// [`PasswordRefused::buckets`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buckets: Vec<Digest>,
}

/// A password was refused (`countersign.password.refused.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordRefused {
    /// A keyed hash of the name as given; the name itself may be a password.
    pub name_tag: Digest,
    /// The person, if there is one of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Username>,
    /// The credential tried, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Uuid>,
    /// Why.
    pub reason: Refused,
    /// A keyed hash of the network that the attempt came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Digest>,
    /// The buckets that the failure counts in and that slow the next attempt down: of the
    /// name with its source and of the name with all strangers, or of the name with a
    /// device that is known. None in the events of older builds, which counted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buckets: Vec<Digest>,
}

/// A password is known to others (`countersign.password.compromised.v1`): it opens no
/// more than a session for setting another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordCompromised {
    /// Whose.
    pub person: Username,
    /// The credential's id.
    pub credential: Uuid,
    /// How that is known.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub reason: Label,
}

/// A right password was hashed anew at the cost in force
/// (`countersign.password.rehashed.v1`); the hash before it is destroyed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordRehashed {
    /// Whose.
    pub person: Username,
    /// The credential's id until now.
    pub credential: Uuid,
    /// Its id from here on.
    pub rehashed: Uuid,
    /// SHA-256 of the new sealed hash in the vault.
    pub sealed: Digest,
    /// Whether the password is long enough to be the only factor.
    pub alone: bool,
}

/// How a password was hashed elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PasswordScheme {
    /// Argon2id, version 1.3.
    Argon2id,
    /// Argon2i, version 1.3.
    Argon2i,
    /// bcrypt: 72 bytes of the password count.
    Bcrypt,
}

impl PasswordScheme {
    /// Its name, as in the events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Argon2id => "argon2id",
            Self::Argon2i => "argon2i",
            Self::Bcrypt => "bcrypt",
        }
    }
}

/// A password's hash was brought along from another system
/// (`countersign.password.imported.v1`). What the password is nobody here knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordImported {
    /// Whose.
    pub person: Username,
    /// The credential's id.
    pub credential: Uuid,
    /// SHA-256 of the sealed hash in the vault.
    pub sealed: Digest,
    /// How it was hashed.
    pub scheme: PasswordScheme,
    /// Why, where an administrator says so.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub reason: Label,
}

/// Attempts to log in were turned away before anything was looked at
/// (`countersign.attempts.throttled.v1`): one entry for all of a window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttemptsThrottled {
    /// When the first of them came.
    pub from: Moment,
    /// When the last of them came.
    pub to: Moment,
    /// How many there were.
    pub count: u64,
    /// How many names they were for; a full table counts no further.
    pub names: u64,
    /// How many networks they came from; the same.
    pub sources: u64,
}
