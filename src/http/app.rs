//! What every handler can reach.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use tokio::sync::Semaphore;

use super::ceremonies::Ceremonies;
use super::cross_check::CrossCheck;
use super::door::Door;
use super::drain::Draining;
use super::pace::Pace;
use super::traffic::Traffic;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::hasher::Hasher;
use crate::node::{Cosigner, Node, Notifier, Surroundings};
use crate::sequencer::Sequencer;
use crate::settings::Settings;
use crate::snapshot::Snapshots;
use crate::telemetry::Metrics;
use crate::vault::{Sealer, Vault};
use crate::webauthn::RelyingParty;

/// How many tiles and bundles are read at a time; the largest bundle has 12 MiB.
const TILES: usize = 8;
/// How many publications are admitted at a time.
const ADMISSIONS: usize = 2;
/// How many drafts are checked at a time.
const CHECKS: usize = 2;

/// One node, as its handlers see it.
pub struct App {
    /// The way to the log, and the World.
    pub sequencer: Sequencer,
    /// Where passwords are hashed.
    pub hasher: Hasher,
    /// Where secrets are sealed.
    pub vault: Arc<Vault>,
    /// What seals and opens personal values.
    pub sealer: Sealer,
    /// What a look into the past begins from.
    pub snapshots: Arc<Snapshots>,
    /// It as a witness of other logs.
    pub cosigner: Cosigner,
    /// What tells persons of what happened to them, for as long as this lives.
    _notifier: OnceLock<Notifier>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// How the node is doing.
    pub metrics: Arc<Metrics>,
    /// How the node is set up.
    pub settings: Settings,
    /// What stands before every password.
    pub(super) door: Door,
    /// How fast one caller may have refusals recorded, and change their own account.
    pub(super) pace: Pace,
    /// Which services may ask for decisions, as of the newest epoch.
    pub(super) traffic: Traffic,
    /// Which evaluations are decided twice.
    pub(super) cross_check: Arc<CrossCheck>,
    /// One fold of the past at a time: it costs as much as the log is long.
    pub(super) folding: Arc<Semaphore>,
    /// One impact at a time: it decides as much as the log is long.
    pub(super) weighing: Arc<Semaphore>,
    /// A few tiles at a time: a partial one of a high level is made of many.
    pub(super) tiling: Arc<Semaphore>,
    /// A few admissions at a time: compiling a large set takes a core for seconds.
    pub(super) admitting: Arc<Semaphore>,
    /// A few checks at a time: whoever only drafts keeps nobody from publishing.
    pub(super) checking: Arc<Semaphore>,
    /// One way back at a time, whatever is being admitted or checked.
    pub(super) going_back: Arc<Semaphore>,
    /// Whether the server is ending.
    pub(super) draining: Draining,
    /// Passkey challenges that await their answers.
    pub(super) ceremonies: Ceremonies,
    /// What passkeys are made for, once the server is bound; none where there is no place
    /// for them.
    pub(super) relying_party: OnceLock<Option<RelyingParty>>,
    /// The address listened on, once it is known.
    pub(super) bound: OnceLock<SocketAddr>,
}

impl App {
    /// Puts a node behind handlers.
    #[must_use]
    pub fn new(node: Node, hasher: Hasher, settings: Settings) -> Self {
        let Node { sequencer, vault, sealer, snapshots, cosigner, notifier, surroundings, .. } =
            node;
        let Surroundings { clock, entropy, metrics } = surroundings;
        Self {
            sequencer,
            hasher,
            vault,
            sealer,
            snapshots,
            cosigner,
            _notifier: notifier,
            clock,
            entropy,
            metrics,
            door: Door::new(&settings.limits),
            pace: Pace::default(),
            traffic: Traffic::default(),
            cross_check: Arc::new(CrossCheck::one_in(settings.cross_check_every)),
            folding: Arc::new(Semaphore::new(1)),
            weighing: Arc::new(Semaphore::new(1)),
            tiling: Arc::new(Semaphore::new(TILES)),
            admitting: Arc::new(Semaphore::new(ADMISSIONS)),
            checking: Arc::new(Semaphore::new(CHECKS)),
            going_back: Arc::new(Semaphore::new(1)),
            draining: Draining::default(),
            ceremonies: Ceremonies::default(),
            relying_party: OnceLock::new(),
            bound: OnceLock::new(),
            settings,
        }
    }

    /// The address listened on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.bound.get().copied().unwrap_or(self.settings.listen)
    }
}
