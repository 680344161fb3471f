//! `GET /healthz`, `/readyz`, `/metrics`.

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::guard::{Guarded, Scrape};
use super::{App, Problem};
use crate::model::SetKind;
use crate::telemetry::{Metrics, Queue};

/// The process is alive. Says nothing else to nobody in particular.
pub async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "alive"}))
}

/// The node can take decisions and record them.
///
/// # Errors
/// 503 if it cannot, with the reason's code.
pub async fn ready(app: web::Data<App>) -> Result<HttpResponse, Problem> {
    if app.sequencer.failed().is_some() {
        return Err(Problem::unavailable("log_unavailable", "the log cannot be written"));
    }
    if let Some(why) = app.sequencer.publisher().failure() {
        tracing::warn!(%why, "not ready");
        return Err(Problem::unavailable("not_published", "the checkpoint cannot be published"));
    }
    if app.sequencer.no_room() {
        return Err(Problem::no_room("the disk of the log is nearly full: make room"));
    }
    match app.sequencer.world().set(SetKind::System).compiled() {
        Some(Ok(_)) => Ok(HttpResponse::Ok().json(json!({"status": "ready"}))),
        _ => Err(Problem::unavailable("no_policies", "the system policies are not in force")),
    }
}

/// The metrics, for a scraper with the scope `audit`.
///
/// # Errors
/// [`Problem`] only for defects.
pub async fn metrics(
    _caller: Guarded<Scrape>,
    app: web::Data<App>,
) -> Result<HttpResponse, Problem> {
    app.metrics.queue_length(Queue::Sequencer, app.sequencer.queued());
    app.metrics.queue_length(Queue::Hasher, app.hasher.queued());
    let text = app.metrics.render().map_err(|error| Problem::defect(&error))?;
    Ok(HttpResponse::Ok().content_type(Metrics::content_type()).body(text))
}
