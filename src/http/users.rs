//! `/users/v1`: who may log in.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::guard::{Guarded, ManageUsers};
use super::{App, Problem, body};
use crate::authn::Refusal;
use crate::authn::persons::{self, NewPerson};
use crate::entropy::token;
use crate::event::Event;
use crate::model::{Label, Moment, SecretToken, Username};
use crate::projection::{Person, World};
use crate::sequencer::Committed;

#[derive(Deserialize)]
struct NewUser {
    name: String,
    #[serde(default)]
    roles: Vec<Label>,
}

#[derive(Default, Deserialize)]
pub(super) struct Why {
    #[serde(default)]
    pub(super) reason: Label,
}

/// Lists the persons, by name.
pub async fn list(_may: Guarded<ManageUsers>, app: web::Data<App>) -> HttpResponse {
    let world = app.sequencer.world();
    let mut persons: Vec<_> = world.identities.iter().collect();
    persons.sort_by(|one, other| one.name.cmp(&other.name));
    let users: Vec<_> = persons.into_iter().map(|person| shown(person)).collect();
    HttpResponse::Ok().json(json!({"users": users}))
}

fn shown(person: &Person) -> Value {
    let imported = person.password.as_ref().and_then(|password| password.imported);
    let compromised = person.password.as_ref().is_some_and(|password| password.compromised);
    let mut shown = json!({
        "name": person.name,
        "roles": person.roles,
        "disabled": person.disabled,
        "password": person.password.is_some(),
        "totp": !person.totps.is_empty(),
        "passkeys": person.usable_passkeys().count(),
        "registered_at": person.registered_at,
    });
    if let Some(members) = shown.as_object_mut() {
        // Only of those whom they say something about.
        members.extend(imported.map(|scheme| ("password_imported".to_owned(), json!(scheme))));
        let compromised = compromised.then(|| ("password_compromised".to_owned(), json!(true)));
        members.extend(compromised);
    }
    shown
}

/// Makes a person known and issues their enrolment ticket.
///
/// # Errors
/// [`Problem`]: 409 `person_exists`, 422 for an unknown role.
pub async fn create(
    may: Guarded<ManageUsers>,
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let NewUser { name, roles } = body::typed(body::json(&app, &request, payload).await?)?;
    let name = username(&name)?;
    let ticket = token(&*app.entropy, "ticket")?;
    let person = NewPerson { name: name.clone(), roles, ticket: Some(ticket.digest()) };
    let decide = move |world: &World, now| persons::register(world, &person, now);
    let recorded =
        app.sequencer.commit(may.caller.origin(&request), may.expected(), decide).await?;
    Ok(issued(&name, &ticket, &recorded))
}

/// Issues a new ticket, for a reason if the body has one; an open one is void.
///
/// # Errors
/// [`Problem`]: 404 `person_unknown`.
pub async fn issue_ticket(
    may: Guarded<ManageUsers>,
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let name = username(&path)?;
    let body = body::json_if_any(&app, &request, payload).await?;
    let Why { reason } = body.map_or_else(|| Ok(Why::default()), body::typed)?;
    let ticket = token(&*app.entropy, "ticket")?;
    let (person, digest) = (name.clone(), ticket.digest());
    let decide =
        move |world: &World, now| persons::issue_ticket(world, &person, digest, reason, now);
    let recorded =
        app.sequencer.commit(may.caller.origin(&request), may.expected(), decide).await?;
    Ok(issued(&name, &ticket, &recorded))
}

pub(super) fn issued(name: &Username, ticket: &SecretToken, recorded: &Committed) -> HttpResponse {
    let expires_at: Option<Moment> = recorded.entries.iter().find_map(|entry| match &entry.event {
        Event::TicketIssued(issued) => Some(issued.expires_at),
        _ => None,
    });
    let body = json!({"name": name, "ticket": ticket.expose(), "expires_at": expires_at});
    HttpResponse::Created().insert_header(("cache-control", "no-store")).json(body)
}

/// Shuts a person out and ends their sessions.
///
/// # Errors
/// [`Problem`]: 404 `person_unknown`, 409 `last_administrator`.
pub async fn disable(
    may: Guarded<ManageUsers>,
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let name = username(&path)?;
    let Why { reason } = body::typed(body::json(&app, &request, payload).await?)?;
    let decide = move |world: &World, _| persons::disable(world, &name, reason);
    done(&app, &may, &request, decide).await
}

/// Takes a person's password for known to others: their sessions end, and the next login
/// opens no more than a session for setting another one.
///
/// # Errors
/// [`Problem`]: 404 `person_unknown`, 409 `person_disabled` or `password_not_in_use`.
pub async fn password_compromised(
    may: Guarded<ManageUsers>,
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let name = username(&path)?;
    let Why { reason } = body::typed(body::json(&app, &request, payload).await?)?;
    let decide = move |world: &World, _| persons::password_compromised(world, &name, reason);
    done(&app, &may, &request, decide).await
}

/// Grants an administrative role.
///
/// # Errors
/// [`Problem`]: 404 `person_unknown`, 422 for an unknown role.
pub async fn grant(
    may: Guarded<ManageUsers>,
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (name, role) = (username(&path.0)?, role(&path.1)?);
    let decide = move |world: &World, _| persons::grant_role(world, &name, &role);
    done(&app, &may, &request, decide).await
}

/// Takes an administrative role back.
///
/// # Errors
/// [`Problem`]: 404 `person_unknown`, 409 `last_administrator`.
pub async fn revoke(
    may: Guarded<ManageUsers>,
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (name, role) = (username(&path.0)?, role(&path.1)?);
    let decide = move |world: &World, _| persons::revoke_role(world, &name, &role);
    done(&app, &may, &request, decide).await
}

async fn done(
    app: &App,
    may: &Guarded<ManageUsers>,
    request: &HttpRequest,
    decide: impl FnOnce(&World, Moment) -> Result<Vec<Event>, Refusal> + Send + 'static,
) -> Result<HttpResponse, Problem> {
    app.sequencer.commit(may.caller.origin(request), may.expected(), decide).await?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) fn username(text: &str) -> Result<Username, Problem> {
    text.parse()
        .map_err(|error: crate::model::NotAName| Problem::bad("bad_name", error.to_string()))
}

fn role(text: &str) -> Result<Label, Problem> {
    text.parse()
        .map_err(|error: crate::model::NotAName| Problem::bad("bad_role", error.to_string()))
}
