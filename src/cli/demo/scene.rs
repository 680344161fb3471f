//! How a step is taken: something is asked over HTTP, and what the log has of it is
//! read with the auditor's token.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::client::{Answer, Client, Verb};
use super::super::failure::Failure;
use super::super::token::NewToken;
use super::account::{Account, Decision, Entry, Reason, Step};
use super::organisation::description;
use crate::audit::describe;
use crate::event::{Actor, decode};
use crate::model::{Digest, Index, PolicyId, SecretToken};

/// Members whose values are not shown.
const SECRETS: [&str; 4] = ["ticket", "password", "mfa_code", "session_token"];

/// The players who are there all the time, and the account of what happens.
pub(super) struct Scene<'s, 'c> {
    account: &'s mut Account<'c>,
    application: Client,
    auditor: Client,
    /// Whose own questions are left out of what is told.
    auditor_id: Uuid,
    /// The first entry that has not been told.
    next: Index,
}

/// Something that is asked for.
pub(super) struct Call<'a> {
    pub(super) title: &'a str,
    pub(super) by: &'a Client,
    pub(super) verb: Verb,
    pub(super) path: &'a str,
    pub(super) body: Value,
    /// The status; for a problem its code behind it, for a session its level.
    pub(super) expected: &'a str,
}

/// Whether an access is allowed, asked by the application.
pub(super) struct Question<'a> {
    pub(super) title: &'a str,
    pub(super) subject: (&'a str, &'a str),
    pub(super) action: &'a str,
    pub(super) resource: (&'a str, &'a str),
    /// The session token that the subject has handed to the application.
    pub(super) session: Option<&'a str>,
    /// What the application says about the circumstances.
    pub(super) context: Value,
    /// The answer, and the policies that determine it.
    pub(super) expected: (bool, &'a [&'a str]),
}

/// The live state, in a digest.
#[derive(Deserialize)]
pub(super) struct State {
    through: Index,
    pub(super) digest: Digest,
}

impl<'s, 'c> Scene<'s, 'c> {
    /// Begins behind what is in the log by now.
    ///
    /// # Errors
    /// [`Failure`] if the auditor cannot ask for that.
    pub(super) fn open(
        account: &'s mut Account<'c>,
        server: &Client,
        application: &NewToken,
        auditor: &NewToken,
    ) -> Result<Self, Failure> {
        let application = server.with_token(Some(token(&application.token)?));
        let auditor_id = auditor.id;
        let auditor = server.with_token(Some(token(&auditor.token)?));
        let mut scene = Self { account, application, auditor, auditor_id, next: Index(0) };
        scene.next = scene.state()?.through.next();
        Ok(scene)
    }

    /// A new part of the story.
    ///
    /// # Errors
    /// If it cannot be told.
    pub(super) fn part(&mut self, title: &str) -> Result<(), Failure> {
        self.account.part(title)
    }

    /// The application, as a caller of other things than decisions.
    pub(super) fn application(&self) -> Client {
        let Self { application, .. } = self;
        application.clone()
    }

    /// The state of the live server.
    ///
    /// # Errors
    /// [`Failure`] if it cannot be asked for.
    pub(super) fn state(&self) -> Result<State, Failure> {
        self.auditor.get("/audit/v1/state", &[])
    }

    /// Takes a step that is not a question about an access.
    ///
    /// # Errors
    /// [`Failure`] if there is no answer at all; a wrong one is in the account.
    pub(super) fn call(&mut self, call: &Call<'_>) -> Result<Answer, Failure> {
        let Call { title, by, verb, path, body, expected } = call;
        let sent = (!body.is_null()).then_some(body);
        let answer = by.ask(*verb, path, sent, &[])?;
        let shown = sent.map(|body| format!(" {}", without_secrets(body))).unwrap_or_default();
        let recorded = self.recorded(None)?;
        self.account.add(Step {
            title: (*title).to_owned(),
            request: format!("{} {path}{shown}", verb.as_str()),
            expected: (*expected).to_owned(),
            answer: in_short(&answer),
            decision: None,
            recorded,
        })?;
        Ok(answer)
    }

    /// Has the application ask whether an access is allowed.
    ///
    /// # Errors
    /// As [`Scene::call`].
    pub(super) fn ask(&mut self, question: &Question<'_>) -> Result<(), Failure> {
        let Question { title, subject, action, resource, session, context, expected } = question;
        let named = |(kind, id): &(&str, &str)| json!({"type": kind, "id": id});
        let mut body = Map::new();
        body.insert("subject".to_owned(), named(subject));
        body.insert("action".to_owned(), json!({"name": action}));
        body.insert("resource".to_owned(), named(resource));
        if !context.is_null() {
            body.insert("context".to_owned(), context.clone());
        }
        let headers: Vec<_> = session.iter().map(|token| ("Countersign-Session", *token)).collect();
        let body = Value::Object(body);
        let path = "/access/v1/evaluation";
        let answer = self.application.ask(Verb::Post, path, Some(&body), &headers)?;
        let id = answer.header("countersign-decision").and_then(|id| id.parse().ok());
        let decision = id.map(|id| self.decision(id, &answer)).transpose()?;
        let told = |allowed: bool, policies: &mut dyn Iterator<Item = &str>| {
            let by: Vec<_> = policies.collect();
            format!("{} [{}]", if allowed { "allow" } else { "deny" }, by.join(", "))
        };
        let given = decision.as_ref().map_or_else(
            || in_short(&answer),
            |it| told(it.allowed, &mut it.because.iter().map(|reason| reason.policy.as_str())),
        );
        let uid = |(kind, id): &(&str, &str)| format!("{kind}::\"{id}\"");
        let circumstances =
            if context.is_null() { String::new() } else { format!(", claiming {context}") };
        let recorded = self.recorded(id)?;
        self.account.add(Step {
            title: (*title).to_owned(),
            request: format!(
                "POST {path}: may {} `{action}` {}{circumstances}?",
                uid(subject),
                uid(resource)
            ),
            expected: told(expected.0, &mut expected.1.iter().copied()),
            answer: given,
            decision,
            recorded,
        })
    }

    /// What the record says of a decision, as the auditor reads it.
    fn decision(&self, id: Uuid, answer: &Answer) -> Result<Decision, Failure> {
        let path = format!("/audit/v1/decisions/{id}");
        let Dossier { entry, policies } = self.auditor.get(&path, &[])?;
        let header = |name| answer.header(name).unwrap_or("?").to_owned();
        Ok(Decision {
            allowed: answer.body.get("decision") == Some(&Value::Bool(true)),
            because: policies.into_iter().map(Reason::from).collect(),
            session: session(entry.data.session.as_ref()),
            index: header("countersign-index"),
            policies: header("countersign-policy-version"),
            durability: header("countersign-durability"),
        })
    }

    /// The entries since the last step, without the auditor's own and without the
    /// decision that is told already.
    fn recorded(&mut self, decision: Option<Uuid>) -> Result<Vec<Entry>, Failure> {
        let mut told = Vec::new();
        let query = [("from", self.next.to_string())];
        for line in self.auditor.lines("/audit/v1/entries", &query)? {
            let entry = decode(self.next, line?.as_bytes())?;
            self.next = self.next.next();
            if entry.actor != Actor::Service(self.auditor_id) && decision != Some(entry.id) {
                told.push(Entry { index: entry.index, what: describe(&entry) });
            }
        }
        Ok(told)
    }
}

/// The part of a dossier that is told.
#[derive(Deserialize)]
struct Dossier {
    entry: Recorded,
    policies: Vec<Policy>,
}

#[derive(Deserialize)]
struct Recorded {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    session: Option<Value>,
}

#[derive(Deserialize)]
struct Policy {
    id: PolicyId,
    source: Option<Value>,
}

impl From<Policy> for Reason {
    fn from(policy: Policy) -> Self {
        let text = policy.source.as_ref().and_then(|it| it.get("text")).and_then(Value::as_str);
        let description = text.and_then(description).map(str::to_owned);
        Self { policy: policy.id, description }
    }
}

/// What was known of the session that was presented.
fn session(presented: Option<&Value>) -> String {
    let text = |name: &str| presented.and_then(|it| it.get(name)).and_then(Value::as_str);
    match text("state") {
        None => "none presented".to_owned(),
        Some("in_force") => {
            let known = presented.cloned().unwrap_or_default();
            let methods = known.get("methods").and_then(Value::as_array).into_iter().flatten();
            let methods: Vec<_> = methods.filter_map(Value::as_str).collect();
            let aal = known.get("aal").and_then(Value::as_u64).unwrap_or_default();
            format!("AAL{aal}, by {}", methods.join(" and "))
        }
        Some("unknown") => "the token presented is no session's".to_owned(),
        Some(state) => state.replace('_', " "),
    }
}

/// An answer in a few words: its status, and what makes it this one.
fn in_short(answer: &Answer) -> String {
    let Answer { status, body, .. } = answer;
    let code = body.get("code").and_then(Value::as_str);
    let aal = body.pointer("/session/aal").and_then(Value::as_u64);
    match (code, aal) {
        (Some(code), _) => format!("{status} {code}"),
        (None, Some(aal)) => format!("{status} AAL{aal}"),
        (None, None) => status.to_string(),
    }
}

fn without_secrets(body: &Value) -> Value {
    let Some(members) = body.as_object() else { return body.clone() };
    let shown = |(name, value): (&String, &Value)| {
        let secret = SECRETS.contains(&name.as_str());
        (name.clone(), if secret { Value::from("…") } else { value.clone() })
    };
    Value::Object(members.iter().map(shown).collect())
}

/// A token as it was shown.
///
/// # Errors
/// If it is none.
pub(super) fn token(text: &str) -> Result<SecretToken, Failure> {
    text.parse().map_err(|_| Failure::could_not_run("the server sent a token that is none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_told() {
        let body = json!({"username": "alice", "password": "a long one", "ticket": "cs_ticket_1"});
        let shown = without_secrets(&body).to_string();
        assert!(shown.contains("alice") && !shown.contains("long") && !shown.contains("cs_"));
    }

    #[test]
    fn a_session_is_told_by_its_strength() {
        let known = json!({"state": "in_force", "aal": 2, "methods": ["otp", "pwd"]});
        assert_eq!(session(Some(&known)), "AAL2, by otp and pwd");
        assert_eq!(session(None), "none presented");
        assert_eq!(session(Some(&json!({"state": "other_subject"}))), "other subject");
    }
}
