//! The authenticators of a person: shown, named, removed, and bound anew at an
//! administrator's word; and what it takes to change them.
//!
//! What it takes is not asked of policies: it rests on what the account itself holds at
//! that moment, which the writer knows, and no set of policies may loosen it.

use std::collections::BTreeSet;

use serde::Serialize;
use uuid::Uuid;

use super::session::{self, Open};
use super::{Refusal, persons};
use crate::event::{
    CredentialDisabled, CredentialRemoved, CredentialRenamed, Disabling, Event, SessionEnding,
    SessionPurpose,
};
use crate::model::{Aal, Digest, Label, Moment, Username};
use crate::projection::{Credential, Person, World};

/// How recent the authentication must be for an authenticator to be bound or removed, in
/// seconds.
pub const AUTHENTICATION_AGE_MAX_S: u64 = 900;

/// How long one TOTP time step is, in seconds.
const STEP_S: u64 = 30;

/// What an authenticator is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A password.
    Password,
    /// An app that shows codes.
    Totp,
    /// A key that verifies its user, and can log in by itself.
    Passkey,
    /// A key that does not, and stands beside a password.
    SecurityKey,
    /// A set of recovery codes.
    RecoveryCodes,
}

/// An authenticator as its person sees it. No secret is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuthenticatorView {
    /// Its id.
    pub id: Uuid,
    /// What it is.
    pub kind: Kind,
    /// What the person calls it.
    #[serde(skip_serializing_if = "Label::is_empty")]
    pub label: Label,
    /// When it was set up, to the millisecond; it is in the id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enrolled_at: Option<Moment>,
    /// When it was last used, where that is known: of a code, when its time step began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Moment>,
    /// True if it awaits its first right code.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pending: bool,
    /// True if it can no longer be used.
    pub disabled: bool,
}

/// Shows the person of a session what they hold: the password, apps that show codes,
/// oldest first, one being set up, passkeys, recovery codes.
///
/// # Errors
/// [`Refusal::SessionOver`].
pub fn list(world: &World, session: Uuid, now: Moment) -> Result<Vec<AuthenticatorView>, Refusal> {
    Ok(held(session::open(world, session, now)?.person, now))
}

/// Gives an authenticator another name.
///
/// # Errors
/// [`Refusal::SessionOver`], [`Refusal::AssuranceTooLow`],
/// [`Refusal::AuthenticatorUnknown`]; [`Refusal::NotNamed`] if it is one of a kind.
pub fn rename(
    world: &World,
    session: Uuid,
    authenticator: Uuid,
    label: Label,
    now: Moment,
) -> Result<Vec<Event>, Refusal> {
    let open = session::open(world, session, now)?;
    check_strength(open)?;
    match kind_of(open.person, authenticator, now)? {
        Kind::Totp | Kind::Passkey | Kind::SecurityKey => {
            let person = open.person.name.clone();
            let renamed = CredentialRenamed { person, credential: authenticator, label };
            Ok(vec![Event::CredentialRenamed(renamed)])
        }
        Kind::Password | Kind::RecoveryCodes => Err(Refusal::NotNamed),
    }
}

/// Takes an authenticator away for good, and ends every other session of its person:
/// whoever holds the authenticator may be in one. Linear in the sessions there are.
///
/// # Errors
/// [`Refusal::SessionOver`]; [`Refusal::AssuranceTooLow`] below what the person's
/// authenticators can give; [`Refusal::ReauthenticationRequired`] above
/// [`AUTHENTICATION_AGE_MAX_S`]; [`Refusal::AuthenticatorUnknown`];
/// [`Refusal::PasswordRequired`] for a password; [`Refusal::PasswordTooShortAlone`] if the
/// last second factor would leave alone a password that is not fit for it.
///
/// # Source
/// SP 800-63B-4 §3.1.1.2 (1), §4.5; ASVS 5.0 6.5.6, 7.4.3, 7.5.1.
pub fn remove(
    world: &World,
    session: Uuid,
    authenticator: Uuid,
    now: Moment,
) -> Result<Vec<Event>, Refusal> {
    let open = session::open(world, session, now)?;
    check_strength(open)?;
    check_fresh(open, now)?;
    let person = open.person;
    match kind_of(person, authenticator, now)? {
        Kind::Password => return Err(Refusal::PasswordRequired),
        Kind::Totp if password_is_short(person) && !protected_without(person, authenticator) => {
            return Err(Refusal::PasswordTooShortAlone);
        }
        Kind::Totp | Kind::Passkey | Kind::SecurityKey | Kind::RecoveryCodes => {}
    }
    let name = person.name.clone();
    let removed = CredentialRemoved { person: name, credential: authenticator };
    let why = SessionEnding::AuthenticatorRemoved;
    let others = session::end_others(world, &person.name, session, why);
    Ok(std::iter::once(Event::CredentialRemoved(removed)).chain(others).collect())
}

fn password_is_short(person: &Person) -> bool {
    person.password.as_ref().is_some_and(|password| password.short)
}

/// True if the password is not left alone: another second factor is in use, or the one to
/// go never was.
fn protected_without(person: &Person, authenticator: Uuid) -> bool {
    let mut others = person.totps.iter().filter(|totp| totp.credential.id != authenticator);
    others.any(|totp| !totp.credential.disabled)
        || person.totps.iter().all(|totp| totp.credential.id != authenticator)
}

/// Has a person bind authenticators anew, for a reason, which may be empty: those chosen, or
/// all, can no longer be used, every session of theirs ends, and a ticket to set a password
/// with is issued, in place of one open before. Using it frees the place of what was
/// disabled. No secret is chosen for them. Linear in the sessions there are.
///
/// # Errors
/// [`Refusal::PersonUnknown`], [`Refusal::PersonDisabled`];
/// [`Refusal::AuthenticatorUnknown`] for a choice that is none of theirs.
///
/// # Source
/// SP 800-63B-4 §4.2.2; ASVS 5.0 6.4.1, 6.4.6.
pub fn re_enrol(
    world: &World,
    person: &Username,
    chosen: Option<&BTreeSet<Uuid>>,
    ticket: Digest,
    reason: &Label,
    now: Moment,
) -> Result<Vec<Event>, Refusal> {
    let issued = persons::issue_ticket(world, person, ticket, reason.clone(), now)?;
    let known = persons::known(world, person)?;
    let theirs: BTreeSet<_> = known.credentials().collect();
    let unknown = chosen.and_then(|chosen| chosen.difference(&theirs).next());
    if let Some(authenticator) = unknown {
        return Err(Refusal::AuthenticatorUnknown { authenticator: *authenticator });
    }
    let is_chosen =
        |it: &&Credential| !it.disabled && chosen.is_none_or(|chosen| chosen.contains(&it.id));
    let disabled = known.sealed().filter(is_chosen).map(|it| {
        Event::CredentialDisabled(CredentialDisabled {
            person: person.clone(),
            credential: it.id,
            why: Disabling::Administrator,
        })
    });
    let end = |id| session::ended_by_administrator(id, person.clone(), reason.clone());
    let ended = session::end_all_of(world, person, &world.user(person), end);
    Ok(disabled.chain(issued).chain(ended).collect())
}

/// What changing authenticators takes: as much as those there are can give together.
/// A session that a recovery code began has shown what it takes to bind one.
///
/// # Source
/// SP 800-63B-4 §4.1.2.1; §4.2.2.2.
pub(super) fn check_strength(open: Open<'_>) -> Result<(), Refusal> {
    let required = open.person.strength();
    let recovering = open.session.purpose == SessionPurpose::Recovery;
    if open.session.aal >= required || recovering {
        return Ok(());
    }
    Err(Refusal::AssuranceTooLow { required })
}

/// And that lately.
pub(super) fn check_fresh(open: Open<'_>, now: Moment) -> Result<(), Refusal> {
    if now.seconds_since(open.session.authenticated_at) > AUTHENTICATION_AGE_MAX_S {
        return Err(Refusal::ReauthenticationRequired { max_age_s: AUTHENTICATION_AGE_MAX_S });
    }
    Ok(())
}

/// A session of one factor rises only on an authentication of late: an old session's token
/// and a code, or a key, are not two factors shown together. One that has risen may be
/// refreshed.
pub(super) fn check_may_rise(open: Open<'_>, now: Moment) -> Result<(), Refusal> {
    if open.session.aal < Aal::TWO { check_fresh(open, now) } else { Ok(()) }
}

fn kind_of(person: &Person, authenticator: Uuid, now: Moment) -> Result<Kind, Refusal> {
    let found = held(person, now).into_iter().find(|it| it.id == authenticator);
    found.map(|it| it.kind).ok_or(Refusal::AuthenticatorUnknown { authenticator })
}

fn held(person: &Person, now: Moment) -> Vec<AuthenticatorView> {
    let shown = |kind: Kind, credential: &Credential, label: &Label| AuthenticatorView {
        id: credential.id,
        kind,
        label: label.clone(),
        enrolled_at: made_at(credential.id),
        last_used_at: None,
        pending: false,
        disabled: credential.disabled,
    };
    let unnamed = Label::default();
    let password = person.password.iter().map(|it| shown(Kind::Password, &it.credential, &unnamed));
    let totps = person.totps.iter().map(|it| AuthenticatorView {
        last_used_at: it.last_step.map(step_began),
        ..shown(Kind::Totp, &it.credential, &it.label)
    });
    let pending = person.pending_totp.iter().filter(|it| now < it.expires_at);
    let pending = pending.map(|it| AuthenticatorView {
        pending: true,
        ..shown(Kind::Totp, &it.credential, &it.label)
    });
    let recovery = person.recovery.iter().map(|it| shown(Kind::RecoveryCodes, it, &unnamed));
    let passkeys = person.passkeys.iter().map(|it| AuthenticatorView {
        last_used_at: it.used_at,
        ..shown(
            if it.user_verifying { Kind::Passkey } else { Kind::SecurityKey },
            &it.credential,
            &it.label,
        )
    });
    password.chain(totps).chain(pending).chain(passkeys).chain(recovery).collect()
}

/// When a `UUIDv7` was drawn.
fn made_at(id: Uuid) -> Option<Moment> {
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    let micros = seconds.checked_mul(1_000_000)?.checked_add(u64::from(nanos / 1_000))?;
    i64::try_from(micros).ok().map(Moment::from_micros)
}

fn step_began(step: u64) -> Moment {
    Moment::EPOCH.plus_seconds(step.saturating_mul(STEP_S))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authn::enrol::{Enrolment, enrol};
    use crate::authn::fixture::{Story, named, names};
    use crate::model::Aal;

    /// Alice with a password of this length and two apps, in a session of two factors.
    fn with_two(alone: bool) -> (Story, Uuid, [Uuid; 2]) {
        let mut story = Story::new();
        let ticket = story.register("alice", &[]);
        let (credential, sealed) = (story.id(), story.digest());
        let enrolment = Enrolment { ticket, credential, sealed, alone: true, from: None };
        let enrolled = enrol(&story.world, &enrolment, story.now);
        story.commit(enrolled);
        let (session, first) = story.second_factor("alice");
        let second = story.offer(session).unwrap();
        story.code(session, second, Some(2)).unwrap();
        if !alone {
            let ticket = story.ticket("alice");
            let (credential, sealed) = (story.id(), story.digest());
            let short = Enrolment { ticket, credential, sealed, alone, from: None };
            let enrolled = enrol(&story.world, &short, story.now);
            story.commit(enrolled);
            let session = story.log_in("alice");
            story.code(session, first, Some(3)).unwrap();
            return (story, session, [first, second]);
        }
        (story, session, [first, second])
    }

    fn removed(story: &mut Story, session: Uuid, id: Uuid) -> Result<Vec<Event>, Refusal> {
        let events = remove(&story.world, session, id, story.now)?;
        story.facts(&events);
        Ok(events)
    }

    /// Law: however removals come one after the other, a password that is not fit to stand
    /// alone never does.
    ///
    /// Source: SP 800-63B-4 §3.1.1.2 (1).
    #[test]
    fn of_two_removals_that_would_leave_a_short_password_alone_the_second_is_refused() {
        let (mut story, session, [first, second]) = with_two(false);
        removed(&mut story, session, first).unwrap();
        let refused = Refusal::PasswordTooShortAlone;
        assert_eq!(removed(&mut story, session, second), Err(refused));

        let (mut story, session, [first, second]) = with_two(true);
        removed(&mut story, session, first).unwrap();
        removed(&mut story, session, second).unwrap();
        let alice = story.world.identities.get(&named("alice")).unwrap();
        assert_eq!((alice.totps.len(), alice.strength()), (0, Aal::ONE));
        let gone = Refusal::AuthenticatorUnknown { authenticator: first };
        assert_eq!(removed(&mut story, session, first), Err(gone));
    }

    #[test]
    fn a_removal_ends_all_other_sessions_and_not_this_one() {
        let (mut story, session, [first, _]) = with_two(true);
        let other = story.log_in("alice");
        let events = removed(&mut story, session, first).unwrap();
        let why = SessionEnding::AuthenticatorRemoved;
        assert_eq!(names(&events), ["credential.removed", "session.ended"]);
        assert_eq!(events[1], session::ended(other, why));
        assert_eq!(story.sessions("alice"), [session]);
    }

    #[test]
    fn re_enrolment_disables_what_was_chosen_and_a_ticket_frees_its_place() {
        let (mut story, _, [first, second]) = with_two(true);
        let (ticket, alice) = (story.digest(), named("alice"));
        let chosen = BTreeSet::from([first]);
        let anew =
            re_enrol(&story.world, &alice, Some(&chosen), ticket, &Label::default(), story.now);
        let events = story.commit(anew);
        assert_eq!(names(&events), ["credential.disabled", "ticket.issued", "session.ended"]);
        let held = |story: &Story| {
            let totps = story.world.identities.get(&alice).unwrap().totps.clone();
            totps.iter().map(|it| (it.credential.id, it.credential.disabled)).collect::<Vec<_>>()
        };
        assert_eq!(held(&story), [(first, true), (second, false)]);
        story.enrol(ticket);
        assert_eq!(held(&story), [(second, false)]);
    }

    /// Goal: an auditor finds the end of each authenticator by its name.
    #[test]
    fn what_a_ticket_leaves_no_place_for_is_named_by_an_event_of_its_own() {
        let (mut story, _, [first, second]) = with_two(true);
        let (ticket, alice) = (story.digest(), named("alice"));
        let anew = re_enrol(&story.world, &alice, None, ticket, &Label::default(), story.now);
        story.commit(anew);
        let (credential, sealed) = (story.id(), story.digest());
        let enrolment = Enrolment { ticket, credential, sealed, alone: true, from: None };

        let enrolled = enrol(&story.world, &enrolment, story.now);

        let events = story.commit(enrolled);
        let told = ["ticket.used", "credential.removed", "credential.removed", "password.enrolled"];
        assert_eq!(names(&events), told);
        let gone = events.iter().filter_map(|event| match event {
            Event::CredentialRemoved(it) => Some(it.credential),
            _ => None,
        });
        assert_eq!(gone.collect::<Vec<_>>(), [first, second]);
    }

    #[test]
    fn an_authenticator_says_when_it_was_made() {
        let moment: Moment = "2026-11-22T12:00:00.123Z".parse().unwrap();
        let id = uuid::Builder::from_unix_timestamp_millis(moment.millis(), &[7; 10]).into_uuid();
        assert_eq!(made_at(id), Some(moment));
        assert_eq!(made_at(Uuid::nil()), None);
    }
}
