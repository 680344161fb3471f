//! Names that people choose.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// Why a text is not a name. The text itself is not repeated: what is typed into
/// a name's field is often a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAName {
    /// Nothing left after trimming.
    #[error("a name must not be empty")]
    Empty,
    /// More than the limit.
    #[error("a name has at most {0} characters")]
    TooLong(usize),
    /// Control characters, spaces or the like.
    #[error("a name has no spaces and no control characters")]
    Forbidden,
}

/// A person's login name: 1 to 128 characters, NFC, lower case, no white space
/// and no control characters. It is the id of the person's entity.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Username(Arc<str>);

impl Username {
    /// The longest name, in characters.
    pub const CHARS_MAX: usize = 128;

    /// The normalised name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Username {
    type Err = NotAName;
    fn from_str(text: &str) -> Result<Self, NotAName> {
        if text.len() > Self::CHARS_MAX * 4 {
            return Err(NotAName::TooLong(Self::CHARS_MAX));
        }
        let name: String = text.nfc().flat_map(char::to_lowercase).nfc().collect();
        if name.is_empty() {
            Err(NotAName::Empty)
        } else if name.chars().count() > Self::CHARS_MAX {
            Err(NotAName::TooLong(Self::CHARS_MAX))
        } else if name.chars().any(|c| c.is_control() || c.is_whitespace()) {
            Err(NotAName::Forbidden)
        } else {
            Ok(Self(Arc::from(name)))
        }
    }
}

impl TryFrom<String> for Username {
    type Error = NotAName;
    fn try_from(text: String) -> Result<Self, NotAName> {
        text.parse()
    }
}

impl From<Username> for String {
    fn from(name: Username) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A short line of text for people, such as a token's label or a reason: at most
/// 256 characters, no control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

impl Label {
    /// The longest label, in characters.
    pub const CHARS_MAX: usize = 256;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Label {
    type Err = NotAName;
    fn from_str(text: &str) -> Result<Self, NotAName> {
        if text.chars().count() > Self::CHARS_MAX {
            Err(NotAName::TooLong(Self::CHARS_MAX))
        } else if text.chars().any(char::is_control) {
            Err(NotAName::Forbidden)
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

impl TryFrom<String> for Label {
    type Error = NotAName;
    fn try_from(text: String) -> Result<Self, NotAName> {
        text.parse()
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_username_is_normalised() {
        let name = |text: &str| text.parse::<Username>().map(String::from);
        assert_eq!(name("Alice@Example.COM").as_deref(), Ok("alice@example.com"));
        assert_eq!(name("e\u{301}va").as_deref(), Ok("\u{e9}va"));
        assert_eq!(name(""), Err(NotAName::Empty));
        assert_eq!(name("a b"), Err(NotAName::Forbidden));
        assert_eq!(name("a\0"), Err(NotAName::Forbidden));
        assert_eq!(name(&"x".repeat(129)), Err(NotAName::TooLong(128)));
    }

    proptest! {
        /// Law: a normalised name is its own normal form.
        #[test]
        fn normalising_twice_changes_nothing(text in "\\PC{1,40}") {
            if let Ok(name) = text.parse::<Username>() {
                prop_assert_eq!(name.as_str().parse(), Ok(name.clone()));
            }
        }
    }
}
