//! Logs to test with: written as the writer writes them, decided by real policies.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use uuid::{Builder, Uuid};

use crate::cedar::Limits;
use crate::event::{
    AccessDecided, Actor, AuthenticationReported, DecisionSettings, Envelope, Event, LogCreated,
    MfaVerified, NewEvent, NodeStarted, PasswordVerified, PersonRegistered, Presented, Reported,
    RoleGranted, SessionEnded, SessionEnding, SessionPurpose, SessionRaised, SessionStarted, Stamp,
    Tail, Whence, decode,
};
use crate::model::{
    Aal, AccessRequest, Digest, EntityDocument, Index, Label, Method, Methods, Moment, SetKind, Uid,
};
use crate::pap::{self, By, Draft, NewVersion, Step};
use crate::pdp::{Ask, decide};
use crate::pip;
use crate::projection::{Change, Stage, World};

pub(super) const SCHEMA: &str = r#"
type Session = {
    aal: Long, amr: Set<String>, authenticated_at: datetime, age_seconds: Long,
    phishing_resistant: Bool, source: String,
};
entity Group in [Group];
entity User in [Group] = { level: Long, @caller("fill") office?: String };
entity Document = { owner: User };
action view, edit appliesTo {
    principal: [User], resource: [Document], context: { session?: Session, reason?: String },
};
"#;

/// Two sets, each with a policy that errs where the principal's level is above 1.
pub(super) const POLICIES: [&str; 2] = [
    r#"
@id("owners") permit (principal, action, resource) when { resource.owner == principal };
@id("staff") permit (principal in Group::"staff", action == Action::"view", resource);
@id("two-factors") forbid (principal, action == Action::"edit", resource)
unless { context has session && context.session.aal >= 2 };
@id("overflow") permit (principal, action, resource)
when { principal.level * 9223372036854775807 == 9223372036854775807 };
"#,
    r#"
@id("fresh") permit (principal, action, resource)
when { context has session && context.session.age_seconds < 600 };
@id("overflow") forbid (principal, action, resource)
when { principal.level * 9223372036854775807 == 1 };
"#,
];

/// A log as a writer fills it, with the World after it.
#[derive(Clone)]
pub(super) struct Log {
    pub(super) entries: Vec<Envelope>,
    pub(super) bytes: Vec<Vec<u8>>,
    pub(super) world: World,
    id: Uuid,
    clock: u64,
}

impl Log {
    /// A log that has begun.
    pub(super) fn begun() -> Self {
        let id = Uuid::from_u128(0x10c);
        let (entries, bytes) = (Vec::new(), Vec::new());
        let mut log = Self { entries, bytes, world: World::default(), id, clock: 1_790_000_000 };
        let node = NodeStarted {
            build: "0.1.0".to_owned(),
            cedar: "4.14.1".to_owned(),
            language: "4.4".to_owned(),
            authentication: None,
        };
        let settings = Event::SettingsAdopted(DecisionSettings::default());
        let created = Event::LogCreated(LogCreated { log: id });
        log.write(vec![created, Event::NodeStarted(node), settings]);
        log
    }

    /// A log with a schema, policies and three users: alice at level 1 is staff, bob at
    /// level 2 is not, carol is not known to it.
    pub(super) fn founded() -> Self {
        let mut log = Self::begun();
        log.publish(Some(SCHEMA), 0);
        log.put("alice", 1, true);
        log.put("bob", 2, false);
        log
    }

    pub(super) fn now(&self) -> Moment {
        Moment::from_micros(i64::try_from(self.clock * 1_000_000).unwrap())
    }

    pub(super) fn wait(&mut self, seconds: u64) {
        self.clock += seconds;
    }

    /// Writes one batch.
    pub(super) fn write(&mut self, events: Vec<Event>) {
        self.clock += 1;
        let mut causation = None;
        for event in events {
            let index = self.world.through.map_or(Index(0), Index::next);
            let mut random = [0; 10];
            random[2..].copy_from_slice(&index.0.to_be_bytes());
            let id = Builder::from_unix_timestamp_millis(self.clock * 1_000, &random).into_uuid();
            let version = self.world.streams.version(&event.stream()).next();
            let causation = *causation.get_or_insert(id);
            let new = NewEvent {
                actor: Actor::LocalOperator,
                correlation: None,
                whence: Whence::default(),
                event,
            };
            let stamp = Stamp { id, time: self.now(), index, version, causation };
            let (bytes, entry) = Tail::new(new, self.id).unwrap().stamp(stamp);
            assert_eq!(decode(index, &bytes).unwrap(), entry);
            self.world.advance(&entry);
            self.entries.push(entry);
            self.bytes.push(bytes);
        }
    }

    /// Publishes one of the two sets of policies, and a schema if there is one.
    pub(super) fn publish(&mut self, schema: Option<&str>, which: usize) {
        self.publish_text(schema, POLICIES[which]);
    }

    pub(super) fn publish_text(&mut self, schema: Option<&str>, policies: &str) {
        let limits = Limits::default();
        let policies = pap::set_of(&[("p.cedar", policies)], &limits).unwrap();
        let draft = Draft {
            set: SetKind::Application,
            schema: schema.map(ToOwned::to_owned),
            policies: Some(policies),
            message: Label::default(),
        };
        match pap::admit(&self.world, draft, &limits) {
            Ok(admission) => {
                let publication = self.fresh();
                let events = pap::put_in_force(&self.world, &admission, publication, None);
                self.write(events.unwrap());
            }
            Err(refusal) => assert_eq!(refusal.code(), "unchanged", "{refusal}"),
        }
    }

    /// Drafts a set of policies, and a schema if there is one, and stages it.
    pub(super) fn stage(&mut self, policies: &str, schema: Option<&str>) {
        let limits = Limits::default();
        let policies = pap::set_of(&[("p.cedar", policies)], &limits).unwrap();
        let (schema, policies) = (schema.map(ToOwned::to_owned), Some(policies));
        let new = NewVersion { schema, policies, tests: None, message: Label::default() };
        let written = pap::write(&self.world, new, &limits).unwrap();
        self.write(pap::draft(&self.world, &written, self.fresh(), &operator()).unwrap());
        let latest = self.world.versions.latest_first();
        let digest = latest.iter().find(|it| it.stage == Stage::Draft).unwrap().digest;
        let ready = pap::ready(&self.world, &digest, &limits).unwrap();
        let (by, why) = (operator(), Label::default());
        let staged = pap::take_step(&self.world, Step::Stage, &digest, Some(&ready), &by, why);
        self.write(staged.unwrap());
    }

    /// Takes what is staged off the stage.
    pub(super) fn unstage(&mut self) {
        let digest = self.world.versions.staged().unwrap().digest;
        let (by, why) = (operator(), Label::default());
        let taken = pap::take_step(&self.world, Step::Unstage, &digest, None, &by, why);
        self.write(taken.unwrap());
    }

    pub(super) fn put(&mut self, user: &str, level: i64, staff: bool) {
        let mut entity = EntityDocument::bare(uid("User", user));
        entity.attrs.insert("level".to_owned(), json!(level));
        entity.parents.extend(staff.then(|| uid("Group", "staff")));
        self.change(Change::Put(entity));
    }

    pub(super) fn change(&mut self, change: Change) {
        let Ok(admission) = pip::admit(&self.world, vec![change], 10) else { return };
        let (publication, message) = (self.fresh(), Label::default());
        if let Ok(events) = pip::put_in_force(&self.world, &admission, publication, message, None) {
            self.write(events);
        }
    }

    /// Logs a person in with a password; the session's id.
    pub(super) fn log_in(&mut self, name: &str) -> Uuid {
        let session = self.fresh();
        let person: crate::model::Username = name.parse().unwrap();
        if self.world.identities.get(&person).is_none() {
            let registered = PersonRegistered { person: person.clone() };
            self.write(vec![Event::PersonRegistered(registered)]);
        }
        let credential = Uuid::from_u128(5);
        let verified = PasswordVerified { person: person.clone(), credential, buckets: Vec::new() };
        let started = SessionStarted {
            purpose: SessionPurpose::Everything,
            session,
            person,
            methods: Methods::default().with(Method::Pwd),
            token: token(session, 1),
            session_token: token(session, 2),
        };
        self.write(vec![Event::PasswordVerified(verified), Event::SessionStarted(started)]);
        session
    }

    /// An identity provider's report on a session of its own; the session's id.
    pub(super) fn report(&mut self, user: &str, n: u64, what: Reported) -> Uuid {
        let session = Uuid::from_u128(0x1d90 + u128::from(n));
        let methods = match what {
            Reported::PasswordVerified => vec![Method::Pwd],
            Reported::MfaVerified => vec![Method::Pwd, Method::Hwk, Method::Pop],
            Reported::SessionEnded => Vec::new(),
        };
        self.write(vec![Event::AuthenticationReported(AuthenticationReported {
            what,
            source: "https://idp.example".to_owned(),
            event: format!("e{}", self.entries.len()),
            content: Digest::of("sent"),
            session,
            user: uid("User", user),
            session_token: token(session, 2),
            methods: methods.into_iter().collect(),
            max_aal: Aal::TWO,
            occurred_at: self.now().minus_seconds(30),
        })]);
        session
    }

    pub(super) fn raise(&mut self, session: Uuid) {
        let Some(known) = self.world.sessions.get(&session).cloned() else { return };
        let Some(person) = known.person.clone() else { return };
        let credential = Uuid::from_u128(6);
        let step = self.clock / 30;
        let verified = MfaVerified { person: person.clone(), credential, step };
        let raised = SessionRaised {
            session,
            person,
            methods: known.methods.clone().with(Method::Otp),
            token: token(session, 3),
            session_token: token(session, 4),
        };
        self.write(vec![Event::MfaVerified(verified), Event::SessionRaised(raised)]);
    }

    pub(super) fn end(&mut self, session: Uuid) {
        if self.world.sessions.get(&session).is_some() {
            let reason = SessionEnding::LoggedOut;
            let (person, grounds) = (None, Label::default());
            let ended = SessionEnded { session, reason, person, grounds };
            self.write(vec![Event::SessionEnded(ended)]);
        }
    }

    pub(super) fn grant(&mut self, name: &str) {
        let (person, role) = (name.parse().unwrap(), "auditor".parse().unwrap());
        self.write(vec![Event::RoleGranted(RoleGranted { person, role })]);
    }

    /// Decides and records.
    pub(super) fn ask(&mut self, ask: &Ask) -> AccessDecided {
        let decided = decide(&self.world, ask, self.now());
        self.write(vec![Event::AccessDecided(Box::new(decided.clone()))]);
        decided
    }

    pub(super) fn fresh(&self) -> Uuid {
        Uuid::from_u128(0xf000 + self.entries.len() as u128)
    }
}

fn operator() -> By {
    By { actor: Actor::LocalOperator, presented: Presented::Nothing }
}

pub(super) fn uid(kind: &str, id: &str) -> Uid {
    Uid::parse(kind, id).unwrap()
}

fn token(session: Uuid, n: u8) -> Digest {
    Digest::of_parts([session.as_bytes().as_slice(), &[n]])
}

/// May a user do something to the document that `owner` owns?
pub(super) fn question(user: &str, action: &str, owner: &str, presented: Presented) -> Ask {
    let body = json!({
        "subject": {"type": "User", "id": user, "properties": {"level": 1, "office": "north"}},
        "action": {"name": action},
        "resource": {"type": "Document", "id": "1", "properties": {"owner": owner, "x": [1]}},
        "context": {"reason": "because", "colour": "red"},
    });
    let request = AccessRequest::from_json(&body).unwrap();
    Ask::access(request, presented, "gateway")
}

/// The bytes of an entry as they are handed out.
pub(super) fn raw(bytes: &[u8]) -> Box<serde_json::value::RawValue> {
    serde_json::from_slice(bytes).unwrap()
}

/// What may happen in a generated log.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    Publish(usize),
    Put(usize, i64, bool),
    Remove(usize),
    LogIn(usize),
    Raise(usize),
    End(usize),
    Report(usize, usize),
    Grant(usize),
    Wait(u64),
    Ask { user: usize, action: usize, owner: usize, session: Option<usize> },
    Odd(usize),
}

const USERS: [&str; 3] = ["alice", "bob", "carol"];

pub(super) fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    use Happening as It;
    let ask = (0_usize..3, 0_usize..3, 0_usize..3, prop::option::of(0_usize..8))
        .prop_map(|(user, action, owner, session)| It::Ask { user, action, owner, session });
    let one = prop_oneof![
        1 => (0_usize..2).prop_map(It::Publish),
        2 => (0_usize..3, 0_i64..4, any::<bool>()).prop_map(|(u, l, s)| It::Put(u, l, s)),
        1 => (0_usize..3).prop_map(It::Remove),
        2 => (0_usize..3).prop_map(It::LogIn),
        2 => (0_usize..8).prop_map(It::Raise),
        1 => (0_usize..8).prop_map(It::End),
        2 => (0_usize..3, 0_usize..3).prop_map(|(user, what)| It::Report(user, what)),
        1 => (0_usize..3).prop_map(It::Grant),
        1 => prop_oneof![Just(61_u64), Just(700), Just(50_000)].prop_map(It::Wait),
        8 => ask,
        1 => (0_usize..4).prop_map(It::Odd),
    ];
    prop::collection::vec(one, 0..40)
}

/// The log in which all this happened.
pub(super) fn told(happenings: Vec<Happening>) -> Log {
    told_in(Log::founded(), happenings)
}

/// A log, and in it what happened then.
pub(super) fn told_in(mut log: Log, happenings: Vec<Happening>) -> Log {
    let mut sessions = Vec::new();
    let nth = |sessions: &[Uuid], n: usize| sessions.get(n).copied().unwrap_or(Uuid::max());
    for happening in happenings {
        match happening {
            Happening::Publish(which) => log.publish(None, which),
            Happening::Put(user, level, staff) => log.put(USERS[user], level, staff),
            Happening::Remove(user) => log.change(Change::Remove(uid("User", USERS[user]))),
            Happening::LogIn(user) => sessions.push(log.log_in(USERS[user])),
            Happening::Raise(n) => log.raise(nth(&sessions, n)),
            Happening::End(n) => log.end(nth(&sessions, n)),
            Happening::Report(user, what) => {
                let known =
                    [Reported::PasswordVerified, Reported::MfaVerified, Reported::SessionEnded];
                sessions.push(log.report(USERS[user], user as u64, known[what]));
            }
            Happening::Grant(user) => log.grant(USERS[user]),
            Happening::Wait(seconds) => log.wait(seconds),
            Happening::Odd(which) => {
                log.ask(&odd(which));
            }
            Happening::Ask { user, action, owner, session } => {
                let presented = match session {
                    None => Presented::Nothing,
                    Some(7) => Presented::Unknown,
                    Some(n) => Presented::Session(nth(&sessions, n)),
                };
                let action = ["view", "edit", "burn"][action];
                log.ask(&question(USERS[user], action, USERS[owner], presented));
            }
        }
    }
    log
}

/// Questions that are denied before any policy is asked, or by the system's.
fn odd(which: usize) -> Ask {
    let mut ask = question("alice", "view", "alice", Presented::Nothing);
    let request = std::sync::Arc::make_mut(&mut ask.request);
    match which {
        0 => ask.set = SetKind::System,
        1 => request.subject.kind = "http:user".to_owned(),
        2 => request.resource.kind = "Countersign::Node".to_owned(),
        _ => {
            let nested = json!({"session": {"aal": 3}, "__deep": {"a": [1.5, null]}});
            request.context = nested.as_object().cloned().unwrap_or_else(Map::new);
            request.action.properties.insert("how".to_owned(), Value::Null);
        }
    }
    ask
}
