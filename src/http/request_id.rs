//! `X-Request-ID`: echoed on every answer, made where the caller sends none.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpRequest, web};

use super::App;
use crate::entropy::uuid_v7;

/// The header's name (`AuthZEN` Authorization API 1.0 §10.1.3).
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is recorded with events, in bytes.
const RECORDED_BYTES_MAX: usize = 128;

/// How this request is named in the log.
#[derive(Clone, Debug)]
struct Correlation(Option<String>);

/// Puts the request's id on its answer, whatever the answer is.
///
/// # Errors
/// Those of the rest of the chain.
pub async fn echo(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    // An empty one names nothing, in the log or for the caller.
    let sent = request.headers().get(X_REQUEST_ID).filter(|id| !id.is_empty()).cloned();
    let id = sent.or_else(|| fresh(&request));
    request.extensions_mut().insert(Correlation(id.as_ref().and_then(recorded)));
    let mut answer = next.call(request).await?;
    if let Some(id) = id {
        answer.headers_mut().insert(X_REQUEST_ID, id);
    }
    Ok(answer)
}

fn fresh(request: &ServiceRequest) -> Option<HeaderValue> {
    let app = request.app_data::<web::Data<App>>()?;
    let id = uuid_v7(&*app.entropy, app.clock.now()).ok()?;
    HeaderValue::from_str(&id.to_string()).ok()
}

/// An id is recorded if it is short and plain; a caller's is otherwise only echoed.
fn recorded(id: &HeaderValue) -> Option<String> {
    let text = id.to_str().ok()?;
    let plain = !text.is_empty() && text.len() <= RECORDED_BYTES_MAX;
    plain.then(|| text.to_owned())
}

/// The id under which this request's events are recorded.
pub fn correlation(request: &HttpRequest) -> Option<String> {
    request.extensions().get::<Correlation>().and_then(|found| found.0.clone())
}
