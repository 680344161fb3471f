//! Where passkeys are used: from the settings, and the address listened on.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use actix_web::http::StatusCode;

use super::{App, Problem};
use crate::settings::Settings;
use crate::webauthn::{AllowList, NotARelyingParty, NotAnAllowList, RelyingParty};

/// Why passkeys cannot be offered as the settings want it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasskeyError {
    /// The places contradict each other.
    #[error(transparent)]
    Places(#[from] NotARelyingParty),
    /// The file of `webauthn.attestation` cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is no list of authenticators.
    #[error("`{}` {source}", path.display())]
    List {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: NotAnAllowList,
    },
}

/// What passkeys are made for; nothing where there is no place for them, such as behind a
/// bare IP address.
///
/// # Errors
/// [`PasskeyError`] if what the owner has chosen cannot be.
pub fn relying_party(
    settings: &Settings,
    listening: SocketAddr,
) -> Result<Option<RelyingParty>, PasskeyError> {
    let list = settings.webauthn.attestation.as_deref().map(allow_list).transpose()?;
    let Some(places) = settings.places(listening) else { return Ok(None) };
    match RelyingParty::new(&places.id, &places.origins, list) {
        Err(error) if places.chosen => Err(error.into()),
        party => Ok(party.ok()),
    }
}

fn allow_list(path: &Path) -> Result<AllowList, PasskeyError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| PasskeyError::Unreadable { path: path.to_owned(), source })?;
    text.parse().map_err(|source| PasskeyError::List { path: path.to_owned(), source })
}

/// What passkeys are made for here.
///
/// # Errors
/// 409 `passkeys_not_configured`: it is the owner's to set, not the caller's to repeat.
pub fn party(app: &App) -> Result<&RelyingParty, Problem> {
    app.relying_party.get().and_then(Option::as_ref).ok_or_else(|| {
        let detail = "passkeys need a domain: set public_url, or webauthn.origins";
        Problem::new(StatusCode::CONFLICT, "passkeys_not_configured", detail)
    })
}
