//! Challenges that await their answers. In memory alone: a restart forgets them, and whoever
//! waited begins again.
//!
//! Each is for one purpose and one session, is used once, and lapses in five minutes. Their
//! number is bounded, and so that a stranger does not push out an honest person's: each
//! source and each session has only so many, of which its own oldest goes first; and when
//! there are too many in all, whoever has the most loses one.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::source::Network;
use crate::model::{Digest, Label, Moment};
use crate::webauthn::{Asserting, Registering};

/// How long a challenge may be answered, in seconds (SP 800-63B-4 §3.2.4; ASVS 5.0 6.7.2).
pub const LIFETIME_S: u64 = 300;

/// A login that awaits a signature.
pub struct LoggingIn {
    /// The keys that were named, by the SHA-256 of their ids; none if it was asked without
    /// a name.
    pub offered: Option<Vec<Digest>>,
    /// The challenge.
    pub asked: Asserting,
}

/// What somebody who has a session is about to do.
pub enum OfPerson {
    /// To register a key.
    Registering {
        /// What they call it.
        label: Label,
        /// The challenge.
        asked: Registering,
    },
    /// To raise the session.
    Raising {
        /// The keys that were named.
        offered: Vec<Digest>,
        /// The challenge.
        asked: Asserting,
    },
}

/// All of them, found by the SHA-256 of their tickets.
pub struct Ceremonies {
    /// Logins, by where they come from.
    pub logins: Waiting<Network, LoggingIn>,
    /// What sessions are about to do.
    pub of_persons: Waiting<Uuid, OfPerson>,
}

impl Default for Ceremonies {
    fn default() -> Self {
        Self { logins: Waiting::at_most(4_096, 256), of_persons: Waiting::at_most(1_024, 4) }
    }
}

/// Challenges of one kind, each somebody's.
pub struct Waiting<O, T> {
    all: Mutex<All<O, T>>,
    most: usize,
    each: usize,
}

struct All<O, T> {
    held: HashMap<Digest, Held<O, T>>,
    /// Each owner's, oldest first.
    of_owner: HashMap<O, VecDeque<Digest>>,
    /// In the order in which they lapse.
    by_age: VecDeque<(Moment, Digest)>,
}

/// One of them.
pub struct Held<O, T> {
    owner: O,
    expires_at: Moment,
    /// What awaits its answer.
    pub what: T,
}

impl<O: Copy + Eq + Hash, T> Waiting<O, T> {
    /// At most so many in all, and so many of each owner's.
    fn at_most(most: usize, each: usize) -> Self {
        let all = All { held: HashMap::new(), of_owner: HashMap::new(), by_age: VecDeque::new() };
        Self { all: Mutex::new(all), most, each }
    }

    fn all(&self) -> MutexGuard<'_, All<O, T>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a challenge under its ticket until it is answered. In the rare case that there
    /// are too many in all, linear in their number.
    pub fn put(&self, ticket: Digest, owner: O, what: T, now: Moment) {
        let expires_at = now.plus_seconds(LIFETIME_S);
        self.keep(ticket, Held { owner, expires_at, what }, now);
    }

    /// Puts back what was taken and is still good; it lapses when it would have.
    pub fn put_back(&self, ticket: Digest, held: Held<O, T>, now: Moment) {
        self.keep(ticket, held, now);
    }

    fn keep(&self, ticket: Digest, held: Held<O, T>, now: Moment) {
        let mut all = self.all();
        all.lapse(now);
        while all.of_owner.get(&held.owner).is_some_and(|own| own.len() >= self.each) {
            all.drop_oldest(&held.owner.clone());
        }
        if all.held.len() >= self.most {
            let most = all.of_owner.iter().max_by_key(|(_, own)| own.len());
            if let Some(owner) = most.map(|(owner, _)| *owner) {
                all.drop_oldest(&owner);
            }
        }
        all.of_owner.entry(held.owner).or_default().push_back(ticket);
        all.by_age.push_back((held.expires_at, ticket));
        all.held.insert(ticket, held);
        if all.by_age.len() > self.most.saturating_mul(2) {
            all.line_up();
        }
    }

    /// Takes a challenge, once, if it is what is wanted and has not lapsed.
    pub fn take(
        &self,
        ticket: &Digest,
        now: Moment,
        wanted: impl FnOnce(&O, &T) -> bool,
    ) -> Option<Held<O, T>> {
        let mut all = self.all();
        let held = all.held.get(ticket)?;
        if now >= held.expires_at || !wanted(&held.owner, &held.what) {
            return None;
        }
        all.remove(ticket)
    }
}

impl<O: Copy + Eq + Hash, T> All<O, T> {
    fn lapse(&mut self, now: Moment) {
        while let Some((expires_at, ticket)) = self.by_age.front().copied() {
            if now < expires_at && self.held.contains_key(&ticket) {
                break;
            }
            self.by_age.pop_front();
            // It may have been put back, to lapse at the same time.
            if now >= expires_at {
                self.remove(&ticket);
            }
        }
    }

    /// Leaves those that are held in the line, each once: behind one that nobody answers,
    /// those that were answered would pile up until it lapses.
    fn line_up(&mut self) {
        let held = self.held.iter().map(|(ticket, it)| (it.expires_at, *ticket));
        let mut line: Vec<_> = held.collect();
        line.sort_unstable();
        self.by_age = line.into();
    }

    fn drop_oldest(&mut self, owner: &O) {
        if let Some(ticket) = self.of_owner.get(owner).and_then(|own| own.front().copied()) {
            self.remove(&ticket);
        }
    }

    fn remove(&mut self, ticket: &Digest) -> Option<Held<O, T>> {
        let held = self.held.remove(ticket)?;
        if let Some(own) = self.of_owner.get_mut(&held.owner) {
            own.retain(|one| one != ticket);
            if own.is_empty() {
                self.of_owner.remove(&held.owner);
            }
        }
        Some(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Moment = Moment::EPOCH;

    fn ticket(name: usize) -> Digest {
        Digest::of(name.to_string())
    }

    fn taken(waiting: &Waiting<u8, usize>, name: usize, now: Moment) -> Option<usize> {
        waiting.take(&ticket(name), now, |_, _| true).map(|held| held.what)
    }

    #[test]
    fn a_challenge_is_taken_once_and_only_for_what_it_is() {
        let waiting = Waiting::at_most(10, 10);
        waiting.put(ticket(1), 7_u8, 1_usize, NOON);
        assert!(waiting.take(&ticket(1), NOON, |owner, _| *owner == 8).is_none());
        assert!(waiting.take(&ticket(1), NOON, |_, what| *what == 2).is_none());
        assert_eq!(taken(&waiting, 1, NOON), Some(1));
        assert_eq!(taken(&waiting, 1, NOON), None);
    }

    #[test]
    fn a_challenge_lapses_also_one_that_was_put_back() {
        let waiting = Waiting::at_most(10, 10);
        for name in 0..3 {
            waiting.put(ticket(name), 7_u8, name, NOON);
        }
        let late = NOON.plus_seconds(LIFETIME_S - 1);
        assert_eq!(taken(&waiting, 0, late), Some(0));
        let held = waiting.take(&ticket(1), late, |_, _| true).unwrap();
        waiting.put_back(ticket(1), held, late);
        let over = NOON.plus_seconds(LIFETIME_S);
        assert_eq!(taken(&waiting, 1, over), None);
        assert_eq!(taken(&waiting, 2, over), None);
        waiting.put(ticket(4), 7, 4, over);
        let all = waiting.all();
        assert_eq!((all.held.len(), all.by_age.len(), all.of_owner.len()), (1, 1, 1));
    }

    #[test]
    fn whoever_asks_too_often_loses_his_own() {
        let waiting = Waiting::at_most(100, 3);
        waiting.put(ticket(99), 1_u8, 99_usize, NOON);
        for name in 0..50 {
            waiting.put(ticket(name), 2, name, NOON);
        }
        assert_eq!(taken(&waiting, 99, NOON), Some(99));
        assert_eq!(taken(&waiting, 46, NOON), None);
        assert_eq!(
            (47..50).map(|it| taken(&waiting, it, NOON)).collect::<Vec<_>>(),
            [Some(47), Some(48), Some(49)]
        );
    }

    #[test]
    fn when_there_are_too_many_whoever_has_the_most_loses_one() {
        let waiting = Waiting::at_most(8, 6);
        waiting.put(ticket(0), 0_u8, 0_usize, NOON);
        for name in 1..7 {
            waiting.put(ticket(name), 1, name, NOON);
        }
        for name in 7..40 {
            waiting.put(ticket(name), 2, name, NOON);
        }
        assert_eq!(taken(&waiting, 0, NOON), Some(0), "the honest one is still there");
        assert!(waiting.all().held.len() < 8);
    }

    /// Goal: what is answered at once leaves nothing behind, however many there are.
    #[test]
    fn what_was_answered_takes_no_room() {
        let waiting = Waiting::at_most(8, 8);
        for name in 0..1_000 {
            waiting.put(ticket(name), 1_u8, name, NOON);
            assert_eq!(taken(&waiting, name, NOON), Some(name));
        }
        let all = waiting.all();
        assert_eq!((all.held.len(), all.of_owner.len()), (0, 0));
        assert!(all.by_age.len() <= 1, "{}", all.by_age.len());
    }

    /// Goal: nobody makes the line long by leaving its first one unanswered.
    #[test]
    fn what_was_answered_behind_one_that_waits_takes_no_room() {
        let waiting = Waiting::at_most(8, 8);
        for name in [9_998, 9_999] {
            waiting.put(ticket(name), 2_u8, name, NOON);
        }
        for name in 0..1_000_usize {
            waiting.put(ticket(name), 1, name, NOON);
            assert_eq!(taken(&waiting, name, NOON), Some(name));
            // One that is tried again and again is in the line once.
            let held = waiting.take(&ticket(9_999), NOON, |_, _| true).unwrap();
            waiting.put_back(ticket(9_999), held, NOON);
            assert!(waiting.all().by_age.len() <= 16, "after {name}");
        }
        waiting.put(ticket(1), 1, 1, NOON.plus_seconds(1));
        for name in [9_998, 9_999] {
            assert_eq!(taken(&waiting, name, NOON.plus_seconds(1)), Some(name));
        }
        waiting.put(ticket(2), 1, 2, NOON.plus_seconds(LIFETIME_S + 1));
        assert_eq!(waiting.all().held.len(), 1, "the others have lapsed");
    }
}
