//! The log in a stopped data directory, which holds entries and full tiles.

use super::super::failure::Failure;
use super::Tiled;
use crate::event_store::{EventStore, StoredTiles};
use crate::tlog::{BundleId, Note, TileId};

/// A store that nobody writes to, and the checkpoint outside it.
pub(in super::super) struct Stopped<'a> {
    store: &'a dyn EventStore,
    outside: Option<String>,
}

impl<'a> Stopped<'a> {
    /// Of the checkpoint outside only the lines of witnesses are taken, which are nowhere
    /// else; and only if it is of the same entries.
    pub(in super::super) const fn new(store: &'a dyn EventStore, outside: Option<String>) -> Self {
        Self { store, outside }
    }
}

impl Tiled for Stopped<'_> {
    fn checkpoint(&self) -> Result<String, Failure> {
        let unsigned = || Failure::refused("no_checkpoint", "the log was never signed");
        let head = self.store.checkpoint()?.ok_or_else(unsigned)?;
        let outside = self.outside.as_deref().and_then(|note| note.parse::<Note>().ok());
        let cosigned = head.parse::<Note>().ok().zip(outside);
        Ok(cosigned.map_or(head, |(head, outside)| head.with_those_of(&outside).to_string()))
    }

    /// As they were stored, never computed: they are what is to be checked.
    fn tile(&self, tile: TileId) -> Result<Option<Vec<u8>>, Failure> {
        Ok(if self.keeps(tile) { self.store.tile(tile)? } else { None })
    }

    /// Tiles that are not full are never stored.
    fn keeps(&self, tile: TileId) -> bool {
        !tile.is_partial()
    }

    fn bundle(&self, bundle: BundleId) -> Result<Option<Vec<u8>>, Failure> {
        Ok(StoredTiles(self.store).bundle(bundle)?)
    }
}
