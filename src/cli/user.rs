//! `countersign user`: the people who may log in.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::{Client, Verb, encoded};
use super::console::{Console, Telling};
use super::erase::ErasePerson;
use super::failure::{Exit, Failure};
use super::folder::Operator;
use super::page::{Ink, Page, second};
use super::table::{Column, Table};
use super::target::{Target, TargetFlags};
use super::user_import::ImportUsers;
use super::user_sessions::{ReEnrol, UserSessions};
use crate::authn::Refusal;
use crate::authn::persons::{self, NewPerson};
use crate::entropy::draw;
use crate::event::{Event, PasswordScheme};
use crate::model::{Digest, Label, Moment, SecretToken, Username};
use crate::pdp::Administration;
use crate::projection::{Person, World};

/// People who may log in, and their administrative roles
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign user create alice --data ./data\n  \
    countersign user grant alice auditor --server https://pdp.example.com")]
pub(super) struct User {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Create(Create),
    List(List),
    Ticket(Ticket),
    Disable(Disable),
    Erase(ErasePerson),
    Grant(Grant),
    Revoke(Revoke),
    Sessions(UserSessions),
    ReEnrol(ReEnrol),
    Compromised(Compromised),
    Import(ImportUsers),
}

/// Make a person known and issue the ticket they set a password with
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  countersign user create alice --role auditor --data ./data")]
struct Create {
    /// Login name, the id of the person's entity too
    name: Username,
    /// Administrative role: administrator, author or auditor; most people have none
    #[arg(long, value_name = "ROLE", value_delimiter = ',')]
    role: Vec<Label>,
    #[command(flatten)]
    target: TargetFlags,
}

/// Show who may log in, and how
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  countersign user list --data ./data")]
struct List {
    #[command(flatten)]
    target: TargetFlags,
}

/// Issue a new ticket to set a password with; an open one is void
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    countersign user ticket alice --reason 'forgot it' --data ./data")]
struct Ticket {
    /// Login name
    name: Username,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: Label,
    #[command(flatten)]
    target: TargetFlags,
}

/// Shut a person out and end their sessions
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    countersign user disable mallory --reason 'left the company' --data ./data")]
struct Disable {
    /// Login name
    name: Username,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: Label,
    #[command(flatten)]
    target: TargetFlags,
}

/// Take a person's password for known to others: another one must be set
///
/// Their sessions end, and the next login opens nothing but the change, which takes their
/// second factor. Who has none should rather get a ticket: whoever knows the password could
/// change it first.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    countersign user compromised alice --reason 'found in a leak' --data ./data")]
struct Compromised {
    /// Login name
    name: Username,
    /// How that is known, for the record
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: Label,
    #[command(flatten)]
    target: TargetFlags,
}

/// Give a person an administrative role
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  countersign user grant alice auditor --data ./data")]
struct Grant {
    /// Login name
    name: Username,
    /// administrator, author or auditor
    role: Label,
    #[command(flatten)]
    target: TargetFlags,
}

/// Take an administrative role back
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  countersign user revoke alice auditor --data ./data")]
struct Revoke {
    /// Login name
    name: Username,
    /// administrator, author or auditor
    role: Label,
    #[command(flatten)]
    target: TargetFlags,
}

impl User {
    /// Does what was asked.
    ///
    /// # Errors
    /// [`Failure`]: a refusal, or why it could not be asked.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        match &self.command {
            Command::Create(it) => console.tell(&it.ticket()?)?,
            Command::List(it) => console.tell(&it.users()?)?,
            Command::Ticket(it) => console.tell(&it.ticket()?)?,
            Command::Disable(it) => console.tell(&it.done()?)?,
            Command::Erase(it) => console.tell(&it.done()?)?,
            Command::Grant(it) => console.tell(&it.done()?)?,
            Command::Revoke(it) => console.tell(&it.done()?)?,
            Command::Compromised(it) => console.tell(&it.done()?)?,
            Command::Import(it) => return it.run(console),
            Command::Sessions(it) => return it.run(console),
            Command::ReEnrol(it) => return it.run(console),
        }
        Ok(Exit::Fine)
    }
}

impl Create {
    fn ticket(&self) -> Result<NewTicket, Failure> {
        let (name, roles) = (self.name.clone(), self.role.clone());
        match self.target.target()? {
            Target::Server(client) => {
                client.send(Verb::Post, "/users/v1", &json!({"name": name, "roles": roles}))
            }
            Target::Data(folder) => register(&folder.operator()?, &self.name, roles),
        }
    }
}

/// Makes a person known on behalf of whoever may write the directory.
///
/// # Errors
/// [`Failure`]: a refusal, or why it could not be recorded.
pub(super) fn register(
    operator: &Operator,
    name: &Username,
    roles: Vec<Label>,
) -> Result<NewTicket, Failure> {
    let person = name.clone();
    issue(operator, name, |world, ticket, now| {
        persons::register(world, &NewPerson { name: person, roles, ticket: Some(ticket) }, now)
    })
}

impl Ticket {
    fn ticket(&self) -> Result<NewTicket, Failure> {
        let (name, reason) = (self.name.clone(), self.reason.clone());
        match self.target.target()? {
            Target::Server(client) => {
                client.send(Verb::Post, &path(&name, "ticket"), &json!({"reason": reason}))
            }
            Target::Data(folder) => {
                issue(&folder.operator()?, &self.name, move |world, ticket, now| {
                    persons::issue_ticket(world, &name, ticket, reason, now)
                })
            }
        }
    }
}

/// Draws a ticket and has it recorded.
pub(super) fn issue(
    operator: &Operator,
    name: &Username,
    decide: impl FnOnce(&World, Digest, Moment) -> Result<Vec<Event>, Refusal> + Send + 'static,
) -> Result<NewTicket, Failure> {
    operator.permit(Administration::ManageUsers)?;
    let random = draw(&*operator.node().surroundings.entropy).map_err(Failure::could_not_run)?;
    let ticket = SecretToken::new("ticket", &random);
    let digest = ticket.digest();
    let recorded = operator.commit(move |world, now| decide(world, digest, now))?;
    let expires_at = recorded.entries.iter().find_map(|entry| match &entry.event {
        Event::TicketIssued(issued) => Some(issued.expires_at),
        _ => None,
    });
    let unissued = || Failure::could_not_run("no ticket was issued");
    let expires_at = expires_at.ok_or_else(unissued)?;
    Ok(NewTicket { name: name.clone(), ticket: ticket.expose().to_owned(), expires_at })
}

/// A ticket, shown once.
#[derive(Serialize, Deserialize)]
pub(super) struct NewTicket {
    name: Username,
    pub(super) ticket: String,
    expires_at: Moment,
}

impl Telling for NewTicket {
    fn tell(&self, page: &mut Page) {
        page.field("name", self.name.as_str());
        page.field_in("ticket", &self.ticket, Ink::Strong);
        page.field("until", &self.expires_at.to_string());
        page.blank();
        page.paragraph(
            "The ticket is shown only now and works once: `countersign enrol` exchanges it for a \
             password.",
        );
    }
}

impl Disable {
    fn done(&self) -> Result<Done, Failure> {
        let (name, reason) = (self.name.clone(), self.reason.clone());
        match self.target.target()? {
            Target::Server(client) => {
                let body = json!({"reason": reason});
                ask(&client, Verb::Post, &path(&name, "disable"), Some(&body))?;
            }
            Target::Data(folder) => {
                alter(&folder.operator()?, move |world, _| persons::disable(world, &name, reason))?;
            }
        }
        Ok(Done::new(&self.name, "can no longer log in; every session of theirs has ended"))
    }
}

impl Compromised {
    fn done(&self) -> Result<Done, Failure> {
        let (name, reason) = (self.name.clone(), self.reason.clone());
        match self.target.target()? {
            Target::Server(client) => {
                let body = json!({"reason": reason});
                ask(&client, Verb::Post, &path(&name, "password-compromised"), Some(&body))?;
            }
            Target::Data(folder) => alter(&folder.operator()?, move |world, _| {
                persons::password_compromised(world, &name, reason)
            })?,
        }
        Ok(Done::new(&self.name, "must set another password; every session of theirs has ended"))
    }
}

impl Grant {
    fn done(&self) -> Result<Done, Failure> {
        let (name, role) = (self.name.clone(), self.role.clone());
        match self.target.target()? {
            Target::Server(client) => ask(&client, Verb::Put, &role_path(&name, &role), None)?,
            Target::Data(folder) => alter(&folder.operator()?, move |world, _| {
                persons::grant_role(world, &name, &role)
            })?,
        }
        Ok(Done::new(&self.name, &format!("has the role `{}`", self.role)))
    }
}

impl Revoke {
    fn done(&self) -> Result<Done, Failure> {
        let (name, role) = (self.name.clone(), self.role.clone());
        match self.target.target()? {
            Target::Server(client) => ask(&client, Verb::Delete, &role_path(&name, &role), None)?,
            Target::Data(folder) => alter(&folder.operator()?, move |world, _| {
                persons::revoke_role(world, &name, &role)
            })?,
        }
        Ok(Done::new(&self.name, &format!("no longer has the role `{}`", self.role)))
    }
}

pub(super) fn path(name: &Username, what: &str) -> String {
    format!("/users/v1/{}/{what}", encoded(name.as_str()))
}

fn role_path(name: &Username, role: &Label) -> String {
    path(name, &format!("roles/{}", encoded(role.as_str())))
}

pub(super) fn ask(
    client: &Client,
    verb: Verb,
    path: &str,
    body: Option<&Value>,
) -> Result<(), Failure> {
    client.ask(verb, path, body, &[])?.good().map(|_| ())
}

pub(super) fn alter(
    operator: &Operator,
    decide: impl FnOnce(&World, Moment) -> Result<Vec<Event>, Refusal> + Send + 'static,
) -> Result<(), Failure> {
    operator.permit(Administration::ManageUsers)?;
    operator.commit(decide).map(|_| ())
}

/// What is now so.
#[derive(Serialize)]
pub(super) struct Done {
    name: Username,
    done: String,
}

impl Done {
    pub(super) fn new(name: &Username, done: &str) -> Self {
        Self { name: name.clone(), done: done.to_owned() }
    }
}

impl Telling for Done {
    fn tell(&self, page: &mut Page) {
        page.line(&format!("`{}` {}", self.name, self.done));
    }
}

impl List {
    fn users(&self) -> Result<Users, Failure> {
        match self.target.target()? {
            Target::Server(client) => client.get("/users/v1", &[]),
            Target::Data(folder) => Ok(Users::of(&folder.world()?)),
        }
    }
}

/// Everybody, by name.
#[derive(Serialize, Deserialize)]
struct Users {
    users: Vec<Shown>,
}

#[derive(Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the members of the server's answer")]
struct Shown {
    name: Username,
    roles: BTreeSet<String>,
    disabled: bool,
    password: bool,
    totp: bool,
    #[serde(default)]
    passkeys: usize,
    registered_at: Moment,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password_imported: Option<PasswordScheme>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    password_compromised: bool,
}

impl Users {
    fn of(world: &World) -> Self {
        let mut users: Vec<_> = world.identities.iter().map(|person| Shown::of(person)).collect();
        users.sort_by(|one, other| one.name.cmp(&other.name));
        Self { users }
    }
}

impl Shown {
    fn of(person: &Person) -> Self {
        Self {
            name: person.name.clone(),
            roles: person.roles.clone(),
            disabled: person.disabled,
            password: person.password.is_some(),
            totp: !person.totps.is_empty(),
            passkeys: person.usable_passkeys().count(),
            registered_at: person.registered_at,
            password_imported: person.password.as_ref().and_then(|it| it.imported),
            password_compromised: person.password.as_ref().is_some_and(|it| it.compromised),
        }
    }

    fn factors(&self) -> String {
        if self.disabled {
            return "disabled".to_owned();
        }
        let password = match (self.password_compromised, self.password_imported) {
            _ if !self.password => None,
            (true, _) => Some("password, to be changed"),
            (_, Some(PasswordScheme::Argon2id)) => Some("password, imported as argon2id"),
            (_, Some(PasswordScheme::Argon2i)) => Some("password, imported as argon2i"),
            (_, Some(PasswordScheme::Bcrypt)) => Some("password, imported as bcrypt"),
            (_, None) => Some("password"),
        };
        let code = self.totp.then_some("code");
        let keys = match self.passkeys {
            0 => None,
            1 => Some("1 passkey".to_owned()),
            many => Some(format!("{many} passkeys")),
        };
        let typed: Vec<_> = [password, code].into_iter().flatten().collect();
        let typed = (!typed.is_empty()).then(|| typed.join(" and "));
        let all: Vec<_> = typed.into_iter().chain(keys).collect();
        if all.is_empty() { "none: awaits enrolment".to_owned() } else { all.join("; ") }
    }
}

impl Telling for Users {
    fn tell(&self, page: &mut Page) {
        let mut table = Table::new(["NAME", "SINCE (UTC)", "LOGS IN BY", "ROLES"].map(Column::new));
        for user in &self.users {
            let roles: Vec<_> = user.roles.iter().map(String::as_str).collect();
            let ink = if user.disabled { Ink::Faint } else { Ink::Plain };
            let cells = [
                user.name.to_string(),
                second(user.registered_at),
                user.factors(),
                roles.join(", "),
            ];
            table.row(cells.map(|text| (text, ink)));
        }
        page.table(&table);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_logs_in_by_is_said_in_words() {
        for (disabled, password, totp, passkeys, words) in [
            (false, false, false, 0, "none: awaits enrolment"),
            (false, true, false, 0, "password"),
            (false, true, true, 0, "password and code"),
            (false, true, true, 1, "password and code; 1 passkey"),
            (false, false, false, 3, "3 passkeys"),
            (true, true, true, 1, "disabled"),
        ] {
            let name = "alice".parse().unwrap();
            let (roles, registered_at) = (BTreeSet::new(), Moment::EPOCH);
            let user = Shown {
                name,
                roles,
                disabled,
                password,
                totp,
                passkeys,
                registered_at,
                password_compromised: false,
                password_imported: None,
            };
            assert_eq!(user.factors(), words);
        }
    }
}
