//! `countersign demo --history`: a quarter of the example organisation, as a log to try
//! reports on.
//!
//! Nothing is made up but who asks what, and when. A log is founded as any other; sign-ins
//! are an identity provider's reports, so there is no password to hash; each access is
//! decided by the policies and the directory of its day, on the writer, and recorded. The
//! one thing that is not as in service is the clock, which the acts move on. The same seed,
//! end and size give the same questions and answers; keys, tokens and ids are drawn afresh.

mod calendar;
mod habits;
mod perform;
mod script;
#[cfg(test)]
mod tests;
mod turns;

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::super::console::{Console, Telling};
use super::super::failure::{Exit, Failure};
use super::super::folder::{Operator, runtime, surroundings};
use super::super::page::{Ink, Page, second};
use super::super::tiled::Progress;
use super::super::token;
use super::organisation;
use crate::clock::{Clock as _, ManualClock, SystemClock};
use crate::event::SourceBinding;
use crate::model::{Aal, EntityType, Label, Moment, Scope, SetKind};
use crate::node::{self, Founding, Surroundings};
use crate::settings::{Flags, Settings};
use calendar::Quarter;
use perform::{Performance, SOURCE, Tally};
use script::Act;

/// The log's name in checkpoints: nobody shall take it for a real one's.
const ORIGIN: &str = "demo/example-organisation";
const DAY_S: u64 = 86_400;

/// What history to write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Its end.
    pub(super) until: Moment,
    /// About how many decisions.
    pub(super) decisions: u64,
    /// What it is drawn from.
    pub(super) seed: u64,
}

/// The last midnight (UTC): the newest entry of a history must not be later than now.
pub(super) fn last_midnight() -> Moment {
    let now = SystemClock.now();
    Moment::EPOCH.plus_seconds(now.seconds() / DAY_S * DAY_S)
}

/// Writes a history into a directory that is empty or not there.
///
/// # Errors
/// [`Failure`]: the directory holds something, or cannot be written.
pub(super) fn write(data: &Path, wanted: Wanted, console: &mut Console) -> Result<Exit, Failure> {
    unused(data)?;
    let quarter = Quarter::until(wanted.until);
    let clock = ManualClock::at(quarter.begins());
    let surroundings = Surroundings { clock: Arc::new(clock.clone()), ..surroundings()? };
    let settings = settings(data)?;
    let founding = Founding {
        administrator: "admin".parse().map_err(Failure::could_not_run)?,
        schema: Some(organisation::SCHEMA.to_owned()),
        policies: turns::first_policies()?,
        entities: turns::first_entities()?,
        origin: Some(ORIGIN.to_owned()),
    };
    runtime()?.block_on(node::found(&settings, &surroundings, founding))?;
    let operator = Operator::among(&settings, surroundings)?;
    operator.wait(operator.node().begin(&settings))?;
    let tally = live(&operator, clock, wanted, console)?;
    let world = operator.node().sequencer.world();
    let written = Written {
        data: data.display().to_string(),
        origin: ORIGIN,
        from: quarter.begins(),
        until: wanted.until,
        entries: world.through.map_or(0, |through| through.next().0),
        tally,
        policy_version: world.set(SetKind::Application).in_force().map(|it| it.version.0),
        entities: world.directory.len(),
    };
    drop(operator);
    console.tell(&written)?;
    Ok(Exit::Fine)
}

fn unused(data: &Path) -> Result<(), Failure> {
    let holds_something = match std::fs::read_dir(data) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) => return Err(unreadable(data, &error)),
    };
    if holds_something {
        let what = format!("`{}` is not empty: name one that is, or none yet", data.display());
        return Err(Failure::refused("not_empty", what));
    }
    Ok(())
}

fn unreadable(data: &Path, error: &std::io::Error) -> Failure {
    Failure::could_not_run(format!("cannot read `{}`: {error}", data.display()))
}

fn settings(data: &Path) -> Result<Settings, Failure> {
    let data = Some(data.to_string_lossy().into_owned());
    // Not from the environment: the history is the same for everybody.
    Ok(Settings::resolve(&Flags { data, ..Flags::default() }, [])?)
}

/// Lets the quarter pass.
fn live(
    operator: &Operator,
    clock: ManualClock,
    wanted: Wanted,
    console: &mut Console,
) -> Result<Tally, Failure> {
    let quarter = Quarter::until(wanted.until);
    let acts = script::draw(quarter, wanted.decisions, wanted.seed);
    let mut progress = Progress::new("written", acts.len() as u64);
    let services = services(operator)?;
    let mut performance = Performance::new(operator, clock.clone(), services);
    let (mut rest, mut done) = (acts.as_slice(), 0);
    let turns = turns::all(quarter);
    for turn in turns.iter().map(Some).chain([None]) {
        let before = |act: &Act| turn.is_none_or(|turn| act.at < turn.at);
        let (now, later) = rest.split_at(rest.partition_point(before));
        performance.play(now, |played| progress.at((done + played) as u64, console))?;
        done += now.len();
        rest = later;
        if let Some(turn) = turn {
            clock.set(turn.at);
            turn.make(operator)?;
        }
    }
    progress.end(console);
    Ok(performance.tally)
}

/// The gateway that asks for decisions, and the identity provider that reports sign-ins.
fn services(operator: &Operator) -> Result<(uuid::Uuid, uuid::Uuid), Failure> {
    let label = |text: &str| text.parse::<Label>().map_err(Failure::could_not_run);
    let scopes = |scope: Scope| [scope].into_iter().collect();
    let gateway = token::make(operator, label("gateway")?, scopes(Scope::Evaluate), None)?;
    let binding = SourceBinding {
        source: SOURCE.to_owned(),
        user_type: EntityType::user(),
        max_aal: Aal::TWO,
    };
    let name = label("identity provider")?;
    let provider = token::make(operator, name, scopes(Scope::Ingest), Some(binding))?;
    Ok((gateway.id, provider.id))
}

/// What has been written.
#[derive(Serialize)]
struct Written {
    data: String,
    origin: &'static str,
    from: Moment,
    until: Moment,
    entries: u64,
    #[serde(flatten)]
    tally: Tally,
    policy_version: Option<u64>,
    entities: usize,
}

impl Telling for Written {
    fn tell(&self, page: &mut Page) {
        let Self { data, origin, from, until, entries, tally, .. } = self;
        page.inked("A quarter of the example organisation has been written", Ink::Strong);
        page.field("data", &format!("{data}, and its key beside it"));
        page.field("log", &format!("{origin}, {entries} entries"));
        page.field("from", &format!("{} to {} (UTC)", second(*from), second(*until)));
        let Tally { decisions, allowed, denied, step_ups, sign_ins } = tally;
        page.field(
            "decisions",
            &format!(
                "{decisions}: {allowed} allowed, {denied} denied, {step_ups} of these for want \
                 of a login"
            ),
        );
        page.field("sign-ins", &sign_ins.to_string());
        page.blank();
        page.inked("To try:", Ink::Strong);
        for line in [
            "countersign verify",
            "countersign replay",
            "countersign log --type policies.activated",
            "countersign policy shadow",
            "countersign report least-privilege",
            "countersign report segments --svg segments.svg",
            "countersign report blast-radius 'User::\"alice\"'",
        ] {
            page.line(&format!("{line} --data {data}"));
        }
        page.line(&format!("countersign serve --data {data}"));
    }
}
