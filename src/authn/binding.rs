//! Who may bind a new authenticator, of whatever kind: one rule.
//!
//! A new authenticator is worth no more than what vouched for it. So it takes what the
//! account's authenticators can give, or what the new one could give if that is less; a
//! disabled one counts, or whoever has stolen a password could wear the others out and bind
//! his own. A session that a recovery code began has no other use, and ends with it.
//!
//! Source: SP 800-63B-4 §4.1.2.1; ASVS 5.0 7.5.1.

use uuid::Uuid;

use super::Refusal;
use super::authenticators::check_fresh;
use super::session::{self, Open};
use crate::event::{Event, SessionEnding, SessionPurpose};
use crate::model::{Aal, Moment};
use crate::projection::{Person, World};

/// Opens a session in which an authenticator that could give `gives` may be bound.
///
/// # Errors
/// [`Refusal::SessionOver`]; [`Refusal::PasswordChangeRequired`];
/// [`Refusal::AssuranceTooLow`]; [`Refusal::ReauthenticationRequired`].
pub(super) fn open(
    world: &World,
    session: Uuid,
    gives: Aal,
    now: Moment,
) -> Result<Open<'_>, Refusal> {
    let open = session::open_for_any(world, session, now)?;
    match open.session.purpose {
        SessionPurpose::PasswordChange => return Err(Refusal::PasswordChangeRequired),
        SessionPurpose::SecondFactor => {
            return Err(Refusal::AssuranceTooLow { required: Aal::TWO });
        }
        SessionPurpose::Everything | SessionPurpose::Recovery => {}
    }
    if !reaches(open, gives) {
        return Err(Refusal::AssuranceTooLow { required: required(open.person, gives) });
    }
    check_fresh(open, now)?;
    Ok(open)
}

/// True if the session's assurance reaches for binding what could give `gives`.
pub(super) fn reaches(open: Open<'_>, gives: Aal) -> bool {
    // A password and a recovery code: two factors, both of which can be copied.
    let recovering = open.session.purpose == SessionPurpose::Recovery;
    let has = if recovering { Aal::TWO } else { open.session.aal };
    has >= required(open.person, gives)
}

/// What must be recorded beside the binding: the end of a session that was for it alone.
pub(super) fn fulfilled(open: Open<'_>) -> Option<Event> {
    let session = open.session;
    let done = session.purpose == SessionPurpose::Recovery;
    done.then(|| session::ended(session.id, SessionEnding::Fulfilled))
}

fn required(person: &Person, gives: Aal) -> Aal {
    person.strength().min(gives)
}
