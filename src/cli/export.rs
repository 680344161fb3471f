//! `countersign log export`: the whole log as static files.

use std::path::PathBuf;

use serde::Serialize;

use super::console::{Console, Telling};
use super::failure::{Exit, Failure};
use super::page::Page;
use super::target::{Target, TargetFlags};
use super::tiled::{Exported, Remote, Staged, Stopped, Tiled, walk};
use super::verify::Trust;
use crate::audit::{Verification, Verified};

/// Copy the whole log into a folder of static files
///
/// The folder is a C2SP tlog-tiles log: any web server can serve it, any client of that
/// format can check it, `countersign verify FOLDER` and `countersign log import` read it.
/// Nothing is written to it before the whole log is verified; the checkpoint is written
/// last. To an older export only what is new is added: if a file that is there differs,
/// the folder holds another history, and it is left as it is (exit code 1).
///
/// It is the backup of the log. Secrets are not in it: back up the vault and the key too.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign log export ./backup --data ./data\n  \
    countersign log export ./backup --server https://pdp.example.com --key log.vkey")]
pub(super) struct Export {
    /// Folder to make or to bring up to date
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    #[command(flatten)]
    trust: Trust,
    #[command(flatten)]
    target: TargetFlags,
}

impl Export {
    /// Copies the log and tells what was copied.
    ///
    /// # Errors
    /// [`Failure`]: the log cannot be read, the folder not written, or it holds another
    /// history.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let verified = match self.target.readable()? {
            Target::Server(client) => self.of(&Remote(&client), console)?,
            Target::Data(folder) => {
                let outside = folder.checkpoint().ok().map(|(_, note)| note);
                self.of(&Stopped::new(&folder.store()?, outside), console)?
            }
        };
        let exit = if verified.clean { Exit::Fine } else { Exit::Refused };
        console.tell(&Told { folder: self.folder.display().to_string(), verified })?;
        Ok(exit)
    }

    fn of(&self, log: &dyn Tiled, console: &mut Console) -> Result<Verified, Failure> {
        let note = log.checkpoint()?;
        let mut claims = self.trust.claims(note.clone())?;
        // What was exported before must be a beginning of this log, or it is another's.
        if let Some(before) = Exported::at(self.folder.clone()).kept()? {
            claims.kept.push((format!("{} before", self.folder.display()), before));
        }
        let mut staged = Staged::within(self.folder.clone())?;
        let mut verification = Verification::of(claims);
        walk(log, &mut verification, console, |path, bytes| staged.take(path, bytes))?;
        let verified = verification.report();
        if verified.clean {
            staged.place(&note)?;
        }
        Ok(verified)
    }
}

#[derive(Serialize)]
struct Told {
    folder: String,
    #[serde(flatten)]
    verified: Verified,
}

impl Telling for Told {
    fn tell(&self, page: &mut Page) {
        self.verified.tell(page);
        page.blank();
        if self.verified.clean {
            page.paragraph(&format!("The log is in `{}`.", self.folder));
        } else {
            page.paragraph(&format!(
                "Nothing was written to `{}`: what is wrong is not a backup.",
                self.folder
            ));
        }
    }
}
