//! Whose connections are served: behind a proxy, only the proxy's.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError as _, web};

use super::{App, Problem};

/// Refuses whoever comes past the proxy: plaintext is meant for it alone, and what
/// it would have checked has not been checked.
///
/// # Errors
/// Those of the rest of the chain; a refusal is an answer.
pub async fn admit(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let app = request.app_data::<web::Data<App>>();
    let past_the_proxy = app.is_some_and(|app| {
        let settings = &app.settings;
        let known = |peer| settings.trusted_proxies.iter().any(|it| it.contains_peer(peer));
        settings.behind_proxy && !request.peer_addr().is_some_and(known)
    });
    if past_the_proxy {
        let refused = Problem::forbidden("connections come through the proxy").error_response();
        return Ok(request.into_response(refused).map_into_right_body());
    }
    Ok(next.call(request).await?.map_into_left_body())
}
