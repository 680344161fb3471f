//! `countersign policy`: the policies in force, and the next. One file per subcommand.

mod analysed;
mod analyze;
mod apply;
mod check;
mod checked;
mod draft;
mod format;
mod impact;
mod in_force;
mod junit;
mod local;
mod moves;
mod plan;
mod publish;
mod shadow;
mod show;
mod test;
mod told;
mod versions;
mod work;
mod written;

pub(super) use told::short;
pub(super) use versions::whole;

use super::console::Console;
use super::failure::{Exit, Failure};

/// Policies in force, checking others, and putting them in force
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign policy show wall-data --data ./data\n  \
    countersign policy check policies/cloud --schema schemas/cloud.cedarschema\n  \
    countersign policy impact policies/cloud --since 90d --data ./data\n  \
    countersign policy apply policies/cloud --server https://pdp.example.com")]
pub(super) struct Policy {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Show(show::Show),
    Check(check::Check),
    Test(test::Test),
    Format(format::Format),
    Analyze(Box<analyze::Analyze>),
    Impact(impact::Impact),
    Plan(plan::Plan),
    Apply(apply::Apply),
    Publish(publish::Publish),
    Draft(draft::Draft),
    Versions(versions::Versions),
    Stage(moves::Stage),
    Shadow(shadow::Shadow),
    Unstage(moves::Unstage),
    Approve(moves::Approve),
    Activate(moves::Activate),
    Rollback(moves::Rollback),
}

impl Policy {
    /// Does what was asked.
    ///
    /// # Errors
    /// [`Failure`]: a refusal with each fault, or why it could not be asked.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        match &self.command {
            Command::Show(show) => show.run(console),
            Command::Impact(impact) => impact.run(console),
            Command::Publish(publish) => publish.run(console),
            Command::Check(check) => check.run(console),
            Command::Test(test) => test.run(console),
            Command::Format(format) => format.run(console),
            Command::Analyze(analyze) => analyze.run(console),
            Command::Plan(plan) => plan.run(console),
            Command::Apply(apply) => apply.run(console),
            Command::Draft(draft) => draft.run(console),
            Command::Versions(versions) => versions.run(console),
            Command::Shadow(it) => it.run(console),
            Command::Stage(it) => it.run(console),
            Command::Unstage(it) => it.run(console),
            Command::Approve(it) => it.run(console),
            Command::Activate(it) => it.run(console),
            Command::Rollback(it) => it.run(console),
        }
    }
}
