//! `/account`: who I am here, how strongly, and by what.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};

use super::super::App;
use super::layout::{Frame, button, document, section};
use super::visitor::{ACCOUNT, SET_UP, Visitor};
use super::{Away, answer, words};

/// `GET /account`.
///
/// # Errors
/// [`Away`]: nobody has signed in, or another page comes first.
pub async fn show(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Away> {
    let visitor = Visitor::at(&app, &request, ACCOUNT)?;
    let main = html! {
        h1 { "Your account" }
        (this_session(&visitor))
        (password(&visitor))
        (apps(&visitor))
    };
    Ok(answer::page(StatusCode::OK, &document("Your account", &Frame::Visitor(&visitor), &main)))
}

fn this_session(visitor: &Visitor) -> Markup {
    let session = &visitor.session;
    let limits = &visitor.world.settings.session;
    let idle_until = session.last_active.plus_seconds(limits.idle_s(session.aal));
    let about = html! { p { "What this browser's session is worth, and how long it lasts." } };
    let content = html! {
        dl {
            div { dt { "Assurance" } dd {
                span.badge { (session.aal) } " " (words::level(session.aal))
            } }
            div { dt { "Shown" } dd { (words::methods(&session.methods)) } }
            div { dt { "Last shown" } dd { (words::moment(session.authenticated_at)) } }
            div { dt { "Ends" } dd {
                "on " (words::moment(session.expires_at(limits))) "; unused, on "
                (words::moment(idle_until))
            } }
        }
    };
    section("session", "This session", &about, &content)
}

fn password(visitor: &Visitor) -> Markup {
    let state = match &visitor.person.password {
        Some(password) if password.disabled => "Disabled after too many wrong attempts",
        Some(_) => "Set",
        None => "Not set",
    };
    let about = html! { p { "Something you know." } };
    let content = html! { ul.rows { li { div { strong { "Password" } p.quiet { (state) } } } } };
    section("password", "Password", &about, &content)
}

fn apps(visitor: &Visitor) -> Markup {
    let about = html! { p { "Something you have: codes from an app on a device of yours." } };
    let has_one = visitor.person.totp.is_some();
    let content = html! {
        @match &visitor.person.totp {
            Some(totp) => ul.rows { li { div {
                strong { "Authenticator app" }
                p.quiet {
                    @if totp.credential.disabled { "Disabled after too many wrong codes" }
                    @else { "In use" }
                }
            } } },
            None => p { "None yet. With a second factor a stolen password opens nothing." },
        }
        @let label = if has_one { "Set up another" } else { "Set up an authenticator app" };
        (button(SET_UP, visitor.tag, "secondary", &html! { (label) }))
    };
    section("apps", "Authenticator app", &about, &content)
}
