//! `countersign report`: what policies, directory and log come to. One file per report.

mod least_privilege;
mod least_privilege_told;
#[cfg(test)]
mod tests;

use super::console::Console;
use super::failure::{Exit, Failure};

/// What is granted, what is used, what could be reached
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign report least-privilege --since 90d --csv grants.csv --data ./data")]
pub(super) struct Report {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    LeastPrivilege(least_privilege::OfLeastPrivilege),
}

impl Report {
    /// Makes the report that was asked for.
    ///
    /// # Errors
    /// [`Failure`]: a refusal, or why it could not be asked.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        match &self.command {
            Command::LeastPrivilege(report) => report.run(console),
        }
    }
}
