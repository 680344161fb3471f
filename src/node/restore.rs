//! A log put in place from its exported entries.

use std::path::Path;

use super::{NodeError, Paths, directory};
use crate::checkpoint::size_of;
use crate::event::{Event, decode};
use crate::event_store::{EventStore, Group, IdempotencyKey, SledStore};
use crate::model::Index;
use crate::tlog::{BundleId, TileId, Tree, bundles_of, decode_bundle, leaf_hash};

/// Whether a log can be put in place here: to be asked before anything is written.
///
/// # Errors
/// [`NodeError::Founded`]: there is a log already.
pub fn vacant(data: &Path) -> Result<(), NodeError> {
    let paths = Paths::in_directory(data);
    if paths.log.exists() { Err(NodeError::Founded(paths.data)) } else { Ok(()) }
}

/// Writes the entries that a signed checkpoint is for to a new log, with the tiles and
/// the keys that they imply. Linear in the log; whether the entries are those that were
/// signed is for the caller to have verified.
///
/// The checkpoint outside is left as it is: if it is newer, or not there, the log does
/// not start until somebody accepts the loss.
///
/// # Errors
/// [`NodeError`]: there is a log already, or the disk refuses. What was written until then
/// is no log: a group less than the checkpoint does not start.
pub fn restore(
    data: &Path,
    note: &str,
    bundle: impl Fn(BundleId) -> Result<Option<Vec<u8>>, String>,
) -> Result<(), NodeError> {
    vacant(data)?;
    let paths = Paths::in_directory(data);
    let size = size_of(note).ok_or_else(|| NodeError::Export("no checkpoint".to_owned()))?;
    directory(&paths.data)?;
    let store = SledStore::create(&paths.log)?;
    let mut tree = Tree::default();
    for id in bundles_of(size) {
        let missing = || NodeError::Export(format!("`{}` is not there", id.path()));
        let bytes = bundle(id).map_err(NodeError::Export)?.ok_or_else(missing)?;
        let entries = decode_bundle(&bytes, id.width())
            .map_err(|error| NodeError::Export(format!("`{}`: {error}", id.path())))?;
        let mut group = group(tree.size(), &entries, &mut tree);
        group.checkpoint = (tree.size() == size).then(|| note.to_owned());
        store.append(&group)?;
    }
    Ok(())
}

fn group(first: u64, entries: &[&[u8]], tree: &mut Tree) -> Group {
    let mut tiles: Vec<(TileId, Vec<u8>)> = Vec::new();
    let mut keys = Vec::new();
    for (index, entry) in (first..).zip(entries) {
        tree.append(leaf_hash(entry), &mut tiles);
        keys.extend(key(Index(index), entry).map(|key| (key, Index(index))));
    }
    let entries = entries.iter().map(|entry| entry.to_vec()).collect();
    Group { first: Index(first), entries, keys, tiles, ..Group::default() }
}

/// The name under which an entry answers repetitions: what identity providers report is
/// the one command that has one.
fn key(index: Index, entry: &[u8]) -> Option<IdempotencyKey> {
    match decode(index, entry).ok()?.event {
        Event::AuthenticationReported(it) => Some(IdempotencyKey::of(&it.source, &it.event)),
        _ => None,
    }
}
