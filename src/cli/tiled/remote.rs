//! A server's own tiles.

use super::super::client::Client;
use super::super::failure::Failure;
use super::Tiled;
use super::folder::beginning;
use crate::tlog::{BundleId, TileId};

/// Where a server has its log.
const PREFIX: &str = "/log/v1/";

/// The log of a running server.
pub(in super::super) struct Remote<'a>(pub(in super::super) &'a Client);

impl Tiled for Remote<'_> {
    fn checkpoint(&self) -> Result<String, Failure> {
        let bytes = self.0.file(&format!("{PREFIX}checkpoint"))?;
        let none = || Failure::refused("no_checkpoint", "the server has no checkpoint");
        Ok(String::from_utf8_lossy(&bytes.ok_or_else(none)?).into_owned())
    }

    fn tile(&self, tile: TileId) -> Result<Option<Vec<u8>>, Failure> {
        let bytes = self.0.file(&format!("{PREFIX}{tile}"))?;
        if bytes.is_some() || !tile.is_partial() {
            return Ok(bytes);
        }
        let full = self.0.file(&format!("{PREFIX}{}", tile.full()))?;
        Ok(full.and_then(|full| full.get(..tile.bytes()).map(<[u8]>::to_vec)))
    }

    fn bundle(&self, bundle: BundleId) -> Result<Option<Vec<u8>>, Failure> {
        let bytes = self.0.file(&format!("{PREFIX}{}", bundle.path()))?;
        if bytes.is_some() || !bundle.is_partial() {
            return Ok(bytes);
        }
        let full = self.0.file(&format!("{PREFIX}{}", bundle.full().path()))?;
        Ok(full.and_then(|full| beginning(&full, bundle.width())))
    }
}
