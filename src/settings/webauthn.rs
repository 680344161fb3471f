//! Where passkeys are used. Never taken from a request: a name in a `Host` header is whoever
//! sent it's own.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::layer::Layers;
use super::transport::PublicUrl;
use super::{SettingError, Settings, known};
use crate::model::Acr;

/// The most origins.
const ORIGINS_MAX: usize = 16;

/// What passkeys are made for, and where they are used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebauthnSettings {
    /// The relying party's id, a domain.
    pub rp_id: Option<String>,
    /// The origins, at most 16; each counts exactly as it is.
    pub origins: Vec<PublicUrl>,
    /// The file of the authenticators that may give AAL3.
    pub attestation: Option<PathBuf>,
}

/// Where passkeys are used, with what was not given derived from the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The relying party's id.
    pub id: String,
    /// The origins.
    pub origins: Vec<String>,
    /// True if somebody has chosen them: then they must be right.
    pub chosen: bool,
}

impl WebauthnSettings {
    pub(super) fn read(layers: &Layers) -> Result<Self, SettingError> {
        let origins: Vec<PublicUrl> = layers.list(&known::WEBAUTHN_ORIGINS)?;
        if origins.len() > ORIGINS_MAX {
            return Err(layers.wrong(&known::WEBAUTHN_ORIGINS));
        }
        let attestation = layers.text(&known::WEBAUTHN_ATTESTATION)?.map(PathBuf::from);
        Ok(Self { rp_id: layers.text(&known::WEBAUTHN_RP_ID)?, origins, attestation })
    }
}

impl Settings {
    /// The highest class that a login can reach as these settings are.
    pub(super) fn login_max(&self) -> Acr {
        match (self.places(self.listen), &self.webauthn.attestation) {
            (None, _) => Acr::Aal2,
            (Some(_), None) => Acr::PhishingResistant,
            (Some(_), Some(_)) => Acr::HardwareProtected,
        }
    }

    /// Where passkeys are used: as set; else at the public URL; else, on loopback, at
    /// `localhost` with the port of the address listened on. No place at all behind another
    /// address alone, nor where the public URL has an address for a name.
    #[must_use]
    pub fn places(&self, listening: SocketAddr) -> Option<Places> {
        let set = self.webauthn.origins.as_slice();
        let public = self.public_url.as_slice();
        let origins: Vec<_> = match (set, public) {
            ([], []) if listening.ip().to_canonical().is_loopback() => {
                let scheme = if self.tls.is_some() { "https" } else { "http" };
                vec![format!("{scheme}://localhost:{}", listening.port())]
            }
            ([], public) => public.iter().map(ToString::to_string).collect(),
            (set, _) => set.iter().map(ToString::to_string).collect(),
        };
        let host = |origin: &String| {
            let (_, authority) = origin.split_once("://")?;
            Some(authority.split_once(':').map_or(authority, |(host, _)| host).to_ascii_lowercase())
        };
        let id = self.webauthn.rp_id.clone().or_else(|| origins.first().and_then(host))?;
        let chosen = self.webauthn.rp_id.is_some() || !set.is_empty();
        let address = id.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        (chosen || !address).then_some(Places { id, origins, chosen })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Flags;

    fn places(set: &[&str], listening: &str) -> Option<Places> {
        let data = Some("/srv/countersign".to_owned());
        let set = set.iter().map(|pair| (*pair).to_owned()).collect();
        let settings = Settings::resolve(&Flags { data, set, ..Flags::default() }, []).unwrap();
        settings.places(listening.parse().unwrap())
    }

    fn at(id: &str, origins: &[&str], chosen: bool) -> Places {
        let origins = origins.iter().map(|origin| (*origin).to_owned()).collect();
        Places { id: id.to_owned(), origins, chosen }
    }

    #[test]
    fn on_loopback_passkeys_are_localhosts() {
        let local = Some(at("localhost", &["http://localhost:81"], false));
        assert_eq!(places(&[], "127.0.0.1:81"), local);
        assert_eq!(places(&[], "[::1]:81"), local);
        assert_eq!(places(&[], "192.0.2.7:81"), None);
    }

    #[test]
    fn the_public_url_is_where_they_are_used_unless_another_is_named() {
        let public = "public_url=https://pdp.example.org:8443";
        let origin = "https://pdp.example.org:8443";
        let found = |set: &[&str]| places(set, "127.0.0.1:1").unwrap();
        assert_eq!(found(&[public]), at("pdp.example.org", &[origin], false));
        let above = [public, "webauthn.rp_id=example.org"];
        assert_eq!(found(&above), at("example.org", &[origin], true));
        let others = [public, "webauthn.origins=https://a.example.org, https://b.example.org"];
        let both = ["https://a.example.org", "https://b.example.org"];
        assert_eq!(found(&others), at("a.example.org", &both, true));
    }

    /// Goal: a step-up names no class that nobody can reach here.
    #[test]
    fn what_a_login_can_reach_follows_from_where_passkeys_are_used() {
        let highest = |set: &[&str]| {
            let data = Some("/srv/countersign".to_owned());
            let set = set.iter().map(|pair| (*pair).to_owned()).collect();
            Settings::resolve(&Flags { data, set, ..Flags::default() }, []).unwrap().decisions
        };
        assert_eq!(highest(&[]).login_max, Acr::PhishingResistant);
        assert_eq!(highest(&["public_url=https://192.0.2.7"]).login_max, Acr::Aal2);
        let listed = ["webauthn.attestation=/etc/countersign/list.pem"];
        assert_eq!(highest(&listed).login_max, Acr::HardwareProtected);
    }

    #[test]
    fn an_origin_has_a_scheme_and_there_are_at_most_sixteen() {
        let read = |origins: &str| {
            let data = Some("/srv/countersign".to_owned());
            let set = vec![format!("webauthn.origins={origins}")];
            Settings::resolve(&Flags { data, set, ..Flags::default() }, []).is_ok()
        };
        assert!(read("https://a.example.org"));
        assert!(!read("a.example.org"));
        assert!(!read("http://a.example.org"));
        assert!(!read("https://a.example.org/path"));
        assert!(!read(&vec!["https://a.example.org"; 17].join(",")));
    }
}
