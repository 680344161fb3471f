//! Administration of the persons who log in here. Who may do it is decided by the
//! system policies, before.

use std::collections::BTreeSet;

use super::{Refusal, session};
use crate::event::{
    Event, PasswordCompromised, PersonDisabled, PersonRegistered, RoleGranted, RoleRevoked,
    SessionEnding, TicketIssued,
};
use crate::model::{Digest, Label, Moment, Username};
use crate::projection::{Person, World};

/// The administrative roles that the system policies know.
pub const ROLES: [&str; 3] = [ADMINISTRATOR, "author", "auditor"];

/// The role that somebody must always have.
pub const ADMINISTRATOR: &str = "administrator";

/// Somebody to be made known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPerson {
    /// The login name.
    pub name: Username,
    /// Administrative roles; most persons have none.
    pub roles: Vec<Label>,
    /// SHA-256 of a ticket to set a password with.
    pub ticket: Option<Digest>,
}

/// Makes a person known, with roles and a ticket.
///
/// # Errors
/// [`Refusal::PersonExists`], [`Refusal::RoleUnknown`].
pub fn register(world: &World, new: &NewPerson, now: Moment) -> Result<Vec<Event>, Refusal> {
    if world.identities.get(&new.name).is_some() {
        return Err(Refusal::PersonExists { person: new.name.clone() });
    }
    new.roles.iter().try_for_each(check_role)?;
    let person = &new.name;
    let mut events = vec![Event::PersonRegistered(PersonRegistered { person: person.clone() })];
    let mut seen = BTreeSet::new();
    let roles = new.roles.iter().filter(|role| seen.insert(role.as_str()));
    events.extend(roles.map(|role| granted(person, role)));
    let ticket = new.ticket.map(|ticket| issued(world, person, ticket, Label::default(), now));
    events.extend(ticket);
    Ok(events)
}

/// Gives a person a ticket to set a password with, in place of one open before. The reason
/// may be empty.
///
/// # Errors
/// [`Refusal::PersonUnknown`], [`Refusal::PersonDisabled`].
pub fn issue_ticket(
    world: &World,
    person: &Username,
    ticket: Digest,
    reason: Label,
    now: Moment,
) -> Result<Vec<Event>, Refusal> {
    enabled(world, person)?;
    Ok(vec![issued(world, person, ticket, reason, now)])
}

/// Gives a person a role.
///
/// # Errors
/// [`Refusal::PersonUnknown`], [`Refusal::PersonDisabled`], [`Refusal::RoleUnknown`],
/// [`Refusal::RoleUnchanged`].
pub fn grant_role(world: &World, person: &Username, role: &Label) -> Result<Vec<Event>, Refusal> {
    check_role(role)?;
    if enabled(world, person)?.roles.contains(role.as_str()) {
        return Err(unchanged(person, role));
    }
    Ok(vec![granted(person, role)])
}

/// Takes a role from a person; one that is unknown by now too.
///
/// # Errors
/// [`Refusal::PersonUnknown`], [`Refusal::RoleUnchanged`],
/// [`Refusal::LastAdministrator`].
pub fn revoke_role(world: &World, person: &Username, role: &Label) -> Result<Vec<Event>, Refusal> {
    let known = known(world, person)?;
    if !known.roles.contains(role.as_str()) {
        return Err(unchanged(person, role));
    }
    if role.as_str() == ADMINISTRATOR {
        check_another_administrator(world, known)?;
    }
    let (person, role) = (person.clone(), role.clone());
    Ok(vec![Event::RoleRevoked(RoleRevoked { person, role })])
}

/// Bars a person from logging in and ends all sessions they have, those that an identity
/// provider vouches for too. Linear in the sessions there are.
///
/// # Errors
/// [`Refusal::PersonUnknown`]; [`Refusal::PersonDisabled`] if they are already;
/// [`Refusal::LastAdministrator`].
pub fn disable(world: &World, person: &Username, reason: Label) -> Result<Vec<Event>, Refusal> {
    check_another_administrator(world, enabled(world, person)?)?;
    let disabled = PersonDisabled { person: person.clone(), reason };
    let mut events = vec![Event::PersonDisabled(disabled)];
    let end = |session| session::ended(session, SessionEnding::PersonDisabled);
    events.extend(session::end_all_of(world, person, &world.user(person), end));
    Ok(events)
}

/// Takes a person's password for known to others: their sessions end, and the password
/// opens no more than a session for setting another one. Linear in the sessions there are.
///
/// Whoever knows it can do that too, if there is no second factor: then a ticket, handed
/// over in person, is the better way.
///
/// # Errors
/// [`Refusal::PersonUnknown`], [`Refusal::PersonDisabled`], [`Refusal::PasswordNotInUse`].
///
/// # Source
/// SP 800-63B-4 §3.1.1.2 (6).
pub fn password_compromised(
    world: &World,
    person: &Username,
    reason: Label,
) -> Result<Vec<Event>, Refusal> {
    let password = enabled(world, person)?.password.as_ref().ok_or(Refusal::PasswordNotInUse)?;
    let credential = password.credential.id;
    let compromised = PasswordCompromised { person: person.clone(), credential, reason };
    let mut events = vec![Event::PasswordCompromised(compromised)];
    events.extend(session::end_all(world, person, SessionEnding::PasswordCompromised));
    Ok(events)
}

pub(super) fn known<'a>(world: &'a World, person: &Username) -> Result<&'a Person, Refusal> {
    let known = world.identities.get(person).map(AsRef::as_ref);
    known.ok_or_else(|| Refusal::PersonUnknown { person: person.clone() })
}

fn enabled<'a>(world: &'a World, person: &Username) -> Result<&'a Person, Refusal> {
    let known = known(world, person)?;
    if known.disabled {
        return Err(Refusal::PersonDisabled { person: person.clone() });
    }
    Ok(known)
}

fn check_role(role: &Label) -> Result<(), Refusal> {
    if ROLES.contains(&role.as_str()) {
        return Ok(());
    }
    Err(Refusal::RoleUnknown { role: role.clone() })
}

/// Linear in the persons, for an administrator only.
pub(super) fn check_another_administrator(world: &World, leaving: &Person) -> Result<(), Refusal> {
    let counts = |person: &Person| !person.disabled && person.roles.contains(ADMINISTRATOR);
    let mut others = world.identities.iter().filter(|other| other.name != leaving.name);
    if !counts(leaving) || others.any(|other| counts(other)) {
        return Ok(());
    }
    Err(Refusal::LastAdministrator { person: leaving.name.clone() })
}

fn granted(person: &Username, role: &Label) -> Event {
    Event::RoleGranted(RoleGranted { person: person.clone(), role: role.clone() })
}

fn unchanged(person: &Username, role: &Label) -> Refusal {
    Refusal::RoleUnchanged { person: person.clone(), role: role.clone() }
}

fn issued(world: &World, person: &Username, ticket: Digest, reason: Label, now: Moment) -> Event {
    let expires_at = now.plus_seconds(world.settings.session.ticket_s);
    Event::TicketIssued(TicketIssued { person: person.clone(), ticket, expires_at, reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authn::fixture::{Story, named, names};

    fn label(text: &str) -> Label {
        text.parse().unwrap()
    }

    fn disable_now(story: &Story, name: &str) -> Result<Vec<Event>, Refusal> {
        disable(&story.world, &named(name), label("left"))
    }

    #[test]
    fn a_person_is_registered_with_roles_and_a_ticket() {
        let mut story = Story::new();
        let roles = vec![label("auditor"), label("author"), label("auditor")];
        let ticket = story.digest();
        let new = NewPerson { name: named("alice"), roles, ticket: Some(ticket) };

        let registered = register(&story.world, &new, story.now);
        let events = story.commit(registered);

        let wanted = ["person.registered", "role.granted", "role.granted", "ticket.issued"];
        assert_eq!(names(&events), wanted);
        let alice = story.world.identities.get(&named("alice")).unwrap();
        assert_eq!(alice.roles.iter().collect::<Vec<_>>(), ["auditor", "author"]);
        let expires_at = story.now.plus_seconds(86_400);
        assert_eq!(alice.ticket.as_ref().map(|it| it.expires_at), Some(expires_at));
    }

    #[test]
    fn a_name_is_taken_once_even_by_a_disabled_person() {
        let mut story = Story::new();
        story.register("alice", &[]);
        let disabled = disable_now(&story, "alice");
        story.commit(disabled);
        let new = NewPerson { name: named("Alice"), roles: Vec::new(), ticket: None };
        let refused = register(&story.world, &new, story.now);
        assert_eq!(refused, Err(Refusal::PersonExists { person: named("alice") }));
    }

    #[test]
    fn a_role_that_no_policy_knows_is_refused() {
        let mut story = Story::new();
        story.register("alice", &[]);
        let unknown = Refusal::RoleUnknown { role: label("root") };
        assert_eq!(unknown.to_string(), "`root` is not a role: use administrator, author, auditor");
        let new = NewPerson { name: named("bob"), roles: vec![label("root")], ticket: None };
        assert_eq!(register(&story.world, &new, story.now), Err(unknown.clone()));
        assert_eq!(grant_role(&story.world, &named("alice"), &label("root")), Err(unknown));
    }

    #[test]
    fn a_role_is_granted_and_revoked_once() {
        let mut story = Story::new();
        story.register("alice", &[]);
        let (alice, author) = (named("alice"), label("author"));
        let unchanged = Refusal::RoleUnchanged { person: alice.clone(), role: author.clone() };
        assert_eq!(revoke_role(&story.world, &alice, &author), Err(unchanged.clone()));
        let granted = grant_role(&story.world, &alice, &author);
        assert_eq!(names(&story.commit(granted)), ["role.granted"]);
        assert_eq!(grant_role(&story.world, &alice, &author), Err(unchanged));
        let revoked = revoke_role(&story.world, &alice, &author);
        assert_eq!(names(&story.commit(revoked)), ["role.revoked"]);
        assert!(story.world.identities.get(&alice).unwrap().roles.is_empty());
    }

    #[test]
    fn nobody_unknown_is_administered() {
        let mut story = Story::new();
        let (world, bob, role) = (&story.world.clone(), named("bob"), label("author"));
        let unknown = Err(Refusal::PersonUnknown { person: bob.clone() });
        assert_eq!(issue_ticket(world, &bob, story.digest(), Label::default(), story.now), unknown);
        assert_eq!(grant_role(world, &bob, &role), unknown);
        assert_eq!(revoke_role(world, &bob, &role), unknown);
        assert_eq!(disable(world, &bob, Label::default()), unknown);
    }

    #[test]
    fn a_disabled_person_gets_neither_ticket_nor_role() {
        let mut story = Story::new();
        story.register("bob", &[]);
        let disabled = disable_now(&story, "bob");
        story.commit(disabled);
        let (world, bob) = (&story.world.clone(), named("bob"));
        let refused = Err(Refusal::PersonDisabled { person: bob.clone() });
        assert_eq!(issue_ticket(world, &bob, story.digest(), Label::default(), story.now), refused);
        assert_eq!(grant_role(world, &bob, &label("author")), refused);
        assert_eq!(disable(world, &bob, Label::default()), refused);
    }

    /// Goal: there is always somebody who can undo a change.
    #[test]
    fn the_last_enabled_administrator_stays() {
        let mut story = Story::new();
        story.register("alice", &[ADMINISTRATOR]);
        story.register("bob", &[ADMINISTRATOR]);
        story.register("carol", &["auditor"]);
        let disabled = disable_now(&story, "bob");
        story.commit(disabled);
        let (alice, role) = (named("alice"), label(ADMINISTRATOR));
        let last = Err(Refusal::LastAdministrator { person: alice.clone() });
        assert_eq!(disable_now(&story, "alice"), last);
        assert_eq!(revoke_role(&story.world, &alice, &role), last);
        assert!(revoke_role(&story.world, &named("bob"), &role).is_ok(), "he counts no more");
        assert!(disable_now(&story, "carol").is_ok());

        let granted = grant_role(&story.world, &named("carol"), &role);
        story.commit(granted);
        assert!(disable_now(&story, "alice").is_ok());
        assert!(revoke_role(&story.world, &alice, &role).is_ok());
    }

    #[test]
    fn a_ticket_takes_the_place_of_the_one_before() {
        let mut story = Story::new();
        let first = story.register("alice", &[]);
        let second = story.ticket("alice");
        assert!(story.world.identities.by_ticket(&first).is_none());
        assert!(story.world.identities.by_ticket(&second).is_some());
    }
}
