//! `GET /audit/v1/decisions/{id}/proof`: a receipt for one decision, to be taken away.

use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use actix_web::{HttpResponse, web};
use uuid::Uuid;

use super::guard::{Guarded, ReadAudit};
use super::{App, Problem, audit, body};
use crate::checkpoint::size_of;
use crate::event_store::receipt;

/// Proves that a decision's entry is in the log, under the checkpoint that is shown to
/// everybody if that reaches it, else under the newest one signed.
///
/// # Errors
/// [`Problem`]: 404 if the log holds no such decision.
pub async fn decision(
    _may: Guarded<ReadAudit>,
    app: web::Data<App>,
    path: web::Path<Uuid>,
) -> Result<HttpResponse, Problem> {
    let id = path.into_inner();
    let work = move || {
        let publisher = app.sequencer.publisher();
        let (shown, newest) = (publisher.shown(), publisher.newest());
        let store = &**app.sequencer.store();
        let (entry, _) = audit::decided(store, &app.sequencer.world(), id)?;
        let reaches = |note: &Arc<str>| size_of(note).is_some_and(|size| size > entry.index.0);
        let note = shown.filter(reaches).or(newest.filter(reaches));
        let unsigned = || Problem::unavailable("not_signed", "the decision is not signed yet");
        let proof = receipt(store, entry.index, &note.ok_or_else(unsigned)?);
        proof.map_err(|error| Problem::defect(&error))
    };
    let proof = body::blocking(work).await??;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "private, no-cache"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{id}.tlog-proof\"")))
        .content_type("text/plain; charset=utf-8")
        .body(proof.to_string()))
}
