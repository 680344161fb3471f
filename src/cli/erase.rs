//! `countersign user erase` and `countersign entities erase`: forgetting people.

use serde::Serialize;
use serde_json::json;

use super::client::{Verb, encoded};
use super::console::Telling;
use super::failure::Failure;
use super::folder::Operator;
use super::page::{Ink, Page};
use super::target::{Target, TargetFlags};
use crate::model::{Label, Uid, Username};
use crate::node::{Erasure, erase_person, erase_subject};
use crate::pdp::Administration;

/// Erase a person: their secrets and what is personal of their entity
///
/// Destroys the keys that these are sealed under, ends every session, and shuts the person
/// out for good; the login name stays, and stays taken. The log keeps its entries and its
/// proofs; what was sealed in them nobody can open any more. This cannot be undone.
/// Backups of the vault and of the key made before can still open it: destroy them too.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    countersign user erase alice --reason 'request of 2026-11-22' --data ./data")]
pub(super) struct ErasePerson {
    /// Login name
    name: Username,
    /// Why, for the record, where it stays in the open
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: Label,
    #[command(flatten)]
    target: TargetFlags,
}

/// Erase what is personal of an entity
///
/// Destroys the key that it is sealed under, in the directory and in recorded requests.
/// The entity stays, without its personal attributes. This cannot be undone. Backups of
/// the vault and of the key made before can still open it: destroy them too.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
    countersign entities erase 'User::\"alice\"' --data ./data")]
pub(super) struct EraseEntity {
    /// The entity, as `TYPE::"ID"`
    #[arg(value_name = "UID", value_parser = super::entities::uid)]
    uid: Uid,
    /// Why, for the record, where it stays in the open
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: Label,
    #[command(flatten)]
    target: TargetFlags,
}

impl ErasePerson {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`]: a refusal, or why it could not be done.
    pub(super) fn done(&self) -> Result<Erased, Failure> {
        match self.target.target()? {
            Target::Server(client) => {
                let path = format!("/users/v1/{}/erase", encoded(self.name.as_str()));
                let body = json!({"reason": self.reason});
                client.ask(Verb::Post, &path, Some(&body), &[])?.good()?;
            }
            Target::Data(folder) => {
                let operator = folder.operator()?;
                operator.permit_anew(Administration::Erase)?;
                let node = operator.node();
                let erasure = erasure(&self.reason);
                let name = self.name.clone();
                operator.wait(erase_person(
                    &node.sequencer,
                    &node.vault,
                    &node.snapshots,
                    name,
                    erasure,
                ))?;
            }
        }
        Ok(Erased { erased: self.name.to_string() })
    }
}

impl EraseEntity {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`]: a refusal, or why it could not be done.
    pub(super) fn done(&self) -> Result<Erased, Failure> {
        match self.target.target()? {
            Target::Server(client) => {
                let body = json!({"subject": self.uid, "reason": self.reason});
                client.ask(Verb::Post, "/erasures/v1", Some(&body), &[])?.good()?;
            }
            Target::Data(folder) => {
                let operator = folder.operator()?;
                operator.permit_anew(Administration::Erase)?;
                let node = operator.node();
                let erasure = erasure(&self.reason);
                let uid = self.uid.clone();
                operator.wait(erase_subject(
                    &node.sequencer,
                    &node.vault,
                    &node.snapshots,
                    uid,
                    erasure,
                ))?;
            }
        }
        Ok(Erased { erased: self.uid.to_string() })
    }
}

fn erasure(reason: &Label) -> Erasure {
    let (origin, authority) = (Operator::origin(), None);
    Erasure { origin, authority, reason: reason.clone() }
}

/// What is no more.
#[derive(Serialize)]
pub(super) struct Erased {
    erased: String,
}

impl Telling for Erased {
    fn tell(&self, page: &mut Page) {
        page.inked(&format!("`{}` is erased", self.erased), Ink::Good);
        page.paragraph(
            "The log and its proofs are as they were; what was personal in it cannot be opened \
             any more. Older backups of the vault still can: destroy them, and `countersign key \
             rotate`.",
        );
    }
}
