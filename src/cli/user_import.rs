//! `countersign user import`: people and their passwords' hashes from another system.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::client::{Client, Verb};
use super::console::{Console, Telling};
use super::failure::{Exit, Failure};
use super::folder::Operator;
use super::page::{Ink, Page};
use super::target::{Target, TargetFlags};
use crate::authn::import::{Import, import};
use crate::entropy::uuid_v7;
use crate::hasher::PasswordHash;
use crate::model::{Label, Username};
use crate::pdp::Administration;
use crate::vault::Purpose;

/// How many people go to a server in one request.
const TOGETHER: usize = 100;

/// Bring people along with the hashes of their passwords
///
/// FILE has a person a line: `name,hash` or {"username": …, "hash": …}. Hashes may be
/// argon2id or argon2i (at most 64 MiB, 10 passes, 4 lanes) and bcrypt (2a, 2b or 2y, cost
/// at most 14). Each is hashed anew when its password is first given here; `countersign user
/// list` shows whose was not yet. People who are known here stay as they are.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  countersign user import people.csv --data ./data")]
pub(super) struct ImportUsers {
    /// People, one a line, as CSV or JSON lines
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: Label,
    #[command(flatten)]
    target: TargetFlags,
}

/// One line.
struct Line {
    name: String,
    hash: Zeroizing<String>,
}

#[derive(Deserialize)]
struct JsonLine {
    #[serde(alias = "name")]
    username: String,
    hash: Zeroizing<String>,
}

impl ImportUsers {
    /// Imports them, each by itself.
    ///
    /// # Errors
    /// [`Failure`]: the file cannot be read, or nobody could be imported at all.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        let named =
            |error| Failure::usage(format!("cannot read `{}`: {error}", self.file.display()));
        let text = Zeroizing::new(fs::read_to_string(&self.file).map_err(named)?);
        let lines = read(&text)?;
        let told = match self.target.target()? {
            Target::Server(client) => ask(&client, &lines, &self.reason)?,
            Target::Data(folder) => write(&folder.operator()?, &lines, &self.reason)?,
        };
        console.tell(&told)?;
        Ok(if told.refused.is_empty() { Exit::Fine } else { Exit::Refused })
    }
}

/// Reads the lines; a first line `username,hash` is a heading. Nothing of a line that
/// cannot be read is repeated: it may hold a hash.
fn read(text: &str) -> Result<Vec<Line>, Failure> {
    let mut lines = Vec::new();
    for (number, line) in (1_usize..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || number == 1 && is_heading(line) {
            continue;
        }
        let unread = || Failure::usage(format!("line {number} is neither `name,hash` nor JSON"));
        lines.push(if line.starts_with('{') {
            let JsonLine { username, hash } = serde_json::from_str(line).map_err(|_| unread())?;
            Line { name: username, hash }
        } else {
            let (name, hash) = line.split_once(',').ok_or_else(unread)?;
            let hash = Zeroizing::new(unquoted(hash).to_owned());
            Line { name: unquoted(name).to_owned(), hash }
        });
    }
    Ok(lines)
}

fn is_heading(line: &str) -> bool {
    let heading = line.replace(['"', ' '], "").to_lowercase();
    ["username,hash", "name,hash"].contains(&heading.as_str())
}

fn unquoted(field: &str) -> &str {
    let field = field.trim();
    field.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(field)
}

fn ask(client: &Client, lines: &[Line], reason: &Label) -> Result<Imported, Failure> {
    let mut told = Imported::default();
    for some in lines.chunks(TOGETHER) {
        let users: Vec<Value> =
            some.iter().map(|it| json!({"name": it.name, "hash": *it.hash})).collect();
        let body = json!({"users": users, "reason": reason});
        let answer: Imported = client.send(Verb::Post, "/users/v1/import", &body)?;
        told.imported.extend(answer.imported);
        told.refused.extend(answer.refused);
    }
    Ok(told)
}

fn write(operator: &Operator, lines: &[Line], reason: &Label) -> Result<Imported, Failure> {
    operator.permit(Administration::ManageUsers)?;
    let mut told = Imported::default();
    for line in lines {
        match one(operator, line, reason) {
            Ok(name) => told.imported.push(name),
            Err(failure) if failure.exit() == Exit::Refused => told.refused.push(RefusedUser {
                name: line.name.clone(),
                code: failure.code().to_owned(),
                detail: failure.what().to_owned(),
            }),
            Err(ours) => return Err(ours),
        }
    }
    Ok(told)
}

/// Seals the hash, then has the person recorded.
fn one(operator: &Operator, line: &Line, reason: &Label) -> Result<Username, Failure> {
    let name: Username =
        line.name.parse().map_err(|error| Failure::refused("bad_name", format!("{error}")))?;
    let hash =
        PasswordHash::imported(&line.hash).map_err(|error| Failure::refused("bad_hash", error))?;
    let (node, scheme) = (operator.node(), hash.scheme());
    let around = &node.surroundings;
    let credential =
        uuid_v7(&*around.entropy, around.clock.now()).map_err(Failure::could_not_run)?;
    let bytes = hash.to_phc();
    let sealed = node.vault.seal(name.as_str(), credential, Purpose::Password, bytes.as_bytes());
    let sealed = sealed.map_err(Failure::could_not_run)?;
    let reason = reason.clone();
    let new = Import { name: name.clone(), scheme, credential, sealed, reason };
    let recorded = operator.commit(move |world, _| import(world, &new));
    if let Err(failure) = recorded {
        if failure.exit() == Exit::Refused {
            node.vault.remove(name.as_str(), credential).map_err(Failure::could_not_run)?;
        }
        return Err(failure);
    }
    Ok(name)
}

/// What came of it.
#[derive(Default, Serialize, Deserialize)]
struct Imported {
    imported: Vec<Username>,
    refused: Vec<RefusedUser>,
}

#[derive(Serialize, Deserialize)]
struct RefusedUser {
    name: String,
    code: String,
    detail: String,
}

impl Telling for Imported {
    fn tell(&self, page: &mut Page) {
        page.line(&format!("{} imported, {} refused", self.imported.len(), self.refused.len()));
        for RefusedUser { name, detail, .. } in &self.refused {
            page.inked(&format!("  `{name}`: {detail}"), Ink::Bad);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_and_json_lines_are_read_and_a_heading_is_none_of_them() {
        let text = "username,hash\nalice,$argon2id$v=19$m=8,t=1,p=1$c2FsdA$dGFn\n\n\
                    \"bob\",\"$2b$12$x\"\n{\"username\": \"carol\", \"hash\": \"$2y$10$y\"}\n";
        let lines = read(text).unwrap();
        let told: Vec<_> = lines.iter().map(|it| (it.name.as_str(), it.hash.as_str())).collect();
        let expected = [
            ("alice", "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$dGFn"),
            ("bob", "$2b$12$x"),
            ("carol", "$2y$10$y"),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named_and_not_repeated() {
        for text in ["alice $2b$12$secret", "alice,x\n{\"username\": \"$2b$12$secret\"}"] {
            let failure = read(text).err().unwrap();
            assert!(failure.what().starts_with("line "), "{}", failure.what());
            assert!(!failure.what().contains("secret"), "{}", failure.what());
        }
    }
}
