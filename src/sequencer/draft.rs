//! One group in the making: proposals taken in order against a working World.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::commit::{Decide, Expected, Job, Origin, Outcome, Prepared};
use super::notary::{NotSigned, Notary};
use super::stamp::{Stamper, random};
use crate::entropy::Entropy;
use crate::event::{ENTRY_BYTES_MAX, Envelope, Event, NewEvent, Stamp, Tail, decode};
use crate::event_store::{EventStore, Group, IdempotencyKey, StoreError};
use crate::model::{Index, Moment, StreamName, Version};
use crate::projection::World;
use crate::tlog::{Tree, leaf_hash};

/// How far the clock may be behind the newest entry, in seconds. Within it the entry's
/// time counts; beyond it nothing ages any more, so nothing is decided, and no node opens.
pub const CLOCK_SLACK_S: u64 = 10;
/// How old a decision may be when it is recorded, in whole seconds.
const DECISION_AGE_MAX_S: u64 = 1;

/// What becomes of one proposal once the group is durable.
enum Settled {
    Recorded(Vec<Arc<Envelope>>),
    Repeated(Arc<Envelope>),
    Other(Outcome),
}

/// A group that is not durable yet. Nothing in it has been told to anybody.
pub(super) struct Draft {
    world: World,
    stamper: Stamper,
    group: Group,
    bytes: usize,
    by_key: HashMap<IdempotencyKey, Arc<Envelope>>,
    settled: Vec<(oneshot::Sender<Outcome>, Settled)>,
    /// How many decisions were taken again because what they rest on had changed.
    pub(super) retaken: usize,
    /// Whether it says anything but what this node has cosigned of other logs.
    pub(super) news: bool,
}

impl Draft {
    /// An empty group on top of a World.
    pub(super) fn over(world: &World) -> Self {
        Self {
            world: world.clone(),
            stamper: Stamper::after(world.last),
            group: Group { first: next_index(world), ..Group::default() },
            bytes: 0,
            by_key: HashMap::new(),
            settled: Vec::new(),
            retaken: 0,
            news: false,
        }
    }

    /// How many entries it has.
    pub(super) fn entries(&self) -> usize {
        self.group.entries.len()
    }

    /// How many proposals it has, recorded or not.
    pub(super) fn proposals(&self) -> usize {
        self.settled.len()
    }

    /// How many bytes its entries have.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is to be made durable.
    pub(super) fn group(&self) -> &Group {
        &self.group
    }

    /// Takes one proposal. Whatever becomes of it, the proposer hears of it only
    /// when the group is durable: a refusal may rest on events of this very group.
    ///
    /// # Errors
    /// If the store cannot be read; the writer must then stop.
    pub(super) fn take(
        &mut self,
        job: Job,
        now: Moment,
        entropy: &dyn Entropy,
        store: &dyn EventStore,
    ) -> Result<(), StoreError> {
        let Job { origin, expected, prepared, decide, answer } = job;
        if answer.is_closed() {
            return Ok(()); // The proposer has gone: nothing was promised, nothing is done.
        }
        let shown = origin.token.as_ref();
        let settled = match self.unmet(&expected, now, store)? {
            _ if shown.is_some_and(|token| self.world.sessions.by_token(token).is_none()) => {
                Settled::Other(Outcome::TokenOver)
            }
            Some(settled) => settled,
            None => self.settle(&origin, &expected, prepared, decide, now, entropy),
        };
        self.settled.push((answer, settled));
        Ok(())
    }

    /// Why the proposal is not to be decided at all, if so.
    fn unmet(
        &self,
        expected: &Expected,
        now: Moment,
        store: &dyn EventStore,
    ) -> Result<Option<Settled>, StoreError> {
        if self.world.last.is_some_and(|(last, _)| last.seconds_since(now) > CLOCK_SLACK_S) {
            return Ok(Some(Settled::Other(Outcome::ClockBehind)));
        }
        let now = self.world.not_before_last(now);
        if !self.authorised(expected, now) {
            return Ok(Some(Settled::Other(Outcome::Withdrawn)));
        }
        if let Some(key) = &expected.key
            && let Some(entry) = self.recorded(&key.name, store)?
        {
            return Ok(Some(Settled::Repeated(entry)));
        }
        let behind = |(stream, expected): &(StreamName, Version)| {
            let found = self.world.streams.version(stream);
            let (stream, expected) = (stream.clone(), *expected);
            (found != expected).then_some(Settled::Other(Outcome::Conflict {
                stream,
                expected,
                found,
            }))
        };
        Ok(expected.versions.iter().find_map(behind))
    }

    /// Whether the authority still holds; one that cannot be asked does not.
    fn authorised(&self, expected: &Expected, now: Moment) -> bool {
        let Some(authority) = &expected.authority else { return true };
        let asked = catch_unwind(AssertUnwindSafe(|| authority.holds(&self.world, now)));
        asked.unwrap_or(false)
    }

    fn recorded(
        &self,
        key: &IdempotencyKey,
        store: &dyn EventStore,
    ) -> Result<Option<Arc<Envelope>>, StoreError> {
        if let Some(entry) = self.by_key.get(key) {
            return Ok(Some(Arc::clone(entry)));
        }
        let Some(index) = store.index_of(key)? else { return Ok(None) };
        let entry = store.read(index, 1, usize::MAX)?.into_iter().next();
        // What cannot be read back was checked when the log was folded.
        Ok(entry.and_then(|(index, bytes)| decode(index, &bytes).ok()).map(Arc::new))
    }

    fn settle(
        &mut self,
        origin: &Origin,
        expected: &Expected,
        prepared: Option<Prepared>,
        decide: Decide,
        now: Moment,
        entropy: &dyn Entropy,
    ) -> Settled {
        let now = self.world.not_before_last(now);
        let tails = match prepared {
            Some(Prepared { rests_on, at, tails })
                if now.seconds_since(at) <= DECISION_AGE_MAX_S
                    && rests_on.holds_in(&self.world) =>
            {
                Ok(tails)
            }
            stale => {
                self.retaken += usize::from(stale.is_some());
                self.decided(origin, decide, now)
            }
        };
        let recorded = tails.and_then(|tails| self.append(tails, now, entropy));
        match recorded {
            Ok(entries) => {
                if let Some(key) = expected.key
                    && let Some(entry) = entries.iter().find(|entry| (key.answers)(&entry.event))
                {
                    self.group.keys.push((key.name, entry.index));
                    self.by_key.insert(key.name, Arc::clone(entry));
                }
                Settled::Recorded(entries)
            }
            Err(outcome) => Settled::Other(outcome),
        }
    }

    fn decided(&self, origin: &Origin, decide: Decide, now: Moment) -> Result<Vec<Tail>, Outcome> {
        // A defect in one command must not end the writer for all the others.
        let events = catch_unwind(AssertUnwindSafe(|| decide(&self.world, now)))
            .map_err(|_| Outcome::Defect)?
            .ok_or(Outcome::Refused)?;
        tails(origin, events, &self.world).map_err(|_| Outcome::Defect)
    }

    /// Stamps a batch and applies it; either all of it or nothing.
    fn append(
        &mut self,
        tails: Vec<Tail>,
        now: Moment,
        entropy: &dyn Entropy,
    ) -> Result<Vec<Arc<Envelope>>, Outcome> {
        let mut stamper = self.stamper;
        let mut versions: HashMap<StreamName, Version> = HashMap::new();
        let mut index = next_index(&self.world);
        let mut cause: Option<Uuid> = None;
        let mut placed = Vec::with_capacity(tails.len());
        let drawn = random(entropy, tails.len()).map_err(|_| Outcome::Unavailable)?;
        for (tail, random) in tails.into_iter().zip(&drawn) {
            let (time, id) = stamper.next(now, random);
            let stream = tail.stream().clone();
            let known = || self.world.streams.version(&stream);
            let version = versions.get(&stream).copied().unwrap_or_else(known).next();
            versions.insert(stream, version);
            let causation = *cause.get_or_insert(id);
            let (bytes, entry) = tail.stamp(Stamp { id, time, index, version, causation });
            if bytes.len() > ENTRY_BYTES_MAX {
                return Err(Outcome::TooLarge { bytes: bytes.len() });
            }
            index = index.next();
            placed.push((bytes, Arc::new(entry)));
        }
        self.stamper = stamper;
        let mut entries = Vec::with_capacity(placed.len());
        for (bytes, entry) in placed {
            self.world.advance(&entry);
            self.bytes += bytes.len();
            self.news |= !matches!(entry.event, Event::CheckpointCosigned(_));
            self.group.entries.push(bytes);
            entries.push(entry);
        }
        Ok(entries)
    }

    /// Grows the Merkle tree by the group and signs its new root, so that both become
    /// durable with the entries.
    ///
    /// # Errors
    /// [`NotSigned`], such as a key that must sign and was not opened; the writer must
    /// then stop.
    pub(super) fn seal(&mut self, tree: &Tree, notary: &Notary) -> Result<Tree, NotSigned> {
        let mut tree = tree.clone();
        for entry in &self.group.entries {
            tree.append(leaf_hash(entry), &mut self.group.tiles);
        }
        self.group.checkpoint = notary.checkpoint(&self.world, &tree)?;
        Ok(tree)
    }

    /// The checkpoint of the group, if it was signed.
    pub(super) fn checkpoint(&self) -> Option<Arc<str>> {
        self.group.checkpoint.as_deref().map(Arc::from)
    }

    /// The group is durable: gives the new World, and an answer for everybody.
    pub(super) fn durable(self) -> (Arc<World>, Answers) {
        let world = Arc::new(self.world);
        let entries = self.settled.into_iter();
        let answers = entries.map(|(answer, settled)| {
            let (entries, repeated) = match settled {
                Settled::Recorded(entries) => (entries, false),
                Settled::Repeated(entry) => (vec![entry], true),
                Settled::Other(outcome) => return (answer, outcome),
            };
            (answer, Outcome::Committed { entries, world: Arc::clone(&world), repeated })
        });
        let answers = answers.collect();
        (world, Answers(answers))
    }

    /// The group is not durable: nothing in it happened, and everybody hears why.
    pub(super) fn lost(self, why: fn() -> Outcome) -> Answers {
        let answers = self.settled.into_iter();
        Answers(answers.map(|(answer, _)| (answer, why())).collect())
    }
}

/// What everybody in a group will hear.
pub(super) struct Answers(Vec<(oneshot::Sender<Outcome>, Outcome)>);

impl Answers {
    /// Tells them.
    pub(super) fn send(self) {
        for (answer, outcome) in self.0 {
            // Who has gone meanwhile will find the record in the log.
            let _gone = answer.send(outcome);
        }
    }
}

/// Serialises events on behalf of an origin.
pub(super) fn tails(
    origin: &Origin,
    events: Vec<Event>,
    world: &World,
) -> serde_json::Result<Vec<Tail>> {
    let tail = |event| {
        let log = match &event {
            Event::LogCreated(it) => it.log,
            _ => world.log.unwrap_or_default(),
        };
        let Origin { actor, correlation, whence, .. } = origin.clone();
        Tail::new(NewEvent { actor, correlation, whence, event }, log)
    };
    events.into_iter().map(tail).collect()
}

fn next_index(world: &World) -> Index {
    world.through.map_or(Index(0), Index::next)
}
