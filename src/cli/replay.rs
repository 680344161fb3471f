//! `countersign replay`: takes every recorded decision again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::client::Client;
use super::console::{Console, Telling};
use super::failure::{Exit, Failure};
use super::folder::deeply;
use super::page::{Ink, Page};
use super::published::{Awaited, Published};
use super::stored;
use super::target::{Target, TargetFlags};
use super::tiled::Progress;
use crate::audit::{At, Replay as Work, Report};
use crate::event::{Envelope, decode};
use crate::event_store::EventStore;
use crate::model::{Digest, Index};
use crate::vault::Sealer;

/// Take every recorded decision again and compare
///
/// Folds the log from its first entry and decides every access again at its own
/// index: answer, reasons and errors must be the recorded ones. The entries are hashed,
/// and their root held against the signed checkpoint; over a server the state is compared
/// with the server's too. Exit code 1 if anything differs.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign replay --data ./data\n  \
    countersign replay --data ./data --at 2026-11-22T12:00:00Z\n  \
    countersign replay --server https://pdp.example.com --format json")]
pub(super) struct Replay {
    /// Only what there was then: up to this entry, or this time
    #[arg(long, value_name = "INDEX|TIME")]
    at: Option<At>,
    #[command(flatten)]
    target: TargetFlags,
}

impl Replay {
    /// Replays the log and tells what came of it.
    ///
    /// # Errors
    /// [`Failure`]: the log cannot be read.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let outcome = match self.target.target()? {
            Target::Data(folder) => {
                let store = folder.store()?;
                of_store(&store, folder.sealer(&store)?.as_ref(), self.at, console)?
            }
            Target::Server(client) => of_server(&client, self.at, console)?,
        };
        console.tell(&outcome)?;
        Ok(outcome.exit())
    }
}

/// Replays a log in a store, as far as it went then, with what is personal in it as far as
/// `sealer` opens it, and compares its tree with the checkpoint that the store holds.
///
/// # Errors
/// [`Failure`]: it cannot be read.
pub(super) fn of_store(
    store: &dyn EventStore,
    sealer: Option<&Sealer>,
    at: Option<At>,
    console: &mut Console,
) -> Result<Outcome, Failure> {
    let size = stored::size_at(store, at)?;
    let mut awaited = store.checkpoint()?.and_then(Awaited::of);
    deeply(|| {
        let (mut work, mut progress) = (Work::new(), Progress::new("replayed", size));
        for entry in stored::bytes(store, size) {
            let (index, bytes) = entry?;
            let mut entry = decode(index, &bytes)?;
            if let Some(sealer) = sealer {
                let opened = sealer.open_event(&mut entry.event);
                opened.map_err(|error| Failure::refused("log_broken", error))?;
            }
            take(&mut work, &entry, &bytes, awaited.as_mut());
            progress.at(work.entries(), console);
        }
        progress.end(console);
        Ok(Outcome::of(&work, awaited, None))
    })
}

fn take(work: &mut Work, entry: &Envelope, bytes: &[u8], awaited: Option<&mut Awaited>) {
    work.step(entry);
    work.hash(bytes);
    if let Some(awaited) = awaited {
        awaited.see(work);
    }
}

/// Replays a running server's log as far as it went then, or to where it is now, and
/// compares the states, and the tree with the published checkpoint.
fn of_server(client: &Client, at: Option<At>, console: &mut Console) -> Result<Outcome, Failure> {
    // Asked for first: what is published is never ahead of the state.
    let mut awaited = client.file("/log/v1/checkpoint").ok().flatten().and_then(Awaited::of);
    let then: Vec<_> = at.map(|at| ("at", at.to_string())).into_iter().collect();
    let live: State = client.get("/audit/v1/state", &then)?;
    let size = live.through.map_or(0, |through| through.next().0);
    deeply(|| {
        let (mut work, mut progress) = (Work::new(), Progress::new("replayed", size));
        while work.entries() < size {
            let before = work.entries();
            let query = [("from", before.to_string())];
            for line in client.lines("/audit/v1/entries", &query)? {
                if work.entries() == size {
                    break;
                }
                let index = Index(work.entries());
                let line = line?;
                let entry = decode(index, line.as_bytes())?;
                take(&mut work, &entry, line.as_bytes(), awaited.as_mut());
                progress.at(work.entries(), console);
            }
            if work.entries() == before {
                let short = format!("the server counts {size} entries, but sends {before}");
                return Err(Failure::refused("log_broken", short));
            }
        }
        progress.end(console);
        Ok(Outcome::of(&work, awaited, Some((live, at.is_some()))))
    })
}

/// A server's live state, in digests.
#[derive(Deserialize)]
struct State {
    through: Option<Index>,
    digest: Digest,
    parts: BTreeMap<String, Digest>,
}

/// What came of a replay.
#[derive(Serialize)]
pub(super) struct Outcome {
    #[serde(flatten)]
    pub(super) report: Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<Published>,
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<Compared>,
}

/// The replayed state beside the live one.
#[derive(Serialize)]
struct Compared {
    digest: Digest,
    same: bool,
    /// The parts that differ.
    differing: Vec<String>,
    /// Whether it is the server's state of the past.
    #[serde(skip)]
    past: bool,
}

impl Compared {
    fn between(report: &Report, live: State, past: bool) -> Self {
        let replayed = &report.state.parts;
        let differs =
            |(name, digest): &(String, Digest)| replayed.get(name.as_str()) != Some(digest);
        let differing = live.parts.into_iter().filter(differs).map(|(name, _)| name).collect();
        let same = live.digest == report.state.digest;
        Self { digest: live.digest, same, differing, past }
    }

    const fn whose(&self) -> &'static str {
        if self.past { "the server's of then" } else { "the live one" }
    }
}

impl Outcome {
    fn of(work: &Work, awaited: Option<Awaited>, live: Option<(State, bool)>) -> Self {
        let report = work.report();
        let live = live.map(|(live, past)| Compared::between(&report, live, past));
        let checkpoint = awaited.map(|awaited| awaited.compared(work.world()));
        Self { report, checkpoint, live }
    }

    /// Fine, if there is nothing to look into.
    pub(super) fn exit(&self) -> Exit {
        let same = self.live.as_ref().is_none_or(|live| live.same);
        let signed = self.checkpoint.as_ref().is_none_or(Published::is_fine);
        if self.report.clean && same && signed { Exit::Fine } else { Exit::Refused }
    }
}

impl Telling for Outcome {
    fn tell(&self, page: &mut Page) {
        page.verbatim(&self.report.to_string());
        if let Some(live) = &self.live {
            page.line(&format!("  {:<16}{}", "live", live.digest));
        }
        page.blank();
        if let Some(checkpoint) = &self.checkpoint {
            checkpoint.tell(page);
        }
        let Some(live) = &self.live else { return };
        if live.same {
            page.inked(&format!("The replayed state is {}.", live.whose()), Ink::Good);
        } else {
            let parts = live.differing.join(", ");
            page.inked(&format!("The replayed state is NOT {}: {parts}.", live.whose()), Ink::Bad);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::console::{Format, Kept};
    use super::*;
    use std::io;

    #[test]
    fn progress_is_told_in_steps_where_nobody_watches() {
        let told = Kept::default();
        let mut console = Console::to(io::sink(), told.clone(), Format::Text);
        let mut progress = Progress::new("replayed", 20_000);
        (1..=20_000).for_each(|done| progress.at(done, &mut console));
        let text = told.text();
        assert_eq!(text.lines().count(), 20);
        assert!(text.ends_with("replayed 20000 of 20000 entries (100 %)\n"), "{text}");
    }

    #[test]
    fn a_state_that_differs_is_a_finding() {
        let report = Report { clean: true, ..Work::new().report() };
        let state = |digest| State { through: None, digest, parts: BTreeMap::new() };
        let same = Compared::between(&report, state(report.state.digest), false);
        let other = Compared::between(&report, state(Digest::of("other")), false);
        let outcome = |live| Outcome { report: report.clone(), checkpoint: None, live: Some(live) };
        assert_eq!(outcome(same).exit(), Exit::Fine);
        assert_eq!(outcome(other).exit(), Exit::Refused);
    }
}
