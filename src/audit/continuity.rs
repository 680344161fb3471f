//! Does each entry follow the one before it? The order that the writer keeps, checked
//! by whoever reads.

use std::collections::HashMap;

use uuid::Uuid;

use crate::event::{Actor, Envelope, Event};
use crate::model::{Index, Moment, StreamName, Version};
use crate::projection::World;

/// How an entry contradicts those before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutOfOrder {
    /// An entry is missing, repeated or in another's place.
    #[error("entry {found} stands where entry {expected} belongs")]
    Index {
        /// The index that follows.
        expected: Index,
        /// The index found.
        found: Index,
    },
    /// The log does not begin with its own creation.
    #[error("entry {index} is the first but does not create the log")]
    NotABeginning {
        /// The entry.
        index: Index,
    },
    /// The log is created within itself.
    #[error("entry {index} creates a log that has already begun")]
    SecondBeginning {
        /// The entry.
        index: Index,
    },
    /// An entry of another log.
    #[error("entry {index} belongs to log {found}, not to log {expected}")]
    OtherLog {
        /// The entry.
        index: Index,
        /// This log's id.
        expected: Uuid,
        /// The id it carries.
        found: Uuid,
    },
    /// Time went back.
    #[error("entry {index} was written at {found}, before the entry before it at {before}")]
    Time {
        /// The entry.
        index: Index,
        /// The time of the entry before.
        before: Moment,
        /// Its time.
        found: Moment,
    },
    /// An id that is no UUIDv7, or not above the one before it.
    #[error("entry {index} has the id {id}, which is not a UUIDv7 above the one before it")]
    Id {
        /// The entry.
        index: Index,
        /// Its id.
        id: Uuid,
    },
    /// A stream has a gap or a repetition.
    #[error("entry {index} is version {found} of stream `{stream}`, where {expected} belongs")]
    Stream {
        /// The entry.
        index: Index,
        /// Its stream.
        stream: StreamName,
        /// The version that follows.
        expected: Version,
        /// The version found.
        found: Version,
    },
    /// A decision that claims to know what came after it.
    #[error("entry {index} was decided in the state after entry {through}, which is not before it")]
    Through {
        /// The entry.
        index: Index,
        /// The newest entry that its World is said to reflect.
        through: Index,
    },
    /// A decision by a clock that is not the writer's: what is old may have seemed fresh.
    #[error("entry {index} was decided as of {now}, but written at {written}")]
    DecidedAt {
        /// The entry.
        index: Index,
        /// When it is said to have been decided.
        now: Moment,
        /// Its time.
        written: Moment,
    },
    /// A decision that names another PEP than the one that asked.
    #[error("entry {index} names `{pep}` as who asked, but `{actor}` did")]
    AskedBy {
        /// The entry.
        index: Index,
        /// Who is said to have asked.
        pep: String,
        /// The service that did.
        actor: Uuid,
    },
}

/// How far a decision's time may be from its entry's, in seconds. The writer records none
/// that is older than two, and none at all when its clock is behind the log by more than ten.
const DECIDED_WITHIN_S: u64 = 10;

impl OutOfOrder {
    /// A stable code for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Index { .. } => "index_out_of_order",
            Self::NotABeginning { .. } => "log_not_created",
            Self::SecondBeginning { .. } => "log_created_twice",
            Self::OtherLog { .. } => "other_log",
            Self::Time { .. } => "time_went_back",
            Self::Id { .. } => "id_out_of_order",
            Self::Stream { .. } => "stream_out_of_order",
            Self::Through { .. } => "decided_after_itself",
            Self::DecidedAt { .. } => "decided_at_another_time",
            Self::AskedBy { .. } => "asked_by_another",
        }
    }

    /// The entry that is out of order.
    #[must_use]
    pub const fn index(&self) -> Index {
        match self {
            Self::Index { found: index, .. }
            | Self::NotABeginning { index }
            | Self::SecondBeginning { index }
            | Self::OtherLog { index, .. }
            | Self::Time { index, .. }
            | Self::Id { index, .. }
            | Self::Stream { index, .. }
            | Self::Through { index, .. }
            | Self::DecidedAt { index, .. }
            | Self::AskedBy { index, .. } => *index,
        }
    }
}

/// Follows a log entry by entry. It cannot know that a log ends too early: that takes
/// a checkpoint from outside.
#[derive(Clone, Debug, Default)]
pub struct Continuity {
    log: Option<Uuid>,
    last: Option<Place>,
    streams: HashMap<StreamName, Version>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    index: Index,
    time: Moment,
    id: Uuid,
}

impl Continuity {
    /// Goes on from a World whose entries have been checked already.
    #[must_use]
    pub fn after(world: &World) -> Self {
        let place = world.through.zip(world.last);
        Self {
            log: world.log,
            last: place.map(|(index, (time, id))| Place { index, time, id }),
            streams: world.streams.iter().map(|(name, version)| (name.clone(), *version)).collect(),
        }
    }

    /// Takes the next entry: indices count from 0 without a gap, time never goes back,
    /// ids are UUIDv7 and grow, streams count from 1, every entry is of the log that
    /// entry 0 created, and no decision rests on what comes after it, was taken at another
    /// time, or for another than who asked. One lookup and no allocation but for a new stream.
    ///
    /// # Errors
    /// [`OutOfOrder`], the first thing wrong. The entry counts as taken all the same,
    /// so that whoever goes on hears of each break once.
    pub fn check(&mut self, entry: &Envelope) -> Result<(), OutOfOrder> {
        let wrong = self.place(entry).and_then(|()| decided(entry));
        let stream = self.stream(entry);
        self.log.get_or_insert(entry.log);
        self.last = Some(Place { index: entry.index, time: entry.time, id: entry.id });
        wrong.and(stream)
    }

    fn place(&self, entry: &Envelope) -> Result<(), OutOfOrder> {
        let (index, id) = (entry.index, entry.id);
        let expected = self.last.map_or(Index(0), |last| last.index.next());
        if index != expected {
            return Err(OutOfOrder::Index { expected, found: index });
        }
        self.origin(entry)?;
        let v7 = id.get_version_num() == 7;
        match self.last {
            Some(last) if entry.time < last.time => {
                Err(OutOfOrder::Time { index, before: last.time, found: entry.time })
            }
            Some(last) if !v7 || id <= last.id => Err(OutOfOrder::Id { index, id }),
            None if !v7 => Err(OutOfOrder::Id { index, id }),
            _ => Ok(()),
        }
    }

    fn origin(&self, entry: &Envelope) -> Result<(), OutOfOrder> {
        let index = entry.index;
        let created = if let Event::LogCreated(it) = &entry.event { Some(it.log) } else { None };
        match (self.log.or(created), created) {
            (None, _) => Err(OutOfOrder::NotABeginning { index }),
            (Some(_), Some(_)) if self.log.is_some() => Err(OutOfOrder::SecondBeginning { index }),
            (Some(expected), _) if expected != entry.log => {
                Err(OutOfOrder::OtherLog { index, expected, found: entry.log })
            }
            _ => Ok(()),
        }
    }

    fn stream(&mut self, entry: &Envelope) -> Result<(), OutOfOrder> {
        let found = entry.version;
        let expected = if let Some(version) = self.streams.get_mut(&entry.stream) {
            std::mem::replace(version, found).next()
        } else {
            self.streams.insert(entry.stream.clone(), found);
            Version(1)
        };
        if let Event::SessionEnded(_) = entry.event {
            // As the World does: the stream of an ended session is forgotten.
            self.streams.remove(&entry.stream);
        }
        if found == expected {
            return Ok(());
        }
        let stream = entry.stream.clone();
        Err(OutOfOrder::Stream { index: entry.index, stream, expected, found })
    }
}

/// What a decision says of its own circumstances, held against its entry.
fn decided(entry: &Envelope) -> Result<(), OutOfOrder> {
    let Event::AccessDecided(decided) = &entry.event else { return Ok(()) };
    let (index, written, now) = (entry.index, entry.time, decided.now);
    if decided.through >= index {
        return Err(OutOfOrder::Through { index, through: decided.through });
    }
    if written.seconds_since(now).max(now.seconds_since(written)) > DECIDED_WITHIN_S {
        return Err(OutOfOrder::DecidedAt { index, now, written });
    }
    match entry.actor {
        Actor::Service(actor)
            if decided.set.is_application() && decided.pep != actor.to_string() =>
        {
            Err(OutOfOrder::AskedBy { index, pep: decided.pep.clone(), actor })
        }
        _ => Ok(()),
    }
}
