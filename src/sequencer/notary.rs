//! The log's signing keys, opened, and the checkpoints that they sign.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use uuid::Uuid;

use crate::projection::World;
use crate::tlog::{Checkpoint, NotACheckpoint, NoteError, SigningKey, Tree, sign_checkpoint};

/// Why a checkpoint could not be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSigned {
    /// A key that is in force by the log is not among those opened.
    #[error("signing key `{0}` is in force, but was not opened")]
    NotHeld(Uuid),
    /// The origin or the size cannot be written in a checkpoint.
    #[error(transparent)]
    Text(#[from] NotACheckpoint),
    /// More keys sign than a note may carry.
    #[error(transparent)]
    Note(#[from] NoteError),
}

/// Holds the signing keys of one log by their credential's id. The log itself says which
/// of them are in force; no key signs before the log has adopted it. No `Debug`.
#[derive(Default)]
pub struct Notary(ArcSwap<HashMap<Uuid, Arc<SigningKey>>>);

impl Notary {
    /// Takes a key into its keeping.
    pub fn hold(&self, credential: Uuid, key: SigningKey) {
        let key = Arc::new(key);
        self.0.rcu(|held| {
            let mut held = HashMap::clone(held);
            held.insert(credential, Arc::clone(&key));
            held
        });
    }

    /// Signs the root of a tree with every key in force in the World that it is the log
    /// of; none if no key has been adopted yet.
    ///
    /// # Errors
    /// [`NotSigned`].
    pub fn checkpoint(&self, world: &World, tree: &Tree) -> Result<Option<String>, NotSigned> {
        let Some(origin) = world.signing.origin() else { return Ok(None) };
        let held = self.0.load();
        let key = |credential: Uuid| held.get(&credential).ok_or(NotSigned::NotHeld(credential));
        let keys = world.signing.in_force().map(|it| key(it.credential).map(|key| &**key));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let checkpoint = Checkpoint::new(origin, tree.size(), tree.root())?;
        Ok(Some(sign_checkpoint(&checkpoint, &keys)?))
    }
}
