//! The log's signing keys: drawn, sealed in the vault, opened again.

use super::NodeError;
use crate::entropy::{Entropy, draw, uuid_v7};
use crate::event::SigningKeyAdopted;
use crate::model::Moment;
use crate::projection::World;
use crate::sequencer::Notary;
use crate::tlog::SigningKey;
use crate::vault::{Named, Purpose, Vault};

/// Whose secrets they are in the vault. No person's name has a space.
pub(super) const SUBJECT: &str = "the log";

/// Draws a signing key for an origin and seals it. The event is what makes the log
/// adopt it; until then it signs nothing.
///
/// # Errors
/// [`NodeError::Origin`] if the origin cannot be a key's name; the vault's refusal.
pub fn draw_signing_key(
    vault: &Vault,
    entropy: &dyn Entropy,
    origin: &str,
    now: Moment,
) -> Result<(SigningKeyAdopted, SigningKey), NodeError> {
    let seed = draw::<32>(entropy)?;
    let name = origin.parse().map_err(NodeError::Origin)?;
    let key = SigningKey::new(name, &seed);
    let credential = uuid_v7(entropy, now)?;
    let sealed = vault.seal(SUBJECT, credential, Purpose::Signing, &*seed)?;
    let adopted = SigningKeyAdopted { verifier_key: key.verifier(), credential, sealed };
    Ok((adopted, key))
}

/// Every secret that the log names, of persons and its own: retired signing keys are kept,
/// of the keys that cosign others only the one in use.
#[must_use]
pub fn named_secrets(world: &World) -> Vec<Named> {
    let persons = world.identities.iter().flat_map(|person| {
        person.sealed().map(|it| Named {
            subject: person.name.to_string(),
            credential: it.id,
            sealed: it.sealed,
        })
    });
    let signing = world.signing.iter().map(|key| Named {
        subject: SUBJECT.to_owned(),
        credential: key.credential,
        sealed: key.sealed,
    });
    let cosigning = world.witnessing.key().map(|key| Named {
        subject: SUBJECT.to_owned(),
        credential: key.credential,
        sealed: key.sealed,
    });
    persons.chain(signing).chain(cosigning).collect()
}

/// Opens the keys that are in force by the log.
///
/// # Errors
/// The vault's refusal; [`NodeError::OtherKey`] if a secret is not that of the key that
/// the log names.
pub(super) fn open_signing_keys(
    vault: &Vault,
    world: &World,
    notary: &Notary,
) -> Result<(), NodeError> {
    for state in world.signing.in_force() {
        let other = || NodeError::OtherKey(state.credential);
        let seed = vault.open(SUBJECT, state.credential, Purpose::Signing, &state.sealed)?;
        let seed = <&[u8; 32]>::try_from(seed.as_slice()).map_err(|_| other())?;
        let key = SigningKey::new(state.verifier_key.name().clone(), seed);
        if key.verifier() != state.verifier_key {
            return Err(other());
        }
        notary.hold(state.credential, key);
    }
    Ok(())
}
