//! Settings: flags before the environment before `countersign.toml` before
//! defaults. Read once at start, checked whole, and never changed after it.
//!
//! What can alter a decision is apart, in [`Settings::decisions`]: it belongs to
//! the World and a changed value is an event.

mod decision;
mod flags;
mod key;
mod known;
mod layer;
mod notify;
mod origin;
mod path;
mod refusal;
mod transport;
mod webauthn;
mod witness;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

pub use flags::Flags;
pub use known::reference;
pub use notify::NotifySettings;
pub use origin::Origin;
pub use refusal::SettingError;
pub use transport::{Network, PublicUrl, TlsFiles};
pub use webauthn::{Places, WebauthnSettings};
pub use witness::{SubmissionUrl, Witness, WitnessSettings};

use crate::event::DecisionSettings;
use layer::Layers;

/// All settings of one node, checked. [`reference()`] lists each one's name, unit,
/// default and bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// Where callers reach this node; never taken from a Host header.
    pub public_url: Option<PublicUrl>,
    /// Certificate chain and key, PEM; none means plaintext.
    pub tls: Option<TlsFiles>,
    /// Whether a proxy in front speaks TLS for this node.
    pub behind_proxy: bool,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// The data directory.
    pub data: PathBuf,
    /// The file with the key that seals the vault; never inside [`Self::data`].
    pub key_file: PathBuf,
    /// The file that the newest signed checkpoint is kept in, outside the log.
    pub checkpoint_file: PathBuf,
    /// Whether everybody may read the log's checkpoint and tiles.
    pub log_public: bool,
    /// Who cosigns whom.
    pub witness: WitnessSettings,
    /// Who is told what persons must hear of.
    pub notify: NotifySettings,
    /// Where passkeys are used.
    pub webauthn: WebauthnSettings,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// The least severe log line that is written.
    pub log_level: tracing::Level,
    /// How much is taken at most.
    pub limits: Limits,
    /// How the writer groups entries.
    pub sequencer: Grouping,
    /// How often the World is put away.
    pub snapshots: SnapshotSettings,
    /// Of how many evaluations one is decided by Cedar's own authorizer too; 0 for none.
    pub cross_check_every: u64,
    /// The cost of a new password hash.
    pub argon2: Argon2Cost,
    /// Words of this deployment that no new password may be made of.
    pub password_words: Vec<String>,
    /// What can alter a decision.
    pub decisions: DecisionSettings,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How much is taken at most; beyond it callers hear a 4xx or 503 problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a body, publications apart.
    pub body_bytes: usize,
    /// Bytes of a publication: policies, schema or entities.
    pub publish_body_bytes: usize,
    /// Objects and arrays within each other.
    pub json_depth: usize,
    /// Evaluations or events in one request.
    pub batch_items: usize,
    /// Bytes of one access request as recorded, after pruning.
    pub request_bytes: usize,
    /// Rows of one page.
    pub page_items: usize,
    /// Proposals that wait for the writer.
    pub queue: usize,
    /// Passwords that wait to be hashed.
    pub hash_queue: usize,
    /// Threads that hash passwords.
    pub hash_threads: usize,
    /// Passwords that are looked at in a second.
    pub logins_per_s: usize,
    /// Passwords that are tried in a minute from one network.
    pub logins_per_source: usize,
    /// Open connections.
    pub connections: usize,
    /// Threads that answer requests.
    pub workers: usize,
    /// How late one of them may be before it refuses evaluations.
    pub lag: Duration,
}

/// How the writer groups entries into one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// Entries in one group.
    pub group_entries: usize,
    /// Microseconds that the first waits for others.
    pub group_wait_us: u64,
}

/// How often the World is put away, and how many of its snapshots are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotSettings {
    /// Entries from one to the next.
    pub every: u64,
    /// How many are kept; 0 for none.
    pub kept: usize,
    /// What one leaves free on the disk, in MiB.
    pub spare_mib: u64,
}

/// The cost of argon2id for a new hash; a stored one keeps its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2Cost {
    /// Memory in KiB.
    pub m_kib: u32,
    /// Passes over the memory.
    pub t: u32,
    /// Lanes.
    pub p: u32,
}

impl Argon2Cost {
    /// Settings of equal strength, KiB and passes; the least that is accepted.
    /// Source: OWASP Password Storage Cheat Sheet.
    const FLOOR: [(u32, u32); 5] = [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];

    fn reaches_floor(self) -> bool {
        Self::FLOOR.iter().any(|&(m_kib, t)| self.m_kib >= m_kib && self.t >= t)
    }
}

impl Settings {
    /// Reads them from the flags given, this process's environment and the file:
    /// `--config`, else `countersign.toml` in the data directory if there is one.
    ///
    /// # Errors
    /// [`SettingError`] for the first thing wrong: where it was given, what it is
    /// and what would be right.
    pub fn load(flags: &Flags) -> Result<Self, SettingError> {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .map(|(name, value)| (name, value.to_string_lossy().into_owned()));
        Self::resolve(flags, environment)
    }

    /// The same with the environment given.
    ///
    /// # Errors
    /// [`SettingError`], as [`Settings::load`].
    pub fn resolve(
        flags: &Flags,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingError> {
        let mut layers = Layers::default();
        flags.put_into(&mut layers)?;
        let config = layers.put_environment(environment)?;
        layers.put_file(flags.config.clone().or(config))?;
        Self::read(&layers)
    }

    fn read(layers: &Layers) -> Result<Self, SettingError> {
        let data: PathBuf = layers.text(&known::DATA)?.ok_or(SettingError::NoData)?.into();
        let mut settings = Self {
            listen: layers.required(&known::LISTEN)?,
            public_url: layers.parsed(&known::PUBLIC_URL)?,
            tls: TlsFiles::read(layers)?,
            behind_proxy: layers.switch(&known::BEHIND_PROXY)?,
            trusted_proxies: layers.list(&known::TRUSTED_PROXIES)?,
            key_file: path::key_file(layers.text(&known::KEY_FILE)?, &data)?,
            checkpoint_file: path::checkpoint_file(layers.text(&known::CHECKPOINT_FILE)?, &data)?,
            log_public: layers.switch(&known::LOG_PUBLIC)?,
            witness: WitnessSettings::read(layers)?,
            notify: NotifySettings::read(layers)?,
            webauthn: WebauthnSettings::read(layers)?,
            data,
            log_format: layers.choice(&known::LOG_FORMAT)?,
            log_level: layers.choice(&known::LOG_LEVEL)?,
            limits: Limits::read(layers)?,
            sequencer: Grouping::read(layers)?,
            snapshots: SnapshotSettings {
                every: layers.number(&known::SNAPSHOTS_EVERY)?,
                kept: layers.number(&known::SNAPSHOTS_KEPT)?,
                spare_mib: layers.number(&known::SNAPSHOTS_SPARE_MIB)?,
            },
            cross_check_every: layers.number(&known::CROSS_CHECK_EVERY)?,
            argon2: Argon2Cost::read(layers)?,
            password_words: password_words(layers)?,
            decisions: decision::read(layers)?,
        };
        transport::check(&settings)?;
        settings.decisions.login_max = settings.login_max();
        Ok(settings)
    }
}

/// The most words that no password may be made of.
const PASSWORD_WORDS_MAX: usize = 1_000;

fn password_words(layers: &Layers) -> Result<Vec<String>, SettingError> {
    let words: Vec<String> = layers.list(&known::PASSWORD_WORDS)?;
    let fit = words.len() <= PASSWORD_WORDS_MAX && words.iter().all(|word| !word.is_empty());
    if fit { Ok(words) } else { Err(layers.wrong(&known::PASSWORD_WORDS)) }
}

impl Limits {
    fn read(layers: &Layers) -> Result<Self, SettingError> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let or = |number: usize, automatic: usize| if number == 0 { automatic } else { number };
        Ok(Self {
            body_bytes: layers.number(&known::BODY_BYTES)?,
            publish_body_bytes: layers.number(&known::PUBLISH_BODY_BYTES)?,
            json_depth: layers.number(&known::JSON_DEPTH)?,
            batch_items: layers.number(&known::BATCH_ITEMS)?,
            request_bytes: layers.number(&known::REQUEST_BYTES)?,
            page_items: layers.number(&known::PAGE_ITEMS)?,
            queue: layers.number(&known::QUEUE)?,
            hash_queue: layers.number(&known::HASH_QUEUE)?,
            hash_threads: or(layers.number(&known::HASH_THREADS)?, (cores / 2).max(1)),
            logins_per_s: layers.number(&known::LOGINS_PER_S)?,
            logins_per_source: layers.number(&known::LOGINS_PER_SOURCE)?,
            connections: layers.number(&known::CONNECTIONS)?,
            workers: or(layers.number(&known::WORKERS)?, cores),
            lag: Duration::from_millis(layers.number(&known::LAG_MS)?),
        })
    }
}

impl Grouping {
    fn read(layers: &Layers) -> Result<Self, SettingError> {
        Ok(Self {
            group_entries: layers.number(&known::GROUP_ENTRIES)?,
            group_wait_us: layers.number(&known::GROUP_WAIT_US)?,
        })
    }
}

impl Argon2Cost {
    fn read(layers: &Layers) -> Result<Self, SettingError> {
        let cost = Self {
            m_kib: layers.number(&known::ARGON2_M_KIB)?,
            t: layers.number(&known::ARGON2_T)?,
            p: layers.number(&known::ARGON2_P)?,
        };
        if cost.reaches_floor() { Ok(cost) } else { Err(SettingError::CheapHash(cost)) }
    }
}

#[cfg(test)]
mod tests;
