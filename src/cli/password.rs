//! `countersign password`: a person changes their own.

use std::io::{self, IsTerminal as _};

use serde_json::json;

use super::client::Verb;
use super::console::Console;
use super::failure::{Exit, Failure};
use super::login::LoggedIn;
use super::prompt;
use super::target::{Target, TargetFlags};

/// Change your own password and print the new token
///
/// Asks for the current and the new password; both may come on standard input, a line each.
/// The token says whose it is: of `countersign login`, and with a second factor if one is set
/// up. Every session of yours ends.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    eval \"$(countersign password --server http://127.0.0.1:8181)\"")]
pub(super) struct ChangePassword {
    #[command(flatten)]
    target: TargetFlags,
}

impl ChangePassword {
    /// Changes it.
    ///
    /// # Errors
    /// [`Failure`]: the server's refusal, such as a password that is too weak.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let Target::Server(client) = self.target.target()? else {
            return Err(Failure::usage("a password is changed at a running server: --server URL"));
        };
        let current = prompt::hidden(console, "current password")?;
        let new = prompt::hidden(console, "new password")?;
        if io::stdin().is_terminal() && prompt::hidden(console, "again")? != new {
            return Err(Failure::refused("password_differs", "the two passwords are not the same"));
        }
        let body = json!({"current_password": *current, "new_password": *new});
        let changed: LoggedIn = client.send(Verb::Post, "/auth/v1/password", &body)?;
        console.aside("the password is changed, and every session before it has ended");
        console.tell(&changed)?;
        Ok(Exit::Fine)
    }
}
