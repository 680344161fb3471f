//! A log as C2SP tlog-tiles lays it out, wherever it is: in a stopped data directory, on
//! a server, in a folder that was exported.

mod folder;
mod remote;
mod staged;
mod stopped;
mod walk;

use super::failure::Failure;
use crate::tlog::{BundleId, TileId};

pub(super) use folder::Exported;
pub(super) use remote::Remote;
pub(super) use staged::Staged;
pub(super) use stopped::Stopped;
pub(super) use walk::{Progress, walk};

/// Where a log's checkpoint, tiles and entries come from.
pub(super) trait Tiled {
    /// The newest signed checkpoint.
    ///
    /// # Errors
    /// [`Failure`]: there is none, or it cannot be read.
    fn checkpoint(&self) -> Result<String, Failure>;

    /// A tile of hashes; none if it is not there.
    ///
    /// # Errors
    /// [`Failure`]: it cannot be read.
    fn tile(&self, tile: TileId) -> Result<Option<Vec<u8>>, Failure>;

    /// Whether a tile is kept there. One that is computed from the entries whenever somebody
    /// asks agrees with them whatever they are: comparing it would show nothing.
    fn keeps(&self, _tile: TileId) -> bool {
        true
    }

    /// A bundle of entries; none if it is not there.
    ///
    /// # Errors
    /// [`Failure`]: it cannot be read.
    fn bundle(&self, bundle: BundleId) -> Result<Option<Vec<u8>>, Failure>;
}
