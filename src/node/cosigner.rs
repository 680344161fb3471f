//! This node as a witness: the logs it was told to watch, and the key that vouches for
//! having seen them only grow.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

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

/// How much later than the last a new size of one log may be recorded, in seconds.
const APART_S: u64 = 1;

/// Cosigns the checkpoints of the logs it was told of. No `Debug`: it holds a key.
pub struct Cosigner {
    logs: Vec<VerifierKey>,
    key: OnceLock<CosigningKey>,
    pace: Arc<Pace>,
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
        let key = key.map_or_else(OnceLock::new, OnceLock::from);
        Ok(Self { logs: logs.to_vec(), key, pace: Arc::default() })
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
    /// The cosignature's time is that of the record; of a repetition it is now.
    ///
    /// Anybody may ask, so only what is new to the record reaches the writer: refusals and
    /// repetitions are answered as of the last commit, which is durable, and nothing is
    /// looked at while the writer has no room. A new size of one log is recorded once a
    /// second at most, for its keeper could make this node's log grow without end.
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
        if !sequencer.has_room() {
            return Err(CommitError::Overloaded);
        }
        let of_log = |key: &&VerifierKey| key.name().as_str() == request.origin();
        let keys: Vec<_> = self.logs.iter().filter(of_log).cloned().collect();
        let text = request.checkpoint().text().to_owned();
        let world = sequencer.world();
        let now = sequencer.now(&world);
        let news = cosigning(&world, &request, &keys).map_err(CommitError::Refused)?;
        if news.is_empty() {
            return self.sign(&text, now);
        }
        if self.pace.is_too_soon(&request, now) {
            return Err(CommitError::Refused(WitnessRefusal::TooSoon));
        }
        let (time, pace) = (Arc::new(OnceLock::new()), Arc::clone(&self.pace));
        let decided_at = Arc::clone(&time);
        let decide = move |world: &World, now: Moment| {
            decided_at.get_or_init(|| now);
            let news = cosigning(world, &request, &keys)?;
            if let [Event::CheckpointCosigned(it)] = news.as_slice() {
                pace.step(&request, it.size, now)?;
            }
            Ok(news)
        };
        sequencer.commit(origin, Expected::default(), decide).await?;
        self.sign(&text, *time.get().ok_or(CommitError::Defect)?)
    }

    fn sign(&self, text: &str, at: Moment) -> Result<Signature, CommitError<WitnessRefusal>> {
        let key = self.key.get().ok_or(CommitError::Defect)?;
        Ok(key.cosign(text, at.seconds()))
    }
}

/// The size of each log that was recorded last, and when, by its origin: as many as there
/// are logs to watch. No part of the World: it decides how often, never what, and a restart
/// may forget it.
#[derive(Default)]
struct Pace(Mutex<HashMap<String, (u64, Moment)>>);

impl Pace {
    /// Whether what the request has grown from was recorded only just. If it has grown from
    /// anything else, either that is what is wrong with it, or what was to be recorded last
    /// was not.
    fn is_too_soon(&self, request: &AddCheckpoint, now: Moment) -> bool {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.get(request.origin())
            .is_some_and(|(size, at)| *size == request.old() && now < at.plus_seconds(APART_S))
    }

    /// Notes what is recorded now. For the writer alone, or two could pass at once.
    fn step(&self, request: &AddCheckpoint, to: u64, now: Moment) -> Result<(), WitnessRefusal> {
        if self.is_too_soon(request, now) {
            return Err(WitnessRefusal::TooSoon);
        }
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.insert(request.origin().to_owned(), (to, now));
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::{Note, SigningKey};

    fn grown(log: &str, old: u64) -> AddCheckpoint {
        let text = format!("{log}\n");
        let line = SigningKey::new(log.parse().unwrap(), &[1; 32]).sign(&text);
        AddCheckpoint::new(old, Vec::new(), Note::new(text, vec![line]).unwrap()).unwrap()
    }

    #[test]
    fn a_log_takes_one_step_a_second_and_each_log_its_own() {
        let (pace, start) = (Pace::default(), Moment::from_micros(1_700_000_000_500_000));
        let step = |log: &str, from: u64, to: u64, after: i64| {
            pace.step(&grown(log, from), to, Moment::from_micros(start.micros() + after))
        };
        assert_eq!(step("one", 0, 3, 0), Ok(()));
        assert_eq!(step("one", 3, 5, 999_999), Err(WitnessRefusal::TooSoon));
        assert_eq!(step("two", 0, 3, 1), Ok(()));
        // What was refused is no step.
        assert_eq!(step("one", 3, 5, 1_000_000), Ok(()));
        assert_eq!(step("one", 5, 6, 1_500_000), Err(WitnessRefusal::TooSoon));
        // What was not recorded, after all, does not count.
        assert_eq!(step("one", 3, 6, 1_500_000), Ok(()));
    }
}
