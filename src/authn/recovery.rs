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
use super::login::{self, Attempt};
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
    if !open.person.has_second_factor() {
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
    name_tag: Digest,
    now: Moment,
) -> Result<Recovering, Refusal> {
    let login = login::begin(world, name, name_tag, now)?;
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
/// [`Refusal::Throttled`] if the password or the set has failed too recently, whatever was
/// given.
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
    let mut events = login::conclude(world, &attempt.login, right, tokens, now)?;
    let started = events.iter_mut().find_map(|event| match event {
        Event::SessionStarted(started) => Some(started),
        _ => None,
    });
    let Some(started) = started else { return Ok(events) };
    let person = started.person.clone();
    let held = world.identities.get(&person).and_then(|known| known.recovery.as_ref());
    if let Some(set) = held {
        throttle::check(set.failures, set.failed_at, now, &world.settings.throttle)?;
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

fn refused(
    world: &World,
    person: &Username,
    set: Option<&Credential>,
    reason: Refused,
) -> Vec<Event> {
    let credential = set.map(|set| set.id);
    let refused = RecoveryCodeRefused { person: person.clone(), credential, reason };
    let mut events = vec![Event::RecoveryCodeRefused(refused)];
    let most = world.settings.throttle.failures_max_totp;
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
