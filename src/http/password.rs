//! `POST /auth/v1/password`: one password is exchanged for another, in a session.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::enrol::weak;
use super::login::{Fresh, no_sooner, verify, whose};
use super::mfa::person;
use super::sealed::{self, Secret};
use super::{App, Problem, body, door};
use crate::authn::change::{self, Change, begin, conclude};
use crate::authn::{self, WeakPassword, check_new_password, stands_alone};
use crate::entropy::uuid_v7;
use crate::hasher::Whose;
use crate::model::{NotASecret, Password};
use crate::sequencer::{Committed, Expected};
use crate::vault::Purpose;

#[derive(Deserialize)]
struct ChangePassword {
    current_password: String,
    new_password: String,
    #[serde(default)]
    cookie: bool,
}

/// Changes the caller's password. All their sessions end, this one included, and another
/// begins, at AAL1.
///
/// # Errors
/// [`Problem`]: 401 `login_failed` if the current password is wrong, 403
/// `assurance_too_low` or `reauthentication_required`, 409 `password_not_in_use`, 422
/// `password_weak` with the reason, 429 `throttled`, 503 `hashing_busy`.
pub async fn change(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let ChangePassword { current_password, new_password, cookie } =
        body::typed(body::json(&app, &request, payload).await?)?;
    let (fresh, recorded) = exchange(&app, &request, &current_password, &new_password).await?;
    fresh.answer(&recorded, cookie)
}

/// A whole change of the caller's password, however it was asked for; the tokens of the
/// session that begins.
///
/// # Errors
/// Those of [`change()`].
pub async fn exchange(
    app: &web::Data<App>,
    request: &HttpRequest,
    current: &str,
    new: &str,
) -> Result<(Fresh, Committed), Problem> {
    let (caller, session, name) = person(app, request)?;
    let (current, new) = judged(app, session, current, new)?;
    let visitor = door::caller(app, request, name.as_str(), Some(&name));
    let changed = async {
        let begun =
            door::enter(app, &visitor, |world, now| begin(world, session, visitor.from, now))?;
        let (attempt, _turn) = begun;
        let origin = caller.origin(request);
        let checked = verify(app, whose(&attempt), &attempt, current).await?;
        if !checked.matches {
            let decide = move |world: &_, now| change::refuse(world, &attempt, now);
            let refused = app.sequencer.commit(origin, Expected::default(), decide).await;
            let refused = refused.map_err(Problem::from);
            let ended = refused.and(Err(authn::Refusal::LoginFailed.into()));
            return no_sooner(app, checked.begun, ended).await;
        }
        let alone = stands_alone(&new);
        let hash = app.hasher.hash(Whose::Known, new).await?;
        let credential = uuid_v7(&*app.entropy, app.clock.now())?;
        let bytes = Zeroizing::new(hash.to_phc().as_bytes().to_vec());
        let secret = Secret { credential, purpose: Purpose::Password, bytes };
        let fresh = Fresh::draw(app)?;
        let digests = fresh.digests();
        let decide = move |sealed, world: &_, now| {
            let change = Change { session, attempt, credential, sealed, alone };
            conclude(world, &change, &digests, now)
        };
        let recorded = sealed::replace(app, origin, &name, secret, decide).await?;
        Ok((fresh, recorded))
    };
    door::leave(app, &visitor, changed.await).await
}

/// The two passwords, if this session may change them and the new one is good enough.
fn judged(
    app: &App,
    session: Uuid,
    current: &str,
    new: &str,
) -> Result<(Password, Password), Problem> {
    let world = app.sequencer.world();
    let (name, second) = change::holder(&world, session, app.sequencer.now(&world))?;
    let unfit = |error: NotASecret| Problem::bad("bad_password", error.to_string());
    let current: Password = current.parse().map_err(unfit)?;
    let new: Password = new.parse().map_err(|error: NotASecret| weak(&error))?;
    let words = &app.settings.password_words;
    check_new_password(&new, &name, second, words).map_err(|error| weak(&error))?;
    if new.expose() == current.expose() {
        return Err(weak(&WeakPassword::Unchanged));
    }
    Ok((current, new))
}
