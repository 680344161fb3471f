//! `POST /auth/v1/enrol`: a one-time ticket is exchanged for a password.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::caller::stranger;
use super::sealed::{self, Secret};
use super::{App, Problem, body, door};
use crate::authn::enrol::{Enrolment, enrol as conclude, ticket_holder};
use crate::authn::{self, check_new_password, stands_alone};
use crate::entropy::uuid_v7;
use crate::hasher::Whose;
use crate::model::{Digest, Password, SecretToken, Username};
use crate::vault::Purpose;

#[derive(Deserialize)]
struct Enrol {
    ticket: String,
    password: String,
}

/// Sets the password of whom the ticket was issued to.
///
/// # Errors
/// [`Problem`]: 401 `ticket_invalid`, 422 `password_weak` with the reason, 503.
pub async fn enrol(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let body = body::json(&app, &request, payload).await?;
    let Enrol { ticket, password } = body::typed(body)?;
    let person = with_ticket(&app, &request, &ticket, &password).await?;
    Ok(HttpResponse::Created().json(json!({"person": person})))
}

/// Has a ticket exchanged for a password; whose it was. One that is refused leaves a trace.
///
/// # Errors
/// Those of [`enrol`].
pub async fn with_ticket(
    app: &web::Data<App>,
    request: &HttpRequest,
    ticket: &str,
    password: &str,
) -> Result<Username, Problem> {
    let ticket = ticket.parse::<SecretToken>().map_err(|_| authn::Refusal::TicketInvalid)?;
    let ended = exchanged(app, request, ticket.digest(), password).await;
    let invalid = ended.as_ref().is_err_and(|problem| problem.code() == "ticket_invalid");
    if invalid && ticket.is_written_as("ticket") {
        door::refused_ticket(app, request, ticket.digest()).await?;
    }
    ended
}

async fn exchanged(
    app: &web::Data<App>,
    request: &HttpRequest,
    ticket: Digest,
    password: &str,
) -> Result<Username, Problem> {
    let (person, second_factor) = {
        let world = app.sequencer.world();
        let person = ticket_holder(&world, &ticket, app.sequencer.now(&world))?;
        let known = world.identities.get(&person);
        // A worn-out one goes with this very enrolment, and the password stands alone. It
        // does beside a passkey too, which its owner may leave at home.
        let second_factor = known.is_some_and(|known| known.has_second_factor());
        (person, second_factor)
    };
    let password: Password =
        password.parse().map_err(|error: crate::model::NotASecret| weak(&error))?;
    let words = &app.settings.password_words;
    check_new_password(&password, &person, second_factor, words).map_err(|error| weak(&error))?;
    let alone = stands_alone(&password);
    let _turn = door::alone(app, ticket)?;
    let hash = app.hasher.hash(Whose::Known, password).await?;
    let credential = uuid_v7(&*app.entropy, app.clock.now())?;
    let bytes = Zeroizing::new(hash.to_phc().as_bytes().to_vec());
    let secret = Secret { credential, purpose: Purpose::Password, bytes };
    let from = Some(door::caller(app, request, person.as_str(), None).from);
    let origin = stranger(request);
    let decide = move |sealed, world: &_, now| {
        conclude(world, &Enrolment { ticket, credential, sealed, alone, from }, now)
    };
    sealed::replace(app, origin, &person, secret, decide).await?;
    Ok(person)
}

/// A new password that is not good enough, and why.
pub(super) fn weak(error: &dyn std::fmt::Display) -> Problem {
    let status = actix_web::http::StatusCode::UNPROCESSABLE_ENTITY;
    Problem::new(status, "password_weak", error.to_string())
}
