//! `/policies/v1`: the application policies in force.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::guard::{Guarded, PublishPolicies, ReadPolicies};
use super::{App, Problem, body};
use crate::cedar::Limits;
use crate::model::{Label, PolicyId, PolicySource, SetKind, Version};
use crate::node::{NodeError, publish};
use crate::pap::{self, Changes, Draft};
use crate::sequencer::Committed;

/// A file of policies, as an author keeps them.
#[derive(Clone, Deserialize)]
pub struct PolicyFile {
    /// What messages call it.
    name: String,
    /// Its text.
    text: String,
}

impl PolicyFile {
    /// Its name and its text.
    pub fn into_named(self) -> (String, String) {
        (self.name, self.text)
    }
}

/// A whole new policy set, as files or as single policies.
#[derive(Deserialize)]
struct Publication {
    #[serde(default)]
    files: Vec<PolicyFile>,
    #[serde(default)]
    policies: Vec<PolicySource>,
    #[serde(default)]
    message: Label,
    #[serde(default)]
    expected_version: Option<Version>,
}

/// Shows the whole set in force, and whether one of its forbids that cannot be evaluated
/// denies.
pub async fn list(_may: Guarded<ReadPolicies>, app: web::Data<App>) -> HttpResponse {
    let world = app.sequencer.world();
    let set = world.set(SetKind::Application);
    let in_force = set.in_force();
    HttpResponse::Ok().json(json!({
        "version": in_force.map_or(Version(0), |it| it.version),
        "digest": in_force.map(|it| it.digest),
        "version_digest": world.versions.in_force().map(|it| it.digest),
        "forbid_errors_deny": world.settings.forbid_errors_deny,
        "policies": set.sources().collect::<Vec<_>>(),
    }))
}

/// Shows one policy.
///
/// # Errors
/// 404 if there is none of that name.
pub async fn show(
    _may: Guarded<ReadPolicies>,
    app: web::Data<App>,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let world = app.sequencer.world();
    let id = path.parse::<PolicyId>().ok();
    let found = id.and_then(|id| world.set(SetKind::Application).source(&id).cloned());
    let missing = || Problem::not_found("there is no policy of that name in force");
    Ok(HttpResponse::Ok().json(found.ok_or_else(missing)?))
}

/// Puts a whole new set in force; what it lacks is withdrawn.
///
/// # Errors
/// [`Problem`]: 422 `policy_invalid` with each fault, 409 `version_conflict`,
/// 409 `unchanged`.
pub async fn replace(
    may: Guarded<PublishPolicies>,
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (origin, authority) = (may.caller.origin(&request), Some(may.authority()));
    let node = app.clone();
    let published = body::admitted(&app, async move {
        let new: Publication = body::typed(body::publication(&node, &request, payload).await?)?;
        let files = new.files.clone();
        let policies = sources(new.files, new.policies).await?;
        let (set, message) = (SetKind::Application, new.message);
        let draft = Draft { set, schema: None, policies: Some(policies), message };
        let (sequencer, expected) = (&node.sequencer, new.expected_version);
        let published =
            publish(sequencer, &*node.entropy, origin, authority, draft, expected).await;
        Ok::<_, Problem>(published.map_err(|error| placed(error, &files))?)
    });
    let (recorded, changes) = published.await??;
    Ok(HttpResponse::Ok().json(put_in_force(&recorded, &changes)))
}

/// Reads policies from files and adds those given singly.
///
/// # Errors
/// 422 with each fault.
pub async fn sources(
    files: Vec<PolicyFile>,
    policies: Vec<PolicySource>,
) -> Result<Vec<PolicySource>, Problem> {
    let read = move || {
        let texts: Vec<_> =
            files.iter().map(|file| (file.name.as_str(), file.text.as_str())).collect();
        pap::set_of(&texts, &Limits::default())
    };
    let mut all = body::blocking(read).await?.map_err(pap::Refusal::PolicyInvalid)?;
    all.extend(policies);
    Ok(all)
}

/// The same error with its faults at their places in the author's files.
pub fn placed(error: NodeError, files: &[PolicyFile]) -> NodeError {
    let texts: Vec<_> = files.iter().map(|file| (file.name.as_str(), file.text.as_str())).collect();
    match error {
        NodeError::Policies(refusal) => {
            NodeError::Policies(refusal.placed(&texts, &Limits::default()))
        }
        other => other,
    }
}

/// What an author hears of a publication.
pub fn put_in_force(recorded: &Committed, changes: &Changes) -> Value {
    let set = recorded.world.set(changes.set);
    let (policies, schema) = (set.in_force(), set.schema().map(|(_, version)| version));
    json!({
        "version": policies.map_or(Version(0), |it| it.version),
        "digest": policies.map(|it| it.digest),
        "version_digest": recorded.world.versions.in_force().map(|it| it.digest),
        "schema_version": schema.map_or(Version(0), |it| it.version),
        "count": set.len(),
        "added": changes.added,
        "changed": changes.changed,
        "withdrawn": changes.withdrawn,
        "index": recorded.entries.last().map(|entry| entry.index),
    })
}
