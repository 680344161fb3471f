//! `countersign verify`: is this the log that was signed?

use std::fs;
use std::path::PathBuf;

use super::console::{Console, Telling};
use super::failure::{Exit, Failure};
use super::folder::Folder;
use super::page::{Ink, Page};
use super::target::{Target, TargetFlags};
use super::tiled::{Exported, Remote, Stopped, Tiled, walk};
use crate::audit::{Claims, Verification, Verified};
use crate::event_store::EventStore as _;
use crate::tlog::{KeyKind, VerifierKey};

/// Check that nothing in a log was changed, lost, added or rolled back
///
/// Reads every entry, computes the Merkle tree anew, and holds it against the signed
/// checkpoint, the stored tiles, and checkpoints kept from before. With --key it takes
/// nobody's word but that key's. Exit code 1 if anything is wrong; 3 if the log cannot be
/// opened or reached, as when its files are damaged so badly that nothing can be read.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign verify --server https://pdp.example.com --key pdp.example.com+1234abcd+AbCd…\n  \
    countersign verify --data ./data --key log.vkey --since checkpoint-of-last-month\n  \
    countersign verify ./export --key log.vkey --format json")]
pub(super) struct Verify {
    /// A folder made by `countersign log export`, or of any C2SP tlog-tiles log
    #[arg(value_name = "FOLDER", conflicts_with_all = ["data", "server"])]
    folder: Option<PathBuf>,
    #[command(flatten)]
    trust: Trust,
    #[command(flatten)]
    target: TargetFlags,
}

/// What is believed.
#[derive(clap::Args, Debug, Default)]
#[command(next_help_heading = "What is believed")]
pub(super) struct Trust {
    /// Verifier key of the log, or a file with one a line; may be repeated
    /// [default: the keys that the log itself names]
    #[arg(long = "key", value_name = "KEY|FILE")]
    keys: Vec<String>,
    /// A checkpoint kept from before, which the log must still begin with; may be repeated
    #[arg(long, value_name = "FILE")]
    since: Vec<PathBuf>,
    /// Verifier key of a witness that must have cosigned, or a file; may be repeated
    #[arg(long = "witness", value_name = "KEY|FILE")]
    witnesses: Vec<String>,
    /// Check the tree alone: the entries are not Countersign's events
    #[arg(long)]
    opaque: bool,
}

impl Verify {
    /// Verifies the log and tells what was found.
    ///
    /// # Errors
    /// Usage, for a key or a file that is none; otherwise why the log cannot be read.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let verified = match &self.folder {
            Some(folder) => self.of(&Exported::at(folder.clone()), console)?,
            None => match self.target.readable()? {
                Target::Server(client) => self.of(&Remote(&client), console)?,
                Target::Data(folder) => self.stopped(&folder, console)?,
            },
        };
        console.tell(&verified)?;
        Ok(if verified.clean { Exit::Fine } else { Exit::Refused })
    }

    /// A data directory is held against the checkpoint outside its log, too, and its
    /// sealed secrets against what the log names.
    fn stopped(&self, folder: &Folder, console: &mut Console) -> Result<Verified, Failure> {
        let outside = folder.checkpoint()?;
        let store = folder.store()?;
        let log = Stopped::new(&store, Some(outside.1.clone()));
        let mut claims = self.trust.claims(log.checkpoint()?)?;
        claims.beside = Some(outside);
        let mut verification = Verification::of(claims);
        walk(&log, &mut verification, console, |_, _| Ok(()))?;
        verification.held(store.size());
        drop(store);
        // A log that is not sound names nothing that could be relied on.
        if verification.is_clean()
            && let Some((checked, wrong)) = folder.secrets()?
        {
            verification.secrets(checked, wrong);
        }
        Ok(verification.report())
    }

    fn of(&self, log: &dyn Tiled, console: &mut Console) -> Result<Verified, Failure> {
        let mut verification = Verification::of(self.trust.claims(log.checkpoint()?)?);
        walk(log, &mut verification, console, |_, _| Ok(()))?;
        Ok(verification.report())
    }
}

impl Trust {
    /// What a log with this newest checkpoint is held against.
    ///
    /// # Errors
    /// Usage, for a key or a file that is none.
    pub(super) fn claims(&self, head: String) -> Result<Claims, Failure> {
        let kept = self.since.iter().map(|path| {
            let text = fs::read_to_string(path).map_err(|error| {
                Failure::usage(format!(
                    "cannot read a checkpoint from `{}`: {error}",
                    path.display()
                ))
            });
            text.map(|text| (path.display().to_string(), text))
        });
        Ok(Claims {
            head,
            kept: kept.collect::<Result<_, _>>()?,
            beside: None,
            keys: keys(&self.keys, KeyKind::Ed25519)?,
            witnesses: keys(&self.witnesses, KeyKind::CosignatureV1)?,
            opaque: self.opaque,
            may_lack: false,
        })
    }
}

/// Verifier keys, given as they are or in files with one a line.
///
/// # Errors
/// Usage, for what is none, or of another kind.
pub(super) fn keys(given: &[String], kind: KeyKind) -> Result<Vec<VerifierKey>, Failure> {
    let mut keys = Vec::new();
    for text in given {
        if let Ok(key) = text.parse() {
            keys.push(key);
            continue;
        }
        let unread = || {
            let shown: String = text.chars().take(120).collect();
            Failure::usage(format!("`{shown}` is neither a verifier key nor a file that holds one"))
        };
        let file = fs::read_to_string(text).map_err(|_| unread())?;
        let lines = file.lines().map(str::trim).filter(|line| !line.is_empty());
        for line in lines {
            keys.push(line.parse().map_err(|_| unread())?);
        }
    }
    match keys.iter().find(|key: &&VerifierKey| key.kind() != kind) {
        Some(other) => Err(Failure::usage(match kind {
            KeyKind::Ed25519 => format!("`{other}` is a witness's key: give it as --witness"),
            KeyKind::CosignatureV1 => format!("`{other}` is a log's key: give it as --key"),
        })),
        None => Ok(keys),
    }
}

impl Telling for Verified {
    fn tell(&self, page: &mut Page) {
        let told = self.to_string();
        let mut lines = told.lines();
        let ink = if self.clean { Ink::Good } else { Ink::Bad };
        page.inked(lines.next().unwrap_or_default(), ink);
        lines.for_each(|line| page.line(line));
    }
}
