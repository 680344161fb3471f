//! `countersign report least-privilege`: what is granted, and what of it is used.

use std::borrow::Cow;
use std::path::PathBuf;

use super::super::client::Client;
use super::super::console::Console;
use super::super::failure::{Exit, Failure};
use super::super::folder::{Folder, deeply};
use super::super::target::{Target, TargetFlags};
use super::segments::write;
use super::window::WindowFlags;
use crate::audit::LeastPrivilege;
use crate::event::Envelope;
use crate::vault::Sealer;

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
    #[command(flatten)]
    window: WindowFlags,
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
            write(file, &report.csv())?;
        }
        console.tell(&report)?;
        Ok(Exit::Fine)
    }

    fn of_server(&self, client: &Client) -> Result<LeastPrivilege, Failure> {
        client.get("/audit/v1/reports/least-privilege", &self.window.query())
    }

    fn of_folder(&self, folder: &Folder, console: &mut Console) -> Result<LeastPrivilege, Failure> {
        deeply(|| {
            let (then, start) = self.window.beginning(folder)?;
            let store = folder.store()?;
            let sealer = folder.sealer(&store)?;
            LeastPrivilege::survey(start, self.window.since(then), |see| {
                let mut wrong = None;
                self.window.entries(&store, then, console, &mut |entry| match opened(
                    entry,
                    sealer.as_ref(),
                ) {
                    Ok(entry) => see(&entry),
                    Err(failure) => wrong = wrong.take().or(Some(failure)),
                })?;
                wrong.map_or(Ok(()), Err)
            })
        })
    }
}

/// The entry with what is personal opened, as far as it can be.
fn opened<'e>(entry: &'e Envelope, sealer: Option<&Sealer>) -> Result<Cow<'e, Envelope>, Failure> {
    let mut entry = Cow::Borrowed(entry);
    if let Some(sealer) = sealer.filter(|_| !entry.event.personal().is_empty()) {
        let opened = sealer.open_event(&mut entry.to_mut().event);
        opened.map_err(|error| Failure::refused("log_broken", error))?;
    }
    Ok(entry)
}
