//! The expensive half: do these entities fit the schema in force?

use std::collections::BTreeSet;

use super::Refusal;
use super::order::{parents_first, uid};
use crate::cedar::{CompiledSchema, Fault, codes};
use crate::model::{Digest, EntityDocument, Personal, Uid};
use crate::projection::{Change, World};

/// How many faults are told one by one.
const FAULTS_MAX: usize = 20;

/// The most bytes that one entity may take as stored JSON. An entity is one entry
/// (ARCHITECTURE.md, "A publication is parts"), and must fit into the longest.
const STORED_ENTITY_BYTES_MAX: usize = 32 * 1024;

/// An entity is named twice in one request.
const ENTITY_DUPLICATE: &str = "entity_duplicate";
/// An entity to be removed is not in the directory.
const ENTITY_UNKNOWN: &str = "entity_unknown";

/// Changes found fit, and the schema they were held against.
#[derive(Clone, Debug)]
pub struct Admission {
    pub(super) changes: Vec<Change>,
    pub(super) schema: Digest,
}

impl Admission {
    /// The changes, in the order in which they will be made: what an entity is in
    /// comes before the entity.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Has what is personal of the entities sealed, each as it is handed to `seal`. To be
    /// done before the changes are put in force: unsealed they cannot be recorded.
    ///
    /// # Errors
    /// The first of `seal`.
    pub fn seal<E>(
        &mut self,
        mut seal: impl FnMut(&mut [Personal]) -> Result<(), E>,
    ) -> Result<(), E> {
        let put = self.changes.iter_mut().filter_map(|change| match change {
            Change::Put(document) => Some(&mut document.personal),
            Change::Remove(_) => None,
        });
        put.filter(|personal| !personal.is_empty()).try_for_each(|personal| seal(personal))
    }
}

/// Holds changes of the directory against the World: the application schema in force
/// types every entity put, and the hierarchy stays within its bounds. The changes are
/// made together, whatever their order.
///
/// Costs the typing of each entity put and the closure of all that is in it. Call it
/// away from the writer. `changes_max` is a setting.
///
/// # Errors
/// [`Refusal`]: [`Empty`](Refusal::Empty), [`TooMany`](Refusal::TooMany),
/// [`NoSchema`](Refusal::NoSchema), [`Hierarchy`](Refusal::Hierarchy), or
/// [`Faults`](Refusal::Faults) with the first twenty, each naming its entity:
/// `entity_duplicate` for one named twice, `entity_unknown` for the removal of one that
/// is not there, `reserved_namespace` for Countersign's own types, `entity_too_large`,
/// and `entity_invalid` for what the schema says.
pub fn admit(
    world: &World,
    changes: Vec<Change>,
    changes_max: usize,
) -> Result<Admission, Refusal> {
    if changes.is_empty() {
        return Err(Refusal::Empty);
    }
    if changes.len() > changes_max {
        return Err(Refusal::TooMany { found: changes.len(), limit: changes_max });
    }
    let schema = match world.application.compiled() {
        None => return Err(Refusal::NoSchema),
        Some(Err(faults)) => return Err(Refusal::Faults(first(faults.to_vec()))),
        Some(Ok(compiled)) => &compiled.schema,
    };
    no_faults(plain_faults(world, &changes))?;
    let changes = parents_first(&world.directory, changes);
    let after = world.directory.with(&changes)?;
    let misfits = changes.iter().filter_map(|change| match change {
        Change::Put(document) => {
            let ancestors = after.get(&document.uid).map(|node| node.ancestors.clone());
            misfit(schema, document, &ancestors.unwrap_or_default())
        }
        Change::Remove(_) => None,
    });
    no_faults(misfits.collect())?;
    let changes = changes.into_iter().map(|change| separated(schema, change)).collect();
    Ok(Admission { changes, schema: schema.digest() })
}

/// What the schema declares personal stands apart from here on.
fn separated(schema: &CompiledSchema, change: Change) -> Change {
    match change {
        Change::Put(document) => {
            let paths = schema.personal_attributes(document.uid.kind());
            Change::Put(if paths.is_empty() { document } else { document.separated(paths) })
        }
        Change::Remove(uid) => Change::Remove(uid),
    }
}

fn misfit(
    schema: &CompiledSchema,
    document: &EntityDocument,
    ancestors: &BTreeSet<Uid>,
) -> Option<Fault> {
    let mut fault = schema.type_entity(document, ancestors).err()?;
    let what = format!("entity `{}` does not fit: {}", document.uid, fault.message);
    fault.message = what.into();
    Some(fault)
}

/// What can be said of the changes without the schema.
fn plain_faults(world: &World, changes: &[Change]) -> Vec<Fault> {
    let mut named = BTreeSet::new();
    let mut faults = Vec::new();
    for change in changes {
        let name = uid(change);
        if !named.insert(name) {
            let message = format!("entity `{name}` is named twice: name each once");
            faults.push(Fault::new(ENTITY_DUPLICATE, message));
        }
        faults.extend(match change {
            Change::Put(document) => unfit(document),
            Change::Remove(_) => unknown(world, name),
        });
    }
    faults
}

fn unfit(document: &EntityDocument) -> Option<Fault> {
    let name = &document.uid;
    let mut names = document.parents.iter().chain([name]);
    if names.any(|uid| uid.kind().is_reserved()) {
        let message = format!(
            "entity `{name}` names `Countersign::`, which is kept for Countersign's own \
             administration"
        );
        return Some(Fault::new(codes::RESERVED_NAMESPACE, message));
    }
    let bytes = serde_json::to_vec(document).map_or(usize::MAX, |stored| stored.len());
    (bytes > STORED_ENTITY_BYTES_MAX).then(|| {
        let message = format!(
            "entity `{name}` takes {bytes} bytes as stored; at most {STORED_ENTITY_BYTES_MAX} \
             are allowed"
        );
        Fault::new(codes::ENTITY_TOO_LARGE, message)
    })
}

fn unknown(world: &World, name: &Uid) -> Option<Fault> {
    let message = || format!("entity `{name}` is not in the directory");
    let known = world.directory.get(name).is_some();
    (!known).then(|| Fault::new(ENTITY_UNKNOWN, message()))
}

fn no_faults(faults: Vec<Fault>) -> Result<(), Refusal> {
    if faults.is_empty() { Ok(()) } else { Err(Refusal::Faults(first(faults))) }
}

/// The first faults, and a count of the rest.
fn first(mut faults: Vec<Fault>) -> Vec<Fault> {
    let more = faults.len().saturating_sub(FAULTS_MAX);
    faults.truncate(FAULTS_MAX);
    if more > 0 {
        let message = format!("{more} more faults are not shown");
        faults.push(Fault::new(codes::ENTITY_INVALID, message));
    }
    faults
}
