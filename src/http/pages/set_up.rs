//! `/account/set-up`: an authenticator app is offered, shown and confirmed.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::{App, mfa};
use super::code::{self, Code};
use super::layout::{Frame, button, document, summary};
use super::visitor::{ACCOUNT, SET_UP, Visitor};
use super::words::{self, sentence};
use super::{Away, answer, form};
use crate::authn::Provisioning;

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    label: String,
}

/// `GET /account/set-up`: what was offered, while it awaits its first code.
///
/// # Errors
/// [`Away`]: it is not for this visitor, or they must show who they are again.
pub async fn show(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Away> {
    let visitor = Visitor::at(&app, &request, SET_UP)?;
    let offered = mfa::pending(&app, visitor.id(), &visitor.name)
        .await
        .map_err(|it| visitor.elsewhere(it))?;
    let title = "Set up an authenticator app";
    Ok(shown(&visitor, StatusCode::OK, title, offered.as_ref(), None))
}

/// `POST /account/set-up`: offers one, in place of what was offered before.
///
/// # Errors
/// As [`show`], and if the form is not ours.
pub async fn offer(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Away> {
    let visitor = Visitor::at(&app, &request, SET_UP)?;
    let Wanted { label } = form::from_visitor(&app, &request, payload, &visitor).await?;
    let label = words::label(&label)?;
    let origin = visitor.caller.origin(&request);
    let offered = mfa::offered(&app, origin, visitor.id(), &visitor.name, label);
    offered.await.map_err(|it| visitor.elsewhere(it))?;
    Ok(answer::see_other(SET_UP))
}

/// `POST /account/set-up/confirm`: the first code, which puts it in use.
///
/// # Errors
/// As [`offer`].
pub async fn confirm(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Away> {
    let visitor = Visitor::at(&app, &request, SET_UP)?;
    let code: Code = form::from_visitor(&app, &request, payload, &visitor).await?;
    let problem = match code::raised(&app, &request, &visitor, &code).await {
        Ok(answer) => return Ok(answer),
        Err(problem) if problem.status_code().is_client_error() => problem,
        Err(problem) => return Err(problem.into()),
    };
    let offered = mfa::pending(&app, visitor.id(), &visitor.name)
        .await
        .map_err(|it| visitor.elsewhere(it))?;
    let (status, error) = (problem.status_code(), sentence(problem.detail()));
    let title = "Error: Set up an authenticator app";
    let answer = shown(&visitor, status, title, offered.as_ref(), Some(&error));
    Ok(answer::with_headers_of(&problem, answer))
}

fn shown(
    visitor: &Visitor,
    status: StatusCode,
    title: &str,
    offered: Option<&Provisioning>,
    error: Option<&str>,
) -> HttpResponse {
    let errors: Vec<_> = error.iter().map(|error| ("code", *error)).collect();
    let main = html! {
        (summary(&errors))
        h1 { "Set up an authenticator app" }
        @match offered {
            Some(offered) => (steps(visitor, offered, error)),
            None => {
                p.lead { "An authenticator app shows a new six-digit code every 30 seconds." }
                (button(SET_UP, visitor.tag, "primary", &html! { "Show the QR code" }))
            }
        }
        p.back { a href=(ACCOUNT) { "Back to your account" } }
    };
    answer::page(status, &document(title, &Frame::Visitor(visitor), &main))
}

fn steps(visitor: &Visitor, offered: &Provisioning, error: Option<&str>) -> Markup {
    html! {
        ol.steps {
            li {
                h2 { "Scan the QR code with the app" }
                img.qr src=(mfa::data_url(&offered.qr_png)) width="232" height="232"
                    alt="QR code for your authenticator app; the same key is written below";
                p.quiet { "No camera? Type this key into the app instead:" }
                p.key { code { (in_groups(&offered.secret_base32)) } }
                p.quiet { "Keep it to yourself: who has it can make your codes." }
            }
            li {
                h2 { "Type the code that the app now shows" }
                form.stack method="post" action="/account/set-up/confirm" {
                    (visitor.tag)
                    (code::field(error))
                    button.primary type="submit" { "Confirm" }
                }
            }
        }
    }
}

/// A key in fours, as it is easiest to type.
fn in_groups(key: &str) -> String {
    let mut grouped = String::with_capacity(key.len() * 2);
    for (at, letter) in key.chars().enumerate() {
        if at > 0 && at.is_multiple_of(4) {
            grouped.push(' ');
        }
        grouped.push(letter);
    }
    grouped
}
