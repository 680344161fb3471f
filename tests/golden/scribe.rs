//! Writes a log as the writer does, but with ids and times that are always the same.

use countersign::event::{Actor, Envelope, Event, NewEvent, Stamp, Tail, Whence};
use countersign::model::{Digest, Index, Moment};
use countersign::projection::World;
use uuid::{Builder, Uuid};

/// A log as it grows, and what it amounts to.
pub struct Scribe {
    pub world: World,
    pub lines: Vec<String>,
    now: Moment,
    drawn: u64,
}

impl Scribe {
    pub fn new(now: Moment) -> Self {
        Self { world: World::default(), lines: Vec::new(), now, drawn: 0 }
    }

    /// The time, which moves on with each batch.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// The next id, above all before.
    pub fn id(&mut self) -> Uuid {
        self.drawn += 1;
        let [a, b, c, d, e, f, g, h] = self.drawn.to_be_bytes();
        let random = [0, 0, a, b, c, d, e, f, g, h];
        Builder::from_unix_timestamp_millis(self.now.millis(), &random).into_uuid()
    }

    /// The next digest of a secret that nobody has.
    pub fn digest(&mut self) -> Digest {
        self.drawn += 1;
        Digest::of(self.drawn.to_be_bytes())
    }

    /// Writes what a command decided, as one batch.
    pub fn write<E: std::fmt::Debug>(&mut self, actor: &Actor, events: Result<Vec<Event>, E>) {
        let mut causation = None;
        for event in events.unwrap() {
            let log = match &event {
                Event::LogCreated(it) => it.log,
                _ => self.world.log.unwrap(),
            };
            let id = self.id();
            let index = self.world.through.map_or(Index(0), Index::next);
            let stamp = Stamp {
                id,
                time: self.now,
                index,
                version: self.world.streams.version(&event.stream()).next(),
                causation: *causation.get_or_insert(id),
            };
            let correlation = Some(format!("request-{index}"));
            let by_somebody = matches!(actor, Actor::Person(_));
            let whence = Whence {
                session: by_somebody.then(|| Uuid::from_u128(0x5e55_1011)),
                network: by_somebody.then(|| Digest::of("a network")),
            };
            let new = NewEvent { actor: actor.clone(), correlation, whence, event };
            let (bytes, entry): (Vec<u8>, Envelope) = Tail::new(new, log).unwrap().stamp(stamp);
            self.world.advance(&entry);
            self.lines.push(String::from_utf8(bytes).unwrap());
        }
        self.now = self.now.plus_seconds(1);
    }
}
