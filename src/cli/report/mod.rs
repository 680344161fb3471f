//! `countersign report`: what policies, directory and log come to. One file per report.

mod blast_radius;
mod blast_radius_told;
mod conditions;
mod draft;
mod least_privilege;
mod least_privilege_told;
mod segments;
mod segments_told;
#[cfg(test)]
mod tests;
mod window;

use super::console::Console;
use super::failure::{Exit, Failure};

/// What is granted, what is used, what could be reached
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign report least-privilege --since 90d --csv grants.csv --data ./data\n  \
    countersign report segments --since 90d --svg segments.svg --data ./data\n  \
    countersign report blast-radius 'User::\"dave\"' --server https://pdp.example.com")]
pub(super) struct Report {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    BlastRadius(blast_radius::OfBlastRadius),
    Segments(segments::OfSegments),
    LeastPrivilege(least_privilege::OfLeastPrivilege),
}

impl Report {
    /// Makes the report that was asked for.
    ///
    /// # Errors
    /// [`Failure`]: a refusal, or why it could not be asked.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        match &self.command {
            Command::BlastRadius(radius) => radius.run(console),
            Command::Segments(segments) => segments.run(console),
            Command::LeastPrivilege(report) => report.run(console),
        }
    }
}
