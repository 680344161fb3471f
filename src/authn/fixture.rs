//! Small Worlds for the tests of this room, folded from the events of its own commands.

use uuid::Uuid;

use super::enrol::{Enrolment, enrol};
use super::login::{self, Attempt, Verdict};
use super::mfa::{self, MfaVerdict, Offer};
use super::persons::{self, NewPerson};
use super::throttle::Approach;
use super::{FreshTokens, Outcome, Refusal, outcome};
use crate::event::{
    Actor, DecisionSettings, Envelope, Event, LogCreated, ServiceRegistered, SourceBinding, Whence,
};
use crate::model::{Aal, Digest, EntityType, Index, Label, Moment, Scope, Username};
use crate::projection::World;

/// A log being written: the World after its newest entry, and the time.
#[derive(Clone)]
pub(super) struct Story {
    pub(super) world: World,
    pub(super) now: Moment,
    drawn: u64,
}

/// The tag of a name; the shell's is keyed.
pub(super) fn tag(name: &str) -> Digest {
    Digest::of(format!("tag of {name}"))
}

/// An attempt for a name, always from the same network and no known device.
pub(super) fn approach(name: &str) -> Approach {
    Approach { name_tag: tag(name), source: Digest::of("a network"), device: None }
}

pub(super) fn named(name: &str) -> Username {
    name.parse().unwrap()
}

impl Story {
    pub(super) fn new() -> Self {
        Self::under(DecisionSettings::default())
    }

    pub(super) fn under(settings: DecisionSettings) -> Self {
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        let mut story = Self { world: World::default(), now, drawn: 0 };
        story.fact(Event::LogCreated(LogCreated { log: Uuid::nil() }));
        story.fact(Event::SettingsAdopted(settings));
        story
    }

    /// An id larger than all drawn before, as a `UUIDv7` is.
    pub(super) fn id(&mut self) -> Uuid {
        self.drawn += 1;
        Uuid::from_u128(u128::from(self.drawn))
    }

    pub(super) fn digest(&mut self) -> Digest {
        Digest::of(self.id().as_bytes())
    }

    pub(super) fn tokens(&mut self) -> FreshTokens {
        let (token, session_token) = (self.digest(), self.digest());
        FreshTokens { session: self.id(), token, session_token }
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        self.now = self.now.plus_seconds(seconds);
    }

    pub(super) fn fact(&mut self, event: Event) {
        let index = self.world.through.map_or(Index(0), Index::next);
        let id = Uuid::from_u128(u128::from(index.0) + 1);
        let stream = event.stream();
        let entry = Envelope {
            id,
            time: self.world.not_before_last(self.now),
            index,
            version: self.world.streams.version(&stream).next(),
            stream,
            causation: id,
            log: Uuid::nil(),
            actor: Actor::Anonymous,
            correlation: None,
            whence: Whence::default(),
            event,
        };
        self.world = std::mem::take(&mut self.world).apply(&entry);
    }

    pub(super) fn facts(&mut self, events: &[Event]) {
        for event in events {
            self.fact(event.clone());
        }
    }

    /// Commits what a command decided, and hands it on.
    pub(super) fn commit(&mut self, decided: Result<Vec<Event>, Refusal>) -> Vec<Event> {
        let events = decided.unwrap();
        self.facts(&events);
        events
    }

    /// Registers a person with these roles and an open ticket, which is returned.
    pub(super) fn register(&mut self, name: &str, roles: &[&str]) -> Digest {
        let ticket = self.digest();
        let roles = roles.iter().map(|role| role.parse().unwrap()).collect();
        let new = NewPerson { name: named(name), roles, ticket: Some(ticket) };
        self.commit(persons::register(&self.world, &new, self.now));
        ticket
    }

    /// Issues a person another ticket.
    pub(super) fn ticket(&mut self, name: &str) -> Digest {
        let (ticket, no_reason) = (self.digest(), Label::default());
        let person = named(name);
        let issued = persons::issue_ticket(&self.world, &person, ticket, no_reason, self.now);
        self.commit(issued);
        ticket
    }

    /// Uses a ticket; returns the password's id.
    pub(super) fn enrol(&mut self, ticket: Digest) -> Uuid {
        let (credential, sealed) = (self.id(), self.digest());
        let (alone, from) = (true, None);
        let enrolment = Enrolment { ticket, credential, sealed, alone, from };
        self.commit(enrol(&self.world, &enrolment, self.now));
        credential
    }

    /// A person who can log in; returns the password's id.
    pub(super) fn person(&mut self, name: &str) -> Uuid {
        let ticket = self.register(name, &[]);
        self.enrol(ticket)
    }

    pub(super) fn begin(&self, name: &str) -> Result<Attempt, Refusal> {
        login::begin(&self.world, Some(&named(name)), approach(name), self.now)
    }

    pub(super) fn conclude(
        &mut self,
        attempt: &Attempt,
        right: bool,
    ) -> Result<Vec<Event>, Refusal> {
        self.judged(attempt, Verdict::of(right))
    }

    /// The same with all that may be found about a password.
    pub(super) fn judged(
        &mut self,
        attempt: &Attempt,
        verdict: Verdict,
    ) -> Result<Vec<Event>, Refusal> {
        let tokens = self.tokens();
        let events = login::conclude(&self.world, attempt, &verdict, &tokens, self.now)?;
        self.facts(&events);
        Ok(events)
    }

    /// A whole login by password.
    pub(super) fn password(&mut self, name: &str, right: bool) -> Result<Vec<Event>, Refusal> {
        let attempt = self.begin(name)?;
        self.conclude(&attempt, right)
    }

    /// A session at AAL1.
    pub(super) fn log_in(&mut self, name: &str) -> Uuid {
        let events = self.password(name, true).unwrap();
        match outcome(&events) {
            Outcome::Started { session, .. } => session,
            other => panic!("{other:?}"),
        }
    }

    /// Offers a TOTP authenticator; returns its id.
    pub(super) fn offer(&mut self, session: Uuid) -> Result<Uuid, Refusal> {
        let (credential, sealed) = (self.id(), self.digest());
        let offer = Offer { credential, sealed, label: Label::default() };
        let events = mfa::offer(&self.world, session, &offer, self.now)?;
        self.facts(&events);
        Ok(credential)
    }

    /// Concludes on a code of a step, or on a wrong one.
    pub(super) fn code(
        &mut self,
        session: Uuid,
        credential: Uuid,
        step: Option<u64>,
    ) -> Result<Vec<Event>, Refusal> {
        let tokens = self.tokens();
        let verdict = MfaVerdict { session, credential, step };
        let events = mfa::conclude(&self.world, &verdict, &tokens, self.now)?;
        self.facts(&events);
        Ok(events)
    }

    /// A session at AAL2 of a person without a second factor so far, and that factor,
    /// whose step 1 is used up.
    pub(super) fn second_factor(&mut self, name: &str) -> (Uuid, Uuid) {
        let session = self.log_in(name);
        let totp = self.offer(session).unwrap();
        self.code(session, totp, Some(1)).unwrap();
        (session, totp)
    }

    /// A token of an identity provider for users of type `User`.
    pub(super) fn provider(&mut self, source: &str, max_aal: Aal) -> Uuid {
        let user_type = EntityType::user();
        self.bound(Some(SourceBinding { source: source.to_owned(), user_type, max_aal }))
    }

    /// A token of scope ingest with any binding, one that no command would make too.
    pub(super) fn bound(&mut self, binding: Option<SourceBinding>) -> Uuid {
        let (service, token) = (self.id(), self.digest());
        self.fact(Event::ServiceRegistered(ServiceRegistered {
            service,
            label: "provider".parse().unwrap(),
            scopes: [Scope::Ingest].into_iter().collect(),
            token,
            binding,
            session: None,
        }));
        service
    }

    /// The ids of a user's sessions, oldest first.
    pub(super) fn sessions(&self, name: &str) -> Vec<Uuid> {
        let user = self.world.user(&named(name));
        self.world.sessions.of_user(&user).map(|session| session.id).collect()
    }
}

/// The short type names of some events, such as `password.verified`.
pub(super) fn names(events: &[Event]) -> Vec<&'static str> {
    let short = |name: &'static str| {
        name.strip_prefix("countersign.").and_then(|name| name.strip_suffix(".v1")).unwrap()
    };
    events.iter().map(|event| short(event.type_name())).collect()
}
