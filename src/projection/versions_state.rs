//! Versions as they are put away: what several have in common stands there once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::retention::bytes_of;
use super::versions::{Approval, Checked, InForceAs, PolicyVersion, Stage, Versions};
use super::{Artefacts, Content, PolicySetState};
use crate::model::{Digest, Index, Label, Moment, PolicyId, PolicySource, Username};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VersionsSaved {
    schemas: BTreeMap<Digest, Arc<str>>,
    /// Each policy of any version once, in order of name and digest.
    sources: Vec<Arc<PolicySource>>,
    versions: Vec<VersionSaved>,
    in_force: Option<Digest>,
    publication: Option<Uuid>,
    staged: Option<Digest>,
    tests: BTreeMap<Uuid, String>,
    have_lived: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionSaved {
    digest: Digest,
    schema: Digest,
    /// Places in `sources`.
    policies: Vec<usize>,
    policies_digest: Digest,
    tests: Option<Arc<str>>,
    message: Label,
    author: String,
    writer: Option<Username>,
    drafted: Moment,
    base: Option<Digest>,
    stage: Stage,
    since: (Index, Moment),
    checked: Option<Checked>,
    approvals: Vec<(String, Moment)>,
    in_force_as: Option<InForceAs>,
}

impl Versions {
    pub(super) fn state(&self) -> VersionsSaved {
        let (sources, places) = pooled(self);
        let saved = |version: &Arc<PolicyVersion>| {
            let policies = version.content.policies.values();
            let place = |source: &Arc<PolicySource>| places.get(&Arc::as_ptr(source)).copied();
            let approved = |it: &Approval| (it.by.to_string(), it.at);
            VersionSaved {
                digest: version.digest,
                schema: version.content.schema_digest,
                policies: policies.filter_map(place).collect(),
                policies_digest: version.content.policies_digest,
                tests: version.tests.clone(),
                message: version.message.clone(),
                author: version.author.to_string(),
                writer: version.writer.clone(),
                drafted: version.drafted,
                base: version.base,
                stage: version.stage,
                since: version.since,
                checked: version.checked,
                approvals: version.approvals.iter().map(approved).collect(),
                in_force_as: version.in_force_as,
            }
        };
        let contents = self.known.values().map(|version| &version.content);
        VersionsSaved {
            schemas: contents.map(|it| (it.schema_digest, Arc::clone(&it.schema))).collect(),
            sources,
            versions: self.known.values().map(saved).collect(),
            in_force: self.in_force,
            publication: self.publication,
            staged: self.staged.as_ref().map(|(digest, _)| *digest),
            tests: self.tests.iter().map(|(id, text)| (*id, text.clone())).collect(),
            have_lived: self.have_lived,
        }
    }

    /// The versions that were put away; nothing if they do not hang together.
    pub(super) fn restored(state: VersionsSaved, artefacts: &Artefacts) -> Option<Self> {
        let VersionsSaved { schemas, sources, .. } = &state;
        let known = state.versions.iter().map(|saved| {
            let version = version_of(saved, schemas, sources)?;
            Some((version.digest, Arc::new(version)))
        });
        let known = known.collect::<Option<OrdMap<Digest, Arc<PolicyVersion>>>>()?;
        let staged = match state.staged {
            None => None,
            Some(digest) => {
                let content = &known.get(&digest)?.content;
                Some((digest, PolicySetState::beside(content, artefacts)))
            }
        };
        Some(Self {
            known,
            in_force: state.in_force,
            publication: state.publication,
            staged,
            tests: state.tests.into_iter().collect(),
            have_lived: state.have_lived,
        })
    }
}

fn version_of(
    saved: &VersionSaved,
    schemas: &BTreeMap<Digest, Arc<str>>,
    sources: &[Arc<PolicySource>],
) -> Option<PolicyVersion> {
    let named = |place: &usize| {
        let source = sources.get(*place)?;
        Some((source.id.clone(), Arc::clone(source)))
    };
    let approved = |(by, at): &(String, Moment)| Some(Approval { by: by.parse().ok()?, at: *at });
    let content = Content {
        schema: schemas.get(&saved.schema).map(Arc::clone)?,
        schema_digest: saved.schema,
        policies: saved.policies.iter().map(named).collect::<Option<_>>()?,
        policies_digest: saved.policies_digest,
    };
    Some(PolicyVersion {
        digest: saved.digest,
        bytes: bytes_of(&content, saved.tests.as_deref()),
        content,
        tests: saved.tests.clone(),
        message: saved.message.clone(),
        author: saved.author.parse().ok()?,
        writer: saved.writer.clone(),
        drafted: saved.drafted,
        base: saved.base,
        stage: saved.stage,
        since: saved.since,
        checked: saved.checked,
        approvals: saved.approvals.iter().map(approved).collect::<Option<_>>()?,
        in_force_as: saved.in_force_as,
    })
}

/// Where a policy that is in memory at some place stands among those put away.
type Places = HashMap<*const PolicySource, usize>;

/// The policies of all versions, each once however often it is in memory. Most versions
/// share most of them, and each is hashed once.
fn pooled(versions: &Versions) -> (Vec<Arc<PolicySource>>, Places) {
    let mut digests: HashMap<*const PolicySource, Digest> = HashMap::new();
    let mut pool: BTreeMap<(&PolicyId, Digest), &Arc<PolicySource>> = BTreeMap::new();
    for version in versions.known.values() {
        for source in version.content.policies.values() {
            let digest = *digests.entry(Arc::as_ptr(source)).or_insert_with(|| source.digest());
            pool.entry((&source.id, digest)).or_insert(source);
        }
    }
    let numbers: HashMap<_, _> =
        pool.keys().enumerate().map(|(number, (_, digest))| (*digest, number)).collect();
    let places = digests.iter().filter_map(|(at, digest)| Some((*at, *numbers.get(digest)?)));
    (pool.values().map(|source| Arc::clone(source)).collect(), places.collect())
}
