//! What other policies, another schema or other entities would have changed of the
//! accesses that were recorded: each decided again in the World of its own place in the
//! log, with the supposed ones in place of those then in force. So that an author sees what
//! this change does, and not what an earlier one has done, a draft is held against what is
//! in force now as well: see [`Novelty`].
//!
//! [`Impact`] goes through the log in order, and hands out a [`Case`] for each access; a
//! case is [`judged`](Case::judged) on any thread, and what came of it counted in the
//! order of the log. So the report is the same whoever judges, and a [`Tally`] put away
//! after any entry can be gone on from.

mod case;
mod report;
mod supposition;
mod tally;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::{Continuity, OutOfOrder};
use crate::event::{Envelope, Event};
use crate::model::{Index, SetKind};
use crate::projection::{Directory, World};

pub use case::{Case, Judged};
pub use report::{Counts, Flip, ImpactReport, Novelty, Ranked, Ranking, Reasons, Sample, Turned};
pub use supposition::{NotAPatch, Supposed, Supposition, Unsupposable, read_patch};
pub use tally::Tally;

use case::Grounds;

/// A partial report of another log, build, draft, schema or patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the partial report is of another log, build, draft, schema or patch: begin a new one")]
pub struct NotResumable;

/// An impact on its way through a log. Costs, an entry, what folding it costs; memory is
/// the World's and what is bounded in [`Tally`].
#[derive(Debug)]
pub struct Impact {
    world: World,
    continuity: Continuity,
    supposition: Supposition,
    /// The Worlds that the latest decisions were taken in, while nothing that decides has
    /// changed.
    grounds: Option<(u64, Arc<Grounds>)>,
    /// The patched directory, while the directory has not changed.
    patched: Option<Result<Directory, String>>,
    tally: Tally,
}

impl Impact {
    /// From a World of the past on, the one before the first entry if need be. Accesses
    /// before entry `from` are folded and do not count.
    #[must_use]
    pub fn new(start: World, from: Index, supposition: Supposition) -> Self {
        let tally = Tally::new(supposition.named().clone(), from);
        let continuity = Continuity::after(&start);
        let (grounds, patched) = (None, None);
        Self { world: start, continuity, supposition, grounds, patched, tally }
    }

    /// Goes on from what has been counted already: from its own beginning, and of the
    /// entries it has counted none counts again.
    ///
    /// # Errors
    /// [`NotResumable`], if it was counted of something else.
    pub fn resume(&mut self, tally: Tally) -> Result<(), NotResumable> {
        if tally.supposed != self.tally.supposed {
            return Err(NotResumable);
        }
        self.tally = tally;
        Ok(())
    }

    /// The next entry that is to be stepped over.
    #[must_use]
    pub fn next(&self) -> Index {
        self.world.through.map_or(Index(0), Index::next)
    }

    /// Steps over the next entry; a case, if it is an access that counts. Whoever steps
    /// judges the case and has it [counted](Impact::count), in order.
    ///
    /// # Errors
    /// [`OutOfOrder`]: it does not follow the one before it.
    pub fn step(&mut self, entry: Envelope) -> Result<Option<Case>, OutOfOrder> {
        self.continuity.check(&entry)?;
        let counts = entry.index >= self.tally.from
            && self.tally.through.is_none_or(|through| entry.index > through)
            && is_access(&entry);
        let grounds = counts.then(|| self.grounds());
        self.world.advance(&entry);
        if matches!(entry.event, Event::DirectoryActivated(_) | Event::SubjectErased(_)) {
            self.patched = None;
        }
        Ok(grounds.map(|grounds| Case { entry, grounds }))
    }

    /// Counts what came of a case. The first of its kind is explained: call it on a large
    /// stack.
    pub fn count(&mut self, judged: &Judged) {
        self.tally.count(judged);
    }

    /// Steps over an entry, and judges and counts it at once, on this thread.
    ///
    /// # Errors
    /// As [`Impact::step`].
    pub fn take(&mut self, entry: &Envelope) -> Result<(), OutOfOrder> {
        if let Some(case) = self.step(entry.clone())? {
            let judged = case.judged();
            self.count(&judged);
        }
        Ok(())
    }

    /// What has been counted of all entries stepped over, to be put away; every case must
    /// have been counted.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut tally = self.tally.clone();
        let reached = self.world.through.filter(|it| *it >= tally.from);
        tally.through = reached.max(tally.through);
        tally
    }

    /// What has been found so far.
    #[must_use]
    pub fn report(&self) -> ImpactReport {
        self.tally().report()
    }

    /// The Worlds as of now, made anew when something that decides has changed.
    fn grounds(&mut self) -> Arc<Grounds> {
        let epoch = self.world.epoch;
        if let Some((of, grounds)) = &self.grounds
            && *of == epoch
        {
            return Arc::clone(grounds);
        }
        let (then, erasures) = (self.world.clone(), self.supposition.erasures.clone());
        let (supposed, present) = (self.supposed(), self.supposition.at_present(&self.world));
        let grounds = Arc::new(Grounds { then, supposed, present, erasures });
        self.grounds = Some((epoch, Arc::clone(&grounds)));
        grounds
    }

    fn supposed(&mut self) -> Result<World, String> {
        let mut supposed = self.supposition.drafted(&self.world);
        if self.supposition.patches() {
            let (directory, patch) = (&self.world.directory, self.supposition.patch());
            let patched = self.patched.get_or_insert_with(|| {
                let unfit = |fault| format!("the patch does not fit the directory then: {fault}");
                directory.with(patch).map_err(|fault| unfit(fault.to_string()))
            });
            supposed.directory = patched.clone()?;
        }
        Ok(supposed)
    }
}

fn is_access(entry: &Envelope) -> bool {
    matches!(&entry.event, Event::AccessDecided(it) if it.set == SetKind::Application)
}
