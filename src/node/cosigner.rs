//! This node as a witness: the logs it was told to watch, and the key that vouches for
//! having seen them only grow.

use std::sync::{Arc, OnceLock};

use super::NodeError;
use super::signing::SUBJECT;
use crate::entropy::{Entropy, draw, uuid_v7};
use crate::event::{CheckpointCosigned, Event, WitnessKeyAdopted};
use crate::model::Moment;
use crate::projection::{WitnessKeyState, World};
use crate::sequencer::{CommitError, Expected, Origin, Sequencer};
use crate::tlog::{AddCheckpoint, CosigningKey, KnownLog, Signature, VerifierKey, WitnessRefusal};
use crate::vault::{Purpose, Vault};

/// What the key's name is, behind the log's origin.
const NAME: &str = "witness";

/// Cosigns the checkpoints of the logs it was told of. No `Debug`: it holds a key.
pub struct Cosigner {
    logs: Vec<VerifierKey>,
    key: OnceLock<CosigningKey>,
}

impl Cosigner {
    /// A witness of these logs, with the key that its own log has adopted, if any. Without
    /// a log to watch the key stays sealed.
    ///
    /// # Errors
    /// The vault's refusal; [`NodeError::OtherWitnessKey`] if the secret is not that of
    /// the key that the log names.
    pub(super) fn open(
        logs: &[VerifierKey],
        vault: &Vault,
        world: &World,
    ) -> Result<Self, NodeError> {
        let adopted = world.witnessing.key().filter(|_| !logs.is_empty());
        let key = adopted.map(|state| open(vault, state)).transpose()?;
        Ok(Self { logs: logs.to_vec(), key: key.map_or_else(OnceLock::new, OnceLock::from) })
    }

    /// Has the node's own log adopt a key to cosign by, if there are logs to watch and no
    /// key is in force.
    ///
    /// # Errors
    /// The vault's refusal; why it was not recorded.
    pub(super) async fn adopt(
        &self,
        sequencer: &Sequencer,
        vault: &Vault,
        entropy: &dyn Entropy,
    ) -> Result<(), NodeError> {
        if self.logs.is_empty() || self.key.get().is_some() {
            return Ok(());
        }
        let world = sequencer.world();
        let origin = world.signing.origin().unwrap_or_default();
        let name = format!("{origin}/{NAME}").parse().map_err(NodeError::Origin)?;
        let seed = draw::<32>(entropy)?;
        let key = CosigningKey::new(name, &seed);
        let credential = uuid_v7(entropy, sequencer.now(&world))?;
        let sealed = vault.seal(SUBJECT, credential, Purpose::Cosigning, &*seed)?;
        let adopted = WitnessKeyAdopted { verifier_key: key.verifier(), credential, sealed };
        let events =
            move |_: &World, _: Moment| Ok::<_, NodeError>(vec![Event::WitnessKeyAdopted(adopted)]);
        sequencer.commit(Origin::node(), Expected::default(), events).await?;
        self.key.get_or_init(|| key);
        Ok(())
    }

    /// Cosigns a checkpoint once it is on record that this is how far its log has come.
    /// The cosignature's time is that of the record.
    ///
    /// # Errors
    /// [`CommitError::Refused`] with what to answer the log, or why it was not recorded.
    ///
    /// # Source
    /// c2sp.org/tlog-witness, “add-checkpoint”.
    pub async fn cosign(
        &self,
        sequencer: &Sequencer,
        origin: Origin,
        request: AddCheckpoint,
    ) -> Result<Signature, CommitError<WitnessRefusal>> {
        let of_log = |key: &&VerifierKey| key.name().as_str() == request.origin();
        let keys: Vec<_> = self.logs.iter().filter(of_log).cloned().collect();
        // Anybody may ask: what is refused as of the last commit does not reach the writer.
        cosigning(&sequencer.world(), &request, &keys).map_err(CommitError::Refused)?;
        let text = request.checkpoint().text().to_owned();
        let time = Arc::new(OnceLock::new());
        let decided_at = Arc::clone(&time);
        let decide = move |world: &World, now: Moment| {
            decided_at.get_or_init(|| now);
            cosigning(world, &request, &keys)
        };
        sequencer.commit(origin, Expected::default(), decide).await?;
        let (key, time) = self.key.get().zip(time.get()).ok_or(CommitError::Defect)?;
        Ok(key.cosign(&text, time.seconds()))
    }
}

/// Decides whether a checkpoint is to be cosigned, and what is new about it: nothing, if it
/// is the one cosigned last. `keys` are those of its log; none means that it is not known.
///
/// # Errors
/// [`AddCheckpoint::decide`]'s.
pub fn cosigning(
    world: &World,
    request: &AddCheckpoint,
    keys: &[VerifierKey],
) -> Result<Vec<Event>, WitnessRefusal> {
    let last = world.witnessing.last(request.origin()).map(|last| (last.size, last.root));
    let log = KnownLog { keys, cosigned: last };
    let checkpoint = request.decide(Some(&log).filter(|_| !keys.is_empty()))?;
    let (size, root) = (checkpoint.size(), checkpoint.root());
    if last == Some((size, root)) {
        return Ok(Vec::new());
    }
    let origin = checkpoint.origin().to_owned();
    Ok(vec![Event::CheckpointCosigned(CheckpointCosigned { origin, size, root })])
}

fn open(vault: &Vault, state: &WitnessKeyState) -> Result<CosigningKey, NodeError> {
    let other = || NodeError::OtherWitnessKey(state.credential);
    let seed = vault.open(SUBJECT, state.credential, Purpose::Cosigning, &state.sealed)?;
    let seed = <&[u8; 32]>::try_from(seed.as_slice()).map_err(|_| other())?;
    let key = CosigningKey::new(state.verifier_key.name().clone(), seed);
    if key.verifier() == state.verifier_key { Ok(key) } else { Err(other()) }
}
