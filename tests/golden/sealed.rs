//! A short history of what is personal: sealed, used, erased.

use std::sync::Arc;

use countersign::authn::erase;
use countersign::authn::persons::{NewPerson, register};
use countersign::cedar::Limits;
use countersign::entropy::SeededEntropy;
use countersign::event::{Actor, DecisionSettings, Event, KeyRotated, LogCreated, Presented};
use countersign::model::{AccessRequest, Digest, Label, Moment, SetKind, Uid};
use countersign::pap::{self, Draft};
use countersign::pdp::{Ask, decide};
use countersign::pip;
use countersign::projection::Change;
use countersign::vault::{FreshKeys, Sealer};
use serde_json::json;

use crate::scribe::Scribe;

const SCHEMA: &str = "\
entity User = { @personal email?: String, home?: { @personal street?: String, country: String } };
entity Door;
action open appliesTo { principal: [User], resource: [Door], context: { @personal from?: ipaddr } };
";

const POLICIES: &str = "\
@id(\"from-here\") permit (principal, action, resource)
when { context has from && context.from.isInRange(ip(\"10.0.0.0/8\")) };
";

type Never = std::convert::Infallible;

/// The log of it. What is sealed is sealed under keys that nobody has kept.
pub fn written() -> Vec<String> {
    let mut scribe = Scribe::new("2026-11-23T12:00:00Z".parse::<Moment>().unwrap());
    let log = scribe.id();
    let entropy = Arc::new(SeededEntropy::new(3));
    let keys = Arc::new(FreshKeys::new(Arc::clone(&entropy) as _));
    let sealer = Sealer::new(keys, log, entropy);
    let operator = Actor::LocalOperator;
    scribe.write(&operator, Ok::<_, Never>(vec![Event::LogCreated(LogCreated { log })]));
    let adopted = Event::SettingsAdopted(DecisionSettings::default());
    scribe.write(&operator, Ok::<_, Never>(vec![adopted]));
    published(&mut scribe, &sealer);
    for from in ["10.0.0.7", "192.0.2.7"] {
        asked(&mut scribe, &sealer, from);
    }
    erased(&mut scribe, &sealer);
    asked(&mut scribe, &sealer, "10.0.0.8");
    let (retired, adopted) = (Digest::of("one key"), Digest::of("another"));
    let rotated = Event::KeyRotated(KeyRotated { retired, adopted });
    scribe.write(&operator, Ok::<_, Never>(vec![rotated]));
    scribe.lines
}

fn published(scribe: &mut Scribe, sealer: &Sealer) {
    let draft = Draft {
        set: SetKind::Application,
        schema: Some(SCHEMA.to_owned()),
        policies: Some(pap::set_of(&[("p.cedar", POLICIES)], &Limits::default()).unwrap()),
        message: Label::default(),
    };
    let admitted = pap::admit(&scribe.world, draft, &Limits::default()).unwrap();
    let publication = scribe.id();
    let events = pap::put_in_force(&scribe.world, &admitted, publication, None);
    scribe.write(&Actor::LocalOperator, events);

    let attrs = json!({"email": "alice@example.org", "home": {"street": "7", "country": "UK"}});
    let entities = json!([{"uid": {"type": "User", "id": "alice"}, "attrs": attrs}]);
    let puts = pip::read_entities(&entities).unwrap().into_iter().map(Change::Put).collect();
    let mut admitted = pip::admit(&scribe.world, puts, 100).unwrap();
    admitted.seal(|personal| sealer.seal_entity(personal)).unwrap();
    let publication = scribe.id();
    let message = Label::default();
    let events = pip::put_in_force(&scribe.world, &admitted, publication, message, None);
    scribe.write(&Actor::LocalOperator, events);
}

fn asked(scribe: &mut Scribe, sealer: &Sealer, from: &str) {
    let request = json!({
        "subject": {"type": "User", "id": "alice"},
        "action": {"name": "open"},
        "resource": {"type": "Door", "id": "front"},
        "context": {"from": from},
    });
    let request = AccessRequest::from_json(&request).unwrap();
    let ask = Ask::access(request, Presented::Nothing, "golden");
    let decided = decide(&scribe.world, &ask, scribe.now());
    let mut event = Event::AccessDecided(Box::new(decided));
    sealer.seal_event(&mut event).unwrap();
    scribe.write(&Actor::Node, Ok::<_, Never>(vec![event]));
}

fn erased(scribe: &mut Scribe, sealer: &Sealer) {
    for name in ["root", "alice"] {
        let roles = if name == "root" { vec!["administrator".parse().unwrap()] } else { vec![] };
        let new = NewPerson { name: name.parse().unwrap(), roles, ticket: None };
        let events = register(&scribe.world, &new, scribe.now());
        scribe.write(&Actor::LocalOperator, events);
    }
    let alice = Uid::parse("User", "alice").unwrap();
    let key = sealer.keys().known(&alice).unwrap().unwrap().id();
    let (name, reason) = ("alice".parse().unwrap(), "asked for it".parse().unwrap());
    let events = erase::person(&scribe.world, &name, &alice, vec![key], &reason);
    scribe.write(&Actor::LocalOperator, events);
}
