//! `countersign policy publish`: another policy set, in force at once.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::super::authored::{self, NamedText};
use super::super::client::{Client, Verb};
use super::super::console::Console;
use super::super::failure::{Exit, Failure};
use super::super::folder::Folder;
use super::super::publication::{Author, PutInForce, placed, read_files};
use super::super::target::{Target, TargetFlags};
use super::work::tests_hold;
use crate::model::SetKind;
use crate::pap::Draft;
use crate::pdp::Administration;

/// Put a whole new policy set in force; what it lacks is withdrawn
///
/// Every policy is validated against the schema first. If anything is wrong, nothing
/// changes, and each fault is shown with its file and line. Tests that lie beside them must
/// hold first; they are not kept with what is in force: `policy apply` does that.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    countersign policy publish policies/cloud --message 'open the archive' --data ./data")]
pub(super) struct Publish {
    /// Cedar policies: files, or folders of *.cedar files and a links.json
    #[arg(value_name = "DIR|FILE", required = true)]
    policies: Vec<PathBuf>,
    /// A new schema, to come in force together with them
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Do not run the tests that lie beside the policies
    #[arg(long)]
    without_tests: bool,
    #[command(flatten)]
    author: Author,
    #[command(flatten)]
    target: TargetFlags,
}

impl Publish {
    /// Publishes them.
    ///
    /// # Errors
    /// [`Failure`]: a refusal with each fault, or why it could not be asked.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        console.tell(&self.done()?)?;
        Ok(Exit::Fine)
    }

    fn done(&self) -> Result<PutInForce, Failure> {
        let files = authored::policies(&self.policies)?;
        let schema = self.schema.as_deref().map(authored::text).transpose()?;
        let target = self.target.target()?;
        if !self.without_tests {
            let named = self.schema.as_ref().map(|path| path.display().to_string());
            tests_hold(&self.policies, &files, named.zip(schema.clone()), &target)?;
        }
        let published = match target {
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
