//! Why a command is refused, with codes that never change.

use uuid::Uuid;

use super::passkeys::PASSKEYS_MAX;
use super::persons::ROLES;
use crate::model::{Aal, Label, Username};

/// Why a command was refused; the log is unchanged. A wrong password or code is no
/// refusal but an event; [`super::outcome()`] turns that into one of these.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The one answer for a wrong password, an unknown or disabled person, and a
    /// disabled password: nobody learns who is known here.
    #[error("the name or the password is wrong")]
    LoginFailed,
    /// Too many failures; nothing was looked at.
    #[error("too many failed attempts: try again in {retry_after_s} s")]
    Throttled {
        /// Whole seconds to wait.
        retry_after_s: u64,
    },
    /// The one answer for a ticket that is unknown, used or lapsed.
    #[error("the ticket is not valid, or no longer: ask an administrator for a new one")]
    TicketInvalid,
    /// The session has ended, is past its limits, or is none of ours.
    #[error("the session is over: log in again")]
    SessionOver,
    /// There is no password that could be changed.
    #[error("no password is in use: ask an administrator for a ticket to set one")]
    PasswordNotInUse,
    /// The session is for setting a new password alone.
    #[error("this session is for setting a new password: set one, then log in")]
    PasswordChangeRequired,
    /// The session is for binding a new authenticator alone.
    #[error("this session is for setting up a new authenticator: set one up, then log in")]
    RecoveryOnly,
    /// There is no TOTP authenticator that a code could be of.
    #[error("no second factor is set up: set one up first")]
    MfaNotSetUp,
    /// The TOTP authenticator reached its limit of failures.
    #[error("the second factor was disabled after too many wrong codes: ask an administrator")]
    MfaDisabled,
    /// The one answer for a wrong code and for one that was accepted before.
    #[error("the code is wrong or was used before: wait for the next one")]
    MfaFailed,
    /// The one answer for a wrong name, a wrong password and a wrong recovery code.
    #[error("the name, the password or the recovery code is wrong")]
    RecoveryFailed,
    /// There is no such authenticator of the person's.
    #[error("there is no authenticator `{authenticator}`")]
    AuthenticatorUnknown {
        /// Its id.
        authenticator: Uuid,
    },
    /// The person has as many as one may.
    #[error("there are {most} of these authenticators already: remove one first")]
    TooManyAuthenticators {
        /// The most.
        most: usize,
    },
    /// Nothing else could log in.
    #[error("a password is not removed: set another in its place")]
    PasswordRequired,
    /// What cannot have a name of its own.
    #[error("a password and recovery codes have no name")]
    NotNamed,
    /// The password is not fit to be the only factor.
    #[error(
        "without a second factor the password must have {min} characters: set a longer one first",
        min = super::password::CHARS_MIN_ALONE
    )]
    PasswordTooShortAlone,
    /// There is no such session of the person's.
    #[error("there is no session `{session}`")]
    SessionUnknown {
        /// Its id.
        session: Uuid,
    },
    /// The one answer for a passkey that is unknown, disabled, a copy, or that signed
    /// something else.
    #[error("the passkey was not accepted")]
    PasskeyFailed,
    /// There is no passkey that this session could be raised by.
    #[error("no passkey is set up that this session could be raised by: set one up first")]
    PasskeyNotSetUp,
    /// The key is an account's already.
    #[error("this passkey is registered already: use another authenticator")]
    PasskeyExists,
    /// The person has as many as anybody may have.
    #[error("there are {} passkeys already: remove one first", PASSKEYS_MAX)]
    PasskeysFull,
    /// The session's assurance does not reach.
    #[error("this needs a session at {required}: use your second factor or a passkey first")]
    AssuranceTooLow {
        /// What it takes.
        required: Aal,
    },
    /// The last authentication is too long ago.
    #[error("this needs an authentication within the last {max_age_s} s: log in again")]
    ReauthenticationRequired {
        /// The greatest age, in seconds.
        max_age_s: u64,
    },
    /// The name is taken.
    #[error("`{person}` is registered already")]
    PersonExists {
        /// The login name.
        person: Username,
    },
    /// There is no such person.
    #[error("there is no person `{person}`")]
    PersonUnknown {
        /// The login name.
        person: Username,
    },
    /// The person may no longer log in.
    #[error("`{person}` is disabled")]
    PersonDisabled {
        /// The login name.
        person: Username,
    },
    /// Nothing but the person's name is left.
    #[error("`{person}` is erased")]
    PersonErased {
        /// The login name.
        person: Username,
    },
    /// Nobody could undo it.
    #[error("`{person}` is the last administrator: make another one first")]
    LastAdministrator {
        /// The login name.
        person: Username,
    },
    /// There is no such role.
    #[error("`{role}` is not a role: use {}", ROLES.join(", "))]
    RoleUnknown {
        /// What was asked for.
        role: Label,
    },
    /// The person has the role, or has it not, already.
    #[error("nothing to change: the role `{role}` of `{person}` is so already")]
    RoleUnchanged {
        /// The login name.
        person: Username,
        /// The role.
        role: Label,
    },
    /// Somebody has to answer for a token that publishes, so no service makes one.
    #[error("a token of scope `publish` is made by a person, not by another token: log in")]
    PersonRequired,
    /// The id or the token of a new service is in use.
    #[error("there is a service with this id or token already")]
    ServiceExists,
    /// There is no such service, or its token is revoked.
    #[error("there is no service `{service}`")]
    ServiceUnknown {
        /// The service's id.
        service: Uuid,
    },
    /// A token that is good for nothing.
    #[error("a service token needs at least one scope")]
    ScopeRequired,
    /// Scope `ingest` without what it is bound to.
    #[error("scope `ingest` needs a binding: a source, a user type and a maximum AAL")]
    BindingRequired,
    /// A binding without scope `ingest`.
    #[error("only scope `ingest` takes a binding")]
    BindingUnexpected,
    /// A binding to what is Countersign's own, or to nothing.
    #[error("the binding's {what}")]
    BindingInvalid {
        /// Which part, and what it must be.
        what: &'static str,
    },
    /// A report outside of what its token is bound to.
    #[error("`{what}` is not this token's to report: it belongs to another {owner}")]
    NotYours {
        /// Which attribute of the report.
        what: &'static str,
        /// What the token is bound to there.
        owner: &'static str,
    },
}

impl Refusal {
    /// Its code, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::LoginFailed => "login_failed",
            Self::Throttled { .. } => "throttled",
            Self::TicketInvalid => "ticket_invalid",
            Self::SessionOver => "session_over",
            Self::PasswordNotInUse => "password_not_in_use",
            Self::PasswordChangeRequired => "password_change_required",
            Self::RecoveryOnly => "recovery_only",
            Self::MfaNotSetUp => "mfa_not_set_up",
            Self::MfaDisabled => "mfa_disabled",
            Self::MfaFailed => "mfa_failed",
            Self::RecoveryFailed => "recovery_failed",
            Self::AuthenticatorUnknown { .. } => "authenticator_unknown",
            Self::TooManyAuthenticators { .. } => "too_many_authenticators",
            Self::PasswordRequired => "password_required",
            Self::NotNamed => "not_named",
            Self::PasswordTooShortAlone => "password_too_short_alone",
            Self::SessionUnknown { .. } => "session_unknown",
            Self::PasskeyFailed => "passkey_failed",
            Self::PasskeyNotSetUp => "passkey_not_set_up",
            Self::PasskeyExists => "passkey_exists",
            Self::PasskeysFull => "passkeys_full",
            Self::AssuranceTooLow { .. } => "assurance_too_low",
            Self::ReauthenticationRequired { .. } => "reauthentication_required",
            Self::PersonExists { .. } => "person_exists",
            Self::PersonUnknown { .. } => "person_unknown",
            Self::PersonDisabled { .. } => "person_disabled",
            Self::PersonErased { .. } => "person_erased",
            Self::LastAdministrator { .. } => "last_administrator",
            Self::RoleUnknown { .. } => "role_unknown",
            Self::RoleUnchanged { .. } => "role_unchanged",
            Self::PersonRequired => "person_required",
            Self::ServiceExists => "service_exists",
            Self::ServiceUnknown { .. } => "service_unknown",
            Self::ScopeRequired => "scope_required",
            Self::BindingRequired => "binding_required",
            Self::BindingUnexpected => "binding_unexpected",
            Self::BindingInvalid { .. } => "binding_invalid",
            Self::NotYours { .. } => "not_yours",
        }
    }
}
