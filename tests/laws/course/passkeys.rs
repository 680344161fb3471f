//! What persons do with passkeys.

use countersign::authn::passkey_login::{Assertion, Proof, log_in, raise};
use countersign::authn::passkeys::{NewPasskey, register};
use countersign::event::Event;
use countersign::model::Digest;
use proptest::sample::Index as Pick;
use uuid::Uuid;

use super::{Course, Step, label};

impl Course {
    pub(super) fn take_of_passkey(&mut self, step: &Step) -> Option<Vec<Event>> {
        match step {
            Step::Passkey(which, number) => self.make(*which, *number),
            Step::SignIn(number, counter) => {
                let (shown, tokens) = (assertion(*number, *counter), self.tokens());
                Some(log_in(&self.live, &shown, &tokens, self.now))
            }
            Step::Raise(which, number, counter) => {
                let (session, tokens) = (self.session(*which)?, self.tokens());
                let shown = assertion(*number, *counter);
                raise(&self.live, session, &shown, &tokens, self.now).ok()
            }
            _ => None,
        }
    }

    /// One of a few keys, each with ways of its own.
    fn make(&mut self, which: Pick, number: u8) -> Option<Vec<Event>> {
        let session = self.session(which)?;
        let new = NewPasskey {
            credential: self.id(),
            sealed: self.digest(),
            key: Digest::of([number]),
            label: label("by course"),
            user_verifying: number != 1,
            backup_eligible: number == 2,
            attested: (number == 3).then(|| Uuid::from_u128(9)),
            counter: u32::from(number == 3),
        };
        register(&self.live, session, &new, self.now).ok()
    }
}

/// A signature by one of the keys; a counter of 0 stands for one that is wrong, and the
/// second key's authenticator does not verify its user.
fn assertion(number: u8, counter: u8) -> Assertion {
    let proof = Proof {
        user_verified: number != 1,
        backed_up: number == 2,
        counter: u32::from(counter),
        listed: true,
    };
    Assertion { key: Digest::of([number]), proof: (counter > 0).then_some(proof) }
}
