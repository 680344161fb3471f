//! `/sign-out`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use maud::html;

use super::super::login::removal;
use super::super::session::end_own;
use super::super::{App, Problem};
use super::form::Nothing;
use super::layout::{Frame, button, document};
use super::visitor::{SIGN_IN, Visitor};
use super::{Away, answer, form};

/// `GET /sign-out`: asks, for a page that is looked at changes nothing.
///
/// # Errors
/// [`Away`]: nobody has signed in.
pub async fn show(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Away> {
    let visitor = Visitor::of(&app, &request)?.ok_or(Away::To(SIGN_IN))?;
    let main = html! {
        h1 { "Sign out?" }
        p.lead { "Your session ends at once, here and wherever it was shown." }
        (button("/sign-out", visitor.tag, "primary", &html! { "Sign out" }))
        p.back { a href="/account" { "Back to your account" } }
    };
    Ok(answer::page(StatusCode::OK, &document("Sign out", &Frame::Step(&visitor), &main)))
}

/// `POST /sign-out`: ends the session; its token is dead with the answer.
///
/// # Errors
/// [`Away`]: nobody has signed in, or the form is not ours.
pub async fn submit(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Away> {
    let visitor = Visitor::of(&app, &request)?.ok_or(Away::To(SIGN_IN))?;
    let Nothing {} = form::from_visitor(&app, &request, payload, &visitor).await?;
    end_own(&app, visitor.caller.origin(&request), visitor.id()).await?;
    let mut answer = answer::see_other("/sign-in?done=signed-out");
    answer.add_cookie(&removal()).map_err(|error| Problem::defect(&error))?;
    Ok(answer)
}
