//! Sessions of this deployment: what one is, log out, and how many there may be.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use super::Refusal;
use crate::event::{Event, SessionEnded, SessionEnding, SessionPurpose};
use crate::model::{Aal, Label, Moment, Uid, Username};
use crate::projection::{PendingTotp, Person, Session, World};

/// The most sessions of one user at one source.
pub const SESSIONS_PER_USER_MAX: usize = 20;

/// The most sessions that one identity provider vouches for, whoever's they are: it
/// can name as many users as it likes, and each session takes about 1 KiB of memory.
pub const SESSIONS_PER_SOURCE_MAX: usize = 100_000;

/// For how long a session shows that a used code was given again, in seconds.
const REUSE_SHOWN_S: u64 = 7 * 86_400;

/// The source of the sessions that begin here; no identity provider can have it.
pub const LOCAL_SOURCE: &str = "countersign";

/// A session as its person sees it. No token is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionView {
    /// Whose, as policies name them.
    pub user: Uid,
    /// Its assurance level, 1 to 3.
    pub aal: Aal,
    /// The methods used, by their RFC 8176 names.
    pub amr: BTreeSet<&'static str>,
    /// What it is for; absent if for everything.
    #[serde(skip_serializing_if = "SessionPurpose::is_everything")]
    pub purpose: SessionPurpose,
    /// When the person last authenticated.
    pub authenticated_at: Moment,
    /// When its absolute limit passes.
    pub expires_at: Moment,
    /// When its idle limit passes if it is not used before.
    pub idle_until: Moment,
    /// True if the person has a second factor in use.
    pub mfa_enrolled: bool,
    /// True if one is being set up and awaits its first right code.
    pub mfa_pending: bool,
    /// When a code that had been used was given again, the last time within a week: by
    /// whoever has seen it, if not by the person (SP 800-63B-4 §3.1.4.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reused_code_at: Option<Moment>,
    /// How many passkeys the person has in use.
    pub passkeys: usize,
}

/// Shows a session that is in force.
///
/// # Errors
/// [`Refusal::SessionOver`].
pub fn view(world: &World, session: Uuid, now: Moment) -> Result<SessionView, Refusal> {
    let Open { session, person } = open_for_any(world, session, now)?;
    let limits = &world.settings.session;
    let awaits = |it: &PendingTotp| now < it.expires_at && !it.credential.disabled;
    let reused = world.sign_ins.of(&person.name).and_then(|it| it.reused_code_at);
    Ok(SessionView {
        user: session.user.clone(),
        aal: session.aal,
        amr: session.methods.names(),
        purpose: session.purpose,
        authenticated_at: session.authenticated_at,
        expires_at: session.expires_at(limits),
        idle_until: session.last_active.plus_seconds(limits.idle_s(session.aal)),
        mfa_enrolled: person.has_second_factor(),
        mfa_pending: person.pending_totp.as_ref().is_some_and(awaits),
        reused_code_at: reused.filter(|at| now.seconds_since(*at) <= REUSE_SHOWN_S),
        passkeys: person.usable_passkeys().count(),
    })
}

/// Ends a session because its person says so.
///
/// # Errors
/// [`Refusal::SessionOver`] if it was over before.
pub fn log_out(world: &World, session: Uuid, now: Moment) -> Result<Vec<Event>, Refusal> {
    let open = open_for_any(world, session, now)?;
    Ok(vec![ended(open.session.id, SessionEnding::LoggedOut)])
}

/// A session in force, and its person, who may log in.
#[derive(Clone, Copy)]
pub(super) struct Open<'a> {
    pub(super) session: &'a Session,
    pub(super) person: &'a Person,
}

/// Looks up a session of this deployment's own that is for everything.
pub(super) fn open(world: &World, session: Uuid, now: Moment) -> Result<Open<'_>, Refusal> {
    let open = open_for_any(world, session, now)?;
    match open.session.purpose {
        SessionPurpose::Everything => Ok(open),
        SessionPurpose::PasswordChange => Err(Refusal::PasswordChangeRequired),
        SessionPurpose::SecondFactor => Err(Refusal::AssuranceTooLow { required: Aal::TWO }),
        SessionPurpose::Recovery => Err(Refusal::RecoveryOnly),
    }
}

/// Looks up a session of this deployment's own that a code or a new password may make
/// more of.
pub(super) fn open_unfinished(
    world: &World,
    session: Uuid,
    now: Moment,
) -> Result<Open<'_>, Refusal> {
    let open = open_for_any(world, session, now)?;
    if open.session.purpose == SessionPurpose::Recovery {
        return Err(Refusal::RecoveryOnly);
    }
    Ok(open)
}

/// Looks up a session of this deployment's own, whatever it is for.
pub(super) fn open_for_any(world: &World, session: Uuid, now: Moment) -> Result<Open<'_>, Refusal> {
    let limits = &world.settings.session;
    let found = world.sessions.get(&session).filter(|session| session.in_force(now, limits));
    let open = found.and_then(|session| {
        let person = world.identities.get(session.person.as_ref()?)?;
        (!person.disabled).then_some(Open { session, person })
    });
    open.ok_or(Refusal::SessionOver)
}

/// What must end before the user gets one more session from a source: those past their
/// limits and, if there are still too many, the weakest, and of those the oldest. So who has
/// only the password throws no stronger session out. One source never ends another's.
pub(super) fn make_room(world: &World, user: &Uid, source: &str, now: Moment) -> Vec<Event> {
    let limits = &world.settings.session;
    let (mut alive, lapsed): (Vec<_>, Vec<_>) = world
        .sessions
        .of_user(user)
        .filter(|session| session.source == source)
        .partition(|session| session.in_force(now, limits));
    let excess = (alive.len() + 1).saturating_sub(SESSIONS_PER_USER_MAX);
    alive.sort_by_key(|session| (session.aal, session.id));
    let lapsed = lapsed.into_iter().map(|session| ended(session.id, SessionEnding::Expired));
    let oldest = alive.into_iter().take(excess);
    lapsed.chain(oldest.map(|session| ended(session.id, SessionEnding::Displaced))).collect()
}

/// What must end before an identity provider may vouch for one more session than the
/// `most` it has: the oldest of its own. Another's never does.
pub(super) fn make_room_at_source(world: &World, source: &str, most: usize) -> Option<Event> {
    let (held, oldest) = world.sessions.of_source(source);
    oldest.filter(|_| held >= most).map(|id| ended(id, SessionEnding::Displaced))
}

/// Ends every session of a person, whatever entity type they have had in policies.
/// Linear in the sessions there are; rare.
pub(super) fn end_all(world: &World, person: &Username, why: SessionEnding) -> Vec<Event> {
    let all = world.sessions.iter().filter(|session| session.person.as_ref() == Some(person));
    let ids: BTreeSet<_> = all.map(|session| session.id).collect();
    ids.into_iter().map(|id| ended(id, why)).collect()
}

/// As [`end_all`], but for the one that is kept.
pub(super) fn end_others(
    world: &World,
    person: &Username,
    kept: Uuid,
    why: SessionEnding,
) -> Vec<Event> {
    let is_kept = |event: &Event| matches!(event, Event::SessionEnded(it) if it.session == kept);
    end_all(world, person, why).into_iter().filter(|event| !is_kept(event)).collect()
}

/// As [`end_all`], with every session of the person's entity from whatever source.
pub(super) fn end_all_of<T>(
    world: &World,
    person: &Username,
    user: &Uid,
    end: impl Fn(Uuid) -> T,
) -> Vec<T> {
    let own = |session: &&Arc<Session>| session.person.as_ref() == Some(person);
    let theirs = world.sessions.iter().filter(own).chain(world.sessions.of_user(user));
    let ids: BTreeSet<_> = theirs.map(|session| session.id).collect();
    ids.into_iter().map(end).collect()
}

pub(super) fn ended(session: Uuid, reason: SessionEnding) -> Event {
    let (person, grounds) = (None, Label::default());
    Event::SessionEnded(SessionEnded { session, reason, person, grounds })
}

/// A session's end that its person hears of.
pub(super) fn ended_by_administrator(session: Uuid, person: Username, grounds: Label) -> Event {
    let reason = SessionEnding::EndedByAdministrator;
    Event::SessionEnded(SessionEnded { session, reason, person: Some(person), grounds })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authn::fixture::{Story, named, names};
    use crate::authn::persons;
    use crate::event::PersonDisabled;

    #[test]
    fn a_session_is_shown_as_it_stands() {
        let mut story = Story::new();
        story.person("alice");
        let start = story.now;
        let session = story.log_in("alice");
        let shown = |story: &Story| view(&story.world, session, story.now).unwrap();
        let first = SessionView {
            user: story.world.user(&named("alice")),
            aal: Aal::ONE,
            amr: ["pwd"].into(),
            purpose: SessionPurpose::Everything,
            authenticated_at: start,
            expires_at: start.plus_seconds(86_400),
            idle_until: start.plus_seconds(3_600),
            mfa_enrolled: false,
            mfa_pending: false,
            reused_code_at: None,
            passkeys: 0,
        };
        assert_eq!(shown(&story), first);

        let totp = story.offer(session).unwrap();
        assert_eq!(shown(&story), SessionView { mfa_pending: true, ..first.clone() });

        story.pass(60);
        story.code(session, totp, Some(1)).unwrap();
        let raised = SessionView {
            aal: Aal::TWO,
            amr: ["mfa", "otp", "pwd"].into(),
            authenticated_at: story.now,
            expires_at: start.plus_seconds(43_200),
            idle_until: story.now.plus_seconds(3_600),
            mfa_enrolled: true,
            ..first
        };
        assert_eq!(shown(&story), raised);
    }

    #[test]
    fn a_session_view_names_no_token() {
        let mut story = Story::new();
        story.person("alice");
        let session = story.log_in("alice");
        let view = view(&story.world, session, story.now).unwrap();
        let json = serde_json::to_value(view).unwrap();
        let members: BTreeSet<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let times = ["authenticated_at", "expires_at", "idle_until"];
        let others = ["user", "aal", "amr", "mfa_enrolled", "mfa_pending", "passkeys"];
        assert_eq!(members, times.into_iter().chain(others).collect());
    }

    #[test]
    fn who_logs_out_is_out_and_only_there() {
        let mut story = Story::new();
        story.person("alice");
        let (here, there) = (story.log_in("alice"), story.log_in("alice"));

        let out = log_out(&story.world, here, story.now);
        assert_eq!(story.commit(out), [ended(here, SessionEnding::LoggedOut)]);

        assert_eq!(story.sessions("alice"), [there]);
        assert_eq!(log_out(&story.world, here, story.now), Err(Refusal::SessionOver));
    }

    #[test]
    fn what_is_over_is_over_for_every_command() {
        let mut story = Story::new();
        story.person("alice");
        let ours = story.log_in("alice");
        let refused = |story: &Story, session| {
            assert_eq!(view(&story.world, session, story.now), Err(Refusal::SessionOver));
            assert_eq!(log_out(&story.world, session, story.now), Err(Refusal::SessionOver));
        };
        refused(&story, Uuid::nil());
        // The event alone, without the endings that go with it.
        let person = named("alice");
        let mut barred = story.clone();
        barred.fact(Event::PersonDisabled(PersonDisabled { person, reason: Label::default() }));
        refused(&barred, ours);
        story.pass(3_601);
        refused(&story, ours);
    }

    #[test]
    fn a_disabled_person_has_no_session_left() {
        let mut story = Story::new();
        story.person("alice");
        let all = [story.log_in("alice"), story.log_in("alice")];
        let disabled = persons::disable(&story.world, &named("alice"), Label::default());
        let events = story.commit(disabled);
        assert_eq!(names(&events), ["person.disabled", "session.ended", "session.ended"]);
        assert_eq!(events[1..], all.map(|id| ended(id, SessionEnding::PersonDisabled)));
        assert!(story.world.sessions.is_empty());
    }
}
