//! Erasing people and what is personal of entities. Nothing brings it back.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::guard::{Erase, Guarded};
use super::users::username;
use super::{App, Problem, body};
use crate::model::{Index, Label, Uid};
use crate::node::{Erasure, erase_person, erase_subject};
use crate::sequencer::Committed;

#[derive(Deserialize)]
struct Why {
    #[serde(default)]
    reason: Label,
}

#[derive(Deserialize)]
struct Whose {
    subject: Uid,
    #[serde(default)]
    reason: Label,
}

/// `POST /users/v1/{name}/erase`: erases a person.
///
/// # Errors
/// [`Problem`]: 404 `person_unknown`, 409 `person_erased` or `last_administrator`.
pub async fn person(
    may: Guarded<Erase>,
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let name = username(&path)?;
    let Why { reason } = body::typed(body::json(&app, &request, payload).await?)?;
    let erasure = asked(&may, &request, reason);
    let erased =
        erase_person(&app.sequencer, &app.vault, &app.snapshots, name.clone(), erasure).await?;
    Ok(HttpResponse::Ok().json(json!({"erased": name, "index": index(&erased)})))
}

/// `POST /erasures/v1`: erases what is personal of an entity.
///
/// # Errors
/// [`Problem`]: 404 `nothing_personal`.
pub async fn subject(
    may: Guarded<Erase>,
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let Whose { subject, reason } = body::typed(body::json(&app, &request, payload).await?)?;
    let erasure = asked(&may, &request, reason);
    let erased =
        erase_subject(&app.sequencer, &app.vault, &app.snapshots, subject.clone(), erasure).await?;
    Ok(HttpResponse::Ok().json(json!({"erased": subject, "index": index(&erased)})))
}

fn asked(may: &Guarded<Erase>, request: &HttpRequest, reason: Label) -> Erasure {
    let (origin, authority) = (may.caller.origin(request), Some(may.authority()));
    Erasure { origin, authority, reason }
}

/// Where the erasure stands in the log.
fn index(erased: &Committed) -> Option<Index> {
    erased.entries.last().map(|entry| entry.index)
}
