//! Founding: the first entries of a log. They are written in memory first, so that
//! a fault in a policy leaves nothing behind.

use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::open::key_outside;
use super::{NodeError, Paths, Surroundings, change, draw_signing_key, publish, shipped};
use crate::authn::persons::{NewPerson, register};
use crate::cedar::Limits;
use crate::checkpoint::{CheckpointFile, Publisher};
use crate::entropy::{token, uuid_v7};
use crate::event::{Actor, Event, LogCreated};
use crate::event_store::{EventStore, Group, MemoryStore, SledStore, StoredTiles};
use crate::model::{EntityDocument, Index, Label, Moment, SecretToken, SetKind, Username, Version};
use crate::pap::{self, Draft};
use crate::projection::{Change, World};
use crate::sequencer::{Expected, Log, Origin, Sequencer, SequencerSettings, Sources};
use crate::settings::Settings;
use crate::tlog::{self, KeyName, TileSource as _, VerifierKey};
use crate::vault::{FreshKeys, KeyFile, Sealer, Vault};

/// The role of the first person.
const ADMINISTRATOR: &str = "administrator";

/// What a log begins with.
pub struct Founding {
    /// The first administrator's login name.
    pub administrator: Username,
    /// The application schema's text.
    pub schema: Option<String>,
    /// The application policies, as files: name and text.
    pub policies: Vec<(String, String)>,
    /// The directory.
    pub entities: Vec<EntityDocument>,
    /// The log's name in checkpoints, such as the URL it will be served under without
    /// the scheme; `countersign/` and the log's id if none is given.
    pub origin: Option<String>,
}

/// What founding leaves to its founder.
pub struct Founded {
    /// The log's id.
    pub log: Uuid,
    /// How many entries it has.
    pub entries: u64,
    /// What auditors verify its checkpoints with.
    pub verifier_key: VerifierKey,
    /// The first administrator's one-time ticket; shown once, kept nowhere.
    pub ticket: SecretToken,
    /// When it stops being accepted.
    pub expires_at: Moment,
}

/// Founds a log in a new or empty data directory, and makes its key file.
///
/// # Errors
/// [`NodeError`]: what is wrong with the directory or with what is to be published.
/// Nothing is left behind unless the disk itself failed.
pub async fn found(
    settings: &Settings,
    surroundings: &Surroundings,
    founding: Founding,
) -> Result<Founded, NodeError> {
    let paths = Paths::in_directory(&settings.data);
    key_outside(&settings.key_file, &paths.data)?;
    if paths.log.exists() {
        return Err(NodeError::Founded(paths.data));
    }
    let memory: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
    let sources = Sources {
        store: Arc::clone(&memory),
        clock: Arc::clone(&surroundings.clock),
        entropy: Arc::clone(&surroundings.entropy),
        metrics: Arc::clone(&surroundings.metrics),
        notary: Arc::default(),
        publisher: Arc::new(Publisher::nowhere()),
    };
    let sequencer = Sequencer::start(Log::default(), sources, SequencerSettings::default())
        .map_err(NodeError::Thread)?;
    let log = uuid_v7(&*surroundings.entropy, surroundings.clock.now())?;
    begin(&sequencer, settings, log).await?;
    // There is no vault yet: a fault in an entity must leave nothing behind.
    let keys = Arc::new(FreshKeys::new(Arc::clone(&surroundings.entropy)));
    let sealer = Sealer::new(Arc::clone(&keys) as _, log, Arc::clone(&surroundings.entropy));
    author(&sequencer, &sealer, &founding).await?;
    let origin = founding.origin.clone().unwrap_or_else(|| format!("countersign/{log}"));
    let (ticket, expires_at) = administrator(&sequencer, surroundings, founding).await?;
    fit(&origin)?;
    directory(&paths.data)?;
    let key = KeyFile::create(&settings.key_file, &*surroundings.entropy)?;
    let vault = Vault::at(&paths.vault, &key, log, Arc::clone(&surroundings.entropy))?;
    keys.move_to(&vault)?;
    let verifier_key = sign(&sequencer, &vault, surroundings, &origin).await?;
    drop(sequencer);
    let outside = CheckpointFile::at(settings.checkpoint_file.clone());
    let entries = write(&*memory, &paths.log, &outside).inspect_err(|_| {
        // Without a log the key opens nothing, and would stand in the next try's way.
        let _kept = std::fs::remove_file(&settings.key_file);
    })?;
    Ok(Founded { log, entries, verifier_key, ticket, expires_at })
}

fn operator() -> Origin {
    Origin::of(Actor::LocalOperator, None)
}

async fn begin(sequencer: &Sequencer, settings: &Settings, log: Uuid) -> Result<(), NodeError> {
    let decisions = settings.decisions.clone();
    let created = Event::LogCreated(LogCreated { log });
    let first = move |_: &World, _| Ok::<_, NodeError>(vec![created]);
    sequencer.commit(operator(), Expected::default(), first).await?;
    let adopted = move |_: &World, _| Ok::<_, NodeError>(vec![Event::SettingsAdopted(decisions)]);
    sequencer.commit(operator(), Expected::default(), adopted).await?;
    Ok(())
}

async fn author(
    sequencer: &Sequencer,
    sealer: &Sealer,
    founding: &Founding,
) -> Result<(), NodeError> {
    let entropy = sealer.entropy();
    publish(sequencer, entropy, operator(), None, shipped::system()?, None).await?;
    if founding.schema.is_some() || !founding.policies.is_empty() {
        let texts: Vec<_> =
            founding.policies.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let policies =
            pap::set_of(&texts, &Limits::default()).map_err(pap::Refusal::PolicyInvalid)?;
        let draft = Draft {
            set: SetKind::Application,
            schema: founding.schema.clone(),
            policies: Some(policies),
            message: Label::default(),
        };
        publish(sequencer, entropy, operator(), None, draft, None).await?;
    }
    if !founding.entities.is_empty() {
        let changes = founding.entities.iter().cloned().map(Change::Put).collect();
        let none: Option<Version> = None;
        change(sequencer, sealer, operator(), None, changes, Label::default(), none).await?;
    }
    Ok(())
}

async fn administrator(
    sequencer: &Sequencer,
    surroundings: &Surroundings,
    founding: Founding,
) -> Result<(SecretToken, Moment), NodeError> {
    let ticket = token(&*surroundings.entropy, "ticket")?;
    let person = NewPerson {
        name: founding.administrator,
        roles: vec![administrator_role()?],
        ticket: Some(ticket.digest()),
    };
    let decide = move |world: &World, now| register(world, &person, now);
    let recorded = sequencer.commit(operator(), Expected::default(), decide).await?;
    let expires_at = recorded.entries.iter().find_map(|entry| match &entry.event {
        Event::TicketIssued(issued) => Some(issued.expires_at),
        _ => None,
    });
    expires_at
        .map(|expires_at| (ticket, expires_at))
        .ok_or(NodeError::Defect("no ticket was issued"))
}

fn administrator_role() -> Result<Label, NodeError> {
    ADMINISTRATOR.parse().map_err(|_| NodeError::Defect("the role has no name"))
}

/// Makes a directory for its owner alone, and those above it that are not there; their
/// names are durable on `Ok`, or a power cut could take all that is to be in it.
pub(super) fn directory(path: &Path) -> Result<(), NodeError> {
    let failed = |source| NodeError::Directory { path: path.to_owned(), source };
    let whole = std::path::absolute(path).map_err(failed)?;
    let new = whole.ancestors().take_while(|above| !above.exists()).count();
    DirBuilder::new().recursive(true).mode(0o700).create(&whole).map_err(failed)?;
    // One that was there may have been made just before a crash, or by somebody else.
    for parent in whole.ancestors().skip(1).take(new.max(1)) {
        match File::open(parent).and_then(|parent| parent.sync_all()) {
            Err(error) if new == 0 && error.kind() == ErrorKind::PermissionDenied => {}
            synced => synced.map_err(failed)?,
        }
    }
    Ok(())
}

/// Refuses a name for the log before anything is made.
fn fit(origin: &str) -> Result<(), NodeError> {
    origin.parse::<KeyName>().map(|_| ()).map_err(NodeError::Origin)
}

/// Has the log adopt its first signing key: from this entry on, every group is signed.
async fn sign(
    sequencer: &Sequencer,
    vault: &Vault,
    surroundings: &Surroundings,
    origin: &str,
) -> Result<VerifierKey, NodeError> {
    let now = surroundings.clock.now();
    let (adopted, key) = draw_signing_key(vault, &*surroundings.entropy, origin, now)?;
    let verifier_key = adopted.verifier_key.clone();
    sequencer.notary().hold(adopted.credential, key);
    let event = move |_: &World, _| Ok::<_, NodeError>(vec![Event::SigningKeyAdopted(adopted)]);
    sequencer.commit(operator(), Expected::default(), event).await?;
    Ok(verifier_key)
}

/// Writes all entries as one batch: a log is founded whole or not at all.
fn write(from: &dyn EventStore, path: &Path, outside: &CheckpointFile) -> Result<u64, NodeError> {
    let mut entries = Vec::new();
    let mut next = Index(0);
    while next.0 < from.size() {
        let page = from.read(next, 1_024, 1 << 20)?;
        next = Index(next.0 + page.len() as u64);
        entries.extend(page.into_iter().map(|(_, bytes)| bytes));
    }
    let mut tiles = Vec::new();
    for tile in tlog::tiles_of(next.0).filter(|tile| !tile.is_partial()) {
        tiles.push((tile, StoredTiles(from).tile(tile)?));
    }
    let checkpoint = from.checkpoint()?;
    let group = Group { entries, tiles, checkpoint: checkpoint.clone(), ..Group::default() };
    SledStore::create(path)?.append(&group)?;
    outside.write(&checkpoint.unwrap_or_default())?;
    Ok(next.0)
}
