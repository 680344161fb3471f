//! The World that a report is about, and the window of the log that it looks through.

use super::super::console::Console;
use super::super::failure::Failure;
use super::super::folder::Folder;
use super::super::stored;
use super::super::tiled::Progress;
use super::draft::Drafted;
use crate::audit::{At, Ground, Order, Since, Then};
use crate::clock::{Clock as _, SystemClock};
use crate::event::Envelope;
use crate::event_store::EventStore;
use crate::model::{Index, Moment};
use crate::projection::World;

/// As of when, and since when.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct WindowFlags {
    /// As of when: after this entry, or at this time [default: the newest entry]
    #[arg(long, value_name = "INDEX|TIME")]
    at: Option<At>,
    /// How far back to look for what was done: so long before that, or since a time
    #[arg(long, value_name = "AGO|TIME", default_value = "90d")]
    since: Since,
}

impl WindowFlags {
    /// The parameters that tell a server.
    pub(super) fn query(&self) -> Vec<(&'static str, String)> {
        let at = self.at.map(|at| ("at", at.to_string()));
        at.into_iter().chain([("since", self.since.to_string())]).collect()
    }

    /// The moment since which it is looked.
    pub(super) fn since(&self, then: Then) -> Moment {
        self.since.moment(then.time)
    }

    /// As of when the window ends, and the World just before it begins.
    ///
    /// # Errors
    /// [`Failure`]: the log cannot be read; usage, if there was nothing then.
    pub(super) fn beginning(&self, folder: &Folder) -> Result<(Then, World), Failure> {
        let (then, first) = {
            let store = folder.store()?;
            let newest = At::Entry(Index(store.size().saturating_sub(1)));
            let index = Index(stored::size_at(&store, Some(self.at.unwrap_or(newest)))? - 1);
            let written = stored::time_at(&store, index)?;
            let time = self.at.map_or(Ok(written), |at| at.time(written, SystemClock.now()))?;
            let then = Then { index, time };
            (then, first_since(&store, self.since(then), index.next().0)?)
        };
        let before = first.checked_sub(1).map(|before| folder.world_at(At::Entry(Index(before))));
        Ok((then, before.transpose()?.map_or_else(World::default, |(_, world)| world)))
    }

    /// Hands each entry of the window to `see`, oldest first, with progress.
    ///
    /// # Errors
    /// [`Failure`]: the log cannot be read.
    pub(super) fn entries(
        &self,
        store: &dyn EventStore,
        then: Then,
        console: &mut Console,
        see: &mut dyn FnMut(&Envelope),
    ) -> Result<(), Failure> {
        let (end, since) = (then.index.next().0, self.since(then));
        let first = first_since(store, since, end)?;
        let mut progress = Progress::new("looked through", end - first);
        let entries = stored::entries(store, Index(first), end, Order::Oldest);
        for (done, entry) in (1..).zip(entries) {
            see(&entry?.0);
            progress.at(done, console);
        }
        progress.end(console);
        Ok(())
    }
}

/// The World that is asked about, with a draft in it and held against another, if so asked.
///
/// # Errors
/// [`Failure`]: the log cannot be read; the draft's faults; usage, if there was nothing then.
pub(super) fn compared(
    flags: &WindowFlags,
    compare: Option<At>,
    draft: Option<&Drafted>,
    folder: &Folder,
) -> Result<Ground, Failure> {
    let mut ground = ground(folder, flags.at)?;
    if let Some(at) = compare {
        let before = self::ground(folder, Some(at))?;
        ground = ground.compared(before.world, before.as_of);
    }
    match draft {
        Some(draft) => draft.within(ground),
        None => Ok(ground),
    }
}

/// The World of a stopped directory as of then; of the newest entry if nothing is said.
///
/// # Errors
/// [`Failure`]: the log cannot be read; usage, if there was nothing then.
fn ground(folder: &Folder, at: Option<At>) -> Result<Ground, Failure> {
    let (index, world) = if let Some(at) = at {
        folder.world_at(at)?
    } else {
        let world = folder.world()?;
        (world.through.unwrap_or(Index(0)), world)
    };
    let written = world.last.map_or(Moment::EPOCH, |(written, _)| written);
    let time = at.map_or(Ok(written), |at| at.time(written, SystemClock.now()))?;
    Ok(Ground::new(world, Then { index, time }))
}

/// The first of the entries before `end` that is not before a time.
fn first_since(store: &dyn EventStore, since: Moment, end: u64) -> Result<u64, Failure> {
    let (mut low, mut high) = (0, end);
    while low < high {
        let middle = low.midpoint(high);
        if stored::time_at(store, Index(middle))? < since {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}
