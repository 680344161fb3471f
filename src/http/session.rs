//! `GET /auth/v1/session` and `POST /auth/v1/logout`.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use uuid::Uuid;

use super::caller::COOKIE;
use super::login::removal;
use super::mfa::person;
use super::{App, Problem};
use crate::authn::session::{self, view};
use crate::sequencer::{Expected, Origin};

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
    end_own(&app, caller.origin(&request), id).await?;
    Ok(gone(&request))
}

/// Ends the session that a browser was in, now that it gets the cookie of another: the token
/// of the first is in no cookie any more, and nobody could end it (ASVS 5.0 V7.2.4).
pub async fn leave_former(app: &App, request: &HttpRequest) {
    if request.cookie(COOKIE).is_none() {
        return;
    }
    if let Ok((caller, id, _)) = person(app, request) {
        // It may just have ended by itself; and if not, it lapses.
        let _ended = end_own(app, caller.origin(request), id).await;
    }
}

/// Ends a session for its person.
///
/// # Errors
/// 401 if it is over.
pub async fn end_own(app: &App, origin: Origin, id: Uuid) -> Result<(), Problem> {
    let decide = move |world: &_, now| session::log_out(world, id, now);
    app.sequencer.commit(origin, Expected::default(), decide).await?;
    Ok(())
}
