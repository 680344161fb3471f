//! A person with several authenticators, who loses some and gets back in.

use countersign::authn::enrol::{Enrolment, enrol};
use countersign::authn::mfa::{MfaVerdict, Offer};
use countersign::authn::persons::{NewPerson, register};
use countersign::authn::recovery::{self, CodeSet, RecoveryVerdict};
use countersign::authn::{FreshTokens, authenticators, login, mfa, sessions};
use countersign::event::Actor;
use countersign::model::{Label, Username};
use uuid::Uuid;

use crate::passwords::approach;
use crate::scribe::Scribe;

const DORA: &str = "dora";

fn dora() -> Username {
    DORA.parse().unwrap()
}

fn label(text: &str) -> Label {
    text.parse().unwrap()
}

/// All that has to do with authenticators and recovery.
pub fn recovered(scribe: &mut Scribe) {
    let (herself, operator) = (Actor::Person(dora()), Actor::LocalOperator);
    let ticket = scribe.digest();
    let new = NewPerson { name: dora(), roles: Vec::new(), ticket: Some(ticket) };
    let events = register(&scribe.world, &new, scribe.now());
    scribe.write(&operator, events);
    let (credential, sealed) = (scribe.id(), scribe.digest());
    let enrolment = Enrolment { ticket, credential, sealed, alone: true, from: None };
    let events = enrol(&scribe.world, &enrolment, scribe.now());
    scribe.write(&herself, events);

    let session = log_in(scribe);
    let first = bind(scribe, session, "telephone", 59_100_000);
    let second = bind(scribe, session, "tablet", 59_100_001);
    let renamed = label("old telephone");
    let events = authenticators::rename(&scribe.world, session, first, renamed, scribe.now());
    scribe.write(&herself, events);
    let other = log_in(scribe);
    // A wrong code is held against both.
    let verdict = MfaVerdict { session: other, credential: second, step: None };
    let tokens = fresh(scribe);
    let events = mfa::conclude(&scribe.world, &verdict, &tokens, scribe.now());
    scribe.write(&herself, events);
    let codes = set(scribe);
    let events = recovery::issue(&scribe.world, session, codes, scribe.now());
    scribe.write(&herself, events);
    let events = authenticators::remove(&scribe.world, session, first, scribe.now());
    scribe.write(&herself, events);

    recover(scribe, false);
    let session = recover(scribe, true);
    let held = bind(scribe, session, "new telephone", 59_100_002);
    let (here, there) = (log_in(scribe), log_in(scribe));
    let verdict = MfaVerdict { session: here, credential: held, step: Some(59_100_003) };
    let tokens = fresh(scribe);
    let events = mfa::conclude(&scribe.world, &verdict, &tokens, scribe.now());
    scribe.write(&herself, events);
    let events = sessions::end(&scribe.world, here, there, scribe.now());
    scribe.write(&herself, events);
    let events = sessions::end_of(&scribe.world, &dora(), Some(here), &label("laptop lost"));
    scribe.write(&operator, events);
    let ticket = scribe.digest();
    let events = authenticators::re_enrol(
        &scribe.world,
        &dora(),
        None,
        ticket,
        &label("laptop lost"),
        scribe.now(),
    );
    scribe.write(&operator, events);
}

fn fresh(scribe: &mut Scribe) -> FreshTokens {
    let (session, token) = (scribe.id(), scribe.digest());
    FreshTokens { session, token, session_token: scribe.digest() }
}

fn set(scribe: &mut Scribe) -> CodeSet {
    CodeSet { credential: scribe.id(), sealed: scribe.digest() }
}

fn log_in(scribe: &mut Scribe) -> Uuid {
    let from = approach(DORA);
    let attempt = login::begin(&scribe.world, Some(&dora()), from, scribe.now()).unwrap();
    let tokens = fresh(scribe);
    let events =
        login::conclude(&scribe.world, &attempt, &login::Verdict::RIGHT, &tokens, scribe.now());
    scribe.write(&Actor::Anonymous, events);
    tokens.session
}

fn bind(scribe: &mut Scribe, session: Uuid, named: &str, step: u64) -> Uuid {
    let actor = Actor::Person(dora());
    let offer = Offer { credential: scribe.id(), sealed: scribe.digest(), label: label(named) };
    let events = mfa::offer(&scribe.world, session, &offer, scribe.now());
    scribe.write(&actor, events);
    let verdict = MfaVerdict { session, credential: offer.credential, step: Some(step) };
    let tokens = fresh(scribe);
    let events = mfa::conclude(&scribe.world, &verdict, &tokens, scribe.now());
    scribe.write(&actor, events);
    offer.credential
}

fn recover(scribe: &mut Scribe, right: bool) -> Uuid {
    let from = approach(DORA);
    let attempt = recovery::begin(&scribe.world, Some(&dora()), from, scribe.now()).unwrap();
    let verdict =
        if right { RecoveryVerdict::Right(set(scribe)) } else { RecoveryVerdict::WrongCode };
    let tokens = fresh(scribe);
    let events = recovery::conclude(&scribe.world, &attempt, verdict, &tokens, scribe.now());
    scribe.write(&Actor::Anonymous, events);
    tokens.session
}
