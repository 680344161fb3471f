//! `/sign-in/code`: the second factor.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::login::removal;
use super::super::mfa::{self, Verified};
use super::super::{App, Problem};
use super::layout::{Field, Frame, document, notice, summary};
use super::visitor::{ACCOUNT, CODE, Done, RECOVER, Visitor};
use super::words::sentence;
use super::{Away, answer, form, passkeys};

/// A code as people type it: apps show it in groups.
#[derive(Deserialize)]
pub struct Code {
    code: String,
}

impl Code {
    /// Without the white space.
    pub fn digits(&self) -> String {
        self.code.chars().filter(|letter| !letter.is_whitespace()).collect()
    }
}

/// `GET /sign-in/code`.
///
/// # Errors
/// [`Away`]: nobody has signed in.
pub async fn show(
    app: web::Data<App>,
    request: HttpRequest,
    done: web::Query<Done>,
) -> Result<HttpResponse, Away> {
    let visitor = Visitor::at(&app, &request, CODE)?;
    let told = notice(match done.as_str() {
        "again" => Some("Show it again to go on: it has been a while."),
        "passkey" => Some("Your passkey is added. Use it now to go on."),
        _ => None,
    });
    Ok(shown(&visitor, StatusCode::OK, "Enter your code", &told, None))
}

/// `POST /sign-in/code`.
///
/// # Errors
/// [`Away`]: nobody has signed in, the form is not ours, or the node cannot answer.
pub async fn submit(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Away> {
    let visitor = Visitor::at(&app, &request, CODE)?;
    let code: Code = form::from_visitor(&app, &request, payload, &visitor).await?;
    match raised(&app, &request, &visitor, &code).await {
        Ok(answer) => Ok(answer),
        // A code alone would leave a session that a key has made stronger weaker.
        Err(problem)
            if matches!(problem.code(), "reauthentication_required" | "assurance_too_low") =>
        {
            Err(Away::To("/sign-in?done=again"))
        }
        Err(problem) if problem.status_code().is_client_error() => {
            let (status, error) = (problem.status_code(), sentence(problem.detail()));
            let title = "Error: Enter your code";
            let answer = shown(&visitor, status, title, &html! {}, Some(&error));
            Ok(answer::with_headers_of(&problem, answer))
        }
        Err(problem) => Err(problem.into()),
    }
}

/// Checks a code, and sends the browser to the account in the session that has risen.
pub async fn raised(
    app: &web::Data<App>,
    request: &HttpRequest,
    visitor: &Visitor,
    code: &Code,
) -> Result<HttpResponse, Problem> {
    let (session, person) = ((&visitor.caller, visitor.id()), &visitor.name);
    let verified = mfa::verified(app, request, session, person, &code.digits()).await?;
    let (place, cookie) = match verified {
        Verified::Raised(fresh, _) => (ACCOUNT, Some(fresh.into_cookie())),
        Verified::Bound => ("/sign-in?done=bound", Some(removal())),
        Verified::Added => (ACCOUNT, None),
    };
    let mut answer = answer::see_other(place);
    if let Some(cookie) = cookie {
        answer.add_cookie(&cookie).map_err(|error| Problem::defect(&error))?;
    }
    Ok(answer)
}

/// Where a code is typed.
pub fn field(error: Option<&str>) -> Field<'_> {
    Field {
        name: "code",
        label: "Six-digit code",
        kind: "text",
        autocomplete: "one-time-code",
        error,
        focus: true,
        digits: true,
        ..Field::default()
    }
}

fn shown(
    visitor: &Visitor,
    status: StatusCode,
    title: &str,
    told: &Markup,
    error: Option<&str>,
) -> HttpResponse {
    let errors: Vec<_> = error.iter().map(|error| ("code", *error)).collect();
    let has_app = visitor.has_app();
    let heading = if has_app { "Enter your code" } else { "Your second factor" };
    let main: Markup = html! {
        (summary(&errors))
        (told)
        h1 { (heading) }
        @if has_app {
            p.lead { "Open your authenticator app and type the code it shows for Countersign." }
            form.stack method="post" action=(CODE) {
                (visitor.tag)
                (field(error))
                button.primary type="submit" { "Go on" }
            }
        }
        @if visitor.has_passkey() { (passkeys::verify(has_app)) }
        @if !has_app && !visitor.has_passkey() {
            p.lead { "You have no second factor that can be used. Ask an administrator for a \
                      ticket to begin anew." }
        }
        @if visitor.person.recovery.is_some() {
            p.back { a href=(RECOVER) { "Lost your device? Use a recovery code" } }
        }
    };
    answer::page(status, &document(title, &Frame::Step(visitor), &main))
}
