//! Logging in, or raising a session, by a passkey. The shell checks the signature; what it
//! means is decided here, on the writer: so of two uses of a cloned key the later is found.

use uuid::Uuid;

use super::authenticators::check_may_rise;
use super::session::{self, LOCAL_SOURCE, Open};
use super::{FreshTokens, Refusal};
use crate::event::{
    CredentialDisabled, Disabling, Event, PasskeyRefused, PasskeyVerified, Refused, SessionPurpose,
    SessionRaised, SessionStarted,
};
use crate::model::{Aal, Digest, Method, Methods, Moment, Username};
use crate::projection::{Passkey, Person, World};

/// A passkey as the shell needs it to check a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPasskey {
    /// Whose.
    pub person: Username,
    /// The credential's id.
    pub credential: Uuid,
    /// SHA-256 of the sealed key in the vault.
    pub sealed: Digest,
    /// SHA-256 of the id that its authenticator gave it.
    pub key: Digest,
}

impl KnownPasskey {
    fn of(person: &Person, passkey: &Passkey) -> Self {
        Self {
            person: person.name.clone(),
            credential: passkey.credential.id,
            sealed: passkey.credential.sealed,
            key: passkey.key,
        }
    }
}

/// What the shell found about an answer to a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// SHA-256 of the key's id, as given.
    pub key: Digest,
    /// What the key signed; none if it signed something else, for another place, or if
    /// nobody has it.
    pub proof: Option<Proof>,
}

/// What a key signed about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// True if its authenticator verified its user (flag UV). That it tested the user's
    /// presence (flag UP) goes without saying.
    pub user_verified: bool,
    /// True if a copy of it is elsewhere (flag BS).
    pub backed_up: bool,
    /// Its signature counter.
    pub counter: u32,
    /// True if the model that was attested for it is still on the owner's list.
    pub listed: bool,
}

/// Whose key this is, if it may be used: neither it nor its person is disabled.
#[must_use]
pub fn known(world: &World, key: &Digest) -> Option<KnownPasskey> {
    let (person, passkey) = world.identities.by_key(key)?;
    usable(person, passkey).then(|| KnownPasskey::of(person, passkey))
}

/// What a person may be offered to log in with, oldest first. Nobody may see by it whether
/// the person is disabled, so it is the same then.
#[must_use]
pub fn offered(world: &World, person: &Username) -> Vec<KnownPasskey> {
    let Some(person) = world.identities.get(person) else { return Vec::new() };
    let verifying = person.usable_passkeys().filter(|passkey| passkey.user_verifying);
    verifying.map(|passkey| KnownPasskey::of(person, passkey)).collect()
}

/// Records an answer to a login's challenge: a session if the key has verified its user, a
/// refusal else; [`super::outcome()`] tells which. No failure of a password bears on it, and
/// none of it on anything else.
///
/// # Source
/// SP 800-63B-4 §3.1.7.2: without UV it would be a single factor. `WebAuthn` Level 3 §6.1.1:
/// a counter that does not grow is the sign of a copy; the key is disabled.
#[must_use]
pub fn log_in(
    world: &World,
    assertion: &Assertion,
    tokens: &FreshTokens,
    now: Moment,
) -> Vec<Event> {
    let (person, passkey, proof) = match accepted(world, assertion, None) {
        Ok((_, passkey, proof)) if !verifies(passkey, proof) => {
            return refused(world, &assertion.key, Refused::Wrong);
        }
        Ok(accepted) => accepted,
        Err(reason) => return refused(world, &assertion.key, reason),
    };
    let mut events = vec![verified(person, passkey, proof)];
    events.extend(session::make_room(world, &world.user(&person.name), LOCAL_SOURCE, now));
    events.push(Event::SessionStarted(SessionStarted {
        session: tokens.session,
        person: person.name.clone(),
        methods: methods(passkey, proof),
        token: tokens.token,
        session_token: tokens.session_token,
        purpose: SessionPurpose::Everything,
    }));
    events
}

/// The passkeys that this session may be raised or refreshed by: those that leave it at
/// least as strong as it is. True beside them if they must verify their user: for that, or
/// because all of them can.
///
/// # Errors
/// [`Refusal::SessionOver`]; [`Refusal::ReauthenticationRequired`] as for a code;
/// [`Refusal::PasskeyNotSetUp`] if there is none.
pub fn candidates(
    world: &World,
    session: Uuid,
    now: Moment,
) -> Result<(Vec<KnownPasskey>, bool), Refusal> {
    let open = session::open_unfinished(world, session, now)?;
    check_may_rise(open, now)?;
    let Open { session, person } = open;
    let alone = !session.methods.0.contains(&Method::Pwd) || session.aal > Aal::TWO;
    let fits = |passkey: &&Passkey| {
        (passkey.user_verifying || !alone)
            && (passkey.attested.is_some() || session.aal <= Aal::TWO)
    };
    let fitting: Vec<_> = person.usable_passkeys().filter(fits).collect();
    if fitting.is_empty() {
        return Err(Refusal::PasskeyNotSetUp);
    }
    let verifying = alone || fitting.iter().all(|passkey| passkey.user_verifying);
    Ok((fitting.into_iter().map(|it| KnownPasskey::of(person, it)).collect(), verifying))
}

/// Records an answer to the challenge of a session: the session rises under new tokens, or
/// is refreshed. A key that would leave it weaker is refused.
///
/// What a session knows of keys is what the last one showed: two keys never add up to what
/// neither is.
///
/// # Errors
/// [`Refusal::SessionOver`]; [`Refusal::ReauthenticationRequired`] as for a code.
pub fn raise(
    world: &World,
    session: Uuid,
    assertion: &Assertion,
    tokens: &FreshTokens,
    now: Moment,
) -> Result<Vec<Event>, Refusal> {
    let open = session::open_unfinished(world, session, now)?;
    check_may_rise(open, now)?;
    let (person, passkey, proof) = match accepted(world, assertion, Some(open.person)) {
        Ok(accepted) => accepted,
        Err(reason) => return Ok(refused(world, &assertion.key, reason)),
    };
    let typed = open.session.methods.0.iter().copied();
    let typed = typed.filter(|method| matches!(method, Method::Pwd | Method::Otp));
    let methods: Methods = typed.chain(methods(passkey, proof).0).collect();
    if methods.aal() < Some(open.session.aal) {
        return Ok(refused(world, &assertion.key, Refused::Wrong));
    }
    let raised = Event::SessionRaised(SessionRaised {
        session: open.session.id,
        person: person.name.clone(),
        methods,
        token: tokens.token,
        session_token: tokens.session_token,
    });
    Ok(vec![verified(person, passkey, proof), raised])
}

fn usable(person: &Person, passkey: &Passkey) -> bool {
    !person.disabled && !passkey.credential.disabled
}

/// The key, its person (`whose`, if anybody's alone will do), and what it signed; else why not.
fn accepted<'a>(
    world: &'a World,
    assertion: &Assertion,
    whose: Option<&Person>,
) -> Result<(&'a Person, &'a Passkey, Proof), Refused> {
    let (person, passkey) = world.identities.by_key(&assertion.key).ok_or(Refused::Unknown)?;
    let theirs = whose.is_none_or(|one| one.name == person.name);
    if !theirs || !usable(person, passkey) {
        return Err(Refused::Unknown);
    }
    let proof = assertion.proof.ok_or(Refused::Wrong)?;
    if passkey.is_cloned_at(proof.counter) {
        return Err(Refused::Cloned);
    }
    Ok((person, passkey, proof))
}

fn verified(person: &Person, passkey: &Passkey, proof: Proof) -> Event {
    Event::PasskeyVerified(PasskeyVerified {
        person: person.name.clone(),
        credential: passkey.credential.id,
        user_verified: proof.user_verified,
        backed_up: proof.backed_up,
        counter: proof.counter,
    })
}

/// True if the key has verified the user that it was registered with. One that could not
/// then may have been given a PIN by whoever has found it.
///
/// # Source
/// `WebAuthn` Level 3 §7.2 step 24 (`uvInitialized`).
const fn verifies(passkey: &Passkey, proof: Proof) -> bool {
    passkey.user_verifying && proof.user_verified
}

/// What a key shows, and nothing that only its authenticator knows: whether its user gave
/// a PIN or a finger, nobody here can tell.
fn methods(passkey: &Passkey, proof: Proof) -> Methods {
    let hardware = passkey.attested.is_some() && proof.listed && !passkey.backup_eligible;
    let shown = [
        (Method::Pop, true),
        (Method::User, true),
        (Method::Uv, verifies(passkey, proof)),
        (Method::Be, passkey.backup_eligible),
        (Method::Hwk, hardware),
    ];
    shown.into_iter().filter_map(|(method, is_so)| is_so.then_some(method)).collect()
}

fn refused(world: &World, key: &Digest, reason: Refused) -> Vec<Event> {
    let found = world.identities.by_key(key);
    let person = found.map(|(person, _)| person.name.clone());
    let credential = found.map(|(_, passkey)| passkey.credential.id);
    let refused = PasskeyRefused { person: person.clone(), credential, reason };
    let cloned = person.zip(credential).filter(|_| reason == Refused::Cloned);
    let disabled = cloned.map(|(person, credential)| {
        let why = Disabling::Cloned;
        Event::CredentialDisabled(CredentialDisabled { person, credential, why })
    });
    [Event::PasskeyRefused(refused)].into_iter().chain(disabled).collect()
}
