//! `countersign policy test`: whether the tests of policies hold.

use std::path::PathBuf;

use super::super::console::Console;
use super::super::failure::{Exit, Failure};
use super::checked::{Checked, Depth};
use super::junit;
use super::work::Work;
use crate::checks::Which;

/// Run the tests of policies, each decided as a request would be
///
/// A file of tests is what `cedar run-tests` takes; a test may also say what session its
/// principal has (`"session": {"aal": 2, "age_seconds": 60}`), exactly which policies decide
/// (`"reason_exact"`), and which login would help (`"step_up": "aal2"`).
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    countersign policy test policies/cloud --schema schemas/cloud.cedarschema \\\n    \
      --entities schemas/cloud.entities.json\n\
    Exit codes: 0 all tests hold; 1 one does not, or there is none.")]
pub(super) struct Test {
    #[command(flatten)]
    work: Work,
    /// End with 1 if tests have seen less of the policies than this
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    coverage_min: Option<u8>,
    /// Also write the report as XML, the kind that build servers show
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

impl Test {
    /// Runs them, and tells what became of each.
    ///
    /// # Errors
    /// [`Failure`]: they could not be run, or there is none.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let which =
            Which { style: false, tests: true, strict: false, coverage_min: self.coverage_min };
        let checked = Checked::new(self.work.report(which)?, Depth::EachTest, which);
        if checked.has_no_tests() {
            let what = "no tests: write some in a file *.cedartests.json beside the policies, \
                        or name one with --tests FILE";
            return Err(Failure::refused("no_tests", what));
        }
        if let Some(path) = &self.junit {
            junit::write(path, checked.report())?;
        }
        console.tell(&checked)?;
        Ok(checked.exit())
    }
}
