//! What is granted, what of it was used, and what would be enough.

use serde::{Deserialize, Serialize};

use crate::event::VersionRef;
use crate::model::{EntityType, Moment, PolicyId, Uid};

/// Least privilege, over a window of a log: each grant of the policies in force at its end
/// beside what it was used for. A use is an allow in which the policy was determining.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeastPrivilege {
    /// What was looked at.
    pub window: Window,
    /// The policies in force at the end of the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<VersionRef>,
    /// When something is found.
    pub rule: Rule,
    /// Each permit and each link, those with a finding first.
    pub grants: Vec<GrantUse>,
    /// All proposals in force together: how past uses would have come out.
    pub together: Retaken,
    /// What these figures do not tell.
    pub caveats: Vec<String>,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// From when: as asked, or the log's first entry if that is later.
    pub from: Moment,
    /// Until when: the newest entry.
    pub to: Moment,
    /// Allowed accesses in it.
    pub allowed: u64,
    /// Denied ones.
    pub denied: u64,
    /// Allows of which the record does not name every determining policy. While there is
    /// any, nothing is proposed.
    pub cut_short: u64,
}

/// When something is found, and when something is proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// A group is used by few if at most so many of a hundred members use what it is
    /// granted.
    pub few_of_a_hundred: u64,
    /// Smaller groups are left alone.
    pub members_min: u64,
    /// What has been in force for less is left alone, in days; or for less than the window.
    pub days_min: u64,
    /// More principals than this are not listed in a proposal.
    pub listed_max: usize,
}

impl Default for Rule {
    fn default() -> Self {
        Self { few_of_a_hundred: 25, members_min: 5, days_min: 30, listed_max: 50 }
    }
}

/// What is to be said of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Nobody used it.
    NeverUsed,
    /// Few of those who have it used it.
    UsedByFew,
    /// Some of its actions were never used.
    PartlyUsed,
    /// It is used.
    Used,
}

impl Finding {
    /// As it stands in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NeverUsed => "never_used",
            Self::UsedByFew => "used_by_few",
            Self::PartlyUsed => "partly_used",
            Self::Used => "used",
        }
    }
}

/// One permit, or one link of a template, and what it was used for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GrantUse {
    /// Its name.
    pub policy: PolicyId,
    /// The template that it is a link of, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<PolicyId>,
    /// What is to be said of it.
    pub finding: Finding,
    /// What it says it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// To whom it is granted, as its scope says.
    pub principal: String,
    /// On what, as its scope says.
    pub resource: String,
    /// How many entities of the directory its scope names at the end of the window.
    pub members: u64,
    /// True if its conditions choose among them, as by who owns a document: then it is not
    /// said that few of them use it.
    pub chooses: bool,
    /// Since when its uses are counted.
    pub observed_from: Moment,
    /// How often it was used.
    pub uses: u64,
    /// How many used it.
    pub used_by: u64,
    /// When it was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Moment>,
    /// Those who used it most, at most ten.
    pub most: Vec<User>,
    /// Accesses that its scope grants and that were denied all the same.
    pub denied: u64,
    /// The same by action and type of resource.
    pub rows: Vec<Row>,
    /// Why it is left as it is, whatever was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// What would be enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Proposal>,
}

/// A grant's uses with one action on one type of resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The action.
    pub action: Uid,
    /// The type.
    pub resource_type: EntityType,
    /// How often.
    pub uses: u64,
    /// By how many.
    pub used_by: u64,
    /// When last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Moment>,
    /// How often it was denied all the same.
    pub denied: u64,
    /// When that was last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_denied: Option<Moment>,
}

/// Somebody who used a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Who.
    pub principal: Uid,
    /// How often.
    pub uses: u64,
    /// When last.
    pub last_used: Moment,
}

/// What would be enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The policy that would take its place, valid under the schema in force; absent if it
    /// would be withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// In a few words.
    pub summary: String,
    /// How the past uses of the policy would have come out.
    pub impact: Retaken,
}

/// Past uses taken again, each in the World of its time with the proposals in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retaken {
    /// How many were.
    pub decisions: u64,
    /// Denied by a proposal. A proposal that denies any is not made.
    pub would_deny: u64,
    /// Denied by other policies that have come in force since, with or without a proposal.
    pub denied_since: u64,
    /// Not to be taken again: they may rest on what cannot be seen any more, or was not
    /// recorded. A proposal of which any is so is not made.
    pub not_replayable: u64,
}
