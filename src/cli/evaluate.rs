//! `countersign evaluate`: what would have been decided then.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use uuid::Uuid;

use super::authored;
use super::client::{Client, Verb, encoded};
use super::console::{Console, Telling};
use super::failure::{Exit, Failure};
use super::folder::{Folder, deeply};
use super::page::{Ink, Page, second};
use super::target::{Target, TargetFlags};
use crate::audit::{AsOf, At};
use crate::clock::{Clock as _, SystemClock};
use crate::event::{Presented, StepUp};
use crate::model::{AccessRequest, Moment};
use crate::pdp::{Ask, decide_as_of};

/// Who is said to ask where nobody is named: whoever may read the directory's files.
pub(super) const OPERATOR: &str = "local-operator";

/// Ask what would have been decided at some past moment
///
/// Decides in the state that the log had then: its policies, its directory, the sessions
/// that were in force. Nothing of it is recorded, so no application may act on it; over a
/// server, the log holds that you asked.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign evaluate --subject 'User::\"alice\"' --action read \\\n    \
      --resource 'Document::\"plan\"' --at 2026-11-22T12:00:00Z --data ./data\n  \
    countersign evaluate --request request.json --at 812 --server https://pdp.example.com")]
pub(super) struct Evaluate {
    /// As of when: after this entry, or at this time
    #[arg(long, value_name = "INDEX|TIME")]
    at: At,
    #[command(flatten)]
    question: Question,
    /// The id of the session that is presented, as the log has it
    #[arg(long, value_name = "ID")]
    session: Option<Uuid>,
    /// The application that asks, as `context.pep` names it
    #[arg(long, value_name = "NAME")]
    pep: Option<String>,
    #[command(flatten)]
    target: TargetFlags,
}

/// A question, on the command line.
#[derive(clap::Args, Debug)]
pub(super) struct Question {
    /// Who, as `TYPE::"ID"`
    #[arg(long, value_name = "ENTITY", requires_all = ["action", "resource"])]
    subject: Option<String>,
    /// May do what
    #[arg(long, value_name = "NAME", requires = "subject")]
    action: Option<String>,
    /// To what, as `TYPE::"ID"`
    #[arg(long, value_name = "ENTITY", requires = "subject")]
    resource: Option<String>,
    /// The context, a JSON object
    #[arg(long, value_name = "JSON", requires = "subject")]
    context: Option<String>,
    /// File with a whole AuthZEN request, in place of the four above
    #[arg(long, value_name = "FILE", conflicts_with_all = ["subject", "action", "resource"])]
    request: Option<PathBuf>,
}

impl Evaluate {
    /// Asks, and tells the answer, whichever it is.
    ///
    /// # Errors
    /// Usage, for a question that is none; otherwise why it cannot be answered.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let question = self.question.json()?;
        let answer = match self.target.target()? {
            Target::Server(client) => self.of_server(&client, &question)?,
            Target::Data(folder) => self.of_folder(&folder, &question)?,
        };
        console.tell(&answer)?;
        Ok(Exit::Fine)
    }

    fn of_server(&self, client: &Client, question: &Value) -> Result<AsOf, Failure> {
        let at = self.at.to_string();
        let session = self.session.map(|session| ("session", session.to_string()));
        let pep = self.pep.clone().map(|pep| ("pep", pep));
        let pairs = [Some(("at", at)), session, pep].into_iter().flatten();
        let query: Vec<_> =
            pairs.map(|(name, value)| format!("{name}={}", encoded(&value))).collect();
        client.send(Verb::Post, &format!("/audit/v1/evaluation?{}", query.join("&")), question)
    }

    fn of_folder(&self, folder: &Folder, question: &Value) -> Result<AsOf, Failure> {
        let mut request = AccessRequest::from_json(question).map_err(Failure::usage)?;
        if request.context.remove("session_token").is_some() {
            return Err(Failure::usage("no session token is looked up here: give --session ID"));
        }
        let presented = self.session.map_or(Presented::Nothing, Presented::Session);
        let pep = self.pep.clone().unwrap_or_else(|| OPERATOR.to_owned());
        request.takes_supported(StepUp::OBLIGATION);
        // Who asks about the past wants to know why; what a PEP asked for counts for a PEP.
        let ask = Ask { step_up: true, ..Ask::access(request, presented, pep) };
        deeply(|| {
            let (index, world) = folder.world_at(self.at)?;
            let written = world.last.map_or(Moment::EPOCH, |(written, _)| written);
            let time = self.at.time(written, SystemClock.now())?;
            let taken = decide_as_of(&world, &ask, time);
            AsOf::new(index, taken).map_err(|unseen| Failure::refused("unseen", unseen))
        })
    }
}

impl Question {
    /// True if there is any.
    pub(super) const fn is_asked(&self) -> bool {
        self.request.is_some() || self.subject.is_some()
    }

    /// The question as an AuthZEN request.
    ///
    /// # Errors
    /// Usage, if it is none; could not run, for a file that cannot be read.
    pub(super) fn json(&self) -> Result<Value, Failure> {
        if let Some(path) = &self.request {
            return request_in(path);
        }
        let (subject, resource) =
            (entity(self.subject.as_deref()), entity(self.resource.as_deref()));
        let context = match self.context.as_deref().map(serde_json::from_str::<Value>) {
            None => json!({}),
            Some(Ok(context @ Value::Object(_))) => context,
            Some(_) => return Err(Failure::usage("--context: expected a JSON object")),
        };
        Ok(json!({
            "subject": subject.ok_or_else(|| not_an_entity("--subject"))?,
            "action": { "name": self.action },
            "resource": resource.ok_or_else(|| not_an_entity("--resource"))?,
            "context": context,
        }))
    }
}

fn request_in(path: &Path) -> Result<Value, Failure> {
    let unfit = |why: String| Failure::usage(format!("`{}`: {why}", path.display()));
    serde_json::from_str(&authored::text(path)?).map_err(|error| unfit(error.to_string()))
}

/// Reads `TYPE::"ID"`; what is between the first and the last quotation mark is the id.
fn entity(text: Option<&str>) -> Option<Value> {
    let (kind, id) = text?.strip_suffix('"')?.split_once("::\"")?;
    (!kind.is_empty()).then(|| json!({"type": kind, "id": id}))
}

fn not_an_entity(flag: &str) -> Failure {
    Failure::usage(format!("{flag}: expected an entity such as `User::\"alice\"`"))
}

impl Telling for AsOf {
    fn tell(&self, page: &mut Page) {
        let (answer, ink) = if self.decision { ("allow", Ink::Good) } else { ("deny", Ink::Bad) };
        page.field_in("decision", answer, ink);
        let then = self.context.as_of;
        page.field("as of", &format!("entry {}, {} UTC", then.index, second(then.time)));
        for (name, said) in &self.context.members {
            page.field(name, &plain(said));
        }
    }
}

/// Names in a row as they are, a policy set by its number, anything else as JSON.
fn plain(said: &Value) -> String {
    if let (Some(version), Some(digest)) = (said.get("version"), said.get("digest")) {
        return format!("number {version}, SHA-256 {}", digest.as_str().unwrap_or_default());
    }
    let names =
        said.as_array().map(|all| all.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
    match (names.flatten(), said) {
        (Some(names), _) => names.join(", "),
        (None, Value::String(text)) => text.clone(),
        (None, other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_is_written_as_cedar_writes_it() {
        let read = |text| entity(Some(text));
        assert_eq!(read("User::\"alice\""), Some(json!({"type": "User", "id": "alice"})));
        assert_eq!(read("A::B::\"c::\"d\""), Some(json!({"type": "A::B", "id": "c::\"d"})));
        for wrong in ["", "alice", "User::alice", "User:\"alice\"", "::\"alice\"", "User::\"a"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
