//! A short history in which everything happens that can.

use countersign::authn::enrol::{Enrolment, enrol};
use countersign::authn::mfa::{MfaVerdict, Offer};
use countersign::authn::persons::{NewPerson, disable, grant_role, register, revoke_role};
use countersign::authn::services::{Maker, NewService};
use countersign::authn::{FreshTokens, Report, login, mfa, report, services, session};
use countersign::cedar::Limits;
use countersign::event::{
    Actor, AuthenticationSettings, CheckpointCosigned, DecisionSettings, Event, HeadRef,
    LogCreated, LossAccepted, NodeStarted, PolicyIndexDoubted, Presented, SigningKeyAdopted,
    SigningKeyRetired, SourceBinding, ThrottleSettings, WitnessKeyAdopted,
};
use countersign::model::{
    Aal, AccessRequest, EntityType, Label, Moment, PolicyBody, PolicySource, Scope, SetKind, Uid,
    Username,
};
use countersign::pap::{self, Draft};
use countersign::pdp::{Ask, decide};
use countersign::pip;
use countersign::projection::Change;
use countersign::tlog::{CosigningKey, SigningKey, leaf_hash};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::passkeys::passkeys;
use crate::passwords;
use crate::recovery::recovered;
use crate::scribe::Scribe;
use crate::shadow::shadowed;
use crate::tickets;
use crate::versions::versions;

const SCHEMA: &str = "\
type Session = {aal: Long, amr: Set<String>, authenticated_at: datetime, age_seconds: Long,
  phishing_resistant: Bool, source: String};
entity Role;
entity User in [Role] = { @caller(\"fill\") posture?: String };
entity Document = { owner: User, level?: Long };
action view, edit appliesTo {
  principal: [User], resource: [Document], context: {session?: Session, pep?: String}
};
";

const POLICIES: &str = "\
@id(\"staff-view\") permit (principal in Role::\"staff\", action == Action::\"view\", resource);
@id(\"two-factors\") forbid (principal, action, resource)
unless { context has session && context.session.aal >= 2 };
@id(\"well\") forbid (principal, action, resource)
when { principal has posture && principal.posture != \"well\" };
";

/// The log of it.
pub fn written() -> Vec<String> {
    let mut scribe = Scribe::new("2026-11-22T12:00:00Z".parse::<Moment>().unwrap());
    beginning(&mut scribe);
    publications(&mut scribe);
    directory(&mut scribe);
    let session = persons(&mut scribe);
    let (pep, provider) = tokens(&mut scribe);
    reports(&mut scribe, provider);
    decisions(&mut scribe, pep, session);
    passkeys(&mut scribe, &name("alice"), session);
    ends(&mut scribe, pep, session);
    passwords::passwords(&mut scribe);
    signing(&mut scribe);
    doubt(&mut scribe);
    witnessing(&mut scribe);
    recovered(&mut scribe);
    versions(&mut scribe);
    shadowed(&mut scribe);
    tickets::refused(&mut scribe);
    scribe.lines
}

type Never = std::convert::Infallible;

fn beginning(scribe: &mut Scribe) {
    let log = scribe.id();
    let created = Event::LogCreated(LogCreated { log });
    scribe.write(&Actor::LocalOperator, Ok::<_, Never>(vec![created]));
    let throttle = ThrottleSettings { failures_max_totp: 2, ..ThrottleSettings::default() };
    let settings = DecisionSettings { throttle, ..DecisionSettings::default() };
    let adopted = Event::SettingsAdopted(settings);
    scribe.write(&Actor::LocalOperator, Ok::<_, Never>(vec![adopted]));
    let started = Event::NodeStarted(NodeStarted {
        build: "0.1.0".to_owned(),
        cedar: "4.14.1".to_owned(),
        language: "4.6".to_owned(),
        authentication: Some(AuthenticationSettings {
            argon2_kib: 19_456,
            argon2_passes: 2,
            argon2_lanes: 1,
            rp_id: Some("login.example".to_owned()),
            origins: vec!["https://login.example".to_owned()],
            attestation: Some(scribe.digest()),
        }),
    });
    scribe.write(&Actor::Node, Ok::<_, Never>(vec![started]));
}

fn publish(scribe: &mut Scribe, schema: Option<&str>, policies: Vec<PolicySource>) {
    let draft = Draft {
        set: SetKind::Application,
        schema: schema.map(str::to_owned),
        policies: Some(policies),
        message: label("for the golden log"),
    };
    let admitted = pap::admit(&scribe.world, draft, &Limits::default()).unwrap();
    let publication = scribe.id();
    let events = pap::put_in_force(&scribe.world, &admitted, publication, None);
    scribe.write(&Actor::Person(name("admin")), events);
}

fn publications(scribe: &mut Scribe) {
    let policies = pap::set_of(&[("golden.cedar", POLICIES)], &Limits::default()).unwrap();
    let mut first = policies.clone();
    first.push(PolicySource {
        id: "editors".parse().unwrap(),
        body: PolicyBody::Template {
            text: "permit (principal == ?principal, action == Action::\"edit\", resource);".into(),
        },
    });
    first.push(PolicySource {
        id: "alice-edits".parse().unwrap(),
        body: PolicyBody::Link {
            template: "editors".parse().unwrap(),
            principal: Some(uid("User", "alice")),
            resource: None,
        },
    });
    first.push(PolicySource {
        id: "short-lived".parse().unwrap(),
        body: PolicyBody::Static { text: "forbid (principal, action, resource);".into() },
    });
    publish(scribe, Some(SCHEMA), first.clone());
    first.pop();
    publish(scribe, None, first);
}

fn change(scribe: &mut Scribe, changes: Vec<Change>) {
    let admitted = pip::admit(&scribe.world, changes, 100).unwrap();
    let publication = scribe.id();
    let message = label("joiners and leavers");
    let events = pip::put_in_force(&scribe.world, &admitted, publication, message, None);
    scribe.write(&Actor::Person(name("admin")), events);
}

fn directory(scribe: &mut Scribe) {
    let entities = json!([
        {"uid": {"type": "Role", "id": "staff"}, "attrs": {}, "parents": []},
        {"uid": {"type": "User", "id": "alice"}, "attrs": {},
         "parents": [{"type": "Role", "id": "staff"}]},
        {"uid": {"type": "User", "id": "mallory"}, "attrs": {"posture": "ill"}, "parents": []},
        {"uid": {"type": "Document", "id": "plan"}, "parents": [], "attrs":
         {"owner": {"__entity": {"type": "User", "id": "alice"}},
          "level": 9_007_199_254_740_993_i64}},
    ]);
    let entities = pip::read_entities(&entities).unwrap();
    change(scribe, entities.into_iter().map(Change::Put).collect());
    change(scribe, vec![Change::Remove(uid("User", "mallory"))]);
}

/// Two people: one comes, the other goes. The first one's session.
fn persons(scribe: &mut Scribe) -> Uuid {
    let ticket = scribe.digest();
    for (who, role) in [("alice", "administrator"), ("bob", "author")] {
        let ticket = (who == "alice").then_some(ticket);
        let new = NewPerson { name: name(who), roles: vec![label(role)], ticket };
        let events = register(&scribe.world, &new, scribe.now());
        scribe.write(&Actor::LocalOperator, events);
    }
    let admin = Actor::Person(name("admin"));
    let events = grant_role(&scribe.world, &name("bob"), &label("auditor"));
    scribe.write(&admin, events);
    let events = revoke_role(&scribe.world, &name("bob"), &label("author"));
    scribe.write(&admin, events);
    let events = disable(&scribe.world, &name("bob"), label("has left"));
    scribe.write(&admin, events);

    let (credential, sealed) = (scribe.id(), scribe.digest());
    let enrolment = Enrolment { ticket, credential, sealed, alone: true, from: None };
    let events = enrol(&scribe.world, &enrolment, scribe.now());
    scribe.write(&Actor::Person(name("alice")), events);
    log_in(scribe, "nobody", false);
    log_in(scribe, "alice", false);
    let session = log_in(scribe, "alice", true);
    second_factor(scribe, session);
    session
}

pub fn fresh(scribe: &mut Scribe) -> FreshTokens {
    let (session, token) = (scribe.id(), scribe.digest());
    FreshTokens { session, token, session_token: scribe.digest() }
}

fn log_in(scribe: &mut Scribe, who: &str, right: bool) -> Uuid {
    let from = passwords::approach(who);
    let attempt = login::begin(&scribe.world, Some(&name(who)), from, scribe.now()).unwrap();
    let (fresh, verdict) = (fresh(scribe), login::Verdict::of(right));
    let events = login::conclude(&scribe.world, &attempt, &verdict, &fresh, scribe.now());
    scribe.write(&Actor::Anonymous, events);
    fresh.session
}

/// Sets up an authenticator, passes it, and wears it out.
fn second_factor(scribe: &mut Scribe, session: Uuid) {
    let alice = Actor::Person(name("alice"));
    let label = Label::default();
    let offer = Offer { credential: scribe.id(), sealed: scribe.digest(), label };
    let events = mfa::offer(&scribe.world, session, &offer, scribe.now());
    scribe.write(&alice, events);
    for step in [Some(59_000_000), Some(59_000_000), None] {
        let verdict = MfaVerdict { session, credential: offer.credential, step };
        let fresh = fresh(scribe);
        let events = mfa::conclude(&scribe.world, &verdict, &fresh, scribe.now());
        scribe.write(&alice, events);
    }
}

/// An application's token, and an identity provider's.
fn tokens(scribe: &mut Scribe) -> (Uuid, Uuid) {
    let binding = SourceBinding {
        source: "https://idp.example".to_owned(),
        user_type: EntityType::user(),
        max_aal: Aal::TWO,
    };
    let ids = [(Scope::Evaluate, None), (Scope::Ingest, Some(binding))].map(|(scope, binding)| {
        let new = NewService {
            id: scribe.id(),
            label: label(scope.as_str()),
            scopes: std::iter::once(scope).collect(),
            token: scribe.digest(),
            binding,
        };
        let maker = Maker { actor: Actor::LocalOperator, session: None };
        let events = services::register(&scribe.world, &new, maker);
        scribe.write(&Actor::LocalOperator, events);
        new.id
    });
    ids.into()
}

fn reports(scribe: &mut Scribe, provider: Uuid) {
    for (id, what) in [("1", "password.verified"), ("2", "mfa.verified"), ("3", "session.ended")] {
        let event = json!({
            "specversion": "1.0", "id": id, "source": "https://idp.example", "type": what,
            "subject": "carol", "time": "2026-11-22T12:00:10Z",
            "data": {"session_token_sha256": "ab".repeat(32)},
        });
        let fresh = scribe.id();
        let read = Report::from_cloud_event(&event, scribe.now(), fresh).unwrap();
        let events = report(&scribe.world, provider, &read, scribe.now());
        scribe.write(&Actor::Service(provider), events);
    }
}

fn decisions(scribe: &mut Scribe, pep: Uuid, session: Uuid) {
    let ask = |subject: &str, action: &str, context: Value| {
        let request = json!({
            "subject": {"type": "User", "id": subject, "properties": {"posture": "well", "hue": 3}},
            "action": {"name": action},
            "resource": {"type": "Document", "id": "plan"},
            "context": context,
        });
        AccessRequest::from_json(&request).unwrap()
    };
    let asked = [
        (ask("alice", "view", json!({})), Presented::Session(session)),
        (ask("alice", "edit", json!({"moon": "full"})), Presented::Session(session)),
        (ask("alice", "view", json!({})), Presented::Nothing),
        (ask("mallory", "view", json!({})), Presented::Session(session)),
        (ask("alice", "levitate", json!({})), Presented::Unknown),
    ];
    for (request, presented) in asked {
        let step_up = presented == Presented::Nothing;
        let ask = Ask { step_up, ..Ask::access(request, presented, pep.to_string()) };
        let decided = decide(&scribe.world, &ask, scribe.now());
        let event = Event::AccessDecided(Box::new(decided));
        scribe.write(&Actor::Service(pep), Ok::<_, Never>(vec![event]));
    }
}

fn ends(scribe: &mut Scribe, pep: Uuid, alices: Uuid) {
    let events = session::log_out(&scribe.world, alices, scribe.now());
    scribe.write(&Actor::Person(name("alice")), events);
    let events = services::revoke(&scribe.world, pep);
    scribe.write(&Actor::LocalOperator, events);
}

/// A key follows another; a loss is accepted, and another origin begins.
fn signing(scribe: &mut Scribe) {
    let key = |scribe: &mut Scribe, origin: &str, seed: u8| {
        let key = SigningKey::new(origin.parse().unwrap(), &[seed; 32]);
        let (credential, sealed) = (scribe.id(), scribe.digest());
        SigningKeyAdopted { verifier_key: key.verifier(), credential, sealed }
    };
    let first = key(scribe, "log.example/one", 1);
    let (second, third) = (key(scribe, "log.example/one", 2), key(scribe, "log.example/two", 3));
    let retired = SigningKeyRetired { credential: first.credential };
    let head = |size: u64| HeadRef {
        origin: "log.example/one".to_owned(),
        size,
        root: leaf_hash(&size.to_be_bytes()),
    };
    let accepted =
        LossAccepted { expected: Some(head(70)), found: head(60), reason: label("the disk burnt") };
    for events in [
        vec![Event::SigningKeyAdopted(first)],
        vec![Event::SigningKeyAdopted(second)],
        vec![Event::SigningKeyRetired(retired)],
        vec![Event::LossAccepted(accepted), Event::SigningKeyAdopted(third)],
    ] {
        scribe.write(&Actor::LocalOperator, Ok::<_, Never>(events));
    }
}

/// The index of policies is found wrong.
fn doubt(scribe: &mut Scribe) {
    let doubted = PolicyIndexDoubted {
        set: SetKind::Application,
        policies: scribe.world.application.in_force(),
        build: "0.1.0".to_owned(),
        differing: vec!["not-there".parse().unwrap()],
    };
    let events = vec![Event::PolicyIndexDoubted(doubted)];
    scribe.write(&Actor::Node, Ok::<_, Never>(events));
}

/// Another log is cosigned, twice.
fn witnessing(scribe: &mut Scribe) {
    let key = CosigningKey::new("log.example/two/witness".parse().unwrap(), &[4; 32]);
    let (credential, sealed) = (scribe.id(), scribe.digest());
    let adopted = WitnessKeyAdopted { verifier_key: key.verifier(), credential, sealed };
    let cosigned = |size: u64| {
        let (origin, root) = ("other.example/log".to_owned(), leaf_hash(&size.to_be_bytes()));
        Event::CheckpointCosigned(CheckpointCosigned { origin, size, root })
    };
    scribe.write(&Actor::Node, Ok::<_, Never>(vec![Event::WitnessKeyAdopted(adopted)]));
    for size in [1, 300] {
        scribe.write(&Actor::Anonymous, Ok::<_, Never>(vec![cosigned(size)]));
    }
}

pub fn name(text: &str) -> Username {
    text.parse().unwrap()
}

pub fn label(text: &str) -> Label {
    text.parse().unwrap()
}

fn uid(kind: &str, id: &str) -> Uid {
    Uid::parse(kind, id).unwrap()
}
