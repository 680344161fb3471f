//! A body that is JSON, as RFC 7493 wants it, within the limits.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, web};
use serde::de::DeserializeOwned;
use serde_json::Value;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::{App, Problem};
use crate::model::{JsonError, JsonLimits, parse_json};

/// What is read on the worker that received it, in bytes; more would keep others waiting.
const SMALL_BYTES: usize = 1 << 20;
/// How long a body may take to arrive, in seconds.
const ARRIVAL_S: u64 = 30;

/// Reads a JSON body of the ordinary size.
///
/// # Errors
/// [`Problem`]: another content type, too long, or not strict JSON.
pub async fn json(
    app: &App,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Value, Problem> {
    read(app, request, payload, app.settings.limits.body_bytes).await
}

/// Reads a JSON body of the ordinary size as `read` does.
///
/// # Errors
/// Those of [`json`].
pub async fn json_as<T: Send + 'static>(
    app: &App,
    request: &HttpRequest,
    payload: web::Payload,
    read: impl FnOnce(&[u8], JsonLimits) -> Result<T, JsonError> + Send + 'static,
) -> Result<T, Problem> {
    expect_json(request)?;
    let bytes = app.settings.limits.body_bytes;
    parsed_as(app, whole(payload, bytes).await?, bytes, read).await
}

/// Reads the JSON body of a publication, which may be larger.
///
/// # Errors
/// Those of [`json`].
pub async fn publication(
    app: &App,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Value, Problem> {
    read(app, request, payload, app.settings.limits.publish_body_bytes).await
}

/// Reads the JSON body of a publication if there is any.
///
/// # Errors
/// Those of [`json`].
pub async fn publication_if_any(
    app: &App,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Option<Value>, Problem> {
    read_if_any(app, request, payload, app.settings.limits.publish_body_bytes).await
}

/// Reads a JSON body if there is any.
///
/// # Errors
/// Those of [`json`].
pub async fn json_if_any(
    app: &App,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Option<Value>, Problem> {
    read_if_any(app, request, payload, app.settings.limits.body_bytes).await
}

async fn read_if_any(
    app: &App,
    request: &HttpRequest,
    payload: web::Payload,
    bytes: usize,
) -> Result<Option<Value>, Problem> {
    let body = whole(payload, bytes).await?;
    if body.is_empty() {
        return Ok(None);
    }
    expect_json(request)?;
    parsed(app, body, bytes).await.map(Some)
}

/// Reads a body as it is, whatever it claims to be.
///
/// # Errors
/// [`Problem`]: too long, too slow, or not all of it came.
pub async fn whole(payload: web::Payload, bytes: usize) -> Result<web::Bytes, Problem> {
    let whole = timeout(Duration::from_secs(ARRIVAL_S), payload.to_bytes_limited(bytes)).await;
    let late =
        |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the body came too slowly");
    match whole.map_err(late)? {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(Problem::bad("bad_body", "the body did not arrive whole")),
        Err(_) => Err(Problem::too_large(bytes)),
    }
}

/// Reads a body's members. The error names a missing or mistyped member, never
/// its value.
///
/// # Errors
/// 400 with the member's name.
pub fn typed<T: DeserializeOwned>(body: Value) -> Result<T, Problem> {
    if !body.is_object() {
        return Err(Problem::bad("bad_request", "body: expected an object"));
    }
    serde_json::from_value(body).map_err(|error| {
        let text = error.to_string();
        // serde quotes what it found; a member typed wrongly may be a secret.
        let safe = text.starts_with("missing field") || text.starts_with("unknown field");
        let detail = if safe { text } else { "a member has the wrong type".to_owned() };
        Problem::bad("bad_request", detail)
    })
}

/// Runs what blocks on the disk or computes for long on a thread for such work.
///
/// # Errors
/// 500 if it panicked.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    web::block(work).await.map_err(|_| Problem::defect(&"blocking work did not come to an end"))
}

/// Sees a publication through, a few at a time, from before its body is read: those that wait
/// are not in memory. Who hangs up neither stops it nor makes room for another.
///
/// # Errors
/// 503 while enough others are being admitted; 500 if it panicked.
pub async fn admitted<T: 'static>(
    app: &App,
    work: impl Future<Output = T> + 'static,
) -> Result<T, Problem> {
    let busy = |_| Problem::unavailable("busy", "other publications are being admitted; try again");
    let held = Arc::clone(&app.admitting).try_acquire_owned().map_err(busy)?;
    seen_through(held, work).await
}

/// The same for what puts nothing in force, such as a check: apart from publications, so that
/// none of these ever waits for it.
///
/// # Errors
/// 503 while enough others are being checked; 500 if it panicked.
pub async fn checked<T: 'static>(
    app: &App,
    work: impl Future<Output = T> + 'static,
) -> Result<T, Problem> {
    let busy = |_| Problem::unavailable("busy", "other drafts are being checked; try again");
    let held = Arc::clone(&app.checking).try_acquire_owned().map_err(busy)?;
    seen_through(held, work).await
}

/// The same for what cannot wait for a quieter time, such as going back: it waits for its
/// turn, behind a few compilations at most.
///
/// # Errors
/// 500 if it panicked.
pub async fn in_turn<T: 'static>(
    app: &App,
    work: impl Future<Output = T> + 'static,
) -> Result<T, Problem> {
    let closed = |_| Problem::defect(&"publications are no longer admitted");
    let held = Arc::clone(&app.going_back).acquire_owned().await.map_err(closed)?;
    seen_through(held, work).await
}

/// Reads what belongs to work that takes a permit, under that permit, and hands both on. Who
/// hangs up does not make room for another body while this one is in memory.
///
/// # Errors
/// Those of `read`; 500 if it panicked.
pub async fn holding<T: 'static>(
    held: OwnedSemaphorePermit,
    read: impl Future<Output = Result<T, Problem>> + 'static,
) -> Result<(OwnedSemaphorePermit, T), Problem> {
    let whole = actix_web::rt::spawn(async move { read.await.map(|read| (held, read)) });
    whole.await.map_err(|_| Problem::defect(&"a body was not read to its end"))?
}

async fn seen_through<T: 'static>(
    held: OwnedSemaphorePermit,
    work: impl Future<Output = T> + 'static,
) -> Result<T, Problem> {
    let seen_through = actix_web::rt::spawn(async move {
        let _held = held;
        work.await
    });
    seen_through.await.map_err(|_| Problem::defect(&"a publication did not come to an end"))
}

async fn read(
    app: &App,
    request: &HttpRequest,
    payload: web::Payload,
    bytes: usize,
) -> Result<Value, Problem> {
    expect_json(request)?;
    parsed(app, whole(payload, bytes).await?, bytes).await
}

async fn parsed(app: &App, body: web::Bytes, bytes: usize) -> Result<Value, Problem> {
    parsed_as(app, body, bytes, parse_json).await
}

async fn parsed_as<T: Send + 'static>(
    app: &App,
    body: web::Bytes,
    bytes: usize,
    read: impl FnOnce(&[u8], JsonLimits) -> Result<T, JsonError> + Send + 'static,
) -> Result<T, Problem> {
    let limits = JsonLimits { bytes, depth: app.settings.limits.json_depth };
    if body.len() > SMALL_BYTES {
        return Ok(blocking(move || read(&body, limits)).await??);
    }
    Ok(read(&body, limits)?)
}

fn expect_json(request: &HttpRequest) -> Result<(), Problem> {
    let given = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = given.and_then(|text| text.split(';').next()).map(str::trim);
    let json =
        ["application/json", "application/cloudevents+json", "application/cloudevents-batch+json"];
    if essence.is_some_and(|kind| json.iter().any(|known| kind.eq_ignore_ascii_case(known))) {
        Ok(())
    } else {
        Err(Problem::bad("content_type", "send the body with `Content-Type: application/json`"))
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::fixture;
    use super::*;

    /// Goal: whoever may only draft policies cannot keep others from publishing.
    #[actix_web::test]
    async fn no_publication_waits_for_a_check() {
        let data = TempDir::new().unwrap();
        let schema = "entity User; entity Doc; \
                      action view appliesTo { principal: [User], resource: [Doc] };";
        let policies = "@id(\"all\") permit (principal, action, resource);";
        let app = fixture::app(&data, &[], (schema, policies)).await;
        let all = u32::try_from(app.checking.available_permits()).unwrap();
        let _checks = Arc::clone(&app.checking).try_acquire_many_owned(all).unwrap();
        assert_eq!(checked(&app, async {}).await.unwrap_err().code(), "busy");
        assert!(admitted(&app, async {}).await.is_ok());
        assert!(in_turn(&app, async {}).await.is_ok());
    }
}
