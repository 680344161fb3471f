//! What a node records when it begins to serve.

use std::collections::HashSet;
use std::fs;
use std::sync::Arc;

use uuid::Uuid;

use super::{Node, NodeError, Notifier, erase, publish, shipped};
use crate::event::{AuthenticationSettings, Event, NodeStarted};
use crate::model::{BUILD, Digest, Personal, SetKind};
use crate::pap;
use crate::projection::{Node as EntityNode, World};
use crate::sequencer::{Expected, Origin};
use crate::settings::Settings;

impl Node {
    /// Records that this build begins to serve, adopts changed settings, the system
    /// policies it brings along and a key to cosign by if it is to be a witness, completes
    /// erasures and a rotation that were cut short, and
    /// sweeps secrets that no entry names.
    ///
    /// # Errors
    /// [`NodeError`] if that cannot be recorded or the vault cannot be read.
    pub async fn begin(&self, settings: &Settings) -> Result<(), NodeError> {
        let (adopted, started) = (settings.decisions.clone(), started(settings));
        let decide = move |world: &World, _| {
            let mut events = vec![Event::NodeStarted(started)];
            if *world.settings != adopted {
                events.push(Event::SettingsAdopted(adopted));
            }
            Ok::<_, NodeError>(events)
        };
        self.sequencer.commit(Origin::node(), Expected::default(), decide).await?;
        self.adopt_system_policies().await?;
        self.complete_rotation().await?;
        self.cosigner.adopt(&self.sequencer, &self.vault, &*self.surroundings.entropy).await?;
        let destroyed = erase::complete(&self.sequencer.world(), &self.vault)?;
        if destroyed > 0 {
            tracing::warn!(destroyed, "destroyed keys of what had been erased before");
        }
        let world = self.sequencer.world();
        let lost = world.directory.iter().filter(|node| is_lost(&world, node)).count();
        if lost > 0 {
            tracing::error!(lost, "keys of entities' personal data are missing: restore them");
        }
        let kept = sealed_credentials(&world);
        let swept = self.vault.sweep(&kept)?;
        if swept > 0 {
            tracing::info!(swept, "removed sealed secrets that no entry of the log names");
        }
        self.begin_to_notify(settings)
    }

    fn begin_to_notify(&self, settings: &Settings) -> Result<(), NodeError> {
        let Some(log) = self.sequencer.world().log else { return Ok(()) };
        let (store, metrics) =
            (Arc::clone(self.sequencer.store()), Arc::clone(&self.surroundings.metrics));
        let notifier = Notifier::start(&settings.notify, &self.paths.data, log, store, metrics)?;
        if let Some(notifier) = notifier {
            // A node begins once.
            let _second = self.notifier.set(notifier);
        }
        Ok(())
    }

    /// Puts the system policies of this build in force, if they are others than before.
    ///
    /// # Errors
    /// [`NodeError`] if that cannot be recorded.
    pub async fn adopt_system_policies(&self) -> Result<(), NodeError> {
        let draft = shipped::system()?;
        let entropy = &*self.surroundings.entropy;
        match publish(&self.sequencer, entropy, Origin::node(), None, draft, None).await {
            Ok((_, changes)) => {
                tracing::info!(set = SetKind::System.as_str(), ?changes, "adopted policies");
                Ok(())
            }
            Err(NodeError::Policies(pap::Refusal::Unchanged)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn started(settings: &Settings) -> NodeStarted {
    NodeStarted {
        build: BUILD.to_owned(),
        cedar: crate::cedar::sdk_version(),
        language: crate::cedar::language_version(),
        authentication: Some(authentication(settings)),
    }
}

/// What logins rest on. A list of authenticators that cannot be read is as good as none
/// here: with it the server does not start.
fn authentication(settings: &Settings) -> AuthenticationSettings {
    let list = settings.webauthn.attestation.as_deref().and_then(|path| fs::read(path).ok());
    let places = settings.places(settings.listen);
    let (rp_id, origins) = places.map(|it| (it.id, it.origins)).unzip();
    AuthenticationSettings {
        argon2_kib: settings.argon2.m_kib,
        argon2_passes: settings.argon2.t,
        argon2_lanes: settings.argon2.p,
        rp_id,
        origins: origins.unwrap_or_default(),
        attestation: list.map(Digest::of),
    }
}

/// True if something personal of an entity cannot be opened, and was not erased.
fn is_lost(world: &World, entity: &EntityNode) -> bool {
    let mut closed = entity.document.personal.iter().filter_map(Personal::closed);
    closed.any(|key| !world.erasures.contains(&key))
}

/// Every credential whose secret the log still names.
fn sealed_credentials(world: &World) -> HashSet<Uuid> {
    let persons = world.identities.iter().flat_map(|person| person.credentials());
    let signing = world.signing.iter().map(|key| key.credential);
    persons.chain(signing).chain(world.witnessing.key().map(|key| key.credential)).collect()
}
