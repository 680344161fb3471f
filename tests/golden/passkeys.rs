//! Passkeys made, used, refused and copied.

use countersign::authn::FreshTokens;
use countersign::authn::passkey_login::{Assertion, Proof, log_in, raise};
use countersign::authn::passkeys::{NewPasskey, register};
use countersign::event::Actor;
use countersign::model::{Digest, Label, Username};
use uuid::Uuid;

use crate::scribe::Scribe;

type Never = std::convert::Infallible;

/// A person in a session of late registers one of each kind, logs in, raises the session,
/// and is found to have a copied key.
pub fn passkeys(scribe: &mut Scribe, person: &Username, session: Uuid) {
    let actor = Actor::Person(person.clone());
    for (number, attested) in [(1_u8, None), (2, Some(Uuid::from_u128(0xaa)))] {
        let new = NewPasskey {
            credential: scribe.id(),
            sealed: scribe.digest(),
            key: Digest::of([number]),
            label: if number == 1 { "blue".parse().unwrap() } else { Label::default() },
            user_verifying: true,
            backup_eligible: number == 1,
            attested,
            counter: u32::from(number),
        };
        let events = register(&scribe.world, session, &new, scribe.now());
        scribe.write(&actor, events);
    }
    for counter in [3, 3] {
        let (shown, fresh) = (signed(2, counter), tokens(scribe));
        let events = log_in(&scribe.world, &shown, &fresh, scribe.now());
        scribe.write(&Actor::Anonymous, Ok::<_, Never>(events));
    }
    let fresh = tokens(scribe);
    let events = raise(&scribe.world, session, &signed(1, 5), &fresh, scribe.now());
    scribe.write(&actor, events);
    let nobodys = Assertion { key: Digest::of("nobody's"), proof: None };
    let fresh = tokens(scribe);
    let events = log_in(&scribe.world, &nobodys, &fresh, scribe.now());
    scribe.write(&Actor::Anonymous, Ok::<_, Never>(events));
}

fn signed(number: u8, counter: u32) -> Assertion {
    let proof = Proof { user_verified: true, backed_up: number == 1, counter, listed: true };
    Assertion { key: Digest::of([number]), proof: Some(proof) }
}

fn tokens(scribe: &mut Scribe) -> FreshTokens {
    let (token, session_token) = (scribe.digest(), scribe.digest());
    FreshTokens { session: scribe.id(), token, session_token }
}
