//! Recovery codes: made on the account, used at `/sign-in/recover`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::session::leave_former;
use super::super::{App, Problem, recovery};
use super::authenticators::{facts, state};
use super::form::{FormTag, Nothing, Stranger};
use super::layout::{Field, Frame, button, document, section, summary};
use super::visitor::{ACCOUNT, RECOVER, SET_UP, Visitor};
use super::words::sentence;
use super::{Away, answer, form};
use crate::authn::authenticators::{AuthenticatorView, Kind};
use crate::model::RecoveryCode;

#[derive(Deserialize)]
struct Recover {
    username: String,
    password: String,
    code: String,
}

/// What a visitor has for when their devices are lost.
pub fn codes(visitor: &Visitor, all: &[AuthenticatorView]) -> Markup {
    let held = all.iter().find(|it| it.kind == Kind::RecoveryCodes);
    let about = html! {
        p { "For when your second factor is lost: kept on paper, each good for once." }
    };
    let label = if held.is_some() { "Make new codes" } else { "Make recovery codes" };
    let content = html! {
        @match held {
            Some(codes) => ul.rows { li { div {
                strong { "Ten codes" } " " (state(codes))
                p.quiet { (facts(codes)) }
            } } },
            None if visitor.person.has_more_than_a_password() => p { "None yet." },
            None => p {
                "None yet. They come with an authenticator app or a passkey: set one up first."
            },
        }
        @if visitor.person.has_more_than_a_password() {
            (button("/account/recovery-codes", visitor.tag, "", &html! { (label) }))
        }
    };
    section("recovery", "Recovery codes", &about, &content)
}

/// `POST /account/recovery-codes`: new codes, on the one page that ever shows them. It is
/// the answer to the form itself, for no other address could show them again.
///
/// # Errors
/// [`Away`]: the form is not ours, or it has been a while.
pub async fn issue(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Away> {
    let visitor = Visitor::at(&app, &request, ACCOUNT)?;
    let Nothing {} = form::from_visitor(&app, &request, payload, &visitor).await?;
    let origin = visitor.caller.origin(&request);
    let issued = recovery::issued_codes(&app, origin, visitor.id(), &visitor.name).await;
    let (_, codes) = issued.map_err(|it| visitor.elsewhere(it))?;
    let main = html! {
        h1 { "Your recovery codes" }
        p.lead { "Print them or write them down, and keep them where you keep your passport. \
                  They are shown this once; those from before no longer work." }
        (shown(&codes))
        p { "When your second factor is lost, your password and one of these let you set up \
             another." }
        p.back { a.button href=(ACCOUNT) { "I have them" } }
    };
    let title = "Your recovery codes";
    Ok(answer::page(StatusCode::OK, &document(title, &Frame::Visitor(&visitor), &main)))
}

fn shown(codes: &[RecoveryCode]) -> Markup {
    html! { ul.codes { @for code in codes { li { code { (code.expose().as_str()) } } } } }
}

/// `GET /sign-in/recover`.
///
/// # Errors
/// [`Away`]: the node cannot answer.
pub async fn show(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Away> {
    let stranger = Stranger::of(&app, &request)?;
    let name = Visitor::of(&app, &request)?.map(|visitor| visitor.name.to_string());
    let main = page(stranger.tag, name.as_deref().unwrap_or_default(), None);
    Ok(stranger.shown(StatusCode::OK, "Use a recovery code", &main))
}

/// `POST /sign-in/recover`: a session in which an authenticator can be set up, and nothing
/// else; with the code that takes the used one's place, shown on this page alone.
///
/// # Errors
/// [`Away`]: the form is not ours, or the node cannot answer.
pub async fn submit(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Away> {
    let Recover { username, password, code } = form::from_stranger(&app, &request, payload).await?;
    let name = username.trim();
    match recovery::recovering(&app, &request, name, &password, &code).await {
        Ok((fresh, _, code)) => {
            leave_former(&app, &request).await;
            let tag = FormTag::of(&app, &fresh.token_digest());
            let document = document("Recovered", &Frame::Nobody, &recovered(tag, code.as_ref()));
            let mut answer = answer::page(StatusCode::OK, &document);
            let added = answer.add_cookie(&fresh.into_cookie());
            added.map_err(|error| Problem::defect(&error))?;
            Ok(answer)
        }
        Err(problem) if problem.status_code().is_client_error() => {
            let stranger = Stranger::of(&app, &request)?;
            let main = page(stranger.tag, name, Some(&sentence(problem.detail())));
            let (status, title) = (problem.status_code(), "Error: Use a recovery code");
            Ok(answer::with_headers_of(&problem, stranger.shown(status, title, &main)))
        }
        Err(problem) => Err(problem.into()),
    }
}

fn recovered(tag: FormTag, code: Option<&RecoveryCode>) -> Markup {
    html! {
        h1 { "Set up a new authenticator" }
        @if let Some(code) = code {
            p.lead { "Your code is used up. Here is another in its place; write it down now, for \
                      it is shown this once:" }
            (shown(std::slice::from_ref(code)))
        }
        p { "Next, set up an authenticator app. Then sign in with it." }
        p.back { (button(SET_UP, tag, "primary", &html! { "Show the QR code" })) }
    }
}

fn page(tag: FormTag, name: &str, error: Option<&str>) -> Markup {
    let errors: Vec<_> = error.iter().map(|error| ("code", *error)).collect();
    let username = Field {
        name: "username",
        label: "Name",
        kind: "text",
        autocomplete: "username",
        value: name,
        focus: error.is_none(),
        ..Field::default()
    };
    let password = Field {
        name: "password",
        label: "Password",
        kind: "password",
        autocomplete: "current-password",
        ..Field::default()
    };
    let code = Field {
        name: "code",
        label: "Recovery code",
        kind: "text",
        autocomplete: "off",
        hint: Some("24 letters and digits; spaces and hyphens do not matter."),
        error,
        focus: error.is_some(),
        ..Field::default()
    };
    html! {
        (summary(&errors))
        h1 { "Use a recovery code" }
        p.lead { "With your password and a recovery code you can set up a new authenticator." }
        form.stack method="post" action=(RECOVER) {
            (tag)
            (username)
            (password)
            (code)
            button.primary type="submit" { "Go on" }
        }
        p.back { a href="/sign-in?done=again" { "Back to signing in" } }
    }
}
