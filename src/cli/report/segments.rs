//! `countersign report segments`: which segment reaches which.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::client::{Client, Verb, with_query};
use super::super::console::Console;
use super::super::failure::{Exit, Failure};
use super::super::folder::{Folder, deeply};
use super::super::target::{Target, TargetFlags};
use super::draft::DraftFlags;
use super::window::{self, WindowFlags};
use crate::audit::{At, Bounds, NoMatrix, Segments};

/// Which segment reaches which, by which policy, and what of it was used
///
/// Every pair of somebody who can act and something that can be acted on is decided really,
/// in the state that the log had then; for persons under every assurance that they can show,
/// which tells what is allowed from what is allowed only with two factors. Beside it stands
/// what was done and what was attempted in the window. Nothing of it is recorded; over a
/// server, the log holds that you asked.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign report segments --since 90d --svg segments.svg --data ./data\n  \
    countersign report segments --compare 2026-10-01T00:00:00Z --data ./data\n  \
    countersign report segments --policies policies/cloud --server https://pdp.example.com")]
pub(super) struct OfSegments {
    #[command(flatten)]
    window: WindowFlags,
    /// Tell what is otherwise than at another moment
    #[arg(long, value_name = "INDEX|TIME")]
    compare: Option<At>,
    /// Write the matrix as a picture too
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write it as a graph for Graphviz too
    #[arg(long, value_name = "FILE")]
    dot: Option<PathBuf>,
    /// Write its cells as a table for spreadsheets too
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    #[command(flatten)]
    draft: DraftFlags,
    #[command(flatten)]
    target: TargetFlags,
}

impl OfSegments {
    /// Makes the report.
    ///
    /// # Errors
    /// [`Failure`]: a refusal, or why it could not be asked.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let report = match self.target.target()? {
            Target::Server(client) => self.of_server(&client)?,
            Target::Data(folder) => self.of_folder(&folder, console)?,
        };
        for (file, text) in [
            (&self.svg, Segments::svg as fn(&Segments) -> String),
            (&self.dot, Segments::dot),
            (&self.csv, Segments::csv),
        ] {
            if let Some(file) = file {
                write(file, &text(&report))?;
            }
        }
        console.tell(&report)?;
        Ok(Exit::Fine)
    }

    fn of_server(&self, client: &Client) -> Result<Segments, Failure> {
        let mut query = self.window.query();
        query.extend(self.compare.map(|at| ("compare", at.to_string())));
        let path = "/audit/v1/reports/segments";
        match self.draft.read()? {
            None => client.get(path, &query),
            Some(draft) => {
                let sent = client.send(Verb::Post, &with_query(path, &query), &draft.body());
                sent.map_err(|refusal| draft.placing(refusal))
            }
        }
    }

    fn of_folder(&self, folder: &Folder, console: &mut Console) -> Result<Segments, Failure> {
        let draft = self.draft.read()?;
        deeply(|| {
            let ground = window::compared(&self.window, self.compare, draft.as_ref(), folder)?;
            let (store, then) = (folder.store()?, ground.as_of);
            let since = self.window.since(then);
            Segments::survey(&ground, since, Bounds::default(), |see| {
                self.window.entries(&store, then, console, see)
            })
        })
    }
}

/// Writes a file that was asked for beside the report.
///
/// # Errors
/// Could not run, if it cannot be written.
pub(super) fn write(file: &Path, text: &str) -> Result<(), Failure> {
    fs::write(file, text).map_err(|error| {
        Failure::could_not_run(format!("cannot write `{}`: {error}", file.display()))
    })
}

impl From<NoMatrix> for Failure {
    fn from(error: NoMatrix) -> Self {
        Self::refused("no_matrix", error)
    }
}
