//! The cheap half: from an admission to the events that put it in force.

use uuid::Uuid;

use super::{Admission, Refusal};
use crate::event::{DirectoryActivated, EntitySubmitted, EntityWithdrawn, Event};
use crate::model::{Label, Version};
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
/// is another than the changes were admitted under, or if the directory has moved so
/// that they no longer can be made: admit them again.
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
                if present.map(|node| &node.document) == Some(document) {
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

fn submitted(publication: Uuid, change: Change) -> Event {
    match change {
        Change::Put(entity) => Event::EntitySubmitted(EntitySubmitted { publication, entity }),
        Change::Remove(uid) => Event::EntityWithdrawn(EntityWithdrawn { publication, uid }),
    }
}
