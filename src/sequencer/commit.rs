//! What is proposed to the writer, and what it answers.

use std::fmt;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::event::{Actor, Envelope, Event, Tail, Whence};
use crate::event_store::IdempotencyKey;
use crate::model::{Digest, Moment, StreamName, Version};
use crate::projection::{Footprint, World};

/// On whose behalf something is proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Who, as the node has established it.
    pub actor: Actor,
    /// The request it belongs to.
    pub correlation: Option<String>,
    /// From where.
    pub whence: Whence,
    /// SHA-256 of the session's token that the person has shown. It must still be one when
    /// the writer decides: a session that has risen meanwhile has others, and whoever holds
    /// only the old one must not ride along.
    pub token: Option<Digest>,
}

impl Origin {
    /// Somebody, by no session.
    #[must_use]
    pub const fn of(actor: Actor, correlation: Option<String>) -> Self {
        let whence = Whence { session: None, network: None };
        Self { actor, correlation, whence, token: None }
    }

    /// The node itself.
    #[must_use]
    pub const fn node() -> Self {
        Self::of(Actor::Node, None)
    }
}

/// What a proposal relies on besides what it decides by.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Streams that must stand at these versions.
    pub versions: Vec<(StreamName, Version)>,
    /// How a repetition of the command is recognised.
    pub key: Option<Key>,
    /// What must still hold when the writer decides.
    pub authority: Option<Authority>,
}

/// Whether whoever gave a command may still give it. Asked by the writer, so that
/// nothing is recorded on an authority that an earlier entry has taken away.
#[derive(Clone)]
pub struct Authority(Arc<Holds>);

type Holds = dyn Fn(&World, Moment) -> bool + Send + Sync;

impl Authority {
    /// What must hold.
    pub fn new(holds: impl Fn(&World, Moment) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(holds))
    }

    /// Whether it does.
    #[must_use]
    pub fn holds(&self, world: &World, now: Moment) -> bool {
        (self.0)(world, now)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority")
    }
}

impl From<Authority> for Expected {
    fn from(authority: Authority) -> Self {
        Self { authority: Some(authority), ..Self::default() }
    }
}

/// The name of a command that may be repeated.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The same for every repetition.
    pub name: IdempotencyKey,
    /// Which of the command's events answers a repetition.
    pub answers: fn(&Event) -> bool,
}

/// What was recorded; durable by the time it is received.
#[derive(Clone, Debug)]
pub struct Committed {
    /// The events in their places; none if there was nothing to record.
    pub entries: Vec<Arc<Envelope>>,
    /// The World after the group they were committed in.
    pub world: Arc<World>,
    /// True if this very command had been recorded before; `entries` is then the
    /// entry that answered it.
    pub repeated: bool,
}

/// Why a proposal was not recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError<E> {
    /// The command itself was refused.
    #[error("the command was refused")]
    Refused(E),
    /// A stream is not at the version expected.
    #[error("expected `{stream}` at version {expected}, found {found}")]
    Conflict {
        /// The stream.
        stream: StreamName,
        /// The version expected.
        expected: Version,
        /// The version found.
        found: Version,
    },
    /// The authority behind the command was taken away before the writer came to it.
    #[error("the permission was withdrawn meanwhile")]
    Withdrawn,
    /// The token behind the command was no session's any more when the writer came to it.
    #[error("the session has ended or has other tokens by now")]
    TokenOver,
    /// An event would be larger than an entry may be.
    #[error("an event of {bytes} bytes is too large to record")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The queue to the writer is full; try again later.
    #[error("too many requests are waiting to be recorded")]
    Overloaded,
    /// The clock is behind the log: how old anything is cannot be said.
    #[error("the clock is behind the newest entry of the log")]
    ClockBehind,
    /// The disk of the log is nearly full. Nothing was touched; it goes on by itself once
    /// there is room.
    #[error("the disk of the log is nearly full: make room")]
    NoRoom,
    /// The log cannot be written. Nothing may be allowed until it can.
    #[error("the log cannot be written")]
    Unavailable,
    /// A defect of ours: the command did not come to an end.
    #[error("the command failed unexpectedly")]
    Defect,
}

/// Takes the decision at the writer; `None` if the command is refused.
pub(super) type Decide = Box<dyn FnOnce(&World, Moment) -> Option<Vec<Event>> + Send>;

/// A decision taken before the writer was asked, and serialised.
pub(super) struct Prepared {
    /// What it rests on.
    pub(super) rests_on: Footprint,
    /// When it was taken.
    pub(super) at: Moment,
    /// Its events.
    pub(super) tails: Vec<Tail>,
}

/// One proposal on its way to the writer.
pub(super) struct Job {
    pub(super) origin: Origin,
    pub(super) expected: Expected,
    pub(super) prepared: Option<Prepared>,
    pub(super) decide: Decide,
    pub(super) answer: oneshot::Sender<Outcome>,
}

/// The writer's answer.
#[derive(Debug)]
pub(super) enum Outcome {
    Committed { entries: Vec<Arc<Envelope>>, world: Arc<World>, repeated: bool },
    Refused,
    Withdrawn,
    TokenOver,
    ClockBehind,
    Conflict { stream: StreamName, expected: Version, found: Version },
    TooLarge { bytes: usize },
    NoRoom,
    Unavailable,
    Defect,
}
