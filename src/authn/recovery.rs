//! Getting back in when the second factor is lost: the password and a recovery code begin
//! a session in which a new authenticator can be bound, and nothing else.
//!
//! ```text
//! issue    a new set of codes
//! recover  begin ─► (argon2, codes) ─► conclude ─► a session for binding alone
//! ```
//! A code alone gives nothing, and a password alone tells nothing: whatever is wrong, the
//! answer is one (SP 800-63B-4 §4.2.1.1, §4.2.2.2).

use uuid::Uuid;

use super::authenticators::{check_fresh, check_strength};
use super::login::{self, Attempt, Verdict};
use super::throttle::Approach;
use super::{FreshTokens, Refusal, session, throttle};
use crate::event::{
    CredentialDisabled, Disabling, Event, RecoveryCodeRefused, RecoveryCodeUsed,
    RecoveryCodesIssued, Refused, SessionPurpose,
};
use crate::model::{Digest, Moment, Username};
use crate::projection::{Credential, World};

/// How many codes there are in a set, at all times: a use leaves a fresh one.
pub const CODES: u32 = 10;

/// A set of codes that the vault holds already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeSet {
    /// The new credential's id.
    pub credential: Uuid,
    /// SHA-256 of the sealed set in the vault.
    pub sealed: Digest,
}

/// Gives a person a set of codes, in place of any before.
///
/// # Errors
/// [`Refusal::SessionOver`], [`Refusal::AssuranceTooLow`],
/// [`Refusal::ReauthenticationRequired`]; [`Refusal::MfaNotSetUp`] without a second factor
/// that could be lost.
///
/// # Source
/// SP 800-63B-4 §4.2.1.1.
pub fn issue(
    world: &World,
    session: Uuid,
    set: CodeSet,
    now: Moment,
) -> Result<Vec<Event>, Refusal> {
    let open = session::open(world, session, now)?;
    check_strength(open)?;
    check_fresh(open, now)?;
    if !open.person.has_more_than_a_password() {
        return Err(Refusal::MfaNotSetUp);
    }
    Ok(vec![Event::RecoveryCodesIssued(RecoveryCodesIssued {
        person: open.person.name.clone(),
        credential: set.credential,
        sealed: set.sealed,
        codes: CODES,
    })])
}

/// A recovery that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovering {
    /// Whose, and the password to verify against.
    pub login: Attempt,
    /// The set that the code may be in, to be looked at only once the password was right:
    /// then strangers cannot tell by the time it takes who has one.
    pub set: Option<CodeSet>,
}

/// Finds what a password and a code are to be held against.
///
/// # Errors
/// [`Refusal::Throttled`], as for a login by that name.
pub fn begin(
    world: &World,
    name: Option<&Username>,
    from: Approach,
    now: Moment,
) -> Result<Recovering, Refusal> {
    let login = login::begin(world, name, from, now)?;
    let person = login.person.as_ref().and_then(|name| world.identities.get(name));
    let set = person.and_then(|person| usable(person.recovery.as_ref()));
    Ok(Recovering { login, set: set.map(as_named) })
}

/// What the shell found of the two secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryVerdict {
    /// The password is wrong; the code was not looked at.
    WrongPassword,
    /// The password is right, and the code is not in the set.
    WrongCode,
    /// Both are right. The set with a fresh code in the used one's place is in the vault.
    Right(CodeSet),
}

/// Records the verdict: a session for binding alone, or counted failures;
/// [`super::outcome()`] tells which. A code counts against its set, a password as it does
/// in a login.
///
/// # Errors
/// [`Refusal::Throttled`] if the password has failed too recently, whatever was given. If the
/// set has, the right password is recorded, the code is not counted, and the answer is that
/// of a wrong password: another one would tell them apart, and leave no trace of it.
///
/// # Source
/// SP 800-63B-4 §3.1.2.2: each code once. §3.2.2: the limit of failures disables the set.
/// §4.2.1.1: a used code is replaced. §4.2.2.2: one code beside the password.
pub fn conclude(
    world: &World,
    attempt: &Recovering,
    verdict: RecoveryVerdict,
    tokens: &FreshTokens,
    now: Moment,
) -> Result<Vec<Event>, Refusal> {
    let right = verdict != RecoveryVerdict::WrongPassword;
    let mut events = login::conclude(world, &attempt.login, &Verdict::of(right), tokens, now)?;
    let started = events.iter_mut().find_map(|event| match event {
        Event::SessionStarted(started) => Some(started),
        _ => None,
    });
    let Some(started) = started else { return Ok(events) };
    let person = started.person.clone();
    let held = world.identities.get(&person).and_then(|known| known.recovery.as_ref());
    let rests = held.is_some_and(|set| {
        throttle::wait_s(set.failures, set.failed_at, now, &world.settings.throttle) > 0
    });
    if rests {
        events.retain(|event| matches!(event, Event::PasswordVerified(_)));
        events.extend(refused(world, &person, None, Refused::TooSoon));
        return Ok(events);
    }
    let tried = usable(held).filter(|set| attempt.set == Some(as_named(set)));
    match (verdict, tried) {
        (RecoveryVerdict::Right(fresh), Some(tried)) => {
            started.purpose = SessionPurpose::Recovery;
            let CodeSet { credential, sealed } = fresh;
            let used = RecoveryCodeUsed { person, used: tried.id, credential, sealed };
            events.insert(0, Event::RecoveryCodeUsed(used));
            Ok(events)
        }
        (verdict, tried) => {
            // The password was right all the same; but no session comes of it.
            events.retain(|event| matches!(event, Event::PasswordVerified(_)));
            let reason = match (verdict, tried) {
                (RecoveryVerdict::Right(_), _) => Refused::Replayed,
                (_, Some(_)) => Refused::Wrong,
                (_, None) => Refused::Unknown,
            };
            events.extend(refused(world, &person, usable(held), reason));
            Ok(events)
        }
    }
}

/// A refusal, counted against the set if it is one. A code has 120 bits, so the limit is the
/// greater one, of passwords: what a thief of the password may wear out should last.
fn refused(
    world: &World,
    person: &Username,
    set: Option<&Credential>,
    reason: Refused,
) -> Vec<Event> {
    let credential = set.map(|set| set.id);
    let refused = RecoveryCodeRefused { person: person.clone(), credential, reason };
    let mut events = vec![Event::RecoveryCodeRefused(refused)];
    let most = world.settings.throttle.failures_max_password;
    let worn = set.filter(|set| set.failures.saturating_add(1) >= most);
    events.extend(worn.map(|set| {
        Event::CredentialDisabled(CredentialDisabled {
            person: person.clone(),
            credential: set.id,
            why: Disabling::Failures,
        })
    }));
    events
}

fn usable(set: Option<&Credential>) -> Option<&Credential> {
    set.filter(|set| !set.disabled)
}

const fn as_named(set: &Credential) -> CodeSet {
    CodeSet { credential: set.id, sealed: set.sealed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authn::fixture::{Story, approach, named, names};
    use crate::authn::{Outcome, authenticators, mfa, outcome, sessions};
    use crate::event::{PasskeyRegistered, SessionEnding, SessionStarted};
    use crate::model::{Aal, Label, Method};

    /// Alice with a second factor and codes, in a session of two factors.
    fn with_codes() -> (Story, Uuid) {
        let mut story = Story::new();
        story.person("alice");
        let (session, _) = story.second_factor("alice");
        let set = set(&mut story);
        let issued = issue(&story.world, session, set, story.now);
        story.commit(issued);
        (story, session)
    }

    fn set(story: &mut Story) -> CodeSet {
        CodeSet { credential: story.id(), sealed: story.digest() }
    }

    fn begun(story: &Story) -> Recovering {
        begin(&story.world, Some(&named("alice")), approach("alice"), story.now).unwrap()
    }

    fn concluded(
        story: &mut Story,
        attempt: &Recovering,
        verdict: RecoveryVerdict,
    ) -> Result<Vec<Event>, Refusal> {
        let tokens = story.tokens();
        let events = conclude(&story.world, attempt, verdict, &tokens, story.now)?;
        story.facts(&events);
        Ok(events)
    }

    /// A session that a code began.
    fn recovering(story: &mut Story) -> Uuid {
        let (attempt, fresh) = (begun(story), set(story));
        let events = concluded(story, &attempt, RecoveryVerdict::Right(fresh)).unwrap();
        let started = events.iter().find_map(|event| match event {
            Event::SessionStarted(it) => Some(it.session),
            _ => None,
        });
        started.unwrap()
    }

    fn failures(story: &Story) -> u32 {
        let person = story.world.identities.get(&named("alice")).unwrap();
        person.recovery.as_ref().unwrap().failures
    }

    /// Law: of any number of parallel tries with one code, one gets in; all have begun
    /// before the first concludes.
    #[test]
    fn of_fifty_parallel_recoveries_with_one_code_one_succeeds() {
        let (mut story, _) = with_codes();
        let attempts: Vec<_> = (0..50).map(|_| begun(&story)).collect();
        let mut told = Vec::new();
        for attempt in &attempts {
            let fresh = set(&mut story);
            told.push(concluded(&mut story, attempt, RecoveryVerdict::Right(fresh)));
        }
        let won = told
            .iter()
            .flatten()
            .filter(|events| outcome(events) == Outcome::Recovering { bound: false });
        assert_eq!(won.count(), 1);
        let refused = told.iter().flatten().filter_map(|events| match events.last() {
            Some(Event::RecoveryCodeRefused(it)) => Some(it.reason),
            _ => None,
        });
        let expected = [[Refused::Replayed; 3].as_slice(), &[Refused::TooSoon; 46]].concat();
        assert_eq!(refused.collect::<Vec<_>>(), expected);
    }

    /// Law: a session that a code began binds, shows itself and ends, and does nothing else.
    #[test]
    fn a_recovery_session_is_refused_by_every_other_command() {
        let (mut story, strong) = with_codes();
        let session = recovering(&mut story);
        let (world, now, fresh) = (story.world.clone(), story.now, set(&mut story));
        let totp = world.identities.get(&named("alice")).unwrap().totps[0].credential.id;
        let label = Label::default();
        let refused = [
            issue(&world, session, fresh, now),
            authenticators::remove(&world, session, totp, now),
            authenticators::rename(&world, session, totp, label, now),
            sessions::end(&world, session, strong, now),
            sessions::end_others(&world, session, true, now),
        ];
        assert!(refused.iter().all(|it| *it == Err(Refusal::RecoveryOnly)), "{refused:?}");
        assert_eq!(authenticators::list(&world, session, now), Err(Refusal::RecoveryOnly));
        assert_eq!(sessions::list(&world, session, now), Err(Refusal::RecoveryOnly));
        assert_eq!(mfa::candidates(&world, session, now), Err(Refusal::MfaNotSetUp));
        assert!(session::view(&world, session, now).is_ok());
        assert!(session::log_out(&world, session, now).is_ok());
    }

    /// Goal: a lost key is lost as an app is.
    #[test]
    fn who_has_a_passkey_and_no_app_gets_codes() {
        let mut story = Story::new();
        story.person("alice");
        let weak = story.log_in("alice");
        let codes = set(&mut story);
        assert_eq!(issue(&story.world, weak, codes, story.now), Err(Refusal::MfaNotSetUp));
        let registered = PasskeyRegistered {
            person: named("alice"),
            credential: story.id(),
            sealed: story.digest(),
            key: story.digest(),
            label: Label::default(),
            user_verifying: true,
            backup_eligible: true,
            attested: None,
            counter: 0,
        };
        story.fact(Event::PasskeyRegistered(registered));
        let tokens = story.tokens();
        story.fact(Event::SessionStarted(SessionStarted {
            session: tokens.session,
            person: named("alice"),
            methods: [Method::Pop, Method::Uv, Method::Be].into_iter().collect(),
            token: tokens.token,
            session_token: tokens.session_token,
            purpose: SessionPurpose::Everything,
        }));
        let required = Aal::TWO;
        let too_low = Err(Refusal::AssuranceTooLow { required });
        assert_eq!(issue(&story.world, weak, codes, story.now), too_low);
        assert!(issue(&story.world, tokens.session, codes, story.now).is_ok());
    }

    #[test]
    fn what_a_recovery_session_binds_ends_it() {
        let (mut story, _) = with_codes();
        let session = recovering(&mut story);
        let totp = story.offer(session).unwrap();
        assert_eq!(names(&story.code(session, totp, None).unwrap()), ["mfa.refused"]);
        let events = story.code(session, totp, Some(9)).unwrap();
        assert_eq!(names(&events), ["mfa.enrolled", "mfa.verified", "session.ended"]);
        assert_eq!(outcome(&events), Outcome::Recovering { bound: true });
        assert_eq!(events[2], session::ended(session, SessionEnding::Fulfilled));
        let held = &story.world.identities.get(&named("alice")).unwrap().totps;
        assert_eq!(held.len(), 2);
    }

    /// Goal: nobody is locked out by having had many authenticators.
    #[test]
    fn who_has_lost_as_many_as_one_may_have_binds_one_in_their_place() {
        let (mut story, strong) = with_codes();
        for step in 2..=5 {
            let next = story.offer(strong).unwrap();
            story.code(strong, next, Some(step)).unwrap();
        }
        let most = mfa::TOTPS_MAX;
        assert_eq!(story.offer(strong), Err(Refusal::TooManyAuthenticators { most }));
        let session = recovering(&mut story);
        let totp = story.offer(session).unwrap();
        story.code(session, totp, Some(9)).unwrap();
        let held = &story.world.identities.get(&named("alice")).unwrap().totps;
        assert_eq!(held.iter().map(|it| it.credential.id).collect::<Vec<_>>(), [totp]);
    }

    #[test]
    fn an_old_recovery_session_binds_nothing() {
        let (mut story, _) = with_codes();
        let session = recovering(&mut story);
        story.pass(authenticators::AUTHENTICATION_AGE_MAX_S + 1);
        let refused = Refusal::ReauthenticationRequired { max_age_s: 900 };
        assert_eq!(story.offer(session), Err(refused));
    }

    #[test]
    fn a_wrong_code_counts_against_its_set_and_a_wrong_password_does_not() {
        let (mut story, _) = with_codes();
        let attempt = begun(&story);
        let events = concluded(&mut story, &attempt, RecoveryVerdict::WrongPassword).unwrap();
        assert_eq!(names(&events), ["password.refused"]);
        assert_eq!(failures(&story), 0);
        let events = concluded(&mut story, &attempt, RecoveryVerdict::WrongCode).unwrap();
        assert_eq!(names(&events), ["password.verified", "recovery_code.refused"]);
        assert_eq!(outcome(&events), Outcome::Refused(Refusal::RecoveryFailed));
        assert_eq!(failures(&story), 1);
        recovering(&mut story);
        assert_eq!(failures(&story), 0, "its own success forgets them");
    }

    /// Goal: a thief of the password is not told that it is right, and leaves a trace.
    #[test]
    fn a_right_password_is_answered_as_a_wrong_one_while_its_codes_rest() {
        let (mut story, _) = with_codes();
        let attempt = begun(&story);
        for _ in 0..3 {
            concluded(&mut story, &attempt, RecoveryVerdict::WrongCode).unwrap();
        }
        let fresh = set(&mut story);
        for verdict in [RecoveryVerdict::WrongCode, RecoveryVerdict::Right(fresh)] {
            let events = concluded(&mut story, &attempt, verdict).unwrap();
            assert_eq!(names(&events), ["password.verified", "recovery_code.refused"]);
            assert_eq!(outcome(&events), Outcome::Refused(Refusal::RecoveryFailed));
        }
        assert_eq!(failures(&story), 3, "neither counts");
        story.pass(1);
        recovering(&mut story);
    }

    /// Goal: with the password alone nobody wears a set out in the twenty tries of an app.
    #[test]
    fn a_set_lasts_as_many_failures_as_a_password() {
        let (mut story, _) = with_codes();
        let attempt = begun(&story);
        for number in 1..=100 {
            let events = concluded(&mut story, &attempt, RecoveryVerdict::WrongCode).unwrap();
            let worn = names(&events).contains(&"credential.disabled");
            assert_eq!(worn, number == 100, "after {number}");
            story.pass(900);
        }
    }

    /// Goal: nobody tells an account without codes by what is recorded of its owner.
    #[test]
    fn without_codes_a_right_password_begins_nothing() {
        let mut story = Story::new();
        story.person("alice");
        let (attempt, fresh) = (begun(&story), set(&mut story));
        for verdict in [RecoveryVerdict::WrongCode, RecoveryVerdict::Right(fresh)] {
            let events = concluded(&mut story, &attempt, verdict).unwrap();
            assert_eq!(names(&events), ["password.verified", "recovery_code.refused"]);
            assert_eq!(outcome(&events), Outcome::Refused(Refusal::RecoveryFailed));
        }
        assert!(story.sessions("alice").is_empty());
    }
}
