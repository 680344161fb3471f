//! `POST /auth/v1/recovery-codes`, `/auth/v1/recover` and `/users/v1/{name}/re-enrol`: ways
//! back in when the second factor is lost.

use std::collections::BTreeSet;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Map, json};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::caller::stranger;
use super::guard::{Guarded, ManageUsers};
use super::login::{self, Fresh};
use super::mfa::person;
use super::sealed::{self, Secret};
use super::session::leave_former;
use super::users::{issued, username};
use super::{App, Problem, body, door};
use crate::authn::recovery::{self, CODES, CodeSet, Recovering, RecoveryVerdict};
use crate::authn::{self, Outcome, authenticators};
use crate::entropy::{draw, token, uuid_v7};
use crate::model::{Digest, Label, NotASecret, Password, RecoveryCode, Username};
use crate::sequencer::{Committed, Origin};
use crate::vault::Purpose;

/// The bytes of one code's SHA-256 in a sealed set.
const DIGEST: usize = 32;

/// Gives the caller ten new codes, which are shown this once; those before are void.
///
/// # Errors
/// [`Problem`]: 401, 403 `assurance_too_low` or `reauthentication_required`, 409
/// `mfa_not_set_up`, 429 `throttled`.
pub async fn issue(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (caller, session, person) = person(&app, &request)?;
    body::json(&app, &request, payload).await?;
    let (credential, codes) = issued_codes(&app, caller.origin(&request), session, &person).await?;
    let shown: Vec<_> = codes.iter().map(|code| code.expose().to_string()).collect();
    let body = json!({"id": credential, "codes": shown});
    Ok(HttpResponse::Created().insert_header((header::CACHE_CONTROL, "no-store")).json(body))
}

/// Has new codes recorded for a person in a session of theirs.
///
/// # Errors
/// Those of [`issue`].
pub async fn issued_codes(
    app: &web::Data<App>,
    origin: Origin,
    session: Uuid,
    person: &Username,
) -> Result<(Uuid, Vec<RecoveryCode>), Problem> {
    let credential = uuid_v7(&*app.entropy, app.clock.now())?;
    {
        let world = app.sequencer.world();
        let unsealed = CodeSet { credential, sealed: Digest::of("") };
        recovery::issue(&world, session, unsealed, app.sequencer.now(&world))?;
    }
    app.pace.change(session, app.clock.now())?;
    let codes = (0..CODES).map(|_| fresh_code(app)).collect::<Result<Vec<_>, _>>()?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(codes.len() * DIGEST));
    for code in &codes {
        bytes.extend_from_slice(code.digest().as_bytes());
    }
    let secret = Secret { credential, purpose: Purpose::Recovery, bytes };
    let decide = move |sealed, world: &_, now| {
        recovery::issue(world, session, CodeSet { credential, sealed }, now)
    };
    sealed::replace(app, origin, person, secret, decide).await?;
    Ok((credential, codes))
}

fn fresh_code(app: &App) -> Result<RecoveryCode, Problem> {
    Ok(RecoveryCode::from(*draw::<{ RecoveryCode::BYTES }>(&*app.entropy)?))
}

#[derive(Deserialize)]
struct Recover {
    username: String,
    password: String,
    code: String,
    #[serde(default)]
    cookie: bool,
}

/// Begins a session for binding a new authenticator, and nothing else. The code is used up;
/// the answer carries a fresh one in its place. Whatever is wrong, the answer is one, and as
/// long as the password is wrong, its cost too.
///
/// # Errors
/// [`Problem`]: 401 `recovery_failed`, 429 `throttled`, 503 `hashing_busy`.
pub async fn recover(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let body = body::json(&app, &request, payload).await?;
    let Recover { username, password, code, cookie } = body::typed(body)?;
    let (fresh, recorded, shown) = recovering(&app, &request, &username, &password, &code).await?;
    let mut more = Map::new();
    if let Some(shown) = shown {
        more.insert("recovery_code".to_owned(), json!(shown.expose().as_str()));
    }
    let answer = fresh.answer_with(&recorded, cookie, more)?;
    if cookie {
        leave_former(&app, &request).await;
    }
    Ok(answer)
}

/// Has a password and a recovery code checked, and a session begun for binding alone; with
/// the code that takes the place of the one used.
///
/// # Errors
/// Those of [`recover`].
pub async fn recovering(
    app: &web::Data<App>,
    request: &HttpRequest,
    username: &str,
    password: &str,
    code: &str,
) -> Result<(Fresh, Committed, Option<RecoveryCode>), Problem> {
    let wrong = |error: NotASecret| Problem::bad("bad_password", error.to_string());
    let password: Password = password.parse().map_err(wrong)?;
    let wrong = |error: NotASecret| Problem::bad("bad_code", error.to_string());
    let code: RecoveryCode = code.parse().map_err(wrong)?;
    let name = username.parse::<Username>().ok();
    let caller = door::caller(app, request, username, name.as_ref());
    let ended = async {
        let from = caller.from;
        let begun = door::enter(app, &caller, |world, now| {
            recovery::begin(world, name.as_ref(), from, now)
        })?;
        let (attempt, _turn) = begun;
        let whose = login::whose(&attempt.login);
        let checked = login::verify(app, whose, &attempt.login, password).await?;
        let origin = stranger(request);
        let found = found(app, origin, attempt, checked.matches, code).await;
        login::no_sooner(app, checked.begun, found).await
    };
    door::leave(app, &caller, ended.await).await
}

/// Looks at the code if the password was right, and has it recorded what came of both.
async fn found(
    app: &web::Data<App>,
    origin: Origin,
    attempt: Recovering,
    password: bool,
    code: RecoveryCode,
) -> Result<(Fresh, Committed, Option<RecoveryCode>), Problem> {
    let replacement = if password { used(app, &attempt, code).await? } else { None };
    let fresh = Fresh::draw(app)?;
    let (recorded, shown) = conclude(app, origin, attempt, password, replacement, &fresh).await?;
    let events: Vec<_> = recorded.entries.iter().map(|entry| entry.event.clone()).collect();
    if authn::outcome(&events) != (Outcome::Recovering { bound: false }) {
        return Err(authn::Refusal::RecoveryFailed.into());
    }
    Ok((fresh, recorded, shown))
}

/// A set with a fresh code in the place of one that was given.
struct Replacement {
    secret: Secret,
    code: RecoveryCode,
}

/// Has it recorded what was given; the fresh code, if it came to be.
async fn conclude(
    app: &web::Data<App>,
    origin: Origin,
    attempt: Recovering,
    password: bool,
    replacement: Option<Replacement>,
    fresh: &Fresh,
) -> Result<(Committed, Option<RecoveryCode>), Problem> {
    let digests = fresh.digests();
    let person = attempt.login.person.clone();
    let Some((Replacement { secret, code }, person)) = replacement.zip(person) else {
        let verdict =
            if password { RecoveryVerdict::WrongCode } else { RecoveryVerdict::WrongPassword };
        let decide =
            move |world: &_, now| recovery::conclude(world, &attempt, verdict, &digests, now);
        let expected = crate::sequencer::Expected::default();
        return Ok((app.sequencer.commit(origin, expected, decide).await?, None));
    };
    let credential = secret.credential;
    let decide = move |sealed, world: &_, now| {
        let verdict = RecoveryVerdict::Right(CodeSet { credential, sealed });
        recovery::conclude(world, &attempt, verdict, &digests, now)
    };
    let recorded = sealed::replace(app, origin, &person, secret, decide).await?;
    Ok((recorded, Some(code)))
}

/// Holds a code against every one of the set; what is to take the set's place if it is in it.
async fn used(
    app: &web::Data<App>,
    attempt: &Recovering,
    code: RecoveryCode,
) -> Result<Option<Replacement>, Problem> {
    let (Some(person), Some(set)) = (attempt.login.person.clone(), attempt.set) else {
        return Ok(None);
    };
    let node = app.clone();
    let open = move || sealed::open(&node, &person, set.credential, Purpose::Recovery, &set.sealed);
    let Some(mut bytes) = body::blocking(open).await?? else { return Ok(None) };
    let fresh = fresh_code(app)?;
    if !bool::from(replaced(&mut bytes, &code.digest(), &fresh.digest())) {
        return Ok(None);
    }
    let credential = uuid_v7(&*app.entropy, app.clock.now())?;
    let secret = Secret { credential, purpose: Purpose::Recovery, bytes };
    Ok(Some(Replacement { secret, code: fresh }))
}

/// Puts one digest in another's place, wherever that is; says whether it was anywhere. The
/// time it takes tells neither.
fn replaced(set: &mut [u8], given: &Digest, fresh: &Digest) -> Choice {
    let mut found = Choice::from(0);
    for kept in set.chunks_exact_mut(DIGEST) {
        let same = kept.ct_eq(given.as_bytes());
        for (byte, new) in kept.iter_mut().zip(fresh.as_bytes()) {
            byte.conditional_assign(new, same);
        }
        found |= same;
    }
    found
}

#[derive(Deserialize)]
struct ReEnrol {
    #[serde(default)]
    authenticators: Option<BTreeSet<Uuid>>,
    #[serde(default)]
    reason: Label,
}

/// Has a person bind their authenticators anew, all of them or those named: these can no
/// longer be used, every session ends, and a ticket is issued to set a password with.
///
/// # Errors
/// [`Problem`]: 404 `person_unknown` or `authenticator_unknown`, 409 `person_disabled`.
pub async fn re_enrol(
    may: Guarded<ManageUsers>,
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let name = username(&path)?;
    let ReEnrol { authenticators, reason } =
        body::typed(body::json(&app, &request, payload).await?)?;
    let ticket = token(&*app.entropy, "ticket")?;
    let (person, digest) = (name.clone(), ticket.digest());
    let decide = move |world: &_, now| {
        authenticators::re_enrol(world, &person, authenticators.as_ref(), digest, &reason, now)
    };
    let recorded =
        app.sequencer.commit(may.caller.origin(&request), may.expected(), decide).await?;
    Ok(issued(&name, &ticket, &recorded))
}
