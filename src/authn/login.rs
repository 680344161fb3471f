//! A login by password: begin, let the shell verify, conclude.

use uuid::Uuid;

use super::session::{self, LOCAL_SOURCE};
use super::throttle::Approach;
use super::{FreshTokens, Refusal};
use crate::event::{
    CredentialDisabled, Disabling, Event, PasswordRefused, PasswordRehashed, PasswordVerified,
    Refused, SessionPurpose, SessionStarted,
};
use crate::model::{Digest, Method, Methods, Moment, Username};
use crate::projection::{Credential, PasswordCredential, Person, World};

/// A login that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Where it comes from, and for which name.
    pub from: Approach,
    /// The person, if there is one of that name.
    pub person: Option<Username>,
    /// The password to verify against: its id, and the SHA-256 of the sealed hash in
    /// the vault. If there is none, the shell verifies against a dummy all the same,
    /// so that a stranger cannot tell by the time it takes.
    pub credential: Option<(Uuid, Digest)>,
}

/// What the shell found about a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is the right one.
    pub matches: bool,
    /// Whether it is long enough to be the only factor.
    pub alone: bool,
    /// Its new hash, if it matches and was hashed anew: the id and the SHA-256 of the
    /// sealed form, which the vault holds already.
    pub rehashed: Option<(Uuid, Digest)>,
}

impl Verdict {
    /// A wrong password.
    pub const WRONG: Self = Self { matches: false, alone: false, rehashed: None };
    /// A right one that stands alone.
    pub const RIGHT: Self = Self { matches: true, alone: true, rehashed: None };

    /// A right one or a wrong one.
    #[must_use]
    pub const fn of(matches: bool) -> Self {
        if matches { Self::RIGHT } else { Self::WRONG }
    }
}

/// Finds what a password is to be verified against.
///
/// `name` is absent if what was typed cannot be a name. Failures of names that nobody has
/// are counted as those of persons are, so that both are refused alike.
///
/// # Errors
/// [`Refusal::Throttled`] if the last failures are too recent.
pub fn begin(
    world: &World,
    name: Option<&Username>,
    from: Approach,
    now: Moment,
) -> Result<Attempt, Refusal> {
    from.check(world, now)?;
    let person = name.and_then(|name| world.identities.get(name)).map(AsRef::as_ref);
    let password = person.and_then(usable).map(|password| &password.credential);
    Ok(Attempt {
        from,
        person: person.map(|person| person.name.clone()),
        credential: password.map(|password| (password.id, password.sealed)),
    })
}

/// Records the verdict: a session at AAL1 for a right password, a counted failure for
/// a wrong one; [`super::outcome()`] tells which. What has changed since
/// [`begin`] counts: a password that was disabled or replaced is not right any more.
///
/// The session is for everything, unless the password is known to others, or too short to
/// be the only factor: then for setting another, or for giving the second factor.
///
/// # Errors
/// [`Refusal::Throttled`] if failures of other attempts have come in between. Then
/// nothing is recorded, whatever the verdict: an answer that differed for a right
/// password would tell it, and a burst of parallel attempts, were they counted, could
/// disable anybody's password at once.
///
/// # Source
/// SP 800-63B-4 §3.2.2: the limit of failures disables the authenticator; §3.1.1.2 (1):
/// the length of a password that is the only factor; §3.1.1.2 (6): evidence of compromise
/// forces a change.
pub fn conclude(
    world: &World,
    attempt: &Attempt,
    verdict: &Verdict,
    tokens: &FreshTokens,
    now: Moment,
) -> Result<Vec<Event>, Refusal> {
    attempt.from.check(world, now)?;
    let Some((person, password)) = tried(world, attempt).filter(|_| verdict.matches) else {
        return Ok(refused(world, attempt));
    };
    let name = &person.name;
    let mut events = vec![verified(attempt, person, &password.credential)];
    events.extend(verdict.rehashed.map(|(rehashed, sealed)| {
        Event::PasswordRehashed(PasswordRehashed {
            person: name.clone(),
            credential: password.credential.id,
            rehashed,
            sealed,
            alone: verdict.alone,
        })
    }));
    events.extend(session::make_room(world, &world.user(name), LOCAL_SOURCE, now));
    events.push(started(name, tokens, purpose(person, password, verdict.alone)));
    Ok(events)
}

/// What a right password lets its person do.
fn purpose(person: &Person, password: &PasswordCredential, alone: bool) -> SessionPurpose {
    match (password.compromised, alone, person.has_second_factor()) {
        (false, true, _) => SessionPurpose::Everything,
        (false, false, true) => SessionPurpose::SecondFactor,
        (true, ..) | (false, false, false) => SessionPurpose::PasswordChange,
    }
}

/// A session at AAL1 by a password.
pub(super) fn started(name: &Username, tokens: &FreshTokens, purpose: SessionPurpose) -> Event {
    Event::SessionStarted(SessionStarted {
        session: tokens.session,
        person: name.clone(),
        methods: Methods::default().with(Method::Pwd),
        token: tokens.token,
        session_token: tokens.session_token,
        purpose,
    })
}

/// The right password of an attempt, and whose; it has emptied its buckets.
pub(super) fn verified(attempt: &Attempt, person: &Person, password: &Credential) -> Event {
    Event::PasswordVerified(PasswordVerified {
        person: person.name.clone(),
        credential: password.id,
        buckets: attempt.from.buckets(),
    })
}

/// The person and the password that were tried, if both are as they were; one that was
/// hashed anew meanwhile is the same password.
pub(super) fn tried<'a>(
    world: &'a World,
    attempt: &Attempt,
) -> Option<(&'a Person, &'a PasswordCredential)> {
    let person = world.identities.get(attempt.person.as_ref()?)?;
    let password = usable(person)?;
    let (tried, _) = attempt.credential?;
    password.ids().any(|id| id == tried).then_some((person, password))
}

/// A counted failure. If there was nothing to try, or it has gone since, a verdict on it
/// says nothing.
pub(super) fn refused(world: &World, attempt: &Attempt) -> Vec<Event> {
    let tried = tried(world, attempt);
    let known = attempt.person.as_ref().and_then(|name| world.identities.get(name));
    let held = known.and_then(|person| person.password.as_ref()).map(|it| it.credential.id);
    let mut events = vec![Event::PasswordRefused(PasswordRefused {
        name_tag: attempt.from.name_tag,
        person: attempt.person.clone(),
        credential: attempt.credential.map(|(id, _)| id).or(held),
        reason: if tried.is_some() { Refused::Wrong } else { Refused::Unknown },
        source: Some(attempt.from.source),
        buckets: attempt.from.buckets(),
    })];
    let limit = world.settings.throttle.failures_max_password;
    if let Some((person, password)) = tried
        && password.credential.failures.saturating_add(1) >= limit
    {
        events.push(Event::CredentialDisabled(CredentialDisabled {
            person: person.name.clone(),
            credential: password.credential.id,
            why: Disabling::Failures,
        }));
    }
    events
}

/// The password that a person can log in with.
pub(super) fn usable(person: &Person) -> Option<&PasswordCredential> {
    let held = person.password.as_ref();
    held.filter(|password| !password.credential.disabled && !person.disabled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authn::fixture::{Story, approach, named, names, tag};
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
        person.password.as_ref().unwrap().credential.failures
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
                source: Some(approach("alice").source),
                buckets: approach("alice").buckets(),
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
        let no_name = begin(&story.world, None, approach("\u{7}"), story.now).unwrap();
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
        assert!(
            alice.password.as_ref().unwrap().credential.disabled,
            "100 failures disable a password"
        );
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
        let ticket = story.ticket("alice");
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
        let ticket = story.ticket("alice");
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

    /// Goal: who has only the password throws out none who have shown more.
    #[test]
    fn the_weakest_make_room_before_the_oldest() {
        let mut story = Story::new();
        story.person("alice");
        let (strong, _) = story.second_factor("alice");
        for _ in 0..2 * SESSIONS_PER_USER_MAX {
            story.log_in("alice");
        }
        assert!(story.sessions("alice").contains(&strong));
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
