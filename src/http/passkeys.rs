//! `/auth/v1/passkeys`: a person's own passkeys, and a new one.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::ceremonies::OfPerson;
use super::mfa::person;
use super::relying_party::party;
use super::sealed::{self, Secret};
use super::{App, Problem, body};
use crate::authn::passkeys::{NewPasskey, register as conclude, registrant};
use crate::authn::{Refusal, authenticators};
use crate::entropy::{token, uuid_v7};
use crate::model::{Digest, Label, SecretToken, Username};
use crate::projection::Passkey;
use crate::vault::Purpose;
use crate::webauthn::{Key, Kind, Made, RegistrationAnswer, is_pretended};

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    label: Label,
    #[serde(default)]
    kind: Kind,
}

#[derive(Deserialize)]
struct Answered {
    ticket: String,
    credential: RegistrationAnswer,
}

/// Lists the caller's own passkeys, oldest first.
///
/// # Errors
/// 401 without a session.
pub async fn list(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (_, session, name) = person(&app, &request)?;
    let world = app.sequencer.world();
    authenticators::list(&world, session, app.sequencer.now(&world))?;
    let known = world.identities.get(&name);
    let all: Vec<_> = known.into_iter().flat_map(|person| &person.passkeys).map(shown).collect();
    let answer = HttpResponse::Ok().insert_header(no_store()).json(json!({"passkeys": all}));
    Ok(answer)
}

fn shown(passkey: &Passkey) -> Value {
    json!({
        "id": passkey.credential.id,
        "label": passkey.label,
        "user_verifying": passkey.user_verifying,
        "backup_eligible": passkey.backup_eligible,
        "attested": passkey.attested,
        "disabled": passkey.credential.disabled,
        "registered_at": passkey.registered_at,
        "used_at": passkey.used_at,
    })
}

/// Asks for a new key. The ticket is for this session alone, and for five minutes.
///
/// # Errors
/// [`Problem`]: 401; 403 `assurance_too_low` or `reauthentication_required`; 409
/// `passkeys_full`, `passkeys_not_configured`, `attestation_not_configured`.
pub async fn options(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (_, session, name) = person(&app, &request)?;
    let Wanted { label, kind } = body::typed(body::json(&app, &request, payload).await?)?;
    let party = party(&app)?;
    if kind == Kind::Attested && !party.attests() {
        let detail = "no list of authenticators is set (webauthn.attestation)";
        return Err(Problem::new(StatusCode::CONFLICT, "attestation_not_configured", detail));
    }
    let held = {
        let world = app.sequencer.world();
        let now = app.sequencer.now(&world);
        registrant(&world, session, kind == Kind::Attested, now)?;
        let known = world.identities.get(&name).into_iter();
        known.flat_map(|person| &person.passkeys).map(|it| sealed_of(&it.credential)).collect()
    };
    let held = keys(&app, &name, held).await?;
    let ids = held.iter().map(|key| key.id().to_vec()).collect();
    let account = (app.vault.user_handle(name.as_str()), name.as_str());
    let (options, asked) = party.register(kind, account, ids).map_err(|it| unasked(&it))?;
    let ticket = token(&*app.entropy, "passkey")?;
    let what = OfPerson::Registering { label, asked };
    app.ceremonies.of_persons.put(ticket.digest(), session, what, app.clock.now());
    Ok(asking(&ticket, &options))
}

/// Takes the new key. A refused answer leaves the ticket as it is: the person may try
/// another authenticator.
///
/// # Errors
/// [`Problem`]: 401 `passkey_ticket_invalid`; 409 `passkey_exists`; 422
/// `passkey_not_accepted`; else as [`options`].
pub async fn register(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (caller, session, name) = person(&app, &request)?;
    let body = body::json(&app, &request, payload).await?;
    let Answered { ticket, credential: answer } = body::typed(body)?;
    let (ticket, now) = (digest_of(&ticket)?, app.clock.now());
    let held = app.ceremonies.of_persons.take(&ticket, now, |owner, what| {
        *owner == session && matches!(what, OfPerson::Registering { .. })
    });
    let held = held.ok_or_else(ticket_invalid)?;
    let OfPerson::Registering { label, asked } = &held.what else { return Err(ticket_invalid()) };
    let made = match party(&app)?.registered(&answer, asked) {
        Ok(made) => made,
        Err(error) => {
            tracing::info!(%error, "a passkey was not registered");
            app.ceremonies.of_persons.put_back(ticket, held, now);
            let detail = "the authenticator's answer was not accepted: try again, or another one";
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Err(Problem::new(status, "passkey_not_accepted", detail));
        }
    };
    let credential = uuid_v7(&*app.entropy, now)?;
    let secret = Secret { credential, purpose: Purpose::Passkey, bytes: made.key.to_bytes() };
    let new = described(credential, &made, label.clone());
    // Refused as late as another's key would be, and by the same word.
    let nobodys = is_pretended(&app.vault.pretence_key(), made.key.id());
    let decide = move |sealed, world: &_, now| {
        if nobodys {
            return Err(Refusal::PasskeyExists);
        }
        conclude(world, session, &NewPasskey { sealed, ..new }, now)
    };
    let recorded = sealed::replace(&app, caller.origin(&request), &name, secret, decide).await?;
    let known = recorded.world.identities.get(&name);
    let passkey = known.and_then(|person| person.passkey(credential)).map(shown);
    let body = json!({"passkey": passkey});
    Ok(HttpResponse::Created().insert_header(no_store()).json(body))
}

/// What is recorded of a key, once it is sealed.
fn described(credential: Uuid, made: &Made, label: Label) -> NewPasskey {
    NewPasskey {
        credential,
        sealed: Digest::of(""),
        key: Digest::of(made.key.id()),
        label,
        user_verifying: made.user_verifying,
        backup_eligible: made.backup_eligible,
        attested: made.attested,
        counter: made.counter,
    }
}

/// A sealed key: its credential's id and the SHA-256 of its sealed form.
pub type Sealed = (Uuid, Digest);

pub fn sealed_of(credential: &crate::projection::Credential) -> Sealed {
    (credential.id, credential.sealed)
}

/// Opens a person's keys; one that was removed meanwhile is left out.
///
/// # Errors
/// 500 if one cannot be opened though it should be there.
pub async fn keys(
    app: &web::Data<App>,
    person: &Username,
    sealed: Vec<Sealed>,
) -> Result<Vec<Key>, Problem> {
    let (node, person) = (app.clone(), person.clone());
    let open = move || {
        let mut keys = Vec::with_capacity(sealed.len());
        for (credential, digest) in sealed {
            let purpose = Purpose::Passkey;
            let bytes = sealed::open(&node, &person, credential, purpose, &digest)?;
            let Some(bytes) = bytes else { continue };
            keys.push(Key::from_bytes(&bytes).map_err(|error| Problem::defect(&error))?);
        }
        Ok(keys)
    };
    body::blocking(open).await?
}

/// The SHA-256 of a ticket as given.
///
/// # Errors
/// 401 if it cannot be one.
pub fn digest_of(ticket: &str) -> Result<Digest, Problem> {
    ticket.parse::<SecretToken>().map(|ticket| ticket.digest()).map_err(|_| ticket_invalid())
}

/// The one answer for a ticket that is unknown, used, lapsed, or for something else.
pub fn ticket_invalid() -> Problem {
    let detail = "the ticket is not valid, or no longer: begin again";
    Problem::new(StatusCode::UNAUTHORIZED, "passkey_ticket_invalid", detail)
}

/// What a browser needs to ask an authenticator.
pub fn asking(ticket: &SecretToken, options: &Value) -> HttpResponse {
    let body = json!({"ticket": ticket.expose(), "options": options});
    HttpResponse::Ok().insert_header(no_store()).json(body)
}

/// A challenge that could not be made.
pub fn unasked(error: &crate::webauthn::Unacceptable) -> Problem {
    Problem::defect(error)
}

fn no_store() -> (header::HeaderName, &'static str) {
    (header::CACHE_CONTROL, "no-store")
}
