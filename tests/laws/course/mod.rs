//! Logs as they come about: courses of commands, most of them sensible, each decided by
//! the pure function that decides it in a node.

mod keys;
mod passkeys;
mod passwords;
mod persons;
mod recovery;
mod versions;

use std::sync::Arc;

use countersign::authn::services::{self, Maker, NewService};
use countersign::authn::{FreshTokens, Report, report};
use countersign::cedar::{Limits, on_large_stack};
use countersign::entropy::SeededEntropy;
use countersign::event::{
    Actor, DecisionSettings, Envelope, Event, KeyRotated, LogCreated, NewEvent, PolicySettings,
    Presented, Reported, SourceBinding, Stamp, Tail, ThrottleSettings, Whence,
};
use countersign::model::{
    Aal, AccessRequest, Digest, EntityType, Index, Label, Method, Moment, Scope, SetKind, Uid,
    Username,
};
use countersign::pap::{self, Draft};
use countersign::pdp::{Ask, decide};
use countersign::pip;
use countersign::projection::{Change, World};
use countersign::vault::{FreshKeys, Sealer};
use proptest::prelude::*;
use proptest::sample::Index as Pick;
use serde_json::json;
use uuid::Uuid;

use self::recovery::{Way, way};
use self::versions::{Life, life};
use crate::writer::{doubt, noon, tick};

const NAMES: [&str; 4] = ["alice", "bob", "carol", "nobody"];
const ROLES: [&str; 3] = ["administrator", "author", "auditor"];
const IDP: &str = "https://idp.example";
const SCHEMA: &str = "type Session = { aal: Long, amr: Set<String>, authenticated_at: datetime,
    age_seconds: Long, phishing_resistant: Bool, source: String };
  entity Group in [Group]; entity Door;
  entity User in [Group] = { rank?: Long, @personal mail?: String };
  action open appliesTo { principal: [User], resource: [Door],
    context: { session?: Session, pep?: String, @personal from: ipaddr } };";
const POLICIES: [&str; 6] = [
    r#"@id("all") permit (principal, action, resource);"#,
    r#"@id("all") permit (principal in Group::"1", action, resource);"#,
    r#"@id("mfa") forbid (principal, action, resource)
         unless { context has session && context.session.aal >= 2 };"#,
    r#"@id("rank") permit (principal, action, resource) when { principal.rank > 3 };"#,
    r#"@id("mail") forbid (principal in Group::"2", action, resource)
         when { principal has mail && principal.mail like "3@*" };"#,
    r#"@id("from") forbid (principal, action, resource)
         when { context.from.isInRange(ip("10.0.0.0/31")) };"#,
];

/// One command, by whom and on what there happens to be.
#[derive(Clone, Debug)]
pub enum Step {
    Wait(u64),
    Start,
    Adopt(u64),
    Publish { schema: bool, policies: u8 },
    Version(Life),
    Put(u8, Vec<u8>, Option<i32>),
    Remove(u8),
    Register(usize, Vec<usize>),
    Ticket(usize),
    Enrol(Pick),
    Disable(usize),
    Erase(usize),
    Forget(usize),
    Rotate,
    Role(usize, usize, bool),
    Login(usize, bool),
    Import(usize),
    Compromise(usize),
    Change(Pick, bool),
    TurnAway,
    Offer(Pick),
    Code(Pick, bool),
    Passkey(Pick, u8),
    SignIn(u8, u8),
    Raise(Pick, u8, u8),
    LogOut(Pick),
    Way(Way),
    Token(bool),
    Revoke(Pick),
    Report(Pick, u8, Reported),
    Sign(bool),
    Unsign(Pick),
    Watch,
    Cosign(u8, u64),
    Doubt,
    Ask(usize, Option<Pick>),
}

/// A person, mostly one that there may be.
fn who() -> impl Strategy<Value = usize> + Clone {
    0..NAMES.len()
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 20..160)
}

/// Policies, then entities that come, change, move and go, and are asked for.
pub fn moves() -> impl Strategy<Value = Vec<Step>> {
    // Who is in a group may, and who has a rank; unless one in another has a certain address.
    let policies = Step::Publish { schema: true, policies: 0b01_1010 };
    let parents = prop::collection::vec(0_u8..4, 0..3);
    let moved = prop_oneof![
        4 => (0_u8..8, parents, prop::option::of(0..9))
            .prop_map(|(id, parents, rank)| Step::Put(id, parents, rank)),
        1 => (0_u8..8).prop_map(Step::Remove),
        3 => who().prop_map(|who| Step::Ask(who, None)),
    ];
    prop::collection::vec(moved, 20..80)
        .prop_map(move |moved| std::iter::once(policies.clone()).chain(moved).collect())
}

fn step() -> impl Strategy<Value = Step> {
    let reported = prop_oneof![
        3 => Just(Reported::PasswordVerified),
        3 => Just(Reported::MfaVerified),
        1 => Just(Reported::SessionEnded),
    ];
    let parents = prop::collection::vec(0_u8..4, 0..3);
    prop_oneof![
        6 => (0_u64..90).prop_map(Step::Wait),
        1 => (3_000_u64..50_000).prop_map(Step::Wait),
        1 => Just(Step::Start),
        2 => (1_u64..5).prop_map(Step::Adopt),
        4 => (any::<bool>(), 0_u8..64)
            .prop_map(|(schema, policies)| Step::Publish { schema, policies }),
        14 => life(who()).prop_map(Step::Version),
        6 => (0_u8..8, parents, prop::option::of(0..9))
            .prop_map(|(id, parents, rank)| Step::Put(id, parents, rank)),
        2 => (0_u8..8).prop_map(Step::Remove),
        4 => (who(), prop::collection::vec(0..3_usize, 0..2))
            .prop_map(|(who, roles)| Step::Register(who, roles)),
        3 => who().prop_map(Step::Ticket),
        6 => any::<Pick>().prop_map(Step::Enrol),
        1 => who().prop_map(Step::Disable),
        1 => who().prop_map(Step::Erase),
        2 => who().prop_map(Step::Forget),
        1 => Just(Step::Rotate),
        3 => (who(), 0..3_usize, any::<bool>())
            .prop_map(|(who, role, granted)| Step::Role(who, role, granted)),
        14 => (who(), prop::bool::weighted(0.7)).prop_map(|(who, right)| Step::Login(who, right)),
        2 => who().prop_map(Step::Import),
        1 => who().prop_map(Step::Compromise),
        3 => (any::<Pick>(), prop::bool::weighted(0.7))
            .prop_map(|(session, right)| Step::Change(session, right)),
        1 => Just(Step::TurnAway),
        6 => any::<Pick>().prop_map(Step::Offer),
        9 => (any::<Pick>(), prop::bool::weighted(0.6))
            .prop_map(|(session, right)| Step::Code(session, right)),
        5 => (any::<Pick>(), 0_u8..4).prop_map(|(session, key)| Step::Passkey(session, key)),
        6 => (0_u8..5, 0_u8..40).prop_map(|(key, counter)| Step::SignIn(key, counter)),
        4 => (any::<Pick>(), 0_u8..4, 0_u8..40)
            .prop_map(|(session, key, counter)| Step::Raise(session, key, counter)),
        2 => any::<Pick>().prop_map(Step::LogOut),
        12 => way(who()).prop_map(Step::Way),
        3 => any::<bool>().prop_map(Step::Token),
        1 => any::<Pick>().prop_map(Step::Revoke),
        6 => (any::<Pick>(), 0_u8..6, reported)
            .prop_map(|(service, token, what)| Step::Report(service, token, what)),
        2 => prop::bool::weighted(0.2).prop_map(Step::Sign),
        1 => any::<Pick>().prop_map(Step::Unsign),
        1 => Just(Step::Watch),
        2 => (0_u8..3, 0_u64..9).prop_map(|(log, more)| Step::Cosign(log, more)),
        1 => Just(Step::Doubt),
        12 => (who(), prop::option::of(any::<Pick>()))
            .prop_map(|(who, session)| Step::Ask(who, session)),
    ]
}

/// A log being written: what is stored, what it means, and the World that lives on it.
pub struct Course {
    pub live: World,
    pub stored: Vec<Vec<u8>>,
    pub log: Vec<Envelope>,
    now: Moment,
    pub sealer: Sealer,
    drawn: u64,
    tickets: Vec<Digest>,
}

impl Course {
    /// Plays some steps; what a command refuses leaves nothing behind.
    pub fn of(steps: &[Step]) -> Self {
        // What Cedar reads is read on a stack that it cannot exhaust.
        on_large_stack(|| Self::play(steps)).unwrap()
    }

    fn play(steps: &[Step]) -> Self {
        let mut course = Self {
            live: World::default(),
            stored: Vec::new(),
            log: Vec::new(),
            now: noon(),
            sealer: sealer(),
            drawn: 0,
            tickets: Vec::new(),
        };
        course.record(vec![Event::LogCreated(LogCreated { log: Uuid::from_u128(7) })]);
        for step in steps {
            let events = course.take(step).unwrap_or_default();
            course.record(events);
        }
        course
    }

    /// Puts events in their places, as the writer does.
    fn record(&mut self, events: Vec<Event>) {
        let causation = self.id();
        for (at, mut event) in events.into_iter().enumerate() {
            self.sealer.seal_event(&mut event).unwrap();
            let log = self.live.log.unwrap_or(Uuid::from_u128(7));
            let new = NewEvent {
                actor: Actor::Node,
                correlation: None,
                whence: Whence::default(),
                event,
            };
            let tail = Tail::new(new, log).unwrap();
            let stamp = Stamp {
                id: if at == 0 { causation } else { self.id() },
                time: self.live.not_before_last(self.now),
                index: self.live.through.map_or(Index(0), Index::next),
                version: self.live.streams.version(tail.stream()).next(),
                causation,
            };
            let (bytes, entry) = tail.stamp(stamp);
            self.live.advance(&entry);
            self.stored.push(bytes);
            self.log.push(entry);
        }
    }

    /// A `UUIDv7` above all before.
    fn id(&mut self) -> Uuid {
        self.drawn += 1;
        let mut random = [0; 10];
        random[2..].copy_from_slice(&self.drawn.to_be_bytes());
        // All of one millisecond: the random part alone makes the order.
        uuid::Builder::from_unix_timestamp_millis(noon().millis(), &random).into_uuid()
    }

    fn digest(&mut self) -> Digest {
        Digest::of(self.id().as_bytes())
    }

    fn tokens(&mut self) -> FreshTokens {
        let (token, session_token) = (self.digest(), self.digest());
        FreshTokens { session: self.id(), token, session_token }
    }

    /// What a command decides; nothing if it refuses, or there is nothing to act on.
    fn take(&mut self, step: &Step) -> Option<Vec<Event>> {
        match step {
            Step::Wait(seconds) => {
                self.now = self.now.plus_seconds(*seconds);
                None
            }
            Step::Start => Some(vec![tick("0.1.0")]),
            Step::Doubt => Some(vec![doubt(&self.live)]),
            Step::Adopt(free) => Some(vec![Event::SettingsAdopted(settings(*free))]),
            Step::Publish { schema, policies } => self.publish(*schema, *policies),
            Step::Version(life) => self.live_version(life),
            Step::Put(id, parents, rank) => self.put(*id, parents, *rank),
            Step::Remove(id) => self.change(Change::Remove(entity(*id))),
            Step::Ask(who, session) => Some(vec![self.ask(*who, *session)]),
            Step::Forget(who) => self.forget(*who),
            Step::Rotate => {
                let (retired, adopted) = (self.digest(), self.digest());
                Some(vec![Event::KeyRotated(KeyRotated { retired, adopted })])
            }
            Step::Way(way) => self.take_way(way),
            Step::Token(provider) => self.token(*provider),
            Step::Revoke(which) => services::revoke(&self.live, self.service(*which)?).ok(),
            Step::Report(which, token, what) => self.report(*which, *token, *what),
            Step::Sign(after_loss) => Some(self.sign(*after_loss)),
            Step::Unsign(which) => self.unsign(*which),
            Step::Watch => self.watch(),
            Step::Cosign(log, more) => Some(self.cosign(*log, *more)),
            Step::Passkey(..) | Step::SignIn(..) | Step::Raise(..) => self.take_of_passkey(step),
            _ => self.take_of_person(step),
        }
    }

    fn publish(&mut self, schema: bool, policies: u8) -> Option<Vec<Event>> {
        let chosen = (0..6_usize).filter(|at| policies >> at & 1 == 1);
        let mut files: Vec<_> = chosen.map(|at| ("test.cedar", POLICIES[at])).collect();
        // Of two with one id the first.
        files.dedup_by_key(|(_, text)| text.split('"').nth(1));
        let draft = Draft {
            set: SetKind::Application,
            schema: schema.then(|| SCHEMA.to_owned()),
            policies: Some(pap::set_of(&files, &Limits::default()).unwrap()),
            message: label("by course"),
        };
        let admitted = pap::admit(&self.live, draft, &Limits::default()).ok()?;
        let publication = self.id();
        pap::put_in_force(&self.live, &admitted, publication, None).ok()
    }

    fn put(&mut self, id: u8, parents: &[u8], rank: Option<i32>) -> Option<Vec<Event>> {
        let name = |id: u8| json!({"type": entity(id).kind().as_str(), "id": entity(id).id()});
        let parents: Vec<_> = parents.iter().map(|id| name(*id)).collect();
        let attrs = rank
            .filter(|_| id > 3)
            .map_or(json!({}), |rank| json!({"rank": rank, "mail": format!("{rank}@example.org")}));
        let text = json!([{"uid": name(id), "attrs": attrs, "parents": parents}]);
        let document = pip::read_entities(&text).unwrap().remove(0);
        self.change(Change::Put(document))
    }

    fn change(&mut self, change: Change) -> Option<Vec<Event>> {
        let admitted = pip::admit(&self.live, vec![change], 10).ok()?;
        let publication = self.id();
        pip::put_in_force(&self.live, &admitted, publication, Label::default(), None).ok()
    }

    fn token(&mut self, provider: bool) -> Option<Vec<Event>> {
        let scope = if provider { Scope::Ingest } else { Scope::Evaluate };
        let (source, user_type) = (IDP.to_owned(), EntityType::user());
        let binding = SourceBinding { source, user_type, max_aal: Aal::TWO };
        let new = NewService {
            id: self.id(),
            label: label("by course"),
            scopes: [scope].into_iter().collect(),
            token: self.digest(),
            binding: provider.then_some(binding),
        };
        let maker = Maker { actor: Actor::LocalOperator, session: None };
        services::register(&self.live, &new, maker).ok()
    }

    fn report(&mut self, which: Pick, token: u8, what: Reported) -> Option<Vec<Event>> {
        let service = self.service(which)?;
        let method = if what == Reported::MfaVerified { Method::Otp } else { Method::Pwd };
        let told = Report {
            id: self.id().to_string(),
            source: IDP.to_owned(),
            what,
            subject: NAMES[usize::from(token) % 2].to_owned(),
            session_token: Digest::of([token]),
            methods: [method].into_iter().collect(),
            reported_at: self.now,
            content: self.digest(),
            fresh_session: self.id(),
        };
        report(&self.live, service, &told, self.now).ok()
    }

    fn ask(&mut self, who: usize, session: Option<Pick>) -> Event {
        let asked = json!({
            "subject": {"type": "User", "id": NAMES[who],
                        "properties": {"rank": 7, "mail": "3@x", "odd": 1}},
            "action": {"name": "open"},
            "resource": {"type": "Door", "id": "front"},
            "context": {"from": format!("10.0.0.{}", self.drawn % 4)},
        });
        let presented = match session {
            Some(which) => self.session(which).map_or(Presented::Unknown, Presented::Session),
            None => Presented::Nothing,
        };
        let request = AccessRequest::from_json(&asked).unwrap();
        let now = self.live.not_before_last(self.now);
        let ask = Ask { step_up: who != 1, ..Ask::access(request, presented, "course") };
        Event::AccessDecided(Box::new(decide(&self.live, &ask, now)))
    }

    /// One of the sessions that there are, those of providers included.
    fn session(&self, which: Pick) -> Option<Uuid> {
        let mut all: Vec<_> = self.live.sessions.iter().map(|session| session.id).collect();
        all.sort_unstable();
        pick(&all, which).copied()
    }

    fn service(&self, which: Pick) -> Option<Uuid> {
        let mut all: Vec<_> = self.live.services.iter().map(|service| service.id).collect();
        all.sort_unstable();
        pick(&all, which).copied()
    }
}

fn sealer() -> Sealer {
    let entropy = Arc::new(SeededEntropy::new(11));
    let keys = FreshKeys::new(Arc::clone(&entropy) as _);
    Sealer::new(Arc::new(keys), Uuid::from_u128(7), entropy)
}

fn pick<T>(all: &[T], which: Pick) -> Option<&T> {
    (!all.is_empty()).then(|| which.get(all))
}

fn name(who: usize) -> Username {
    NAMES[who].parse().unwrap()
}

fn label(text: &str) -> Label {
    text.parse().unwrap()
}

/// Four groups, then users by name.
fn entity(id: u8) -> Uid {
    match id {
        0..4 => Uid::parse("Group", &id.to_string()).unwrap(),
        _ => Uid::parse("User", NAMES[usize::from(id) - 4]).unwrap(),
    }
}

/// Settings under which failures soon tell.
fn settings(failures_free: u64) -> DecisionSettings {
    let throttle = ThrottleSettings {
        failures_free: u32::try_from(failures_free).unwrap(),
        failures_max_password: 2,
        failures_max_totp: 1,
        ..ThrottleSettings::default()
    };
    let policies = PolicySettings { four_eyes: failures_free == 4 };
    DecisionSettings { throttle, policies, ..DecisionSettings::default() }
}
