//! The second factor: offer a TOTP authenticator, confirm it, verify a code.

use uuid::Uuid;

use super::authenticators::check_may_rise;
use super::session::{self, Open};
use super::{FreshTokens, Refusal, binding, throttle};
use crate::event::{
    CredentialDisabled, Disabling, Event, MfaEnrolled, MfaOffered, MfaRefused, MfaVerified,
    Refused, SessionEnding, SessionPurpose, SessionRaised,
};
use crate::model::{Aal, Digest, Label, Method, Methods, Moment};
use crate::projection::{Credential, World};

/// The most TOTP authenticators of one person, disabled ones included. A guess is held
/// against each of them, so each makes it as much likelier to hit.
pub const TOTPS_MAX: usize = 5;

/// A TOTP authenticator to be set up; the vault holds its seed already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The new credential's id.
    pub credential: Uuid,
    /// SHA-256 of the sealed seed in the vault.
    pub sealed: Digest,
    /// What the person calls it; may be empty.
    pub label: Label,
}

/// An authenticator that a code may be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The credential's id.
    pub credential: Uuid,
    /// SHA-256 of the sealed seed in the vault.
    pub sealed: Digest,
    /// True if it awaits its first right code.
    pub pending: bool,
}

/// What the shell found about a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MfaVerdict {
    /// The session it was given in.
    pub session: Uuid,
    /// The candidate whose code it is; the last one if it is of none.
    pub credential: Uuid,
    /// The TOTP time step (RFC 6238 §4) it is the code of; none if it is wrong.
    pub step: Option<u64>,
}

/// Offers an authenticator, in place of one offered before. It counts only once a
/// right code has confirmed it.
///
/// # Errors
/// [`Refusal::SessionOver`]; [`Refusal::AssuranceTooLow`] below what the person's
/// authenticators can give, but not in a session that a recovery code began;
/// [`Refusal::ReauthenticationRequired`] above
/// [`AUTHENTICATION_AGE_MAX_S`](super::authenticators::AUTHENTICATION_AGE_MAX_S);
/// [`Refusal::TooManyAuthenticators`] above [`TOTPS_MAX`], again but for recovery.
///
/// # Source
/// SP 800-63B-4 §4.1.2.1; ASVS 5.0 7.5.1.
pub fn offer(
    world: &World,
    session: Uuid,
    offer: &Offer,
    now: Moment,
) -> Result<Vec<Event>, Refusal> {
    let open = binding::open(world, session, Aal::TWO, now)?;
    if is_full(open) && !is_recovering(open) {
        return Err(Refusal::TooManyAuthenticators { most: TOTPS_MAX });
    }
    Ok(vec![Event::MfaOffered(MfaOffered {
        person: open.person.name.clone(),
        credential: offer.credential,
        sealed: offer.sealed,
        expires_at: now.plus_seconds(world.settings.session.mfa_pending_s),
        label: offer.label.clone(),
        session: Some(session),
    })])
}

/// The authenticators that a code given in this session may be of: one being set up
/// first, if it was offered in this very session, then those in use, oldest first. In a
/// session that a recovery code began only the first.
///
/// # Errors
/// [`Refusal::SessionOver`]; [`Refusal::MfaNotSetUp`] or [`Refusal::MfaDisabled`] if
/// there is none; [`Refusal::Throttled`] if each has failed too recently.
pub fn candidates(world: &World, session: Uuid, now: Moment) -> Result<Vec<Candidate>, Refusal> {
    let open = session::open_for_any(world, session, now)?;
    let (mut ready, mut throttled) = (Vec::new(), None);
    for one in authenticators(open, now)? {
        match one.check_throttle(world, now) {
            Ok(()) => ready.push(one.candidate()),
            Err(refusal) => throttled = Some(refusal),
        }
    }
    match throttled {
        Some(refusal) if ready.is_empty() => Err(refusal),
        _ => Ok(ready),
    }
}

/// Records the verdict. A right code of a later step than any accepted before raises
/// the session, under its id and new tokens, or ends it, if it was for binding alone;
/// anything else is a counted failure; [`super::outcome()`] tells which. A wrong code
/// counts against every authenticator in use that it was held against, for it was a guess
/// at each; one being set up is spared as long as there is another.
///
/// A code shows no more than a code: what a key has shown before is not made fresh by it,
/// and goes; and an app that a session of two factors has set up leaves it as it was.
///
/// # Errors
/// As [`candidates`], of the authenticator in question: a throttled one is not looked
/// at, whatever the code. [`Refusal::MfaFailed`] if it is no candidate any more;
/// [`Refusal::AssuranceTooLow`] if the session would be weaker with the code than it is.
///
/// # Source
/// RFC 6238 §5.2, SP 800-63B-4 §3.1.4.2: a code is accepted once. §3.2.2: the limit of
/// failures disables the authenticator.
pub fn conclude(
    world: &World,
    verdict: &MfaVerdict,
    tokens: &FreshTokens,
    now: Moment,
) -> Result<Vec<Event>, Refusal> {
    let open = session::open_for_any(world, verdict.session, now)?;
    let held = authenticators(open, now)?;
    let named = held.iter().find(|one| one.credential.id == verdict.credential);
    let tried = *named.ok_or(Refusal::MfaFailed)?;
    tried.check_throttle(world, now)?;
    check_may_rise(open, now)?;
    if !tried.pending && shown_with_code(open).aal() < Some(open.session.aal) {
        return Err(Refusal::AssuranceTooLow { required: open.session.aal });
    }
    Ok(match verdict.step {
        Some(step) if tried.last_step.is_none_or(|last| step > last) => {
            accepted(open, tried, step, tokens)
        }
        Some(_) => refused(world, open, &[tried], Refused::Replayed),
        None => {
            let guessed =
                |one: &Authenticator<'_>| !one.pending && one.check_throttle(world, now).is_ok();
            let in_use: Vec<_> = held.iter().copied().filter(guessed).collect();
            let blamed = if in_use.is_empty() { vec![tried] } else { in_use };
            refused(world, open, &blamed, Refused::Wrong)
        }
    })
}

/// What a session has shown once a code is given: what was typed, and nothing of a key.
fn shown_with_code(open: Open<'_>) -> Methods {
    let typed = open.session.methods.0.iter().copied();
    typed.filter(|method| *method == Method::Pwd).chain([Method::Otp]).collect()
}

/// A TOTP authenticator, in use or being set up.
#[derive(Clone, Copy)]
struct Authenticator<'a> {
    credential: &'a Credential,
    pending: bool,
    last_step: Option<u64>,
}

impl Authenticator<'_> {
    const fn candidate(self) -> Candidate {
        let Credential { id, sealed, .. } = self.credential;
        Candidate { credential: *id, sealed: *sealed, pending: self.pending }
    }

    fn check_throttle(self, world: &World, now: Moment) -> Result<(), Refusal> {
        let Credential { failures, failed_at, .. } = self.credential;
        throttle::check(*failures, *failed_at, now, &world.settings.throttle)
    }
}

fn is_full(open: Open<'_>) -> bool {
    open.person.totps.len() >= TOTPS_MAX
}

fn is_recovering(open: Open<'_>) -> bool {
    open.session.purpose == SessionPurpose::Recovery
}

fn authenticators(open: Open<'_>, now: Moment) -> Result<Vec<Authenticator<'_>>, Refusal> {
    let pending = open.person.pending_totp.as_ref();
    let reaches = binding::reaches(open, Aal::TWO);
    let pending = pending.filter(|it| it.awaits(open.session.id, now) && reaches);
    let pending = pending.map(|pending| &pending.credential);
    // What was lost is not what a recovery is about to show.
    let in_use = if is_recovering(open) { &[] } else { open.person.totps.as_slice() };
    let all = pending
        .map(|credential| Authenticator { credential, pending: true, last_step: None })
        .into_iter()
        .chain(in_use.iter().map(|totp| Authenticator {
            credential: &totp.credential,
            pending: false,
            last_step: totp.last_step,
        }));
    let enabled: Vec<_> = all.filter(|one| !one.credential.disabled).collect();
    match (enabled.is_empty(), in_use.is_empty()) {
        (false, _) => Ok(enabled),
        (true, false) => Err(Refusal::MfaDisabled),
        (true, true) => Err(Refusal::MfaNotSetUp),
    }
}

fn accepted(
    open: Open<'_>,
    tried: Authenticator<'_>,
    step: u64,
    tokens: &FreshTokens,
) -> Vec<Event> {
    let (person, credential) = (&open.person.name, tried.credential.id);
    // Who recovers and has no room left has lost them all: they make room.
    let beside = !(is_recovering(open) && is_full(open));
    let enrolled = MfaEnrolled { person: person.clone(), credential, beside };
    let verified = MfaVerified { person: person.clone(), credential, step };
    let session = match open.session.purpose {
        SessionPurpose::Recovery => Some(session::ended(open.session.id, SessionEnding::Fulfilled)),
        // What the session has just been given shows nothing that it has not shown before.
        _ if tried.pending && open.session.aal >= Aal::TWO => None,
        SessionPurpose::Everything
        | SessionPurpose::PasswordChange
        | SessionPurpose::SecondFactor => Some(Event::SessionRaised(SessionRaised {
            session: open.session.id,
            person: person.clone(),
            methods: shown_with_code(open),
            token: tokens.token,
            session_token: tokens.session_token,
        })),
    };
    let first = tried.pending.then_some(Event::MfaEnrolled(enrolled));
    first.into_iter().chain([Event::MfaVerified(verified)]).chain(session).collect()
}

fn refused(
    world: &World,
    open: Open<'_>,
    blamed: &[Authenticator<'_>],
    reason: Refused,
) -> Vec<Event> {
    let mut events = Vec::new();
    for tried in blamed {
        let (person, credential) = (open.person.name.clone(), tried.credential.id);
        events.push(Event::MfaRefused(MfaRefused { person, credential, reason }));
    }
    let most = world.settings.throttle.failures_max_totp;
    for worn in blamed.iter().filter(|it| it.credential.failures.saturating_add(1) >= most) {
        let (person, credential) = (open.person.name.clone(), worn.credential.id);
        let why = Disabling::Failures;
        events.push(Event::CredentialDisabled(CredentialDisabled { person, credential, why }));
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authn::authenticators::AUTHENTICATION_AGE_MAX_S;
    use crate::authn::fixture::{Story, named, names};
    use crate::authn::{Outcome, outcome};
    use crate::event::{DecisionSettings, ThrottleSettings};
    use crate::projection::Person;

    fn alice(story: &Story) -> &Person {
        story.world.identities.get(&named("alice")).unwrap()
    }

    fn with_alice() -> (Story, Uuid) {
        let mut story = Story::new();
        story.person("alice");
        let session = story.log_in("alice");
        (story, session)
    }

    fn pending(story: &Story, session: Uuid) -> Result<Vec<bool>, Refusal> {
        let found = candidates(&story.world, session, story.now)?;
        Ok(found.into_iter().map(|one| one.pending).collect())
    }

    #[test]
    fn an_offer_counts_only_once_confirmed_and_then_raises_the_session() {
        let (mut story, session) = with_alice();
        let totp = story.offer(session).unwrap();
        assert_eq!(pending(&story, session), Ok(vec![true]));
        assert!(alice(&story).totps.is_empty());

        let events = story.code(session, totp, Some(7)).unwrap();

        assert_eq!(names(&events), ["mfa.enrolled", "mfa.verified", "session.raised"]);
        let told = Outcome::Raised {
            session,
            aal: Aal::TWO,
            methods: [Method::Pwd, Method::Otp].into_iter().collect(),
            enrolled: true,
        };
        assert_eq!(outcome(&events), told);
        assert_eq!(alice(&story).totps[0].last_step, Some(7));
        assert_eq!(pending(&story, session), Ok(vec![false]));
    }

    /// Goal: a token from before the second factor is worth nothing after it.
    #[test]
    fn a_raised_session_keeps_its_id_and_changes_both_tokens() {
        let (mut story, session) = with_alice();
        let totp = story.offer(session).unwrap();
        let before = story.world.clone();
        let tokens = story.tokens();
        let verdict = MfaVerdict { session, credential: totp, step: Some(1) };

        let events = story.commit(conclude(&before, &verdict, &tokens, story.now));

        let id = |found: Option<&std::sync::Arc<crate::projection::Session>>| {
            found.map(|session| session.id)
        };
        let sessions = &story.world.sessions;
        assert_eq!(id(sessions.by_token(&tokens.token)), Some(session));
        assert_eq!(id(sessions.by_session_token(&tokens.session_token)), Some(session));
        assert_eq!(sessions.len(), 1);
        let Some(Event::SessionRaised(raised)) = events.last() else { panic!("{events:?}") };
        assert_eq!(raised.session, session);
    }

    #[test]
    fn an_offer_takes_a_session_in_force() {
        let (mut story, session) = with_alice();
        let nobodys = story.id();
        assert_eq!(story.offer(nobodys), Err(Refusal::SessionOver));
        story.pass(3_601);
        assert_eq!(story.offer(session), Err(Refusal::SessionOver));
    }

    #[test]
    fn an_offer_takes_a_fresh_authentication() {
        let (mut story, session) = with_alice();
        story.pass(AUTHENTICATION_AGE_MAX_S);
        assert!(story.offer(session).is_ok());
        story.pass(1);
        let refused = Refusal::ReauthenticationRequired { max_age_s: 900 };
        assert_eq!(story.offer(session), Err(refused));
    }

    /// Goal: a stolen password is not enough to bind another second factor.
    #[test]
    fn another_second_factor_is_bound_only_with_a_code_of_the_first() {
        let mut story = Story::new();
        story.person("alice");
        let (strong, totp) = story.second_factor("alice");
        let weak = story.log_in("alice");
        let too_low = Refusal::AssuranceTooLow { required: Aal::TWO };
        assert_eq!(story.offer(weak), Err(too_low));

        let next = story.offer(strong).unwrap();
        assert_eq!(pending(&story, strong), Ok(vec![true, false]));
        assert_eq!(pending(&story, weak), Ok(vec![false]), "nor is a new one confirmed so");
        assert_eq!(story.code(weak, next, Some(9)), Err(Refusal::MfaFailed));

        story.code(strong, next, Some(9)).unwrap();
        let held: Vec<_> = alice(&story).totps.iter().map(|it| it.credential.id).collect();
        assert_eq!(held, [totp, next]);
        assert!(story.code(weak, totp, Some(9)).is_ok(), "the first one stays in use");
    }

    /// Goal: a session that was ended cannot live on in another by what it had offered.
    #[test]
    fn an_offer_is_confirmed_in_the_session_that_it_was_made_in() {
        let (mut story, session) = with_alice();
        let other = story.log_in("alice");
        let totp = story.offer(session).unwrap();
        assert_eq!(pending(&story, other), Err(Refusal::MfaNotSetUp));
        assert_eq!(story.code(other, totp, Some(1)), Err(Refusal::MfaNotSetUp));
        assert!(story.code(session, totp, Some(1)).is_ok());
    }

    #[test]
    fn an_offer_lapses_and_a_newer_one_takes_its_place() {
        let (mut story, session) = with_alice();
        let first = story.offer(session).unwrap();
        let second = story.offer(session).unwrap();
        assert_eq!(story.code(session, first, Some(1)), Err(Refusal::MfaFailed));
        story.pass(story.world.settings.session.mfa_pending_s - 1);
        assert_eq!(pending(&story, session), Ok(vec![true]));
        story.pass(1);
        assert_eq!(pending(&story, session), Err(Refusal::MfaNotSetUp));
        assert_eq!(story.code(session, second, Some(1)), Err(Refusal::MfaNotSetUp));
    }

    #[test]
    fn a_step_not_after_the_last_is_a_replay_and_answered_like_a_wrong_code() {
        let mut story = Story::new();
        story.person("alice");
        let (session, totp) = story.second_factor("alice");
        story.code(session, totp, Some(5)).unwrap();
        for (step, reason) in [(Some(5), Refused::Replayed), (Some(4), Refused::Replayed)] {
            let events = story.code(session, totp, step).unwrap();
            let refused = MfaRefused { person: named("alice"), credential: totp, reason };
            assert_eq!(events, [Event::MfaRefused(refused)]);
            assert_eq!(outcome(&events), Outcome::Refused(Refusal::MfaFailed));
        }
        assert_eq!(alice(&story).totps[0].credential.failures, 2);
        assert_eq!(names(&story.code(session, totp, Some(6)).unwrap()).len(), 2);
    }

    /// Goal: the fourth demand. All candidates were read before the first
    /// verdict; each conclusion sees what those before it have done.
    #[test]
    fn of_200_parallel_verifications_with_one_code_one_succeeds() {
        let mut story = Story::new();
        story.person("alice");
        let (_, totp) = story.second_factor("alice");
        let sessions: Vec<_> = (0..19).map(|_| story.log_in("alice")).collect();

        let all: Vec<_> =
            (0..200).map(|place| story.code(sessions[place % 19], totp, Some(2))).collect();

        let told = |wanted: &[&str]| {
            all.iter().flatten().filter(|events| names(events) == *wanted).count()
        };
        assert_eq!(told(&["mfa.verified", "session.raised"]), 1);
        assert_eq!(told(&["mfa.refused"]), 3);
        let throttled = Err(Refusal::Throttled { retry_after_s: 1 });
        assert_eq!(all.iter().filter(|told| **told == throttled).count(), 196);
    }

    #[test]
    fn a_right_code_given_while_throttled_is_refused_and_not_used_up() {
        let mut story = Story::new();
        story.person("alice");
        let (session, totp) = story.second_factor("alice");
        for _ in 0..3 {
            story.code(session, totp, None).unwrap();
        }
        let throttled = Refusal::Throttled { retry_after_s: 1 };
        assert_eq!(pending(&story, session), Err(throttled.clone()));
        assert_eq!(story.code(session, totp, Some(2)), Err(throttled.clone()));
        assert_eq!(story.code(session, totp, None), Err(throttled));
        story.pass(1);
        assert!(story.code(session, totp, Some(2)).is_ok());
    }

    #[test]
    fn an_authenticator_that_waits_does_not_hold_up_the_other() {
        let mut story = Story::new();
        story.person("alice");
        let (session, totp) = story.second_factor("alice");
        story.offer(session).unwrap();
        for _ in 0..3 {
            story.code(session, totp, None).unwrap();
        }
        assert_eq!(pending(&story, session), Ok(vec![true]));
    }

    #[test]
    fn the_last_failure_allowed_disables_the_authenticator() {
        let throttle = ThrottleSettings { failures_max_totp: 2, ..ThrottleSettings::default() };
        let settings = DecisionSettings { throttle, ..DecisionSettings::default() };
        let mut story = Story::under(settings);
        story.person("alice");
        let (session, totp) = story.second_factor("alice");
        assert_eq!(names(&story.code(session, totp, None).unwrap()), ["mfa.refused"]);

        let last = story.code(session, totp, Some(1)).unwrap();

        assert_eq!(names(&last), ["mfa.refused", "credential.disabled"]);
        assert_eq!(story.code(session, totp, Some(2)), Err(Refusal::MfaDisabled));
        assert_eq!(pending(&story, session), Err(Refusal::MfaDisabled));
    }

    /// Goal: a stolen password cannot wear the second factor out and bind its own.
    #[test]
    fn a_disabled_second_factor_still_bars_a_new_one() {
        let throttle = ThrottleSettings { failures_max_totp: 1, ..ThrottleSettings::default() };
        let settings = DecisionSettings { throttle, ..DecisionSettings::default() };
        let mut story = Story::under(settings);
        story.person("alice");
        let (_, totp) = story.second_factor("alice");
        let weak = story.log_in("alice");
        story.code(weak, totp, None).unwrap();
        let too_low = Refusal::AssuranceTooLow { required: Aal::TWO };
        assert_eq!(story.offer(weak), Err(too_low));
    }

    #[test]
    fn an_offer_that_was_guessed_at_too_often_is_dead() {
        let throttle = ThrottleSettings { failures_max_totp: 1, ..ThrottleSettings::default() };
        let settings = DecisionSettings { throttle, ..DecisionSettings::default() };
        let mut story = Story::under(settings);
        story.person("alice");
        let session = story.log_in("alice");
        let totp = story.offer(session).unwrap();
        story.code(session, totp, None).unwrap();
        assert_eq!(story.code(session, totp, Some(1)), Err(Refusal::MfaNotSetUp));
        assert!(story.offer(session).is_ok());
    }
}
