//! `countersign policy check`: everything that can be known of policies before they are in
//! force.

use std::path::PathBuf;

use super::super::console::Console;
use super::super::failure::{Exit, Failure};
use super::checked::{Checked, Depth};
use super::junit;
use super::work::Work;
use crate::checks::Which;

/// Check policies before they are in force: written well, valid, their tests hold
///
/// Needs no server and no log where there is a schema beside the policies or with --schema.
/// With --data or --server they are held against what is in force there; nothing changes.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign policy check policies/cloud --schema schemas/cloud.cedarschema\n  \
    countersign policy check policies/cloud --strict --junit report.xml \\\n    \
    --server https://pdp.example.com\nExit codes: 0 all is well; 1 something is not.")]
pub(super) struct Check {
    #[command(flatten)]
    work: Work,
    /// Let warnings count as faults, but for scopes that leave everything open
    #[arg(long)]
    strict: bool,
    /// End with 1 if tests have seen less of the policies than this
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    coverage_min: Option<u8>,
    /// Also write the report as XML, the kind that build servers show
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

impl Check {
    /// Checks them, and tells what was found.
    ///
    /// # Errors
    /// [`Failure`]: they could not be checked.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let which = Which {
            style: true,
            tests: true,
            strict: self.strict,
            coverage_min: self.coverage_min,
        };
        let checked = Checked::new(self.work.report(which)?, Depth::Failures, which);
        if let Some(path) = &self.junit {
            junit::write(path, checked.report())?;
        }
        console.tell(&checked)?;
        Ok(checked.exit())
    }
}
