//! `countersign policy apply`: what is in files, in force.

use serde::Serialize;
use serde_json::Value;

use super::super::client::Verb;
use super::super::console::{Console, Telling};
use super::super::failure::{Exit, Failure};
use super::super::page::{Ink, Page};
use super::super::publication::Author;
use super::super::target::{Target, TargetFlags};
use super::local;
use super::told::Told;
use super::work::Files;
use super::written::Written;
use crate::pap::VersionShown;

/// Put what is in files in force: policies, schema and tests as one version
///
/// It is drafted, checked and put in force in one step; if anything is wrong, nothing
/// changes. If it is in force already, nothing happens, and that is fine: exit code 0.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    countersign policy apply policies/cloud --schema schemas/cloud.cedarschema \\\n    \
    --message 'release 14' --data ./data")]
pub(super) struct Apply {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    author: Author,
    #[command(flatten)]
    target: TargetFlags,
}

impl Apply {
    /// Applies them.
    ///
    /// # Errors
    /// [`Failure`]: a refusal with each fault, or why it could not be asked.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let written = Written::read(&self.files)?;
        match self.applied(&written) {
            Ok(version) => console.tell(&Told(version))?,
            Err(refusal) if refusal.code() == "unchanged" => {
                console.tell(&Nothing { unchanged: true })?;
            }
            Err(refusal) => return Err(written.placing(refusal)),
        }
        Ok(Exit::Fine)
    }

    fn applied(&self, written: &Written) -> Result<VersionShown, Failure> {
        match self.target.target()? {
            Target::Server(client) => {
                let mut body = written.body(&self.author.message);
                body.extend(self.author.body());
                client.send(Verb::Put, "/versions/v1", &Value::Object(body))
            }
            Target::Data(folder) => {
                let new = written.version(&self.author.message)?;
                local::apply(&folder, new, self.author.expected_version())
            }
        }
    }
}

/// It was in force already.
#[derive(Serialize)]
struct Nothing {
    unchanged: bool,
}

impl Telling for Nothing {
    fn tell(&self, page: &mut Page) {
        page.inked("nothing to change: this is in force already", Ink::Good);
    }
}
