//! `countersign demo`: the whole path, on a real server, told step by step.
//!
//! The stage is a fresh directory and a server on loopback; the story is what people,
//! applications and an auditor then do over HTTP; the account says of each step what was
//! to come of it, and what did.

mod account;
mod history;
mod organisation;
mod scene;
mod stage;
mod story;

use std::path::PathBuf;

use serde::Serialize;

use super::console::{Console, Format, Telling};
use super::failure::{Exit, Failure};
use super::page::{Ink, Page};
use super::replay::{self, Asked, Outcome};
use crate::model::{Digest, Moment};
use account::{Account, Step};
use stage::Stage;

/// How many decisions a history has unless another number is given.
const DECISIONS: u64 = 30_000;

/// See the whole path, on a real server, in a minute
///
/// In a fresh temporary directory: somebody enrols, logs in with a password and a code,
/// an application asks for decisions, an auditor reads the reasons, and the log is
/// replayed. Exit code 0 only if every step went as it should.
///
/// With `--history` no story is told: a quarter of the example organisation is written into
/// a directory, for trying reports on.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  countersign demo\n  countersign demo --stay\n  \
    countersign demo --history --data ./quarter")]
pub(super) struct Demo {
    /// Leave the server up until Ctrl-C, with lines to try
    #[arg(long)]
    stay: bool,
    /// Write ninety days of the example organisation's history
    #[arg(long, requires = "data", conflicts_with = "stay")]
    history: bool,
    /// Where to write the history: a directory that is empty or not there yet
    #[arg(long, value_name = "DIR", requires = "history")]
    data: Option<PathBuf>,
    /// About how many decisions the history has [default: 30000]
    #[arg(long, value_name = "N", requires = "history")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    decisions: Option<u64>,
    /// When the history ends [default: the last midnight, UTC]
    #[arg(long, value_name = "TIME", requires = "history")]
    until: Option<Moment>,
    /// What the history is drawn from: the same again for the same number [default: 1]
    #[arg(long, value_name = "N", requires = "history")]
    seed: Option<u64>,
}

impl Demo {
    /// Sets the stage, tells the story, and replays the log.
    ///
    /// # Errors
    /// [`Failure`]: the stage could not be set, or the server could not be asked.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        if let Some(data) = &self.data {
            return history::write(data, self.wanted(), console);
        }
        let stage = Stage::set()?;
        introduce(&stage, console)?;
        let mut account = Account::new(console);
        let left = story::tell(&stage, &mut account)?;
        let steps = account.into_steps();
        if self.stay {
            invite(&left, console)?;
        }
        let live = left.state;
        let log = if self.stay { stage.wait()? } else { stage.strike()? };
        let store = log.store()?;
        let outcome =
            replay::of_store(&store, log.sealer(&store)?.as_ref(), Asked::default(), console)?;
        // The state was asked for last; while the server stayed, others went on.
        let live = (!self.stay).then_some(live);
        let ending = Ending { steps, replay: outcome, live };
        console.tell(&ending)?;
        Ok(if ending.is_as_told() { Exit::Fine } else { Exit::Refused })
    }
}

impl Demo {
    fn wanted(&self) -> history::Wanted {
        history::Wanted {
            until: self.until.unwrap_or_else(history::last_midnight),
            decisions: self.decisions.unwrap_or(DECISIONS),
            seed: self.seed.unwrap_or(1),
        }
    }
}

fn introduce(stage: &Stage, console: &mut Console) -> Result<(), Failure> {
    if console.format() == Format::Json {
        return Ok(());
    }
    let mut page = console.page();
    page.inked("Countersign, the whole path on a real server", Ink::Strong);
    page.blank();
    page.field("server", stage.url());
    page.field("data", &format!("{}, removed at the end", stage.place().display()));
    page.field(
        "begins with",
        "the example organisation's policies, schema and entities (policies/cloud, schemas); \
         alice, who has a one-time ticket; a token with scope evaluate for an application, and \
         one with scope audit for an auditor",
    );
    console.show(page)
}

/// Lines to try while the server stays.
fn invite(left: &story::Left, console: &mut Console) -> Result<(), Failure> {
    let mut page = console.page();
    page.blank();
    page.inked("The server stays until Ctrl-C. To try:", Ink::Strong);
    left.lines().iter().for_each(|line| page.verbatim(line));
    console.show(page)
}

/// How it ended.
#[derive(Serialize)]
struct Ending {
    steps: Vec<Step>,
    replay: Outcome,
    /// The digest of the live state, asked for just before the server stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<Digest>,
}

impl Ending {
    fn is_same_state(&self) -> bool {
        self.live.is_none_or(|live| live == self.replay.report.state.digest)
    }

    fn is_replayed(&self) -> bool {
        self.replay.exit() == Exit::Fine && self.is_same_state()
    }

    fn is_as_told(&self) -> bool {
        self.is_replayed() && self.steps.iter().all(Step::is_as_told)
    }
}

impl Telling for Ending {
    fn tell(&self, page: &mut Page) {
        let report = &self.replay.report;
        let state = report.state.digest;
        page.blank();
        page.inked("The server has stopped; the log is replayed from the directory", Ink::Strong);
        page.field("entries", &report.entries.to_string());
        let (all, same) = (report.decisions, report.identical);
        page.field(
            "decisions",
            &format!("{all} taken again, the auditor's own reading included; {same} as recorded"),
        );
        let compared = match self.live {
            None => state.to_string(),
            Some(live) if live == state => format!("{state}, as it was on the live server"),
            Some(live) => format!("{state}, but on the live server it was {live}"),
        };
        page.field("state", &compared);
        page.verdict(self.is_replayed(), "every decision came out as recorded");
        if !self.is_replayed() {
            page.verbatim(&report.to_string());
        }
        page.blank();
        let (all, good) =
            (self.steps.len(), self.steps.iter().filter(|step| step.is_as_told()).count());
        page.verdict(good == all, &format!("{good} of {all} steps went as told"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    /// Goal: what a newcomer is shown is true, step by step.
    #[test]
    fn the_story_goes_as_told() {
        let mut console = Console::to(io::sink(), io::sink(), Format::Json);
        let stage = Stage::set().unwrap();
        let place = stage.place().to_owned();
        let mut account = Account::new(&mut console);
        let live = Some(story::tell(&stage, &mut account).unwrap().state);
        let steps = account.into_steps();
        for step in &steps {
            assert!(step.is_as_told(), "{step:?}");
        }
        let stopped = stage.strike().unwrap();
        let store = stopped.store().unwrap();
        let sealer = stopped.sealer(&store).unwrap();
        let replay =
            replay::of_store(&store, sealer.as_ref(), Asked::default(), &mut console).unwrap();
        drop(store);
        let ending = Ending { steps, replay, live };
        assert!(ending.is_as_told());
        drop(stopped);
        assert!(!place.exists(), "the directory is left behind");
    }
}
