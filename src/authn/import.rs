//! Persons and their passwords' hashes, brought along from another system.

use uuid::Uuid;

use super::Refusal;
use crate::event::{Event, PasswordImported, PasswordScheme, PersonRegistered};
use crate::model::{Digest, Label, Username};
use crate::projection::World;

/// A person to be made known with a password that was hashed elsewhere; the vault holds
/// the hash already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The login name.
    pub name: Username,
    /// How the password was hashed.
    pub scheme: PasswordScheme,
    /// The new credential's id.
    pub credential: Uuid,
    /// SHA-256 of the sealed hash in the vault.
    pub sealed: Digest,
    /// Why; may be empty.
    pub reason: Label,
}

/// Makes a person known with their password. Only persons who were not known: so nobody
/// chooses a password for somebody who has an account here.
///
/// # Errors
/// [`Refusal::PersonExists`].
///
/// # Source
/// ASVS 5.0 6.4.6: an administrator does not choose a person's password.
pub fn import(world: &World, import: &Import) -> Result<Vec<Event>, Refusal> {
    let person = import.name.clone();
    if world.identities.get(&person).is_some() {
        return Err(Refusal::PersonExists { person });
    }
    let Import { scheme, credential, sealed, reason, .. } = import.clone();
    let imported = PasswordImported { person: person.clone(), credential, sealed, scheme, reason };
    Ok(vec![
        Event::PersonRegistered(PersonRegistered { person }),
        Event::PasswordImported(imported),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authn::fixture::{Story, named, names};
    use crate::authn::login::Verdict;
    use crate::event::SessionPurpose;
    use crate::projection::PasswordCredential;

    fn imported(story: &mut Story, name: &str) -> Result<Vec<Event>, Refusal> {
        let (credential, sealed) = (story.id(), story.digest());
        let scheme = PasswordScheme::Bcrypt;
        let (name, reason) = (named(name), Label::default());
        let events = import(&story.world, &Import { name, scheme, credential, sealed, reason })?;
        story.facts(&events);
        Ok(events)
    }

    fn password(story: &Story, name: &str) -> PasswordCredential {
        story.world.identities.get(&named(name)).unwrap().password.clone().unwrap()
    }

    #[test]
    fn who_is_known_here_is_not_imported() {
        let mut story = Story::new();
        let told = imported(&mut story, "alice").unwrap();
        assert_eq!(names(&told), ["person.registered", "password.imported"]);
        story.register("bob", &[]);
        for person in ["alice", "bob"].map(named) {
            let refused = imported(&mut story, person.as_str());
            assert_eq!(refused, Err(Refusal::PersonExists { person }));
        }
    }

    /// Goal: at the first right login the hash is replaced in the same commit, and what it
    /// was, and how many have failed at it before, is forgotten.
    #[test]
    fn an_imported_password_is_hashed_anew_when_it_is_first_given() {
        let mut story = Story::new();
        imported(&mut story, "alice").unwrap();
        assert_eq!(password(&story, "alice").imported, Some(PasswordScheme::Bcrypt));
        story.password("alice", false).unwrap();
        assert_eq!(password(&story, "alice").credential.failures, 1);

        let attempt = story.begin("alice").unwrap();
        let anew = (story.id(), story.digest());
        let verdict = Verdict { rehashed: Some(anew), ..Verdict::RIGHT };
        let events = story.judged(&attempt, verdict).unwrap();

        let told = ["password.verified", "password.rehashed", "session.started"];
        assert_eq!(names(&events), told);
        let now = password(&story, "alice");
        assert_eq!((now.credential.id, now.credential.sealed), anew);
        assert_eq!((now.credential.failures, now.short, now.imported), (0, false, None));
    }

    /// Goal: two who log in at once, each with the hash before, both get in.
    #[test]
    fn a_password_hashed_anew_meanwhile_is_the_same_password() {
        let mut story = Story::new();
        imported(&mut story, "alice").unwrap();
        let attempts = [story.begin("alice").unwrap(), story.begin("alice").unwrap()];
        for attempt in &attempts {
            let rehashed = Some((story.id(), story.digest()));
            story.judged(attempt, Verdict { rehashed, ..Verdict::RIGHT }).unwrap();
        }
        assert_eq!(story.sessions("alice").len(), 2);
        let third = story.conclude(&attempts[0], true).unwrap();
        assert_eq!(names(&third), ["password.refused"], "of the hash before the last, no more");
    }

    /// Goal: SP 800-63B-4 §3.1.1.2 (1) for those who bring a shorter one along.
    #[test]
    fn an_imported_password_that_is_too_short_alone_must_be_changed_at_once() {
        let mut story = Story::new();
        imported(&mut story, "alice").unwrap();
        let attempt = story.begin("alice").unwrap();
        let rehashed = Some((story.id(), story.digest()));
        let verdict = Verdict { matches: true, alone: false, rehashed };
        story.judged(&attempt, verdict).unwrap();
        assert!(password(&story, "alice").short);
        let session = story.world.sessions.get(&story.sessions("alice")[0]).unwrap();
        assert_eq!(session.purpose, SessionPurpose::PasswordChange);
    }
}
