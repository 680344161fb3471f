//! `countersign policy format`: policies as Cedar's formatter writes them.

use std::fs;
use std::path::PathBuf;

use serde::Serialize;

use super::super::authored;
use super::super::console::{Console, Telling};
use super::super::failure::{Exit, Failure, FaultTold};
use super::super::page::{Ink, Page};
use super::plan::lines;
use crate::cedar::{Limits, formatted};
use crate::checks::{Unformatted, differing_lines};
use crate::pap::is_links;

/// Show or make the changes of Cedar's formatter
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign policy format policies/cloud --check\n  \
    countersign policy format policies/cloud --write")]
pub(super) struct Format {
    /// Cedar policies: files, or folders of *.cedar files
    #[arg(value_name = "DIR|FILE", required = true)]
    policies: Vec<PathBuf>,
    /// End with 1 if a file would change
    #[arg(long, conflicts_with = "write")]
    check: bool,
    /// Rewrite the files that would change
    #[arg(long)]
    write: bool,
}

impl Format {
    /// Shows what would change, or changes it.
    ///
    /// # Errors
    /// Refused, for what is not Cedar, with each fault; could not run, for what cannot be
    /// read or written.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let mut files = authored::policies(&self.policies)?;
        files.retain(|(file, _)| !is_links(file));
        let (mut changed, mut faults) = (Vec::new(), Vec::new());
        for (file, text) in &files {
            match formatted(file, text, &Limits::default()) {
                Ok(pretty) if pretty != *text => changed.push((file, text, pretty)),
                Ok(_) => {}
                Err(found) => faults.extend(found.iter().map(FaultTold::from)),
            }
        }
        if !faults.is_empty() {
            let what = "not everything here is Cedar, so nothing was formatted";
            return Err(Failure::refused("policy_invalid", what).with_faults(faults));
        }
        if self.write {
            for (file, _, pretty) in &changed {
                fs::write(file, pretty).map_err(|error| {
                    Failure::could_not_run(format!("cannot write `{file}`: {error}"))
                })?;
            }
        }
        let unformatted = changed
            .iter()
            .map(|(file, text, pretty)| Unformatted {
                file: (*file).clone(),
                lines: differing_lines(text, pretty),
            })
            .collect();
        let told = Formatted { files: files.len(), written: self.write, unformatted };
        console.tell(&told)?;
        let wrong = self.check && !told.unformatted.is_empty();
        Ok(if wrong { Exit::Refused } else { Exit::Fine })
    }
}

#[derive(Serialize)]
struct Formatted {
    /// How many files were looked at.
    files: usize,
    /// Whether those that differ were rewritten.
    written: bool,
    unformatted: Vec<Unformatted>,
}

impl Telling for Formatted {
    fn tell(&self, page: &mut Page) {
        for file in &self.unformatted {
            if self.written {
                page.verdict(true, &format!("{} rewritten", file.file));
            } else {
                difference(file, page);
            }
        }
        match self.files - self.unformatted.len() {
            0 => {}
            1 => page.inked("1 file is formatted already", Ink::Faint),
            left => page.inked(&format!("{left} files are formatted already"), Ink::Faint),
        }
    }
}

/// Lays out what the formatter would change in a file.
pub(super) fn difference(file: &Unformatted, page: &mut Page) {
    page.inked(&format!("{} is not formatted:", file.file), Ink::Strong);
    lines(&file.lines, page);
    page.blank();
}
