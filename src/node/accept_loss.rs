//! Going on with a log that is not all of what was signed: a deliberate act of its
//! operator, recorded, under another origin. Nobody who kept a checkpoint of the old
//! origin will take the new log for it.

use std::sync::Arc;

use serde::Serialize;

use super::open::{grouping, vault_of};
use super::{NodeError, Paths, Surroundings, check_head, check_outside, draw_signing_key, head};
use crate::checkpoint::{CheckpointFile, Publisher};
use crate::entropy::uuid_v7;
use crate::event::{Actor, Event, HeadRef, LossAccepted};
use crate::event_store::{EventStore, SledStore};
use crate::model::Label;
use crate::projection::{Artefacts, World};
use crate::sequencer::{Expected, Log, Notary, Origin, Sequencer, Sources, recover};
use crate::settings::Settings;
use crate::tlog::{KeyKind, Note, VerifierKey};

/// What there is of a log, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// What is wrong, in words.
    pub what: String,
    /// The newest checkpoint outside the log, if a key of the log signed it.
    pub expected: Option<HeadRef>,
    /// What there is.
    pub found: HeadRef,
}

/// What going on has made of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Accepted {
    /// What was wrong.
    pub loss: Loss,
    /// What its checkpoints are verified with from here on.
    pub verifier_key: String,
    /// Where the old checkpoint was set aside, if there was one.
    pub set_aside: Option<String>,
}

/// Looks at a stopped data directory whose log does not start. Linear in the log.
///
/// # Errors
/// [`NodeError::NothingLost`] if it would start; otherwise why it cannot be read.
pub fn look_at_loss(settings: &Settings) -> Result<Loss, NodeError> {
    let store = SledStore::open(Paths::in_directory(&settings.data).log)?;
    let log = recover(&store, &Artefacts::default(), |_, _| {})?;
    loss(settings, &store, &log)
}

/// Records the loss and adopts a key of another origin, in one batch, and publishes its
/// checkpoint in place of the old one, which is set aside.
///
/// # Errors
/// As [`look_at_loss`]; the vault's refusal; why it could not be recorded.
pub async fn accept_loss(
    settings: &Settings,
    surroundings: &Surroundings,
    reason: Label,
) -> Result<Accepted, NodeError> {
    let paths = Paths::in_directory(&settings.data);
    let store: Arc<dyn EventStore> = Arc::new(SledStore::open(&paths.log)?);
    let log = recover(&*store, &Artefacts::default(), |_, _| {})?;
    let loss = loss(settings, &*store, &log)?;
    let vault = vault_of(settings, surroundings, log.world.log)?;
    let (entropy, now) = (&*surroundings.entropy, surroundings.clock.now());
    let fresh = uuid_v7(entropy, now)?.simple().to_string();
    let first = log.world.signing.iter().next().map(|key| key.verifier_key.name().to_string());
    let id = log.world.log.unwrap_or_default();
    let first = first.unwrap_or_else(|| format!("countersign/{id}"));
    let origin = format!("{first}/{}", fresh.get(20..).unwrap_or(&fresh));
    let (adopted, key) = draw_signing_key(&vault, entropy, &origin, now)?;
    let verifier_key = adopted.verifier_key.to_string();
    let notary = Notary::default();
    notary.hold(adopted.credential, key);

    let file = CheckpointFile::at(settings.checkpoint_file.clone());
    let set_aside = match &loss.expected {
        Some(signed) => Some(file.set_aside(signed.size)?.display().to_string()),
        None => None,
    };
    let events = vec![
        Event::LossAccepted(LossAccepted {
            expected: loss.expected.clone(),
            found: loss.found.clone(),
            reason,
        }),
        Event::SigningKeyAdopted(adopted),
    ];
    let sources = Sources {
        store,
        clock: Arc::clone(&surroundings.clock),
        entropy: Arc::clone(&surroundings.entropy),
        metrics: Arc::clone(&surroundings.metrics),
        notary: Arc::new(notary),
        publisher: Arc::new(Publisher::start(file, None).map_err(NodeError::Thread)?),
    };
    let sequencer =
        Sequencer::start(log, sources, grouping(settings)).map_err(NodeError::Thread)?;
    let operator = Origin::of(Actor::LocalOperator, None);
    let decide = move |_: &World, _| Ok::<_, NodeError>(events);
    sequencer.commit(operator, Expected::default(), decide).await?;
    drop(sequencer); // The new checkpoint is published before this returns.
    Ok(Accepted { loss, verifier_key, set_aside })
}

fn loss(settings: &Settings, store: &dyn EventStore, log: &Log) -> Result<Loss, NodeError> {
    let file = CheckpointFile::at(settings.checkpoint_file.clone());
    let outside = file.read()?;
    let checked = check_head(log, store.checkpoint()?.as_deref())
        .and_then(|()| check_outside(log, store, file.path().to_owned(), outside.as_deref()));
    let Err(wrong) = checked else { return Err(NodeError::NothingLost) };
    let expected = outside.and_then(|note| signed_once(&log.world, &note));
    Ok(Loss { what: wrong.to_string(), expected, found: head(log) })
}

/// What a checkpoint says, if any key that the log ever had signed it.
fn signed_once(world: &World, note: &str) -> Option<HeadRef> {
    let keys: Vec<VerifierKey> = world.signing.iter().map(|key| key.verifier_key.clone()).collect();
    let note: Note = note.parse().ok()?;
    let by = note.verify(&keys).ok()?;
    by.iter().any(|by| by.key.kind() == KeyKind::Ed25519).then_some(())?;
    let signed: crate::tlog::Checkpoint = note.text().parse().ok()?;
    Some(HeadRef { origin: signed.origin().to_owned(), size: signed.size(), root: signed.root() })
}
