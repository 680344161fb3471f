//! What the staged version would have changed so far.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::row::named;
use crate::event::{Envelope, Event, Note, Verdict};
use crate::model::{Digest, Index, Label, Moment, PolicyId};
use crate::projection::World;

/// How the decisions since a version was staged compare with what it would have decided:
/// of the one that is staged, or was staged last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShadowReport {
    /// The version; absent if none was ever staged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Digest>,
    /// Why it was written, as far as it is still known.
    pub message: Label,
    /// Whether it is staged now.
    pub staged: bool,
    /// The entry by which it was staged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Index>,
    /// Decisions on which both agree.
    pub same: u64,
    /// Allowed, and it would deny.
    pub would_deny: u64,
    /// Denied, and it would allow.
    pub would_allow: u64,
    /// The first of those that it would decide otherwise, ten of each kind at most.
    pub samples: Vec<ShadowSample>,
}

/// A decision that the staged version would have taken otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShadowSample {
    /// The decision's id.
    pub id: Uuid,
    /// Its place in the log.
    pub index: Index,
    /// When it was recorded.
    pub time: Moment,
    /// Who.
    pub principal: String,
    /// Would do what.
    pub action: String,
    /// To what.
    pub resource: String,
    /// What the staged version would answer.
    pub would_allow: bool,
    /// The policies that determined the answer.
    pub determining: Vec<PolicyId>,
    /// Those of the staged version that would determine it.
    pub would_determine: Vec<PolicyId>,
    /// Those of the staged version that would err.
    pub would_err: Vec<PolicyId>,
    /// Why it would be denied, where that is not Cedar's verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
}

impl ShadowReport {
    /// What a World has counted; `entry` finds the decisions that are remembered.
    ///
    /// # Errors
    /// What `entry` says.
    pub fn of<E>(
        world: &World,
        mut entry: impl FnMut(Index) -> Result<Envelope, E>,
    ) -> Result<Self, E> {
        let counted = &world.shadows;
        let known = counted.version.and_then(|version| world.versions.get(&version));
        let mut wanted = [counted.denied.as_slice(), counted.allowed.as_slice()].concat();
        wanted.sort_unstable();
        let mut samples = Vec::new();
        for index in wanted {
            samples.extend(sample(&entry(index)?));
        }
        let staged = world.versions.staged().map(|version| version.digest);
        Ok(Self {
            version: counted.version,
            message: known.map(|version| version.message.clone()).unwrap_or_default(),
            staged: counted.version.is_some() && staged == counted.version,
            since: counted.since,
            same: counted.same,
            would_deny: counted.would_deny,
            would_allow: counted.would_allow,
            samples,
        })
    }
}

fn sample(entry: &Envelope) -> Option<ShadowSample> {
    let Event::AccessDecided(decided) = &entry.event else { return None };
    let shadow = decided.shadow.as_ref()?;
    let request = &decided.request;
    Some(ShadowSample {
        id: entry.id,
        index: entry.index,
        time: entry.time,
        principal: named(&request.subject),
        action: request.action.name.clone(),
        resource: named(&request.resource),
        would_allow: shadow.decision == Verdict::Allow,
        determining: decided.determining.clone(),
        would_determine: shadow.determining.clone(),
        would_err: shadow.errors.clone(),
        note: shadow.note,
    })
}
