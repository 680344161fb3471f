//! Which log a command works on: a running server's, or a stopped directory's.

use std::fs;
use std::path::PathBuf;

use super::client::Client;
use super::failure::Failure;
use super::folder::Folder;
use crate::model::SecretToken;

/// The environment variable with the token for a server.
const TOKEN: &str = "COUNTERSIGN_TOKEN";

/// Where to find the log, on the command line.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Which log")]
pub(super) struct TargetFlags {
    /// A stopped data directory [default: `COUNTERSIGN_DATA`, if no server is named]
    #[arg(long, value_name = "DIR", conflicts_with_all = ["server", "token_file", "ca_file"])]
    pub(super) data: Option<PathBuf>,
    /// Key that seals the directory's vault [default: DIR.key]
    #[arg(long, value_name = "FILE", conflicts_with = "server")]
    pub(super) key_file: Option<PathBuf>,
    /// A running server, asked with the token in `COUNTERSIGN_TOKEN` [default:
    /// `COUNTERSIGN_SERVER`]
    #[arg(long, value_name = "URL")]
    pub(super) server: Option<String>,
    /// File with the token, in place of `COUNTERSIGN_TOKEN`
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// Certificates that the server's own is checked against, PEM
    #[arg(long, value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,
}

/// Where the server is, for those who have no token yet.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Which server")]
pub(super) struct ServerFlags {
    /// A running server [default: `COUNTERSIGN_SERVER`]
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Certificates that the server's own is checked against, PEM
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

impl ServerFlags {
    /// A way to the server, without a token.
    ///
    /// # Errors
    /// Usage, if none is named.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        let named = self.server.clone().or_else(|| from_environment("COUNTERSIGN_SERVER"));
        let url = named.ok_or_else(|| Failure::usage("no server named: give --server URL"))?;
        Client::new(&url, None, self.ca_file.as_deref())
    }
}

fn from_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Which log.
pub(super) enum Target {
    /// The one in a stopped data directory.
    Data(Folder),
    /// The one of a running server.
    Server(Client),
}

impl TargetFlags {
    /// Chooses the log by the flags, then by the environment.
    ///
    /// # Errors
    /// Usage, if no log or no token is named.
    pub(super) fn target(&self) -> Result<Target, Failure> {
        self.target_in(from_environment)
    }

    /// The same for what a server may show to everybody: without a token it is asked
    /// without one.
    ///
    /// # Errors
    /// Usage, if no log is named.
    pub(super) fn readable(&self) -> Result<Target, Failure> {
        let server = self.server.clone().or_else(|| from_environment("COUNTERSIGN_SERVER"));
        let tokenless = self.token_file.is_none() && from_environment(TOKEN).is_none();
        match server {
            Some(url) if tokenless && self.data.is_none() => {
                Ok(Target::Server(Client::new(&url, None, self.ca_file.as_deref())?))
            }
            _ => self.target(),
        }
    }

    /// The log, if one is named by the flags or by the environment.
    ///
    /// # Errors
    /// Usage, if a server is named and no token.
    pub(super) fn if_named(&self) -> Result<Option<Target>, Failure> {
        let named = self.data.is_some() || self.server.is_some();
        let around = ["COUNTERSIGN_SERVER", "COUNTERSIGN_DATA"];
        let named = named || around.into_iter().any(|name| from_environment(name).is_some());
        if named { self.target().map(Some) } else { Ok(None) }
    }

    fn target_in(&self, environment: impl Fn(&str) -> Option<String>) -> Result<Target, Failure> {
        if let Some(data) = &self.data {
            return Ok(Target::Data(Folder::new(data.clone(), self.key_file.clone())));
        }
        if let Some(url) = self.server.clone().or_else(|| environment("COUNTERSIGN_SERVER")) {
            let token = self.token(environment(TOKEN))?;
            return Ok(Target::Server(Client::new(&url, Some(token), self.ca_file.as_deref())?));
        }
        match environment("COUNTERSIGN_DATA") {
            Some(data) => Ok(Target::Data(Folder::new(data.into(), self.key_file.clone()))),
            None => Err(Failure::usage(
                "no log named: give --data DIR for a stopped directory, or --server URL",
            )),
        }
    }

    fn token(&self, in_environment: Option<String>) -> Result<SecretToken, Failure> {
        let text = match &self.token_file {
            Some(path) => fs::read_to_string(path).map_err(|error| {
                Failure::usage(format!("cannot read the token from `{}`: {error}", path.display()))
            })?,
            None => in_environment.ok_or_else(|| {
                Failure::usage(format!(
                    "a server wants a token: set {TOKEN}, or give --token-file FILE"
                ))
            })?,
        };
        let whence = match &self.token_file {
            Some(path) => format!("the text of the token file `{}`", path.display()),
            None => format!("the value of {TOKEN}"),
        };
        let unfit =
            |_| Failure::usage(format!("{whence} is no token: one is one line as it was shown"));
        text.trim().parse().map_err(unfit)
    }
}

#[cfg(test)]
mod tests {
    use super::super::failure::Exit;
    use super::*;

    fn flags(data: Option<&str>, server: Option<&str>) -> TargetFlags {
        TargetFlags {
            data: data.map(PathBuf::from),
            server: server.map(str::to_owned),
            ..TargetFlags::default()
        }
    }

    fn of(flags: &TargetFlags, environment: &[(&str, &str)]) -> Result<String, Failure> {
        let find = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, it)| (*it).to_owned())
        };
        Ok(match flags.target_in(find)? {
            Target::Data(folder) => format!("data {}", folder.path().display()),
            Target::Server(client) => format!("server {}", client.url()),
        })
    }

    const SERVER: (&str, &str) = ("COUNTERSIGN_SERVER", "http://localhost:1");
    const A_TOKEN: (&str, &str) = (TOKEN, "cs_service_0123456789abcdef");

    #[test]
    fn flags_come_before_the_environment() {
        let environment = [SERVER, A_TOKEN, ("COUNTERSIGN_DATA", "e")];
        assert_eq!(of(&flags(Some("d"), None), &environment).unwrap(), "data d");
        let named = flags(None, Some("https://pdp"));
        assert_eq!(of(&named, &environment).unwrap(), "server https://pdp");
        assert_eq!(of(&flags(None, None), &environment).unwrap(), "server http://localhost:1");
        let data_only = [("COUNTERSIGN_DATA", "e")];
        assert_eq!(of(&flags(None, None), &data_only).unwrap(), "data e");
    }

    #[test]
    fn what_is_missing_is_named() {
        let nothing = of(&flags(None, None), &[]).unwrap_err();
        assert!(nothing.exit() == Exit::Usage && nothing.what().contains("--data DIR"));
        let no_token = of(&flags(None, None), &[SERVER]).unwrap_err();
        assert!(no_token.exit() == Exit::Usage && no_token.what().contains(TOKEN));
    }

    #[test]
    fn a_token_is_never_repeated() {
        let bad = of(&flags(None, None), &[SERVER, (TOKEN, "my secret with spaces")]).unwrap_err();
        assert!(!bad.what().contains("secret"));
    }

    #[test]
    fn a_token_that_is_none_is_told_by_where_it_is_from() {
        let bad = of(&flags(None, None), &[SERVER, (TOKEN, "none")]).unwrap_err();
        assert!(bad.exit() == Exit::Usage && bad.what().contains(TOKEN), "{}", bad.what());
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("token");
        fs::write(&file, "none").unwrap();
        let named = TargetFlags { token_file: Some(file.clone()), ..flags(None, None) };
        let bad = of(&named, &[SERVER, A_TOKEN]).unwrap_err();
        assert!(bad.what().contains(&file.display().to_string()), "{}", bad.what());
        assert!(!bad.what().contains(TOKEN), "{}", bad.what());
    }
}
