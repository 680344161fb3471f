//! The expensive half: is this fit to be put in force?

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Part, Refusal};
use crate::cedar::{CompiledPolicies, CompiledSchema, Fault, Limits, codes};
use crate::event::VersionRef;
use crate::model::{Digest, EntityDocument, Label, PolicyId, PolicySource, SetKind, Version};
use crate::projection::{Compiled, Node, PolicySetState, World};

/// How many entities that do not fit a new schema are told one by one.
const ENTITY_FAULTS_MAX: usize = 20;

/// The most bytes that one policy may take as stored JSON. Quotes and control
/// characters grow in it, so a bound on its text is not enough. A policy is one entry
/// (ARCHITECTURE.md, "A publication is parts"), and must fit into the longest.
const STORED_POLICY_BYTES_MAX: usize = 32 * 1024;

/// What an author wants in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Which of the two sets. For [`SetKind::System`] only the set that this build
    /// brings along may be published: the caller sees to that, nothing here can tell.
    pub set: SetKind,
    /// The whole new schema as Cedar text; absent to keep the one in force.
    pub schema: Option<String>,
    /// The whole new set: what it lacks is withdrawn. Absent to keep the one in force.
    pub policies: Option<Vec<PolicySource>>,
    /// Why, in the author's words.
    pub message: Label,
}

/// A draft found fit, what it changes, and what it was held against.
#[derive(Clone, Debug)]
pub struct Admission {
    pub(super) set: SetKind,
    pub(super) message: Label,
    /// What the author's expected version is of.
    pub(super) versioned: Part,
    pub(super) base: Base,
    /// The new schema's text, if it changes.
    pub(super) schema: Option<String>,
    /// The new set, if it changes.
    pub(super) policies: Option<NewSet>,
    warnings: Vec<Fault>,
}

/// A policy set as it will be, by its difference to the one in force.
#[derive(Clone, Debug)]
pub(super) struct NewSet {
    pub(super) added: Vec<PolicySource>,
    pub(super) changed: Vec<PolicySource>,
    pub(super) withdrawn: Vec<PolicyId>,
    pub(super) count: u64,
    pub(super) digest: Digest,
}

/// What an admission stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) schema: Option<VersionRef>,
    pub(super) policies: Option<VersionRef>,
    /// Only where entities were held against a new schema.
    pub(super) directory: Option<Version>,
}

impl Base {
    pub(super) fn of(world: &World, set: SetKind, schema_changes: bool) -> Self {
        let present = world.set(set);
        Self {
            schema: present.schema().map(|(_, version)| version),
            policies: present.in_force(),
            directory: schema_changes.then(|| world.directory.version()),
        }
    }
}

/// What an admission changes, for the author to look at before or after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Which of the two sets.
    pub set: SetKind,
    /// The digest of the new schema, if it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Digest>,
    /// The digest of the new policy set, if it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<Digest>,
    /// Policies that were not there before, in order of their names.
    pub added: Vec<PolicyId>,
    /// Policies whose content differs, in order of their names.
    pub changed: Vec<PolicyId>,
    /// Policies that are no longer there, in order of their names.
    pub withdrawn: Vec<PolicyId>,
    /// What is allowed, but probably not what its author means.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Fault>,
}

impl Admission {
    /// What it changes.
    #[must_use]
    pub fn changes(&self) -> Changes {
        let names = |sources: &[PolicySource]| sources.iter().map(|one| one.id.clone()).collect();
        let new = self.policies.as_ref();
        Changes {
            set: self.set,
            schema: self.schema.as_ref().map(Digest::of),
            policies: new.map(|set| set.digest),
            added: new.map(|set| names(&set.added)).unwrap_or_default(),
            changed: new.map(|set| names(&set.changed)).unwrap_or_default(),
            withdrawn: new.map(|set| set.withdrawn.clone()).unwrap_or_default(),
            warnings: self.warnings.clone(),
        }
    }
}

/// Holds a draft against the World: compiles its schema, or the one in force, and its
/// policies, or the ones in force, together; types every entity of the directory under
/// a new schema. What was compiled is left with the World's artefacts, so that the
/// writer need not compile again.
///
/// A first schema without policies brings an empty policy set in force with it: from
/// then on every decision is an honest deny by version 1 of the policies rather than
/// the sign of something missing.
///
/// Costs a compilation of the whole set (about 50 µs a policy) and, with a new schema,
/// a look at every entity. Call it away from the writer, and with limits no wider than
/// [`Limits::default`]: a World that is folded anew compiles under those.
///
/// # Errors
/// [`Refusal`]: [`SchemaInvalid`](Refusal::SchemaInvalid),
/// [`PolicyInvalid`](Refusal::PolicyInvalid), [`NoSchema`](Refusal::NoSchema) or
/// [`Unchanged`](Refusal::Unchanged).
pub fn admit(world: &World, draft: Draft, limits: &Limits) -> Result<Admission, Refusal> {
    let Draft { set, schema, policies, message } = draft;
    let present = world.set(set);
    let in_force = present.schema().map(|(text, _)| text);
    let schema = schema.filter(|text| Some(text.as_str()) != in_force);
    let versioned = if policies.is_some() { Part::Policies } else { Part::Schema };
    let sources = policies.unwrap_or_else(|| present.sources().cloned().collect());
    let digest = PolicySource::digest_of_set(&sources);
    let policies_change = present.in_force().map(|version| version.digest) != Some(digest);
    if schema.is_none() && in_force.is_none() {
        return Err(Refusal::NoSchema);
    }
    if schema.is_none() && !policies_change {
        return Err(Refusal::Unchanged);
    }
    storable(&sources).map_err(Refusal::PolicyInvalid)?;
    let compiled = compile(world, set, schema.as_deref(), &sources, limits)?;
    compiled.policies.tried().map_err(Refusal::PolicyInvalid)?;
    let warnings = [compiled.schema.warnings(), compiled.policies.warnings()].concat();
    world.artefacts().keep(digest, compiled);
    Ok(Admission {
        set,
        message,
        versioned,
        base: Base::of(world, set, schema.is_some()),
        policies: policies_change.then(|| NewSet::between(present, sources, digest)),
        schema,
        warnings,
    })
}

impl NewSet {
    pub(super) fn between(
        present: &PolicySetState,
        sources: Vec<PolicySource>,
        digest: Digest,
    ) -> Self {
        let count = sources.len() as u64;
        let kept: BTreeSet<_> = sources.iter().map(|source| source.id.clone()).collect();
        let before = present.sources().map(|source| &source.id);
        let withdrawn = before.filter(|id| !kept.contains(*id)).cloned().collect();
        let (mut added, mut changed) = (Vec::new(), Vec::new());
        for source in sources {
            match present.source(&source.id) {
                None => added.push(source),
                Some(before) if before.digest() != source.digest() => changed.push(source),
                Some(_) => {}
            }
        }
        added.sort_by(|one, other| one.id.cmp(&other.id));
        changed.sort_by(|one, other| one.id.cmp(&other.id));
        Self { added, changed, withdrawn, count, digest }
    }
}

/// Whether each policy fits an event, as it is stored.
///
/// # Errors
/// A fault for each that does not.
pub fn storable(sources: &[PolicySource]) -> Result<(), Vec<Fault>> {
    let size = |source: &PolicySource| serde_json::to_vec(source).map_or(usize::MAX, |b| b.len());
    let too_large = |source: &PolicySource| {
        let bytes = size(source);
        (bytes > STORED_POLICY_BYTES_MAX).then(|| {
            let most = STORED_POLICY_BYTES_MAX;
            let message = format!("the policy takes {bytes} bytes as stored; at most {most} do");
            Fault::new(codes::POLICY_TOO_LARGE, message)
                .about(&source.id)
                .with_help("quotes, line breaks and control characters take more than one byte")
        })
    };
    let faults: Vec<_> = sources.iter().filter_map(too_large).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

pub(super) fn compile(
    world: &World,
    set: SetKind,
    new_schema: Option<&str>,
    sources: &[PolicySource],
    limits: &Limits,
) -> Result<Compiled, Refusal> {
    let schema = match new_schema {
        Some(text) => {
            let schema = CompiledSchema::compile(text, set, limits);
            let schema = schema.map_err(Refusal::SchemaInvalid)?;
            if set == SetKind::Application {
                every_entity_fits(world, &schema).map_err(Refusal::SchemaInvalid)?;
            }
            schema
        }
        None => schema_in_force(world.set(set), set, limits)?,
    };
    let policies =
        CompiledPolicies::compile(sources, &schema, set, limits).map_err(Refusal::PolicyInvalid)?;
    Ok(Compiled { schema, policies })
}

/// The schema in force, ready made where decisions already use it.
fn schema_in_force(
    present: &PolicySetState,
    set: SetKind,
    limits: &Limits,
) -> Result<CompiledSchema, Refusal> {
    if let Some(Ok(compiled)) = present.compiled() {
        return Ok(compiled.schema.clone());
    }
    let (text, _) = present.schema().ok_or(Refusal::NoSchema)?;
    CompiledSchema::compile(text, set, limits).map_err(Refusal::SchemaInvalid)
}

/// True of every entity, or the first that do not fit, in order of their names.
pub(super) fn every_entity_fits(world: &World, schema: &CompiledSchema) -> Result<(), Vec<Fault>> {
    // Not by way of the node's own cache: that belongs to the schema in force.
    // What is personal may be erased one day: the entity has to fit without it too.
    let typed = |node: &Node| {
        let whole = schema.type_entity(&node.document, &node.ancestors)?;
        if node.document.personal.is_empty() {
            return Ok(whole);
        }
        let left = EntityDocument { personal: Vec::new(), ..EntityDocument::clone(&node.document) };
        schema.type_entity(&left, &node.ancestors)
    };
    let nodes = world.directory.iter();
    let mut misfits: Vec<_> =
        nodes.filter_map(|node| Some((&node.document.uid, typed(node).err()?))).collect();
    if misfits.is_empty() {
        return Ok(());
    }
    misfits.sort_by_key(|(uid, _)| *uid);
    let more = misfits.len().saturating_sub(ENTITY_FAULTS_MAX);
    let told = misfits.into_iter().take(ENTITY_FAULTS_MAX).map(|(uid, mut fault)| {
        let what = format!("entity `{uid}` of the directory does not fit: {}", fault.message);
        fault.message = what.into();
        fault
    });
    let message = || format!("{more} more entities of the directory do not fit");
    let rest = (more > 0).then(|| Fault::new(codes::ENTITY_INVALID, message()));
    Err(told.chain(rest).collect())
}
