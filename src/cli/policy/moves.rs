//! `countersign policy stage`, `unstage`, `approve`, `activate`, `rollback`: a version's
//! further steps.

use serde_json::json;

use super::super::client::{Verb, encoded};
use super::super::console::Console;
use super::super::failure::{Exit, Failure};
use super::super::target::{Target, TargetFlags};
use super::local;
use super::told::Told;
use crate::model::Label;
use crate::pap::{Step, VersionShown};

/// Which version, and why.
#[derive(clap::Args, Debug)]
struct Named {
    /// Its digest, or the first digits of it, at least six
    #[arg(value_name = "VERSION")]
    version: String,
    #[command(flatten)]
    on: On,
}

/// Why, and in which log.
#[derive(clap::Args, Debug)]
struct On {
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: Label,
    #[command(flatten)]
    target: TargetFlags,
}

impl Named {
    fn step(&self, step: Step, word: &str, console: &mut Console) -> Result<Exit, Failure> {
        self.on.step(step, &path(&self.version, word), Some(&self.version), console)
    }
}

fn path(version: &str, word: &str) -> String {
    format!("/versions/v1/{}/{word}", encoded(version))
}

impl On {
    fn step(
        &self,
        step: Step,
        path: &str,
        version: Option<&str>,
        console: &mut Console,
    ) -> Result<Exit, Failure> {
        let taken: VersionShown = match self.target.target()? {
            Target::Server(client) => {
                let body = match (step, version) {
                    (Step::RollBack, Some(to)) => json!({"reason": self.reason, "to": to}),
                    _ => json!({"reason": self.reason}),
                };
                client.send(Verb::Post, path, &body)?
            }
            Target::Data(folder) => {
                local::take_step(&folder.operator()?, step, version, &self.reason)?
            }
        };
        console.tell(&Told(taken))?;
        Ok(Exit::Fine)
    }
}

/// Have a version decided by beside the one in force, without effect
///
/// From here on each decision says what it would have been by this version too. One
/// version at a time can be staged.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    countersign policy stage 3f9c01ab77de --reason 'a week beside the old one' --data ./data")]
pub(super) struct Stage {
    #[command(flatten)]
    named: Named,
}

/// Take a version off the stage
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    countersign policy unstage 3f9c01ab77de --data ./data")]
pub(super) struct Unstage {
    #[command(flatten)]
    named: Named,
}

/// Say that somebody else's version may come in force, as it is
///
/// It takes a person with two factors of the last 15 minutes, other than its author; so it
/// takes a server. Needed where `policies.four_eyes` is set.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    countersign policy approve --server https://pdp.example.com \\\n    \
    3f9c01ab77de4c0e5b1d92a86f73e0c15d48b9a2e7f6013c8d5ab4907e12f6c3")]
pub(super) struct Approve {
    /// Its whole digest, all 64 digits: two versions can be made to begin alike
    #[arg(value_name = "VERSION")]
    version: String,
    #[command(flatten)]
    on: On,
}

/// Put a version in force
///
/// Refused if something else came in force since it was drafted: it would undo that.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    countersign policy activate 3f9c01ab77de --reason 'release 14' --data ./data")]
pub(super) struct Activate {
    #[command(flatten)]
    named: Named,
}

/// Put a version in force again that was before
///
/// Without --to, the one that was in force just before the present one: so twice is there and
/// back. That needs nobody's approval, for it is for when there is no time; further back,
/// where four eyes are wanted, only to what was approved.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    countersign policy rollback --reason 'nobody can open the archive' --data ./data")]
pub(super) struct Rollback {
    /// Its digest, or the first digits of it, at least six
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    #[command(flatten)]
    on: On,
}

impl Stage {
    /// Stages it.
    ///
    /// # Errors
    /// [`Failure`]: a refusal, or why it could not be asked.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        self.named.step(Step::Stage, "stage", console)
    }
}

impl Unstage {
    /// Unstages it.
    ///
    /// # Errors
    /// As [`Stage::run`].
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        self.named.step(Step::Unstage, "unstage", console)
    }
}

impl Approve {
    /// Approves it.
    ///
    /// # Errors
    /// As [`Stage::run`].
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let path = path(&self.version, "approve");
        self.on.step(Step::Approve, &path, Some(&self.version), console)
    }
}

impl Activate {
    /// Puts it in force.
    ///
    /// # Errors
    /// As [`Stage::run`].
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        self.named.step(Step::Activate, "activate", console)
    }
}

impl Rollback {
    /// Puts it in force again.
    ///
    /// # Errors
    /// As [`Stage::run`].
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        self.on.step(Step::RollBack, "/versions/v1/rollback", self.to.as_deref(), console)
    }
}
