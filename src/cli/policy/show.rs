//! `countersign policy show`: the policies in force.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::client::encoded;
use super::super::console::{Console, Telling};
use super::super::failure::{Exit, Failure};
use super::super::page::{Ink, Page};
use super::super::target::{Target, TargetFlags};
use super::told::short;
use crate::model::{Digest, PolicyBody, PolicyId, PolicySource, SetKind, Version};
use crate::projection::World;

/// Show the policies in force, or one of them
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  countersign policy show wall-data --data ./data")]
pub(super) struct Show {
    /// The policy's `@id`
    id: Option<PolicyId>,
    #[command(flatten)]
    target: TargetFlags,
}

impl Show {
    /// Shows them.
    ///
    /// # Errors
    /// [`Failure`]: there is none of that name, or it could not be asked.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        match &self.id {
            Some(id) => console.tell(&one(id, &self.target)?)?,
            None => console.tell(&all(&self.target)?)?,
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
    #[serde(default)]
    version_digest: Option<Digest>,
    policies: Vec<PolicySource>,
}

impl PolicySet {
    fn of(world: &World) -> Self {
        let set = world.set(SetKind::Application);
        let in_force = set.in_force();
        Self {
            version: in_force.map_or(Version(0), |it| it.version),
            digest: in_force.map(|it| it.digest),
            version_digest: world.versions.in_force().map(|it| it.digest),
            policies: set.sources().cloned().collect(),
        }
    }
}

impl Telling for PolicySet {
    fn tell(&self, page: &mut Page) {
        let (count, number) = (self.policies.len(), self.version);
        let Some(digest) = self.digest else { return page.line("no policies are in force") };
        let version = self.version_digest.as_ref().map_or_else(
            || format!("version number {number}"),
            |version| format!("version {}, in force as number {number}", short(version)),
        );
        page.line(&format!("{version}: {count} policies"));
        page.line(&format!("decisions name these policies by SHA-256 {digest}"));
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

/// One policy, as its author wrote it.
pub(super) fn tell(policy: &PolicySource, page: &mut Page) {
    match &policy.body {
        PolicyBody::Static { text } | PolicyBody::Template { text } => page.verbatim(text),
        PolicyBody::Link { .. } => {
            page.inked(&format!("{} (a link of a template)", policy.id), Ink::Strong);
            page.line(&json!(policy).to_string());
        }
    }
}
