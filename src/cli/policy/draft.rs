//! `countersign policy draft`: a version written down and checked, not in force.

use serde_json::{Value, json};

use super::super::client::{Client, Verb};
use super::super::console::Console;
use super::super::failure::{Exit, Failure};
use super::super::folder::Operator;
use super::super::target::{Target, TargetFlags};
use super::local;
use super::told::{Told, short};
use super::work::Files;
use super::written::Written;
use crate::model::Label;
use crate::pap::{Step, VersionShown};

/// Write a version of the policies down and have it checked, without putting it in force
///
/// It is recorded for good under the digest of all that it consists of. If it does not
/// compile, each fault is shown and it stays a draft, under the name that is said then.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    countersign policy draft policies/cloud --message 'open the archive' --data ./data")]
pub(super) struct Draft {
    #[command(flatten)]
    files: Files,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    message: Label,
    #[command(flatten)]
    target: TargetFlags,
}

impl Draft {
    /// Drafts it.
    ///
    /// # Errors
    /// [`Failure`]: a refusal with each fault, or why it could not be asked.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let written = Written::read(&self.files)?;
        let drafted = match self.target.target()? {
            Target::Server(client) => self.over(&client, &written),
            Target::Data(folder) => self.on(&folder.operator()?, &written),
        };
        console.tell(&Told(drafted.map_err(|refusal| written.placing(refusal))?))?;
        Ok(Exit::Fine)
    }

    fn over(&self, client: &Client, written: &Written) -> Result<VersionShown, Failure> {
        let body = Value::Object(written.body(&self.message));
        let drafted: VersionShown = client.send(Verb::Post, "/versions/v1", &body)?;
        let path = format!("/versions/v1/{}/check", drafted.digest);
        client.send(Verb::Post, &path, &json!({})).map_err(|failure| kept(failure, &drafted))
    }

    fn on(&self, operator: &Operator, written: &Written) -> Result<VersionShown, Failure> {
        let drafted = local::draft(operator, written.version(&self.message)?)?;
        let (step, name) = (Step::Check, drafted.digest.to_string());
        let checked = local::take_step(operator, step, Some(&name), &Label::default());
        checked.map_err(|failure| kept(failure, &drafted))
    }
}

/// Why a draft's check did not end well, what the draft is called, and how to go on.
fn kept(failure: Failure, drafted: &VersionShown) -> Failure {
    let name = short(&drafted.digest);
    match failure.exit() {
        Exit::Refused => failure.and(format!(
            "it is kept as draft {name}, which `countersign policy versions {name}` shows: mend \
             the files and draft them again"
        )),
        _ => failure.and(format!(
            "it is kept as draft {name}, unchecked: `countersign policy stage {name}` checks and \
             stages it"
        )),
    }
}
