//! Passwords brought along, known to others, changed, and tried too often.

use countersign::authn::change::{self, Change};
use countersign::authn::import::{Import, import};
use countersign::authn::throttle::Approach;
use countersign::authn::{login, persons};
use countersign::event::{Actor, AttemptsThrottled, Event, PasswordScheme};
use countersign::model::Digest;

use crate::history::{fresh, label, name};
use crate::scribe::Scribe;

type Never = std::convert::Infallible;

/// An attempt for a name, always from one network and no known device.
pub fn approach(who: &str) -> Approach {
    Approach { name_tag: Digest::of(who), source: Digest::of("a network"), device: None }
}

/// Carol comes with a bcrypt hash, is hashed anew, and changes her password once it is
/// known to others.
pub fn passwords(scribe: &mut Scribe) {
    let (admin, carol) = (Actor::Person(name("admin")), name("carol"));
    let (credential, sealed) = (scribe.id(), scribe.digest());
    let scheme = PasswordScheme::Bcrypt;
    let reason = label("moved here");
    let brought = Import { name: carol.clone(), scheme, credential, sealed, reason };
    let events = import(&scribe.world, &brought);
    scribe.write(&admin, events);

    let rehashed = Some((scribe.id(), scribe.digest()));
    log_in(scribe, login::Verdict { rehashed, ..login::Verdict::RIGHT });
    let events = persons::password_compromised(&scribe.world, &carol, label("found in a leak"));
    scribe.write(&admin, events);
    let session = log_in(scribe, login::Verdict::RIGHT);

    let from = approach("carol");
    let attempt = change::begin(&scribe.world, session, from, scribe.now()).unwrap();
    let (credential, sealed) = (scribe.id(), scribe.digest());
    let change = Change { session, attempt, credential, sealed, alone: true };
    let fresh = fresh(scribe);
    let events = change::conclude(&scribe.world, &change, &fresh, scribe.now());
    scribe.write(&Actor::Person(carol), events);

    let from = scribe.now();
    let (to, count, names, sources) = (from.plus_seconds(59), 4_711, 3, 2);
    let told = Event::AttemptsThrottled(AttemptsThrottled { from, to, count, names, sources });
    scribe.write(&Actor::Node, Ok::<_, Never>(vec![told]));
}

fn log_in(scribe: &mut Scribe, verdict: login::Verdict) -> uuid::Uuid {
    let (who, from) = (name("carol"), approach("carol"));
    let attempt = login::begin(&scribe.world, Some(&who), from, scribe.now()).unwrap();
    let fresh = fresh(scribe);
    let events = login::conclude(&scribe.world, &attempt, &verdict, &fresh, scribe.now());
    scribe.write(&Actor::Anonymous, events);
    fresh.session
}
