//! Why a node could not be founded, opened or begun.

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;

use uuid::Uuid;

use super::{CannotNotify, NoCertificates, NotAsSigned};
use crate::audit::{NotResumable, Unsupposable};
use crate::cedar::Fault;
use crate::checkpoint::CheckpointFileError;
use crate::entropy::NoEntropy;
use crate::event_store::StoreError;
use crate::model::{Moment, Uid};
use crate::sequencer::{CommitError, RecoverError};
use crate::snapshot::SnapshotError;
use crate::tlog::NotAKey;
use crate::vault::{KeyFileError, VaultError};
use crate::{authn, pap, pip};

/// Why a node could not be founded, opened or begun.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The directory has been founded before.
    #[error("`{}` holds a log already: choose another directory, or serve this one", .0.display())]
    Founded(PathBuf),
    /// The directory cannot be made.
    #[error("cannot make the directory `{}`: {source}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key would lie beside what it opens.
    #[error("the key file `{}` must not be inside the data directory", .0.display())]
    KeyInside(PathBuf),
    /// The log is empty or lacks its beginning.
    #[error("`{}` holds no log that was founded: run `countersign init`", .0.display())]
    NotFounded(PathBuf),
    /// Nothing would age until the clock has caught up.
    #[error("the clock says {now}, but the newest entry was written at {last}: set the clock")]
    ClockBehind {
        /// The time now.
        now: Moment,
        /// The time of the newest entry.
        last: Moment,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is not the log that was signed.
    #[error(
        "{0}; restore the log, or go on without what is lost: `countersign recover --accept-loss`"
    )]
    NotAsSigned(#[from] NotAsSigned),
    /// An export that does not hold what its checkpoint is for.
    #[error("the export cannot be put in place: {0}")]
    Export(String),
    /// The checkpoint outside.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointFileError),
    /// The log's name is not fit to be signed with.
    #[error("the origin is not one: {0}")]
    Origin(NotAKey),
    /// Nobody can be told what they must hear of.
    #[error(transparent)]
    Notify(#[from] CannotNotify),
    /// The log would start.
    #[error("nothing is lost: the log is the one that was signed")]
    NothingLost,
    /// A log is always signed.
    #[error("the last signing key cannot be retired: adopt another one first")]
    LastKey,
    /// No such key signs.
    #[error("no signing key `{0}` is in force")]
    NoSuchKey(Uuid),
    /// Each key in force is a signature on each checkpoint.
    #[error("{0} keys sign already: retire one first")]
    TooManyKeys(usize),
    /// A signing key in the vault is not the one that the log names.
    #[error("the secret of signing key `{0}` is another key's: restore the vault")]
    OtherKey(Uuid),
    /// The key to cosign by in the vault is not the one that the log names.
    #[error("the secret of witness key `{0}` is another key's: restore the vault")]
    OtherWitnessKey(Uuid),
    /// What witnesses are known by.
    #[error("witnesses cannot be asked: {0}")]
    Witnesses(#[from] NoCertificates),
    /// The fold of the log.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The key file.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The snapshots' folder.
    #[error(transparent)]
    Snapshots(#[from] SnapshotError),
    /// Chance.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// A thread.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    /// Policies or schema.
    #[error(transparent)]
    Policies(#[from] pap::Refusal),
    /// Entities.
    #[error(transparent)]
    Entities(#[from] pip::Refusal),
    /// Persons.
    #[error(transparent)]
    Persons(#[from] authn::Refusal),
    /// There is nothing to suppose.
    #[error("nothing is supposed: give policies, a schema, or a patch of the directory")]
    NothingSupposed,
    /// A partial report is of something else.
    #[error(transparent)]
    NotResumable(#[from] NotResumable),
    /// A defect: a thread that decides came to no good end.
    #[error("cannot decide: {0}")]
    CannotDecide(String),
    /// Nothing of an entity's is sealed.
    #[error("nothing personal of `{0}` is sealed here")]
    NothingPersonal(Uid),
    /// The writer did not record it, for no reason of the command's own.
    #[error(transparent)]
    NotRecorded(CommitError<Infallible>),
    /// A defect of ours: something did not come to its end.
    #[error("{0}")]
    Defect(&'static str),
}

impl NodeError {
    /// Each thing for an author to put right, where that is what is wrong.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        match self {
            Self::Policies(refusal) => refusal.faults(),
            Self::Entities(refusal) => refusal.faults(),
            Self::Recover(RecoverError::DoesNotCompile { faults, .. }) => faults,
            _ => &[],
        }
    }
}

impl From<Unsupposable> for NodeError {
    fn from(error: Unsupposable) -> Self {
        match error {
            Unsupposable::Nothing => Self::NothingSupposed,
            Unsupposable::Policies(refusal) => refusal.into(),
            Unsupposable::Directory(refusal) => refusal.into(),
        }
    }
}

impl<E: Into<NodeError>> From<CommitError<E>> for NodeError {
    fn from(error: CommitError<E>) -> Self {
        Self::NotRecorded(match error {
            CommitError::Refused(refusal) => return refusal.into(),
            CommitError::Conflict { stream, expected, found } => {
                CommitError::Conflict { stream, expected, found }
            }
            CommitError::Withdrawn => CommitError::Withdrawn,
            CommitError::TokenOver => CommitError::TokenOver,
            CommitError::TooLarge { bytes } => CommitError::TooLarge { bytes },
            CommitError::Overloaded => CommitError::Overloaded,
            CommitError::ClockBehind => CommitError::ClockBehind,
            CommitError::NoRoom => CommitError::NoRoom,
            CommitError::Unavailable => CommitError::Unavailable,
            CommitError::Defect => CommitError::Defect,
        })
    }
}
