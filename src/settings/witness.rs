//! Who cosigns whom.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::layer::Layers;
use super::transport::{NotAPublicUrl, PublicUrl};
use super::{SettingError, known};
use crate::tlog::{KeyKind, VerifierKey};

/// The most witnesses that are asked: each is a line of the checkpoint.
const ASKED_MAX: usize = 16;

/// The other logs that this node cosigns, and the witnesses that cosign its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WitnessSettings {
    /// Verifier keys of the logs to cosign. A key's name is its log's origin; a log may
    /// have several.
    pub logs: Vec<VerifierKey>,
    /// The witnesses to ask, at most 16.
    pub ask: Vec<Witness>,
    /// The certificates, PEM, that theirs are checked against; the public ones if not given.
    pub ca: Option<PathBuf>,
}

impl WitnessSettings {
    pub(super) fn read(layers: &Layers) -> Result<Self, SettingError> {
        let logs: Vec<LogKey> = layers.list(&known::WITNESS_LOGS)?;
        let ask: Vec<Witness> = layers.list(&known::WITNESS_ASK)?;
        if ask.len() > ASKED_MAX {
            return Err(layers.wrong(&known::WITNESS_ASK));
        }
        let ca = layers.text(&known::WITNESS_CA)?.map(PathBuf::from);
        Ok(Self { logs: logs.into_iter().map(|LogKey(key)| key).collect(), ask, ca })
    }
}

/// A verifier key of the kind that logs sign with.
struct LogKey(VerifierKey);

impl FromStr for LogKey {
    type Err = NotAWitness;
    fn from_str(text: &str) -> Result<Self, NotAWitness> {
        of_kind(text, KeyKind::Ed25519).map(Self)
    }
}

/// A witness: where it is asked, and what its cosignatures are verified with. Written
/// `URL KEY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Its submission prefix.
    pub url: SubmissionUrl,
    /// Its verifier key.
    pub key: VerifierKey,
}

/// A text that is no verifier key of the kind wanted, or no witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the verifier key of a log, or not a witness's URL, a space, and its key")]
pub struct NotAWitness;

impl FromStr for Witness {
    type Err = NotAWitness;
    fn from_str(text: &str) -> Result<Self, NotAWitness> {
        let (url, key) = text.split_once(' ').ok_or(NotAWitness)?;
        let url = url.parse().map_err(|_| NotAWitness)?;
        Ok(Self { url, key: of_kind(key.trim_start(), KeyKind::CosignatureV1)? })
    }
}

fn of_kind(text: &str, kind: KeyKind) -> Result<VerifierKey, NotAWitness> {
    let key: VerifierKey = text.parse().map_err(|_| NotAWitness)?;
    if key.kind() == kind { Ok(key) } else { Err(NotAWitness) }
}

/// The URL that a witness's `/add-checkpoint` is put behind: `https`, or `http` on
/// loopback, a host and a path. No query, no fragment, no slash at its end.
///
/// # Source
/// c2sp.org/tlog-witness, “submission prefix”.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmissionUrl(String);

impl SubmissionUrl {
    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if what is sent there stays on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.0.starts_with("http://")
    }
}

impl FromStr for SubmissionUrl {
    type Err = NotAPublicUrl;
    fn from_str(text: &str) -> Result<Self, NotAPublicUrl> {
        let (scheme, rest) = text.split_once("://").ok_or(NotAPublicUrl)?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let origin: PublicUrl = format!("{scheme}://{host}").parse()?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%/".contains(&byte);
        let path = path.trim_end_matches('/');
        match path.bytes().all(plain) {
            true if path.is_empty() => Ok(Self(origin.to_string())),
            true => Ok(Self(format!("{origin}/{path}"))),
            false => Err(NotAPublicUrl),
        }
    }
}

impl fmt::Display for SubmissionUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Flags, Settings};
    use crate::tlog::{CosigningKey, SigningKey};

    fn log(name: &str) -> VerifierKey {
        SigningKey::new(name.parse().unwrap(), &[1; 32]).verifier()
    }

    fn witness(name: &str) -> VerifierKey {
        CosigningKey::new(name.parse().unwrap(), &[2; 32]).verifier()
    }

    fn read(pair: String) -> Result<WitnessSettings, String> {
        let data = Some("/srv/countersign".to_owned());
        let flags = Flags { data, set: vec![pair], ..Flags::default() };
        let settings = Settings::resolve(&flags, []).map_err(|error| error.to_string());
        settings.map(|settings| settings.witness)
    }

    #[test]
    fn nobody_cosigns_anybody_unless_told_to() {
        assert_eq!(read("log.public=true".to_owned()), Ok(WitnessSettings::default()));
        let ca = read("witness.ca=ca.pem".to_owned()).unwrap().ca;
        assert_eq!(ca.as_deref(), Some("ca.pem".as_ref()));
    }

    #[test]
    fn logs_are_named_by_their_keys_and_witnesses_by_url_and_key() {
        let (a, b) = (log("log.example/a"), log("log.example/b"));
        assert_eq!(read(format!("witness.logs={a}, {b}")).unwrap().logs, [a.clone(), b]);
        let key = witness("witness.example");
        let one = format!("https://witness.example/x/ {key}");
        let two = format!("http://127.0.0.1:8181/log/v1 {key}");
        let asked = read(format!("witness.ask={one},{two}")).unwrap().ask;
        let urls: Vec<_> = asked.iter().map(|witness| witness.url.as_str()).collect();
        assert_eq!(urls, ["https://witness.example/x", "http://127.0.0.1:8181/log/v1"]);
        assert_eq!(asked.iter().map(|it| it.url.is_local()).collect::<Vec<_>>(), [false, true]);
        assert!(asked.iter().all(|it| it.key == key));

        // Each kind of key in its own place.
        let shape = "give verifier keys of logs";
        assert!(read(format!("witness.logs={key}")).unwrap_err().contains(shape));
        let swapped = read(format!("witness.ask=https://witness.example {a}"));
        assert!(swapped.unwrap_err().contains("give at most 16 witnesses"));
        let many = vec![one; 17].join(",");
        assert!(read(format!("witness.ask={many}")).unwrap_err().contains("at most 16"));
    }

    #[test]
    fn a_witness_is_reached_in_private_or_not_at_all() {
        for (text, taken) in [
            ("https://witness.example", Some("https://witness.example")),
            ("https://witness.example:444/a/b/", Some("https://witness.example:444/a/b")),
            ("http://localhost:1/log/v1", Some("http://localhost:1/log/v1")),
            ("http://witness.example/log/v1", None),
            ("https://witness.example/?q", None),
            ("https://witness.example/#f", None),
            ("https://user@witness.example/", None),
            ("https:///a", None),
            ("witness.example", None),
        ] {
            let url = text.parse::<SubmissionUrl>().ok();
            assert_eq!(url.as_ref().map(SubmissionUrl::as_str), taken, "{text}");
        }
    }
}
