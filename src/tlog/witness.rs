//! A witness of other logs: what it is sent, and whether it cosigns. Looking up what it
//! cosigned last, storing what it cosigns now, both as one, and signing are the caller's.

use std::fmt;
use std::str::FromStr;

use super::checkpoint::{Checkpoint, CheckpointError, open_note};
use super::decimal;
use super::hash::{Hash, empty_root};
use super::key::VerifierKey;
use super::note::{NOTE_BYTES_MAX, Note};
use super::proof::{PROOF_HASHES_MAX, ProofError, verify_growth};

/// The longest request: the longest checkpoint, and 4 KiB for the 64 lines before it.
pub const ADD_CHECKPOINT_BYTES_MAX: usize = NOTE_BYTES_MAX + 4_096;

/// A checkpoint sent to a witness, and the proof that it grew out of the last one. As
/// text it is the body of the request: `old SIZE`, the proof's hashes, an empty line, and
/// the checkpoint.
///
/// # Source
/// c2sp.org/tlog-witness, “add-checkpoint”.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    old: u64,
    proof: Vec<Hash>,
    checkpoint: Note,
}

impl AddCheckpoint {
    /// What a log sends: its checkpoint, and the proof that it grew out of the one of
    /// `old` entries, which the witness cosigned last; 0 and no proof if there is none.
    ///
    /// # Errors
    /// More hashes than [`PROOF_HASHES_MAX`].
    pub fn new(old: u64, proof: Vec<Hash>, checkpoint: Note) -> Result<Self, WitnessRefusal> {
        if proof.len() > PROOF_HASHES_MAX {
            return Err(WitnessRefusal::Malformed);
        }
        Ok(Self { old, proof, checkpoint })
    }

    /// The size that the log believes the witness to have cosigned last.
    #[must_use]
    pub const fn old(&self) -> u64 {
        self.old
    }

    /// The log that the checkpoint claims to be of: what the witness looks up.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.checkpoint.text().split('\n').next().unwrap_or_default()
    }

    /// The checkpoint. Its text is what the witness cosigns, once
    /// [`decide`](Self::decide) has said that it may.
    #[must_use]
    pub const fn checkpoint(&self) -> &Note {
        &self.checkpoint
    }

    /// Decides whether the witness may cosign, given what it knows of the log of this
    /// [`origin`](Self::origin); nothing, if it does not know the log.
    ///
    /// What it then knows is the size and root of the checkpoint answered. It must be
    /// durable before the cosignature leaves, and nothing may have been stored between
    /// `log` and that, or a log that rolls back is cosigned.
    ///
    /// # Errors
    /// The refusal to answer with; [`WitnessRefusal::status`] is its HTTP status.
    pub fn decide(&self, log: Option<&KnownLog<'_>>) -> Result<Checkpoint, WitnessRefusal> {
        let log = log.ok_or(WitnessRefusal::UnknownLog)?;
        let checkpoint = open_note(&self.checkpoint, log.keys, self.origin())?.checkpoint;
        let (size, root) = (checkpoint.size(), checkpoint.root());
        if self.old > size {
            return Err(WitnessRefusal::OldTooLarge { old: self.old, size });
        }
        let (known, known_root) = log.cosigned.unwrap_or_else(|| (0, empty_root()));
        if self.old != known {
            return Err(WitnessRefusal::Conflict { known });
        }
        verify_growth(known, known_root, size, root, &self.proof)?;
        Ok(checkpoint)
    }
}

impl FromStr for AddCheckpoint {
    type Err = WitnessRefusal;
    /// Reads the body of a request.
    fn from_str(body: &str) -> Result<Self, WitnessRefusal> {
        if body.len() > ADD_CHECKPOINT_BYTES_MAX {
            return Err(WitnessRefusal::Malformed);
        }
        let (head, checkpoint) = body.split_once("\n\n").ok_or(WitnessRefusal::Malformed)?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let old = old.and_then(decimal::read).ok_or(WitnessRefusal::Malformed)?;
        let hashes = lines.take(PROOF_HASHES_MAX + 1).map(str::parse);
        let proof = hashes.collect::<Result<_, _>>().map_err(|_| WitnessRefusal::Malformed)?;
        Self::new(old, proof, checkpoint.parse().map_err(|_| WitnessRefusal::Malformed)?)
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// What a witness knows of a log.
#[derive(Debug, Clone, Copy)]
pub struct KnownLog<'a> {
    /// The keys by which the log signs.
    pub keys: &'a [VerifierKey],
    /// Size and root of the checkpoint it cosigned last, if it has cosigned any.
    pub cosigned: Option<(u64, Hash)>,
}

/// Why a witness does not cosign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessRefusal {
    /// Not in the form of a request, or signed but not a checkpoint.
    #[error("the body is not `old SIZE`, the hashes of a proof, an empty line, and a checkpoint")]
    Malformed,
    /// No log of that origin is known.
    #[error("the log is not known to this witness")]
    UnknownLog,
    /// No signature by the log's keys, or one that does not hold.
    #[error("the checkpoint has no signature of its log, or one that does not hold")]
    Unsigned,
    /// The checkpoint is smaller than what it is said to have grown from.
    #[error("the old size is {old}, but the checkpoint's is {size}")]
    OldTooLarge {
        /// The old size of the request.
        old: u64,
        /// The checkpoint's size.
        size: u64,
    },
    /// The witness has cosigned another size last; try again from there.
    #[error("the last checkpoint cosigned has {known} entries")]
    Conflict {
        /// Which.
        known: u64,
    },
    /// The log has not grown out of what was cosigned last, or does not show it: worth
    /// keeping as evidence.
    #[error("the consistency proof does not hold: {0}")]
    Inconsistent(#[from] ProofError),
    /// The witness keeps a record of each size that it cosigns, and has kept one of this
    /// log a moment ago. None of the specification's refusals: what a witness asks of a
    /// log besides is its own affair.
    #[error("a new size of this log is cosigned once a second at most: come back")]
    TooSoon,
}

impl WitnessRefusal {
    /// The media type of a conflict's body.
    pub const SIZE_MEDIA_TYPE: &str = "text/x.tlog.size";

    /// The HTTP status to answer with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed | Self::OldTooLarge { .. } => 400,
            Self::Unsigned => 403,
            Self::UnknownLog => 404,
            Self::Conflict { .. } => 409,
            Self::Inconsistent(_) => 422,
            Self::TooSoon => 429,
        }
    }

    /// After how many seconds the very same request may be taken; none if never.
    #[must_use]
    pub const fn retry_after_s(self) -> Option<u64> {
        match self {
            Self::TooSoon => Some(1),
            Self::Malformed
            | Self::UnknownLog
            | Self::Unsigned
            | Self::OldTooLarge { .. }
            | Self::Conflict { .. }
            | Self::Inconsistent(_) => None,
        }
    }

    /// The body to answer with, and its media type. Of a conflict it is the size known,
    /// from which the log tries again.
    #[must_use]
    pub fn body(self) -> (&'static str, String) {
        match self {
            Self::Conflict { known } => (Self::SIZE_MEDIA_TYPE, format!("{known}\n")),
            Self::Malformed
            | Self::UnknownLog
            | Self::Unsigned
            | Self::OldTooLarge { .. }
            | Self::Inconsistent(_)
            | Self::TooSoon => ("text/plain; charset=utf-8", format!("{self}\n")),
        }
    }
}

/// Reads a conflict's body: the size that the witness knows, from which the log tries again.
#[must_use]
pub fn conflict_size(body: &str) -> Option<u64> {
    body.strip_suffix('\n').and_then(decimal::read)
}

impl From<CheckpointError> for WitnessRefusal {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::Note(_) | CheckpointError::OnlyCosigned => Self::Unsigned,
            CheckpointError::Text(_) | CheckpointError::Origin { .. } => Self::Malformed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::{SigningKey, Tree, leaf_hash, node_hash, sign_checkpoint};

    const ORIGIN: &str = "example.com/log";

    fn key() -> SigningKey {
        SigningKey::new(ORIGIN.parse().unwrap(), &[1; 32])
    }

    fn root(size: u64) -> Hash {
        let mut tree = Tree::default();
        let entries = (0..size).map(|index| leaf_hash(&[u8::try_from(index).unwrap()]));
        entries.for_each(|leaf| tree.append(leaf, &mut Vec::new()));
        tree.root()
    }

    fn note(size: u64, root: Hash) -> Note {
        let checkpoint = Checkpoint::new(ORIGIN, size, root).unwrap();
        sign_checkpoint(&checkpoint, &[&key()]).unwrap().parse().unwrap()
    }

    /// The status of the answer, 200 if it may cosign.
    fn status(old: u64, proof: &[Hash], checkpoint: Note, cosigned: Option<(u64, Hash)>) -> u16 {
        let request = AddCheckpoint::new(old, proof.to_vec(), checkpoint).unwrap();
        assert_eq!(request.to_string().parse(), Ok(request.clone()));
        let known = KnownLog { keys: &[key().verifier()], cosigned };
        request.decide(Some(&known)).map_or_else(WitnessRefusal::status, |_| 200)
    }

    #[test]
    fn a_log_is_cosigned_as_it_grows() {
        let grown = leaf_hash(&[1]);
        assert_eq!(root(2), node_hash(&root(1), &grown));
        assert_eq!(status(0, &[], note(1, root(1)), None), 200);
        assert_eq!(status(1, &[grown], note(2, root(2)), Some((1, root(1)))), 200);
        assert_eq!(status(2, &[], note(2, root(2)), Some((2, root(2)))), 200);
        assert_eq!(status(0, &[], note(0, root(0)), None), 200);
        assert_eq!(status(0, &[], note(2, root(2)), Some((0, root(0)))), 200);
    }

    #[test]
    fn each_refusal_has_its_status() {
        let grown = leaf_hash(&[1]);
        let two = || note(2, root(2));
        let cosigned = Some((1, root(1)));
        assert_eq!(status(3, &[], two(), cosigned), 400);
        assert_eq!(status(0, &[], two(), cosigned), 409);
        assert_eq!(status(2, &[], two(), cosigned), 409);
        assert_eq!(status(1, &[], two(), None), 409);
        assert_eq!(status(1, &[], two(), cosigned), 422);
        assert_eq!(status(1, &[root(1)], two(), cosigned), 422);
        assert_eq!(status(1, &[grown, grown], two(), cosigned), 422);
        assert_eq!(status(0, &[grown], two(), None), 422);
        assert_eq!(status(1, &[], note(1, root(2)), cosigned), 422);
        assert_eq!(status(0, &[], note(0, root(2)), None), 422);
    }

    #[test]
    fn only_known_logs_with_their_own_signature_are_cosigned() {
        let request = AddCheckpoint::new(0, Vec::new(), note(1, root(1))).unwrap();
        assert_eq!(request.origin(), ORIGIN);
        assert_eq!(request.decide(None), Err(WitnessRefusal::UnknownLog));
        assert_eq!(WitnessRefusal::UnknownLog.status(), 404);
        let other = SigningKey::new(ORIGIN.parse().unwrap(), &[2; 32]).verifier();
        let known = KnownLog { keys: &[other], cosigned: None };
        let refusal = request.decide(Some(&known)).unwrap_err();
        assert_eq!((refusal, refusal.status()), (WitnessRefusal::Unsigned, 403));
    }

    #[test]
    fn signed_text_that_is_no_checkpoint_is_malformed() {
        let text = "example.com/log\n01\nroot\n".to_owned();
        let signed = Note::new(text.clone(), vec![key().sign(&text)]).unwrap();
        assert_eq!(status(0, &[], signed, None), 400);
    }

    #[test]
    fn a_conflict_tells_the_size_known() {
        let (media_type, body) = WitnessRefusal::Conflict { known: 3 }.body();
        assert_eq!((media_type, body.as_str()), ("text/x.tlog.size", "3\n"));
        assert_eq!(conflict_size(&body), Some(3));
        for bad in ["", "\n", "3", "03\n", "3\n\n", "three\n", "-3\n"] {
            assert_eq!(conflict_size(bad), None, "{bad}");
        }
        let (media_type, _) = WitnessRefusal::Unsigned.body();
        assert_eq!(media_type, "text/plain; charset=utf-8");
    }

    #[test]
    fn a_body_has_one_form() {
        let (note, hash) = (note(1, root(1)), root(2));
        let whole = format!("old 1\n{hash}\n\n{note}");
        assert!(whole.parse::<AddCheckpoint>().is_ok());
        let lines = |count| format!("old 1\n{}\n{note}", format!("{hash}\n").repeat(count));
        assert!(lines(63).parse::<AddCheckpoint>().is_ok());
        let long = format!("{whole}{}", "x".repeat(ADD_CHECKPOINT_BYTES_MAX));
        for bad in [
            "",
            "old 1\n",
            "old 1\n\n",
            &lines(64),
            &lines(1_000),
            &long,
            &format!("old 01\n\n{note}"),
            &format!("old -1\n\n{note}"),
            &format!("1\n\n{note}"),
            &format!("old  1\n\n{note}"),
            &format!("old 1 \n\n{note}"),
            &format!("Old 1\n\n{note}"),
            &format!("old 1\r\n\n{note}"),
            &format!("old 1\n{hash} \n\n{note}"),
            &format!("old 1\nAAAA\n\n{note}"),
            &format!("old 1\n{note}"),
            &format!("\n\n{note}"),
            whole.trim_end(),
        ] {
            assert_eq!(bad.parse::<AddCheckpoint>(), Err(WitnessRefusal::Malformed), "{bad}");
        }
        let many = vec![hash; 64];
        assert_eq!(AddCheckpoint::new(1, many, note), Err(WitnessRefusal::Malformed));
    }
}
