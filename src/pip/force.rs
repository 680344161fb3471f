//! The cheap half: from an admission to the events that put it in force.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Admission, Refusal};
use crate::event::{DirectoryActivated, EntitySubmitted, EntityWithdrawn, Event};
use crate::model::{EntityDocument, Label, Personal, Version};
use crate::projection::{Change, World};

/// The events that put an admission in force; they belong in one batch, in this order.
/// `publication` is a fresh id; `expected` is the directory's version as the author had
/// read it. Entities that already are as they were sent get no event.
///
/// Costs what changes and the closure of all that is in it; nothing is typed again.
///
/// # Errors
/// [`Refusal::VersionConflict`] if the author had read another version;
/// [`Refusal::Unchanged`] if there is nothing to do; [`Refusal::Conflict`] if the schema
/// is another than the changes were admitted under, if the directory has moved so that
/// they no longer can be made, or if what is personal was sealed under a key that has
/// been destroyed since: admit them again.
pub fn put_in_force(
    world: &World,
    admission: &Admission,
    publication: Uuid,
    message: Label,
    expected: Option<Version>,
) -> Result<Vec<Event>, Refusal> {
    let found = world.directory.version();
    if let Some(expected) = expected.filter(|expected| *expected != found) {
        return Err(Refusal::VersionConflict { expected, found });
    }
    let schema = world.application.schema().map(|(_, version)| version.digest);
    if schema != Some(admission.schema) {
        return Err(Refusal::Conflict { what: "schema" });
    }
    let changes = what_is_left(world, &admission.changes)?;
    if changes.iter().any(|change| sealed_in_vain(world, change)) {
        return Err(Refusal::Conflict { what: "subject's key" });
    }
    if changes.is_empty() {
        return Err(Refusal::Unchanged);
    }
    // Against the directory of now: others may have changed what these stand on.
    let moved = |_| Refusal::Conflict { what: "directory" };
    world.directory.with(&changes).map_err(moved)?;
    let count = changes.len() as u64;
    let mut events: Vec<_> =
        changes.into_iter().map(|change| submitted(publication, change)).collect();
    let version = found.next();
    let activated = DirectoryActivated { publication, version, changed: count, message };
    events.push(Event::DirectoryActivated(activated));
    Ok(events)
}

/// The changes without those that are already so.
fn what_is_left(world: &World, changes: &[Change]) -> Result<Vec<Change>, Refusal> {
    let mut left = Vec::with_capacity(changes.len());
    for change in changes {
        match change {
            Change::Put(document) => {
                let present = world.directory.get(&document.uid);
                if present.is_some_and(|node| is_same(&node.document, document)) {
                    continue;
                }
            }
            Change::Remove(uid) if world.directory.get(uid).is_none() => {
                return Err(Refusal::Conflict { what: "directory" });
            }
            Change::Remove(_) => {}
        }
        left.push(change.clone());
    }
    Ok(left)
}

/// True if an entity is already as it was sent, what is personal included. The seal of the
/// same values is another each time.
fn is_same(present: &EntityDocument, sent: &EntityDocument) -> bool {
    let members = |document: &EntityDocument| {
        let all = document.personal.iter().flat_map(Personal::members);
        all.map(|(at, value)| (at.clone(), value.clone())).collect::<BTreeMap<_, _>>()
    };
    let open = |document: &EntityDocument| document.personal.iter().all(|it| it.closed().is_none());
    open(present)
        && open(sent)
        && present.to_impersonal_json() == sent.to_impersonal_json()
        && members(present) == members(sent)
}

fn sealed_in_vain(world: &World, change: &Change) -> bool {
    let Change::Put(document) = change else { return false };
    let keys = document.personal.iter().filter_map(Personal::sealed);
    keys.into_iter().any(|(key, _)| world.erasures.contains(&key))
}

fn submitted(publication: Uuid, change: Change) -> Event {
    match change {
        Change::Put(entity) => Event::EntitySubmitted(EntitySubmitted { publication, entity }),
        Change::Remove(uid) => Event::EntityWithdrawn(EntityWithdrawn { publication, uid }),
    }
}
