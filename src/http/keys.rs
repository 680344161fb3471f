//! `/log/v1/keys`: the keys that sign the log, and the one that cosigns others.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use uuid::Uuid;

use super::guard::{Guarded, ManageKeys};
use super::log::LogReader;
use super::{App, Problem, body};
use crate::node::{NodeError, adopt_signing_key, retire_signing_key};
use crate::sequencer::Committed;

/// Lists the verifier keys of the log, oldest first, those retired included; and the key
/// that it cosigns other logs by, if it has one.
///
/// # Errors
/// [`Problem`] only for defects.
pub async fn list(_may: LogReader, app: web::Data<App>) -> Result<HttpResponse, Problem> {
    let world = app.sequencer.world();
    let keys: Vec<_> = world.signing.iter().map(|key| &**key).collect();
    let (origin, witness) = (world.signing.origin(), world.witnessing.key().map(|key| &**key));
    Ok(HttpResponse::Ok().json(json!({"origin": origin, "keys": keys, "witness": witness})))
}

/// Adopts another key; both sign until the old one is retired.
///
/// # Errors
/// [`Problem`]: 409 if enough keys sign already.
pub async fn adopt(
    may: Guarded<ManageKeys>,
    app: web::Data<App>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let origin = may.caller.origin(&request);
    let (sequencer, entropy) = (&app.sequencer, &*app.entropy);
    let adopted = adopt_signing_key(sequencer, &app.vault, entropy, origin, may.expected());
    let (adopted, committed) = adopted.await?;
    published(&app, &committed).await?;
    Ok(HttpResponse::Created().json(adopted))
}

/// Retires a key by its credential's id.
///
/// # Errors
/// [`Problem`]: 404 if it is not in force; 409 if it is the last.
pub async fn retire(
    may: Guarded<ManageKeys>,
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<Uuid>,
) -> Result<HttpResponse, Problem> {
    let origin = may.caller.origin(&request);
    let key = path.into_inner();
    let retired = retire_signing_key(&app.sequencer, origin, may.expected(), key).await?;
    published(&app, &retired).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Waits until what others read is signed by the keys that the answer speaks of.
async fn published(app: &web::Data<App>, committed: &Committed) -> Result<(), Problem> {
    let size = committed.entries.last().map_or(0, |entry| entry.index.next().0);
    let app = app.clone();
    // That it could not be published is told by `/readyz`; the log has adopted the key.
    let _published = body::blocking(move || app.sequencer.publisher().wait_for(size)).await?;
    Ok(())
}

/// What a refusal of a key means to a caller.
pub(super) fn problem(error: &NodeError) -> Option<Problem> {
    let (status, code) = match error {
        NodeError::NoSuchKey(_) => (StatusCode::NOT_FOUND, "not_found"),
        NodeError::LastKey => (StatusCode::CONFLICT, "last_key"),
        NodeError::TooManyKeys(_) => (StatusCode::CONFLICT, "too_many_keys"),
        _ => return None,
    };
    Some(Problem::new(status, code, error.to_string()))
}
