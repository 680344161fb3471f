//! One snapshot as a file: a header in clear, then what it seals.

use std::io;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Snapshot, SnapshotError};
use crate::entropy::Entropy;
use crate::model::Digest;
use crate::projection::{Artefacts, NotAWorld, World};
use crate::tlog::{Hash, Tree, partial_width};
use crate::vault::{Sealer, SnapshotKey};

/// What a snapshot begins with; another layout will begin differently.
const FORMAT: &[u8] = b"countersign-snapshot-v1\n";
/// How many levels of tiles the largest tree has.
const LEVELS: u8 = 8;

/// Why a snapshot is not taken up. It is no finding: an older one, or the log itself, says
/// the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It is longer than any of ours.
    #[error("it has {0} bytes, more than are read")]
    TooLong(u64),
    /// It has another layout.
    #[error("it is no snapshot")]
    Malformed,
    /// Another build's folds made it.
    #[error("another build wrote it")]
    OtherCode,
    /// It is of another log or another place in it.
    #[error("it is of another log or of another size")]
    OtherPlace,
    /// The log has lost what it reflects.
    #[error("it reflects more entries than the {0} that the log has")]
    Beyond(u64),
    /// It was altered, or sealed with another key.
    #[error("it does not open: it was altered, or the key file is another")]
    Sealed,
    /// The log's first entries are not those that it was made of.
    #[error("it does not fit the entries of the log")]
    OtherRoot,
    /// What is in it is no World.
    #[error(transparent)]
    NotAWorld(#[from] NotAWorld),
    /// What is in it is not what it says.
    #[error("it holds another state than its header says")]
    OtherState,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    log: Uuid,
    /// The entries it reflects.
    size: u64,
    /// The root of the tree over them.
    root: String,
    /// The digest of the World.
    state: Digest,
    /// The build's folds.
    code: Digest,
}

/// Which code made a state: the folds, and the build that what they fold comes from.
fn code() -> Digest {
    Digest::of_parts([World::folds().as_bytes(), env!("CARGO_PKG_VERSION").as_bytes()])
}

/// A snapshot as the bytes of its file.
///
/// # Errors
/// [`SnapshotError::NotSealed`].
pub(super) fn sealed(
    snapshot: &Snapshot,
    log: Uuid,
    key: &SnapshotKey,
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, SnapshotError> {
    let Snapshot { world, tree } = snapshot;
    let (size, root) = (tree.size(), tree.root().to_string());
    let header = Header { log, size, root, state: world.digest().digest, code: code() };
    let mut head = FORMAT.to_vec();
    head.extend(serde_json::to_vec(&header).unwrap_or_default());
    head.push(b'\n');
    let mut body = Vec::new();
    for hash in (0..LEVELS).flat_map(|level| tree.edge(level)) {
        body.extend_from_slice(hash.as_bytes());
    }
    body.extend(world.put_away());
    let sealed = key.seal(&Digest::of(&head), &body, entropy)?;
    head.extend(sealed);
    Ok(head)
}

/// The snapshot in the bytes of a file; `sealer` opens what is personal in it, and `fits`
/// says whether a root is that of the log's first `size` entries.
///
/// # Errors
/// [`Unfit`].
pub(super) fn opened(
    bytes: &[u8],
    log: Uuid,
    size: u64,
    (key, sealer): (&SnapshotKey, &Sealer),
    artefacts: &Artefacts,
    fits: impl FnOnce(&Hash) -> bool,
) -> Result<Snapshot, Unfit> {
    let line = bytes.strip_prefix(FORMAT).ok_or(Unfit::Malformed)?;
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let header: Header = serde_json::from_slice(line).map_err(|_| Unfit::Malformed)?;
    if header.code != code() {
        return Err(Unfit::OtherCode);
    }
    if (header.log, header.size) != (log, size) {
        return Err(Unfit::OtherPlace);
    }
    let (head, sealed) =
        bytes.split_at_checked(FORMAT.len() + line.len() + 1).ok_or(Unfit::Malformed)?;
    let body = key.open(&Digest::of(head), sealed).ok_or(Unfit::Sealed)?;
    let (tree, state) = tree_of(size, &body).ok_or(Unfit::Malformed)?;
    let root = tree.root();
    if root.to_string() != header.root || !fits(&root) {
        return Err(Unfit::OtherRoot);
    }
    let world = World::restored(state, artefacts, &mut |it| sealer.open_entity(it).is_ok())?;
    let reaches = world.through.map(|through| through.next().0) == Some(size);
    if !reaches || world.log != Some(log) || world.digest().digest != header.state {
        return Err(Unfit::OtherState);
    }
    Ok(Snapshot { world, tree })
}

/// The tree whose edge stands at the beginning, and what stands behind it.
fn tree_of(size: u64, body: &[u8]) -> Option<(Tree, &[u8])> {
    let (mut levels, mut rest) = (Vec::new(), body);
    for level in 0..LEVELS {
        let bytes = usize::from(partial_width(level, size)) * Hash::BYTES;
        let (hashes, behind) = rest.split_at_checked(bytes)?;
        let hashes = hashes.chunks_exact(Hash::BYTES);
        let hash = |bytes: &[u8]| <[u8; Hash::BYTES]>::try_from(bytes).ok().map(Hash::from);
        levels.push(hashes.map(hash).collect::<Option<Vec<_>>>()?);
        rest = behind;
    }
    Some((Tree::from_edge(size, levels).ok()?, rest))
}
