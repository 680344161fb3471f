//! The vault under another key-encryption key, and as one file.

use std::path::Path;
use std::sync::Arc;

use super::erase::{blocking, complete};
use super::open::log_id;
use super::signing::SUBJECT;
use super::{Node, NodeError, Paths};
use crate::entropy::Entropy;
use crate::event::{Event, KeyRotated};
use crate::event_store::SledStore;
use crate::projection::World;
use crate::sequencer::{Expected, Origin};
use crate::settings::Settings;
use crate::vault::{self, Imported, KeyFile, Rotated};

impl Node {
    /// Wraps all that is in the vault under a new key-encryption key and records it, or
    /// goes on with that after a crash. Nobody else may be using the vault. A node that was
    /// opened before a rotation began must not use it any more either: open it again.
    ///
    /// # Errors
    /// [`NodeError`]; to be called again then. At every moment the key file opens the
    /// vault.
    pub async fn rotate_key(&self, origin: Origin) -> Result<Rotated, NodeError> {
        let (dir, key_file) = (self.paths.vault.clone(), self.key_file.clone());
        let world = self.sequencer.world();
        let Some(log) = world.log else { return Err(NodeError::NotFounded(dir)) };
        let persons = world.identities.iter().map(|person| person.name.to_string());
        let names: Vec<_> = persons.chain([SUBJECT.to_owned()]).collect();
        let entropy = Arc::clone(&self.surroundings.entropy);
        let rewrap = move || vault::rotate(&dir, &key_file, log, names, &entropy);
        let rotated = blocking(rewrap).await?;
        let Rotated { retired, adopted, .. } = rotated;
        let decide = move |world: &World, _| {
            let known = world.key == Some(adopted);
            let event = Event::KeyRotated(KeyRotated { retired, adopted });
            Ok::<_, NodeError>(if known { Vec::new() } else { vec![event] })
        };
        self.sequencer.commit(origin, Expected::default(), decide).await?;
        let (key_file, entropy) = (self.key_file.clone(), Arc::clone(&self.surroundings.entropy));
        blocking(move || vault::settle(&key_file, &*entropy)).await?;
        Ok(rotated)
    }

    /// Goes on with a rotation that was cut short, if one was.
    pub(super) async fn complete_rotation(&self) -> Result<(), NodeError> {
        if KeyFile::load(&self.key_file)?.is_rotating() {
            let Rotated { adopted, .. } = self.rotate_key(Origin::node()).await?;
            tracing::warn!(key = %adopted, "completed a rotation of the vault's key");
        }
        Ok(())
    }

    /// Writes all of the vault, as it is sealed, to one new file; returns how many files
    /// are in it.
    ///
    /// # Errors
    /// [`NodeError`] if it cannot be written, or something has that name.
    pub fn export_vault(&self, to: &Path) -> Result<usize, NodeError> {
        let key = KeyFile::load(&self.key_file)?;
        Ok(vault::export(&self.vault, &key, to)?)
    }

    /// Destroys again what the log says has been erased and the vault has.
    ///
    /// # Errors
    /// [`NodeError`] if the vault cannot be written.
    pub fn complete_erasures(&self) -> Result<usize, NodeError> {
        Ok(complete(&self.sequencer.world(), &self.vault)?)
    }
}

/// Puts the files of an export into the vault of a data directory that lacks them, which
/// does not open without them. To be followed by [`Node::complete_erasures`].
///
/// # Errors
/// [`NodeError`] if it is not whole, or not this vault's; or the directory is in use.
pub fn import_vault(
    settings: &Settings,
    entropy: &Arc<dyn Entropy>,
    from: &Path,
) -> Result<Imported, NodeError> {
    let paths = Paths::in_directory(&settings.data);
    let store = SledStore::open(&paths.log)?;
    let log = log_id(&store)?.ok_or(NodeError::NotFounded(paths.data))?;
    let key = KeyFile::load(&settings.key_file)?;
    Ok(vault::import(&paths.vault, &key, log, entropy, from)?)
}
