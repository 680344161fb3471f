//! What persons do, and what is done to them.

use countersign::authn::enrol::{Enrolment, enrol};
use countersign::authn::erase;
use countersign::authn::mfa::{MfaVerdict, Offer, conclude as conclude_mfa, offer};
use countersign::authn::persons::{self, NewPerson};
use countersign::authn::session;
use countersign::event::Event;
use countersign::model::{Label, Uid};
use proptest::sample::Index as Pick;

use super::{Course, NAMES, ROLES, Step, label, name, pick};

impl Course {
    pub(super) fn take_of_person(&mut self, step: &Step) -> Option<Vec<Event>> {
        let now = self.now;
        match step {
            Step::Register(who, roles) => self.register(*who, roles),
            Step::Ticket(who) => {
                let ticket = self.digest();
                let issued =
                    persons::issue_ticket(&self.live, &name(*who), ticket, Label::default(), now)
                        .ok()?;
                self.tickets.push(ticket);
                Some(issued)
            }
            Step::Enrol(which) => {
                let ticket = *pick(&self.tickets, *which)?;
                let (credential, sealed) = (self.id(), self.digest());
                let (alone, from) = (self.drawn.is_multiple_of(2), None);
                let enrolment = Enrolment { ticket, credential, sealed, alone, from };
                enrol(&self.live, &enrolment, now).ok()
            }
            Step::Disable(who) => persons::disable(&self.live, &name(*who), Label::default()).ok(),
            Step::Erase(who) => self.erase(*who),
            Step::Role(who, role, true) => {
                persons::grant_role(&self.live, &name(*who), &label(ROLES[*role])).ok()
            }
            Step::Role(who, role, false) => {
                persons::revoke_role(&self.live, &name(*who), &label(ROLES[*role])).ok()
            }
            Step::Login(who, right) => self.login(*who, *right),
            Step::Import(who) => self.import(*who),
            Step::Compromise(who) => self.compromise(*who),
            Step::Change(which, right) => self.change_password(*which, *right),
            Step::TurnAway => Some(self.turn_away()),
            Step::Offer(which) => {
                let session = self.session(*which)?;
                let (credential, sealed) = (self.id(), self.digest());
                offer(
                    &self.live,
                    session,
                    &Offer { credential, sealed, label: Label::default() },
                    now,
                )
                .ok()
            }
            Step::Code(which, right) => self.code(*which, *right),
            Step::LogOut(which) => session::log_out(&self.live, self.session(*which)?, now).ok(),
            _ => None,
        }
    }

    /// Erases a person; the key goes as it does in a node.
    fn erase(&mut self, who: usize) -> Option<Vec<Event>> {
        let user = self.live.user(&name(who));
        let key = self.sealer.keys().known_or_new(&user).unwrap().id();
        let reason = Label::default();
        let erased = erase::person(&self.live, &name(who), &user, vec![key], &reason).ok()?;
        self.sealer.keys().destroy_key(&user, key).unwrap();
        Some(erased)
    }

    pub(super) fn forget(&mut self, who: usize) -> Option<Vec<Event>> {
        let user = Uid::parse("User", NAMES[who]).unwrap();
        let key = self.sealer.keys().known(&user).unwrap()?.id();
        self.sealer.keys().destroy_key(&user, key).unwrap();
        Some(vec![erase::subject(user, vec![key], Label::default())])
    }

    fn register(&mut self, who: usize, roles: &[usize]) -> Option<Vec<Event>> {
        let ticket = self.digest();
        let roles = roles.iter().map(|role| label(ROLES[*role])).collect();
        let new = NewPerson { name: name(who), roles, ticket: Some(ticket) };
        let registered = persons::register(&self.live, &new, self.now).ok()?;
        self.tickets.push(ticket);
        Some(registered)
    }

    fn code(&mut self, which: Pick, right: bool) -> Option<Vec<Event>> {
        let session = self.session(which)?;
        let person = self.live.sessions.get(&session)?.person.clone()?;
        let person = self.live.identities.get(&person)?;
        let pending = person.pending_totp.as_ref().map(|pending| pending.credential.id);
        let in_use = person.totps.first().map(|totp| totp.credential.id);
        let credential = pending.or(in_use)?;
        let step = right.then(|| self.now.seconds() / 30);
        let verdict = MfaVerdict { session, credential, step };
        let tokens = self.tokens();
        conclude_mfa(&self.live, &verdict, &tokens, self.now).ok()
    }
}
