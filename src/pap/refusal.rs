//! Why a publication is refused; the log is unchanged.

use std::fmt;

use serde::Serialize;

use crate::cedar::{Fault, Limits, read_policies};
use crate::model::{Digest, Version};
use crate::projection::Stage;

/// What a publication stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The schema in force.
    Schema,
    /// The policies in force.
    Policies,
    /// The directory of entities.
    Directory,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Schema => "schema",
            Self::Policies => "policies",
            Self::Directory => "directory",
        })
    }
}

/// Why a publication is refused. The author may act on all of them but
/// [`Refusal::Conflict`], which the shell answers by admitting the draft again.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The schema does not compile, or an entity of the directory does not fit it (422).
    #[error("the schema cannot be put in force: {}", counted(.0))]
    SchemaInvalid(Vec<Fault>),
    /// The policies do not compile or do not validate against the schema (422). They
    /// may be the ones in force, where only a new schema was sent.
    #[error("the policies cannot be put in force: {}", counted(.0))]
    PolicyInvalid(Vec<Fault>),
    /// Policies came before any schema (422).
    #[error("no schema is in force: publish one first, or together with the policies")]
    NoSchema,
    /// Nothing sent differs from what is in force (409).
    #[error("nothing would change: what was sent is already in force")]
    Unchanged,
    /// Another author was first (409): read what is in force now, and decide anew.
    #[error("expected version {expected} of the {part}, found {found}")]
    VersionConflict {
        /// What the version is of.
        part: Part,
        /// The version that the author had read.
        expected: Version,
        /// The version in force; 0 if there is none.
        found: Version,
    },
    /// No version is called so, or it has been forgotten (404).
    #[error("there is no version `{0}`: `countersign policy versions` lists them")]
    NoSuchVersion(String),
    /// Several versions are called so, or too few digits were given (422).
    #[error("`{0}` does not name one version: give more of its digits, at least six")]
    NotOneVersion(String),
    /// Only the first digits of it were given (422).
    #[error("approving takes the whole digest, as `--format json` shows it: 64 digits")]
    NotWhole,
    /// A service wrote it, and nobody knows who made its token (409).
    #[error(
        "a token of unknown maker wrote it, so nobody can be told apart from its author: \
             draft it anew as a person"
    )]
    WriterUnknown,
    /// The very same was drafted before (409).
    #[error(
        "version {} says the same already, and is {stage}: {}with another message it is another",
        short(.digest),
        if *.stage == Stage::Draft { "staging it checks it again, and " } else { "" }
    )]
    VersionExists {
        /// Its name.
        digest: Digest,
        /// How far it has come.
        stage: Stage,
    },
    /// It has not come that far, or has gone further (409).
    #[error("version {} is {stage}, so it cannot be {what}: {instead}", short(.digest))]
    WrongStage {
        /// Its name.
        digest: Digest,
        /// How far it has come.
        stage: Stage,
        /// What was asked.
        what: &'static str,
        /// What would be right.
        instead: &'static str,
    },
    /// Something else came in force after it was drafted (409): it would undo that unseen.
    #[error(
        "something else came in force since version {} was drafted: draft it again on what is in \
         force now",
        short(.0)
    )]
    BaseMoved(Digest),
    /// One version at a time is decided by beside the one in force (409).
    #[error("version {} is staged: take it off the stage first", short(.0))]
    AnotherStaged(Digest),
    /// Four eyes are asked for, and only two have looked (403).
    #[error("{0} comes in force only after somebody other than its author has approved it")]
    ApprovalRequired(String),
    /// Its author, or whose token has written it, approves it (403).
    #[error("an author's own approval does not count: somebody else has to look")]
    ApproverIsAuthor,
    /// A service or the local operator approves (403).
    #[error("only a person can approve, in a session of their own")]
    ApproverIsNoPerson,
    /// The same person approves again (409).
    #[error("you have approved it already")]
    ApprovedAlready,
    /// There is no version to go back to (409).
    #[error("no version was in force before this one, so there is none to go back to")]
    NothingBefore,
    /// A test that it brings along does not hold (422).
    #[error("its tests do not hold: {}", counted(.0))]
    TestsFailed(Vec<Fault>),
    /// The tests are too long (422).
    #[error("the tests take {found} bytes; at most {most} do")]
    TestsTooLarge {
        /// How many they take.
        found: usize,
        /// How many they may.
        most: usize,
    },
    /// What the draft was admitted against changed before it could be put in force.
    /// The shell admits it again; an author sees it (409) only if that happens often.
    #[error("the {part} changed while this was being checked; send it again")]
    Conflict {
        /// What changed.
        part: Part,
    },
}

impl Refusal {
    /// A stable code for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::SchemaInvalid(_) => "schema_invalid",
            Self::PolicyInvalid(_) => "policy_invalid",
            Self::NoSchema => "no_schema",
            Self::Unchanged => "unchanged",
            Self::VersionConflict { .. } => "version_conflict",
            Self::NoSuchVersion(_) => "version_unknown",
            Self::NotOneVersion(_) => "version_ambiguous",
            Self::VersionExists { .. } => "version_exists",
            Self::WrongStage { .. } => "wrong_stage",
            Self::BaseMoved(_) => "base_moved",
            Self::AnotherStaged(_) => "another_staged",
            Self::ApprovalRequired(_) => "approval_required",
            Self::NotWhole => "not_whole",
            Self::WriterUnknown => "writer_unknown",
            Self::ApproverIsAuthor => "approver_is_author",
            Self::ApproverIsNoPerson => "approver_is_no_person",
            Self::ApprovedAlready => "approved_already",
            Self::NothingBefore => "nothing_before",
            Self::TestsFailed(_) => "tests_failed",
            Self::TestsTooLarge { .. } => "tests_too_large",
            Self::Conflict { .. } => "conflict",
        }
    }

    /// The same with each fault at its place in the files that the policies came from.
    /// Reads the files again, so call it for a refusal only.
    #[must_use]
    pub fn placed(self, files: &[(&str, &str)], limits: &Limits) -> Self {
        let read =
            |&(name, text): &(_, _)| Some((name, text, read_policies(name, text, limits).ok()?));
        let files: Vec<_> = files.iter().filter_map(read).collect();
        let place = |fault: Fault| match &fault.file {
            Some(_) => fault,
            None => files
                .iter()
                .fold(fault, |fault, (name, text, sources)| fault.placed(name, text, sources)),
        };
        match self {
            Self::PolicyInvalid(faults) => {
                Self::PolicyInvalid(faults.into_iter().map(place).collect())
            }
            other => other,
        }
    }

    /// Each thing to put right, where that is what is wrong.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        match self {
            Self::SchemaInvalid(faults)
            | Self::PolicyInvalid(faults)
            | Self::TestsFailed(faults) => faults,
            _ => &[],
        }
    }
}

/// The beginning of a version's name, enough for people and for commands.
pub(super) fn short(digest: &Digest) -> String {
    digest.to_string().chars().take(12).collect()
}

fn counted(faults: &[Fault]) -> String {
    match faults {
        [one] => one.to_string(),
        many => format!("{} faults", many.len()),
    }
}
