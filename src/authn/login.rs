//! A login by password: begin, let the shell verify, conclude.

use uuid::Uuid;

use super::session::{self, LOCAL_SOURCE};
use super::{FreshTokens, Refusal, throttle};
use crate::event::{
    CredentialDisabled, Disabling, Event, PasswordRefused, PasswordVerified, Refused,
    SessionPurpose, SessionStarted,
};
use crate::model::{Digest, Method, Methods, Moment, Username};
use crate::projection::{Credential, Person, World};

/// A login that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// A keyed hash of the name as given.
    pub name_tag: Digest,
    /// The person, if there is one of that name.
    pub person: Option<Username>,
    /// The password to verify against: its id, and the SHA-256 of the sealed hash in
    /// the vault. If there is none, the shell verifies against a dummy all the same,
    /// so that a stranger cannot tell by the time it takes.
    pub credential: Option<(Uuid, Digest)>,
}

/// Finds what a password is to be verified against.
///
/// `name` is absent if what was typed cannot be a name. `name_tag` is a keyed hash of
/// what was typed (normalised, if it is a name): failures of names that nobody has are
/// counted by it, as those of persons are, so that both are refused alike.
///
/// # Errors
/// [`Refusal::Throttled`] if the last failures are too recent.
pub fn begin(
    world: &World,
    name: Option<&Username>,
    name_tag: Digest,
    now: Moment,
) -> Result<Attempt, Refusal> {
    let person = name.and_then(|name| world.identities.get(name)).map(AsRef::as_ref);
    check_throttle(world, person, &name_tag, now)?;
    Ok(Attempt {
        name_tag,
        person: person.map(|person| person.name.clone()),
        credential: person.and_then(usable).map(|password| (password.id, password.sealed)),
    })
}

/// Records the verdict: a session at AAL1 for a right password, a counted failure for
/// a wrong one; [`super::outcome()`] tells which. What has changed since
/// [`begin`] counts: a password that was disabled or replaced is not right any more.
///
/// # Errors
/// [`Refusal::Throttled`] if failures of other attempts have come in between. Then
/// nothing is recorded, whatever the verdict: an answer that differed for a right
/// password would tell it, and a burst of parallel attempts, were they counted, could
/// disable anybody's password at once.
///
/// # Source
/// SP 800-63B-4 §3.2.2: the limit of failures disables the authenticator.
pub fn conclude(
    world: &World,
    attempt: &Attempt,
    matches: bool,
    tokens: &FreshTokens,
    now: Moment,
) -> Result<Vec<Event>, Refusal> {
    let known = attempt.person.as_ref().and_then(|name| world.identities.get(name));
    let person = known.map(AsRef::as_ref);
    check_throttle(world, person, &attempt.name_tag, now)?;
    let tried = person.and_then(|person| {
        let password = usable(person)?;
        let same = attempt.credential == Some((password.id, password.sealed));
        same.then_some((person, password))
    });
    Ok(match tried {
        Some((person, password)) if matches => verified(world, person, password, tokens, now),
        Some((person, password)) => refused(world, attempt, person, password),
        // There was nothing to try, or it has gone since; a verdict on it says nothing.
        None => vec![Event::PasswordRefused(PasswordRefused {
            name_tag: attempt.name_tag,
            person: attempt.person.clone(),
            credential: attempt.credential.map(|(id, _)| id).or_else(|| password_id(person)),
            reason: Refused::Unknown,
        })],
    })
}

/// The password that a person can log in with.
fn usable(person: &Person) -> Option<&Credential> {
    person.password.as_ref().filter(|password| !password.disabled && !person.disabled)
}

fn password_id(person: Option<&Person>) -> Option<Uuid> {
    person.and_then(|person| person.password.as_ref()).map(|password| password.id)
}

/// Failures are counted with the password, a disabled one's included, and without one
/// with the name.
fn check_throttle(
    world: &World,
    person: Option<&Person>,
    name_tag: &Digest,
    now: Moment,
) -> Result<(), Refusal> {
    let (failures, failed_at) = match person.and_then(|person| person.password.as_ref()) {
        Some(password) => (password.failures, password.failed_at),
        None => world
            .identities
            .unknown(name_tag)
            .map_or((0, None), |name| (name.failures, Some(name.failed_at))),
    };
    throttle::check(failures, failed_at, now, &world.settings.throttle)
}

fn verified(
    world: &World,
    person: &Person,
    password: &Credential,
    tokens: &FreshTokens,
    now: Moment,
) -> Vec<Event> {
    let name = &person.name;
    let verified = PasswordVerified { person: name.clone(), credential: password.id };
    let mut events = vec![Event::PasswordVerified(verified)];
    events.extend(session::make_room(world, &world.user(name), LOCAL_SOURCE, now));
    events.push(Event::SessionStarted(SessionStarted {
        session: tokens.session,
        person: name.clone(),
        methods: Methods::default().with(Method::Pwd),
        token: tokens.token,
        session_token: tokens.session_token,
        purpose: SessionPurpose::Everything,
    }));
    events
}

fn refused(world: &World, attempt: &Attempt, person: &Person, password: &Credential) -> Vec<Event> {
    let mut events = vec![Event::PasswordRefused(PasswordRefused {
        name_tag: attempt.name_tag,
        person: Some(person.name.clone()),
        credential: Some(password.id),
        reason: Refused::Wrong,
    })];
    if password.failures.saturating_add(1) >= world.settings.throttle.failures_max_password {
        let disabled = CredentialDisabled {
            person: person.name.clone(),
            credential: password.id,
            why: Disabling::Failures,
        };
        events.push(Event::CredentialDisabled(disabled));
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authn::fixture::{Story, named, names, tag};
    use crate::authn::session::SESSIONS_PER_USER_MAX;
    use crate::authn::{Outcome, outcome, persons};
    use crate::event::{DecisionSettings, SessionEnding, ThrottleSettings};
    use crate::model::{Aal, Label};

    fn unthrottled(failures_max_password: u32) -> DecisionSettings {
        let throttle = ThrottleSettings {
            failures_free: u32::MAX,
            failures_max_password,
            ..ThrottleSettings::default()
        };
        DecisionSettings { throttle, ..DecisionSettings::default() }
    }

    fn failures(story: &Story, name: &str) -> u32 {
        let person = story.world.identities.get(&named(name)).unwrap();
        person.password.as_ref().unwrap().failures
    }

    #[test]
    fn a_right_password_begins_a_session_at_aal1() {
        let mut story = Story::new();
        story.person("alice");

        let events = story.password("alice", true).unwrap();

        assert_eq!(names(&events), ["password.verified", "session.started"]);
        let Outcome::Started { session, aal, methods } = outcome(&events) else { panic!() };
        assert_eq!((aal, methods.names()), (Aal::ONE, ["pwd"].into()));
        assert_eq!(story.sessions("alice"), [session]);
    }

    #[test]
    fn a_wrong_password_is_an_event_and_counts() {
        let mut story = Story::new();
        let credential = story.person("alice");

        let events = story.password("alice", false).unwrap();

        assert_eq!(
            events,
            [Event::PasswordRefused(PasswordRefused {
                name_tag: tag("alice"),
                person: Some(named("alice")),
                credential: Some(credential),
                reason: Refused::Wrong,
            })]
        );
        assert_eq!(outcome(&events), Outcome::Refused(Refusal::LoginFailed));
        assert_eq!(failures(&story, "alice"), 1);
    }

    #[test]
    fn a_right_password_forgets_the_failures() {
        let mut story = Story::new();
        story.person("alice");
        story.password("alice", false).unwrap();
        story.password("alice", false).unwrap();
        story.log_in("alice");
        assert_eq!(failures(&story, "alice"), 0);
    }

    /// Goal: a stranger cannot tell who is known. Each of these begins with nothing to
    /// verify against, and even a verdict of `true` makes no session of it.
    #[test]
    fn whoever_cannot_log_in_gets_the_answer_for_a_wrong_password() {
        let mut story = Story::under(unthrottled(1));
        story.register("ticket-only", &[]);
        story.person("worn-out");
        story.password("worn-out", false).unwrap();
        story.person("barred");
        let barred = persons::disable(&story.world, &named("barred"), Label::default());
        story.commit(barred);

        for name in ["nobody", "ticket-only", "worn-out", "barred"] {
            let attempt = story.begin(name).unwrap();
            assert_eq!(attempt.credential, None, "{name}");
            for matches in [false, true] {
                let events = story.conclude(&attempt, matches).unwrap();
                assert_eq!(names(&events), ["password.refused"], "{name}");
                assert_eq!(outcome(&events), Outcome::Refused(Refusal::LoginFailed), "{name}");
            }
        }
    }

    #[test]
    fn what_is_typed_for_a_name_that_nobody_has_stays_out_of_the_events() {
        let mut story = Story::new();
        let unknown = story.password("hunter2", false).unwrap();
        let no_name = begin(&story.world, None, tag("\u{7}"), story.now).unwrap();
        let unreadable = story.conclude(&no_name, false).unwrap();
        for event in [unknown, unreadable].concat() {
            let Event::PasswordRefused(it) = event else { panic!("{event:?}") };
            assert_eq!((it.person, it.credential, it.reason), (None, None, Refused::Unknown));
        }
    }

    /// Goal: known, half-known, worn-out and unknown names are slowed down alike.
    #[test]
    fn every_name_is_throttled_alike() {
        let mut story = Story::new();
        story.person("alice");
        story.register("ticket-only", &[]);
        story.person("barred");
        let barred = persons::disable(&story.world, &named("barred"), Label::default());
        story.commit(barred);
        let names = ["alice", "ticket-only", "barred", "nobody"];

        let mut course = Vec::new();
        for _ in 0..120 {
            let waits = names.map(|name| match story.begin(name) {
                Ok(_) => 0,
                Err(Refusal::Throttled { retry_after_s }) => retry_after_s,
                Err(other) => panic!("{other}"),
            });
            assert!(waits.iter().all(|wait| *wait == waits[0]), "{waits:?}");
            course.push(waits[0]);
            story.pass(waits[0]);
            for name in names {
                story.password(name, false).unwrap();
            }
        }

        assert_eq!(course[..8], [0, 0, 0, 1, 2, 4, 8, 16]);
        assert_eq!(course[119], 900);
        let alice = story.world.identities.get(&named("alice")).unwrap();
        assert!(alice.password.as_ref().unwrap().disabled, "100 failures disable a password");
    }

    #[test]
    fn the_last_failure_allowed_disables_the_password_for_good() {
        let mut story = Story::under(unthrottled(3));
        story.person("alice");
        assert_eq!(names(&story.password("alice", false).unwrap()), ["password.refused"]);
        assert_eq!(names(&story.password("alice", false).unwrap()), ["password.refused"]);

        let third = story.password("alice", false).unwrap();

        assert_eq!(names(&third), ["password.refused", "credential.disabled"]);
        story.pass(86_400);
        assert_eq!(names(&story.password("alice", true).unwrap()), ["password.refused"]);
    }

    #[test]
    fn a_worn_out_password_is_replaced_with_a_ticket() {
        let mut story = Story::under(unthrottled(1));
        story.person("alice");
        story.password("alice", false).unwrap();
        let ticket = story.digest();
        let issued = persons::issue_ticket(&story.world, &named("alice"), ticket, story.now);
        story.commit(issued);
        story.enrol(ticket);
        assert!(story.password("alice", true).is_ok());
        assert_eq!(story.sessions("alice").len(), 1);
    }

    /// Goal: parallel guesses gain nothing. All have begun before the first concludes;
    /// what comes after the delay began says the same for a right and a wrong one, and
    /// no burst wears a password out.
    #[test]
    fn a_burst_of_parallel_attempts_is_cut_off_whatever_they_hold() {
        let mut story = Story::new();
        story.person("alice");
        let attempts: Vec<_> = (0..200).map(|_| story.begin("alice").unwrap()).collect();
        for attempt in &attempts[..3] {
            assert_eq!(names(&story.conclude(attempt, false).unwrap()), ["password.refused"]);
        }
        for (place, attempt) in attempts[3..].iter().enumerate() {
            let refused = story.conclude(attempt, place % 2 == 0);
            assert_eq!(refused, Err(Refusal::Throttled { retry_after_s: 1 }));
        }
        assert_eq!(failures(&story, "alice"), 3);
        assert!(story.sessions("alice").is_empty());
    }

    #[test]
    fn a_password_replaced_meanwhile_is_right_no_more() {
        let mut story = Story::new();
        let old = story.person("alice");
        let attempt = story.begin("alice").unwrap();
        let ticket = story.digest();
        let issued = persons::issue_ticket(&story.world, &named("alice"), ticket, story.now);
        story.commit(issued);
        story.enrol(ticket);

        let events = story.conclude(&attempt, true).unwrap();

        let [Event::PasswordRefused(refused)] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((refused.credential, refused.reason), (Some(old), Refused::Unknown));
        assert_eq!(failures(&story, "alice"), 0, "the new password has not been tried");
    }

    #[test]
    fn a_person_disabled_meanwhile_gets_no_session() {
        let mut story = Story::new();
        story.person("alice");
        let attempt = story.begin("alice").unwrap();
        let disabled = persons::disable(&story.world, &named("alice"), Label::default());
        story.commit(disabled);
        assert_eq!(names(&story.conclude(&attempt, true).unwrap()), ["password.refused"]);
    }

    #[test]
    fn one_more_session_than_allowed_displaces_the_oldest() {
        let mut story = Story::new();
        story.person("alice");
        let all: Vec<_> = (0..SESSIONS_PER_USER_MAX).map(|_| story.log_in("alice")).collect();

        let events = story.password("alice", true).unwrap();

        assert_eq!(names(&events), ["password.verified", "session.ended", "session.started"]);
        assert_eq!(events[1], session::ended(all[0], SessionEnding::Displaced));
        assert_eq!(story.sessions("alice").len(), SESSIONS_PER_USER_MAX);
    }

    #[test]
    fn sessions_past_their_limits_make_room_first() {
        let mut story = Story::new();
        story.person("alice");
        let lapsed = [story.log_in("alice"), story.log_in("alice")];
        story.pass(3_601);

        let events = story.password("alice", true).unwrap();

        let why = SessionEnding::Expired;
        assert_eq!(events[1..3], lapsed.map(|id| session::ended(id, why)));
        assert_eq!(story.sessions("alice").len(), 1);
    }
}
