//! `/schema/v1`: the application schema in force.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::guard::{Guarded, PublishSchema, ReadPolicies};
use super::policies::{PolicyFile, placed, put_in_force, sources};
use super::{App, Problem, body};
use crate::model::{Label, PolicySource, SetKind, Version};
use crate::node::publish;
use crate::pap::Draft;

/// A new schema, and the policies to come in force with it where they must change
/// together.
#[derive(Deserialize)]
struct Publication {
    schema: String,
    #[serde(default)]
    files: Vec<PolicyFile>,
    #[serde(default)]
    policies: Vec<PolicySource>,
    #[serde(default)]
    message: Label,
    #[serde(default)]
    expected_version: Option<Version>,
}

/// Shows the schema in force.
///
/// # Errors
/// 404 if there is none.
pub async fn show(
    _may: Guarded<ReadPolicies>,
    app: web::Data<App>,
) -> Result<HttpResponse, Problem> {
    let world = app.sequencer.world();
    let missing = || Problem::not_found("no schema is in force");
    let (text, it) = world.set(SetKind::Application).schema().ok_or_else(missing)?;
    let body = json!({"version": it.version, "digest": it.digest, "schema": text});
    Ok(HttpResponse::Ok().json(body))
}

/// Puts a schema in force, with new policies or under those in force.
///
/// # Errors
/// [`Problem`]: 422 `schema_invalid` or `policy_invalid` with each fault, 409.
pub async fn replace(
    may: Guarded<PublishSchema>,
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (origin, authority) = (may.caller.origin(&request), Some(may.authority()));
    let node = app.clone();
    let published = body::admitted(&app, async move {
        let new: Publication = body::typed(body::publication(&node, &request, payload).await?)?;
        let files = new.files.clone();
        let replaced = !(new.files.is_empty() && new.policies.is_empty());
        let policies = if replaced { Some(sources(new.files, new.policies).await?) } else { None };
        let (set, message) = (SetKind::Application, new.message);
        let draft = Draft { set, schema: Some(new.schema), policies, message };
        let (sequencer, expected) = (&node.sequencer, new.expected_version);
        let published =
            publish(sequencer, &*node.entropy, origin, authority, draft, expected).await;
        Ok::<_, Problem>(published.map_err(|error| placed(error, &files))?)
    });
    let (recorded, changes) = published.await??;
    Ok(HttpResponse::Ok().json(put_in_force(&recorded, &changes)))
}
