//! `/account/password` and `/enrol`: a password is changed, or set for the first time.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::{App, Problem, enrol, password};
use super::form::{FormTag, Stranger};
use super::layout::{Field, Frame, document, summary};
use super::visitor::{ACCOUNT, PASSWORD, Visitor};
use super::words::sentence;
use super::{Away, answer, form};
use crate::event::SessionPurpose;

/// What a good one is, said before it is typed (SP 800-63B-4 §3.1.1.2).
const HINT: &str = "15 characters or more; a few unrelated words are easy to keep. No need for \
     capitals, digits or signs. Beside a second factor, 8 are enough.";

#[derive(Deserialize)]
struct Change {
    current: String,
    new: String,
    again: String,
}

/// `GET /account/password`.
///
/// # Errors
/// [`Away`]: it is not for this visitor.
pub async fn show(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Away> {
    let visitor = Visitor::at(&app, &request, PASSWORD)?;
    Ok(shown(&visitor, StatusCode::OK, "Change your password", None))
}

/// `POST /account/password`: every session ends, and another begins here.
///
/// # Errors
/// [`Away`]: the form is not ours, or the node cannot answer.
pub async fn change(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Away> {
    let visitor = Visitor::at(&app, &request, PASSWORD)?;
    let Change { current, new, again } =
        form::from_visitor(&app, &request, payload, &visitor).await?;
    let changed = match check_same(&new, &again) {
        Ok(()) => password::exchange(&app, &request, &current, &new).await,
        Err(problem) => Err(problem),
    };
    let problem = match changed {
        Ok((fresh, _)) => {
            let mut answer = answer::see_other("/account?done=password");
            let added = answer.add_cookie(&fresh.into_cookie());
            added.map_err(|error| Problem::defect(&error))?;
            return Ok(answer);
        }
        Err(problem)
            if matches!(problem.code(), "reauthentication_required" | "assurance_too_low") =>
        {
            return Err(visitor.elsewhere(problem));
        }
        Err(problem) if problem.status_code().is_client_error() => problem,
        Err(problem) => return Err(problem.into()),
    };
    let (field, text) = match problem.code() {
        "login_failed" => ("current", "The current password is wrong.".to_owned()),
        "password_weak" => ("new", sentence(problem.detail())),
        "passwords_differ" => ("again", sentence(problem.detail())),
        _ => ("current", sentence(problem.detail())),
    };
    let (status, title) = (problem.status_code(), "Error: Change your password");
    let answer = shown(&visitor, status, title, Some((field, &text)));
    Ok(answer::with_headers_of(&problem, answer))
}

fn check_same(new: &str, again: &str) -> Result<(), Problem> {
    if new == again {
        return Ok(());
    }
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    Err(Problem::new(status, "passwords_differ", "the two new passwords are not the same"))
}

fn shown(
    visitor: &Visitor,
    status: StatusCode,
    title: &str,
    wrong: Option<(&str, &str)>,
) -> HttpResponse {
    let must = visitor.session.purpose == SessionPurpose::PasswordChange;
    let current = Field {
        name: "current",
        label: "Current password",
        kind: "password",
        autocomplete: "current-password",
        focus: wrong.is_none(),
        ..Field::default()
    };
    let main = html! {
        (summary(wrong.as_slice()))
        h1 { @if must { "Choose a new password" } @else { "Change your password" } }
        @if must {
            p.lead { "Your password is too short to stand alone, or others may know it. Nothing \
                      else is open until you have set another." }
        }
        form.stack method="post" action=(PASSWORD) {
            (visitor.tag)
            (told(current, wrong))
            (new_password(wrong))
            button.primary type="submit" { "Set the new password" }
        }
        @if !must { p.back { a href=(ACCOUNT) { "Back to your account" } } }
    };
    answer::page(status, &document(title, &Frame::Step(visitor), &main))
}

/// The new one, twice.
fn new_password(wrong: Option<(&str, &str)>) -> Markup {
    let new = Field {
        name: "new",
        label: "New password",
        kind: "password",
        autocomplete: "new-password",
        hint: Some(HINT),
        ..Field::default()
    };
    let again = Field { name: "again", label: "New password once more", hint: None, ..new };
    html! { (told(new, wrong)) (told(again, wrong)) }
}

/// A field with what is wrong with it, if it is this one.
fn told<'a>(field: Field<'a>, wrong: Option<(&str, &'a str)>) -> Field<'a> {
    match wrong {
        Some((name, error)) if name == field.name => {
            Field { error: Some(error), focus: true, ..field }
        }
        _ => field,
    }
}

#[derive(Deserialize)]
struct Enrol {
    ticket: String,
    new: String,
    again: String,
}

/// `GET /enrol`: where somebody with a ticket begins.
///
/// # Errors
/// [`Away`]: the node cannot answer.
pub async fn welcome(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Away> {
    let stranger = Stranger::of(&app, &request)?;
    let main = enrolling(stranger.tag, None);
    Ok(stranger.shown(StatusCode::OK, "Set your password", &main))
}

/// `POST /enrol`: a ticket is exchanged for a password.
///
/// # Errors
/// [`Away`]: the form is not ours, or the node cannot answer.
pub async fn enrol(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Away> {
    let Enrol { ticket, new, again } = form::from_stranger(&app, &request, payload).await?;
    let enrolled = match check_same(&new, &again) {
        Ok(()) => enrol::with_ticket(&app, &request, ticket.trim(), &new).await,
        Err(problem) => Err(problem),
    };
    match enrolled {
        Ok(_) => Ok(answer::see_other("/sign-in?done=password")),
        Err(problem) if problem.status_code().is_client_error() => {
            let field = match problem.code() {
                "ticket_invalid" => "ticket",
                "passwords_differ" => "again",
                _ => "new",
            };
            let stranger = Stranger::of(&app, &request)?;
            let text = sentence(problem.detail());
            let main = enrolling(stranger.tag, Some((field, &text)));
            let (status, title) = (problem.status_code(), "Error: Set your password");
            Ok(answer::with_headers_of(&problem, stranger.shown(status, title, &main)))
        }
        Err(problem) => Err(problem.into()),
    }
}

fn enrolling(tag: FormTag, wrong: Option<(&str, &str)>) -> Markup {
    let ticket = Field {
        name: "ticket",
        label: "Ticket",
        kind: "text",
        autocomplete: "off",
        hint: Some("The one-time ticket that you were given; it begins with cs_ticket."),
        focus: wrong.is_none(),
        ..Field::default()
    };
    html! {
        (summary(wrong.as_slice()))
        h1 { "Set your password" }
        form.stack method="post" action="/enrol" {
            (tag)
            (told(ticket, wrong))
            (new_password(wrong))
            button.primary type="submit" { "Set the password" }
        }
        p.back { a href="/sign-in" { "Back to signing in" } }
    }
}
