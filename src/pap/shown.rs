//! Versions as people and programs are shown them.

use serde::{Deserialize, Serialize};

use crate::model::{Digest, Index, Label, Moment, PolicySource, Version};
use crate::projection::{Approval, Checked, PolicyVersion, Stage, World};

/// One version, without what it consists of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VersionShown {
    /// Its name.
    pub digest: Digest,
    /// How far it has come.
    pub stage: Stage,
    /// By which entry.
    pub index: Index,
    /// When.
    pub since: Moment,
    /// Who wrote it, as the log names actors.
    pub author: String,
    /// When.
    pub drafted: Moment,
    /// Why.
    pub message: Label,
    /// The version that was in force then.
    pub base: Option<Digest>,
    /// How many policies, templates and links it has.
    pub count: usize,
    /// The digest of these, as decisions name it.
    pub policies_digest: Digest,
    /// The digest of its schema, as decisions name it.
    pub schema_digest: Digest,
    /// The digest of its tests' text.
    pub tests_digest: Option<Digest>,
    /// Its last check.
    pub checked: Option<Checked>,
    /// Who has approved it.
    pub approvals: Vec<ApprovalShown>,
    /// Its last time in force.
    pub in_force_as: Option<InForceShown>,
    /// Said of a step that has put it in force: the version that was in force until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<ReplacedShown>,
}

/// A version that another has taken the place of.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ReplacedShown {
    /// Its name.
    pub digest: Digest,
    /// Its number.
    pub version: Version,
}

/// An approval.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApprovalShown {
    /// Who, as the log names actors.
    pub by: String,
    /// When.
    pub at: Moment,
}

/// The numbers by which decisions name a version.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct InForceShown {
    /// Of its policies.
    pub version: Version,
    /// Of its schema.
    pub schema_version: Version,
    /// Since when.
    pub at: Moment,
}

/// All versions that are known, the latest to have moved first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VersionsShown {
    /// The one in force.
    pub in_force: Option<Digest>,
    /// The one that is decided by beside it.
    pub staged: Option<Digest>,
    /// Whether one comes in force only after a second person has approved it.
    pub four_eyes: bool,
    /// All.
    pub versions: Vec<VersionShown>,
}

/// A version and what it consists of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VersionWhole {
    /// How it has lived.
    #[serde(flatten)]
    pub version: VersionShown,
    /// The text of its schema.
    pub schema: String,
    /// Its policies, in order of their names.
    pub policies: Vec<PolicySource>,
    /// The text of its tests.
    pub tests: Option<String>,
}

impl VersionShown {
    /// A version, shown.
    #[must_use]
    pub fn of(version: &PolicyVersion) -> Self {
        let approved = |it: &Approval| ApprovalShown { by: it.by.to_string(), at: it.at };
        let in_force = version.in_force_as.map(|it| InForceShown {
            version: it.policies.version,
            schema_version: it.schema.version,
            at: it.at,
        });
        Self {
            digest: version.digest,
            stage: version.stage,
            index: version.since.0,
            since: version.since.1,
            author: version.author.to_string(),
            drafted: version.drafted,
            message: version.message.clone(),
            base: version.base,
            count: version.content.policies.len(),
            policies_digest: version.content.policies_digest,
            schema_digest: version.content.schema_digest,
            tests_digest: version.tests.as_deref().map(Digest::of),
            checked: version.checked,
            approvals: version.approvals.iter().map(approved).collect(),
            in_force_as: in_force,
            instead_of: None,
        }
    }

    /// A version after a step, in the World after that.
    #[must_use]
    pub fn after_step(version: &PolicyVersion, world: &World) -> Self {
        let gone = world.versions.last_retired().filter(|_| version.stage == Stage::InForce);
        let instead_of = gone.and_then(|it| {
            Some(ReplacedShown { digest: it.digest, version: it.in_force_as?.policies.version })
        });
        Self { instead_of, ..Self::of(version) }
    }
}

impl VersionsShown {
    /// All that a World knows.
    #[must_use]
    pub fn of(world: &World) -> Self {
        let versions = &world.versions;
        Self {
            in_force: versions.in_force().map(|it| it.digest),
            staged: versions.staged().map(|it| it.digest),
            four_eyes: world.settings.policies.four_eyes,
            versions: versions.latest_first().into_iter().map(|it| VersionShown::of(it)).collect(),
        }
    }
}

impl VersionWhole {
    /// A version and all that it consists of.
    #[must_use]
    pub fn of(version: &PolicyVersion) -> Self {
        let policies = version.content.policies.values();
        Self {
            version: VersionShown::of(version),
            schema: version.content.schema.to_string(),
            policies: policies.map(|it| PolicySource::clone(it)).collect(),
            tests: version.tests.as_deref().map(str::to_owned),
        }
    }
}
