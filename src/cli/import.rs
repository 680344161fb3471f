//! `countersign log import`: an exported log put in place again.

use std::fs;
use std::path::PathBuf;

use serde::Serialize;

use super::console::{Console, Telling};
use super::failure::{Exit, Failure};
use super::folder::Folder;
use super::page::{Ink, Page};
use super::tiled::{Exported, Tiled as _, walk};
use super::verify::Trust;
use crate::audit::{Verification, Verified};
use crate::checkpoint::size_of;
use crate::node::{Restored, restore};

/// Put an exported log in place of one that is lost
///
/// Verifies the export first. Restoring never forks a log: it goes on as it was only if
/// the newest checkpoint outside (DIR/checkpoint, or the one given with --checkpoint) is
/// not newer than the export. If entries were signed that the export lacks, or nobody
/// kept a checkpoint, the log is put in place but does not start: `countersign recover
/// --accept-loss` then begins a new origin, on the record.
///
/// Bring the vault and the key back as well: without them the log does not start.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    countersign log import ./backup --data ./data --key log.vkey --checkpoint ./kept/checkpoint")]
pub(super) struct Import {
    /// Folder made by `countersign log export`
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Data directory that has no log
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The newest checkpoint that was kept of the log
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    #[command(flatten)]
    trust: Trust,
}

impl Import {
    /// Puts the log in place and tells whether it goes on.
    ///
    /// # Errors
    /// [`Failure`]: there is a log already, or the export cannot be read.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let export = Exported::at(self.folder.clone());
        let note = export.checkpoint()?;
        let mut verification = Verification::of(self.trust.claims(note.clone())?);
        walk(&export, &mut verification, console, |_, _| Ok(()))?;
        let verified = verification.report();
        if !verified.clean {
            console.tell(&verified)?;
            return Ok(Exit::Refused);
        }
        let data = Folder::new(self.data.clone(), None);
        let outside = data.checkpoint_file()?;
        if let Some(kept) = &self.checkpoint {
            let kept = text(kept)?;
            let there = outside.read().map_err(Failure::could_not_run)?;
            // The newer of the two knows more of what was signed.
            if there.as_deref().and_then(size_of) <= size_of(&kept) {
                outside.write(&kept).map_err(Failure::could_not_run)?;
            }
        }
        let bundle = |bundle| export.bundle(bundle).map_err(|failure| failure.what().to_owned());
        let restored = restore(&self.data, &outside, &note, bundle)?;
        let size = size_of(&note).unwrap_or_default();
        console.tell(&Told { data: self.data.display().to_string(), size, restored, verified })?;
        Ok(Exit::Fine)
    }
}

fn text(path: &PathBuf) -> Result<String, Failure> {
    let unread = |error| Failure::usage(format!("cannot read `{}`: {error}", path.display()));
    fs::read_to_string(path).map_err(unread)
}

#[derive(Serialize)]
struct Told {
    data: String,
    size: u64,
    #[serde(flatten)]
    restored: Restored,
    verified: Verified,
}

impl Telling for Told {
    fn tell(&self, page: &mut Page) {
        let Self { data, size, restored, .. } = self;
        page.paragraph(&format!("{size} entries were verified and are in `{data}`."));
        page.blank();
        if restored.goes_on {
            page.inked("The log goes on where it was.", Ink::Good);
            return;
        }
        let why = restored.signed.map_or_else(
            || "Nobody kept a checkpoint, so nobody knows what is missing.".to_owned(),
            |signed| format!("{signed} entries were signed once; the rest is lost."),
        );
        page.inked("The log does NOT start as it is.", Ink::Bad);
        page.paragraph(&why);
        page.paragraph(
            "To go on without it, under another origin and on the record: `countersign recover \
             --accept-loss`.",
        );
    }
}
