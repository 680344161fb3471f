//! From a one-time ticket to a password.

use uuid::Uuid;

use super::throttle::Approach;
use super::{Refusal, session};
use crate::event::{
    CredentialRemoved, Event, PasswordEnrolled, PasswordGrounds, SessionEnding, TicketUsed,
};
use crate::model::{Digest, Moment, Username};
use crate::projection::{Person, World};

/// A password set with a ticket; the vault holds its hash already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// SHA-256 of the ticket.
    pub ticket: Digest,
    /// The new credential's id.
    pub credential: Uuid,
    /// SHA-256 of the sealed hash in the vault.
    pub sealed: Digest,
    /// Whether the password is long enough to be the only factor.
    pub alone: bool,
    /// Where it is set from: failures from there count no more.
    pub from: Option<Approach>,
}

/// Whose ticket this is, so that the shell can judge the password and seal its hash.
///
/// # Errors
/// [`Refusal::TicketInvalid`] if it is unknown, used or lapsed, or its person disabled.
pub fn ticket_holder(world: &World, ticket: &Digest, now: Moment) -> Result<Username, Refusal> {
    holder(world, ticket, now).map(|person| person.name.clone())
}

/// Uses up the ticket and sets the password. What was disabled of the person's goes, each
/// by an event of its own, so that it may be bound anew. All sessions of the person end:
/// whoever had the old password may be in one. Linear in the sessions there are.
///
/// # Errors
/// [`Refusal::TicketInvalid`] as above: of two who use one ticket, the second.
///
/// # Source
/// SP 800-63B-4 §4.1; ASVS 5.0 6.4.1, 7.4.3.
pub fn enrol(world: &World, enrolment: &Enrolment, now: Moment) -> Result<Vec<Event>, Refusal> {
    let person = holder(world, &enrolment.ticket, now)?;
    let name = &person.name;
    let used = TicketUsed { person: name.clone(), ticket: enrolment.ticket };
    let enrolled = PasswordEnrolled {
        person: name.clone(),
        credential: enrolment.credential,
        sealed: enrolment.sealed,
        alone: Some(enrolment.alone),
        grounds: PasswordGrounds::Ticket,
        buckets: enrolment.from.map(|from| from.buckets()).unwrap_or_default(),
    };
    let mut events = vec![Event::TicketUsed(used)];
    events.extend(dropped(person));
    events.push(Event::PasswordEnrolled(enrolled));
    events.extend(session::end_all(world, name, SessionEnding::PasswordEnrolled));
    Ok(events)
}

/// The end of what a ticket's password leaves no place for: the ticket vouches for the
/// person, and what was disabled could not be used by anybody. The password itself is named
/// by the one that takes its place.
fn dropped(person: &Person) -> impl Iterator<Item = Event> {
    let password = person.password.as_ref().map(|password| password.credential.id);
    let pending = person.pending_totp.as_ref().map(|pending| pending.credential.id);
    let stays = move |id| Some(id) == password || Some(id) == pending;
    let gone = person.sealed().filter(move |it| it.disabled && !stays(it.id));
    gone.map(|it| {
        let (person, credential) = (person.name.clone(), it.id);
        Event::CredentialRemoved(CredentialRemoved { person, credential })
    })
}

fn holder<'a>(world: &'a World, ticket: &Digest, now: Moment) -> Result<&'a Person, Refusal> {
    let open = |person: &&Person| {
        let ticket = person.ticket.as_ref();
        !person.disabled && ticket.is_some_and(|ticket| now < ticket.expires_at)
    };
    let person = world.identities.by_ticket(ticket).map(AsRef::as_ref);
    person.filter(open).ok_or(Refusal::TicketInvalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authn::fixture::{Story, named, names};
    use crate::authn::persons;
    use crate::event::DecisionSettings;
    use crate::model::{EntityType, Label};

    fn attempt(story: &mut Story, ticket: Digest) -> Result<Vec<Event>, Refusal> {
        let (credential, sealed, alone) = (story.id(), story.digest(), true);
        let enrolment = Enrolment { ticket, credential, sealed, alone, from: None };
        enrol(&story.world, &enrolment, story.now)
    }

    #[test]
    fn a_ticket_names_its_holder_and_sets_a_password() {
        let mut story = Story::new();
        let ticket = story.register("alice", &[]);
        assert_eq!(ticket_holder(&story.world, &ticket, story.now), Ok(named("alice")));

        let events = attempt(&mut story, ticket).unwrap();

        assert_eq!(names(&events), ["ticket.used", "password.enrolled"]);
    }

    #[test]
    fn unknown_used_lapsed_and_barred_tickets_get_one_answer() {
        let mut story = Story::new();
        let unknown = story.digest();
        let used = story.register("used", &[]);
        story.enrol(used);
        let barred = story.register("barred", &[]);
        let disabled = persons::disable(&story.world, &named("barred"), Label::default());
        story.commit(disabled);
        let replaced = story.register("replaced", &[]);
        story.ticket("replaced");
        let lapsed = story.register("lapsed", &[]);
        story.pass(story.world.settings.session.ticket_s);

        for ticket in [unknown, used, barred, replaced, lapsed] {
            let refused = ticket_holder(&story.world, &ticket, story.now);
            assert_eq!(refused, Err(Refusal::TicketInvalid));
            assert_eq!(attempt(&mut story, ticket), Err(Refusal::TicketInvalid));
        }
    }

    #[test]
    fn a_ticket_counts_to_its_last_moment() {
        let mut story = Story::new();
        let ticket = story.register("alice", &[]);
        story.pass(story.world.settings.session.ticket_s - 1);
        assert!(attempt(&mut story, ticket).is_ok());
    }

    #[test]
    fn of_two_who_use_one_ticket_the_second_is_refused() {
        let mut story = Story::new();
        let ticket = story.register("alice", &[]);
        let first = story.enrol(ticket);

        assert_eq!(attempt(&mut story, ticket), Err(Refusal::TicketInvalid));

        let alice = story.world.identities.get(&named("alice")).unwrap();
        assert_eq!(alice.password.as_ref().map(|password| password.credential.id), Some(first));
    }

    /// Goal: whoever knew the old password is out, under whatever type the person's
    /// sessions began; others stay.
    #[test]
    fn a_new_password_ends_every_session_of_its_person() {
        let mut story = Story::new();
        story.person("alice");
        story.person("bob");
        let (first, others) = (story.log_in("alice"), story.log_in("bob"));
        let settings = DecisionSettings {
            user_type: EntityType::new("Staff").unwrap(),
            ..DecisionSettings::default()
        };
        story.fact(Event::SettingsAdopted(settings));
        let second = story.log_in("alice");
        let ticket = story.ticket("alice");

        let events = attempt(&mut story, ticket).unwrap();
        story.facts(&events);

        let why = SessionEnding::PasswordEnrolled;
        assert_eq!(events[2..], [session::ended(first, why), session::ended(second, why)]);
        assert_eq!(story.world.sessions.iter().map(|it| it.id).collect::<Vec<_>>(), [others]);
    }
}
