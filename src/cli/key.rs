//! `countersign key`: the key that the vault is sealed under, and the vault's backup.

use std::path::PathBuf;

use serde::Serialize;

use super::console::{Console, Telling};
use super::failure::{Exit, Failure};
use super::folder::{Folder, Operator};
use super::page::{Ink, Page};
use super::target::{Target, TargetFlags};
use crate::model::Digest;
use crate::pdp::Administration;
use crate::vault::{Imported, Rotated};

/// The key that secrets and personal data are sealed under
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign key rotate --data ./data\n  \
    countersign key export ./vault.backup --data ./data")]
pub(super) struct Key {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Rotate(Rotate),
    Export(Export),
    Import(Import),
}

/// Seal the vault under a new key, in the place of the old one
///
/// Of a stopped directory. The key file is replaced where it is; at every moment, after a
/// crash too, it opens the vault, and the next start goes on where a rotation was cut
/// short. The secrets themselves stay. Exports made before need the old key file: keep it
/// with them, or make new ones and destroy both. That also ends what such copies could
/// still open of people who were erased.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  countersign key rotate --data ./data")]
struct Rotate {
    #[command(flatten)]
    target: TargetFlags,
}

/// Write the vault to one file, for a backup
///
/// Of a stopped directory. Everything in the file stays sealed under the key file, which
/// is not in it: back that up too, and elsewhere. The log is backed up on its own; export
/// again after every erasure, and destroy the exports before it.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  countersign key export ./vault.backup --data ./data")]
struct Export {
    /// File to create
    file: PathBuf,
    #[command(flatten)]
    target: TargetFlags,
}

/// Put back what an export holds and the vault lacks
///
/// Of a stopped directory, with the key file that the export was sealed under. No file is
/// replaced, and what the log says has been erased is destroyed again.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  countersign key import ./vault.backup --data ./data")]
struct Import {
    /// File that `key export` wrote
    file: PathBuf,
    #[command(flatten)]
    target: TargetFlags,
}

impl Key {
    /// Does what was asked.
    ///
    /// # Errors
    /// [`Failure`]: a refusal, or why it could not be done.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        match &self.command {
            Command::Rotate(rotate) => {
                let operator = operator(&rotate.target)?;
                let rotated = operator.wait(operator.node().rotate_key(Operator::origin()))?;
                console.tell(&Turned::of(rotated))?;
            }
            Command::Export(export) => {
                let files = operator(&export.target)?.node().export_vault(&export.file)?;
                console.tell(&Exported { file: export.file.display().to_string(), files })?;
            }
            Command::Import(import) => {
                let imported = folder(&import.target)?.import_vault(&import.file)?;
                // Only now is it sure to open.
                operator(&import.target)?.node().complete_erasures()?;
                console.tell(&imported)?;
            }
        }
        Ok(Exit::Fine)
    }
}

/// Whoever can write the stopped directory, allowed to handle its keys.
fn operator(target: &TargetFlags) -> Result<Operator, Failure> {
    let operator = folder(target)?.operator()?;
    operator.permit_anew(Administration::ManageKeys)?;
    Ok(operator)
}

fn folder(target: &TargetFlags) -> Result<Folder, Failure> {
    match target.target()? {
        Target::Data(folder) => Ok(folder),
        Target::Server(_) => Err(Failure::usage(
            "keys are handled where they are: stop the server, and give --data DIR",
        )),
    }
}

/// A rotation that is done.
#[derive(Serialize)]
struct Turned {
    retired: Digest,
    adopted: Digest,
    subjects: usize,
}

impl Turned {
    fn of(rotated: Rotated) -> Self {
        let Rotated { retired, adopted, subjects } = rotated;
        Self { retired, adopted, subjects }
    }
}

impl Telling for Turned {
    fn tell(&self, page: &mut Page) {
        page.field("retired", &self.retired.to_string());
        page.field_in("adopted", &self.adopted.to_string(), Ink::Good);
        page.field("subjects", &self.subjects.to_string());
        page.blank();
        page.paragraph(
            "The key file holds the new key alone. Exports of the vault made before need the \
             old one.",
        );
    }
}

/// An export that is done.
#[derive(Serialize)]
struct Exported {
    file: String,
    files: usize,
}

impl Telling for Exported {
    fn tell(&self, page: &mut Page) {
        let Self { file, files } = self;
        page.inked(&format!("{files} sealed files are in `{file}`"), Ink::Good);
        page.paragraph("The key file is not in it: back it up too, and elsewhere.");
    }
}

impl Telling for Imported {
    fn tell(&self, page: &mut Page) {
        let Self { added, kept } = self;
        page.inked(&format!("{added} files put back, {kept} were there"), Ink::Good);
    }
}
