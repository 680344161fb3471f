//! What a node records when it begins to serve.

use std::collections::HashSet;

use uuid::Uuid;

use super::{Node, NodeError, publish, shipped};
use crate::event::{Event, NodeStarted};
use crate::model::SetKind;
use crate::pap;
use crate::projection::World;
use crate::sequencer::{Expected, Origin};
use crate::settings::Settings;

impl Node {
    /// Records that this build begins to serve, adopts changed settings, the system
    /// policies it brings along and a key to cosign by if it is to be a witness, and
    /// sweeps secrets that no entry names.
    ///
    /// # Errors
    /// [`NodeError`] if that cannot be recorded or the vault cannot be read.
    pub async fn begin(&self, settings: &Settings) -> Result<(), NodeError> {
        let adopted = settings.decisions.clone();
        let decide = move |world: &World, _| {
            let mut events = vec![Event::NodeStarted(this_build())];
            if *world.settings != adopted {
                events.push(Event::SettingsAdopted(adopted));
            }
            Ok::<_, NodeError>(events)
        };
        self.sequencer.commit(Origin::node(), Expected::default(), decide).await?;
        self.adopt_system_policies().await?;
        self.cosigner.adopt(&self.sequencer, &self.vault, &*self.surroundings.entropy).await?;
        let kept = sealed_credentials(&self.sequencer.world());
        let swept = self.vault.sweep(&kept)?;
        if swept > 0 {
            tracing::info!(swept, "removed sealed secrets that no entry of the log names");
        }
        Ok(())
    }

    pub(super) async fn adopt_system_policies(&self) -> Result<(), NodeError> {
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

fn this_build() -> NodeStarted {
    NodeStarted {
        build: env!("CARGO_PKG_VERSION").to_owned(),
        cedar: crate::cedar::sdk_version(),
        language: crate::cedar::language_version(),
    }
}

/// Every credential whose secret the log still names.
fn sealed_credentials(world: &World) -> HashSet<Uuid> {
    let persons = world.identities.iter().flat_map(|person| person.credentials());
    let signing = world.signing.iter().map(|key| key.credential);
    persons.chain(signing).chain(world.witnessing.key().map(|key| key.credential)).collect()
}
