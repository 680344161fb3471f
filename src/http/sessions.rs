//! `/auth/v1/sessions`, `/auth/v1/sign-ins` and `/users/v1/{name}/sessions`: who is in,
//! since when and how, and putting them out.

use std::collections::BTreeSet;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::guard::{Guarded, ManageUsers};
use super::mfa::person;
use super::session::gone;
use super::users::{Why, username};
use super::{App, Problem, body};
use crate::audit::describe;
use crate::authn::{Refusal, sessions};
use crate::event::{Envelope, decode};
use crate::event_store::StoreError;
use crate::model::{Index, Username};
use crate::projection::{Remembered, World};
use crate::sequencer::Expected;

#[derive(Deserialize)]
pub(super) struct Which {
    #[serde(default)]
    all: bool,
}

/// Lists the caller's own sessions, whoever vouches for them, oldest first.
///
/// # Errors
/// 401 without one of them; 403 in a session for one thing alone.
pub async fn list(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (_, id, _) = person(&app, &request)?;
    let world = app.sequencer.world();
    Ok(shown(&sessions::list(&world, id, app.sequencer.now(&world))?))
}

fn shown(rows: &[sessions::SessionRow]) -> HttpResponse {
    let body = json!({"sessions": rows});
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(body)
}

/// Ends one of the caller's own sessions; both its tokens are dead with the answer.
///
/// # Errors
/// [`Problem`]: 401, 404 `session_unknown`.
pub async fn end(
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (caller, own, _) = person(&app, &request)?;
    let ended = id(&path)?;
    let decide = move |world: &_, now| sessions::end(world, own, ended, now);
    app.sequencer.commit(caller.origin(&request), Expected::default(), decide).await?;
    Ok(if ended == own { gone(&request) } else { HttpResponse::NoContent().finish() })
}

/// Ends all the caller's other sessions, and with `?all=true` this one too.
///
/// # Errors
/// 401 without one.
pub async fn end_others(
    app: web::Data<App>,
    request: HttpRequest,
    which: web::Query<Which>,
) -> Result<HttpResponse, Problem> {
    let (caller, own, _) = person(&app, &request)?;
    let all = which.all;
    let decide = move |world: &_, now| sessions::end_others(world, own, all, now);
    app.sequencer.commit(caller.origin(&request), Expected::default(), decide).await?;
    Ok(if all { gone(&request) } else { HttpResponse::NoContent().finish() })
}

/// Lists a person's sessions, whoever vouches for them, oldest first.
///
/// # Errors
/// [`Problem`]: 404 `person_unknown`.
pub async fn list_of(
    _may: Guarded<ManageUsers>,
    app: web::Data<App>,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let name = username(&path)?;
    let world = app.sequencer.world();
    Ok(shown(&sessions::list_of(&world, &name, app.sequencer.now(&world))?))
}

/// Ends one session of a person's, for the `reason` of the query, if it has one.
///
/// # Errors
/// [`Problem`]: 404 `person_unknown` or `session_unknown`.
pub async fn end_of(
    may: Guarded<ManageUsers>,
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    why: web::Query<Why>,
) -> Result<HttpResponse, Problem> {
    let (name, ended) = (username(&path.0)?, id(&path.1)?);
    let decide = move |world: &_, _| sessions::end_of(world, &name, Some(ended), &why.reason);
    app.sequencer.commit(may.caller.origin(&request), may.expected(), decide).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Ends every session of a person's, for the `reason` of the query, if it has one.
///
/// # Errors
/// [`Problem`]: 404 `person_unknown`.
pub async fn end_all_of(
    may: Guarded<ManageUsers>,
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<String>,
    why: web::Query<Why>,
) -> Result<HttpResponse, Problem> {
    let name = username(&path)?;
    let decide = move |world: &_, _| sessions::end_of(world, &name, None, &why.reason);
    app.sequencer.commit(may.caller.origin(&request), may.expected(), decide).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The caller's latest sign-ins from the log, and what was refused in their name, newest
/// first: at most 20 of each. Reads these entries and no others.
///
/// # Errors
/// [`Problem`]: 401; 503 if the log cannot be read.
pub async fn sign_ins(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (_, session, name) = person(&app, &request)?;
    let world = app.sequencer.world();
    sessions::list(&world, session, app.sequencer.now(&world))?;
    let rows: Vec<_> = latest(&app, &world, &name).await?.iter().map(row).collect();
    let body = json!({"sign_ins": rows});
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(body))
}

/// The entries of a person's latest sign-ins and refusals, newest first.
///
/// # Errors
/// 503 if the log cannot be read.
pub async fn latest(
    app: &web::Data<App>,
    world: &World,
    name: &Username,
) -> Result<Vec<Envelope>, Problem> {
    let remembered = world.sign_ins.of(name).cloned().unwrap_or_default();
    let app = app.clone();
    let read = move || {
        let store = app.sequencer.store();
        let Remembered { succeeded, refused, .. } = remembered;
        let places: BTreeSet<Index> = succeeded.into_iter().chain(refused).collect();
        let entries = places.into_iter().rev().map(|index| {
            let page = store.read(index, 1, usize::MAX)?;
            Ok::<_, StoreError>(page.first().and_then(|(index, it)| decode(*index, it).ok()))
        });
        entries.filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()
    };
    let unreadable = |error: StoreError| Problem::unavailable("log_unavailable", error.to_string());
    body::blocking(read).await?.map_err(unreadable)
}

fn row(entry: &Envelope) -> Value {
    json!({
        "index": entry.index,
        "time": entry.time,
        "type": entry.event.type_name(),
        "what": describe(entry),
    })
}

/// Reads an id; what is none names nothing.
fn id(text: &str) -> Result<Uuid, Problem> {
    let unknown = || Refusal::SessionUnknown { session: Uuid::nil() };
    text.parse().map_err(|_| unknown().into())
}
