//! A page as an HTTP answer.

use actix_web::HttpResponse;
use actix_web::ResponseError as _;
use actix_web::http::{StatusCode, header};
use maud::Markup;

use super::super::Problem;

/// Nothing but what is served from here, no script or style within a page, no frame around
/// it, no form to anywhere else (ASVS 5.0 V3.4.3, V3.4.6).
pub const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
     img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; \
     base-uri 'none'";

/// A page that no cache keeps and no other site learns of.
pub fn page(status: StatusCode, document: &Markup) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("cross-origin-opener-policy", "same-origin"))
        .insert_header(("cross-origin-resource-policy", "same-origin"))
        .body(document.0.clone())
}

/// Sends the browser to another of our pages.
pub fn see_other(place: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, place))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}

/// The answer with what the problem says to programs, such as when to try again.
pub fn with_headers_of(problem: &Problem, mut answer: HttpResponse) -> HttpResponse {
    if let Some(after) = problem.error_response().headers().get(header::RETRY_AFTER) {
        answer.headers_mut().insert(header::RETRY_AFTER, after.clone());
    }
    answer
}
