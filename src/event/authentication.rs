//! Logging in: every step is a fact. No password, seed, code or token is in one;
//! a secret is named by its credential's id and the SHA-256 of its sealed form.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{Aal, Digest, Label, Methods, Moment, Uid, Username};

/// A one-time ticket to set a password (`countersign.ticket.issued.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketIssued {
    /// For whom.
    pub person: Username,
    /// SHA-256 of the ticket.
    pub ticket: Digest,
    /// When it stops being accepted.
    pub expires_at: Moment,
    /// Why, where an administrator says so.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub reason: Label,
}

/// A ticket was used up (`countersign.ticket.used.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketUsed {
    /// By whom.
    pub person: Username,
    /// SHA-256 of the ticket.
    pub ticket: Digest,
}

/// A ticket was refused (`countersign.ticket.refused.v1`): it had been used, had lapsed, was
/// void, or never was one. Whoever gave it is nobody known; whom it was for, the entry that
/// issued it says, by the same hash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketRefused {
    /// SHA-256 of the ticket.
    pub ticket: Digest,
}

/// Why an attempt was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// The secret was not the right one.
    Wrong,
    /// No such person, or one who cannot log in this way.
    Unknown,
    /// A code that had already been accepted once.
    Replayed,
    /// A passkey whose signature counter did not grow: there is a copy of it
    /// (`WebAuthn` §6.1.1).
    Cloned,
    /// A recovery code given too soon after wrong ones: whatever it was, it does not count.
    TooSoon,
}

/// A TOTP authenticator was offered and awaits its first right code
/// (`countersign.mfa.offered.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MfaOffered {
    /// To whom.
    pub person: Username,
    /// The credential's id.
    pub credential: Uuid,
    /// SHA-256 of the sealed seed in the vault.
    pub sealed: Digest,
    /// When the offer lapses.
    pub expires_at: Moment,
    /// What the person calls it.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub label: Label,
    /// The session that it was offered in, and that alone confirms it; absent in logs of
    /// before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Uuid>,
}

/// A TOTP authenticator is confirmed and in use (`countersign.mfa.enrolled.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MfaEnrolled {
    /// Whose.
    pub person: Username,
    /// The credential's id.
    pub credential: Uuid,
    /// True if the authenticators that were in use stay so. Otherwise the new one takes
    /// their place; builds that knew one a person wrote no other.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub beside: bool,
}

/// A right code was given (`countersign.mfa.verified.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MfaVerified {
    /// By whom.
    pub person: Username,
    /// The credential used.
    pub credential: Uuid,
    /// The TOTP time step (RFC 6238 §4) that is now used up, with all before it.
    pub step: u64,
}

/// A code was refused (`countersign.mfa.refused.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MfaRefused {
    /// Whose authenticator.
    pub person: Username,
    /// The credential tried.
    pub credential: Uuid,
    /// Why.
    pub reason: Refused,
}

/// A credential can no longer be used and must be bound anew
/// (`countersign.credential.disabled.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialDisabled {
    /// Whose.
    pub person: Username,
    /// The credential's id.
    pub credential: Uuid,
    /// Why.
    #[serde(default, skip_serializing_if = "Disabling::is_failures")]
    pub why: Disabling,
}

/// Why a credential was disabled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disabling {
    /// It reached its limit of failures.
    #[default]
    Failures,
    /// An administrator has its person bind another.
    Administrator,
    /// It was used from a copy.
    Cloned,
}

impl Disabling {
    /// True for the reason that need not be written.
    #[must_use]
    pub const fn is_failures(&self) -> bool {
        matches!(self, Self::Failures)
    }
}

/// A credential got another name (`countersign.credential.renamed.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialRenamed {
    /// Whose.
    pub person: Username,
    /// The credential's id.
    pub credential: Uuid,
    /// What the person calls it from here on.
    pub label: Label,
}

/// A credential was taken away: it cannot be used any more and its secret is destroyed
/// (`countersign.credential.removed.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialRemoved {
    /// Whose.
    pub person: Username,
    /// The credential's id.
    pub credential: Uuid,
}

/// A session began (`countersign.session.started.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionStarted {
    /// The session's id.
    pub session: Uuid,
    /// Whose.
    pub person: Username,
    /// The methods used.
    pub methods: Methods,
    /// SHA-256 of the token for Countersign's own API.
    pub token: Digest,
    /// SHA-256 of the token for PEPs.
    pub session_token: Digest,
    /// What it is for.
    #[serde(default, skip_serializing_if = "SessionPurpose::is_everything")]
    pub purpose: SessionPurpose,
}

/// What a session may be used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionPurpose {
    /// Everything that its assurance allows.
    #[default]
    Everything,
    /// Setting a new password and nothing else: the old one is known to others, or too
    /// short by now. No PEP and no administration takes it.
    PasswordChange,
    /// Giving a second factor and nothing else: the password is too short to be the only
    /// one. With it, it is for everything.
    SecondFactor,
    /// Binding a new authenticator and nothing else, after a recovery code. No PEP and
    /// no administration takes it.
    Recovery,
}

impl SessionPurpose {
    /// True for all but the sessions that are for one thing alone.
    #[must_use]
    pub const fn is_everything(&self) -> bool {
        matches!(self, Self::Everything)
    }
}

/// A session rose in assurance; its old tokens ended
/// (`countersign.session.raised.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionRaised {
    /// The session's id.
    pub session: Uuid,
    /// Whose.
    pub person: Username,
    /// All methods used in it by now.
    pub methods: Methods,
    /// SHA-256 of the new token for Countersign's own API.
    pub token: Digest,
    /// SHA-256 of the new token for PEPs.
    pub session_token: Digest,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionEnding {
    /// The person logged out.
    LoggedOut,
    /// The person was disabled.
    PersonDisabled,
    /// The person set a new password.
    PasswordEnrolled,
    /// The person's password is known to others.
    PasswordCompromised,
    /// The identity provider says so.
    Reported,
    /// It was past its limits, and a new session of the same user took its place.
    Expired,
    /// The user, or the identity provider, had as many sessions as may be open at once;
    /// this was the oldest.
    Displaced,
    /// The person ended it from another session.
    EndedByPerson,
    /// An administrator ended it.
    EndedByAdministrator,
    /// The person removed an authenticator, from another session.
    AuthenticatorRemoved,
    /// It was for one thing alone, and that is done.
    Fulfilled,
}

/// A session ended (`countersign.session.ended.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionEnded {
    /// The session's id.
    pub session: Uuid,
    /// Why.
    pub reason: SessionEnding,
    /// Whose it was, where an administrator ended it: they hear of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Username>,
    /// What the administrator says of it.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub grounds: Label,
}

/// What an identity provider may report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reported {
    /// It verified a password.
    #[serde(rename = "password.verified")]
    PasswordVerified,
    /// It verified further factors.
    #[serde(rename = "mfa.verified")]
    MfaVerified,
    /// It ended the session.
    #[serde(rename = "session.ended")]
    SessionEnded,
}

/// An identity provider's own event
/// (`countersign.authentication.reported.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthenticationReported {
    /// What it reports.
    pub what: Reported,
    /// The source that its token is bound to.
    pub source: String,
    /// Its own id of the event.
    pub event: String,
    /// SHA-256 of what it sent, to tell a repetition from a contradiction.
    pub content: Digest,
    /// The session's id here.
    pub session: Uuid,
    /// Whose session.
    pub user: Uid,
    /// SHA-256 of its own session token, which PEPs present.
    pub session_token: Digest,
    /// The methods it reports.
    pub methods: Methods,
    /// The assurance that it can give at most.
    pub max_aal: Aal,
    /// The earlier of the reported and the received time.
    pub occurred_at: Moment,
}
