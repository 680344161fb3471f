//! The versions of the owner's policies, from draft to retirement.

use std::fmt;
use std::sync::Arc;

use imbl::{HashMap, OrdMap};
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::retention::bytes_of;
use super::{Artefacts, Content, PolicySetState};
use crate::event::{Actor, Envelope, Event, VersionDrafted, VersionRef};
use crate::model::{Digest, Index, Label, Moment, Username};

/// The fewest hexadecimal digits that name a version.
const PREFIX_MIN: usize = 6;

/// How far a version has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Written down; nothing more is known of it.
    Draft,
    /// Fit to be put in force, as of its check.
    Checked,
    /// Decided by beside the one in force, without effect.
    Staged,
    /// Decided by.
    InForce,
    /// In force before.
    Retired,
}

impl Stage {
    /// The words for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Checked => "checked",
            Self::Staged => "staged",
            Self::InForce => "in force",
            Self::Retired => "retired",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a check has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checked {
    /// When.
    pub at: Moment,
    /// The least level at which the policies validate.
    pub level: Option<u32>,
    /// How much is allowed, but probably not meant.
    pub warnings: u64,
    /// How many tests held; none if it has none.
    pub tests: Option<u64>,
}

/// Who has approved a version, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Moment,
}

impl Serialize for Approval {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        (self.by.to_string(), self.at).serialize(to)
    }
}

/// The numbers under which a version was last in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InForceAs {
    /// Of its policies.
    pub policies: VersionRef,
    /// Of its schema.
    pub schema: VersionRef,
    /// Since when.
    pub at: Moment,
}

/// One version. What it consists of never changes; how far it has come does.
#[derive(Clone, Debug)]
pub struct PolicyVersion {
    /// Its name: see [`PolicyVersion::digest_of`].
    pub digest: Digest,
    /// Schema and policies.
    pub content: Content,
    /// The text of its tests.
    pub tests: Option<Arc<str>>,
    /// How much these take, in bytes, though others may have most of it in common.
    pub bytes: usize,
    /// Why it was written.
    pub message: Label,
    /// Who wrote it.
    pub author: Actor,
    /// The person behind that: the author, or who made the token that wrote it.
    pub writer: Option<Username>,
    /// When.
    pub drafted: Moment,
    /// The version that was in force then.
    pub base: Option<Digest>,
    /// How far it has come.
    pub stage: Stage,
    /// By which entry, and when.
    pub since: (Index, Moment),
    /// Its last check.
    pub checked: Option<Checked>,
    /// Who has approved it as it is.
    pub approvals: Vec<Approval>,
    /// Its last time in force.
    pub in_force_as: Option<InForceAs>,
}

impl PolicyVersion {
    /// The name of a version: SHA-256 over the digests of its schema, policies and tests, and
    /// its message.
    #[must_use]
    pub fn digest_of(
        schema: &Digest,
        policies: &Digest,
        tests: Option<&Digest>,
        message: &Label,
    ) -> Digest {
        let tests = tests.map_or([].as_slice(), |it| it.as_bytes().as_slice());
        let (schema, policies) = (schema.as_bytes().as_slice(), policies.as_bytes().as_slice());
        Digest::of_parts([b"version", schema, policies, tests, message.as_str().as_bytes()])
    }
}

/// How it has lived. Its digest stands for what it consists of.
impl Serialize for PolicyVersion {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let origin = (self.author.to_string(), &self.writer, self.drafted, self.base);
        let life = (self.stage, self.since, self.checked, &self.approvals, self.in_force_as);
        (self.digest, origin, life).serialize(to)
    }
}

/// Why a name is no version's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSuchVersion {
    /// Too few digits, or something else than digits.
    NotAName,
    /// No version is called so, or it has been forgotten.
    Unknown,
    /// Several are.
    Ambiguous,
}

/// All that are known.
#[derive(Clone, Debug, Default)]
pub struct Versions {
    pub(super) known: OrdMap<Digest, Arc<PolicyVersion>>,
    pub(super) in_force: Option<Digest>,
    /// The publication by which it came, if it was not drafted first.
    pub(super) publication: Option<Uuid>,
    pub(super) staged: Option<(Digest, PolicySetState)>,
    /// Pieces of tests whose draft has not come yet.
    pub(super) tests: HashMap<Uuid, String>,
    pub(super) have_lived: bool,
}

impl Serialize for Versions {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let known: Vec<_> = self.known.values().map(AsRef::as_ref).collect();
        let staged = self.staged.as_ref().map(|(digest, _)| digest);
        (known, self.in_force, self.publication, staged).serialize(to)
    }
}

impl Versions {
    /// All that are known, the latest to have moved first.
    #[must_use]
    pub fn latest_first(&self) -> Vec<&Arc<PolicyVersion>> {
        let mut all: Vec<_> = self.known.values().collect();
        all.sort_by_key(|version| std::cmp::Reverse((version.since.0, version.digest)));
        all
    }

    /// One by its name.
    #[must_use]
    pub fn get(&self, digest: &Digest) -> Option<&Arc<PolicyVersion>> {
        self.known.get(digest)
    }

    /// One by the beginning of its name, of at least six digits.
    ///
    /// # Errors
    /// [`NoSuchVersion`].
    pub fn find(&self, name: &str) -> Result<&Arc<PolicyVersion>, NoSuchVersion> {
        let digits = name.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
        if !digits || !(PREFIX_MIN..=64).contains(&name.len()) {
            return Err(NoSuchVersion::NotAName);
        }
        let mut found = self.known.values().filter(|it| it.digest.to_string().starts_with(name));
        match (found.next(), found.next()) {
            (None, _) => Err(NoSuchVersion::Unknown),
            (Some(one), None) => Ok(one),
            (Some(_), Some(_)) => Err(NoSuchVersion::Ambiguous),
        }
    }

    /// The one in force; nothing before there is any.
    #[must_use]
    pub fn in_force(&self) -> Option<&Arc<PolicyVersion>> {
        self.known.get(&self.in_force?)
    }

    /// The one that is decided by beside it.
    #[must_use]
    pub fn staged(&self) -> Option<&Arc<PolicyVersion>> {
        self.known.get(&self.staged.as_ref()?.0)
    }

    /// The one that was in force before the present one.
    #[must_use]
    pub fn last_retired(&self) -> Option<&Arc<PolicyVersion>> {
        let retired = self.known.values().filter(|it| it.stage == Stage::Retired);
        retired.max_by_key(|version| version.since.0)
    }

    /// The same with none that is decided by beside the one in force.
    pub(super) fn without_staged(&self) -> Self {
        Self { staged: None, ..self.clone() }
    }

    pub(super) fn staged_set(&self) -> Option<&PolicySetState> {
        self.staged.as_ref().map(|(_, set)| set)
    }

    /// True once a version has gone any step but being put in force at once.
    pub(super) fn have_lived(&self) -> bool {
        self.have_lived
    }

    /// One step of a version's life; `writer` is the person behind its actor.
    pub(super) fn lived(
        &mut self,
        entry: &Envelope,
        writer: Option<Username>,
        set: &mut PolicySetState,
        artefacts: &Artefacts,
    ) {
        self.have_lived = true;
        match &entry.event {
            Event::PolicyTestsSubmitted(it) => {
                self.tests.entry(it.publication).or_default().push_str(&it.text);
                return;
            }
            Event::VersionDrafted(it) => self.drafted(entry, writer, it, set),
            Event::VersionChecked(it) => self.change(it.digest, entry, |version| {
                let (at, level, warnings) = (entry.time, it.level, it.warnings);
                version.checked = Some(Checked { at, level, warnings, tests: it.tests });
                version.stage = version.stage.max(Stage::Checked);
            }),
            Event::VersionStaged(it) => {
                self.unstage();
                self.change(it.digest, entry, |version| version.stage = Stage::Staged);
                let version = self.known.get(&it.digest);
                self.staged =
                    version.map(|it| (it.digest, PolicySetState::beside(&it.content, artefacts)));
            }
            Event::VersionUnstaged(it) => {
                self.unstage();
                self.change(it.digest, entry, |_| {});
            }
            Event::VersionApproved(it) => self.change(it.digest, entry, |version| {
                let (by, at) = (entry.actor.clone(), entry.time);
                version.approvals.push(Approval { by, at });
            }),
            Event::VersionActivated(it) => {
                let numbers =
                    InForceAs { policies: it.policies, schema: it.schema, at: entry.time };
                self.came_in_force(entry, it.digest, numbers, set, artefacts);
            }
            Event::VersionRolledBack(it) => {
                let numbers =
                    InForceAs { policies: it.policies, schema: it.schema, at: entry.time };
                self.came_in_force(entry, it.digest, numbers, set, artefacts);
            }
            // Nothing else happens to versions.
            _ => {}
        }
        self.forget();
    }

    fn drafted(
        &mut self,
        entry: &Envelope,
        writer: Option<Username>,
        it: &VersionDrafted,
        set: &mut PolicySetState,
    ) {
        let content = set.drafted(it);
        let tests = self.tests.remove(&it.publication).map(Arc::from);
        if self.in_force == Some(it.digest) {
            return;
        }
        if self.staged.as_ref().is_some_and(|(digest, _)| *digest == it.digest) {
            self.staged = None;
        }
        let version = PolicyVersion {
            digest: it.digest,
            bytes: bytes_of(&content, tests.as_deref()),
            content,
            tests,
            message: it.message.clone(),
            author: entry.actor.clone(),
            writer,
            drafted: entry.time,
            base: self.in_force,
            stage: Stage::Draft,
            since: (entry.index, entry.time),
            checked: None,
            approvals: Vec::new(),
            in_force_as: None,
        };
        self.known.insert(it.digest, Arc::new(version));
    }

    fn change(
        &mut self,
        digest: Digest,
        entry: &Envelope,
        change: impl FnOnce(&mut PolicyVersion),
    ) {
        if let Some(found) = self.known.get_mut(&digest) {
            let version = Arc::make_mut(found);
            version.since = (entry.index, entry.time);
            change(version);
        }
    }

    fn unstage(&mut self) {
        let Some((digest, _)) = self.staged.take() else { return };
        if let Some(found) = self.known.get_mut(&digest) {
            Arc::make_mut(found).stage = Stage::Checked;
        }
    }

    fn retire(&mut self, entry: &Envelope) {
        if let Some(left) = self.in_force.take() {
            self.change(left, entry, |version| version.stage = Stage::Retired);
        }
    }

    fn came_in_force(
        &mut self,
        entry: &Envelope,
        digest: Digest,
        numbers: InForceAs,
        set: &mut PolicySetState,
        artefacts: &Artefacts,
    ) {
        let Some(content) = self.known.get(&digest).map(|version| version.content.clone()) else {
            return;
        };
        if self.staged.as_ref().is_some_and(|(staged, _)| *staged == digest) {
            self.staged = None;
        }
        self.retire(entry);
        self.change(digest, entry, |version| {
            version.stage = Stage::InForce;
            version.in_force_as = Some(numbers);
        });
        (self.in_force, self.publication) = (Some(digest), None);
        set.replaced(&content, numbers.policies, numbers.schema, artefacts);
    }

    /// A publication was put in force at once: its schema, its policies, or first the one
    /// and then the other. What stood there before is retired; what stands between the two
    /// never was a version.
    pub(super) fn published(
        &mut self,
        entry: &Envelope,
        publication: Uuid,
        message: &Label,
        set: &PolicySetState,
    ) {
        if self.publication == Some(publication) {
            if let Some(between) = self.in_force.take() {
                self.known.remove(&between);
            }
        } else {
            self.retire(entry);
        }
        self.publication = Some(publication);
        let Some(content) = set.content() else { return };
        let (Some(policies), Some((_, schema))) = (set.in_force(), set.schema()) else { return };
        let digest = PolicyVersion::digest_of(
            &content.schema_digest,
            &content.policies_digest,
            None,
            message,
        );
        if self.staged.as_ref().is_some_and(|(staged, _)| *staged == digest) {
            self.staged = None;
        }
        let version = PolicyVersion {
            digest,
            bytes: bytes_of(&content, None),
            content,
            tests: None,
            message: message.clone(),
            author: entry.actor.clone(),
            writer: None,
            drafted: entry.time,
            base: None,
            stage: Stage::InForce,
            since: (entry.index, entry.time),
            checked: None,
            approvals: Vec::new(),
            in_force_as: Some(InForceAs { policies, schema, at: entry.time }),
        };
        self.known.insert(digest, Arc::new(version));
        self.in_force = Some(digest);
        self.forget();
    }
}
