//! Where a value was given.

use std::fmt;
use std::path::PathBuf;

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// On the command line, by this flag.
    Flag(String),
    /// In this environment variable.
    Environment(String),
    /// In this file.
    File(PathBuf),
    /// Nowhere: the default.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag `{flag}`"),
            Self::Environment(name) => write!(f, "environment variable `{name}`"),
            Self::File(path) => write!(f, "`{}`", path.display()),
            Self::Default => f.write_str("the default"),
        }
    }
}
