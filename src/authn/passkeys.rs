//! Registering a passkey. What the shell has verified of it comes here as plain facts.

use uuid::Uuid;

use super::{Refusal, binding};
use crate::event::{Event, PasskeyRegistered};
use crate::model::{Aal, Digest, Label, Moment, Username};
use crate::projection::{Person, World};

/// The most passkeys of one person. Each is a line of what a login by name is answered with.
pub const PASSKEYS_MAX: usize = 16;

/// A passkey that has answered its challenge; the vault holds its public key already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPasskey {
    /// The new credential's id.
    pub credential: Uuid,
    /// SHA-256 of the sealed key in the vault.
    pub sealed: Digest,
    /// SHA-256 of the id that its authenticator gave it.
    pub key: Digest,
    /// What its person calls it.
    pub label: Label,
    /// True if its authenticator verified its user.
    pub user_verifying: bool,
    /// True if it may be copied to other devices.
    pub backup_eligible: bool,
    /// The model of its authenticator, if a certificate on the owner's list attests it.
    pub attested: Option<Uuid>,
    /// Its signature counter.
    pub counter: u32,
}

/// Whose passkey would be registered in this session; `attested` if it is one that a
/// certificate must attest. Asked before a challenge is made, and again by [`register`].
///
/// # Errors
/// [`Refusal::SessionOver`]; [`Refusal::AssuranceTooLow`] below what the account's
/// authenticators can give; [`Refusal::ReauthenticationRequired`] above
/// [`AUTHENTICATION_AGE_MAX_S`](super::authenticators::AUTHENTICATION_AGE_MAX_S); [`Refusal::PasskeysFull`].
pub fn registrant(
    world: &World,
    session: Uuid,
    attested: bool,
    now: Moment,
) -> Result<Username, Refusal> {
    let open = binding::open(world, session, worth(attested), now)?;
    check_room(open.person)?;
    Ok(open.person.name.clone())
}

/// Registers a passkey. The session does not rise by it: the key has signed nothing yet
/// that says who holds it (attestation may be none). One that a recovery code began ends.
///
/// # Errors
/// Those of [`registrant`]; [`Refusal::PasskeyExists`] if any account has this key, one
/// that is disabled included.
///
/// # Source
/// `WebAuthn` Level 3 §7.1 step 26: an id is registered once over all accounts.
pub fn register(
    world: &World,
    session: Uuid,
    new: &NewPasskey,
    now: Moment,
) -> Result<Vec<Event>, Refusal> {
    let open = binding::open(world, session, worth(new.attested.is_some()), now)?;
    check_room(open.person)?;
    if world.identities.by_key(&new.key).is_some() {
        return Err(Refusal::PasskeyExists);
    }
    let registered = Event::PasskeyRegistered(PasskeyRegistered {
        person: open.person.name.clone(),
        credential: new.credential,
        sealed: new.sealed,
        key: new.key,
        label: new.label.clone(),
        user_verifying: new.user_verifying,
        backup_eligible: new.backup_eligible,
        attested: new.attested,
        counter: new.counter,
    });
    Ok([registered].into_iter().chain(binding::fulfilled(open)).collect())
}

/// The most that a passkey can give.
const fn worth(attested: bool) -> Aal {
    if attested { Aal::THREE } else { Aal::TWO }
}

fn check_room(person: &Person) -> Result<(), Refusal> {
    if person.passkeys.len() < PASSKEYS_MAX { Ok(()) } else { Err(Refusal::PasskeysFull) }
}
