//! `countersign login`: from a password and a code to a token.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::client::{Client, Verb};
use super::console::{Console, Format, Telling};
use super::failure::{Exit, Failure};
use super::page::Page;
use super::prompt;
use super::target::ServerFlags;
use crate::event::SessionPurpose;
use crate::model::{SecretToken, Uid, Username};

/// Log in as a person and print the token
///
/// Asks for the password, and for a code if a second factor is set up; both may come on
/// standard input, a line each. Administration wants two factors.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    eval \"$(countersign login --server http://127.0.0.1:8181 --username admin)\"")]
pub(super) struct Login {
    /// Login name
    #[arg(long, value_name = "NAME")]
    username: Username,
    /// Set up a second factor, if there is none yet
    #[arg(long)]
    set_up_mfa: bool,
    #[command(flatten)]
    server: ServerFlags,
}

/// A session, as the server hands it over.
#[derive(Serialize, Deserialize)]
pub(super) struct LoggedIn {
    token: String,
    session_token: String,
    session: Session,
}

#[derive(Serialize, Deserialize)]
struct Session {
    user: Uid,
    aal: u8,
    expires_at: String,
    mfa_enrolled: bool,
    /// What it is for, if not for everything.
    #[serde(default, skip_serializing_if = "SessionPurpose::is_everything")]
    purpose: SessionPurpose,
}

#[derive(Deserialize)]
struct Offer {
    otpauth_uri: String,
    secret: String,
}

impl Login {
    /// Logs in, as far as the person can.
    ///
    /// # Errors
    /// [`Failure`]: the server's refusal, or why it could not be asked.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let client = self.server.client()?;
        let password = prompt::hidden(console, "password")?;
        let body = json!({"username": self.username, "password": *password});
        let first: LoggedIn = client.send(Verb::Post, "/auth/v1/login", &body)?;
        let token: SecretToken = first
            .token
            .parse()
            .map_err(|_| Failure::could_not_run("the server sent a token that is none"))?;
        let client = client.with_token(Some(token));
        let logged_in = if first.session.mfa_enrolled {
            verify(&client, console)?
        } else if self.set_up_mfa {
            set_up(&client, console)?;
            verify(&client, console)?
        } else {
            console.aside("no second factor is set up: --set-up-mfa does it");
            first
        };
        let Session { user, aal, expires_at, purpose, .. } = &logged_in.session;
        if *purpose == SessionPurpose::PasswordChange {
            console
                .aside("the password must be changed before anything else: countersign password");
        }
        if console.format() == Format::Text {
            console.aside(&format!("{user} is logged in at AAL{aal} until {expires_at}"));
        }
        console.tell(&logged_in)?;
        Ok(Exit::Fine)
    }
}

fn set_up(client: &Client, console: &mut Console) -> Result<(), Failure> {
    let offer: Offer = client.send(Verb::Post, "/auth/v1/setup-mfa", &json!({}))?;
    console.aside("enter this in an authenticator app; it is shown only now");
    console.aside(&format!("  secret  {}", offer.secret));
    console.aside(&format!("  link    {}", offer.otpauth_uri));
    Ok(())
}

fn verify(client: &Client, console: &mut Console) -> Result<LoggedIn, Failure> {
    let code = prompt::open(console, "code")?;
    client.send(Verb::Post, "/auth/v1/verify-mfa", &json!({"mfa_code": code.trim()}))
}

impl Telling for LoggedIn {
    fn tell(&self, page: &mut Page) {
        page.line(&format!("export COUNTERSIGN_TOKEN={}", self.token));
    }
}
