//! Why a directory change is refused; the log is unchanged.

use crate::cedar::Fault;
use crate::model::Version;
use crate::projection::HierarchyFault;

/// Why a directory change is refused. The author may act on all of them but
/// [`Refusal::Conflict`], which the shell answers by admitting the changes again.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No change was sent (422).
    #[error("no change was sent: name at least one entity to put or to delete")]
    Empty,
    /// More changes than one request may have (422).
    #[error("{found} changes are too many for one request: send at most {limit} at a time")]
    TooMany {
        /// How many were sent.
        found: usize,
        /// How many may be.
        limit: usize,
    },
    /// There is no schema that could say what an entity is (422).
    #[error("no schema is in force: publish one before the entities")]
    NoSchema,
    /// Some changes cannot be made (422).
    #[error("the directory cannot be changed so: {}", counted(.0))]
    Faults(Vec<Fault>),
    /// The hierarchy would have a cycle, or be too deep or too wide (422).
    #[error(transparent)]
    Hierarchy(#[from] HierarchyFault),
    /// Every entity sent is in the directory as it was sent (409).
    #[error("nothing would change: the directory already is as was sent")]
    Unchanged,
    /// Another author was first (409): read what is there now, and decide anew.
    #[error("expected version {expected} of the directory, found {found}")]
    VersionConflict {
        /// The version that the author had read.
        expected: Version,
        /// The version in force; 0 before the first change.
        found: Version,
    },
    /// What the changes were admitted against moved before they could be put in force.
    /// The shell admits them again; an author sees it (409) only if that happens often.
    #[error("the {what} changed while this was being checked; send it again")]
    Conflict {
        /// `schema` or `directory`.
        what: &'static str,
    },
}

impl Refusal {
    /// A stable code for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "no_changes",
            Self::TooMany { .. } => "too_many_changes",
            Self::NoSchema => "no_schema",
            Self::Faults(_) => "entity_invalid",
            Self::Hierarchy(_) => "hierarchy_invalid",
            Self::Unchanged => "unchanged",
            Self::VersionConflict { .. } => "version_conflict",
            Self::Conflict { .. } => "conflict",
        }
    }

    /// Each thing to put right, where that is what is wrong.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        if let Self::Faults(faults) = self { faults } else { &[] }
    }
}

fn counted(faults: &[Fault]) -> String {
    match faults {
        [one] => one.to_string(),
        many => format!("{} faults", many.len()),
    }
}
