//! `POST /auth/v1/setup-mfa` and `/auth/v1/verify-mfa`: the second step, TOTP.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::caller::{COOKIE, Caller};
use super::login::{Fresh, removal};
use super::sealed::{self, Secret};
use super::{App, Problem, body, door};
use crate::authn::mfa::{Candidate, MfaVerdict, Offer, candidates, conclude, offer};
use crate::authn::{self, Outcome, Provisioning, TotpSeed};
use crate::entropy::{draw, uuid_v7};
use crate::event::Event;
use crate::model::{Digest, Label, Moment, NotASecret, TotpCode, Username};
use crate::sequencer::{Committed, Origin};
use crate::vault::Purpose;

/// What authenticator apps show as the issuer.
const ISSUER: &str = "Countersign";

#[derive(Deserialize)]
struct SetUpMfa {
    #[serde(default)]
    label: Label,
}

#[derive(Deserialize)]
struct VerifyMfa {
    mfa_code: String,
    #[serde(default)]
    cookie: bool,
}

/// Offers a new TOTP authenticator: its seed is shown this once, and counts only
/// after one right code.
///
/// # Errors
/// [`Problem`]: 401, 403 `assurance_too_low` or `reauthentication_required`, 409
/// `too_many_authenticators`, 429 `throttled`.
pub async fn set_up(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (caller, session, person) = person(&app, &request)?;
    let SetUpMfa { label } = body::typed(body::json(&app, &request, payload).await?)?;
    let origin = caller.origin(&request);
    let (shown, credential, recorded) =
        offered(&app, origin, session, &person, label.clone()).await?;
    let expires_at = recorded.entries.iter().find_map(|entry| match &entry.event {
        Event::MfaOffered(offered) => Some(offered.expires_at),
        _ => None,
    });
    let body = json!({
        "id": credential,
        "label": label,
        "otpauth_uri": shown.otpauth_uri.as_str(),
        "secret": shown.secret_base32.as_str(),
        "qr_png": data_url(&shown.qr_png),
        "expires_at": expires_at,
    });
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(body))
}

/// An image within the text that shows it.
pub fn data_url(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}

/// Has a new authenticator offered to a person in a session of theirs.
///
/// # Errors
/// Those of [`set_up`].
pub async fn offered(
    app: &web::Data<App>,
    origin: Origin,
    session: Uuid,
    person: &Username,
    label: Label,
) -> Result<(Provisioning, Uuid, Committed), Problem> {
    let credential = uuid_v7(&*app.entropy, app.clock.now())?;
    rehearse(app, session, credential)?;
    app.pace.change(session, app.clock.now())?;
    let seed = TotpSeed::from(*draw::<20>(&*app.entropy)?);
    let shown = provisioned(&seed, person)?;
    let bytes = Zeroizing::new(seed.expose().to_vec());
    let secret = Secret { credential, purpose: Purpose::Totp, bytes };
    let decide = move |sealed, world: &_, now| {
        offer(world, session, &Offer { credential, sealed, label }, now)
    };
    let recorded = sealed::replace(app, origin, person, secret, decide).await?;
    Ok((shown, credential, recorded))
}

/// What was offered to a person in a session of theirs, if it still awaits its first
/// code: shown to whom it would be offered anew.
///
/// # Errors
/// Those of [`set_up`].
pub async fn pending(
    app: &web::Data<App>,
    session: Uuid,
    person: &Username,
) -> Result<Option<Provisioning>, Problem> {
    rehearse(app, session, Uuid::nil())?;
    let found = {
        let world = app.sequencer.world();
        let now = app.sequencer.now(&world);
        let pending = world.identities.get(person).and_then(|it| it.pending_totp.as_ref());
        let open = pending.filter(|it| it.awaits(session, now) && !it.credential.disabled);
        open.map(|it| (it.credential.id, it.credential.sealed))
    };
    let Some((credential, sealed)) = found else { return Ok(None) };
    let (node, subject) = (app.clone(), person.clone());
    let open = move || sealed::open(&node, &subject, credential, Purpose::Totp, &sealed);
    let Some(bytes) = body::blocking(open).await?? else { return Ok(None) };
    provisioned(&seed(&bytes)?, person).map(Some)
}

fn provisioned(seed: &TotpSeed, person: &Username) -> Result<Provisioning, Problem> {
    let shown = authn::provisioning(seed, person, ISSUER);
    shown.map_err(|error| Problem::bad("name_too_long", error.to_string()))
}

fn seed(bytes: &[u8]) -> Result<TotpSeed, Problem> {
    TotpSeed::try_from(bytes).map_err(|_| Problem::defect(&"a sealed seed is not one"))
}

/// Refuses whom the writer would refuse, before a seed is sealed for nothing.
fn rehearse(app: &App, session: Uuid, credential: Uuid) -> Result<(), authn::Refusal> {
    let world = app.sequencer.world();
    let unsealed = Offer { credential, sealed: Digest::of(""), label: Label::default() };
    offer(&world, session, &unsealed, app.sequencer.now(&world)).map(drop)
}

/// Checks a code; the session rises to AAL2 and its tokens are replaced. One that a
/// recovery code began ends instead: the answer is `{"bound": true}`, and the person logs
/// in. One that was at AAL2 when it had the authenticator set up goes on as it was, with
/// the same answer.
///
/// # Errors
/// [`Problem`]: 401 `mfa_failed`, 409 `mfa_not_set_up`, 429 `throttled`.
pub async fn verify(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (caller, session, person) = person(&app, &request)?;
    let VerifyMfa { mfa_code, cookie } = body::typed(body::json(&app, &request, payload).await?)?;
    match verified(&app, &request, (&caller, session), &person, &mfa_code).await? {
        Verified::Raised(fresh, recorded) => fresh.answer(&recorded, cookie),
        Verified::Bound => Ok(bound(&request)),
        Verified::Added => {
            let mut answer = HttpResponse::Ok();
            answer.insert_header((header::CACHE_CONTROL, "no-store"));
            Ok(answer.json(json!({"bound": true})))
        }
    }
}

/// What a right code led to.
pub enum Verified {
    /// The session has risen, or is as fresh as if it had just begun.
    Raised(Fresh, Committed),
    /// An authenticator was bound, and the session that was for it alone has ended.
    Bound,
    /// An authenticator was bound, and the session goes on as it was.
    Added,
}

/// Has a code checked that a person gave in a session of theirs, and the session raised. One
/// that is turned away unread is summed up with the passwords that are.
///
/// # Errors
/// Those of [`verify`].
pub async fn verified(
    app: &web::Data<App>,
    request: &HttpRequest,
    (caller, session): (&Caller, Uuid),
    person: &Username,
    code: &str,
) -> Result<Verified, Problem> {
    let visitor = door::caller(app, request, person.as_str(), Some(person));
    let ended = judged(app, caller.origin(request), session, person, code).await;
    door::leave(app, &visitor, ended).await
}

async fn judged(
    app: &web::Data<App>,
    origin: Origin,
    session: Uuid,
    person: &Username,
    code: &str,
) -> Result<Verified, Problem> {
    let code: TotpCode =
        code.parse().map_err(|error: NotASecret| Problem::bad("bad_code", error.to_string()))?;
    let (found, now) = {
        let world = app.sequencer.world();
        let now = app.sequencer.now(&world);
        (candidates(&world, session, now)?, now)
    };
    let (node, subject) = (app.clone(), person.clone());
    let check = move || matching(&node, &subject, session, &found, &code, now);
    let verdict = body::blocking(check).await??;
    let fresh = Fresh::draw(app)?;
    let digests = fresh.digests();
    let decide = move |world: &_, now| conclude(world, &verdict, &digests, now);
    let recorded = sealed::record(app, origin, person, decide).await?;
    let events: Vec<_> = recorded.entries.iter().map(|entry| entry.event.clone()).collect();
    match authn::outcome(&events) {
        Outcome::Raised { .. } => Ok(Verified::Raised(fresh, recorded)),
        Outcome::Recovering { bound: true } => Ok(Verified::Bound),
        Outcome::Bound => Ok(Verified::Added),
        _ => Err(authn::Refusal::MfaFailed.into()),
    }
}

fn bound(request: &HttpRequest) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    if request.cookie(COOKIE).is_some() {
        answer.cookie(removal());
    }
    answer.insert_header((header::CACHE_CONTROL, "no-store")).json(json!({"bound": true}))
}

/// Which of the candidates the code belongs to, and to which time step; a code
/// that belongs to none is said of the last.
fn matching(
    app: &App,
    person: &Username,
    session: Uuid,
    candidates: &[Candidate],
    code: &TotpCode,
    now: Moment,
) -> Result<MfaVerdict, Problem> {
    let mut verdict = None;
    for candidate in candidates {
        let Candidate { credential, sealed, .. } = candidate;
        let bytes = sealed::open(app, person, *credential, Purpose::Totp, sealed)?;
        let Some(bytes) = bytes else { continue };
        let step = authn::matching_step(&seed(&bytes)?, code, now);
        let found = MfaVerdict { session, credential: *credential, step };
        if step.is_some() {
            return Ok(found);
        }
        verdict = Some(found);
    }
    // Every one of them has been superseded since.
    verdict.ok_or_else(|| authn::Refusal::MfaFailed.into())
}

/// The person who calls, in a session of their own.
///
/// # Errors
/// 401 without one; 403 for a service.
pub fn person(app: &App, request: &HttpRequest) -> Result<(Caller, Uuid, Username), Problem> {
    let caller = Caller::of(request, app, &app.sequencer.world())?;
    let Caller::Person(session) = &caller else {
        return Err(Problem::forbidden("this is for a person who has logged in"));
    };
    let person = session.person.clone().ok_or_else(Problem::unauthenticated)?;
    let id = session.id;
    Ok((caller, id, person))
}
