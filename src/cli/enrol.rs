//! `countersign enrol`: from a one-time ticket to a password.

use std::io::{self, IsTerminal as _};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::client::Verb;
use super::console::{Console, Telling};
use super::failure::{Exit, Failure};
use super::page::{Ink, Page};
use super::prompt;
use super::target::ServerFlags;
use crate::model::Username;

/// Exchange a one-time ticket for a password
///
/// Asks for the ticket and the new password; both may come on standard input, a line
/// each.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  countersign enrol --server http://127.0.0.1:8181")]
pub(super) struct Enrol {
    #[command(flatten)]
    server: ServerFlags,
}

impl Enrol {
    /// Sets the password.
    ///
    /// # Errors
    /// [`Failure`]: the server's refusal, such as a password that is too weak.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let client = self.server.client()?;
        let ticket = prompt::hidden(console, "ticket")?;
        let password = prompt::hidden(console, "new password")?;
        if io::stdin().is_terminal() && prompt::hidden(console, "again")? != password {
            return Err(Failure::refused("password_differs", "the two passwords are not the same"));
        }
        let body = json!({"ticket": ticket.trim(), "password": *password});
        let enrolled: Enrolled = client.send(Verb::Post, "/auth/v1/enrol", &body)?;
        console.tell(&enrolled)?;
        Ok(Exit::Fine)
    }
}

#[derive(Serialize, Deserialize)]
struct Enrolled {
    person: Username,
}

impl Telling for Enrolled {
    fn tell(&self, page: &mut Page) {
        let name = &self.person;
        page.inked(&format!("`{name}` can log in: countersign login --username {name}"), Ink::Good);
    }
}
