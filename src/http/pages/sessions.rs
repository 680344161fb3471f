//! A person's sessions and their latest sign-ins, on their account.

use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};
use uuid::Uuid;

use super::super::App;
use super::form::Nothing;
use super::layout::{button, section};
use super::visitor::{ACCOUNT, Visitor};
use super::{Away, answer, form, words};
use crate::audit::describe;
use crate::authn::session::LOCAL_SOURCE;
use crate::authn::sessions::{self, SessionRow};
use crate::event::{Envelope, Event, Refused};
use crate::sequencer::Expected;

/// `POST /account/sessions/{id}/end`: one of the visitor's own.
///
/// # Errors
/// [`Away`]: the form is not ours, or the session none of theirs.
pub async fn end(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
    id: web::Path<Uuid>,
) -> Result<HttpResponse, Away> {
    let visitor = Visitor::at(&app, &request, ACCOUNT)?;
    let Nothing {} = form::from_visitor(&app, &request, payload, &visitor).await?;
    let own = visitor.id();
    let decide = move |world: &_, now| sessions::end(world, own, *id, now);
    let origin = visitor.caller.origin(&request);
    app.sequencer.commit(origin, Expected::default(), decide).await?;
    Ok(answer::see_other("/account?done=ended"))
}

/// `POST /account/sessions/end-others`: all but the one that asks.
///
/// # Errors
/// As [`end`].
pub async fn end_others(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Away> {
    let visitor = Visitor::at(&app, &request, ACCOUNT)?;
    let Nothing {} = form::from_visitor(&app, &request, payload, &visitor).await?;
    let own = visitor.id();
    let decide = move |world: &_, now| sessions::end_others(world, own, false, now);
    let origin = visitor.caller.origin(&request);
    app.sequencer.commit(origin, Expected::default(), decide).await?;
    Ok(answer::see_other("/account?done=others-ended"))
}

/// The sessions of a visitor.
pub fn list(visitor: &Visitor, all: &[SessionRow]) -> Markup {
    let about = html! {
        p { "Where you are signed in. A session that you end is over with the next request." }
    };
    let content = html! {
        ul.rows {
            @for one in all {
                li {
                    div {
                        strong { "Since " (words::moment(one.started_at)) }
                        @if one.current { " " span.badge { "This one" } }
                        p.quiet {
                            (one.aal) ", last used " (words::moment(one.last_active))
                            ", ends " (words::moment(one.expires_at))
                            @if one.source != LOCAL_SOURCE { ", by " (one.source) }
                        }
                    }
                    @if !one.current {
                        @let label = html! {
                            "Sign out"
                            span.unseen { " the session since " (words::moment(one.started_at)) }
                        };
                        @let place = format!("/account/sessions/{}/end", one.id);
                        (button(&place, visitor.tag, "plain", &label))
                    }
                }
            }
        }
        @if all.len() > 1 {
            @let label = html! { "Sign out everywhere else" };
            (button("/account/sessions/end-others", visitor.tag, "", &label))
        }
    };
    section("sessions", "Sessions", &about, &content)
}

/// What the log has of a visitor's latest sign-ins, and of what was tried in their name.
pub fn sign_ins(latest: &[Envelope]) -> Markup {
    let about = html! {
        p { "From the signed log. Something here that was not you? Change your password, and \
             tell your administrators the entry." }
    };
    let content = html! {
        table {
            thead { tr { @for head in ["When", "What", "Entry"] { th scope="col" { (head) } } } }
            tbody {
                @for entry in latest {
                    tr {
                        td { (words::moment(entry.time)) }
                        td { (what(entry)) }
                        td { (entry.index) }
                    }
                }
            }
        }
    };
    section("sign-ins", "Recent sign-ins", &about, &content)
}

fn what(entry: &Envelope) -> Markup {
    let refused = |what: &str| html! { span.badge.bad { "Refused" } " " (what) };
    match &entry.event {
        Event::SessionStarted(it) => html! { "Signed in: " (words::methods(&it.methods)) },
        Event::SessionRaised(it) => html! { "Signed in: " (words::methods(&it.methods)) },
        Event::RecoveryCodeUsed(_) => html! { "A recovery code was used" },
        Event::PasswordRefused(_) => refused("a wrong password"),
        Event::MfaRefused(it) if it.reason == Refused::Replayed => {
            refused("a code that had been used before")
        }
        Event::MfaRefused(_) => refused("a wrong code"),
        Event::RecoveryCodeRefused(_) => refused("a wrong password or recovery code"),
        Event::PasskeyRefused(_) => refused("a passkey that could not be taken"),
        _ => html! { (describe(entry)) },
    }
}
