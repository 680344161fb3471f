//! Entries as they are stored, read page by page from either end.

use serde_json::value::RawValue;
use uuid::Uuid;

use super::failure::Failure;
use crate::audit::{At, NotThen, Order, position_of};
use crate::event::{BrokenEntry, Envelope, Event, decode};
use crate::event_store::EventStore;
use crate::model::{Index, Moment};

/// Entries read at a time: at most some 12 MiB.
const BLOCK: u64 = 256;

/// An entry and its bytes.
pub(super) type Stored = (Envelope, Box<RawValue>);

impl From<BrokenEntry> for Failure {
    fn from(error: BrokenEntry) -> Self {
        Self::refused("log_broken", error)
    }
}

/// The entries from `start` on to the end that the order leads to: the first one, or the
/// one before `end`.
pub(super) fn entries(
    store: &dyn EventStore,
    start: Index,
    end: u64,
    order: Order,
) -> impl Iterator<Item = Result<Stored, Failure>> {
    blocks(start.0, end, order).flat_map(move |(first, count)| {
        let mut read = block(store, first, count);
        if order == Order::Newest {
            read.reverse();
        }
        read
    })
}

/// The entries before `end` as the bytes that are stored, oldest first.
pub(super) fn bytes(
    store: &dyn EventStore,
    end: u64,
) -> impl Iterator<Item = Result<(Index, Vec<u8>), Failure>> {
    blocks(0, end, Order::Oldest).flat_map(move |(first, count)| {
        match store.read(Index(first), count, usize::MAX) {
            Ok(read) => read.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error.into())],
        }
    })
}

/// How many entries a log had as of then.
///
/// # Errors
/// Usage, if there is nothing as of then.
pub(super) fn size_at(store: &dyn EventStore, at: Option<At>) -> Result<u64, Failure> {
    let size = store.size();
    let Some(at) = at else { return Ok(size) };
    Ok(at.entry::<Failure>(size, |index| time_at(store, index))?.next().0)
}

impl From<NotThen> for Failure {
    fn from(error: NotThen) -> Self {
        Self::usage(format!("--at: {error}"))
    }
}

/// When an entry was written.
///
/// # Errors
/// [`Failure`] if it cannot be read.
pub(super) fn time_at(store: &dyn EventStore, index: Index) -> Result<Moment, Failure> {
    Ok(entry(store, index)?.time)
}

/// One entry.
///
/// # Errors
/// [`Failure`] if it cannot be read.
pub(super) fn entry(store: &dyn EventStore, index: Index) -> Result<Envelope, Failure> {
    let first = block(store, index.0, 1).into_iter().next();
    let missing = || Failure::refused("log_broken", format!("there is no entry {index}"));
    Ok(first.ok_or_else(missing)??.0)
}

/// The decision of this id, if the log holds it.
///
/// # Errors
/// [`Failure`] if an entry cannot be read.
pub(super) fn decision(store: &dyn EventStore, id: Uuid) -> Result<Option<Envelope>, Failure> {
    let found = position_of(id, store.size(), |index| entry(store, index).map(|it| it.id))?;
    if found.0 >= store.size() {
        return Ok(None);
    }
    let entry = entry(store, found)?;
    let is_it = entry.id == id && matches!(entry.event, Event::AccessDecided(_));
    Ok(is_it.then_some(entry))
}

/// The ranges to read, each as its first index and its length.
fn blocks(start: u64, size: u64, order: Order) -> impl Iterator<Item = (u64, usize)> {
    let (mut next, mut end) = (start, start.saturating_add(1).min(size));
    std::iter::from_fn(move || match order {
        Order::Oldest => {
            let first = next;
            next = first.saturating_add(BLOCK).min(size);
            (first < size).then_some((first, next - first))
        }
        Order::Newest => {
            let last = end;
            end = last.saturating_sub(BLOCK);
            (last > 0).then_some((end, last - end))
        }
    })
    .map(|(first, count)| (first, usize::try_from(count).unwrap_or(usize::MAX)))
}

fn block(store: &dyn EventStore, first: u64, count: usize) -> Vec<Result<Stored, Failure>> {
    match store.read(Index(first), count, usize::MAX) {
        Ok(read) => read.into_iter().map(|(index, bytes)| parsed(index, bytes)).collect(),
        Err(error) => vec![Err(error.into())],
    }
}

fn parsed(index: Index, bytes: Vec<u8>) -> Result<Stored, Failure> {
    let entry = decode(index, &bytes)?;
    let broken = |error: &dyn std::fmt::Display| {
        Failure::refused("log_broken", format!("entry {index} is not text: {error}"))
    };
    let text = String::from_utf8(bytes).map_err(|error| broken(&error))?;
    let raw = RawValue::from_string(text).map_err(|error| broken(&error))?;
    Ok((entry, raw))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Law: the blocks cover each index once, in the order asked for.
        #[test]
        fn blocks_cover_what_is_asked_for(size in 0_u64..2_000, start in 0_u64..2_000) {
            let start = start.min(size);
            let range = |(first, count): (u64, usize)| first..first + count as u64;
            let forward: Vec<_> = blocks(start, size, Order::Oldest).flat_map(range).collect();
            prop_assert_eq!(forward, (start..size).collect::<Vec<_>>());
            let backward = blocks(start, size, Order::Newest).flat_map(|it| range(it).rev());
            let expected = (0..(start + 1).min(size)).rev();
            prop_assert!(backward.eq(expected));
        }
    }
}
