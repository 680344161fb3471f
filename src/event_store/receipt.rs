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

#[cfg(test)]
mod tests {
    use super::super::{ENTRY_BYTES_MAX, Group, MemoryStore};
    use super::*;
    use crate::tlog::{SigningKey, Tree, leaf_hash, sign_checkpoint};

    /// Goal: whatever can be recorded can be taken away as a receipt.
    #[test]
    fn the_longest_entry_has_a_receipt() {
        let key = SigningKey::new("example.com/log".parse().unwrap(), &[1; 32]);
        let entries = vec![vec![b'x'; ENTRY_BYTES_MAX], b"short".to_vec()];
        let mut tree = Tree::default();
        entries.iter().for_each(|entry| tree.append(leaf_hash(entry), &mut Vec::new()));
        let checkpoint = Checkpoint::new("example.com/log", 2, tree.root()).unwrap();
        let note = sign_checkpoint(&checkpoint, &[&key]).unwrap();
        let store = MemoryStore::new();
        store.append(&Group { entries: entries.clone(), ..Group::default() }).unwrap();
        for (index, entry) in (0..).zip(&entries) {
            let proof = receipt(&store, Index(index), &note).unwrap().to_string();
            let proof: TlogProof = proof.parse().unwrap();
            assert_eq!(proof.extra(), Some(entry.as_slice()));
            assert!(proof.verify(entry, &[key.verifier()], "example.com/log").is_ok());
        }
        let beyond = receipt(&store, Index(2), &note);
        assert!(matches!(beyond, Err(ReceiptError::NotReached(Index(2)))));
    }
}
