//! `countersign log`: what is recorded, for reading.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::client::Client;
use super::console::{Console, Format};
use super::export::Export;
use super::failure::{Exit, Failure};
use super::import::Import;
use super::page::{Ink, second};
use super::stored;
use super::table::{Column, Table};
use super::target::{Target, TargetFlags};
use crate::audit::{At, Query, describe};
use crate::event::{Actor, Envelope, Event, Verdict, decode};
use crate::event_store::EventStore;
use crate::model::Index;

/// How many entries are asked for at a time; a server may give fewer.
const PAGE: u64 = 1_000;

/// Show what is recorded
///
/// One line an entry: its index, time, type, who caused it, and what it says. With
/// `--format json` the entries themselves, one a line.
#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:\n  \
    countersign log --newest --limit 20 --data ./data\n  \
    countersign log --type access.decided --decision deny --server https://pdp.example.com\n  \
    countersign log --follow --format json --server https://pdp.example.com | jq .type")]
pub(super) struct Log {
    #[command(subcommand)]
    copy: Option<Copy>,
    /// Show entries as they are recorded, from now on; of a running server
    #[arg(long, conflicts_with_all = ["newest", "limit", "data"])]
    follow: bool,
    /// With --follow: begin behind this entry instead
    #[arg(long, value_name = "INDEX", requires = "follow", conflicts_with = "data")]
    after: Option<u64>,
    /// Only entries of this type, such as access.decided
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only entries about this: a name, an id, or an entity as `TYPE::"ID"`
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// Only decisions with this answer: allow or deny
    #[arg(long, value_name = "ANSWER")]
    decision: Option<String>,
    /// Only decisions that this policy determined, or in which it erred
    #[arg(long, value_name = "ID")]
    policy: Option<String>,
    /// Only decisions by this policy set, or publications of it: application or system
    #[arg(long, value_name = "SET")]
    set: Option<String>,
    /// Only decisions on which the staged policies differ, or agree: differs or same
    #[arg(long, value_name = "HOW")]
    shadow: Option<String>,
    /// Only entries of this time or later, as 2026-11-22T10:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only entries before this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Only entries that there were then: up to this entry, or this time
    #[arg(long, value_name = "INDEX|TIME", conflicts_with = "follow")]
    at: Option<At>,
    /// The newest entry first
    #[arg(long)]
    newest: bool,
    /// At most so many entries
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    #[command(flatten)]
    target: TargetFlags,
}

/// A log as a whole, out and in.
#[derive(clap::Subcommand, Debug)]
enum Copy {
    Export(Export),
    Import(Import),
}

type Pairs = Vec<(&'static str, String)>;

impl Log {
    /// Shows the entries.
    ///
    /// # Errors
    /// Usage, for a filter that cannot be; otherwise why the log cannot be read.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        match &self.copy {
            Some(Copy::Export(export)) => return export.run(console),
            Some(Copy::Import(import)) => return import.run(console),
            None => {}
        }
        let filter = self.filter();
        Query::parse(filter.clone(), 1).map_err(Failure::usage)?;
        let left = self.limit.unwrap_or(u64::MAX);
        let mut reel = Reel { console, left, day: None };
        match self.target.target()? {
            Target::Server(client) if self.follow => self.follow(&client, filter, &mut reel)?,
            Target::Data(_) if self.follow => {
                return Err(Failure::usage(
                    "nothing is recorded in a stopped directory: --follow wants --server URL",
                ));
            }
            Target::Server(client) => {
                let part = |mut pairs: Pairs| {
                    pairs.extend(self.at.map(|at| ("at", at.to_string())));
                    client.get("/audit/v1/events", &pairs)
                };
                self.show(&filter, part, &mut reel)?;
            }
            Target::Data(folder) => {
                let store = folder.store()?;
                let size = stored::size_at(&store, self.at)?;
                self.show(&filter, |pairs| part_of(&store, size, pairs), &mut reel)?;
            }
        }
        Ok(Exit::Fine)
    }

    fn filter(&self) -> Pairs {
        let given = [
            ("type", &self.kind),
            ("subject", &self.subject),
            ("decision", &self.decision),
            ("policy", &self.policy),
            ("set", &self.set),
            ("shadow", &self.shadow),
            ("from", &self.from),
            ("to", &self.to),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
    }

    /// Asks for part after part until there is no more, or enough has been shown.
    fn show(
        &self,
        filter: &[(&'static str, String)],
        part: impl Fn(Pairs) -> Result<Part, Failure>,
        reel: &mut Reel<'_>,
    ) -> Result<(), Failure> {
        let order = if self.newest { "newest" } else { "oldest" };
        let mut cursor = None;
        while reel.left > 0 {
            let mut pairs = filter.to_vec();
            pairs.push(("order", order.to_owned()));
            pairs.push(("limit", reel.left.min(PAGE).to_string()));
            pairs.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let Part { events, next, more } = part(pairs)?;
            reel.show(events.iter().map(|event| event.get()))?;
            cursor = next.filter(|_| more);
            if cursor.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn follow(
        &self,
        client: &Client,
        mut filter: Pairs,
        reel: &mut Reel<'_>,
    ) -> Result<(), Failure> {
        filter.push(("follow", "true".to_owned()));
        filter.extend(self.after.map(|after| ("after", after.to_string())));
        for line in client.lines("/audit/v1/events", &filter)? {
            reel.show([line?.as_str()])?;
        }
        reel.console.aside("the server has ended the stream");
        Ok(())
    }
}

/// A part of what was asked for, as a server sends it.
#[derive(Deserialize)]
struct Part {
    events: Vec<Box<RawValue>>,
    next: Option<String>,
    more: bool,
}

fn part_of(store: &dyn EventStore, size: u64, pairs: Pairs) -> Result<Part, Failure> {
    let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let query = Query::parse(pairs, page).map_err(Failure::usage)?;
    let start = query.start(size, |index| stored::time_at(store, index))?;
    let entries = stored::entries(store, start, size, query.order);
    let page = query.page(start, entries, usize::MAX)?;
    let next = page.next.map(|cursor| cursor.to_string());
    Ok(Part { events: page.items, next, more: page.more })
}

/// Entries on their way out.
struct Reel<'c> {
    console: &'c mut Console,
    /// How many more are to be shown.
    left: u64,
    /// The day of the last entry shown.
    day: Option<String>,
}

impl Reel<'_> {
    fn show<'t>(&mut self, lines: impl IntoIterator<Item = &'t str>) -> Result<(), Failure> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let lines: Vec<_> = lines.into_iter().filter(|line| !line.is_empty()).take(most).collect();
        self.left = self.left.saturating_sub(lines.len() as u64);
        match self.console.format() {
            Format::Json => lines.into_iter().try_for_each(|line| self.console.raw(line)),
            Format::Text => {
                let entries: Result<Vec<_>, _> = lines.into_iter().map(read).collect();
                self.rows(&entries?)
            }
        }
    }

    /// Shows entries as rows. On a terminal each day has a line of its own, which
    /// leaves more room for what an entry says.
    fn rows(&mut self, entries: &[Envelope]) -> Result<(), Failure> {
        let mut page = self.console.page();
        let narrow = self.console.is_narrow();
        for of_a_day in entries.chunk_by(|one, next| !narrow || day(one) == day(next)) {
            let today = of_a_day.first().map(day);
            if narrow && today != self.day {
                page.inked(today.as_deref().unwrap_or_default(), Ink::Strong);
            }
            let table = Table::new(columns(narrow));
            let headed = self.day.is_some();
            let mut table = if headed { table.continued() } else { table };
            self.day = today;
            for entry in of_a_day {
                table.row(row(entry, narrow));
            }
            page.table(&table);
        }
        self.console.show(page)
    }
}

fn columns(narrow: bool) -> [Column; 5] {
    let (index, time, type_name, by) = if narrow { (5, 8, 17, 9) } else { (8, 19, 20, 16) };
    [
        Column::new("INDEX").at_least(index).right(),
        Column::new(if narrow { "UTC" } else { "TIME (UTC)" }).at_least(time),
        Column::new("TYPE").at_least(type_name),
        Column::new("BY").at_least(by),
        Column::new("WHAT"),
    ]
}

fn row(entry: &Envelope, narrow: bool) -> [(String, Ink); 5] {
    let time = second(entry.time);
    let time = if narrow { time.chars().skip(DAY_CHARS + 1).collect() } else { time };
    [
        (entry.index.to_string(), Ink::Plain),
        (time, Ink::Faint),
        (short(entry.event.type_name()).to_owned(), Ink::Plain),
        (by(&entry.actor), Ink::Plain),
        (describe(entry), ink(&entry.event)),
    ]
}

/// The characters of a date, as 2026-11-22.
const DAY_CHARS: usize = 10;

fn day(entry: &Envelope) -> String {
    second(entry.time).chars().take(DAY_CHARS).collect()
}

fn read(line: &str) -> Result<Envelope, Failure> {
    #[derive(Deserialize)]
    struct Place {
        index: Index,
    }
    let broken = |error: &dyn std::fmt::Display| Failure::refused("log_broken", error);
    let Place { index } = serde_json::from_str(line).map_err(|error| broken(&error))?;
    decode(index, line.as_bytes()).map_err(|error| broken(&error))
}

/// A type's name without what all have in common.
fn short(type_name: &str) -> &str {
    let unversioned = type_name.rsplit_once(".v").map_or(type_name, |(before, _)| before);
    unversioned.strip_prefix("countersign.").unwrap_or(unversioned)
}

/// An actor in a narrow column; a service by the end of its id, where ids differ.
fn by(actor: &Actor) -> String {
    match actor {
        Actor::Person(name) => name.to_string(),
        Actor::Service(id) => {
            let id = id.simple().to_string();
            format!("service …{}", id.chars().skip(24).collect::<String>())
        }
        Actor::Node | Actor::LocalOperator | Actor::Anonymous => actor.to_string(),
    }
}

fn ink(event: &Event) -> Ink {
    match event {
        Event::AccessDecided(decided) if decided.decision == Verdict::Allow => Ink::Good,
        Event::AccessDecided(_) => Ink::Bad,
        _ => Ink::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Username;

    #[test]
    fn types_and_actors_are_short() {
        assert_eq!(short("countersign.access.decided.v1"), "access.decided");
        let id = "0197f6c8-5d3e-7b41-9c0a-2f6e8d1b3a57".parse().unwrap();
        assert_eq!(by(&Actor::Service(id)), "service …8d1b3a57");
        let alice: Username = "alice".parse().unwrap();
        assert_eq!(by(&Actor::Person(alice)), "alice");
    }
}
