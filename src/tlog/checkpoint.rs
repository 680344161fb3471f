//! Checkpoints: how large a log was, and its root.

use std::fmt;
use std::str::FromStr;

use super::decimal;
use super::hash::{Hash, NotAHash};
use super::key::{KeyKind, SigningKey, VerifierKey};
use super::note::{Note, NoteError, Verified};
use super::tree::SIZE_MAX;

/// Why a text is not a checkpoint's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotACheckpoint {
    /// Not three lines or more, each ended by a newline.
    #[error("a checkpoint is lines of origin, size and root, each ended by a newline")]
    Lines,
    /// A line that is empty, or an origin or extension with control characters.
    #[error("no line of a checkpoint is empty or has control characters")]
    Line,
    /// The second line is not a size.
    #[error("the size of a checkpoint is a decimal number without leading zeros, to {SIZE_MAX}")]
    Size,
    /// The third line is not a root.
    #[error("the root of a checkpoint is not a hash")]
    Root(#[from] NotAHash),
}

/// Why a signed checkpoint is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// It is not a note, or not one to be believed.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Witnesses signed it, but no key of the log.
    #[error("no key of the log has signed the checkpoint, only witnesses")]
    OnlyCosigned,
    /// What was signed is not a checkpoint.
    #[error(transparent)]
    Text(#[from] NotACheckpoint),
    /// It is another log's.
    #[error("the checkpoint is of the log `{found}`, not of `{expected}`")]
    Origin {
        /// The log asked for.
        expected: String,
        /// The log it is of.
        found: String,
    },
}

/// How large a log was, and the root of its tree then. Written as three lines and
/// extensions, each ended by a newline: the text of a note.
///
/// # Source
/// c2sp.org/tlog-checkpoint, “Note text”.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    extensions: Vec<String>,
}

impl Checkpoint {
    /// A checkpoint without extensions.
    ///
    /// `origin` names the log. It should be a URL without scheme and final slash, and
    /// the name of the key that signs.
    ///
    /// # Errors
    /// An origin that is empty or has control characters, or a size above [`SIZE_MAX`].
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, NotACheckpoint> {
        if size > SIZE_MAX {
            return Err(NotACheckpoint::Size);
        }
        let origin = checked_line(origin)?.to_owned();
        Ok(Self { origin, size, root, extensions: Vec::new() })
    }

    /// The same with these extension lines, which the specification advises against:
    /// nobody can audit them.
    ///
    /// # Errors
    /// A line that is empty or has control characters.
    pub fn with_extensions(mut self, lines: Vec<String>) -> Result<Self, NotACheckpoint> {
        lines.iter().try_for_each(|line| checked_line(line).map(drop))?;
        self.extensions = lines;
        Ok(self)
    }

    /// The log it is of.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many entries the log had.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree of that size.
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// What else the log said; opaque.
    #[must_use]
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }
}

impl FromStr for Checkpoint {
    type Err = NotACheckpoint;
    /// Reads the text of a note in the one form in which it is written.
    fn from_str(text: &str) -> Result<Self, NotACheckpoint> {
        let mut lines = text.strip_suffix('\n').ok_or(NotACheckpoint::Lines)?.split('\n');
        let mut line = || lines.next().ok_or(NotACheckpoint::Lines);
        let (origin, size, root) = (line()?, line()?, line()?);
        let size = decimal::read(size).ok_or(NotACheckpoint::Size)?;
        Self::new(origin, size, root.parse()?)?.with_extensions(lines.map(str::to_owned).collect())
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root)?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

fn checked_line(line: &str) -> Result<&str, NotACheckpoint> {
    let plain = !line.is_empty() && line.bytes().all(|byte| byte >= b' ');
    if plain { Ok(line) } else { Err(NotACheckpoint::Line) }
}

/// A checkpoint that is believed, and who signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed<'k> {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// Who signed it: a key of the log at least, and the witnesses known here.
    pub signers: Vec<Verified<'k>>,
}

/// Signs a checkpoint with each of a log's keys: more than one while keys are changed.
///
/// # Errors
/// No key, more than [`SIGNATURES_MAX`](super::SIGNATURES_MAX), or extensions so long
/// that no verifier would read the note.
pub fn sign_checkpoint(checkpoint: &Checkpoint, keys: &[&SigningKey]) -> Result<String, NoteError> {
    let text = checkpoint.to_string();
    let signatures = keys.iter().map(|key| key.sign(&text)).collect();
    Ok(Note::new(text, signatures)?.to_string())
}

/// Reads a signed checkpoint of the log `origin` and verifies it.
///
/// # Errors
/// [`open_signed`]'s.
pub fn open_checkpoint(
    note: &str,
    keys: &[VerifierKey],
    origin: &str,
) -> Result<Checkpoint, CheckpointError> {
    open_signed(note, keys, origin).map(|signed| signed.checkpoint)
}

/// Reads a signed checkpoint of the log `origin` and verifies it.
///
/// `keys` are the log's ([`KeyKind::Ed25519`]) and those of witnesses
/// ([`KeyKind::CosignatureV1`]). One of the log's must have signed; how many witnesses
/// are enough is for the caller to say.
///
/// # Errors
/// A note that is malformed or not to be believed, no signature by the log, a text that
/// is not a checkpoint, or another log's.
pub fn open_signed<'k>(
    note: &str,
    keys: &'k [VerifierKey],
    origin: &str,
) -> Result<Signed<'k>, CheckpointError> {
    open_note(&note.parse()?, keys, origin)
}

/// As [`open_signed`], of a note that has been read.
pub(super) fn open_note<'k>(
    note: &Note,
    keys: &'k [VerifierKey],
    origin: &str,
) -> Result<Signed<'k>, CheckpointError> {
    let signers = note.verify(keys)?;
    if signers.iter().all(|signer| signer.key.kind() != KeyKind::Ed25519) {
        return Err(CheckpointError::OnlyCosigned);
    }
    let checkpoint: Checkpoint = note.text().parse()?;
    if checkpoint.origin != origin {
        let (expected, found) = (origin.to_owned(), checkpoint.origin);
        return Err(CheckpointError::Origin { expected, found });
    }
    Ok(Signed { checkpoint, signers })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::{CosigningKey, empty_root, leaf_hash};

    const TEXT: &str = "example.com/log\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    fn key(seed: u8) -> SigningKey {
        SigningKey::new("example.com/log".parse().unwrap(), &[seed; 32])
    }

    #[test]
    fn a_checkpoint_is_read_as_it_is_written() {
        let checkpoint: Checkpoint = TEXT.parse().unwrap();
        assert_eq!((checkpoint.origin(), checkpoint.size()), ("example.com/log", 20_852_163));
        assert_eq!(checkpoint.to_string(), TEXT);
        let extended = format!("{TEXT}one\ntwo\n");
        let checkpoint: Checkpoint = extended.parse().unwrap();
        assert_eq!(checkpoint.extensions(), ["one", "two"]);
        assert_eq!(checkpoint.to_string(), extended);
    }

    #[test]
    fn a_checkpoint_has_one_form() {
        use NotACheckpoint::{Line, Lines, Root, Size};
        let root = empty_root().to_string();
        let cases = [
            (String::new(), Lines),
            ("a\n0\n".into(), Lines),
            (format!("a\n0\n{root}"), Lines),
            (format!("\n0\n{root}\n"), Line),
            (format!("a\n0\n{root}\n\n"), Line),
            (format!("a\n0\n{root}\n\nb\n"), Line),
            (format!("a\tb\n0\n{root}\n"), Line),
            (format!("a\n00\n{root}\n"), Size),
            (format!("a\n-1\n{root}\n"), Size),
            (format!("a\n\n{root}\n"), Size),
            (format!("a\n9223372036854775808\n{root}\n"), Size),
            (format!("a\n0\n {root}\n"), Root(NotAHash)),
            ("a\n0\nAAAA\n".into(), Root(NotAHash)),
            ("a\n0\n\n".into(), Root(NotAHash)),
        ];
        for (text, refusal) in cases {
            assert_eq!(text.parse::<Checkpoint>(), Err(refusal), "{text:?}");
        }
        assert!(format!("a\n9223372036854775807\n{root}\n").parse::<Checkpoint>().is_ok());
    }

    #[test]
    fn what_could_not_be_read_back_is_not_made() {
        let root = empty_root();
        assert_eq!(Checkpoint::new("", 0, root), Err(NotACheckpoint::Line));
        assert_eq!(Checkpoint::new("a\nb", 0, root), Err(NotACheckpoint::Line));
        assert_eq!(Checkpoint::new("a", SIZE_MAX + 1, root), Err(NotACheckpoint::Size));
        let checkpoint = Checkpoint::new("a", 0, root).unwrap();
        assert!(checkpoint.clone().with_extensions(vec!["a\nb".into()]).is_err());
        assert!(checkpoint.with_extensions(vec![String::new()]).is_err());
    }

    #[test]
    fn a_signed_checkpoint_is_opened_with_either_key_of_a_rotation() {
        let checkpoint = Checkpoint::new("example.com/log", 1, leaf_hash(b"")).unwrap();
        let note = sign_checkpoint(&checkpoint, &[&key(1), &key(2)]).unwrap();
        for key in [key(1), key(2)] {
            let opened = open_checkpoint(&note, &[key.verifier()], "example.com/log");
            assert_eq!(opened.as_ref(), Ok(&checkpoint));
        }
        let refusal = open_checkpoint(&note, &[key(3).verifier()], "example.com/log");
        assert_eq!(refusal, Err(NoteError::Unsigned.into()));
        assert_eq!(sign_checkpoint(&checkpoint, &[]), Err(NoteError::NoSignatures));
    }

    #[test]
    fn another_logs_checkpoint_is_refused() {
        let checkpoint = Checkpoint::new("example.com/log", 0, empty_root()).unwrap();
        let note = sign_checkpoint(&checkpoint, &[&key(1)]).unwrap();
        let refusal = open_checkpoint(&note, &[key(1).verifier()], "example.com/other");
        assert!(matches!(refusal, Err(CheckpointError::Origin { .. })), "{refusal:?}");
    }

    #[test]
    fn witnesses_alone_do_not_make_a_checkpoint() {
        let witness = CosigningKey::new("w".parse().unwrap(), &[9; 32]);
        let text = Checkpoint::new("example.com/log", 0, empty_root()).unwrap().to_string();
        let cosigned = |lines| Note::new(text.clone(), lines).unwrap().to_string();
        let keys = [key(1).verifier(), witness.verifier()];
        let alone = cosigned(vec![witness.cosign(&text, 7)]);
        let refusal = open_checkpoint(&alone, &keys, "example.com/log");
        assert_eq!(refusal, Err(CheckpointError::OnlyCosigned));
        let both = cosigned(vec![key(1).sign(&text), witness.cosign(&text, 7)]);
        let signed = open_signed(&both, &keys, "example.com/log").unwrap();
        assert_eq!(signed.signers.len(), 2);
        assert_eq!(signed.signers[1].time, Some(7));
    }
}
