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
use crate::audit::{Claims, Verification, Verified};
use crate::checkpoint::size_of;
use crate::node::{restore, vacant};

/// Put an exported log in place of one that is lost
///
/// Verifies the export first, and the checkpoints that were kept of the log: DIR/checkpoint,
/// and the one given with --checkpoint. Nothing is written if one of them is not signed by
/// the log's keys, or is of other entries (exit code 1). Restoring never forks a log: it
/// goes on as it was only if no checkpoint that was kept is newer than the export. If
/// entries were signed that the export lacks, or nobody kept a checkpoint, the log is put
/// in place but does not start: `countersign recover --accept-loss` then begins a new
/// origin, on the record.
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
        vacant(&self.data)?;
        let export = Exported::at(self.folder.clone());
        let note = export.checkpoint()?;
        let data = Folder::new(self.data.clone(), None);
        let given = self.checkpoint.as_ref().map(text).transpose()?;
        let claims = self.claims(note.clone(), given.clone(), data.checkpoint_if_there()?)?;
        let mut verification = Verification::of(claims);
        walk(&export, &mut verification, console, |_, _| Ok(()))?;
        let verified = verification.report();
        if !verified.clean {
            console.tell(&Unfit(verified))?;
            return Ok(Exit::Refused);
        }
        let bundle = |bundle| export.bundle(bundle).map_err(|failure| failure.what().to_owned());
        restore(&self.data, &note, bundle)?;
        keep_newest(&data, given.as_ref())?;
        let size = size_of(&note).unwrap_or_default();
        let restored = Restored::of(&verified);
        console.tell(&Told { data: self.data.display().to_string(), size, restored, verified })?;
        Ok(Exit::Fine)
    }

    /// What the export is held against: it may lack entries that were signed since.
    fn claims(
        &self,
        note: String,
        given: Option<(String, String)>,
        outside: Option<(String, String)>,
    ) -> Result<Claims, Failure> {
        let mut claims = self.trust.claims(note)?;
        claims.kept.extend(given);
        claims.beside = outside;
        claims.may_lack = true;
        Ok(claims)
    }
}

/// Leaves the newer of two checkpoints outside: it knows more of what was signed. Both have
/// been verified.
fn keep_newest(data: &Folder, given: Option<&(String, String)>) -> Result<(), Failure> {
    let Some((_, given)) = given else { return Ok(()) };
    let there = data.checkpoint_if_there()?;
    if there.as_ref().and_then(|(_, there)| size_of(there)) < size_of(given) {
        data.checkpoint_file()?.write(given).map_err(Failure::could_not_run)?;
    }
    Ok(())
}

/// A checkpoint in a file, and the file's name.
fn text(path: &PathBuf) -> Result<(String, String), Failure> {
    let name = path.display().to_string();
    let unread = |error| Failure::usage(format!("cannot read `{name}`: {error}"));
    let note = fs::read_to_string(path).map_err(unread)?;
    Ok((name, note))
}

/// An export that is not put in place.
#[derive(Serialize)]
struct Unfit(Verified);

impl Telling for Unfit {
    fn tell(&self, page: &mut Page) {
        self.0.tell(page);
        page.blank();
        page.paragraph(
            "Nothing was written. If a checkpoint that was kept is not of this log, move it away; \
             if a key that was adopted since has signed it, give that as --key, too.",
        );
    }
}

/// Whether the log goes on where it was.
#[derive(Serialize)]
struct Restored {
    goes_on: bool,
    /// How many entries the newest checkpoint that was kept is for; none if nobody kept
    /// one.
    signed: Option<u64>,
}

impl Restored {
    /// By the checkpoints that the export was held against.
    fn of(verified: &Verified) -> Self {
        let kept = &verified.kept;
        let goes_on = !kept.is_empty() && kept.iter().all(|kept| kept.holds);
        Self { goes_on, signed: kept.iter().filter_map(|kept| kept.size).max() }
    }
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
