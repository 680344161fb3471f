//! `countersign policy`: the policies in force, and the next. One file per subcommand.

mod analysed;
mod analyze;
mod in_force;
mod publish;
mod show;

use super::console::Console;
use super::failure::{Exit, Failure};

/// Policies in force, and putting others in force
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign policy show wall-data --data ./data\n  \
    countersign policy publish policies/cloud --server https://pdp.example.com")]
pub(super) struct Policy {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Show(show::Show),
    Publish(publish::Publish),
    Analyze(Box<analyze::Analyze>),
}

impl Policy {
    /// Does what was asked.
    ///
    /// # Errors
    /// [`Failure`]: a refusal with each fault, or why it could not be asked.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        match &self.command {
            Command::Show(show) => show.run(console),
            Command::Publish(publish) => publish.run(console),
            Command::Analyze(analyze) => analyze.run(console),
        }
    }
}
