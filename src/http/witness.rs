//! `POST /log/v1/add-checkpoint`: this node as a witness of other logs.
//!
//! No token is asked for: what lets a request in is the signature of a log that the
//! settings name. Its answers are the specification's, not problem details; that a log
//! comes too soon is told by 429 and `Retry-After`, of which the specification says nothing.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, web};

use super::request_id::correlation;
use super::{App, Problem, body};
use crate::event::Actor;
use crate::sequencer::{CommitError, Origin};
use crate::tlog::{ADD_CHECKPOINT_BYTES_MAX, AddCheckpoint, WitnessRefusal};

/// Cosigns a checkpoint that has grown out of the one cosigned last; that it did is on
/// record before the answer leaves.
///
/// # Errors
/// [`Problem`] where it could not be read or recorded, or too many wait for the writer.
///
/// # Source
/// c2sp.org/tlog-witness, “add-checkpoint”.
pub async fn add_checkpoint(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let sent = body::whole(payload, ADD_CHECKPOINT_BYTES_MAX).await?;
    let sent = std::str::from_utf8(&sent).map_err(|_| WitnessRefusal::Malformed);
    let asked = match sent.and_then(str::parse::<AddCheckpoint>) {
        Ok(asked) => asked,
        Err(refusal) => return Ok(refused(refusal)),
    };
    let origin = Origin::of(Actor::Anonymous, correlation(&request));
    match app.cosigner.cosign(&app.sequencer, origin, asked).await {
        Ok(line) => Ok(answer(StatusCode::OK, "text/plain; charset=utf-8", format!("{line}\n"))),
        Err(CommitError::Refused(refusal)) => Ok(refused(refusal)),
        Err(error) => Err(error.into()),
    }
}

fn refused(refusal: WitnessRefusal) -> HttpResponse {
    let (media_type, body) = refusal.body();
    let mut answer = answer(status(refusal), media_type, body);
    if let Some(seconds) = refusal.retry_after_s() {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

fn status(refusal: WitnessRefusal) -> StatusCode {
    StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST)
}

fn answer(status: StatusCode, media_type: &'static str, body: String) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    answer.insert_header((CONTENT_TYPE, media_type)).insert_header((CACHE_CONTROL, "no-store"));
    answer.body(body)
}

impl From<WitnessRefusal> for Problem {
    /// What a refusal would be among our own errors.
    fn from(refusal: WitnessRefusal) -> Self {
        let problem = Self::new(status(refusal), "not_cosigned", refusal.to_string());
        match refusal.retry_after_s() {
            Some(seconds) => problem.retry_after(seconds),
            None => problem,
        }
    }
}
