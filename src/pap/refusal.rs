//! Why a publication is refused; the log is unchanged.

use std::fmt;

use serde::Serialize;

use crate::cedar::{Fault, Limits, read_policies};
use crate::model::Version;

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
            Self::SchemaInvalid(faults) | Self::PolicyInvalid(faults) => faults,
            Self::NoSchema
            | Self::Unchanged
            | Self::VersionConflict { .. }
            | Self::Conflict { .. } => &[],
        }
    }
}

fn counted(faults: &[Fault]) -> String {
    match faults {
        [one] => one.to_string(),
        many => format!("{} faults", many.len()),
    }
}
