//! `/auth/v1/login/passkey` and `/auth/v1/verify-passkey`: logging in by a passkey, and
//! raising a session by one.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::caller::stranger;
use super::ceremonies::{LoggingIn, OfPerson};
use super::login::Fresh;
use super::mfa::person;
use super::passkeys::{asking, digest_of, keys, ticket_invalid, unasked};
use super::relying_party::party;
use super::session::leave_former;
use super::{App, Problem, body, door, source};
use crate::authn::passkey_login::{
    Assertion, KnownPasskey, Proof, candidates, known, log_in as conclude, offered, raise,
};
use crate::authn::{Outcome, Refusal, outcome};
use crate::entropy::token;
use crate::event::Event;
use crate::model::{Digest, Username};
use crate::sequencer::{Committed, Expected};
use crate::webauthn::{Asserting, AssertionAnswer, key_id, pretended, user_handle};

/// How long it takes at least to find out about a name or a key, whatever is found: far
/// above what opening a few sealed files and checking a signature take.
const FLOOR: Duration = Duration::from_millis(15);

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    username: Option<String>,
}

#[derive(Deserialize)]
struct Answered {
    ticket: String,
    credential: AssertionAnswer,
    #[serde(default)]
    cookie: bool,
}

/// Asks for a signature: of a person's passkeys, or, without a name, of any that the
/// authenticator finds. A name that nobody has, or that has no passkey, is answered as one
/// that has some, always the same.
///
/// # Errors
/// [`Problem`]: 409 `passkeys_not_configured`; 429 `throttled`.
pub async fn login_options(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let Wanted { username } = body::typed(body::json(&app, &request, payload).await?)?;
    let caller = door::passkey_caller(&app, &request, username.as_deref());
    door::by_passkey(&app, &caller, options(&app, &request, username.as_deref())).await
}

async fn options(
    app: &web::Data<App>,
    request: &HttpRequest,
    username: Option<&str>,
) -> Result<HttpResponse, Problem> {
    let party = party(app)?;
    let (ids, offered) = match username {
        Some(username) => {
            let ids = evenly(named(app, username)).await?;
            let offered = ids.iter().map(Digest::of).collect();
            (ids, Some(offered))
        }
        None => (Vec::new(), None),
    };
    let (options, asked) = party.ask_verifying(&ids).map_err(|it| unasked(&it))?;
    let ticket = token(&*app.entropy, "passkey")?;
    let from = source::address(request, &app.settings).map(source::network);
    let from = from.unwrap_or_default();
    let what = LoggingIn { offered, asked };
    app.ceremonies.logins.put(ticket.digest(), from, what, app.clock.now());
    Ok(asking(&ticket, &options))
}

/// The ids of a name's passkeys, or of some that nobody has.
async fn named(app: &web::Data<App>, username: &str) -> Result<Vec<Vec<u8>>, Problem> {
    let made_up = pretended(&app.vault.pretence_key(), app.vault.name_tag(username).as_bytes());
    let Ok(name) = username.parse::<Username>() else { return Ok(made_up) };
    let offered = offered(&app.sequencer.world(), &name);
    let sealed = offered.iter().map(|it| (it.credential, it.sealed)).collect();
    let held = keys(app, &name, sealed).await?;
    let ids: Vec<_> = held.iter().map(|key| key.id().to_vec()).collect();
    Ok(if ids.is_empty() { made_up } else { ids })
}

/// Checks the signature and starts a session. Every failure is one answer: a wrong
/// signature, an unknown or disabled key, a disabled person, a user who was not verified,
/// a copied key.
///
/// # Errors
/// [`Problem`]: 401 `passkey_failed` or `passkey_ticket_invalid`; 429 `throttled`, which
/// leaves the ticket as it is.
pub async fn log_in(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let body = body::json(&app, &request, payload).await?;
    let answered = body::typed(body)?;
    let caller = door::passkey_caller(&app, &request, None);
    door::by_passkey(&app, &caller, answer(&app, &request, answered)).await
}

async fn answer(
    app: &web::Data<App>,
    request: &HttpRequest,
    answered: Answered,
) -> Result<HttpResponse, Problem> {
    let Answered { ticket, credential: answer, cookie } = answered;
    let (ticket, now) = (digest_of(&ticket)?, app.clock.now());
    let held = app.ceremonies.logins.take(&ticket, now, |_, _| true).ok_or_else(ticket_invalid)?;
    let LoggingIn { offered, asked } = held.what;
    let assertion = evenly(check(app, answer, asked, offered.as_deref())).await?;
    let fresh = Fresh::draw(app)?;
    let digests = fresh.digests();
    let origin = stranger(request);
    let decide = move |world: &_, now| Ok(conclude(world, &assertion, &digests, now));
    let recorded = app.sequencer.commit(origin, Expected::default(), decide).await;
    let recorded =
        recorded.map_err(|error: crate::sequencer::CommitError<Refusal>| Problem::from(error))?;
    let answer = answer_of(fresh, &recorded, cookie)?;
    if cookie {
        leave_former(app, request).await;
    }
    Ok(answer)
}

/// Asks for a signature of the caller's own passkeys, to raise the session or refresh it.
///
/// # Errors
/// [`Problem`]: 401; 403 `reauthentication_required`; 409 `passkey_not_set_up`,
/// `passkeys_not_configured`.
pub async fn verify_options(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (_, session, name) = person(&app, &request)?;
    body::json(&app, &request, payload).await?;
    let party = party(&app)?;
    let (fitting, verifying) = {
        let world = app.sequencer.world();
        candidates(&world, session, app.sequencer.now(&world))?
    };
    let sealed = fitting.iter().map(|it| (it.credential, it.sealed)).collect();
    let held = keys(&app, &name, sealed).await?;
    let asked = if verifying {
        let ids: Vec<_> = held.iter().map(|key| key.id().to_vec()).collect();
        party.ask_verifying(&ids)
    } else {
        party.ask_present(&held)
    };
    let (options, asked) = asked.map_err(|it| unasked(&it))?;
    let ticket = token(&*app.entropy, "passkey")?;
    let offered = fitting.iter().map(|it| it.key).collect();
    let what = OfPerson::Raising { offered, asked };
    app.ceremonies.of_persons.put(ticket.digest(), session, what, app.clock.now());
    Ok(asking(&ticket, &options))
}

/// Checks the signature; the session rises, or is refreshed, under new tokens.
///
/// # Errors
/// [`Problem`]: 401 `passkey_failed` or `passkey_ticket_invalid`; 403
/// `reauthentication_required`; 429 `throttled`, which leaves the ticket as it is.
pub async fn verify(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (caller, session, _) = person(&app, &request)?;
    let body = body::json(&app, &request, payload).await?;
    let Answered { ticket, credential: answer, cookie } = body::typed(body)?;
    let (ticket, now) = (digest_of(&ticket)?, app.clock.now());
    app.pace.change(session, now)?;
    let held = app.ceremonies.of_persons.take(&ticket, now, |owner, what| {
        *owner == session && matches!(what, OfPerson::Raising { .. })
    });
    let OfPerson::Raising { offered, asked } = held.ok_or_else(ticket_invalid)?.what else {
        return Err(ticket_invalid());
    };
    let assertion = check(&app, answer, asked, Some(&offered)).await?;
    let fresh = Fresh::draw(&app)?;
    let digests = fresh.digests();
    let decide = move |world: &_, now| raise(world, session, &assertion, &digests, now);
    let origin = caller.origin(&request);
    let recorded = app.sequencer.commit(origin, Expected::default(), decide).await?;
    answer_of(fresh, &recorded, cookie)
}

/// What an answer shows about its key, one of those offered if any were.
async fn check(
    app: &web::Data<App>,
    answer: AssertionAnswer,
    asked: Asserting,
    offered: Option<&[Digest]>,
) -> Result<Assertion, Problem> {
    let key = Digest::of(key_id(&answer));
    let may_be = offered.is_none_or(|keys| keys.contains(&key));
    let found = known(&app.sequencer.world(), &key).filter(|_| may_be);
    let found = found.filter(|known| is_theirs(app, known, &answer, offered.is_some()));
    let Some(KnownPasskey { person, credential, sealed, .. }) = found else {
        return Ok(Assertion { key, proof: None });
    };
    let kept = keys(app, &person, vec![(credential, sealed)]).await?.pop();
    let Some(kept) = kept else { return Ok(Assertion { key, proof: None }) };
    let node = app.clone();
    let check = move || Ok::<_, Problem>(party(&node)?.asserted(&answer, asked, &kept));
    let proof = match body::blocking(check).await?? {
        Ok(it) => Some(Proof {
            user_verified: it.user_verified,
            backed_up: it.backed_up,
            counter: it.counter,
            listed: it.listed,
        }),
        Err(error) => {
            tracing::debug!(%error, "a passkey was refused");
            None
        }
    };
    Ok(Assertion { key, proof })
}

/// True if the authenticator keeps the key for its person here. Without a name it must say
/// so; with one it may leave it out (`WebAuthn` Level 3 §7.2 step 6).
fn is_theirs(app: &App, known: &KnownPasskey, answer: &AssertionAnswer, named: bool) -> bool {
    let handle = app.vault.user_handle(known.person.as_str());
    user_handle(answer).map_or(named, |given| given == handle.as_bytes())
}

fn answer_of(fresh: Fresh, recorded: &Committed, cookie: bool) -> Result<HttpResponse, Problem> {
    let events: Vec<Event> = recorded.entries.iter().map(|entry| entry.event.clone()).collect();
    match outcome(&events) {
        Outcome::Refused(_) | Outcome::Recovering { .. } | Outcome::Bound => {
            Err(Refusal::PasskeyFailed.into())
        }
        Outcome::Started { .. } | Outcome::Raised { .. } => fresh.answer(recorded, cookie),
    }
}

/// Takes no less time than [`FLOOR`], so that what it found does not show in how long it
/// took.
async fn evenly<T>(work: impl Future<Output = T>) -> T {
    tokio::join!(work, tokio::time::sleep(FLOOR)).0
}
