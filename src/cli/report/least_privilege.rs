//! `countersign report least-privilege`: what is granted, and what of it is used.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::super::client::Client;
use super::super::console::Console;
use super::super::failure::{Exit, Failure};
use super::super::folder::{Folder, deeply};
use super::super::stored;
use super::super::target::{Target, TargetFlags};
use super::super::tiled::Progress;
use crate::audit::{At, LeastPrivilege, Order, Since};
use crate::event_store::EventStore;
use crate::model::{Index, Moment};
use crate::projection::World;

/// What is granted, what of it was used, and what would be enough
///
/// Each permit and each link of a template beside what it was used for in the window: how
/// often, when last, by how many of those who have it. For what nobody uses, or few of
/// many, a narrower policy is drawn up, validated, and every past use decided again with it
/// in force; a proposal that would have denied one is not made. Nothing is changed.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign report least-privilege --since 90d --csv grants.csv --data ./data\n  \
    countersign report least-privilege --format json --server https://pdp.example.com")]
pub(super) struct OfLeastPrivilege {
    /// As of when: after this entry, or at this time [default: the newest entry]
    #[arg(long, value_name = "INDEX|TIME")]
    at: Option<At>,
    /// How far back to look for what was done: so long before that, or since a time
    #[arg(long, value_name = "AGO|TIME", default_value = "90d")]
    since: Since,
    /// Write a row for each grant, action and type as a table for spreadsheets too
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    #[command(flatten)]
    target: TargetFlags,
}

impl OfLeastPrivilege {
    /// Makes the report.
    ///
    /// # Errors
    /// [`Failure`]: the log cannot be read, or the server refuses.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let report = match self.target.target()? {
            Target::Server(client) => self.of_server(&client)?,
            Target::Data(folder) => self.of_folder(&folder, console)?,
        };
        if let Some(file) = &self.csv {
            write_csv(file, &report)?;
        }
        console.tell(&report)?;
        Ok(Exit::Fine)
    }

    fn of_server(&self, client: &Client) -> Result<LeastPrivilege, Failure> {
        let at = self.at.map(|at| ("at", at.to_string()));
        let query: Vec<_> = at.into_iter().chain([("since", self.since.to_string())]).collect();
        client.get("/audit/v1/reports/least-privilege", &query)
    }

    fn of_folder(&self, folder: &Folder, console: &mut Console) -> Result<LeastPrivilege, Failure> {
        deeply(|| {
            let (first, end, from) = self.window(&folder.store()?)?;
            let start = match first.checked_sub(1) {
                Some(before) => folder.world_at(At::Entry(Index(before)))?.1,
                None => World::default(),
            };
            let store = folder.store()?;
            let sealer = folder.sealer(&store)?;
            LeastPrivilege::survey(start, from, |see| {
                let mut progress = Progress::new("looked through", end - first);
                let entries = stored::entries(&store, Index(first), end, Order::Oldest);
                for (done, entry) in (1..).zip(entries) {
                    let mut entry = entry?.0;
                    if let Some(sealer) = &sealer {
                        let opened = sealer.open_event(&mut entry.event);
                        opened.map_err(|error| Failure::refused("log_broken", error))?;
                    }
                    see(&entry);
                    progress.at(done, console);
                }
                progress.end(console);
                Ok(())
            })
        })
    }

    /// The first entry of the window, the one after its last, and its beginning.
    fn window(&self, store: &dyn EventStore) -> Result<(u64, u64, Moment), Failure> {
        let end = stored::size_at(store, self.at)?;
        let Some(last) = end.checked_sub(1) else { return Ok((0, 0, Moment::EPOCH)) };
        let from = self.since.moment(stored::time_at(store, Index(last))?);
        let (mut low, mut high) = (0, end);
        while low < high {
            let middle = low.midpoint(high);
            if stored::time_at(store, Index(middle))? < from {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok((low, end, from))
    }
}

/// The heads of the table for spreadsheets.
const HEADS: [&str; 17] = [
    "policy",
    "finding",
    "owner",
    "principal",
    "resource",
    "members",
    "observed_from",
    "action",
    "resource_type",
    "uses",
    "used_by",
    "last_used",
    "denied",
    "last_denied",
    "kept",
    "proposal",
    "would_deny",
];

fn write_csv(file: &Path, report: &LeastPrivilege) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::could_not_run(format!("cannot write `{}`: {error}", file.display()))
    };
    let mut table = csv::Writer::from_writer(File::create(file).map_err(|error| failed(&error))?);
    table.write_record(HEADS).map_err(|error| failed(&error))?;
    let time = |at: Option<Moment>| at.map_or_else(String::new, |at| at.to_string());
    for grant in &report.grants {
        for row in &grant.rows {
            let proposal = grant.proposal.as_ref();
            let record = [
                grant.policy.to_string(),
                grant.finding.as_str().to_owned(),
                grant.owner.clone().unwrap_or_default(),
                grant.principal.clone(),
                grant.resource.clone(),
                grant.members.to_string(),
                grant.observed_from.to_string(),
                row.action.to_string(),
                row.resource_type.to_string(),
                row.uses.to_string(),
                row.used_by.to_string(),
                time(row.last_used),
                row.denied.to_string(),
                time(row.last_denied),
                grant.kept.clone().unwrap_or_default(),
                proposal.map(|it| it.summary.clone()).unwrap_or_default(),
                proposal.map(|it| it.impact.would_deny.to_string()).unwrap_or_default(),
            ];
            table.write_record(record).map_err(|error| failed(&error))?;
        }
    }
    table.flush().map_err(|error| failed(&error))
}
