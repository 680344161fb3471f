//! `countersign replay`: takes every recorded decision again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::client::Client;
use super::console::{Console, Telling};
use super::failure::{Exit, Failure};
use super::folder::deeply;
use super::page::{Ink, Page};
use super::stored;
use super::target::{Target, TargetFlags};
use super::tiled::Progress;
use crate::audit::{Order, Replay as Work, Report};
use crate::event::decode;
use crate::event_store::EventStore;
use crate::model::{Digest, Index};
use crate::vault::Sealer;

/// Take every recorded decision again and compare
///
/// Folds the log from its first entry and decides every access again at its own
/// index: answer, reasons and errors must be the recorded ones. Over a server the state
/// is compared with the live one too. Exit code 1 if anything differs.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign replay --data ./data\n  \
    countersign replay --server https://pdp.example.com --format json")]
pub(super) struct Replay {
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
                of_store(&store, folder.sealer(&store)?.as_ref(), console)?
            }
            Target::Server(client) => of_server(&client, console)?,
        };
        console.tell(&outcome)?;
        Ok(outcome.exit())
    }
}

/// Replays a log in a store, with what is personal in it as far as `sealer` opens it.
///
/// # Errors
/// [`Failure`]: it cannot be read.
pub(super) fn of_store(
    store: &dyn EventStore,
    sealer: Option<&Sealer>,
    console: &mut Console,
) -> Result<Outcome, Failure> {
    deeply(|| {
        let (mut work, mut progress) = (Work::new(), Progress::new("replayed", store.size()));
        for entry in stored::entries(store, Index(0), Order::Oldest) {
            let (mut entry, _) = entry?;
            if let Some(sealer) = sealer {
                let opened = sealer.open_event(&mut entry.event);
                opened.map_err(|error| Failure::refused("log_broken", error))?;
            }
            work.step(&entry);
            progress.at(work.entries(), console);
        }
        progress.end(console);
        Ok(Outcome { report: work.report(), live: None })
    })
}

/// Replays a running server's log up to where it is now, and compares the states.
fn of_server(client: &Client, console: &mut Console) -> Result<Outcome, Failure> {
    let live: State = client.get("/audit/v1/state", &[])?;
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
                work.step(&decode(Index(work.entries()), line?.as_bytes())?);
                progress.at(work.entries(), console);
            }
            if work.entries() == before {
                let short = format!("the server counts {size} entries, but sends {before}");
                return Err(Failure::refused("log_broken", short));
            }
        }
        progress.end(console);
        let report = work.report();
        let live = Some(Compared::between(&report, live));
        Ok(Outcome { report, live })
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
    live: Option<Compared>,
}

/// The replayed state beside the live one.
#[derive(Serialize)]
struct Compared {
    digest: Digest,
    same: bool,
    /// The parts that differ.
    differing: Vec<String>,
}

impl Compared {
    fn between(report: &Report, live: State) -> Self {
        let replayed = &report.state.parts;
        let differs =
            |(name, digest): &(String, Digest)| replayed.get(name.as_str()) != Some(digest);
        let differing = live.parts.into_iter().filter(differs).map(|(name, _)| name).collect();
        let same = live.digest == report.state.digest;
        Self { digest: live.digest, same, differing }
    }
}

impl Outcome {
    /// Fine, if there is nothing to look into.
    pub(super) fn exit(&self) -> Exit {
        let same = self.live.as_ref().is_none_or(|live| live.same);
        if self.report.clean && same { Exit::Fine } else { Exit::Refused }
    }
}

impl Telling for Outcome {
    fn tell(&self, page: &mut Page) {
        page.verbatim(&self.report.to_string());
        let Some(live) = &self.live else { return };
        page.line(&format!("  {:<16}{}", "live", live.digest));
        page.blank();
        if live.same {
            page.inked("The replayed state is the live one.", Ink::Good);
        } else {
            let parts = live.differing.join(", ");
            page.inked(&format!("The replayed state is NOT the live one: {parts}."), Ink::Bad);
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
        let same = Compared::between(&report, state(report.state.digest));
        let other = Compared::between(&report, state(Digest::of("other")));
        let outcome = |live| Outcome { report: report.clone(), live: Some(live) };
        assert_eq!(outcome(same).exit(), Exit::Fine);
        assert_eq!(outcome(other).exit(), Exit::Refused);
    }
}
