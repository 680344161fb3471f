//! Erasing a person, and what is personal of an entity. Who may do it is decided by the
//! system policies, before; the keys are destroyed by the shell, after.

use super::{Refusal, persons, session};
use crate::event::{Event, PersonDisabled, PersonErased, SessionEnding, SubjectErased};
use crate::model::{KeyId, Label, Uid, Username};
use crate::projection::World;

/// Erases a person: they can never log in again, every session of theirs ends, also those
/// that an identity provider reported, and what is sealed under `keys` of their entity
/// `subject` is as good as gone. The name stays taken. Linear in the sessions there are.
///
/// # Errors
/// [`Refusal::PersonUnknown`]; [`Refusal::PersonErased`] if they are already;
/// [`Refusal::LastAdministrator`].
pub fn person(
    world: &World,
    person: &Username,
    subject: &Uid,
    keys: Vec<KeyId>,
    reason: &Label,
) -> Result<Vec<Event>, Refusal> {
    let known = persons::known(world, person)?;
    if known.erased {
        return Err(Refusal::PersonErased { person: person.clone() });
    }
    persons::check_another_administrator(world, known)?;
    let mut events = Vec::new();
    if !known.disabled {
        let (person, reason) = (person.clone(), reason.clone());
        events.push(Event::PersonDisabled(PersonDisabled { person, reason }));
    }
    events.extend(session::end_all_of(world, person, subject, |id| {
        session::ended(id, SessionEnding::PersonDisabled)
    }));
    let (person, why) = (person.clone(), reason.clone());
    events.push(Event::PersonErased(PersonErased { person, reason: why }));
    events.push(self::subject(subject.clone(), keys, reason.clone()));
    Ok(events)
}

/// Erases what is personal of an entity, and of what requests have said about it, as far
/// as it is sealed under these keys.
#[must_use]
pub fn subject(subject: Uid, keys: Vec<KeyId>, reason: Label) -> Event {
    Event::SubjectErased(SubjectErased { subject, keys, reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authn::fixture::{Story, named, names};
    use crate::model::Digest;

    fn key() -> KeyId {
        KeyId::of(&Digest::of("a key"))
    }

    fn erase(story: &Story, name: &str) -> Result<Vec<Event>, Refusal> {
        let (name, reason) = (named(name), "asked for".parse().unwrap());
        person(&story.world, &name, &story.world.user(&name), vec![key()], &reason)
    }

    #[test]
    fn nothing_but_the_name_is_left_of_an_erased_person() {
        let mut story = Story::new();
        story.register("root", &["administrator"]);
        story.register("alice", &["auditor"]);

        let erased = erase(&story, "alice");
        let events = story.commit(erased);

        assert_eq!(names(&events), ["person.disabled", "person.erased", "subject.erased"]);
        let alice = story.world.identities.get(&named("alice")).unwrap();
        assert!(alice.erased && alice.disabled && alice.roles.is_empty());
        assert!(alice.password.is_none() && alice.ticket.is_none());
        assert!(story.world.erasures.contains(&key()));
        let again = Err(Refusal::PersonErased { person: named("alice") });
        assert_eq!(erase(&story, "alice"), again);
    }

    #[test]
    fn the_last_administrator_is_not_erased_and_nobody_unknown_is() {
        let mut story = Story::new();
        story.register("root", &["administrator"]);
        let last = Err(Refusal::LastAdministrator { person: named("root") });
        assert_eq!(erase(&story, "root"), last);
        assert_eq!(erase(&story, "bob"), Err(Refusal::PersonUnknown { person: named("bob") }));
    }

    #[test]
    fn a_disabled_person_can_be_erased() {
        let mut story = Story::new();
        story.register("bob", &[]);
        let disabled = persons::disable(&story.world, &named("bob"), Label::default());
        story.commit(disabled);
        let erased = erase(&story, "bob");
        assert_eq!(names(&story.commit(erased)), ["person.erased", "subject.erased"]);
    }
}
