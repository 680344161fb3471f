//! What the events of an attempt mean for the person who made it.

use uuid::Uuid;

use super::Refusal;
use crate::event::{Event, SessionEnding, SessionPurpose};
use crate::model::{Aal, Methods};

/// How an attempt ended. To be told only once its events are durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A right password, or a passkey: a session began.
    Started {
        /// Its id.
        session: Uuid,
        /// Its assurance.
        aal: Aal,
        /// The methods used.
        methods: Methods,
    },
    /// A right code, or a passkey: the session rose, under new tokens.
    Raised {
        /// Its id, as before.
        session: Uuid,
        /// Its assurance.
        aal: Aal,
        /// The methods used.
        methods: Methods,
        /// True if the code confirmed an authenticator that was being set up.
        enrolled: bool,
    },
    /// A right recovery code began a session for binding alone, or what it was for is done
    /// and it has ended.
    Recovering {
        /// True once a new authenticator is bound.
        bound: bool,
    },
    /// A right code confirmed an authenticator in a session that was as strong before; it
    /// goes on as it was.
    Bound,
    /// A wrong secret, recorded; the refusal is the answer to give.
    Refused(Refusal),
}

/// Reads the events that a login, a recovery, or what raises a session decided on. Anything
/// but a session counts as refused.
#[must_use]
pub fn outcome(events: &[Event]) -> Outcome {
    let enrolled = events.iter().any(|event| matches!(event, Event::MfaEnrolled(_)));
    let told = events.iter().find_map(|event| match event {
        Event::SessionStarted(it) if it.purpose == SessionPurpose::Recovery => {
            Some(Outcome::Recovering { bound: false })
        }
        Event::SessionEnded(it) if it.reason == SessionEnding::Fulfilled => {
            Some(Outcome::Recovering { bound: true })
        }
        Event::RecoveryCodeRefused(_) => Some(Outcome::Refused(Refusal::RecoveryFailed)),
        Event::SessionStarted(it) => Some(Outcome::Started {
            session: it.session,
            aal: it.methods.aal()?,
            methods: it.methods.clone(),
        }),
        Event::SessionRaised(it) => Some(Outcome::Raised {
            session: it.session,
            aal: it.methods.aal()?,
            methods: it.methods.clone(),
            enrolled,
        }),
        Event::PasskeyRefused(_) => Some(Outcome::Refused(Refusal::PasskeyFailed)),
        Event::MfaRefused(_) => Some(Outcome::Refused(Refusal::MfaFailed)),
        _ => None,
    });
    let otherwise = if enrolled { Outcome::Bound } else { Outcome::Refused(Refusal::LoginFailed) };
    told.unwrap_or(otherwise)
}
