//! `countersign entities`: the directory that decisions rest on.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::authored;
use super::client::{Client, Verb};
use super::console::{Console, Telling};
use super::erase::EraseEntity;
use super::failure::{Exit, Failure};
use super::folder::Folder;
use super::page::{Ink, Page};
use super::publication::Author;
use super::table::{Column, Table};
use super::target::{Target, TargetFlags};
use crate::model::{EntityDocument, Uid, Version};
use crate::pdp::Administration;
use crate::projection::{Change, World};

/// Entities: users, resources and what they are in
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign entities list --type User --data ./data\n  \
    countersign entities put schemas/cloud.entities.json --data ./data")]
pub(super) struct Entities {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    List(List),
    Put(Put),
    Delete(Delete),
    Erase(EraseEntity),
}

/// Show the directory
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  countersign entities list --type User --data ./data")]
struct List {
    /// Only entities of this type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    #[command(flatten)]
    target: TargetFlags,
}

/// Add or replace entities, all together or not at all
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    countersign entities put schemas/cloud.entities.json --data ./data")]
struct Put {
    /// Entities in Cedar's JSON form, an array
    file: PathBuf,
    #[command(flatten)]
    author: Author,
    #[command(flatten)]
    target: TargetFlags,
}

/// Take entities out, all together or not at all
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    countersign entities delete 'User::\"mallory\"' --data ./data")]
struct Delete {
    /// Entities, each as `TYPE::"ID"`
    #[arg(value_name = "UID", required = true, value_parser = uid)]
    uids: Vec<Uid>,
    #[command(flatten)]
    author: Author,
    #[command(flatten)]
    target: TargetFlags,
}

/// Reads `Type::"id"`, or `Type::id` where a shell has eaten the quotes.
pub(super) fn uid(text: &str) -> Result<Uid, String> {
    let unquoted = || text.rsplit_once("::");
    let quoted = text.strip_suffix('"').and_then(|text| text.split_once("::\""));
    let (kind, id) = quoted.or_else(unquoted).ok_or("expected TYPE::\"ID\"")?;
    Uid::parse(kind, id).map_err(|error| error.to_string())
}

impl Entities {
    /// Does what was asked.
    ///
    /// # Errors
    /// [`Failure`]: a refusal with each fault, or why it could not be asked.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        match &self.command {
            Command::List(list) => console.tell(&list.entities()?)?,
            Command::Put(put) => console.tell(&put.done()?)?,
            Command::Delete(delete) => console.tell(&delete.done()?)?,
            Command::Erase(erase) => console.tell(&erase.done()?)?,
        }
        Ok(Exit::Fine)
    }
}

impl List {
    fn entities(&self) -> Result<Listed, Failure> {
        match self.target.target()? {
            Target::Server(client) => self.over(&client),
            Target::Data(folder) => Ok(self.of(&folder.world()?)),
        }
    }

    fn over(&self, client: &Client) -> Result<Listed, Failure> {
        #[derive(Deserialize)]
        struct Part {
            version: Version,
            entities: Vec<Value>,
            next: Option<String>,
        }
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let mut query = Vec::new();
            query.extend(self.kind.clone().map(|kind| ("type", kind)));
            query.extend(cursor.map(|cursor| ("cursor", cursor)));
            let Part { version, entities, next } = client.get("/entities/v1", &query)?;
            all.extend(entities);
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(Listed { version, entities: all }),
            }
        }
    }

    fn of(&self, world: &World) -> Listed {
        let nodes = world.directory.iter().map(|node| &*node.document);
        let wanted = |document: &&EntityDocument| {
            self.kind.as_ref().is_none_or(|kind| document.uid.kind().as_str() == kind)
        };
        let mut found: Vec<_> = nodes.filter(wanted).collect();
        found.sort_by(|one, other| one.uid.cmp(&other.uid));
        let entities = found.into_iter().map(EntityDocument::to_listed_json).collect();
        Listed { version: world.directory.version(), entities }
    }
}

/// Entities in Cedar's JSON form, by type and id.
#[derive(Serialize)]
struct Listed {
    version: Version,
    entities: Vec<Value>,
}

impl Telling for Listed {
    fn tell(&self, page: &mut Page) {
        let count = self.entities.len();
        page.line(&format!("version {} of the directory, {count} entities", self.version));
        if self.entities.is_empty() {
            return;
        }
        page.blank();
        let mut table = Table::new(["ENTITY", "IN", "ATTRIBUTES"].map(Column::new));
        for entity in self.entities.iter().filter_map(|it| EntityDocument::from_json(it).ok()) {
            let parents: Vec<_> = entity.parents.iter().map(ToString::to_string).collect();
            let members = entity.attrs.iter().chain(&entity.tags);
            let attributes: Vec<_> =
                members.map(|(name, value)| format!("{name}: {}", plain(value))).collect();
            let cells = [entity.uid.to_string(), parents.join(", "), attributes.join(", ")];
            table.row(cells.map(|text| (text, Ink::Plain)));
        }
        page.table(&table);
    }
}

/// A value for people: a reference as Cedar writes it, the rest as JSON.
fn plain(value: &Value) -> String {
    let reference = value.get("__entity").unwrap_or(value);
    let text = |name: &str| reference.get(name).and_then(Value::as_str);
    match (text("type"), text("id")) {
        (Some(kind), Some(id)) => format!("{kind}::\"{}\"", id.escape_debug()),
        _ => value.to_string(),
    }
}

impl Put {
    fn done(&self) -> Result<Changed, Failure> {
        let target = self.target.target()?;
        // Read here in either case: a server would not know the file's name.
        let documents = authored::entities(&self.file)?;
        match target {
            Target::Server(client) => {
                let put = documents.iter().map(EntityDocument::to_cedar_json).collect();
                over(&client, &self.author, "put", put)
            }
            Target::Data(folder) => {
                let changes = documents.into_iter().map(Change::Put).collect();
                on(&folder, &self.author, changes)
            }
        }
    }
}

impl Delete {
    fn done(&self) -> Result<Changed, Failure> {
        match self.target.target()? {
            Target::Server(client) => over(&client, &self.author, "delete", json!(self.uids)),
            Target::Data(folder) => {
                let changes = self.uids.iter().cloned().map(Change::Remove).collect();
                on(&folder, &self.author, changes)
            }
        }
    }
}

fn over(client: &Client, author: &Author, what: &str, them: Value) -> Result<Changed, Failure> {
    let mut body = author.body();
    body.insert(what.to_owned(), them);
    client.send(Verb::Post, "/entities/v1", &Value::Object(body))
}

fn on(folder: &Folder, author: &Author, changes: Vec<Change>) -> Result<Changed, Failure> {
    let operator = folder.operator()?;
    operator.permit(Administration::ChangeDirectory)?;
    let sent = changes.len() as u64;
    let (message, expected) = (author.message.clone(), author.expected_version());
    let recorded = operator.change(changes, message, expected)?;
    Ok(Changed { version: recorded.world.directory.version(), changed: sent })
}

/// What became of the directory.
#[derive(Serialize, Deserialize)]
struct Changed {
    version: Version,
    changed: u64,
}

impl Telling for Changed {
    fn tell(&self, page: &mut Page) {
        let Self { version, changed } = self;
        let entities = if *changed == 1 { "entity" } else { "entities" };
        page.inked(
            &format!("in force: version {version} of the directory, {changed} {entities} sent"),
            Ink::Good,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_is_named_as_cedar_does_or_without_the_quotes() {
        for text in ["Shop::Order::\"1\"", "Shop::Order::1"] {
            assert_eq!(uid(text).unwrap().to_string(), "Shop::Order::\"1\"");
        }
        assert_eq!(uid("User::\"a::b\"").unwrap().id(), "a::b");
        assert!(uid("alice").is_err() && uid("not a type::x").is_err());
    }

    #[test]
    fn a_reference_is_shown_as_cedar_writes_it() {
        let owner = json!({"__entity": {"type": "User", "id": "bob"}});
        assert_eq!(plain(&owner), "User::\"bob\"");
        assert_eq!(plain(&json!({"type": "User", "id": "bob"})), "User::\"bob\"");
        assert_eq!(plain(&json!([1, "a"])), "[1,\"a\"]");
    }
}
