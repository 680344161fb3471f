//! Why the settings were not taken; nothing was started.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{Argon2Cost, Origin};

/// How much of a wrong value a message repeats, in characters.
const SHOWN: usize = 80;

/// Why the settings were not taken: where, what, and what would be right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// The settings file that was named, or that is there, cannot be read.
    #[error("cannot read settings from `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The settings file is not TOML.
    #[error("`{}` line {line}: {what}", path.display())]
    NotToml {
        /// The file.
        path: PathBuf,
        /// 1-based.
        line: usize,
        /// What is wrong there.
        what: String,
    },
    /// No setting has this name.
    #[error("{origin}: there is no setting `{name}`; the nearest is `{nearest}`")]
    Unknown {
        /// Where it was given.
        origin: Origin,
        /// The name as given.
        name: String,
        /// The setting with the most similar name.
        nearest: String,
    },
    /// A setting has a value that it does not take.
    #[error("{origin}: setting `{name}` is `{found}`; give {expected}")]
    Wrong {
        /// Where it was given.
        origin: Origin,
        /// The setting.
        name: String,
        /// The value as given, cut short.
        found: String,
        /// What it takes.
        expected: String,
    },
    /// No data directory was named.
    #[error("no data directory; give --data DIR or set COUNTERSIGN_DATA")]
    NoData,
    /// The key would lie beside what it seals.
    #[error(
        "the key file `{}` lies in the data directory `{}`; keep it elsewhere, so that a copy \
         of the one is not a copy of both",
        key_file.display(), data.display()
    )]
    KeyInData {
        /// Where the key would be.
        key_file: PathBuf,
        /// The data directory.
        data: PathBuf,
    },
    /// The checkpoint would be lost and rolled back together with the log.
    #[error(
        "the checkpoint `{}` lies in the log's own folder; keep it elsewhere",
        checkpoint.display()
    )]
    CheckpointInLog {
        /// Where it would be.
        checkpoint: PathBuf,
    },
    /// One of certificate and key without the other.
    #[error("setting `{given}` needs `{missing}` too")]
    HalfTls {
        /// The one that was given.
        given: &'static str,
        /// The one that was not.
        missing: &'static str,
    },
    /// One setting without the other that it needs.
    #[error("setting `{given}` needs `{missing}` too")]
    Lacking {
        /// The one that was given.
        given: &'static str,
        /// The one that was not.
        missing: &'static str,
    },
    /// Tokens and passwords would cross a network in the clear.
    #[error(
        "`{listen}` is not on loopback and plaintext would leave this machine; give tls_cert \
         and tls_key, or behind_proxy and trusted_proxies if a proxy speaks TLS"
    )]
    Plaintext {
        /// The address to listen on.
        listen: SocketAddr,
    },
    /// A proxy in front, but none named.
    #[error("`behind_proxy` without `trusted_proxies`; name the proxy's address or network")]
    ProxyUnnamed,
    /// Two settings that contradict each other.
    #[error("setting `{less}` ({lesser}) is above `{more}` ({greater}); it can be at most equal")]
    Order {
        /// The setting that must not be above.
        less: &'static str,
        /// Its value.
        lesser: u64,
        /// The setting that bounds it.
        more: &'static str,
        /// Its value.
        greater: u64,
    },
    /// A password hash that is cheaper to guess than the floor allows.
    #[error(
        "argon2 with m_kib {} and t {} is below the floor; give at least 19456 with 2, 47104 \
         with 1, or 12288 with 3",
        .0.m_kib, .0.t
    )]
    CheapHash(
        /// The cost asked for.
        Argon2Cost,
    ),
    /// A user type that belongs to Countersign itself.
    #[error("setting `{name}` is `{found}`; `Countersign` is reserved for administration")]
    Reserved {
        /// The setting.
        name: &'static str,
        /// Its value.
        found: String,
    },
}

impl SettingError {
    pub(super) fn wrong(origin: Origin, name: &str, found: &str, expected: &str) -> Self {
        Self::Wrong {
            origin,
            name: name.to_owned(),
            found: found.chars().take(SHOWN).collect(),
            expected: expected.to_owned(),
        }
    }
}
