//! From one password to the next, in a session.

use uuid::Uuid;

use super::authenticators::{check_fresh, check_strength};
use super::login::{self, Attempt};
use super::session;
use super::throttle::Approach;
use super::{FreshTokens, Refusal};
use crate::event::{Event, PasswordEnrolled, PasswordGrounds, SessionEnding, SessionPurpose};
use crate::model::{Digest, Moment, Username};
use crate::projection::{Person, World};

/// A change of password; the vault holds the new one's hash already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The session it is asked for in.
    pub session: Uuid,
    /// The password before it, tried.
    pub attempt: Attempt,
    /// The new credential's id.
    pub credential: Uuid,
    /// SHA-256 of the sealed hash in the vault.
    pub sealed: Digest,
    /// Whether the new password is long enough to be the only factor.
    pub alone: bool,
}

/// Whose session this is, and whether a second factor stands beside their password: so
/// much must be known to judge a new one.
///
/// # Errors
/// [`Refusal::SessionOver`]; [`Refusal::AssuranceTooLow`] below AAL2 if the person has a
/// second factor, a disabled one included; [`Refusal::ReauthenticationRequired`] above
/// [`AUTHENTICATION_AGE_MAX_S`](super::authenticators::AUTHENTICATION_AGE_MAX_S);
/// [`Refusal::PasswordNotInUse`].
///
/// # Source
/// SP 800-63B-4 §4.1.2.1: binding takes the account's strength; ASVS 5.0 7.5.1.
pub fn holder(world: &World, session: Uuid, now: Moment) -> Result<(Username, bool), Refusal> {
    let person = changing(world, session, now)?;
    Ok((person.name.clone(), person.has_second_factor()))
}

/// Finds what the present password is to be verified against.
///
/// # Errors
/// As [`holder`]; [`Refusal::Throttled`] if the last failures are too recent.
pub fn begin(
    world: &World,
    session: Uuid,
    from: Approach,
    now: Moment,
) -> Result<Attempt, Refusal> {
    let person = changing(world, session, now)?;
    login::begin(world, Some(&person.name), from, now)
}

/// Records that the present password was wrong.
///
/// # Errors
/// [`Refusal::Throttled`], as a login.
pub fn refuse(world: &World, attempt: &Attempt, now: Moment) -> Result<Vec<Event>, Refusal> {
    attempt.from.check(world, now)?;
    Ok(login::refused(world, attempt))
}

/// Sets the new password, the present one having been right. Every session of the person
/// ends, this one included, for whoever else had the password may be in one; another
/// begins at AAL1, by the password alone: that is all that was shown just now.
///
/// # Errors
/// As [`begin`]; [`Refusal::LoginFailed`] if the password was replaced meanwhile.
///
/// # Source
/// ASVS 5.0 6.2.2, 6.2.3, 7.2.4, 7.4.3.
pub fn conclude(
    world: &World,
    change: &Change,
    tokens: &FreshTokens,
    now: Moment,
) -> Result<Vec<Event>, Refusal> {
    let holder = changing(world, change.session, now)?;
    change.attempt.from.check(world, now)?;
    let tried = login::tried(world, &change.attempt);
    let tried = tried.filter(|(person, _)| person.name == holder.name);
    let (person, password) = tried.ok_or(Refusal::LoginFailed)?;
    let mut events = vec![
        login::verified(&change.attempt, person, &password.credential),
        Event::PasswordEnrolled(PasswordEnrolled {
            person: person.name.clone(),
            credential: change.credential,
            sealed: change.sealed,
            alone: Some(change.alone),
            grounds: PasswordGrounds::Changed,
            buckets: Vec::new(),
        }),
    ];
    events.extend(session::end_all(world, &person.name, SessionEnding::PasswordEnrolled));
    let purpose = match (change.alone, person.has_second_factor()) {
        (true, _) => SessionPurpose::Everything,
        // A shorter one is good enough only beside a second factor.
        (false, true) => SessionPurpose::SecondFactor,
        (false, false) => SessionPurpose::PasswordChange,
    };
    events.push(login::started(&person.name, tokens, purpose));
    Ok(events)
}

/// The person who may change their password in this session.
fn changing(world: &World, session: Uuid, now: Moment) -> Result<&Person, Refusal> {
    let open = session::open_unfinished(world, session, now)?;
    check_strength(open)?;
    check_fresh(open, now)?;
    let person = open.person;
    login::usable(person).map(|_| person).ok_or(Refusal::PasswordNotInUse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authn::authenticators::AUTHENTICATION_AGE_MAX_S;
    use crate::authn::fixture::{Story, approach, named, names};
    use crate::authn::login::Verdict;
    use crate::authn::persons;
    use crate::event::{DecisionSettings, ThrottleSettings};
    use crate::model::{Aal, Label};

    fn change(story: &mut Story, name: &str, session: Uuid) -> Result<Vec<Event>, Refusal> {
        let attempt = begin(&story.world, session, approach(name), story.now)?;
        let (credential, sealed, tokens) = (story.id(), story.digest(), story.tokens());
        let change = Change { session, attempt, credential, sealed, alone: true };
        let events = conclude(&story.world, &change, &tokens, story.now)?;
        story.facts(&events);
        Ok(events)
    }

    fn compromise(story: &mut Story, name: &str) -> Vec<Event> {
        let told = persons::password_compromised(&story.world, &named(name), Label::default());
        story.commit(told)
    }

    /// A login by a right password of eight to fourteen characters.
    fn short(story: &mut Story, name: &str) -> Uuid {
        let attempt = story.begin(name).unwrap();
        let verdict = Verdict { alone: false, ..Verdict::RIGHT };
        story.judged(&attempt, verdict).unwrap();
        *story.sessions(name).last().unwrap()
    }

    fn purpose(story: &Story, session: Uuid) -> SessionPurpose {
        story.world.sessions.get(&session).unwrap().purpose
    }

    #[test]
    fn a_changed_password_ends_every_session_and_begins_one() {
        let mut story = Story::new();
        story.person("alice");
        let before = [story.log_in("alice"), story.log_in("alice")];

        let events = change(&mut story, "alice", before[1]).unwrap();

        let told = names(&events);
        assert_eq!(told[..2], ["password.verified", "password.enrolled"]);
        assert_eq!(told[2..], ["session.ended", "session.ended", "session.started"]);
        let now = story.sessions("alice");
        assert_eq!(now.len(), 1);
        assert!(!before.contains(&now[0]));
        assert_eq!(purpose(&story, now[0]), SessionPurpose::Everything);
    }

    /// Goal: who has stolen a session, or a password, cannot make the account their own.
    #[test]
    fn a_change_takes_the_strength_of_the_account_and_a_fresh_session() {
        let mut story = Story::new();
        story.person("alice");
        let (strong, _) = story.second_factor("alice");
        let weak = story.log_in("alice");
        let too_low = Refusal::AssuranceTooLow { required: Aal::TWO };
        assert_eq!(change(&mut story, "alice", weak), Err(too_low));
        assert_eq!(holder(&story.world, strong, story.now), Ok((named("alice"), true)));
        story.pass(AUTHENTICATION_AGE_MAX_S + 1);
        let max_age_s = AUTHENTICATION_AGE_MAX_S;
        let stale = Err(Refusal::ReauthenticationRequired { max_age_s });
        assert_eq!(change(&mut story, "alice", strong), stale);
    }

    #[test]
    fn a_wrong_present_password_counts_like_a_failed_login() {
        let throttle = ThrottleSettings { failures_max_password: 2, ..ThrottleSettings::default() };
        let settings = DecisionSettings { throttle, ..DecisionSettings::default() };
        let mut story = Story::under(settings);
        story.person("alice");
        let session = story.log_in("alice");
        for told in [vec!["password.refused"], vec!["password.refused", "credential.disabled"]] {
            let attempt = begin(&story.world, session, approach("alice"), story.now).unwrap();
            let refused = refuse(&story.world, &attempt, story.now);
            assert_eq!(names(&story.commit(refused)), told);
        }
        assert_eq!(change(&mut story, "alice", session), Err(Refusal::PasswordNotInUse));
    }

    #[test]
    fn of_two_changes_at_once_the_second_is_refused() {
        let mut story = Story::new();
        story.person("alice");
        let session = story.log_in("alice");
        let attempt = begin(&story.world, session, approach("alice"), story.now).unwrap();
        change(&mut story, "alice", session).unwrap();
        let (credential, sealed, tokens) = (story.id(), story.digest(), story.tokens());
        let late = Change { session, attempt, credential, sealed, alone: true };
        let refused = conclude(&story.world, &late, &tokens, story.now);
        assert_eq!(refused, Err(Refusal::SessionOver));
    }

    /// Goal: SP 800-63B-4 §3.1.1.2 (6): evidence of compromise forces a change.
    #[test]
    fn a_compromised_password_opens_nothing_but_its_own_change() {
        let mut story = Story::new();
        story.person("alice");
        story.log_in("alice");
        let told = compromise(&mut story, "alice");
        assert_eq!(names(&told), ["password.compromised", "session.ended"]);

        let session = story.log_in("alice");

        assert_eq!(purpose(&story, session), SessionPurpose::PasswordChange);
        assert_eq!(story.offer(session), Err(Refusal::PasswordChangeRequired));
        change(&mut story, "alice", session).unwrap();
        let anew = story.log_in("alice");
        assert_eq!(purpose(&story, anew), SessionPurpose::Everything);
    }

    /// Goal: who knows the password, and not the second factor, cannot set another one.
    #[test]
    fn a_compromised_password_is_changed_only_with_the_second_factor() {
        let mut story = Story::new();
        story.person("alice");
        let (_, totp) = story.second_factor("alice");
        compromise(&mut story, "alice");
        let session = story.log_in("alice");
        let too_low = Refusal::AssuranceTooLow { required: Aal::TWO };
        assert_eq!(change(&mut story, "alice", session), Err(too_low));
        story.code(session, totp, Some(2)).unwrap();
        assert_eq!(purpose(&story, session), SessionPurpose::PasswordChange, "still");
        assert!(change(&mut story, "alice", session).is_ok());
    }

    /// Goal: SP 800-63B-4 §3.1.1.2 (1): a password of less than fifteen characters is never
    /// the only factor.
    #[test]
    fn a_short_password_opens_a_session_that_only_a_second_factor_completes() {
        let mut story = Story::new();
        story.person("alice");
        let (_, totp) = story.second_factor("alice");
        let session = short(&mut story, "alice");
        assert_eq!(purpose(&story, session), SessionPurpose::SecondFactor);
        let too_low = Refusal::AssuranceTooLow { required: Aal::TWO };
        assert_eq!(story.offer(session), Err(too_low));
        story.code(session, totp, Some(2)).unwrap();
        assert_eq!(purpose(&story, session), SessionPurpose::Everything);
    }

    #[test]
    fn a_short_password_without_a_second_factor_must_be_changed() {
        let mut story = Story::new();
        story.person("alice");
        let session = short(&mut story, "alice");
        assert_eq!(purpose(&story, session), SessionPurpose::PasswordChange);
        change(&mut story, "alice", session).unwrap();
        let anew = story.sessions("alice")[0];
        assert_eq!(purpose(&story, anew), SessionPurpose::Everything);
    }
}
