//! One line for people for every event on the way in.

use super::row::{because, shown};
use crate::event::{
    AttemptsThrottled, AuthenticationReported, CredentialDisabled, CredentialRenamed, Disabling,
    MfaOffered, MfaRefused, PasskeyRefused, PasskeyRegistered, PasskeyVerified,
    PasswordCompromised, PasswordEnrolled, PasswordGrounds, PasswordImported, PasswordRefused,
    RecoveryCodeRefused, RecoveryCodeUsed, RecoveryCodesIssued, Refused, Reported, SessionEnded,
    SessionEnding, SessionPurpose, SessionRaised, SessionStarted, TicketIssued, TicketRefused,
};
use crate::model::{Aal, Methods};

pub(super) fn ticket_issued(it: &TicketIssued) -> String {
    let (person, until, why) = (&it.person, it.expires_at, because(&it.reason));
    format!("{person} was issued a ticket to set a password, until {until}{why}")
}

pub(super) fn ticket_refused(it: &TicketRefused) -> String {
    format!("somebody gave a ticket that does not count, of SHA-256 {}", it.ticket)
}

pub(super) fn password_enrolled(it: &PasswordEnrolled) -> String {
    match it.grounds {
        PasswordGrounds::Ticket => format!("{} set a password", it.person),
        PasswordGrounds::Changed => format!("{} changed the password", it.person),
    }
}

pub(super) fn password_compromised(it: &PasswordCompromised) -> String {
    format!("the password of {} is known to others{}", it.person, because(&it.reason))
}

pub(super) fn password_imported(it: &PasswordImported) -> String {
    let (person, scheme, why) = (&it.person, it.scheme.as_str(), because(&it.reason));
    format!("a password of {person} was imported, hashed by {scheme}{why}")
}

pub(super) fn password_refused(it: &PasswordRefused) -> String {
    match (&it.person, it.reason) {
        (Some(person), Refused::Wrong) => format!("{person} gave a wrong password"),
        (Some(person), Refused::Unknown) => {
            format!("{person} gave a password but cannot log in with one")
        }
        (Some(person), Refused::Replayed | Refused::Cloned | Refused::TooSoon) => {
            format!("{person} gave a password used before")
        }
        (None, _) => "somebody gave a password for a name that nobody has".to_owned(),
    }
}

pub(super) fn attempts_throttled(it: &AttemptsThrottled) -> String {
    format!(
        "{} attempts to log in were turned away unread between {} and {}: {} names, {} sources",
        it.count, it.from, it.to, it.names, it.sources
    )
}

pub(super) fn mfa_refused(it: &MfaRefused) -> String {
    let person = &it.person;
    match it.reason {
        Refused::Wrong => format!("{person} gave a wrong code"),
        Refused::Unknown => format!("{person} gave a code but has no authenticator for it"),
        Refused::Replayed | Refused::Cloned | Refused::TooSoon => {
            format!("{person} gave a code that had been used before")
        }
    }
}

pub(super) fn passkey_registered(it: &PasskeyRegistered) -> String {
    let name = if it.label.is_empty() { String::new() } else { format!(" `{}`", it.label) };
    let kind = match (it.attested, it.backup_eligible, it.user_verifying) {
        (Some(model), false, _) => format!("attested to be in hardware of model {model}"),
        (_, true, _) => "which may be copied to other devices".to_owned(),
        (_, false, true) => "which verifies its user".to_owned(),
        (_, false, false) => "for use beside a password".to_owned(),
    };
    format!("{} registered a passkey{name}, {kind}", it.person)
}

pub(super) fn passkey_verified(it: &PasskeyVerified) -> String {
    let user = if it.user_verified { "which verified its user" } else { "present but no more" };
    format!("{} used a passkey, {user}", it.person)
}

pub(super) fn passkey_refused(it: &PasskeyRefused) -> String {
    match (&it.person, it.reason) {
        (Some(person), Refused::Cloned) => {
            format!("a passkey of {person} did not count on: there is a copy of it")
        }
        (Some(person), Refused::Wrong | Refused::Replayed | Refused::TooSoon) => {
            format!("{person} used a passkey wrongly")
        }
        (Some(person), Refused::Unknown) => {
            format!("{person} used a passkey that may not be used")
        }
        (None, _) => "somebody used a passkey that nobody has".to_owned(),
    }
}

pub(super) fn credential_disabled(it: &CredentialDisabled) -> String {
    let person = &it.person;
    match it.why {
        Disabling::Failures => {
            format!("a credential of {person} was disabled after too many failures")
        }
        Disabling::Administrator => {
            format!("a credential of {person} was disabled, for another to be bound")
        }
        Disabling::Cloned => {
            format!("a passkey of {person} was disabled, for there is a copy of it")
        }
    }
}

pub(super) fn recovery_code_refused(it: &RecoveryCodeRefused) -> String {
    let person = &it.person;
    match it.reason {
        Refused::Wrong => format!("{person} gave a wrong recovery code"),
        Refused::Unknown | Refused::Cloned => {
            format!("{person} gave a recovery code but has none that counts")
        }
        Refused::Replayed => format!("{person} gave a recovery code that had been used before"),
        Refused::TooSoon => format!("{person} gave a recovery code too soon after wrong ones"),
    }
}

pub(super) fn session_started(it: &SessionStarted) -> String {
    let person = &it.person;
    match it.purpose {
        SessionPurpose::Everything => {
            format!("a session of {person} began at {}", assurance(&it.methods))
        }
        SessionPurpose::PasswordChange => {
            format!("a session of {person} began, for setting a new password alone")
        }
        SessionPurpose::SecondFactor => {
            format!("a session of {person} began, for giving a second factor alone")
        }
        SessionPurpose::Recovery => {
            format!("a session of {person} began, for binding a new authenticator alone")
        }
    }
}

pub(super) fn session_ended(it: &SessionEnded) -> String {
    format!("session {} ended: {}{}", it.session, ending(it.reason), because(&it.grounds))
}

const fn ending(reason: SessionEnding) -> &'static str {
    match reason {
        SessionEnding::LoggedOut => "the person logged out",
        SessionEnding::PersonDisabled => "the person was disabled",
        SessionEnding::PasswordEnrolled => "the person set a new password",
        SessionEnding::PasswordCompromised => "the person's password is known to others",
        SessionEnding::Reported => "the identity provider says so",
        SessionEnding::Expired => "it was past its limits",
        SessionEnding::Displaced => "the user had too many open at once",
        SessionEnding::EndedByPerson => "the person ended it from another session",
        SessionEnding::EndedByAdministrator => "an administrator ended it",
        SessionEnding::AuthenticatorRemoved => "the person removed an authenticator",
        SessionEnding::Fulfilled => "what it was for is done",
    }
}

pub(super) fn reported(it: &AuthenticationReported) -> String {
    let (source, user) = (shown(&it.source), &it.user);
    match it.what {
        Reported::PasswordVerified => format!("{source} reports that {user} gave a right password"),
        Reported::MfaVerified => {
            format!("{source} reports that {user} authenticated by {}", methods(&it.methods))
        }
        Reported::SessionEnded => format!("{source} reports that {user} ended a session"),
    }
}

pub(super) fn assurance(used: &Methods) -> String {
    format!("{} by {}", used.aal().unwrap_or(Aal::ONE), methods(used))
}

pub(super) fn methods(used: &Methods) -> String {
    let names: Vec<_> = used.0.iter().filter_map(|method| method.rfc8176()).collect();
    if names.is_empty() { "no method".to_owned() } else { names.join(" and ") }
}

pub(super) fn mfa_offered(it: &MfaOffered) -> String {
    format!("{} was offered an authenticator, until {}", it.person, it.expires_at)
}

pub(super) fn credential_renamed(it: &CredentialRenamed) -> String {
    format!("a credential of {} is called `{}` from here on", it.person, it.label)
}

pub(super) fn recovery_codes_issued(it: &RecoveryCodesIssued) -> String {
    format!("{} got {} recovery codes, in place of any before", it.person, it.codes)
}

pub(super) fn recovery_code_used(it: &RecoveryCodeUsed) -> String {
    format!("{} used a recovery code, and got a fresh one for it", it.person)
}

pub(super) fn session_raised(it: &SessionRaised) -> String {
    format!("a session of {} rose to {}", it.person, assurance(&it.methods))
}
