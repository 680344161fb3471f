//! `/auth/v1/authenticators`: what a person signs in with, shown, named, removed.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::mfa::person;
use super::{App, Problem, body, sealed};
use crate::authn::Refusal;
use crate::authn::authenticators;
use crate::model::Label;
use crate::sequencer::Expected;

#[derive(Deserialize)]
struct Rename {
    label: Label,
}

/// Lists what the caller signs in with.
///
/// # Errors
/// [`Problem`]: 401; 403 in a session for one thing alone.
pub async fn list(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (_, session, _) = person(&app, &request)?;
    let world = app.sequencer.world();
    let all = authenticators::list(&world, session, app.sequencer.now(&world))?;
    let body = json!({"authenticators": all});
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(body))
}

/// Gives one another name.
///
/// # Errors
/// [`Problem`]: 401, 403 `assurance_too_low`, 404 `authenticator_unknown`, 422 `not_named`,
/// 429 `throttled`.
pub async fn rename(
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (caller, session, _) = person(&app, &request)?;
    let Rename { label } = body::typed(body::json(&app, &request, payload).await?)?;
    let id = id(&path)?;
    app.pace.change(session, app.clock.now())?;
    let decide = move |world: &_, now| authenticators::rename(world, session, id, label, now);
    app.sequencer.commit(caller.origin(&request), Expected::default(), decide).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Removes one for good; every other session of the caller's ends.
///
/// # Errors
/// [`Problem`]: 401, 403 `assurance_too_low` or `reauthentication_required`, 404
/// `authenticator_unknown`, 409 `password_required` or `password_too_short_alone`.
pub async fn remove(
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (caller, session, name) = person(&app, &request)?;
    let id = id(&path)?;
    let decide = move |world: &_, now| authenticators::remove(world, session, id, now);
    sealed::record(&app, caller.origin(&request), &name, decide).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Reads an id; what is none names nothing.
fn id(text: &str) -> Result<Uuid, Problem> {
    let unknown = || Refusal::AuthenticatorUnknown { authenticator: Uuid::nil() };
    text.parse().map_err(|_| unknown().into())
}
