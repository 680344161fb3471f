//! `/account`: who I am here, how strongly, by what, and where else.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};

use super::super::{App, sessions as of_api};
use super::authenticators::{self as ways, facts, state};
use super::layout::{Frame, document, notice, section};
use super::visitor::{ACCOUNT, Done, PASSWORD, Visitor};
use super::{Away, answer, passkeys, recovery, sessions, words};
use crate::authn::authenticators::{self, AuthenticatorView, Kind};
use crate::authn::session::view;
use crate::authn::sessions::list;
use crate::model::Moment;

/// `GET /account`.
///
/// # Errors
/// [`Away`]: nobody has signed in, or another page comes first.
pub async fn show(
    app: web::Data<App>,
    request: HttpRequest,
    done: web::Query<Done>,
) -> Result<HttpResponse, Away> {
    let visitor = Visitor::at(&app, &request, ACCOUNT)?;
    let (world, session, now) = (&visitor.world, visitor.id(), visitor.now);
    let held = authenticators::list(world, session, now)?;
    let everywhere = list(world, session, now)?;
    let latest = of_api::latest(&app, world, &visitor.name).await?;
    let reused = view(world, session, now)?.reused_code_at;
    let main = html! {
        (notice(told(done.as_str())))
        h1 { "Your account" }
        @if let Some(at) = reused { (warning(at)) }
        (this_session(&visitor))
        (password(&held))
        (passkeys::list(&visitor))
        (ways::apps(&visitor, &held))
        (recovery::codes(&visitor, &held))
        (sessions::list(&visitor, &everywhere))
        (sessions::sign_ins(&latest))
    };
    Ok(answer::page(StatusCode::OK, &document("Your account", &Frame::Visitor(&visitor), &main)))
}

fn told(done: &str) -> Option<&'static str> {
    Some(match done {
        "renamed" => "The name is saved.",
        "removed" => "It is removed, and your other sessions have ended.",
        "ended" => "The session has ended.",
        "others-ended" => "All your other sessions have ended.",
        "set-up" => "Your authenticator app is set up.",
        "passkey" => "Your passkey is added.",
        "password" => "Your new password is set, and your other sessions have ended.",
        _ => return None,
    })
}

/// A code that comes twice was seen by two (SP 800-63B-4 §3.1.4.2).
fn warning(at: Moment) -> Markup {
    html! {
        p.notice.bad {
            "On " (words::moment(at)) " a code of yours was given that had been used before. If \
             that was not you, somebody has seen it: sign out everywhere else, and change your \
             password."
        }
    }
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
            div { dt { "Ends" } dd { (words::moment(session.expires_at(limits))) } }
            div { dt { "If unused" } dd { (words::moment(idle_until)) } }
        }
    };
    section("session", "This session", &about, &content)
}

fn password(held: &[AuthenticatorView]) -> Markup {
    let about = html! { p { "Something you know." } };
    let password = held.iter().find(|it| it.kind == Kind::Password);
    let content = html! {
        ul.rows { li {
            div {
                strong { "Password" } " "
                @match password {
                    Some(password) => { (state(password)) p.quiet { (facts(password)) } },
                    None => p.quiet { "Not set" },
                }
            }
            @if password.is_some_and(|it| !it.disabled) {
                a href=(PASSWORD) { "Change" span.unseen { " the password" } }
            }
        } }
    };
    section("password", "Password", &about, &content)
}
