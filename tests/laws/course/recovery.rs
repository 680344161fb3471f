//! What persons do about their authenticators and sessions, and how they get back in.

use countersign::authn::recovery::{self, CodeSet, RecoveryVerdict};
use countersign::authn::{authenticators, sessions};
use countersign::event::Event;
use proptest::prelude::*;
use proptest::sample::Index as Pick;
use uuid::Uuid;

use super::{Course, label, name, pick};

/// One of these.
#[derive(Clone, Debug)]
pub enum Way {
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
        3 => any::<Pick>().prop_map(Way::Codes),
        4 => (who.clone(), prop::bool::weighted(0.6))
            .prop_map(|(who, right)| Way::Recover(who, right)),
        1 => two().prop_map(|(session, which)| Way::Rename(session, which)),
        2 => two().prop_map(|(session, which)| Way::Remove(session, which)),
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
            Way::Codes(which) => {
                let (session, set) = (self.session(*which)?, self.code_set());
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
            Way::Out(who) => sessions::end_of(&self.live, &name(*who), None).ok(),
            Way::Anew(who) => {
                let ticket = self.digest();
                let anew =
                    authenticators::re_enrol(&self.live, &name(*who), None, ticket, now).ok()?;
                self.tickets.push(ticket);
                Some(anew)
            }
        }
    }

    fn code_set(&mut self) -> CodeSet {
        CodeSet { credential: self.id(), sealed: self.digest() }
    }

    /// A session and something that its person holds.
    fn held(&self, session: Pick, which: Pick) -> Option<(Uuid, Uuid)> {
        let session = self.session(session)?;
        let person = self.live.sessions.get(&session)?.person.clone()?;
        let held: Vec<_> = self.live.identities.get(&person)?.credentials().collect();
        Some((session, *pick(&held, which)?))
    }

    fn recover(&mut self, who: usize, right: bool) -> Option<Vec<Event>> {
        let (name, tokens) = (name(who), self.tokens());
        let from = self.approach(&name);
        let attempt = recovery::begin(&self.live, Some(&name), from, self.now).ok()?;
        let verdict = match right {
            true if attempt.set.is_some() => RecoveryVerdict::Right(self.code_set()),
            _ => RecoveryVerdict::WrongCode,
        };
        recovery::conclude(&self.live, &attempt, verdict, &tokens, self.now).ok()
    }
}
