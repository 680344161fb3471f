//! `/entities/v1`: the directory.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::guard::{ChangeDirectory, Guarded, ReadPolicies};
use super::{App, Problem, body};
use crate::model::{Label, Uid, Version};
use crate::node::change;
use crate::pip;
use crate::projection::{Change, World};

#[derive(Deserialize)]
struct Changes {
    #[serde(default)]
    put: Vec<Value>,
    #[serde(default)]
    delete: Vec<Uid>,
    #[serde(default)]
    message: Label,
    #[serde(default)]
    expected_version: Option<Version>,
}

/// How a listing is narrowed and continued.
#[derive(Deserialize)]
pub struct Listing {
    r#type: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// Lists entities by type and id, page by page: `cursor` is where the last page
/// ended.
///
/// # Errors
/// 400 for a cursor that is none.
pub async fn list(
    _may: Guarded<ReadPolicies>,
    app: web::Data<App>,
    query: web::Query<Listing>,
) -> Result<HttpResponse, Problem> {
    let most = app.settings.limits.page_items;
    let limit = query.limit.unwrap_or(most).clamp(1, most);
    let after: Option<Uid> = match &query.cursor {
        Some(text) => Some(serde_json::from_str(text).map_err(|_| bad_cursor())?),
        None => None,
    };
    let (world, kind) = (app.sequencer.world(), query.into_inner().r#type);
    let page = move || page(&world, kind.as_deref(), after.as_ref(), limit);
    Ok(HttpResponse::Ok().json(body::blocking(page).await?))
}

fn page(world: &World, kind: Option<&str>, after: Option<&Uid>, limit: usize) -> Value {
    let wanted = |uid: &Uid| {
        kind.is_none_or(|kind| uid.kind().as_str() == kind) && after.is_none_or(|after| uid > after)
    };
    let mut found: Vec<_> =
        world.directory.iter().filter(|node| wanted(&node.document.uid)).collect();
    found.sort_by(|one, other| one.document.uid.cmp(&other.document.uid));
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more).map(|node| &node.document.uid);
    let next = last.and_then(|uid| serde_json::to_string(uid).ok());
    let entities: Vec<_> = found.iter().map(|node| node.document.to_listed_json()).collect();
    json!({"version": world.directory.version(), "entities": entities, "next": next})
}

fn bad_cursor() -> Problem {
    Problem::bad("bad_cursor", "cursor: send the `next` of the page before, as it was")
}

/// Shows one entity.
///
/// # Errors
/// 404 if the directory does not hold it.
pub async fn show(
    _may: Guarded<ReadPolicies>,
    app: web::Data<App>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let missing = || Problem::not_found("the directory holds no such entity");
    let uid = Uid::parse(&path.0, &path.1).map_err(|_| missing())?;
    let world = app.sequencer.world();
    let node = world.directory.get(&uid).ok_or_else(missing)?;
    Ok(HttpResponse::Ok().json(node.document.to_listed_json()))
}

/// Puts and deletes entities, all together or not at all.
///
/// # Errors
/// [`Problem`]: 422 `entity_invalid` with each fault, 409 `version_conflict`.
pub async fn alter(
    may: Guarded<ChangeDirectory>,
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (origin, authority) = (may.caller.origin(&request), Some(may.authority()));
    let node = app.clone();
    let made = body::admitted(&app, async move {
        let new: Changes = body::typed(body::publication(&node, &request, payload).await?)?;
        let documents = pip::read_entities(&Value::Array(new.put))
            .map_err(|error| Problem::bad("bad_entities", format!("put: {error}")))?;
        let deletions = new.delete.into_iter().map(Change::Remove);
        let changes: Vec<_> = documents.into_iter().map(Change::Put).chain(deletions).collect();
        let (count, message, expected) = (changes.len(), new.message, new.expected_version);
        let (sequencer, sealer) = (&node.sequencer, &node.sealer);
        let made = change(sequencer, sealer, origin, authority, changes, message, expected);
        Ok::<_, Problem>((made.await?, count))
    });
    let (recorded, count) = made.await??;
    let version = recorded.world.directory.version();
    Ok(HttpResponse::Ok().json(json!({"version": version, "changed": count})))
}
