//! `countersign user sessions` and `user re-enrol`: who is in, out with them, and a new
//! beginning.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::client::{Verb, encoded};
use super::console::{Console, Telling};
use super::failure::{Exit, Failure};
use super::page::{Ink, Page, second};
use super::table::{Column, Table};
use super::target::{Target, TargetFlags};
use super::user::{Done, NewTicket, alter, ask, issue, path};
use crate::authn::{authenticators, sessions};
use crate::clock::{Clock as _, SystemClock};
use crate::model::{Aal, Label, Moment, Username};

/// Show the sessions that a person is in, or end them
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign user sessions alice --server https://pdp.example.com\n  \
    countersign user sessions alice --end-all --server https://pdp.example.com")]
pub(super) struct UserSessions {
    /// Login name
    name: Username,
    /// End this one
    #[arg(long, value_name = "ID", conflicts_with = "end_all")]
    end: Option<Uuid>,
    /// End all of them
    #[arg(long)]
    end_all: bool,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: Label,
    #[command(flatten)]
    target: TargetFlags,
}

/// Have a person bind their authenticators anew, by a ticket
///
/// What they have can no longer be used, every session of theirs ends, and nobody chooses
/// a secret for them.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    countersign user re-enrol alice --reason 'lost her phone' --server https://pdp.example.com")]
pub(super) struct ReEnrol {
    /// Login name
    name: Username,
    /// Only this authenticator; may be given several times
    #[arg(long, value_name = "ID")]
    authenticator: Vec<Uuid>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: Label,
    #[command(flatten)]
    target: TargetFlags,
}

impl UserSessions {
    /// Shows or ends.
    ///
    /// # Errors
    /// [`Failure`]: a refusal, or why it could not be asked.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        if self.end_all || self.end.is_some() {
            self.ended()?;
            let told = if self.end_all { "is in no session any more" } else { "is out of it" };
            console.tell(&Done::new(&self.name, told))?;
        } else {
            console.tell(&self.shown()?)?;
        }
        Ok(Exit::Fine)
    }

    fn ended(&self) -> Result<(), Failure> {
        let (name, ended, reason) = (self.name.clone(), self.end, self.reason.clone());
        match self.target.target()? {
            Target::Server(client) => {
                let all = path(&name, "sessions");
                let one = ended.map(|id| format!("{all}/{}", encoded(&id.to_string())));
                let why = format!("?reason={}", encoded(reason.as_str()));
                ask(&client, Verb::Delete, &(one.unwrap_or(all) + &why), None)
            }
            Target::Data(folder) => alter(&folder.operator()?, move |world, _| {
                sessions::end_of(world, &name, ended, &reason)
            }),
        }
    }

    fn shown(&self) -> Result<Sessions, Failure> {
        match self.target.target()? {
            Target::Server(client) => client.get(&path(&self.name, "sessions"), &[]),
            Target::Data(folder) => {
                let world = folder.world()?;
                let now = world.not_before_last(SystemClock.now());
                let rows = sessions::list_of(&world, &self.name, now)?;
                let sessions = rows.into_iter().map(|row| Row {
                    id: row.id,
                    aal: row.aal,
                    amr: row.amr.into_iter().map(str::to_owned).collect(),
                    source: row.source,
                    started_at: row.started_at,
                    last_active: row.last_active,
                });
                Ok(Sessions { sessions: sessions.collect() })
            }
        }
    }
}

impl ReEnrol {
    /// Issues the ticket.
    ///
    /// # Errors
    /// [`Failure`]: a refusal, or why it could not be asked.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let chosen: BTreeSet<_> = self.authenticator.iter().copied().collect();
        let chosen = (!chosen.is_empty()).then_some(chosen);
        let (name, reason) = (self.name.clone(), self.reason.clone());
        let ticket: NewTicket = match self.target.target()? {
            Target::Server(client) => {
                let body = json!({"authenticators": chosen, "reason": reason});
                client.send(Verb::Post, &path(&name, "re-enrol"), &body)?
            }
            Target::Data(folder) => {
                issue(&folder.operator()?, &self.name, move |world, ticket, now| {
                    authenticators::re_enrol(world, &name, chosen.as_ref(), ticket, &reason, now)
                })?
            }
        };
        console.tell(&ticket)?;
        Ok(Exit::Fine)
    }
}

/// The sessions of one person, oldest first.
#[derive(Serialize, Deserialize)]
struct Sessions {
    sessions: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    id: Uuid,
    aal: Aal,
    amr: BTreeSet<String>,
    source: String,
    started_at: Moment,
    last_active: Moment,
}

impl Telling for Sessions {
    fn tell(&self, page: &mut Page) {
        let columns = ["ID", "SINCE (UTC)", "LAST USED (UTC)", "STRENGTH", "BY", "FROM"];
        let mut table = Table::new(columns.map(Column::new));
        for row in &self.sessions {
            let methods: Vec<_> = row.amr.iter().map(String::as_str).collect();
            let cells = [
                row.id.to_string(),
                second(row.started_at),
                second(row.last_active),
                row.aal.to_string(),
                methods.join(", "),
                row.source.clone(),
            ];
            table.row(cells.map(|text| (text, Ink::Plain)));
        }
        page.table(&table);
    }
}
