//! The cookie by which a person's own device is known again, so that strangers' failures
//! do not slow it down. It opens nothing.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::App;
use crate::entropy::{NoEntropy, draw};
use crate::model::Digest;

/// The cookie.
pub const DEVICE: &str = "__Host-countersign-device";
/// How long a browser keeps it, in days: as long as it may (RFC 6265bis §5.5).
const KEPT_DAYS: i64 = 400;
/// The length of a device's id, in bytes.
const ID_BYTES: usize = 16;
/// The length of the whole, in bytes: the id and its keyed hash.
const BYTES: usize = ID_BYTES + 32;

/// The device that a request comes from, if it is one that has logged in to a password with
/// one of these ids before, under this name.
pub fn known(
    app: &App,
    request: &HttpRequest,
    name_tag: &Digest,
    passwords: &[Uuid],
) -> Option<Digest> {
    let id = id_of(app, request, name_tag, passwords)?;
    Some(Digest::of(id))
}

fn id_of(
    app: &App,
    request: &HttpRequest,
    name_tag: &Digest,
    passwords: &[Uuid],
) -> Option<[u8; ID_BYTES]> {
    let cookie = request.cookie(DEVICE)?;
    let bytes = URL_SAFE_NO_PAD.decode(cookie.value()).ok()?;
    let bytes = <[u8; BYTES]>::try_from(bytes).ok()?;
    let (id, tag) = bytes.split_first_chunk::<ID_BYTES>()?;
    let genuine = |password: &Uuid| {
        let expected = app.vault.device_tag(name_tag, password, id);
        bool::from(expected.as_bytes().as_slice().ct_eq(tag))
    };
    passwords.iter().any(genuine).then_some(*id)
}

/// The cookie for a device that has logged in to the password with this id. A device that
/// was known stays the same.
///
/// # Errors
/// [`NoEntropy`].
pub fn remembered(
    app: &App,
    request: &HttpRequest,
    name_tag: &Digest,
    before: &[Uuid],
    password: Uuid,
) -> Result<Cookie<'static>, NoEntropy> {
    let id = match id_of(app, request, name_tag, before) {
        Some(id) => id,
        None => *draw::<ID_BYTES>(&*app.entropy)?,
    };
    let tag = app.vault.device_tag(name_tag, &password, &id);
    let value = URL_SAFE_NO_PAD.encode([id.as_slice(), tag.as_bytes()].concat());
    Ok(Cookie::build(DEVICE, value)
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Strict)
        .max_age(Duration::days(KEPT_DAYS))
        .finish())
}
