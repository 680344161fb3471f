//! What persons do about their authenticators and sessions, and how they get back in.

use std::sync::Arc;

use countersign::authn::mfa::{self, MfaVerdict, Offer};
use countersign::authn::recovery::{self, CodeSet, RecoveryVerdict};
use countersign::authn::{authenticators, sessions};
use countersign::event::Event;
use countersign::model::{Aal, Label};
use countersign::projection::Session;
use proptest::prelude::*;
use proptest::sample::Index as Pick;
use uuid::Uuid;

use super::{Course, NAMES, label, name, pick};

/// One of these.
#[derive(Clone, Debug)]
pub enum Way {
    Bind(Pick),
    Codes(Pick),
    Recover(usize, bool),
    Rename(Pick, Pick),
    Remove(Pick, Pick),
    End(Pick, Pick),
    EndAll(Pick, bool),
    Out(usize),
    Anew(usize),
}

pub fn way(who: impl Strategy<Value = usize> + Clone + 'static) -> impl Strategy<Value = Way> {
    let two = || (any::<Pick>(), any::<Pick>());
    prop_oneof![
        8 => any::<Pick>().prop_map(Way::Bind),
        8 => any::<Pick>().prop_map(Way::Codes),
        8 => (who.clone(), prop::bool::weighted(0.6))
            .prop_map(|(who, right)| Way::Recover(who, right)),
        2 => two().prop_map(|(session, which)| Way::Rename(session, which)),
        3 => two().prop_map(|(session, which)| Way::Remove(session, which)),
        1 => two().prop_map(|(session, which)| Way::End(session, which)),
        1 => (any::<Pick>(), any::<bool>()).prop_map(|(session, all)| Way::EndAll(session, all)),
        1 => who.clone().prop_map(Way::Out),
        1 => who.prop_map(Way::Anew),
    ]
}

impl Course {
    pub(super) fn take_way(&mut self, way: &Way) -> Option<Vec<Event>> {
        let now = self.now;
        match way {
            Way::Bind(which) => self.bind(*which),
            Way::Codes(which) => {
                let (session, set) = (self.strong(*which)?, self.code_set());
                recovery::issue(&self.live, session, set, now).ok()
            }
            Way::Recover(who, right) => self.recover(*who, *right),
            Way::Rename(session, which) => {
                let (session, id) = self.held(*session, *which)?;
                authenticators::rename(&self.live, session, id, label("mine"), now).ok()
            }
            Way::Remove(session, which) => {
                let (session, id) = self.held(*session, *which)?;
                authenticators::remove(&self.live, session, id, now).ok()
            }
            Way::End(session, which) => {
                let (session, ended) = (self.session(*session)?, self.session(*which)?);
                sessions::end(&self.live, session, ended, now).ok()
            }
            Way::EndAll(session, all) => {
                sessions::end_others(&self.live, self.session(*session)?, *all, now).ok()
            }
            Way::Out(who) => {
                sessions::end_of(&self.live, &name(*who), None, &Label::default()).ok()
            }
            Way::Anew(who) => {
                let ticket = self.digest();
                let anew = authenticators::re_enrol(
                    &self.live,
                    &name(*who),
                    None,
                    ticket,
                    &Label::default(),
                    now,
                )
                .ok()?;
                self.tickets.push(ticket);
                Some(anew)
            }
        }
    }

    fn code_set(&mut self) -> CodeSet {
        CodeSet { credential: self.id(), sealed: self.digest() }
    }

    /// Offers an authenticator in somebody's session and confirms it at once.
    fn bind(&mut self, which: Pick) -> Option<Vec<Event>> {
        let here = self.live.sessions.iter().filter(|session| session.person.is_some());
        let mut all: Vec<_> = here.map(|session| session.id).collect();
        all.sort_unstable();
        let session = *pick(&all, which)?;
        let (credential, sealed) = (self.id(), self.digest());
        let offer = Offer { credential, sealed, label: label("by course") };
        let offered = mfa::offer(&self.live, session, &offer, self.now).ok()?;
        self.record(offered);
        let step = Some(self.now.seconds() / 30);
        let (verdict, tokens) = (MfaVerdict { session, credential, step }, self.tokens());
        mfa::conclude(&self.live, &verdict, &tokens, self.now).ok()
    }

    /// A session of two factors, most of which are here.
    fn strong(&self, which: Pick) -> Option<Uuid> {
        let is_strong = |session: &&Arc<Session>| session.aal >= Aal::TWO;
        let all = self.live.sessions.iter().filter(is_strong);
        let mut all: Vec<_> =
            all.filter(|it| it.person.is_some()).map(|session| session.id).collect();
        all.sort_unstable();
        pick(&all, which).copied()
    }

    /// A session and something that its person holds.
    fn held(&self, session: Pick, which: Pick) -> Option<(Uuid, Uuid)> {
        let session = self.strong(session)?;
        let person = self.live.sessions.get(&session)?.person.clone()?;
        let held: Vec<_> = self.live.identities.get(&person)?.credentials().collect();
        Some((session, *pick(&held, which)?))
    }

    /// Whoever has codes comes before others.
    fn recover(&mut self, who: usize, right: bool) -> Option<Vec<Event>> {
        let has_codes = |who: &usize| {
            let person = self.live.identities.get(&name(*who));
            person.is_some_and(|person| person.recovery.is_some())
        };
        let who = (0..NAMES.len()).find(has_codes).unwrap_or(who);
        let (name, tokens) = (name(who), self.tokens());
        let from = self.approach(&name);
        let attempt = recovery::begin(&self.live, Some(&name), from, self.now).ok()?;
        let verdict = if right && attempt.set.is_some() {
            RecoveryVerdict::Right(self.code_set())
        } else {
            RecoveryVerdict::WrongCode
        };
        recovery::conclude(&self.live, &attempt, verdict, &tokens, self.now).ok()
    }
}
