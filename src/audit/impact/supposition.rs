//! What is supposed: other policies, another schema, other entities.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::cedar::Limits;
use crate::model::{BUILD, Digest, EntityDocument, NotAnEntity, SetKind, Uid};
use crate::pap::{self, Draft};
use crate::pip;
use crate::projection::{Change, Erasures, PolicySetState, World};

/// The most entities that a patch may put and remove.
const CHANGES_MAX: usize = 10_000;

/// Why something cannot be supposed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unsupposable {
    /// Neither policies nor a schema nor entities.
    #[error("nothing is supposed: give policies, a schema, or a patch of the directory")]
    Nothing,
    /// The draft does not compile, or does not fit the directory of now.
    #[error(transparent)]
    Policies(#[from] pap::Refusal),
    /// The patch does not fit the schema, or the directory of now.
    #[error(transparent)]
    Directory(#[from] pip::Refusal),
}

/// Why a JSON value is not a patch of the directory; says where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAPatch {
    /// Not an array.
    #[error("expected an array of entities to put, and of names `{{type, id}}` to remove")]
    Shape,
    /// One of them is neither.
    #[error("entities[{index}]: {source}")]
    Entity {
        /// Its place in the array, from 0.
        index: usize,
        /// What is wrong within it, and where.
        source: NotAnEntity,
    },
}

/// Reads a patch of the directory: an array of entities in Cedar's JSON form, which are
/// put, each in place of one of the same name, and of bare names `{"type", "id"}`, which
/// are removed. Linear.
///
/// # Errors
/// [`NotAPatch`] with the index of the first that is neither.
pub fn read_patch(json: &Value) -> Result<Vec<Change>, NotAPatch> {
    let listed = json.as_array().ok_or(NotAPatch::Shape)?.iter().enumerate();
    listed
        .map(|(index, one)| {
            if let Ok(name) = serde_json::from_value::<Uid>(one.clone()) {
                return Ok(Change::Remove(name));
            }
            let put = EntityDocument::from_json(one).map(Change::Put);
            put.map_err(|source| NotAPatch::Entity { index, source })
        })
        .collect()
}

/// What is supposed, named so that one report is never continued with another supposition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supposed {
    /// Of which log.
    pub log: Option<Uuid>,
    /// The build that decides.
    pub build: String,
    /// The digest of the supposed policy set; absent if each time has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<Digest>,
    /// The digest of the schema they are supposed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Digest>,
    /// The digest of the patch of the directory; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entities: Option<Digest>,
    /// The digest of the version in force now, which a draft is held against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_force: Option<Digest>,
}

/// Other policies, another schema or other entities, compiled and held against the World
/// of now: to be put into each World of the past. Cheap to copy.
#[derive(Clone, Debug)]
pub struct Supposition {
    named: Supposed,
    draft: Option<PolicySetState>,
    /// What a draft is held against: what is in force now.
    present: Option<PolicySetState>,
    patch: Arc<[Change]>,
    pub(super) erasures: Erasures,
}

impl Supposition {
    /// Compiles a draft and holds a patch against the newest World: what would be refused
    /// if it were published now is not worth a look at the past. A draft without a schema
    /// is supposed with the one in force now, at any time. What is already gone may be
    /// removed: it was there once.
    ///
    /// Costs a compilation of the whole set (about 50 µs a policy), and with a new schema
    /// or a patch a look at the entities. Call it on a large stack.
    ///
    /// # Errors
    /// [`Unsupposable`].
    pub fn new(
        newest: &World,
        draft: Option<&Draft>,
        patch: Vec<Change>,
        limits: &Limits,
    ) -> Result<Self, Unsupposable> {
        if draft.is_none() && patch.is_empty() {
            return Err(Unsupposable::Nothing);
        }
        let draft = draft.map(|draft| pap::supposed(newest, draft, limits)).transpose()?;
        let present = draft.as_ref().map(|_| newest.set(SetKind::Application).clone());
        let present = present.filter(|set| set.in_force().is_some());
        let in_force = newest.versions.in_force().filter(|_| present.is_some());
        let entities = (!patch.is_empty()).then(|| digest_of(&patch));
        let world = draft.clone().map_or_else(|| newest.clone(), |it| newest.supposing(it));
        let patch = admitted(&world, patch)?;
        let named = Supposed {
            log: newest.log,
            build: BUILD.to_owned(),
            policies: draft.as_ref().and_then(PolicySetState::in_force).map(|it| it.digest),
            schema: draft.as_ref().and_then(PolicySetState::schema).map(|(_, it)| it.digest),
            entities,
            in_force: in_force.map(|version| version.digest),
        };
        let erasures = newest.erasures.clone();
        Ok(Self { named, draft, present, patch: patch.into(), erasures })
    }

    /// What is supposed, by digests.
    #[must_use]
    pub const fn named(&self) -> &Supposed {
        &self.named
    }

    /// True if entities are supposed to be otherwise.
    pub(super) fn patches(&self) -> bool {
        !self.patch.is_empty()
    }

    /// The changes of the directory.
    pub(super) fn patch(&self) -> &[Change] {
        &self.patch
    }

    /// A World of the past with the draft in it, and its directory as it was.
    pub(super) fn drafted(&self, then: &World) -> World {
        let draft = self.draft.clone();
        draft.map_or_else(|| then.without_staged(), |draft| then.supposing(draft))
    }

    /// A World of the past with what is in force now in it, and its directory as it was;
    /// none where that was in force then, and what it answers is on record.
    pub(super) fn at_present(&self, then: &World) -> Option<World> {
        let present = self.present.as_ref()?;
        let names = |set: &PolicySetState| {
            (set.in_force().map(|it| it.digest), set.schema().map(|(_, it)| it.digest))
        };
        let other = names(present) != names(then.set(SetKind::Application));
        other.then(|| then.supposing(present.clone()))
    }
}

fn digest_of(patch: &[Change]) -> Digest {
    let one = |change: &Change| match change {
        Change::Put(document) => document.to_cedar_json().to_string(),
        Change::Remove(uid) => uid.to_string(),
    };
    let all: Vec<_> = patch.iter().map(one).collect();
    Digest::of_parts(all.iter().map(String::as_bytes))
}

/// The changes in an order in which they can be made.
fn admitted(world: &World, patch: Vec<Change>) -> Result<Vec<Change>, pip::Refusal> {
    let is_there = |uid: &Uid| world.directory.get(uid).is_some();
    let is_gone = |change: &Change| matches!(change, Change::Remove(uid) if !is_there(uid));
    let (gone, present): (Vec<_>, Vec<_>) = patch.into_iter().partition(is_gone);
    if present.is_empty() {
        return Ok(gone);
    }
    let admission = pip::admit(world, present, CHANGES_MAX)?;
    Ok(admission.changes().iter().cloned().chain(gone).collect())
}
