//! The log in a stopped data directory, which holds entries and full tiles.

use super::super::failure::Failure;
use super::Tiled;
use crate::event_store::{EventStore, StoredTiles};
use crate::tlog::{BundleId, TileId, TileSource as _};

/// A store that nobody writes to.
pub(in super::super) struct Stopped<'a>(pub(in super::super) &'a dyn EventStore);

impl Tiled for Stopped<'_> {
    fn checkpoint(&self) -> Result<String, Failure> {
        let unsigned = || Failure::refused("no_checkpoint", "the log was never signed");
        self.0.checkpoint()?.ok_or_else(unsigned)
    }

    /// Full tiles as they were stored, never computed: they are what is to be checked.
    fn tile(&self, tile: TileId) -> Result<Option<Vec<u8>>, Failure> {
        if tile.is_partial() {
            return Ok(Some(StoredTiles(self.0).tile(tile)?));
        }
        Ok(self.0.tile(tile)?)
    }

    fn bundle(&self, bundle: BundleId) -> Result<Option<Vec<u8>>, Failure> {
        Ok(StoredTiles(self.0).bundle(bundle)?)
    }
}
