//! What a person signs in with: listed on their account, each with a page of its own.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;
use uuid::Uuid;

use super::super::{App, sealed};
use super::form::Nothing;
use super::layout::{Field, Frame, document, section};
use super::visitor::{ACCOUNT, SET_UP, Visitor};
use super::{Away, answer, form, words};
use crate::authn::Refusal;
use crate::authn::authenticators::{self, AuthenticatorView, Kind};
use crate::sequencer::Expected;

#[derive(Deserialize)]
struct Named {
    label: String,
}

/// `GET /account/authenticators/{id}`: where one is renamed or removed.
///
/// # Errors
/// [`Away`]: it is none of the visitor's.
pub async fn show(
    app: web::Data<App>,
    request: HttpRequest,
    id: web::Path<Uuid>,
) -> Result<HttpResponse, Away> {
    let visitor = Visitor::at(&app, &request, ACCOUNT)?;
    let all = authenticators::list(&visitor.world, visitor.id(), visitor.now)?;
    let unknown = || Refusal::AuthenticatorUnknown { authenticator: *id };
    let one = all.iter().find(|it| it.id == *id).ok_or_else(unknown)?;
    let title = called(one);
    let main = html! {
        h1 { (title) }
        p.lead { (facts(one)) }
        @if matches!(one.kind, Kind::Totp | Kind::Passkey | Kind::SecurityKey) {
            (naming(&visitor, one))
        }
        @if one.kind != Kind::Password { (removal(&visitor, one)) }
        p.back { a href=(ACCOUNT) { "Back to your account" } }
    };
    Ok(answer::page(StatusCode::OK, &document(title, &Frame::Step(&visitor), &main)))
}

/// `POST /account/authenticators/{id}`: another name.
///
/// # Errors
/// [`Away`]: the form is not ours, or the change is refused.
pub async fn rename(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
    id: web::Path<Uuid>,
) -> Result<HttpResponse, Away> {
    let visitor = Visitor::at(&app, &request, ACCOUNT)?;
    let Named { label } = form::from_visitor(&app, &request, payload, &visitor).await?;
    let (label, session) = (words::label(&label)?, visitor.id());
    app.pace.change(session, app.clock.now()).map_err(|it| visitor.elsewhere(it))?;
    let decide = move |world: &_, now| authenticators::rename(world, session, *id, label, now);
    let origin = visitor.caller.origin(&request);
    let recorded = app.sequencer.commit(origin, Expected::default(), decide).await;
    recorded.map_err(|it| visitor.elsewhere(it))?;
    Ok(answer::see_other("/account?done=renamed"))
}

/// `POST /account/authenticators/{id}/remove`: for good; every other session ends.
///
/// # Errors
/// As [`rename`].
pub async fn remove(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
    id: web::Path<Uuid>,
) -> Result<HttpResponse, Away> {
    let visitor = Visitor::at(&app, &request, ACCOUNT)?;
    let Nothing {} = form::from_visitor(&app, &request, payload, &visitor).await?;
    let session = visitor.id();
    let decide = move |world: &_, now| authenticators::remove(world, session, *id, now);
    let origin = visitor.caller.origin(&request);
    let recorded = sealed::record(&app, origin, &visitor.name, decide).await;
    recorded.map_err(|it| visitor.elsewhere(it))?;
    Ok(answer::see_other("/account?done=removed"))
}

/// The apps of a visitor, and where another is set up.
pub fn apps(visitor: &Visitor, all: &[AuthenticatorView]) -> Markup {
    let about = html! {
        p { "Something you have: an app on a device of yours that shows a code every 30 seconds." }
    };
    let apps: Vec<_> = all.iter().filter(|it| it.kind == Kind::Totp).collect();
    let label = Field {
        name: "label",
        label: "Name (if you like)",
        kind: "text",
        autocomplete: "off",
        optional: true,
        ..Field::default()
    };
    let content = html! {
        @if apps.is_empty() {
            p {
                "None yet."
                @if !visitor.has_passkey() {
                    " With a second factor, a stolen password opens nothing."
                }
            }
        } @else {
            ul.rows { @for app in apps { (row(app)) } }
        }
        form.inline method="post" action=(SET_UP) {
            (visitor.tag)
            (label)
            button type="submit" { "Set up an authenticator app" }
        }
    };
    section("apps", "Authenticator apps", &about, &content)
}

/// One of them in a list, with the way to its page.
fn row(one: &AuthenticatorView) -> Markup {
    html! {
        li {
            div {
                strong { (called(one)) } " " (state(one))
                p.quiet { (facts(one)) }
            }
            @if one.pending {
                a href=(SET_UP) { "Go on setting up" }
            } @else {
                a href=(place(one.id)) { "Change" span.unseen { " " (called(one)) } }
            }
        }
    }
}

fn removal(visitor: &Visitor, one: &AuthenticatorView) -> Markup {
    html! {
        h2.apart { "Remove" }
        p.quiet {
            "It can no longer be used to sign in, and all your other sessions end. \
             This cannot be undone."
        }
        form.stack method="post" action={ (place(one.id)) "/remove" } {
            (visitor.tag)
            button.bad type="submit" { "Remove " (called(one)) }
        }
    }
}

fn naming(visitor: &Visitor, one: &AuthenticatorView) -> Markup {
    let label = Field {
        name: "label",
        label: "Name",
        kind: "text",
        autocomplete: "off",
        value: one.label.as_str(),
        ..Field::default()
    };
    html! {
        form.stack method="post" action=(place(one.id)) {
            (visitor.tag)
            (label)
            button type="submit" { "Save the name" }
        }
    }
}

/// Where one has its page.
pub fn place(authenticator: Uuid) -> String {
    format!("/account/authenticators/{authenticator}")
}

/// What a person knows it by.
pub fn called(one: &AuthenticatorView) -> &str {
    match one.kind {
        _ if !one.label.is_empty() => one.label.as_str(),
        Kind::Password => "Password",
        Kind::Totp => "Authenticator app",
        Kind::Passkey => "Passkey",
        Kind::SecurityKey => "Security key",
        Kind::RecoveryCodes => "Recovery codes",
    }
}

/// Whether it can be used.
pub fn state(one: &AuthenticatorView) -> Markup {
    html! {
        @if one.disabled { span.badge.bad { "Disabled" } }
        @else if one.pending { span.badge { "Awaits its first code" } }
    }
}

/// Since when it is there, and when it was used last.
pub fn facts(one: &AuthenticatorView) -> Markup {
    html! {
        @if let Some(since) = one.enrolled_at { "Set up " (words::moment(since)) }
        @if let Some(used) = one.last_used_at { ", last used " (words::moment(used)) }
    }
}
