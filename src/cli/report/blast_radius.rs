//! `countersign report blast-radius`: what a stolen account could reach.

use std::path::PathBuf;

use super::super::client::{Client, Verb, with_query};
use super::super::console::Console;
use super::super::failure::{Exit, Failure};
use super::super::folder::{Folder, deeply};
use super::super::target::{Target, TargetFlags};
use super::draft::DraftFlags;
use super::segments::write;
use super::window::{self, WindowFlags};
use crate::audit::{Assurance, At, BlastRadius, NoRadius};
use crate::model::Uid;

/// What somebody could reach who has taken over a person or a workload
///
/// Everything that they may do is decided really, in the state that the log had then: what
/// they may do to each entity, and, where an action is declared a pivot, what may be done by
/// whoever they go on as. The permit whose removal cuts most is found by leaving it out.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign report blast-radius 'User::\"dave\"' --assurance password --data ./data\n  \
    countersign report blast-radius 'Workload::\"storefront\"' --hops 2 \\\n    \
      --policies policies/cloud --server https://pdp.example.com")]
pub(super) struct OfBlastRadius {
    /// Who was taken over, as `TYPE::"ID"`
    #[arg(value_name = "ENTITY")]
    principal: Uid,
    /// How much of a person: none, password, mfa, passkey, hardware
    #[arg(long, value_name = "WHAT", default_value = "password")]
    assurance: Assurance,
    /// How often to go on as somebody else, this being the first
    #[arg(long, value_name = "N", default_value_t = 3)]
    hops: u32,
    #[command(flatten)]
    window: WindowFlags,
    /// Tell what is otherwise than at another moment
    #[arg(long, value_name = "INDEX|TIME")]
    compare: Option<At>,
    /// Write what could be done as a graph for Graphviz too
    #[arg(long, value_name = "FILE")]
    dot: Option<PathBuf>,
    /// Write it as a table for spreadsheets too
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    #[command(flatten)]
    draft: DraftFlags,
    #[command(flatten)]
    target: TargetFlags,
}

impl OfBlastRadius {
    /// Makes the report.
    ///
    /// # Errors
    /// [`Failure`]: a refusal, or why it could not be asked.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let report = match self.target.target()? {
            Target::Server(client) => self.of_server(&client)?,
            Target::Data(folder) => self.of_folder(&folder, console)?,
        };
        if let Some(file) = &self.dot {
            write(file, &report.dot())?;
        }
        if let Some(file) = &self.csv {
            write(file, &report.csv())?;
        }
        console.tell(&report)?;
        Ok(Exit::Fine)
    }

    fn of_server(&self, client: &Client) -> Result<BlastRadius, Failure> {
        let mut query = vec![
            ("principal", self.principal.to_string()),
            ("assurance", self.assurance.as_str().to_owned()),
            ("hops", self.hops.to_string()),
        ];
        query.extend(self.window.query());
        query.extend(self.compare.map(|at| ("compare", at.to_string())));
        let path = "/audit/v1/reports/blast-radius";
        match self.draft.read()? {
            None => client.get(path, &query),
            Some(draft) => {
                let sent = client.send(Verb::Post, &with_query(path, &query), &draft.body());
                sent.map_err(|refusal| draft.placing(refusal))
            }
        }
    }

    fn of_folder(&self, folder: &Folder, console: &mut Console) -> Result<BlastRadius, Failure> {
        let draft = self.draft.read()?;
        deeply(|| {
            let ground = window::compared(&self.window, self.compare, draft.as_ref(), folder)?;
            let (store, then) = (folder.store()?, ground.as_of);
            let (since, who) = (self.window.since(then), (&self.principal, self.assurance));
            BlastRadius::survey(&ground, who, self.hops, since, |see| {
                self.window.entries(&store, then, console, see)
            })
        })
    }
}

impl From<NoRadius> for Failure {
    fn from(error: NoRadius) -> Self {
        match error {
            NoRadius::Hops => Self::usage(format!("--hops: {error}")),
            _ => Self::refused("no_blast_radius", error),
        }
    }
}
