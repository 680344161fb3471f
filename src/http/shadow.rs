//! `/versions/v1/shadow`: what the staged version would have changed so far.

use std::sync::Arc;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};

use super::audit::entry;
use super::guard::{Guarded, ReadAudit, ReadPolicies};
use super::{App, Problem, body};
use crate::audit::ShadowReport;

/// Shows how the decisions since a version was staged compare with what it would have
/// decided, with some that it would decide otherwise. Reads twenty entries at most.
///
/// # Errors
/// [`Problem`]: the log cannot be read.
pub async fn show(
    _may: Guarded<ReadAudit>,
    _also: Guarded<ReadPolicies>,
    app: web::Data<App>,
) -> Result<HttpResponse, Problem> {
    let (world, store) = (app.sequencer.world(), Arc::clone(app.sequencer.store()));
    let read = move || ShadowReport::of(&world, |index| entry(&*store, index).map(|it| it.0));
    let report = body::blocking(read).await??;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(report))
}
