//! Least privilege: what is granted, what of it is used, and what would be enough.
//!
//! Two ways through a window of the log. [`Usage`] counts what each policy was used for;
//! [`Trial`] draws up narrower policies from that and decides every past use of what would
//! change again, with all of them in force. A proposal that would have denied a use, or
//! of which nobody can say whether it would, is not made. [`LeastPrivilege`] is what is told.

mod findings;
mod report;
mod table;
#[cfg(test)]
mod tests;
mod trial;
mod usage;

use crate::event::Envelope;
use crate::model::Moment;
use crate::projection::World;

pub use report::{Finding, GrantUse, LeastPrivilege, Proposal, Retaken, Row, User, Window};
pub use trial::Trial;
pub use usage::Usage;

impl LeastPrivilege {
    /// Goes through a window of a log, twice if anything is to be proposed. `start` is the
    /// World before the first entry that `walk` hands over, and may be older than `from`;
    /// `walk` hands over the same entries each time, oldest first, what is personal in them
    /// opened as far as it can be.
    ///
    /// Costs, an entry, what folding it costs, and for a use of what would change two
    /// decisions; memory is two Worlds and what is bounded in [`Usage`]. Call it on a large
    /// stack.
    ///
    /// # Errors
    /// What `walk` says.
    pub fn survey<E>(
        start: World,
        from: Moment,
        mut walk: impl FnMut(&mut dyn FnMut(&Envelope)) -> Result<(), E>,
    ) -> Result<Self, E> {
        let (mut usage, mut world) = (Usage::since(from), start.clone());
        walk(&mut |entry| {
            usage.step(&world, entry);
            world.advance(entry);
        })?;
        usage.end(&world);
        let mut trial = Trial::of(&usage, &world);
        if !trial.is_idle() {
            world = start;
            walk(&mut |entry| {
                trial.step(&world, entry);
                world.advance(entry);
            })?;
        }
        Ok(trial.report())
    }
}
