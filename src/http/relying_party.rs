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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Flags;

    fn of(set: &[&str]) -> Result<bool, String> {
        let data = Some("/srv/countersign".to_owned());
        let set = set.iter().map(|pair| (*pair).to_owned()).collect();
        let settings = Settings::resolve(&Flags { data, set, ..Flags::default() }, []).unwrap();
        let party = relying_party(&settings, "127.0.0.1:8181".parse().unwrap());
        party.map(|party| party.is_some()).map_err(|error| error.to_string())
    }

    #[test]
    fn passkeys_are_offered_where_there_is_a_domain() {
        assert_eq!(of(&[]), Ok(true));
        assert_eq!(of(&["public_url=https://pdp.example.org"]), Ok(true));
        assert_eq!(of(&["public_url=https://PDP.example.org"]), Ok(true));
        assert_eq!(of(&["public_url=https://192.0.2.7"]), Ok(false));
        assert_eq!(of(&["public_url=http://127.0.0.1:8181"]), Ok(false));
    }

    /// Goal: what an owner has chosen is served as chosen or not at all.
    #[test]
    fn what_was_chosen_wrongly_is_refused_at_start() {
        for (set, what) in [
            (vec!["webauthn.rp_id=192.0.2.7"], "webauthn.rp_id `192.0.2.7` is not a domain"),
            (vec!["webauthn.rp_id=org", "public_url=https://example.org"], "`org` is not"),
            (vec!["webauthn.rp_id=example.com", "public_url=https://badexample.com"], "badexample"),
            (vec!["webauthn.origins=https://192.0.2.7"], "192.0.2.7"),
            (vec!["webauthn.attestation=/nowhere/list.pem"], "cannot read `/nowhere/list.pem`"),
        ] {
            let error = of(&set).unwrap_err();
            assert!(error.contains(what), "{error}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "aaguid yes\n").unwrap();
        let setting = format!("webauthn.attestation={}", file.path().display());
        assert!(of(&[&setting]).unwrap_err().contains("line 1: not an aaguid"));
    }
}
