//! `countersign policy`: the policies in force, and the next.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::authored::{self, NamedText};
use super::client::{Client, Verb, encoded};
use super::console::{Console, Telling};
use super::failure::{Exit, Failure};
use super::folder::Folder;
use super::page::{Ink, Page};
use super::publication::{Author, PutInForce, placed, read_files};
use super::target::{Target, TargetFlags};
use crate::model::{Digest, PolicyBody, PolicyId, PolicySource, SetKind, Version};
use crate::pap::Draft;
use crate::pdp::Administration;
use crate::projection::World;

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
    Show(Show),
    Publish(Publish),
}

/// Show the policies in force, or one of them
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  countersign policy show wall-data --data ./data")]
struct Show {
    /// The policy's `@id`
    id: Option<PolicyId>,
    #[command(flatten)]
    target: TargetFlags,
}

/// Put a whole new policy set in force; what it lacks is withdrawn
///
/// Every policy is validated against the schema first. If anything is wrong, nothing
/// changes, and each fault is shown with its file and line.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    countersign policy publish policies/cloud --message 'open the archive' --data ./data")]
struct Publish {
    /// Cedar policies: files, or folders of *.cedar files
    #[arg(value_name = "DIR|FILE", required = true)]
    policies: Vec<PathBuf>,
    /// A new schema, to come in force together with them
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    #[command(flatten)]
    author: Author,
    #[command(flatten)]
    target: TargetFlags,
}

impl Policy {
    /// Does what was asked.
    ///
    /// # Errors
    /// [`Failure`]: a refusal with each fault, or why it could not be asked.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        match &self.command {
            Command::Show(Show { id: Some(id), target }) => console.tell(&one(id, target)?)?,
            Command::Show(Show { id: None, target }) => console.tell(&all(target)?)?,
            Command::Publish(publish) => console.tell(&publish.done()?)?,
        }
        Ok(Exit::Fine)
    }
}

fn all(target: &TargetFlags) -> Result<PolicySet, Failure> {
    match target.target()? {
        Target::Server(client) => client.get("/policies/v1", &[]),
        Target::Data(folder) => Ok(PolicySet::of(&folder.world()?)),
    }
}

fn one(id: &PolicyId, target: &TargetFlags) -> Result<One, Failure> {
    match target.target()? {
        Target::Server(client) => {
            client.get(&format!("/policies/v1/{}", encoded(id.as_str())), &[]).map(One)
        }
        Target::Data(folder) => {
            let world = folder.world()?;
            let found = world.set(SetKind::Application).source(id).cloned();
            let missing = "there is no policy of that name in force";
            found.map(One).ok_or_else(|| Failure::refused("not_found", missing))
        }
    }
}

/// The policies in force.
#[derive(Serialize, Deserialize)]
struct PolicySet {
    version: Version,
    digest: Option<Digest>,
    policies: Vec<PolicySource>,
}

impl PolicySet {
    fn of(world: &World) -> Self {
        let set = world.set(SetKind::Application);
        let in_force = set.in_force();
        Self {
            version: in_force.map_or(Version(0), |it| it.version),
            digest: in_force.map(|it| it.digest),
            policies: set.sources().cloned().collect(),
        }
    }
}

impl Telling for PolicySet {
    fn tell(&self, page: &mut Page) {
        let (count, version) = (self.policies.len(), self.version);
        let Some(digest) = self.digest else { return page.line("no policies are in force") };
        page.line(&format!("version {version}, {count} policies, SHA-256 {digest}"));
        for policy in &self.policies {
            page.blank();
            tell(policy, page);
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct One(PolicySource);

impl Telling for One {
    fn tell(&self, page: &mut Page) {
        tell(&self.0, page);
    }
}

fn tell(policy: &PolicySource, page: &mut Page) {
    match &policy.body {
        PolicyBody::Static { text } | PolicyBody::Template { text } => page.verbatim(text),
        PolicyBody::Link { .. } => {
            page.inked(&format!("{} (a link of a template)", policy.id), Ink::Strong);
            page.line(&json!(policy).to_string());
        }
    }
}

impl Publish {
    fn done(&self) -> Result<PutInForce, Failure> {
        let files = authored::policies(&self.policies)?;
        let schema = self.schema.as_deref().map(authored::text).transpose()?;
        let published = match self.target.target()? {
            Target::Server(client) => self.over(&client, &files, schema),
            Target::Data(folder) => self.on(&folder, &files, schema),
        };
        published.map_err(|refusal| {
            refusal.placing(|fault| placed(fault, &files, self.schema.as_deref()))
        })
    }

    fn over(
        &self,
        client: &Client,
        files: &[NamedText],
        schema: Option<String>,
    ) -> Result<PutInForce, Failure> {
        let sent = files.iter().map(|(name, text)| json!({"name": name, "text": text}));
        let mut body = self.author.body();
        body.insert("files".to_owned(), sent.collect());
        let path = if schema.is_some() { "/schema/v1" } else { "/policies/v1" };
        body.extend(schema.map(|text| ("schema".to_owned(), Value::String(text))));
        client.send(Verb::Put, path, &Value::Object(body))
    }

    fn on(
        &self,
        folder: &Folder,
        files: &[NamedText],
        schema: Option<String>,
    ) -> Result<PutInForce, Failure> {
        let policies = Some(read_files(files)?);
        let operator = folder.operator()?;
        operator.permit(match schema {
            Some(_) => Administration::PublishSchema,
            None => Administration::PublishPolicies,
        })?;
        let (set, message) = (SetKind::Application, self.author.message.clone());
        let draft = Draft { set, schema, policies, message };
        Ok(PutInForce::of(&operator.publish(draft, self.author.expected_version())?))
    }
}
