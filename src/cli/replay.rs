//! `countersign replay`: takes every recorded decision again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::client::Client;
use super::console::{Console, Telling};
use super::failure::{Exit, Failure};
use super::folder::deeply;
use super::page::{Ink, Page};
use super::published::{Awaited, Published, Terms};
use super::stored;
use super::target::{Target, TargetFlags};
use super::tiled::Progress;
use super::verify::keys;
use crate::audit::{At, Replay as Work, Report};
use crate::event::{Envelope, decode};
use crate::event_store::EventStore;
use crate::model::{Digest, Index};
use crate::tlog::{KeyKind, VerifierKey};
use crate::vault::Sealer;

/// Take every recorded decision again and compare
///
/// Folds the log from its first entry and decides every access again at its own
/// index: answer, reasons and errors must be the recorded ones. The entries are hashed,
/// and their root held against the signed checkpoint, of a stopped directory also against
/// the one outside its log; over a server the state is compared with the server's too.
/// Exit code 1 if anything differs, if fewer entries are there than were signed, or if
/// nobody signed them.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign replay --data ./data --key log.vkey\n  \
    countersign replay --data ./data --at 2026-11-22T12:00:00Z\n  \
    countersign replay --server https://pdp.example.com --format json")]
pub(super) struct Replay {
    /// Only what there was then: up to this entry, or this time
    #[arg(long, value_name = "INDEX|TIME")]
    at: Option<At>,
    /// Verifier key of the log, or a file with one a line; may be repeated
    /// [default: the keys that the log itself names]
    #[arg(long = "key", value_name = "KEY|FILE")]
    keys: Vec<String>,
    #[command(flatten)]
    target: TargetFlags,
}

/// How far a replay goes, and what it is held against besides the log's own checkpoint.
#[derive(Default)]
pub(super) struct Asked {
    at: Option<At>,
    /// The keys that may have signed; none means those that the log itself names.
    keys: Vec<VerifierKey>,
    /// The checkpoint outside a stopped directory's log, and the file's name.
    outside: Option<(String, String)>,
}

impl Replay {
    /// Replays the log and tells what came of it.
    ///
    /// # Errors
    /// [`Failure`]: the log cannot be read.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let keys = keys(&self.keys, KeyKind::Ed25519)?;
        let mut asked = Asked { at: self.at, keys, outside: None };
        let outcome = match self.target.target()? {
            Target::Data(folder) => {
                asked.outside = folder.checkpoint_if_there()?;
                let store = folder.store()?;
                of_store(&store, folder.sealer(&store)?.as_ref(), asked, console)?
            }
            Target::Server(client) => of_server(&client, asked, console)?,
        };
        console.tell(&outcome)?;
        Ok(outcome.exit())
    }
}

/// Replays a log in a store, as far as it went then, with what is personal in it as far as
/// `sealer` opens it, and compares its tree with the checkpoint that the store holds and
/// with the one outside.
///
/// # Errors
/// [`Failure`]: it cannot be read.
pub(super) fn of_store(
    store: &dyn EventStore,
    sealer: Option<&Sealer>,
    asked: Asked,
    console: &mut Console,
) -> Result<Outcome, Failure> {
    let size = stored::size_at(store, asked.at)?;
    let newest = store.checkpoint()?.map(|note| Awaited::of("The signed checkpoint", note));
    let mut held = Held::of(newest, asked);
    deeply(|| {
        let (mut work, mut progress) = (Work::new(), Progress::new("replayed", size));
        for entry in stored::bytes(store, size) {
            let (index, bytes) = entry?;
            let mut entry = decode(index, &bytes)?;
            if let Some(sealer) = sealer {
                let opened = sealer.open_event(&mut entry.event);
                opened.map_err(|error| Failure::refused("log_broken", error))?;
            }
            held.take(&mut work, &entry, &bytes);
            progress.at(work.entries(), console);
        }
        progress.end(console);
        Ok(held.outcome(&work, None))
    })
}

/// The checkpoints that a replay is held against.
struct Held {
    newest: Option<Awaited>,
    outside: Option<Awaited>,
    keys: Vec<VerifierKey>,
    whole: bool,
}

impl Held {
    fn of(newest: Option<Awaited>, asked: Asked) -> Self {
        let outside = asked
            .outside
            .map(|(name, note)| Awaited::of(format!("The checkpoint outside, `{name}`,"), note));
        Self { newest, outside, keys: asked.keys, whole: asked.at.is_none() }
    }

    fn take(&mut self, work: &mut Work, entry: &Envelope, bytes: &[u8]) {
        work.step(entry);
        work.hash(bytes);
        self.newest.iter_mut().chain(&mut self.outside).for_each(|awaited| awaited.see(work));
    }

    fn outcome(self, work: &Work, live: Option<State>) -> Outcome {
        let report = work.report();
        let live = live.map(|live| Compared::between(&report, live, !self.whole));
        let terms = Terms { keys: &self.keys, whole: self.whole };
        let compared = |awaited: Awaited| awaited.compared(work.world(), &terms);
        let (checkpoint, outside) = (self.newest.map(compared), self.outside.map(compared));
        Outcome { report, checkpoint, outside, keys_given: !self.keys.is_empty(), live }
    }
}

/// Replays a running server's log as far as it went then, or to where it is now, and
/// compares the states, and the tree with the published checkpoint.
fn of_server(client: &Client, asked: Asked, console: &mut Console) -> Result<Outcome, Failure> {
    // Asked for first: what is published is never ahead of the state.
    let newest = client.file("/log/v1/checkpoint")?;
    let newest = newest.map(|note| Awaited::of("The published checkpoint", note));
    let then: Vec<_> = asked.at.map(|at| ("at", at.to_string())).into_iter().collect();
    let live: State = client.get("/audit/v1/state", &then)?;
    let size = live.through.map_or(0, |through| through.next().0);
    let mut held = Held::of(newest, asked);
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
                held.take(&mut work, &entry, line.as_bytes());
                progress.at(work.entries(), console);
            }
            if work.entries() == before {
                let short = format!("the server counts {size} entries, but sends {before}");
                return Err(Failure::refused("log_broken", short));
            }
        }
        progress.end(console);
        Ok(held.outcome(&work, Some(live)))
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
    /// The newest checkpoint of the log; none if nobody ever signed it.
    checkpoint: Option<Published>,
    /// The one outside a stopped directory's log, if it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    outside: Option<Published>,
    /// True if the keys came from the auditor; false if the log itself named them.
    keys_given: bool,
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
    /// Fine, if there is nothing to look into.
    pub(super) fn exit(&self) -> Exit {
        let same = self.live.as_ref().is_none_or(|live| live.same);
        let held = self.checkpoints().all(Published::is_fine);
        let found = !self.report.clean || !same || !held || self.is_unsigned();
        if found { Exit::Refused } else { Exit::Fine }
    }

    fn checkpoints(&self) -> impl Iterator<Item = &Published> {
        self.checkpoint.iter().chain(&self.outside)
    }

    /// Every group that a log is made of is signed, the first one by the founding: entries
    /// without a checkpoint are of no release, and no node starts with them.
    fn is_unsigned(&self) -> bool {
        self.checkpoint.is_none() && self.report.entries > 0
    }
}

impl Telling for Outcome {
    fn tell(&self, page: &mut Page) {
        page.verbatim(&self.report.to_string());
        if let Some(live) = &self.live {
            page.line(&format!("  {:<16}{}", "live", live.digest));
        }
        page.blank();
        self.checkpoints().for_each(|checkpoint| checkpoint.tell(page));
        if self.is_unsigned() {
            page.inked("There is no checkpoint: nobody signed these entries.", Ink::Bad);
        }
        if self.checkpoints().any(Published::is_same) {
            self.whose(page);
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

impl Outcome {
    /// By whose keys the checkpoints were checked.
    fn whose(&self, page: &mut Page) {
        if self.keys_given {
            page.line("Signed by the keys that were given.");
            return;
        }
        page.line("Signed by keys that the log itself names, which proves nothing about who");
        page.line("wrote it: give --key with the verifier key you were handed.");
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
        let outcome = |live| Outcome {
            report: report.clone(),
            checkpoint: None,
            outside: None,
            keys_given: false,
            live: Some(live),
        };
        assert_eq!(outcome(same).exit(), Exit::Fine);
        assert_eq!(outcome(other).exit(), Exit::Refused);
    }

    /// Goal: entries that nobody signed are not passed off as a log.
    #[test]
    fn entries_without_a_checkpoint_are_a_finding() {
        let report = Report { clean: true, entries: 1, ..Work::new().report() };
        let live = None;
        let outcome = Outcome { report, checkpoint: None, outside: None, keys_given: false, live };
        assert_eq!(outcome.exit(), Exit::Refused);
    }
}
