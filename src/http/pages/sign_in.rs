//! `/` and `/sign-in`: a name and a password.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::login::{self, SignedIn};
use super::super::session::leave_former;
use super::super::{App, Problem};
use super::form::Stranger;
use super::layout::{Field, notice, summary};
use super::visitor::{Done, SIGN_IN, Visitor};
use super::words::sentence;
use super::{Away, answer, form, passkeys};

#[derive(Deserialize)]
struct SignIn {
    username: String,
    password: String,
}

/// `GET /`: whoever comes to the door is shown in.
pub async fn door() -> HttpResponse {
    answer::see_other(SIGN_IN)
}

/// `GET /sign-in`.
///
/// # Errors
/// [`Away`] for who has signed in already.
pub async fn show(
    app: web::Data<App>,
    request: HttpRequest,
    done: web::Query<Done>,
) -> Result<HttpResponse, Away> {
    let again = done.is("again");
    if let Some(visitor) = Visitor::of(&app, &request)?.filter(|_| !again) {
        return Err(Away::To(visitor.home()));
    }
    let stranger = Stranger::of(&app, &request)?;
    let told = match done.as_str() {
        "signed-out" => Some("You have signed out."),
        "password" => Some("Your new password is set. Sign in with it."),
        "bound" => Some("Your authenticator is set up. Sign in with it."),
        "again" => Some("Sign in again to go on: it has been a while."),
        _ => None,
    };
    let main = html! { (notice(told)) (page(&stranger, "", None)) };
    Ok(stranger.shown(StatusCode::OK, "Sign in", &main))
}

/// `POST /sign-in`.
///
/// # Errors
/// [`Away`]: the form is not ours, or the node cannot answer.
pub async fn submit(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Away> {
    let SignIn { username, password } = form::from_stranger(&app, &request, payload).await?;
    let name = username.trim();
    match login::sign_in(&app, &request, name, &password).await {
        Ok(SignedIn { fresh, device, .. }) => {
            leave_former(&app, &request).await;
            let mut answer = answer::see_other("/account");
            for cookie in [device, fresh.into_cookie()] {
                answer.add_cookie(&cookie).map_err(|error| Problem::defect(&error))?;
            }
            Ok(answer)
        }
        Err(problem) if problem.status_code().is_client_error() => {
            let stranger = Stranger::of(&app, &request)?;
            let main = page(&stranger, name, Some(&sentence(problem.detail())));
            let status = problem.status_code();
            let answer = stranger.shown(status, "Error: Sign in", &main);
            Ok(answer::with_headers_of(&problem, answer))
        }
        Err(problem) => Err(problem.into()),
    }
}

fn page(stranger: &Stranger, name: &str, error: Option<&str>) -> Markup {
    let errors: Vec<_> = error.iter().map(|error| ("password", *error)).collect();
    let username = Field {
        name: "username",
        label: "Name",
        kind: "text",
        autocomplete: "username webauthn",
        value: name,
        focus: error.is_none(),
        ..Field::default()
    };
    let password = Field {
        name: "password",
        label: "Password",
        kind: "password",
        autocomplete: "current-password",
        error,
        focus: error.is_some(),
        ..Field::default()
    };
    html! {
        (summary(&errors))
        h1 { "Sign in" }
        form.stack method="post" action=(SIGN_IN) {
            (stranger.tag)
            (username)
            (password)
            button.primary type="submit" { "Sign in" }
        }
        (passkeys::sign_in())
        p.back.quiet { a href="/enrol" { "Set a password with a ticket" } }
    }
}
