//! `GET /auth/v1/session` and `POST /auth/v1/logout`.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use super::caller::COOKIE;
use super::login::removal;
use super::mfa::person;
use super::{App, Problem};
use crate::authn::session::{self, view};
use crate::sequencer::Expected;

/// The answer to who is out: a browser forgets its token.
pub(super) fn gone(request: &HttpRequest) -> HttpResponse {
    let mut answer = HttpResponse::NoContent();
    if request.cookie(COOKIE).is_some() {
        answer.cookie(removal());
    }
    answer.finish()
}

/// What the caller's own session is worth.
///
/// # Errors
/// 401 without one.
pub async fn show(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (_, id, _) = person(&app, &request)?;
    let world = app.sequencer.world();
    let view = view(&world, id, app.sequencer.now(&world))?;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(view))
}

/// Ends the caller's session; both its tokens are dead with the answer.
///
/// # Errors
/// 401 without one.
pub async fn log_out(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (caller, id, _) = person(&app, &request)?;
    let decide = move |world: &_, now| session::log_out(world, id, now);
    app.sequencer.commit(caller.origin(&request), Expected::default(), decide).await?;
    Ok(gone(&request))
}
