//! `countersign explain`: why something was decided, or would be.

mod telling;

use telling::Answer;

use std::path::PathBuf;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::authored::{self, NamedText};
use super::client::{Client, Verb};
use super::console::Console;
use super::evaluate::{OPERATOR, Question};
use super::failure::{Exit, Failure};
use super::folder::{Folder, deeply};
use super::policy::{short, whole};
use super::publication::{placed, read_files};
use super::target::{Target, TargetFlags};
use crate::audit::{At, Explained};
use crate::cedar::Limits;
use crate::clock::{Clock as _, SystemClock};
use crate::event::{Presented, StepUp};
use crate::model::{AccessRequest, Label, Moment, PolicySource, SetKind};
use crate::node::NodeError;
use crate::pap::{self, Draft, VersionWhole};
use crate::pdp::Ask;
use crate::projection::World;

/// Say why something was decided, clause by clause, or why it would be
///
/// Names the policies that decided and, where nothing permits, those that come nearest;
/// of each, which conditions were true, false or in error, with the values they found. A
/// recorded decision is explained in the state of its own moment. With --policies, a draft
/// is asked in place of the policies in force; with --version, any version of them, of
/// whatever time. Nothing of it is recorded, but that you
/// asked a server. Ends with 1 if a decision does not come out again as it is recorded.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign explain 01a2f6c8-5d3e-7b41-9c0a-2f6e8d1b3a57 --data ./data\n  \
    countersign explain --subject 'User::\"alice\"' --action view \\\n    \
      --resource 'Document::\"plan\"' --server https://pdp.example.com\n  \
    countersign explain 01a2f6c8-5d3e-7b41-9c0a-2f6e8d1b3a57 --version 3f9c01ab77de \\\n    \
      --data ./data\n  \
    countersign explain --request request.json --policies policies/cloud --data ./data")]
pub(super) struct Explain {
    /// The decision's id, as the header `Countersign-Decision` or `log` tells it
    #[arg(value_name = "DECISION", conflicts_with_all = ["request", "subject", "action"])]
    decision: Option<Uuid>,
    #[command(flatten)]
    question: Question,
    /// As of when: after this entry, or at this time [default: now]
    #[arg(long, value_name = "INDEX|TIME", conflicts_with = "decision")]
    at: Option<At>,
    /// The id of the session that is presented, as the log has it
    #[arg(long, value_name = "ID", conflicts_with = "decision")]
    session: Option<Uuid>,
    /// The application that asks, as `context.pep` names it
    #[arg(long, value_name = "NAME", conflicts_with = "decision")]
    pep: Option<Label>,
    /// A draft to ask instead: Cedar policies, files or folders of *.cedar files
    #[arg(long, value_name = "DIR|FILE", num_args = 1..)]
    policies: Vec<PathBuf>,
    /// The draft's schema, if it has one of its own
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Ask the policies that were staged then instead
    #[arg(long, conflicts_with_all = ["policies", "schema", "version"])]
    staged: bool,
    /// Ask this version of the policies instead: its digest, or the first digits of it, at
    /// least six
    #[arg(long, value_name = "VERSION", conflicts_with_all = ["policies", "schema"])]
    version: Option<String>,
    #[command(flatten)]
    target: TargetFlags,
}

/// What is asked in place of what is in force.
struct Drafted {
    files: Option<Vec<NamedText>>,
    /// The policies of a version.
    sources: Option<Vec<PolicySource>>,
    schema: Option<String>,
    staged: bool,
}

impl Explain {
    /// Explains, and ends well if what is explained is what was decided.
    ///
    /// # Errors
    /// Usage, for a question that is none; otherwise why it cannot be answered.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        if self.decision.is_none() && !self.question.is_asked() {
            return Err(Failure::usage(
                "nothing to explain: give a decision's id, or a question by --subject, --action \
                 and --resource, or by --request FILE",
            ));
        }
        let target = self.target.target()?;
        let (drafted, asked) = self.drafted(&target)?;
        let explained = match &target {
            Target::Server(client) => self.over(client, &drafted),
            Target::Data(folder) => self.on(folder, &drafted),
        };
        let files = drafted.files.as_deref().unwrap_or_default();
        let explained = explained.map_err(|refusal| {
            refusal.placing(|fault| placed(fault, files, self.schema.as_deref()))
        })?;
        console.tell(&Answer { explained: &explained, asked: &asked })?;
        Ok(if explained.is_doubtful() { Exit::Refused } else { Exit::Fine })
    }

    /// What is asked, and in words.
    fn drafted(&self, target: &Target) -> Result<(Drafted, String), Failure> {
        if let Some(name) = &self.version {
            let VersionWhole { version, schema, policies, .. } = whole(name, target)?;
            let (sources, schema) = (Some(policies), Some(schema));
            let asked = format!("version {}", short(&version.digest));
            return Ok((Drafted { files: None, sources, schema, staged: false }, asked));
        }
        let files = (!self.policies.is_empty()).then(|| authored::policies(&self.policies));
        let schema = self.schema.as_deref().map(authored::text);
        let (files, schema) = (files.transpose()?, schema.transpose()?);
        let asked = if self.staged { "the staged version" } else { "a draft" }.to_owned();
        Ok((Drafted { files, sources: None, schema, staged: self.staged }, asked))
    }

    fn over(&self, client: &Client, drafted: &Drafted) -> Result<Explained, Failure> {
        let mut body = Map::new();
        if let Some(files) = &drafted.files {
            let sent = files.iter().map(|(name, text)| json!({"name": name, "text": text}));
            body.insert("files".to_owned(), sent.collect());
        }
        body.extend(drafted.sources.as_ref().map(|all| ("policies".to_owned(), json!(all))));
        body.extend(drafted.schema.clone().map(|text| ("schema".to_owned(), json!(text))));
        if drafted.staged {
            body.insert("staged".to_owned(), json!(true));
        }
        if let Some(id) = self.decision {
            let path = format!("/audit/v1/decisions/{id}/explain");
            return client.send(Verb::Post, &path, &Value::Object(body));
        }
        body.insert("request".to_owned(), self.question.json()?);
        body.extend(self.at.map(|at| ("at".to_owned(), json!(at.to_string()))));
        body.extend(self.session.map(|session| ("session".to_owned(), json!(session))));
        body.extend(self.pep.clone().map(|pep| ("pep".to_owned(), json!(pep))));
        client.send(Verb::Post, "/audit/v1/explain", &Value::Object(body))
    }

    fn on(&self, folder: &Folder, drafted: &Drafted) -> Result<Explained, Failure> {
        match self.decision {
            Some(id) => deeply(|| recorded(folder, id, drafted)),
            None => self.supposed(folder, drafted),
        }
    }

    fn supposed(&self, folder: &Folder, drafted: &Drafted) -> Result<Explained, Failure> {
        let mut request =
            AccessRequest::from_json(&self.question.json()?).map_err(Failure::usage)?;
        if request.context.remove("session_token").is_some() {
            return Err(Failure::usage("no session token is looked up here: give --session ID"));
        }
        request.takes_supported(StepUp::OBLIGATION);
        let presented = self.session.map_or(Presented::Nothing, Presented::Session);
        let pep = self.pep.clone().map_or_else(|| OPERATOR.to_owned(), |pep| pep.to_string());
        let ask = Ask::access(request, presented, pep);
        deeply(|| {
            let now = SystemClock.now();
            let at = self.at.unwrap_or(At::Time(now));
            let (index, world) = folder.world_at(at)?;
            let written = world.last.map_or(Moment::EPOCH, |(written, _)| written);
            let time = at.time(written, now)?;
            let erasures = folder.world()?.erasures;
            let (world, draft) = drafted.within(world)?;
            Ok(Explained::supposed(&world, index, &ask, time, &erasures, draft))
        })
    }
}

fn recorded(folder: &Folder, id: Uuid, drafted: &Drafted) -> Result<Explained, Failure> {
    let missing = || Failure::refused("not_found", format!("the log holds no decision {id}"));
    let (entry, world, erasures) = folder.decision(id)?.ok_or_else(missing)?;
    let (world, draft) = drafted.within(world)?;
    Explained::recorded(&world, &entry, &erasures, draft).ok_or_else(missing)
}

impl Drafted {
    /// The World with the draft in it, and whether there is any.
    fn within(&self, world: World) -> Result<(World, bool), Failure> {
        if self.staged {
            let none = || Failure::refused("nothing_staged", "nothing was staged then");
            let staged = world.staged().cloned().ok_or_else(none)?;
            return Ok((world.without_staged().supposing(staged), true));
        }
        if self.files.is_none() && self.schema.is_none() {
            return Ok((world, false));
        }
        let read = self.files.as_deref().map(read_files).transpose()?;
        let policies = read.or_else(|| self.sources.clone());
        let (set, message) = (SetKind::Application, Label::default());
        let draft = Draft { set, schema: self.schema.clone(), policies, message };
        let set = pap::supposed(&world, &draft, &Limits::default()).map_err(NodeError::Policies)?;
        Ok((world.without_staged().supposing(set), true))
    }
}
