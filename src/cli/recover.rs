//! `countersign recover`: what to do about a log that does not start.

use std::path::PathBuf;

use super::console::{Console, Telling};
use super::failure::{Exit, Failure};
use super::folder::Folder;
use super::page::{Ink, Page};
use crate::model::Label;
use crate::node::{Accepted, Loss};

/// Look at a log that does not start, and go on without what is lost
///
/// A log that is shorter than its checkpoint outside, or whose tree is another, does not start:
/// restore it from an export if there is one. If there is none, --accept-loss goes on
/// with what there is. That is an entry of the log, under another origin and with another
/// key: whoever kept a checkpoint of the old origin will never take the new log for it.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign recover --data ./data\n  \
    countersign recover --data ./data --accept-loss --reason 'disk failure of 3 May'")]
pub(super) struct Recover {
    /// The stopped data directory
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Key that seals the directory's vault [default: DIR.key]
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Go on with what there is, on the record
    #[arg(long)]
    accept_loss: bool,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", requires = "accept_loss")]
    reason: Option<Label>,
}

impl Recover {
    /// Tells what is wrong, or goes on without it.
    ///
    /// # Errors
    /// [`Failure`]: nothing is wrong, or the log cannot be read or written.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let folder = Folder::new(self.data.clone(), self.key_file.clone());
        if !self.accept_loss {
            console.tell(&folder.loss()?)?;
            return Ok(Exit::Refused);
        }
        console.tell(&folder.accept_loss(self.reason.clone().unwrap_or_default())?)?;
        Ok(Exit::Fine)
    }
}

impl Telling for Loss {
    fn tell(&self, page: &mut Page) {
        page.inked(&format!("This log does not start: {}.", self.what), Ink::Bad);
        page.blank();
        match &self.expected {
            Some(signed) => {
                page.field("signed", &format!("{} entries of `{}`", signed.size, signed.origin));
            }
            None => page.field("signed", "no checkpoint outside that a key of this log signed"),
        }
        page.field("found", &format!("{} entries, root {}", self.found.size, self.found.root));
        page.blank();
        page.paragraph(
            "Restore it with `countersign log import` if there is an export. Otherwise \
             `countersign recover --accept-loss` goes on with what there is, on the record.",
        );
    }
}

impl Telling for Accepted {
    fn tell(&self, page: &mut Page) {
        page.paragraph(&format!(
            "The loss is on the record; the log goes on after {} entries, under another origin. \
             Hand its new verifier key to those who verify:",
            self.loss.found.size
        ));
        page.blank();
        page.inked(&format!("    {}", self.verifier_key), Ink::Strong);
        if let Some(aside) = &self.set_aside {
            page.blank();
            page.paragraph(&format!("The old checkpoint is kept as evidence in `{aside}`."));
        }
    }
}
