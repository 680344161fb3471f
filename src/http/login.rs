//! `POST /auth/v1/login`: the first step, a password.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::cookie::{Cookie, SameSite};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::caller::{COOKIE, stranger};
use super::sealed::{self, Secret};
use super::session::leave_former;
use super::{App, Problem, body, device, door};
use crate::authn::login::{Attempt, Verdict, begin, conclude};
use crate::authn::{self, FreshTokens, session, stands_alone};
use crate::entropy::{token, uuid_v7};
use crate::event::Event;
use crate::hasher::{self, PasswordHash, Whose};
use crate::model::{Digest, NotASecret, Password, SecretToken, Username};
use crate::sequencer::{Committed, Expected};
use crate::vault::{Purpose, Vault, VaultError};

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
    let SignedIn { fresh, recorded, device } =
        sign_in(&app, &request, &username, &password).await?;
    let mut answer = fresh.answer(&recorded, cookie)?;
    if cookie {
        leave_former(&app, &request).await;
        answer.add_cookie(&device).map_err(|error| Problem::defect(&error))?;
    }
    Ok(answer)
}

/// A session that has begun, to be handed over.
pub struct SignedIn {
    /// Its tokens.
    pub fresh: Fresh,
    /// What was recorded, and the World after it.
    pub recorded: Committed,
    /// What a browser is to be known again by; it opens nothing.
    pub device: Cookie<'static>,
}

/// A whole login by password, however it was asked for: past the door, verified, recorded.
///
/// # Errors
/// Those of [`log_in`].
pub async fn sign_in(
    app: &web::Data<App>,
    request: &HttpRequest,
    username: &str,
    password: &str,
) -> Result<SignedIn, Problem> {
    let wrong = |error: NotASecret| Problem::bad("bad_password", error.to_string());
    let password: Password = password.parse().map_err(wrong)?;
    let name = username.parse::<Username>().ok();
    let caller = door::caller(app, request, username, name.as_ref());
    let ended = async {
        let begun =
            door::enter(app, &caller, |world, now| begin(world, name.as_ref(), caller.from, now))?;
        let (attempt, _turn) = begun;
        let checked = verify(app, whose(&attempt), &attempt, password).await?;
        let begun = checked.begun;
        no_sooner(app, begun, begin_session(app, request, attempt, checked, name).await).await
    };
    door::leave(app, &caller, ended.await).await
}

/// Has it recorded what came of a password; a session if it is right and still counts.
async fn begin_session(
    app: &web::Data<App>,
    request: &HttpRequest,
    attempt: Attempt,
    checked: Checked,
    name: Option<Username>,
) -> Result<SignedIn, Problem> {
    let fresh = Fresh::draw(app)?;
    let before = door::passwords_of(app, name.as_ref());
    let tag = attempt.from.name_tag;
    let recorded = recorded(app, request, attempt, checked, fresh.digests()).await?;
    let started = |event: &Event| matches!(event, Event::SessionStarted(_));
    let held = door::passwords_of(app, name.as_ref()).into_iter().next();
    let held = held.filter(|_| recorded.entries.iter().any(|it| started(&it.event)));
    let password = held.ok_or(authn::Refusal::LoginFailed)?;
    let device = device::remembered(app, request, &tag, &before, password)?;
    Ok(SignedIn { fresh, recorded, device })
}

/// Has the verdict recorded, and with it a new hash if there is one.
async fn recorded(
    app: &web::Data<App>,
    request: &HttpRequest,
    attempt: Attempt,
    checked: Checked,
    tokens: FreshTokens,
) -> Result<Committed, Problem> {
    let origin = stranger(request);
    let Checked { matches, alone, anew, .. } = checked;
    if let (Some(hash), Some(person)) = (anew, attempt.person.clone()) {
        let credential = uuid_v7(&*app.entropy, app.clock.now())?;
        let bytes = Zeroizing::new(hash.to_phc().as_bytes().to_vec());
        let secret = Secret { credential, purpose: Purpose::Password, bytes };
        let decide = move |sealed, world: &_, now| {
            let rehashed = Some((credential, sealed));
            conclude(world, &attempt, &Verdict { matches, alone, rehashed }, &tokens, now)
        };
        return sealed::replace(app, origin, &person, secret, decide).await;
    }
    let verdict = Verdict { matches, alone, rehashed: None };
    let decide = move |world: &_, now| conclude(world, &attempt, &verdict, &tokens, now);
    Ok(app.sequencer.commit(origin, Expected::default(), decide).await?)
}

/// What was found about a password.
pub struct Checked {
    /// Whether it is the right one.
    pub matches: bool,
    /// When it was handed over to be looked at, by a monotonic clock.
    pub begun: Instant,
    alone: bool,
    /// A new hash of it, if the one that it matches is weaker than a new one.
    anew: Option<PasswordHash>,
}

/// Compares with the stored hash, or at the same cost with a dummy. A place in the queue is
/// taken before the hash is read, so that no order of answers tells who has one. What comes of
/// it is to be told by [`no_sooner`]. A right password whose hash is weaker than a new one
/// would be is hashed once more, unless the hasher is busy: then the next login does it.
///
/// # Errors
/// 503 `hashing_busy`, whoever is asked for.
pub async fn verify(
    app: &web::Data<App>,
    whose: Whose,
    attempt: &Attempt,
    password: Password,
) -> Result<Checked, Problem> {
    let named = attempt.person.clone().zip(attempt.credential);
    // The worker that reads must not be the last to hold the node, which waits for it.
    let (vault, wanted) = (Arc::clone(&app.vault), named.clone());
    let stored = move || wanted.map(|wanted| read(&vault, &wanted)).transpose();
    // Monotonic readings, compared with their like alone.
    let begun = Instant::now();
    let verdict = match (app.hasher.verify(whose, password.clone(), stored).await?, named) {
        (Ok(verdict), _) => verdict,
        (Err(Unread::Vault(error)), Some((person, (credential, _))))
            if sealed::has_gone(app, &person, credential, &error) =>
        {
            NO_MATCH
        }
        (Err(error), _) => return Err(error.into()),
    };
    let alone = stands_alone(&password);
    let anew =
        if verdict.needs_rehash { app.hasher.hash(whose, password).await.ok() } else { None };
    Ok(Checked { matches: verdict.matches, begun, alone, anew })
}

/// Who waits for a login.
pub const fn whose(attempt: &Attempt) -> Whose {
    if attempt.from.device.is_some() { Whose::Known } else { Whose::Anybodys }
}

/// What came of a password, no sooner than of any other unless it is good news: a right one
/// that is refused all the same is not told by how soon. Bad news comes at whole multiples
/// of [`crate::hasher::Hasher::floor`], so that whoever has waited behind another does not
/// see either how long that took.
pub async fn no_sooner<T, E>(app: &App, begun: Instant, ended: Result<T, E>) -> Result<T, E> {
    tokio::time::sleep(kept_back(&ended, app.hasher.floor(), begun.elapsed())).await;
    ended
}

fn kept_back<T, E>(ended: &Result<T, E>, floor: Duration, took: Duration) -> Duration {
    if ended.is_ok() || floor.is_zero() {
        return Duration::ZERO;
    }
    let over = took.as_micros() % floor.as_micros().max(1);
    let over = Duration::from_micros(u64::try_from(over).unwrap_or_default());
    if over.is_zero() { over } else { floor.saturating_sub(over) }
}

const NO_MATCH: hasher::Verdict = hasher::Verdict { matches: false, needs_rehash: false };

/// Why a stored hash could not be read.
enum Unread {
    Vault(VaultError),
    NotAHash,
}

impl From<Unread> for Problem {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Vault(error) => error.into(),
            Unread::NotAHash => Self::defect(&"a sealed password hash is not one"),
        }
    }
}

/// Opens a person's hash. Blocks on the disk.
fn read(
    vault: &Vault,
    (person, (credential, sealed)): &(Username, (Uuid, Digest)),
) -> Result<PasswordHash, Unread> {
    let bytes = vault
        .open(person.as_str(), *credential, Purpose::Password, sealed)
        .map_err(Unread::Vault)?;
    let text = std::str::from_utf8(&bytes).ok();
    text.and_then(|text| text.parse().ok()).ok_or(Unread::NotAHash)
}

/// The secrets of a new or raised session, until they are handed over.
pub struct Fresh {
    session: Uuid,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: nobody learns by how soon a refusal comes that the password was right: one that
    /// is throttled because another try came in between, or whose person is disabled by now,
    /// waits as long as a wrong one.
    ///
    /// Source: ASVS 5.0 6.3.8.
    #[test]
    fn every_refusal_is_kept_back_until_a_multiple_of_the_floor() {
        let [floor, took, left] = [50, 20, 30].map(Duration::from_millis);
        for refused in [
            authn::Refusal::Throttled { retry_after_s: 1 },
            authn::Refusal::LoginFailed,
            authn::Refusal::RecoveryFailed,
        ] {
            assert_eq!(kept_back(&Err::<(), _>(&refused), floor, took), left);
            assert_eq!(kept_back(&Err::<(), _>(&refused), floor, floor * 2), Duration::ZERO);
            assert_eq!(kept_back(&Err::<(), _>(&refused), floor, floor * 2 + took), left);
            assert_eq!(kept_back(&Err::<(), _>(&refused), Duration::ZERO, took), Duration::ZERO);
        }
        assert_eq!(kept_back(&Ok::<_, authn::Refusal>(()), floor, took), Duration::ZERO);
    }
}
