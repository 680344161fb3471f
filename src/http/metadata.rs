//! `GET /.well-known/authzen-configuration`: `AuthZEN` 1.0 §9.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde_json::json;

use super::App;
use crate::event::StepUp;

/// Where this PDP's endpoints are. The base is the configured public URL, never
/// the `Host` header.
pub async fn metadata(app: web::Data<App>) -> HttpResponse {
    let base = base_url(&app);
    let body = json!({
        "policy_decision_point": base,
        "access_evaluation_endpoint": format!("{base}/access/v1/evaluation"),
        "access_evaluations_endpoint": format!("{base}/access/v1/evaluations"),
        "supported_obligations": [StepUp::OBLIGATION],
    });
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"))
        .content_type("application/json")
        .body(body.to_string())
}

/// The configured public URL; without one, the address listened on, which only
/// callers on this machine can use.
fn base_url(app: &App) -> String {
    let settings = &app.settings;
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    let local = || format!("{scheme}://{}", app.address());
    settings.public_url.as_ref().map_or_else(local, |url| url.as_str().to_owned())
}
