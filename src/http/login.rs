//! `POST /auth/v1/login`: the first step, a password.

use actix_web::cookie::{Cookie, SameSite};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::caller::COOKIE;
use super::request_id::correlation;
use super::{App, Problem, body, sealed};
use crate::authn::login::{Attempt, begin, conclude};
use crate::authn::{self, FreshTokens, session};
use crate::entropy::{token, uuid_v7};
use crate::event::{Actor, Event};
use crate::hasher::PasswordHash;
use crate::model::{Digest, NotASecret, Password, SecretToken, Username};
use crate::sequencer::{Committed, Expected, Origin};
use crate::vault::Purpose;

#[derive(Deserialize)]
struct Login {
    username: String,
    password: String,
    #[serde(default)]
    cookie: bool,
}

/// Checks a password and starts a session. Every failure is one answer, at one
/// cost: a wrong password, an unknown name, a disabled person.
///
/// # Errors
/// [`Problem`]: 401 `login_failed`, 429 `throttled`, 503 `hashing_busy`.
pub async fn log_in(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let body = body::json(&app, &request, payload).await?;
    let Login { username, password, cookie } = body::typed(body)?;
    let (fresh, recorded) = with_password(&app, &request, &username, &password).await?;
    fresh.answer(&recorded, cookie)
}

/// What the API and the page of the same purpose do: checks a password, and has it
/// recorded how that went.
///
/// # Errors
/// Those of [`log_in`].
pub async fn with_password(
    app: &web::Data<App>,
    request: &HttpRequest,
    username: &str,
    password: &str,
) -> Result<(Fresh, Committed), Problem> {
    let wrong = |error: NotASecret| Problem::bad("bad_password", error.to_string());
    let password: Password = password.parse().map_err(wrong)?;
    let name = username.parse::<Username>().ok();
    let name_tag = app.vault.name_tag(username);
    let attempt = {
        let world = app.sequencer.world();
        let now = app.sequencer.now(&world);
        begin(&world, name.as_ref(), name_tag, now)?
    };
    let matches = verify(app, &attempt, password).await?;
    let fresh = Fresh::draw(app)?;
    let (digests, origin) =
        (fresh.digests(), Origin { actor: Actor::Anonymous, correlation: correlation(request) });
    let decide = move |world: &_, now| conclude(world, &attempt, matches, &digests, now);
    let recorded = app.sequencer.commit(origin, Expected::default(), decide).await?;
    let started = recorded.entries.iter().any(|it| matches!(it.event, Event::SessionStarted(_)));
    if started { Ok((fresh, recorded)) } else { Err(authn::Refusal::LoginFailed.into()) }
}

/// Compares with the stored hash, or at the same cost with a dummy.
///
/// # Errors
/// 503 if as many passwords wait as may; 500 if a stored hash is none.
pub(super) async fn verify(
    app: &web::Data<App>,
    attempt: &Attempt,
    password: Password,
) -> Result<bool, Problem> {
    let stored = match (&attempt.person, &attempt.credential) {
        (Some(person), Some((credential, sealed))) => {
            let (app, credential, sealed) = (app.clone(), *credential, *sealed);
            let person = person.clone();
            let open = move || sealed::open(&app, &person, credential, Purpose::Password, &sealed);
            body::blocking(open).await??.map(|bytes| phc(&bytes)).transpose()?
        }
        _ => None,
    };
    Ok(app.hasher.verify(password, stored).await?.matches)
}

fn phc(bytes: &[u8]) -> Result<PasswordHash, Problem> {
    let text = std::str::from_utf8(bytes).ok();
    let hash = text.and_then(|text| text.parse().ok());
    hash.ok_or_else(|| Problem::defect(&"a sealed password hash is not one"))
}

/// The secrets of a new or raised session, until they are handed over.
pub struct Fresh {
    session: uuid::Uuid,
    token: SecretToken,
    session_token: SecretToken,
}

impl Fresh {
    /// Draws them.
    ///
    /// # Errors
    /// 503 if the operating system gives no random bytes.
    pub fn draw(app: &App) -> Result<Self, Problem> {
        let entropy = &*app.entropy;
        Ok(Self {
            session: uuid_v7(entropy, app.clock.now())?,
            token: token(entropy, "token")?,
            session_token: token(entropy, "session")?,
        })
    }

    /// What is recorded of them.
    pub fn digests(&self) -> FreshTokens {
        FreshTokens {
            session: self.session,
            token: self.token.digest(),
            session_token: self.session_token.digest(),
        }
    }

    /// Hands them over, once; a browser gets its token as a cookie that no script
    /// can read.
    ///
    /// # Errors
    /// 500 if the session is not in the World it was recorded in.
    pub fn answer(self, recorded: &Committed, cookie: bool) -> Result<HttpResponse, Problem> {
        self.answer_with(recorded, cookie, Map::new())
    }

    /// The same with more members.
    ///
    /// # Errors
    /// Those of [`Fresh::answer`].
    pub fn answer_with(
        self,
        recorded: &Committed,
        cookie: bool,
        more: Map<String, Value>,
    ) -> Result<HttpResponse, Problem> {
        let world = &recorded.world;
        let session = world.sessions.by_token(&self.token.digest());
        // A session that ended in the same group is over before it began.
        let session = session.ok_or(authn::Refusal::SessionOver)?;
        let now = session.authenticated_at;
        let mut body = json!({
            "session_token": self.session_token.expose(),
            "session": session::view(world, session.id, now)?,
        });
        let mut answer = HttpResponse::Ok();
        if let Some(members) = body.as_object_mut() {
            members.extend(more);
            if cookie {
                answer.cookie(browser_cookie(self.token.expose()));
            } else {
                members.insert("token".to_owned(), json!(self.token.expose()));
            }
        }
        Ok(answer.insert_header(("cache-control", "no-store")).json(body))
    }

    /// The SHA-256 of the token.
    pub fn token_digest(&self) -> Digest {
        self.token.digest()
    }

    /// Hands a browser its token alone, as a cookie.
    #[must_use]
    pub fn into_cookie(self) -> Cookie<'static> {
        browser_cookie(self.token.expose())
    }
}

/// What takes a browser's cookie back.
pub fn removal() -> Cookie<'static> {
    let mut gone = browser_cookie("");
    gone.make_removal();
    gone
}

/// The cookie of SP 800-63B-4 §5.1.1.
pub fn browser_cookie(token: &str) -> Cookie<'static> {
    Cookie::build(COOKIE, token.to_owned())
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Strict)
        .finish()
}
