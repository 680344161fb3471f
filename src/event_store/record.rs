//! The records of a log: its one table, key by key.
//!
//! ```text
//! key                              value
//! 'e' ‖ first index (8, BE)        a block, see `block`
//! 'i' ‖ idempotency key (32)       index (8, BE)
//! 't' ‖ level ‖ index (8, BE)      the 256 hashes of a full tile of the Merkle tree
//! 'm' ‖ "format"                   "1"
//! 'm' ‖ "checkpoint"               the newest signed checkpoint, a C2SP signed note
//! ```
//!
//! The size of the log is what its last block says. A counter beside it would be
//! lost with the same tail, so it would prove nothing; the checkpoint outside does.

use crate::model::Index;
use crate::tlog::TileId;

use super::error::{Damage, StoreError};
use super::{Group, IdempotencyKey, block};

/// A key and its value.
pub(super) type Record = (Vec<u8>, Vec<u8>);

/// The key of the record that says how the others are to be read.
pub(super) const FORMAT_KEY: &[u8] = b"mformat";

/// The format described above.
pub(super) const FORMAT: &[u8] = b"1";

/// A key above those of all blocks, and below all others.
pub(super) const BLOCKS_END: &[u8] = b"f";

/// The key of the newest checkpoint, the one record that is replaced.
pub(super) const CHECKPOINT_KEY: &[u8] = b"mcheckpoint";

const BLOCK: u8 = b'e';
const IDEMPOTENCY: u8 = b'i';
const TILE: u8 = b't';

/// Everything that is committed with a group, in one batch: what the Merkle tree and
/// its signed root say is as durable as the entries.
///
/// # Errors
/// [`StoreError::EntryTooLarge`].
pub(super) fn records(group: &Group) -> Result<Vec<Record>, StoreError> {
    let blocks = block::pack(group.first, &group.entries)?;
    let blocks = blocks.into_iter().map(|(first, bytes)| (block_key(first.0), bytes));
    let keys = group
        .keys
        .iter()
        .map(|(key, index)| (idempotency_key(key), index.0.to_be_bytes().to_vec()));
    let tiles = group.tiles.iter().map(|(tile, hashes)| (tile_key(*tile), hashes.clone()));
    let checkpoint = group.checkpoint.iter();
    let checkpoint = checkpoint.map(|note| (CHECKPOINT_KEY.to_vec(), note.clone().into_bytes()));
    Ok(blocks.chain(keys).chain(tiles).chain(checkpoint).collect())
}

/// The record that makes an empty table a log.
pub(super) fn format_record() -> Record {
    (FORMAT_KEY.to_vec(), FORMAT.to_vec())
}

/// The key of the block whose first entry has this index.
pub(super) fn block_key(first: u64) -> Vec<u8> {
    [[BLOCK].as_slice(), &first.to_be_bytes()].concat()
}

/// The first index of the block with this key, `None` for another kind of record.
///
/// # Errors
/// [`StoreError::Broken`] at `near` if the key is a block's but holds no index.
pub(super) fn block_first(key: &[u8], near: u64) -> Result<Option<u64>, StoreError> {
    match key {
        [BLOCK, index @ ..] => index
            .try_into()
            .map(|index| Some(u64::from_be_bytes(index)))
            .map_err(|_| StoreError::broken(near, Damage::BlockKey)),
        _ => Ok(None),
    }
}

/// The key of the record of an idempotency key.
pub(super) fn idempotency_key(key: &IdempotencyKey) -> Vec<u8> {
    [[IDEMPOTENCY].as_slice(), key.as_bytes()].concat()
}

/// The key of a full tile.
pub(super) fn tile_key(tile: TileId) -> Vec<u8> {
    [[TILE, tile.level()].as_slice(), &tile.index().to_be_bytes()].concat()
}

/// The index in the record of an idempotency key.
///
/// # Errors
/// [`StoreError::BrokenKey`] if it is not 8 bytes.
pub(super) fn index_in(value: &[u8]) -> Result<Index, StoreError> {
    value
        .try_into()
        .map(|index| Index(u64::from_be_bytes(index)))
        .map_err(|_| StoreError::BrokenKey)
}
