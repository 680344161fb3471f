//! `countersign schema`: the schema in force, and the next.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::authored;
use super::client::Verb;
use super::console::{Console, Telling};
use super::failure::{Exit, Failure};
use super::page::{Ink, Page};
use super::publication::{Author, PutInForce, placed};
use super::target::{Target, TargetFlags};
use crate::model::{Digest, SetKind, Version};
use crate::pap::Draft;
use crate::pdp::Administration;
use crate::projection::World;

/// The schema in force, and putting another in force
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign schema show --data ./data\n  \
    countersign schema publish schemas/cloud.cedarschema --data ./data")]
pub(super) struct Schema {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Show(Show),
    Publish(Publish),
}

/// Show the schema in force
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  countersign schema show --data ./data")]
struct Show {
    #[command(flatten)]
    target: TargetFlags,
}

/// Put a new schema in force, under the policies and entities that are there
///
/// Policies that must change with it are published together with it: `countersign
/// policy publish DIR --schema FILE`.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    countersign schema publish schemas/cloud.cedarschema --data ./data")]
struct Publish {
    /// Cedar schema
    file: PathBuf,
    #[command(flatten)]
    author: Author,
    #[command(flatten)]
    target: TargetFlags,
}

impl Schema {
    /// Does what was asked.
    ///
    /// # Errors
    /// [`Failure`]: a refusal with each fault, or why it could not be asked.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        match &self.command {
            Command::Show(show) => console.tell(&show.schema()?)?,
            Command::Publish(publish) => console.tell(&publish.done()?)?,
        }
        Ok(Exit::Fine)
    }
}

impl Show {
    fn schema(&self) -> Result<InForce, Failure> {
        match self.target.target()? {
            Target::Server(client) => client.get("/schema/v1", &[]),
            Target::Data(folder) => InForce::of(&folder.world()?),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct InForce {
    version: Version,
    digest: Digest,
    schema: String,
}

impl InForce {
    fn of(world: &World) -> Result<Self, Failure> {
        let missing = || Failure::refused("not_found", "no schema is in force");
        let (text, it) = world.set(SetKind::Application).schema().ok_or_else(missing)?;
        Ok(Self { version: it.version, digest: it.digest, schema: text.to_owned() })
    }
}

impl Telling for InForce {
    fn tell(&self, page: &mut Page) {
        // A comment, so that the whole can be kept as a schema file.
        let Self { version, digest, schema } = self;
        page.inked(&format!("// version {version}, SHA-256 {digest}"), Ink::Faint);
        page.verbatim(schema);
    }
}

impl Publish {
    fn done(&self) -> Result<PutInForce, Failure> {
        let schema = authored::text(&self.file)?;
        let published = match self.target.target()? {
            Target::Server(client) => {
                let mut body = self.author.body();
                body.insert("schema".to_owned(), Value::String(schema));
                client.send(Verb::Put, "/schema/v1", &Value::Object(body))
            }
            Target::Data(folder) => {
                let operator = folder.operator()?;
                operator.permit(Administration::PublishSchema)?;
                let (set, message) = (SetKind::Application, self.author.message.clone());
                let draft = Draft { set, schema: Some(schema), policies: None, message };
                let published = operator.publish(draft, self.author.expected_version());
                published.map(|published| PutInForce::of(&published))
            }
        };
        published.map_err(|refusal| {
            refusal.placing(|fault| placed(fault, &[], Some(self.file.as_path())))
        })
    }
}
