//! A receipt for one entry, made from a store.

use crate::model::Index;
use crate::tlog::{
    Checkpoint, NodeError, NotATlogProof, Note, TileNodes, TlogProof, TreeError, inclusion_proof,
};

use super::{EventStore, StoreError, StoredTiles};

/// Why there is no receipt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// The checkpoint is not one, or of fewer entries.
    #[error("the checkpoint does not reach entry {0}")]
    NotReached(Index),
    /// The tree cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError<NodeError<StoreError>>),
    /// The entry cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The proof cannot be written.
    #[error(transparent)]
    Proof(#[from] NotATlogProof),
}

/// Proves that the entry at `index` is in the log that a signed checkpoint is of. The
/// entry itself is the proof's extra data: whoever has it and the log's verifier key needs
/// nothing else, and nobody's word.
///
/// # Errors
/// [`ReceiptError`].
///
/// # Source
/// c2sp.org/tlog-proof.
pub fn receipt(
    store: &dyn EventStore,
    index: Index,
    checkpoint: &str,
) -> Result<TlogProof, ReceiptError> {
    let note: Option<Note> = checkpoint.parse().ok();
    let note = note.ok_or(ReceiptError::NotReached(index))?;
    let size = note.text().parse().map_or(0, |signed: Checkpoint| signed.size());
    let entry = store.read(index, 1, usize::MAX)?.into_iter().next();
    let (_, entry) = entry.filter(|_| index.0 < size).ok_or(ReceiptError::NotReached(index))?;
    let nodes = TileNodes::new(size, StoredTiles(store));
    let hashes = inclusion_proof(index.0, size, &nodes)?;
    Ok(TlogProof::new(index.0, hashes, note)?.with_extra(entry)?)
}
