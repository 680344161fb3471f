//! What happens to passwords, and to those who guess at them.

use countersign::authn::change::{self, Change};
use countersign::authn::import::{Import, import};
use countersign::authn::login::{self, Verdict};
use countersign::authn::persons;
use countersign::authn::throttle::Approach;
use countersign::event::{AttemptsThrottled, Event, PasswordScheme, TicketRefused};
use countersign::model::{Digest, Label, Username};
use proptest::sample::Index as Pick;

use super::{Course, name};

impl Course {
    /// From one of three networks, or from a device that is known.
    pub(super) fn approach(&self, name: &Username) -> Approach {
        let place = self.drawn % 4;
        Approach {
            name_tag: Digest::of(name.as_str()),
            source: Digest::of([b's', u8::try_from(place).unwrap()]),
            device: (place == 3).then(|| Digest::of("a device")),
        }
    }

    pub(super) fn login(&mut self, who: usize, right: bool) -> Option<Vec<Event>> {
        let (name, tokens) = (name(who), self.tokens());
        let from = self.approach(&name);
        let attempt = login::begin(&self.live, Some(&name), from, self.now).ok()?;
        let known = self.live.identities.get(&name).and_then(|person| person.password.clone());
        let imported = known.is_some_and(|password| password.imported.is_some());
        let rehashed = (right && imported).then(|| (self.id(), self.digest()));
        let verdict = Verdict { matches: right, alone: !self.drawn.is_multiple_of(5), rehashed };
        login::conclude(&self.live, &attempt, &verdict, &tokens, self.now).ok()
    }

    pub(super) fn import(&mut self, who: usize) -> Option<Vec<Event>> {
        let (credential, sealed) = (self.id(), self.digest());
        let scheme = PasswordScheme::Bcrypt;
        let (name, reason) = (name(who), Label::default());
        import(&self.live, &Import { name, scheme, credential, sealed, reason }).ok()
    }

    pub(super) fn compromise(&mut self, who: usize) -> Option<Vec<Event>> {
        persons::password_compromised(&self.live, &name(who), Label::default()).ok()
    }

    pub(super) fn change_password(&mut self, which: Pick, right: bool) -> Option<Vec<Event>> {
        let session = self.session(which)?;
        let person = self.live.sessions.get(&session)?.person.clone()?;
        let from = self.approach(&person);
        let attempt = change::begin(&self.live, session, from, self.now).ok()?;
        if !right {
            return change::refuse(&self.live, &attempt, self.now).ok();
        }
        let (credential, sealed, tokens) = (self.id(), self.digest(), self.tokens());
        let change = Change { session, attempt, credential, sealed, alone: true };
        change::conclude(&self.live, &change, &tokens, self.now).ok()
    }

    pub(super) fn turn_away(&mut self) -> Vec<Event> {
        let from = self.live.not_before_last(self.now);
        let (to, count, names, sources) = (from.plus_seconds(59), self.drawn, 3, 2);
        let ticket = self.digest();
        vec![
            Event::AttemptsThrottled(AttemptsThrottled { from, to, count, names, sources }),
            Event::TicketRefused(TicketRefused { ticket }),
        ]
    }
}
