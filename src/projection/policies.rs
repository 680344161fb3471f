//! One policy set and its schema, as they came in force.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use imbl::{HashMap, OrdMap};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::cedar::{CompiledPolicies, CompiledSchema, Fault, Limits};
use crate::event::{
    PoliciesActivated, PolicySubmitted, PolicyWithdrawn, SchemaActivated, SchemaSubmitted,
    VersionDrafted, VersionRef,
};
use crate::model::{Digest, PolicyBody, PolicyId, PolicySource, SetKind, Version};

/// How many compiled sets are kept for reuse.
const ARTEFACTS_MAX: usize = 8;

/// A schema and policies ready to decide by.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The schema.
    pub schema: CompiledSchema,
    /// The policies.
    pub policies: CompiledPolicies,
}

/// What admission has compiled, handed to the fold by its digests, so that the
/// writer does not compile again. Compiling is a pure function: whether something
/// is found here changes how long a fold takes, never what it gives.
#[derive(Clone, Debug, Default)]
pub struct Artefacts(Arc<Mutex<VecDeque<Artefact>>>);

/// A compiled set under the digests of its schema and its policies.
type Artefact = ((Digest, Digest), Compiled);

impl Artefacts {
    /// Keeps a compiled set; the oldest of more than eight is dropped.
    pub fn keep(&self, policies: Digest, compiled: Compiled) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == ARTEFACTS_MAX {
            kept.pop_front();
        }
        kept.push_back(((compiled.schema.digest(), policies), compiled));
    }

    /// What is kept under these digests.
    #[must_use]
    pub fn find(&self, schema: Digest, policies: Digest) -> Option<Compiled> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = (schema, policies);
        kept.iter().rev().find(|(of, _)| *of == wanted).map(|(_, compiled)| compiled.clone())
    }
}

/// What a set consists of, in force or not. A copy costs a few pointers.
#[derive(Clone, Debug)]
pub struct Content {
    /// The schema's text.
    pub schema: Arc<str>,
    /// Its SHA-256.
    pub schema_digest: Digest,
    /// The policies, by their names.
    pub policies: OrdMap<PolicyId, Arc<PolicySource>>,
    /// Their SHA-256, as of [`PolicySource::digest_of_set`].
    pub policies_digest: Digest,
}

/// A schema in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SchemaInForce {
    text: Arc<str>,
    version: Version,
    digest: Digest,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Part {
    Put(PolicySource),
    Remove(PolicyId),
}

/// The policies and schema of one kind, in force.
#[derive(Clone, Debug)]
pub struct PolicySetState {
    kind: SetKind,
    schema: Option<SchemaInForce>,
    policies: OrdMap<PolicyId, Arc<PolicySource>>,
    in_force: Option<VersionRef>,
    staged_schemas: HashMap<Uuid, String>,
    staged_policies: HashMap<Uuid, Arc<Vec<Part>>>,
    compiled: Arc<OnceLock<Result<Compiled, Arc<[Fault]>>>>,
}

impl PolicySetState {
    /// Nothing in force yet.
    #[must_use]
    pub fn new(kind: SetKind) -> Self {
        Self {
            kind,
            schema: None,
            policies: OrdMap::new(),
            in_force: None,
            staged_schemas: HashMap::new(),
            staged_policies: HashMap::new(),
            compiled: Arc::default(),
        }
    }

    /// The version and digest of the policies in force.
    #[must_use]
    pub fn in_force(&self) -> Option<VersionRef> {
        self.in_force
    }

    /// The policies in force, in order of their names.
    pub fn sources(&self) -> impl Iterator<Item = &PolicySource> {
        self.policies.values().map(AsRef::as_ref)
    }

    /// One policy by its name.
    #[must_use]
    pub fn source(&self, id: &PolicyId) -> Option<&PolicySource> {
        self.policies.get(id).map(AsRef::as_ref)
    }

    /// The template of a link.
    #[must_use]
    pub fn template_of(&self, source: &PolicySource) -> Option<&PolicySource> {
        match &source.body {
            PolicyBody::Link { template, .. } => self.source(template),
            PolicyBody::Static { .. } | PolicyBody::Template { .. } => None,
        }
    }

    /// How many policies, templates and links there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.policies.len()
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    /// The text of the schema in force, and its version.
    #[must_use]
    pub fn schema(&self) -> Option<(&str, VersionRef)> {
        let schema = self.schema.as_ref()?;
        let version = VersionRef { version: schema.version, digest: schema.digest };
        Some((&schema.text, version))
    }

    /// The schema and policies ready to decide by; `None` before both are in force.
    /// The first call after a change may compile, on a large stack.
    ///
    /// # Errors
    /// The faults, if they do not compile: written by another build of Cedar, or
    /// not as published. Every decision must then be a deny.
    pub fn compiled(&self) -> Option<Result<&Compiled, &[Fault]>> {
        let (schema, in_force) = (self.schema.as_ref()?, self.in_force?);
        let compiled = self.compiled.get_or_init(|| self.compile(schema, in_force));
        Some(compiled.as_ref().map_err(AsRef::as_ref))
    }

    /// A set that is not in force, as it would be: for asking what a draft decides. Both
    /// its policies and its schema count as `version`. Nothing is compiled.
    #[must_use]
    pub fn supposed(
        kind: SetKind,
        sources: impl IntoIterator<Item = PolicySource>,
        compiled: Compiled,
        version: Version,
    ) -> Self {
        let named = |source: PolicySource| (source.id.clone(), Arc::new(source));
        let (text, digest) = (compiled.schema.text().into(), compiled.schema.digest());
        Self {
            schema: Some(SchemaInForce { text, version, digest }),
            policies: sources.into_iter().map(named).collect(),
            in_force: Some(VersionRef { version, digest: compiled.policies.digest() }),
            compiled: Arc::new(OnceLock::from(Ok(compiled))),
            ..Self::new(kind)
        }
    }

    /// What it consists of; nothing before both a schema and policies are in force.
    #[must_use]
    pub fn content(&self) -> Option<Content> {
        let (schema, in_force) = (self.schema.as_ref()?, self.in_force?);
        Some(Content {
            schema: Arc::clone(&schema.text),
            schema_digest: schema.digest,
            policies: self.policies.clone(),
            policies_digest: in_force.digest,
        })
    }

    /// A set that is decided by without being in force: its policies and its schema are
    /// named by their digests, and count as version 0.
    pub(super) fn beside(content: &Content, artefacts: &Artefacts) -> Self {
        let named = |digest| VersionRef { version: Version(0), digest };
        let mut set = Self::new(SetKind::Application);
        let (policies, schema) = (named(content.policies_digest), named(content.schema_digest));
        set.replaced(content, policies, schema, artefacts);
        set
    }

    /// What the parts of a publication amount to on top of what is in force.
    pub(super) fn drafted(&mut self, it: &VersionDrafted) -> Content {
        let in_force = || self.schema.as_ref().map(|schema| Arc::clone(&schema.text));
        let submitted = self.staged_schemas.remove(&it.publication).map(Arc::from);
        let schema = submitted.or_else(in_force).unwrap_or_else(|| Arc::from(""));
        let parts = self.staged_policies.remove(&it.publication).unwrap_or_default();
        let mut policies = self.policies.clone();
        take_in(&mut policies, &parts);
        let (schema_digest, policies_digest) = (it.schema, it.policies);
        Content { schema, schema_digest, policies, policies_digest }
    }

    /// Other content came in force, all of it at once.
    pub(super) fn replaced(
        &mut self,
        content: &Content,
        policies: VersionRef,
        schema: VersionRef,
        artefacts: &Artefacts,
    ) {
        let text = Arc::clone(&content.schema);
        self.schema = Some(SchemaInForce { text, version: schema.version, digest: schema.digest });
        self.policies = content.policies.clone();
        self.in_force = Some(policies);
        self.recompile(artefacts);
    }

    /// Has this set decided with an index that lacks a policy.
    #[cfg(test)]
    pub(crate) fn break_index(&mut self, missing: &PolicyId) {
        let Some(Ok(whole)) = self.compiled() else { panic!("nothing in force") };
        let policies = whole.policies.with_faulty_index(missing);
        let broken = Compiled { schema: whole.schema.clone(), policies };
        self.compiled = Arc::new(OnceLock::from(Ok(broken)));
    }

    fn compile(&self, schema: &SchemaInForce, set: VersionRef) -> Result<Compiled, Arc<[Fault]>> {
        let limits = Limits::default();
        if PolicySource::digest_of_set(self.sources()) != set.digest {
            return Err(Arc::from([Fault::new("digest_differs", "the set is not as published")]));
        }
        let schema = CompiledSchema::compile(&schema.text, self.kind, &limits)?;
        let sources: Vec<_> = self.sources().cloned().collect();
        let policies = CompiledPolicies::compile(&sources, &schema, self.kind, &limits)?;
        Ok(Compiled { schema, policies })
    }

    pub(super) fn schema_submitted(&mut self, it: &SchemaSubmitted) {
        self.staged_schemas.entry(it.publication).or_default().push_str(&it.text);
    }

    pub(super) fn schema_activated(&mut self, it: &SchemaActivated, artefacts: &Artefacts) {
        let text = self.staged_schemas.remove(&it.publication).unwrap_or_default();
        self.schema =
            Some(SchemaInForce { text: text.into(), version: it.version, digest: it.digest });
        self.recompile(artefacts);
    }

    pub(super) fn policy_submitted(&mut self, it: &PolicySubmitted) {
        self.stage(it.publication, Part::Put(it.policy.clone()));
    }

    pub(super) fn policy_withdrawn(&mut self, it: &PolicyWithdrawn) {
        self.stage(it.publication, Part::Remove(it.policy.clone()));
    }

    fn stage(&mut self, publication: Uuid, part: Part) {
        Arc::make_mut(self.staged_policies.entry(publication).or_default()).push(part);
    }

    pub(super) fn policies_activated(&mut self, it: &PoliciesActivated, artefacts: &Artefacts) {
        let parts = self.staged_policies.remove(&it.publication).unwrap_or_default();
        take_in(&mut self.policies, &parts);
        self.in_force = Some(VersionRef { version: it.version, digest: it.digest });
        self.recompile(artefacts);
    }

    fn recompile(&mut self, artefacts: &Artefacts) {
        self.compiled = Arc::default();
        if let (Some(schema), Some(set)) = (&self.schema, self.in_force)
            && let Some(found) = artefacts.find(schema.digest, set.digest)
        {
            // Just made, so nobody can have set it before.
            let _first = self.compiled.set(Ok(found));
        }
    }
}

/// Changes policies by the parts of a publication, in their order.
fn take_in(policies: &mut OrdMap<PolicyId, Arc<PolicySource>>, parts: &[Part]) {
    for part in parts {
        match part {
            Part::Put(source) => {
                policies.insert(source.id.clone(), Arc::new(source.clone()));
            }
            Part::Remove(id) => {
                policies.remove(id);
            }
        }
    }
}

/// A policy set as it is put away. What was compiled is not: compiling is a function of
/// this.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicySetSaved {
    schema: Option<SchemaInForce>,
    policies: Vec<Arc<PolicySource>>,
    in_force: Option<VersionRef>,
    staged_schemas: Vec<(Uuid, String)>,
    staged_policies: Vec<(Uuid, Arc<Vec<Part>>)>,
}

impl PolicySetState {
    pub(super) fn state(&self) -> PolicySetSaved {
        let schemas = self.staged_schemas.iter();
        let mut staged_schemas: Vec<_> = schemas.map(|(id, it)| (*id, it.clone())).collect();
        staged_schemas.sort_unstable();
        let policies = self.staged_policies.iter();
        let mut staged_policies: Vec<_> = policies.map(|(id, it)| (*id, Arc::clone(it))).collect();
        staged_policies.sort_unstable_by_key(|(id, _)| *id);
        PolicySetSaved {
            schema: self.schema.clone(),
            policies: self.policies.values().cloned().collect(),
            in_force: self.in_force,
            staged_schemas,
            staged_policies,
        }
    }

    pub(super) fn restored(kind: SetKind, state: PolicySetSaved, artefacts: &Artefacts) -> Self {
        let named = |source: Arc<PolicySource>| (source.id.clone(), source);
        let mut set = Self {
            kind,
            schema: state.schema,
            policies: state.policies.into_iter().map(named).collect(),
            in_force: state.in_force,
            staged_schemas: state.staged_schemas.into_iter().collect(),
            staged_policies: state.staged_policies.into_iter().collect(),
            compiled: Arc::default(),
        };
        set.recompile(artefacts);
        set
    }
}
