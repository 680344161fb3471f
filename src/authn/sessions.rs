//! A person's sessions, as a list: shown, and ended by the person or by an administrator.

use std::collections::BTreeSet;

use serde::Serialize;
use uuid::Uuid;

use super::authenticators::check_strength;
use super::{Refusal, persons, session};
use crate::event::{Event, SessionEnding, SessionPurpose};
use crate::model::{Aal, Label, Moment, Username};
use crate::projection::{Session, World};

/// One session in a list. No token is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionRow {
    /// Its id.
    pub id: Uuid,
    /// True for the session that asks.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub current: bool,
    /// Its assurance level, 1 to 3.
    pub aal: Aal,
    /// The methods used, by their RFC 8176 names.
    pub amr: BTreeSet<&'static str>,
    /// What it is for; absent if for everything.
    #[serde(skip_serializing_if = "SessionPurpose::is_everything")]
    pub purpose: SessionPurpose,
    /// Who vouches for it: `countersign` or an identity provider's source.
    pub source: String,
    /// When it began.
    pub started_at: Moment,
    /// When the person last authenticated.
    pub authenticated_at: Moment,
    /// When it was last used, at a grain of 60 s.
    pub last_active: Moment,
    /// When its absolute limit passes.
    pub expires_at: Moment,
    /// When its idle limit passes if it is not used before.
    pub idle_until: Moment,
}

/// The sessions in force of the person who asks, whoever vouches for them, oldest first.
///
/// # Errors
/// [`Refusal::SessionOver`].
pub fn list(world: &World, session: Uuid, now: Moment) -> Result<Vec<SessionRow>, Refusal> {
    let own = session::open(world, session, now)?;
    let all = rows(world, &own.person.name, now).into_iter();
    Ok(all.map(|it| SessionRow { current: it.id == session, ..it }).collect())
}

/// The sessions in force of a person, whoever vouches for them, oldest first.
///
/// # Errors
/// [`Refusal::PersonUnknown`].
pub fn list_of(world: &World, person: &Username, now: Moment) -> Result<Vec<SessionRow>, Refusal> {
    Ok(rows(world, &persons::known(world, person)?.name, now))
}

/// Ends one of the asking person's sessions, which may be the one that asks, or one that an
/// identity provider vouches for.
///
/// # Errors
/// [`Refusal::SessionOver`]; [`Refusal::SessionUnknown`] if it is none of theirs;
/// [`Refusal::AssuranceTooLow`] for another, below what the person's authenticators can
/// give: a stolen password shuts nobody out.
pub fn end(world: &World, session: Uuid, ended: Uuid, now: Moment) -> Result<Vec<Event>, Refusal> {
    let own = session::open(world, session, now)?;
    check_theirs(world, &own.person.name, ended)?;
    if ended != session {
        check_strength(own)?;
    }
    let why =
        if ended == session { SessionEnding::LoggedOut } else { SessionEnding::EndedByPerson };
    Ok(vec![session::ended(ended, why)])
}

/// Ends all the asking person's sessions but the one that asks, and that too if `all`,
/// whoever vouches for them. Linear in the sessions there are.
///
/// # Errors
/// [`Refusal::SessionOver`]; [`Refusal::AssuranceTooLow`] as for [`end`].
pub fn end_others(
    world: &World,
    session: Uuid,
    all: bool,
    now: Moment,
) -> Result<Vec<Event>, Refusal> {
    let own = session::open(world, session, now)?;
    check_strength(own)?;
    let (own, user) = (&own.person.name, world.user(&own.person.name));
    let end = |id| {
        let why =
            if id == session { SessionEnding::LoggedOut } else { SessionEnding::EndedByPerson };
        (id, session::ended(id, why))
    };
    let ended = session::end_all_of(world, own, &user, end).into_iter();
    Ok(ended.filter(|(id, _)| all || *id != session).map(|(_, event)| event).collect())
}

/// Ends one session of a person's, or all of them, because an administrator says so, for a
/// reason, which may be empty; whoever vouches for them. Linear in the sessions there are.
///
/// # Errors
/// [`Refusal::PersonUnknown`]; [`Refusal::SessionUnknown`] if it is none of theirs.
pub fn end_of(
    world: &World,
    person: &Username,
    session: Option<Uuid>,
    reason: &Label,
) -> Result<Vec<Event>, Refusal> {
    let person = &persons::known(world, person)?.name;
    let end = |id| session::ended_by_administrator(id, person.clone(), reason.clone());
    let Some(session) = session else {
        return Ok(session::end_all_of(world, person, &world.user(person), end));
    };
    check_theirs(world, person, session)?;
    Ok(vec![end(session)])
}

/// Refuses a session that is not a person's: neither one of theirs here, nor one of their
/// entity's elsewhere.
fn check_theirs(world: &World, person: &Username, session: Uuid) -> Result<(), Refusal> {
    let theirs = |it: &Session| match &it.person {
        Some(whose) => whose == person,
        None => it.user == world.user(person),
    };
    match world.sessions.get(&session).filter(|it| theirs(it)) {
        Some(_) => Ok(()),
        None => Err(Refusal::SessionUnknown { session }),
    }
}

fn rows(world: &World, person: &Username, now: Moment) -> Vec<SessionRow> {
    let limits = &world.settings.session;
    let all = world.sessions.of_user(&world.user(person));
    all.filter(|session| session.in_force(now, limits))
        .map(|session| SessionRow {
            id: session.id,
            current: false,
            aal: session.aal,
            amr: session.methods.names(),
            purpose: session.purpose,
            source: session.source.clone(),
            started_at: session.started_at,
            authenticated_at: session.authenticated_at,
            last_active: session.last_active,
            expires_at: session.expires_at(limits),
            idle_until: session.last_active.plus_seconds(limits.idle_s(session.aal)),
        })
        .collect()
}
