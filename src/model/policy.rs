//! A policy's source, before Cedar has read it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Digest, NotAName, Uid};

/// A policy's stable name, from its `@id`: 1 to 128 characters, no control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PolicyId(Arc<str>);

impl PolicyId {
    /// The longest id, in characters.
    pub const CHARS_MAX: usize = 128;

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PolicyId {
    type Err = NotAName;
    fn from_str(text: &str) -> Result<Self, NotAName> {
        if text.is_empty() {
            Err(NotAName::Empty)
        } else if text.chars().count() > Self::CHARS_MAX {
            Err(NotAName::TooLong(Self::CHARS_MAX))
        } else if text.chars().any(char::is_control) {
            Err(NotAName::Forbidden)
        } else {
            Ok(Self(Arc::from(text)))
        }
    }
}

impl TryFrom<String> for PolicyId {
    type Error = NotAName;
    fn try_from(text: String) -> Result<Self, NotAName> {
        text.parse()
    }
}

impl From<PolicyId> for String {
    fn from(id: PolicyId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose policies: the owner's, or those that govern Countersign itself.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum SetKind {
    /// The owner's policies, about the owner's applications.
    #[default]
    Application,
    /// Who may publish, audit and administer Countersign (`Countersign::`).
    System,
}

impl SetKind {
    /// The name used in events and headers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::System => "system",
        }
    }

    /// True for the owner's.
    #[must_use]
    pub const fn is_application(&self) -> bool {
        matches!(self, Self::Application)
    }
}

/// What a policy consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum PolicyBody {
    /// Cedar text of one policy without slots.
    Static {
        /// The text.
        text: Arc<str>,
    },
    /// Cedar text of one policy with `?principal` or `?resource`.
    Template {
        /// The text.
        text: Arc<str>,
    },
    /// A template with its slots filled.
    Link {
        /// The template's id.
        template: PolicyId,
        /// What stands for `?principal`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        principal: Option<Uid>,
        /// What stands for `?resource`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resource: Option<Uid>,
    },
}

/// One named policy, template or link: the unit that is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySource {
    /// Its name, unique in its set.
    pub id: PolicyId,
    /// What it consists of.
    #[serde(flatten)]
    pub body: PolicyBody,
}

impl PolicySource {
    /// The SHA-256 that identifies this content under this id.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let body = serde_json::to_vec(self).unwrap_or_default();
        Digest::of_parts([b"policy".as_slice(), &body])
    }

    /// The SHA-256 of a whole set: over each policy's id and digest, in order of
    /// their names.
    #[must_use]
    pub fn digest_of_set<'a>(sources: impl IntoIterator<Item = &'a Self>) -> Digest {
        let mut sorted: Vec<_> =
            sources.into_iter().map(|source| (&source.id, source.digest())).collect();
        sorted.sort_unstable();
        let parts = sorted
            .iter()
            .flat_map(|(id, digest)| [id.as_str().as_bytes(), digest.as_bytes().as_slice()]);
        Digest::of_parts(parts)
    }
}
