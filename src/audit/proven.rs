//! Does each session rest on what was verified? A log that begins one by itself, or has it
//! rise, was not written by a login.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::event::{Envelope, Event};
use crate::model::{Index, Method, Methods};
use crate::projection::World;

/// A session that claims more than was verified with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {index}: session {session} claims what nothing in its batch has verified")]
pub struct Unproven {
    /// The entry.
    pub index: Index,
    /// The session.
    pub session: Uuid,
}

impl Unproven {
    /// A stable code for programs.
    pub const CODE: &str = "session_not_proven";
}

/// Follows a log entry by entry and knows what the batch at hand has verified so far.
#[derive(Clone, Debug, Default)]
pub struct Proven {
    batch: Uuid,
    shown: BTreeSet<Method>,
}

impl Proven {
    /// Takes the next entry, with the World before it. Constant.
    ///
    /// # Errors
    /// [`Unproven`] for a session that starts with methods which no event of the same batch
    /// has verified; or rises to such that it had not shown before either.
    pub fn check(&mut self, before: &World, entry: &Envelope) -> Result<(), Unproven> {
        if self.batch != entry.causation {
            *self = Self { batch: entry.causation, shown: BTreeSet::new() };
        }
        let none = BTreeSet::new();
        let (session, methods, had) = match &entry.event {
            Event::SessionStarted(it) => (it.session, &it.methods, &none),
            Event::SessionRaised(it) => {
                let known = before.sessions.get(&it.session);
                (it.session, &it.methods, known.map_or(&none, |session| &session.methods.0))
            }
            other => {
                self.shown.extend(shown(other));
                return Ok(());
            }
        };
        let Methods(claimed) = methods;
        let proven = |method: &Method| self.shown.contains(method) || had.contains(method);
        if claimed.iter().all(proven) {
            Ok(())
        } else {
            Err(Unproven { index: entry.index, session })
        }
    }
}

/// What a verification may show. What is known of a key beyond its signature was judged when
/// it signed, and is claimed with it.
fn shown(event: &Event) -> &'static [Method] {
    match event {
        // That the password beside a recovery code was right is said by that event alone.
        Event::PasswordVerified(_) | Event::RecoveryCodeUsed(_) => &[Method::Pwd],
        Event::MfaVerified(_) => &[Method::Otp],
        Event::PasskeyVerified(it) if it.user_verified => {
            &[Method::Pop, Method::User, Method::Hwk, Method::Swk, Method::Be, Method::Uv]
        }
        Event::PasskeyVerified(_) => {
            &[Method::Pop, Method::User, Method::Hwk, Method::Swk, Method::Be]
        }
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Actor, MfaVerified, PasswordVerified, SessionRaised, SessionStarted};
    use crate::event::{SessionPurpose, Whence};
    use crate::model::{Digest, Moment, Version};

    fn entry(index: u64, batch: u128, event: Event) -> Envelope {
        Envelope {
            id: Uuid::from_u128(u128::from(index) + 1),
            time: Moment::EPOCH,
            index: Index(index),
            stream: event.stream(),
            version: Version(1),
            causation: Uuid::from_u128(batch),
            log: Uuid::nil(),
            actor: Actor::Anonymous,
            correlation: None,
            whence: Whence::default(),
            event,
        }
    }

    fn password() -> Event {
        let (person, credential) = ("alice".parse().unwrap(), Uuid::nil());
        Event::PasswordVerified(PasswordVerified { person, credential, buckets: Vec::new() })
    }

    fn code() -> Event {
        let (person, credential) = ("alice".parse().unwrap(), Uuid::nil());
        Event::MfaVerified(MfaVerified { person, credential, step: 1 })
    }

    fn started(methods: &[Method]) -> Event {
        Event::SessionStarted(SessionStarted {
            session: Uuid::from_u128(5),
            person: "alice".parse().unwrap(),
            methods: methods.iter().copied().collect(),
            token: Digest::of("t"),
            session_token: Digest::of("s"),
            purpose: SessionPurpose::Everything,
        })
    }

    fn raised(methods: &[Method]) -> Event {
        Event::SessionRaised(SessionRaised {
            session: Uuid::from_u128(5),
            person: "alice".parse().unwrap(),
            methods: methods.iter().copied().collect(),
            token: Digest::of("t2"),
            session_token: Digest::of("s2"),
        })
    }

    /// The entries that are not proven.
    fn unproven(log: Vec<(u128, Event)>) -> Vec<u64> {
        let (mut world, mut proven) = (World::default(), Proven::default());
        let mut found = Vec::new();
        for (index, (batch, event)) in (0..).zip(log) {
            let entry = entry(index, batch, event);
            found.extend(proven.check(&world, &entry).err().map(|it| it.index.0));
            world.advance(&entry);
        }
        found
    }

    #[test]
    fn a_login_proves_its_session_and_a_code_its_rise() {
        let both = [Method::Pwd, Method::Otp];
        let log =
            vec![(1, password()), (1, started(&[Method::Pwd])), (2, code()), (2, raised(&both))];
        assert_eq!(unproven(log), [0_u64; 0]);
    }

    /// Goal: who writes a session into a log is found out, though all its decisions repeat.
    #[test]
    fn a_session_out_of_nothing_is_found() {
        assert_eq!(unproven(vec![(1, started(&[Method::Pwd]))]), [0]);
        let stronger = vec![(1, password()), (1, started(&[Method::Pwd, Method::Otp]))];
        assert_eq!(unproven(stronger), [1]);
        let another_batch = vec![(1, password()), (2, started(&[Method::Pwd]))];
        assert_eq!(unproven(another_batch), [1]);
        let risen = vec![
            (1, password()),
            (1, started(&[Method::Pwd])),
            (2, raised(&[Method::Pwd, Method::Pop, Method::Uv])),
        ];
        assert_eq!(unproven(risen), [2]);
    }
}
