//! What becomes of a node that is started on what a power cut has left.

use std::any::Any;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex};

use countersign::checkpoint::CheckpointFile;
use countersign::clock::SystemClock;
use countersign::entropy::SystemEntropy;
use countersign::event_store::{EventStore, SledStore};
use countersign::model::{Digest, Index, SetKind};
use countersign::node::{Node, NodeError, Paths, Surroundings, check_head, check_outside};
use countersign::projection::{Artefacts, World};
use countersign::sequencer::{Log, recover};
use countersign::settings::{Flags, Settings};
use countersign::telemetry::Metrics;
use countersign::vault::{KeyFile, Purpose, Vault};

/// What became of it.
#[derive(Debug)]
pub enum Verdict {
    /// It opens, with these entries; what else was promised of it and does not hold.
    Opened { entries: Vec<Vec<u8>>, faults: Vec<String> },
    /// It refuses to open.
    Refused(String),
    /// It panics.
    Panicked(String),
}

/// How much of a node is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// All of it; and it records that it has begun to serve.
    Whole,
    /// What a start does to the disk, and all that it asks of it, in the same order. What
    /// it compiles was compiled before.
    Brief,
}

/// Where nodes are started.
#[derive(Default)]
pub struct Bench {
    artefacts: Artefacts,
    compiled: Mutex<HashSet<Digest>>,
}

impl Bench {
    /// Starts a node on the data directory in a folder.
    pub fn verdict(&self, folder: &Path, start: Start) -> Verdict {
        let started = || match start {
            Start::Whole => whole(folder),
            Start::Brief => self.brief(folder),
        };
        match catch_unwind(AssertUnwindSafe(started)) {
            Ok(Ok((entries, faults))) => Verdict::Opened { entries, faults },
            Ok(Err(refusal)) => Verdict::Refused(refusal.to_string()),
            Err(payload) => Verdict::Panicked(words(&*payload)),
        }
    }

    fn brief(&self, folder: &Path) -> Result<(Vec<Vec<u8>>, Vec<String>), NodeError> {
        let settings = settings(folder);
        let paths = Paths::in_directory(&settings.data);
        let store = SledStore::open(&paths.log)?;
        let log = recover(&store, &self.artefacts, |_, _| {})?;
        self.keep(&log.world);
        let file = CheckpointFile::at(settings.checkpoint_file.clone());
        check_head(&log, store.checkpoint()?.as_deref())?;
        check_outside(&log, &store, file.path().to_owned(), file.read()?.as_deref())?;
        let Log { world, .. } = log;
        let (id, key) = (world.log.unwrap(), KeyFile::load(&settings.key_file)?);
        let vault = Vault::at(&paths.vault, &key, id, Arc::new(SystemEntropy))?;
        Ok((entries(&store)?, unopened(&world, &vault)))
    }

    /// Keeps what has been compiled for the next start.
    fn keep(&self, world: &World) {
        for set in [SetKind::System, SetKind::Application].map(|kind| world.set(kind)) {
            if let (Some(Ok(compiled)), Some(set)) = (set.compiled(), set.in_force())
                && self.compiled.lock().unwrap().insert(set.digest)
            {
                self.artefacts.keep(set.digest, compiled.clone());
            }
        }
    }
}

fn whole(folder: &Path) -> Result<(Vec<Vec<u8>>, Vec<String>), NodeError> {
    let settings = settings(folder);
    let surroundings = Surroundings {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        metrics: Arc::new(Metrics::new().unwrap()),
    };
    let node = Node::open(&settings, surroundings, |_, _| {})?;
    let found = entries(&**node.sequencer.store())?;
    let mut faults = unopened(&node.sequencer.world(), &node.vault);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    if let Err(error) = runtime.block_on(node.begin(&settings)) {
        faults.push(format!("it does not go on: {error}"));
    }
    Ok((found, faults))
}

fn settings(folder: &Path) -> Settings {
    let data = folder.join("data").display().to_string();
    Settings::resolve(&Flags { data: Some(data), ..Flags::default() }, []).unwrap()
}

fn entries(store: &dyn EventStore) -> Result<Vec<Vec<u8>>, NodeError> {
    let entries = store.read(Index(0), usize::MAX, usize::MAX)?;
    Ok(entries.into_iter().map(|(_, bytes)| bytes).collect())
}

/// The secrets that the log names and the vault cannot open.
fn unopened(world: &World, vault: &Vault) -> Vec<String> {
    let mut named = Vec::new();
    for key in world.signing.in_force() {
        named.push(("the log", key.credential, Purpose::Signing, key.sealed));
    }
    if let Some(key) = world.witnessing.key() {
        named.push(("the log", key.credential, Purpose::Cosigning, key.sealed));
    }
    for person in world.identities.iter() {
        let password = person.password.iter().map(|it| (&it.credential, Purpose::Password));
        let totp = person.totps.iter().map(|it| (&it.credential, Purpose::Totp));
        let pending = person.pending_totp.iter().map(|it| (&it.credential, Purpose::Totp));
        for (it, purpose) in password.chain(totp).chain(pending) {
            named.push((person.name.as_str(), it.id, purpose, it.sealed));
        }
    }
    let opened = named.into_iter().map(|(subject, credential, purpose, sealed)| {
        let opened = vault.open(subject, credential, purpose, &sealed);
        opened.err().map(|error| format!("a secret of {subject}: {error}"))
    });
    opened.flatten().collect()
}

fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}
