//! `/tokens/v1`: service tokens.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::guard::{Guarded, ManageTokens};
use super::{App, Problem, body};
use crate::authn::services::{self, Maker, NewService};
use crate::entropy::{token, uuid_v7};
use crate::event::SourceBinding;
use crate::model::{Label, Scope, Scopes};
use crate::pdp::vouched;
use crate::projection::{Service, World};

#[derive(Deserialize)]
struct NewToken {
    scopes: Vec<String>,
    #[serde(default)]
    label: Label,
    #[serde(default)]
    binding: Option<SourceBinding>,
}

/// Lists the services whose tokens are in force, oldest first; never the tokens.
pub async fn list(_may: Guarded<ManageTokens>, app: web::Data<App>) -> HttpResponse {
    let world = app.sequencer.world();
    let mut services: Vec<_> = world.services.iter().collect();
    services.sort_by_key(|service| service.id);
    let tokens: Vec<_> = services.into_iter().map(|service| shown(service)).collect();
    HttpResponse::Ok().json(json!({"tokens": tokens}))
}

fn shown(service: &Service) -> Value {
    json!({
        "id": service.id,
        "label": service.label,
        "scopes": service.scopes,
        "binding": service.binding,
        "registered_at": service.registered_at,
    })
}

/// Makes a token and shows it, this once.
///
/// # Errors
/// [`Problem`]: 400 for an unknown scope or a binding that is missing or misplaced.
pub async fn create(
    may: Guarded<ManageTokens>,
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let new: NewToken = body::typed(body::json(&app, &request, payload).await?)?;
    let scopes: Result<Scopes, _> =
        new.scopes.iter().map(|name| name.parse::<Scope>()).collect::<Result<_, _>>();
    let scopes = scopes.map_err(|error| Problem::bad("bad_scope", error.to_string()))?;
    let secret = token(&*app.entropy, "service")?;
    let id = uuid_v7(&*app.entropy, app.clock.now())?;
    let (label, binding) = (new.label, new.binding);
    let service = NewService { id, label, scopes, token: secret.digest(), binding };
    let (actor, presented) = (may.caller.actor(), may.caller.presented());
    let decide = move |world: &World, _| {
        let maker = Maker { actor, session: vouched(world, presented) };
        services::register(world, &service, maker)
    };
    app.sequencer.commit(may.caller.origin(&request), may.expected(), decide).await?;
    let body = json!({"id": id, "token": secret.expose()});
    Ok(HttpResponse::Created().insert_header(("cache-control", "no-store")).json(body))
}

/// Revokes a token; the very next request with it is refused.
///
/// # Errors
/// [`Problem`]: 404 `service_unknown`.
pub async fn revoke(
    may: Guarded<ManageTokens>,
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<Uuid>,
) -> Result<HttpResponse, Problem> {
    let id = path.into_inner();
    let decide = move |world: &World, _| services::revoke(world, id);
    app.sequencer.commit(may.caller.origin(&request), may.expected(), decide).await?;
    Ok(HttpResponse::NoContent().finish())
}
