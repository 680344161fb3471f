//! Receipts: all that is needed to check offline that an entry is in a log.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::checkpoint::{CheckpointError, Signed, open_note};
use super::decimal;
use super::hash::{ENTRY_BYTES_MAX_C2SP, Hash, leaf_hash};
use super::key::VerifierKey;
use super::note::{NOTE_BYTES_MAX, Note, NoteError};
use super::proof::{PROOF_HASHES_MAX, ProofError, verify_inclusion};

/// The longest proof: the longest checkpoint, and 96 KiB for what stands before it, of
/// which the extra data is nearly all. The specification names no bound.
pub const TLOG_PROOF_BYTES_MAX: usize = NOTE_BYTES_MAX + 98_304;

/// The most extra data that a proof carries: the longest entry that any log may hold, so
/// that each has a receipt. It is 87,380 bytes of base64.
pub const EXTRA_BYTES_MAX: usize = ENTRY_BYTES_MAX_C2SP;

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// Why a text is not a proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotATlogProof {
    /// It does not begin as one, or is longer than any.
    #[error("a proof begins with `{HEADER}` and has at most {TLOG_PROOF_BYTES_MAX} bytes")]
    Header,
    /// The extra data is not base64, empty, or more than [`EXTRA_BYTES_MAX`].
    #[error("the extra data is 1 to {EXTRA_BYTES_MAX} bytes of base64 behind `extra`")]
    Extra,
    /// There is no index.
    #[error("the index is a decimal number without leading zeros behind `index`")]
    Index,
    /// A line of the proof is not a hash, or there are too many.
    #[error("a proof is at most {PROOF_HASHES_MAX} hashes, one a line, and an empty line")]
    Hashes,
    /// What follows is not a signed note.
    #[error("the checkpoint is malformed: {0}")]
    Checkpoint(#[from] NoteError),
}

/// Why a proof does not prove that the entry is in the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlogProofError {
    /// Its checkpoint is not to be believed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The entry is not shown to be in the checkpoint's tree.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// The proof that an entry is in a log: its index, its way to the root, and a signed
/// checkpoint with that root. Kept in a file `NAME.tlog-proof`.
///
/// # Source
/// c2sp.org/tlog-proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    extra: Option<Vec<u8>>,
    index: u64,
    hashes: Vec<Hash>,
    checkpoint: Note,
}

impl TlogProof {
    /// A proof of the entry at `index` in the tree of the checkpoint.
    ///
    /// # Errors
    /// More hashes than [`PROOF_HASHES_MAX`].
    pub fn new(index: u64, hashes: Vec<Hash>, checkpoint: Note) -> Result<Self, NotATlogProof> {
        if hashes.len() > PROOF_HASHES_MAX {
            return Err(NotATlogProof::Hashes);
        }
        Ok(Self { extra: None, index, hashes, checkpoint })
    }

    /// The same with extra data, which nothing authenticates.
    ///
    /// # Errors
    /// No data, or more than [`EXTRA_BYTES_MAX`].
    pub fn with_extra(mut self, extra: Vec<u8>) -> Result<Self, NotATlogProof> {
        if !(1..=EXTRA_BYTES_MAX).contains(&extra.len()) {
            return Err(NotATlogProof::Extra);
        }
        self.extra = Some(extra);
        Ok(self)
    }

    /// The extra data. Whoever handed on the proof may have changed it.
    #[must_use]
    pub fn extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }

    /// The index claimed for the entry.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The siblings on the entry's way to the root, the leaf's first.
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// The checkpoint, not yet believed.
    #[must_use]
    pub const fn checkpoint(&self) -> &Note {
        &self.checkpoint
    }

    /// Checks that this very entry is in the log `origin`, at [`TlogProof::index`].
    /// Answers the checkpoint and who signed it: at least the log; whether enough
    /// witnesses is for the caller to say.
    ///
    /// # Errors
    /// A checkpoint that is not to be believed, or a proof that does not lead to its root.
    pub fn verify<'k>(
        &self,
        entry: &[u8],
        keys: &'k [VerifierKey],
        origin: &str,
    ) -> Result<Signed<'k>, TlogProofError> {
        let signed = open_note(&self.checkpoint, keys, origin)?;
        let (size, root) = (signed.checkpoint.size(), signed.checkpoint.root());
        verify_inclusion(self.index, size, leaf_hash(entry), &self.hashes, root)?;
        Ok(signed)
    }
}

impl FromStr for TlogProof {
    type Err = NotATlogProof;
    /// Reads a proof in the one form in which it is written.
    fn from_str(text: &str) -> Result<Self, NotATlogProof> {
        let rest = text.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix('\n'));
        let rest = rest.filter(|_| text.len() <= TLOG_PROOF_BYTES_MAX);
        let rest = rest.ok_or(NotATlogProof::Header)?;
        let (head, checkpoint) = rest.split_once("\n\n").ok_or(NotATlogProof::Hashes)?;
        let mut lines = head.split('\n').peekable();
        let extra = lines.next_if(|line| line.starts_with("extra"));
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index.and_then(decimal::read).ok_or(NotATlogProof::Index)?;
        let hashes = lines.take(PROOF_HASHES_MAX + 1).map(str::parse);
        let hashes = hashes.collect::<Result<_, _>>().map_err(|_| NotATlogProof::Hashes)?;
        let proof = Self::new(index, hashes, checkpoint.parse()?)?;
        let Some(extra) = extra else { return Ok(proof) };
        let encoded = extra.strip_prefix("extra ").ok_or(NotATlogProof::Extra)?;
        proof.with_extra(STANDARD.decode(encoded).map_err(|_| NotATlogProof::Extra)?)
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::{Checkpoint, SigningKey, Tree, node_hash, sign_checkpoint};

    const ORIGIN: &str = "example.com/log";

    fn key() -> SigningKey {
        SigningKey::new(ORIGIN.parse().unwrap(), &[1; 32])
    }

    /// A log of the entries `one`, `two` and `three`, and the proof of `two`.
    fn proof() -> TlogProof {
        let mut tree = Tree::default();
        let leaves = [b"one".as_slice(), b"two", b"three"].map(leaf_hash);
        leaves.iter().for_each(|leaf| tree.append(*leaf, &mut Vec::new()));
        let checkpoint = Checkpoint::new(ORIGIN, 3, tree.root()).unwrap();
        let note = sign_checkpoint(&checkpoint, &[&key()]).unwrap().parse().unwrap();
        TlogProof::new(1, vec![leaves[0], leaves[2]], note).unwrap()
    }

    #[test]
    fn a_proof_proves_its_entry_and_no_other() {
        let (proof, keys) = (proof(), [key().verifier()]);
        let signed = proof.verify(b"two", &keys, ORIGIN).unwrap();
        assert_eq!(signed.checkpoint.size(), 3);
        assert_eq!(proof.verify(b"one", &keys, ORIGIN), Err(ProofError::Root.into()));
        let elsewhere = proof.verify(b"two", &keys, "example.com/other");
        assert!(matches!(elsewhere, Err(TlogProofError::Checkpoint(_))));
        let unsigned = CheckpointError::Note(NoteError::Unsigned);
        assert_eq!(proof.verify(b"two", &[], ORIGIN), Err(unsigned.into()));
    }

    #[test]
    fn a_proof_is_read_as_it_is_written() {
        let plain = proof();
        let text = plain.to_string();
        let [one, three] = [b"one".as_slice(), b"three"].map(leaf_hash);
        let head = format!("c2sp.org/tlog-proof@v1\nindex 1\n{one}\n{three}\n\n{ORIGIN}\n3\n");
        assert!(text.starts_with(&head), "{text}");
        assert_eq!(text.parse(), Ok(plain.clone()));
        let extra = plain.with_extra(b"more".to_vec()).unwrap();
        assert!(extra.to_string().contains("@v1\nextra bW9yZQ==\nindex 1\n"));
        assert_eq!(extra.to_string().parse(), Ok(extra));
    }

    #[test]
    fn a_tree_of_one_needs_no_hashes() {
        let root = leaf_hash(b"one");
        let checkpoint = Checkpoint::new(ORIGIN, 1, root).unwrap();
        let note = sign_checkpoint(&checkpoint, &[&key()]).unwrap().parse().unwrap();
        let proof = TlogProof::new(0, Vec::new(), note).unwrap();
        assert_eq!(proof.to_string().parse(), Ok(proof.clone()));
        assert!(proof.verify(b"one", &[key().verifier()], ORIGIN).is_ok());
    }

    #[test]
    fn a_proof_has_one_form() {
        use NotATlogProof::{Extra, Hashes, Header, Index};
        let text = proof().to_string();
        let refusal = |text: &str| text.parse::<TlogProof>().unwrap_err();
        assert_eq!(refusal(""), Header);
        assert_eq!(refusal(&text.replace("@v1", "@v2")), Header);
        assert_eq!(refusal(&format!("{text}{}", "x".repeat(TLOG_PROOF_BYTES_MAX))), Header);
        assert_eq!(refusal(&text.replace("index 1", "index 01")), Index);
        assert_eq!(refusal(&text.replace("index 1\n", "")), Index);
        assert_eq!(refusal(&text.replace("index 1", "extra\nindex 1")), Extra);
        assert_eq!(refusal(&text.replace("index 1", "extra \nindex 1")), Extra);
        assert_eq!(refusal(&text.replace("index 1", "extra *\nindex 1")), Extra);
        assert_eq!(refusal(&text.replace("index 1", "extra AA==\nextra AA==\nindex 1")), Index);
        assert_eq!(refusal(&text.replace("index 1", "index 1\nAAAA")), Hashes);
        let hash = node_hash(&leaf_hash(b""), &leaf_hash(b""));
        let many = format!("index 1{}", format!("\n{hash}").repeat(62));
        assert_eq!(refusal(&text.replace("index 1", &many)), Hashes);
        let cut = text.trim_end();
        assert!(matches!(refusal(cut), NotATlogProof::Checkpoint(_)));
    }

    #[test]
    fn what_could_not_be_read_back_is_not_made() {
        let note = proof().checkpoint().clone();
        let hashes = vec![leaf_hash(b""); 64];
        assert_eq!(TlogProof::new(1, hashes, note), Err(NotATlogProof::Hashes));
        assert_eq!(proof().with_extra(Vec::new()), Err(NotATlogProof::Extra));
        let (hash, note) = (leaf_hash(b""), proof().checkpoint().clone());
        let most = TlogProof::new(u64::MAX, vec![hash; PROOF_HASHES_MAX], note).unwrap();
        let most = most.with_extra(vec![0; EXTRA_BYTES_MAX]).unwrap();
        let before = most.to_string().len() - most.checkpoint().to_string().len();
        assert!(before <= TLOG_PROOF_BYTES_MAX - NOTE_BYTES_MAX, "{before}");
        assert_eq!(most.to_string().parse(), Ok(most));
        assert!(proof().with_extra(vec![0; EXTRA_BYTES_MAX + 1]).is_err());
    }
}
