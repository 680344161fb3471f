//! The mathematics of a transparency log, over bytes: RFC 6962's tree and C2SP's
//! formats. It knows no other room, and neither events, files nor sockets: an auditor's
//! tool could be built of it alone.
//!
//! From the leaf upwards: [`leaf_hash`] hashes an entry; [`Tree`] is the right edge of
//! a tree that grows, and gives away each tile as it fills; [`Nodes`] reads hashes back,
//! from tiles by [`TileNodes`]; [`inclusion_proof`] and [`consistency_proof`] are made of
//! them, and checked without them. A [`Checkpoint`] is a size and a root, a [`Note`] that
//! carries signatures is how it travels, and a [`TlogProof`] is all that an outsider
//! needs to check one entry. [`AddCheckpoint`] is what a witness of other logs is asked.

mod bundle;
mod checkpoint;
mod cosignature;
mod decimal;
mod hash;
mod key;
mod nodes;
mod note;
mod proof;
mod receipt;
mod tile;
mod tree;
mod witness;

pub use bundle::{BundleError, BundleId, bundles_of, decode_bundle, encode_bundle};
pub use checkpoint::{Checkpoint, CheckpointError, NotACheckpoint, open_checkpoint};
pub use checkpoint::{Signed, open_signed, sign_checkpoint};
pub use cosignature::CosigningKey;
pub use hash::{ENTRY_BYTES_MAX_C2SP, Hash, NotAHash, empty_root, leaf_hash, node_hash};
pub use key::{KeyKind, KeyName, NotAKey, SigningKey, VerifierKey};
pub use nodes::{NodeError, Nodes, TileNodes, TileSource, TreeError};
pub use note::{NOTE_BYTES_MAX, Note, NoteError, SIGNATURES_MAX, Signature, Verified};
pub use proof::{PROOF_HASHES_MAX, ProofError, consistency_proof, inclusion_proof, root_at};
pub use proof::{verify_consistency, verify_growth, verify_inclusion};
pub use receipt::{EXTRA_BYTES_MAX, NotATlogProof, TLOG_PROOF_BYTES_MAX};
pub use receipt::{TlogProof, TlogProofError};
pub use tile::{NotATile, TILE_WIDTH, TileId, decode_tile, encode_tile, partial_width, tiles_of};
pub use tree::{NotATree, SIZE_MAX, Tree};
pub use witness::conflict_size;
pub use witness::{ADD_CHECKPOINT_BYTES_MAX, AddCheckpoint, KnownLog, WitnessRefusal};
