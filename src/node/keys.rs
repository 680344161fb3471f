//! One signing key after another: adopted beside the old one, which is retired once those
//! who verify have the new one. Until then checkpoints carry two signatures.

use uuid::Uuid;

use super::{Node, NodeError, draw_signing_key};
use crate::entropy::Entropy;
use crate::event::{Event, SigningKeyAdopted, SigningKeyRetired};
use crate::model::Moment;
use crate::projection::World;
use crate::sequencer::{Committed, Expected, Origin, Sequencer};
use crate::vault::Vault;

/// The most keys that sign at a time: an old one, a new one, and one in reserve.
const IN_FORCE_MAX: usize = 3;

/// Has the log adopt another signing key of the same origin.
///
/// # Errors
/// [`NodeError::TooManyKeys`]; the vault's refusal; why it was not recorded.
pub async fn adopt_signing_key(
    sequencer: &Sequencer,
    vault: &Vault,
    entropy: &dyn Entropy,
    origin: Origin,
    expected: Expected,
) -> Result<(SigningKeyAdopted, Committed), NodeError> {
    let world = sequencer.world();
    let log = world.signing.origin().unwrap_or_default().to_owned();
    // Refused before anything is sealed; and again by the writer, which knows best.
    room_for_another(&world)?;
    let (adopted, key) = draw_signing_key(vault, entropy, &log, sequencer.now(&world))?;
    sequencer.notary().hold(adopted.credential, key);
    let told = adopted.clone();
    let decide = move |world: &World, _: Moment| {
        room_for_another(world)?;
        Ok::<_, NodeError>(vec![Event::SigningKeyAdopted(adopted)])
    };
    let committed = sequencer.commit(origin, expected, decide).await?;
    Ok((told, committed))
}

/// Retires a signing key. The last one stays: a log is always signed.
///
/// # Errors
/// [`NodeError::NoSuchKey`], [`NodeError::LastKey`]; why it was not recorded.
pub async fn retire_signing_key(
    sequencer: &Sequencer,
    origin: Origin,
    expected: Expected,
    credential: Uuid,
) -> Result<Committed, NodeError> {
    let decide = move |world: &World, _: Moment| {
        let in_force: Vec<_> = world.signing.in_force().map(|key| key.credential).collect();
        match in_force.as_slice() {
            [last] if *last == credential => Err(NodeError::LastKey),
            some if some.contains(&credential) => {
                Ok(vec![Event::SigningKeyRetired(SigningKeyRetired { credential })])
            }
            _ => Err(NodeError::NoSuchKey(credential)),
        }
    };
    Ok(sequencer.commit(origin, expected, decide).await?)
}

fn room_for_another(world: &World) -> Result<(), NodeError> {
    if world.signing.in_force().count() < IN_FORCE_MAX {
        return Ok(());
    }
    Err(NodeError::TooManyKeys(IN_FORCE_MAX))
}

impl Node {
    /// [`adopt_signing_key`] of an opened data directory.
    ///
    /// # Errors
    /// The same.
    pub async fn adopt_signing_key(
        &self,
        origin: Origin,
    ) -> Result<(SigningKeyAdopted, Committed), NodeError> {
        let entropy = &*self.surroundings.entropy;
        let none = Expected::default();
        adopt_signing_key(&self.sequencer, &self.vault, entropy, origin, none).await
    }
}
