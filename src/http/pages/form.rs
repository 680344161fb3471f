//! Forms: only our own are taken, and only from the session they were shown in.
//!
//! Each form carries a tag of the token that its session, or before there is one its
//! browser, holds in a cookie: who makes a browser send a form cannot make the tag. The
//! cookies are `SameSite=Strict` and the browser's word about where a form comes from is
//! asked as well; each of the three would do alone (ASVS 5.0 V3.5.1; W3C Fetch Metadata).

use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, Render, html};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq as _;

use super::super::{App, Problem, body};
use super::layout::{Frame, document};
use super::visitor::Visitor;
use super::{Away, answer};
use crate::entropy::token;
use crate::model::{Digest, SecretToken};

/// The largest form, in bytes.
const BYTES_MAX: usize = 16 << 10;

/// The cookie of a browser that nobody has signed in with.
const COOKIE: &str = "__Host-countersign-form";

/// What makes a form one of ours, in one session.
#[derive(Clone, Copy)]
pub struct FormTag(Digest);

impl FormTag {
    /// That of a session, by the SHA-256 of its token.
    pub fn of(app: &App, token: &Digest) -> Self {
        Self(app.vault.form_tag(token))
    }
}

impl Render for FormTag {
    fn render(&self) -> Markup {
        html! { input type="hidden" name="form" value=(self.0); }
    }
}

/// A browser that nobody has signed in with yet.
pub struct Stranger {
    /// What its forms carry.
    pub tag: FormTag,
    /// What it keeps, if it has not got it yet.
    pub cookie: Option<Cookie<'static>>,
}

impl Stranger {
    /// The browser that a request is from.
    ///
    /// # Errors
    /// 503 if the operating system gives no random bytes.
    pub fn of(app: &App, request: &HttpRequest) -> Result<Self, Problem> {
        if let Some(kept) = kept(request) {
            return Ok(Self { tag: FormTag::of(app, &kept), cookie: None });
        }
        let fresh = token(&*app.entropy, "form")?;
        let cookie = Cookie::build(COOKIE, fresh.expose().to_owned());
        let cookie = cookie.path("/").secure(true).http_only(true).same_site(SameSite::Strict);
        Ok(Self { tag: FormTag::of(app, &fresh.digest()), cookie: Some(cookie.finish()) })
    }
}

impl Stranger {
    /// A page for this browser, with what it is to keep.
    pub fn shown(&self, status: StatusCode, title: &str, main: &Markup) -> HttpResponse {
        let mut answer = answer::page(status, &document(title, &Frame::Nobody, main));
        if let Some(cookie) = &self.cookie {
            let _cannot_fail = answer.add_cookie(cookie);
        }
        answer
    }
}

fn kept(request: &HttpRequest) -> Option<Digest> {
    let cookie = request.cookie(COOKIE)?;
    cookie.value().parse::<SecretToken>().ok().map(|token| token.digest())
}

/// Reads the form that a browser sent before anybody had signed in.
///
/// # Errors
/// 403 unless it is one of ours, 400 if it is not whole.
pub async fn from_stranger<T: DeserializeOwned>(
    app: &App,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<T, Problem> {
    read(app, request, payload, kept(request)).await
}

/// Reads the form that a visitor sent.
///
/// # Errors
/// As [`from_stranger`].
pub async fn from_visitor<T: DeserializeOwned>(
    app: &App,
    request: &HttpRequest,
    payload: web::Payload,
    visitor: &Visitor,
) -> Result<T, Away> {
    Ok(read(app, request, payload, Some(visitor.token)).await?)
}

/// A form with nothing to fill in.
#[derive(Deserialize)]
pub struct Nothing {}

#[derive(Deserialize)]
struct Tagged {
    form: String,
}

async fn read<T: DeserializeOwned>(
    app: &App,
    request: &HttpRequest,
    payload: web::Payload,
    token: Option<Digest>,
) -> Result<T, Problem> {
    if !is_form(request) || !is_from_here(app, request) {
        return Err(not_ours());
    }
    let body = body::whole(payload, BYTES_MAX).await?;
    let text = std::str::from_utf8(&body).map_err(|_| incomplete())?;
    let tagged = web::Query::<Tagged>::from_query(text).map_err(|_| not_ours())?;
    let expected = token.map(|token| FormTag::of(app, &token)).ok_or_else(not_ours)?;
    let given = tagged.form.parse::<Digest>().map_err(|_| not_ours())?;
    if !bool::from(given.as_bytes().ct_eq(expected.0.as_bytes())) {
        return Err(not_ours());
    }
    // What it says is wrong could quote a secret.
    web::Query::<T>::from_query(text).map(web::Query::into_inner).map_err(|_| incomplete())
}

fn is_form(request: &HttpRequest) -> bool {
    let given = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = given.and_then(|text| text.split(';').next()).map(str::trim);
    essence.is_some_and(|kind| kind.eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}

/// What the browser says about where a form comes from. Those of these years all say
/// `Sec-Fetch-Site`, except in the clear across a network, which is not served.
fn is_from_here(app: &App, request: &HttpRequest) -> bool {
    let said = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    match (said("sec-fetch-site"), said("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => is_our_origin(app, origin, said("host")),
        (None, None) => false,
    }
}

fn is_our_origin(app: &App, origin: &str, host: Option<&str>) -> bool {
    if let Some(url) = &app.settings.public_url {
        return url.as_str() == origin;
    }
    let named = origin.split_once("://").map(|(_, host)| host);
    named.is_some() && named == host
}

fn not_ours() -> Problem {
    let detail = "the form was not sent from a page of this session: open the page again";
    Problem::forbidden(detail)
}

fn incomplete() -> Problem {
    Problem::bad("bad_form", "the form is not whole: open the page again")
}
