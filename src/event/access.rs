//! A decision, with all that is needed to take it again.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Shadow;
use crate::model::{
    AccessRequest, Acr, Digest, Index, Method, Moment, Personal, PolicyId, SetKind, Uid, Version,
};

/// Allow or deny.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The access may take place.
    Allow,
    /// It may not.
    Deny,
}

impl Verdict {
    /// `allow` or `deny`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// Which session the caller presented, before it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presented {
    /// None.
    Nothing,
    /// A token that is no session's.
    Unknown,
    /// The token of this session.
    Session(Uuid),
}

/// What a session in force contributes to a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionFacts {
    /// The session's id.
    pub id: Uuid,
    /// Its assurance level, 1 to 3.
    pub aal: u8,
    /// The methods used.
    pub methods: std::collections::BTreeSet<Method>,
    /// When the person last authenticated.
    pub authenticated_at: Moment,
    /// Who vouches for it: an identity provider's source, or `countersign`, and then it
    /// is left out.
    #[serde(default = "ours", skip_serializing_if = "is_ours")]
    pub source: String,
}

fn ours() -> String {
    "countersign".to_owned()
}

fn is_ours(source: &str) -> bool {
    source == "countersign"
}

/// What became of the session presented.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SessionUsed {
    /// In force, and the subject's own: its facts counted.
    InForce(SessionFacts),
    /// The token is no session's.
    Unknown,
    /// Ended, or past its absolute or idle limit.
    Over {
        /// The session's id.
        id: Uuid,
    },
    /// In force, but only for setting a password or binding an authenticator.
    Restricted {
        /// The session's id.
        id: Uuid,
    },
    /// In force, but of another user than the subject asked about.
    OtherSubject {
        /// The session's id.
        id: Uuid,
        /// Whose it is.
        user: Uid,
    },
}

impl SessionUsed {
    /// What was presented, for taking the decision again.
    #[must_use]
    pub const fn presented(&self) -> Presented {
        match self {
            Self::Unknown => Presented::Unknown,
            Self::InForce(SessionFacts { id, .. })
            | Self::Over { id }
            | Self::Restricted { id }
            | Self::OtherSubject { id, .. } => Presented::Session(*id),
        }
    }
}

/// The version and digest of a policy set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionRef {
    /// The version.
    pub version: Version,
    /// The digest of the whole.
    pub digest: Digest,
}

/// A policy whose evaluation erred; Cedar skips it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyFailure {
    /// The policy.
    pub policy: PolicyId,
    /// Cedar's message.
    pub message: String,
}

/// Why a request was denied before or after Cedar was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// No schema or no policies are in force, or they do not compile.
    NoPolicies,
    /// The subject's or resource's type is not one of the schema's.
    UnknownType,
    /// The action is not one of the schema's.
    UnknownAction,
    /// The action does not apply to such a subject or resource.
    DoesNotApply,
    /// The context lacks what the schema requires of it.
    ContextIncomplete,
    /// A `forbid` erred, and the settings say that this denies.
    ForbidErred,
    /// The request names Countersign's own administration.
    Reserved,
    /// A key of personal values that may have decided was missing, and had not been erased:
    /// what the policies say nobody could know.
    KeyMissing,
}

/// Which login would have turned a denial into an allow (RFC 9470 §3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepUp {
    /// The classes that suffice, cheapest first; none if no login would help.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acr_values: Vec<Acr>,
    /// How old the authentication may be in seconds, for the first of them; absent if as
    /// old as a session may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_s: Option<u64>,
}

impl StepUp {
    /// What the obligation to have it done is called (`AuthZEN` Obligations Profile,
    /// draft 1).
    pub const OBLIGATION: &str = "step-up";
}

/// A decision was taken (`countersign.access.decided.v1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessDecided {
    /// The answer.
    pub decision: Verdict,
    /// By which of the two policy sets; left out if the owner's.
    #[serde(default, skip_serializing_if = "SetKind::is_application")]
    pub set: SetKind,
    /// The request as understood, without any session token.
    pub request: AccessRequest,
    /// What the schema declares personal, taken out of the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub personal: Vec<Personal>,
    /// Which PEP asked; for administration, what asked.
    pub pep: String,
    /// The time it was decided at.
    pub now: Moment,
    /// The newest entry that the World it was decided in reflects.
    pub through: Index,
    /// The policy set decided by; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<VersionRef>,
    /// What became of the session presented; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionUsed>,
    /// The policies that determined the answer, in order of their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub determining: Vec<PolicyId>,
    /// The policies that erred, in order of their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<PolicyFailure>,
    /// What the caller said that the schema does not know, by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pruned: Vec<String>,
    /// What the caller said that stood in for or over the directory, by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub believed: Vec<String>,
    /// How many entries the four lists above lack, because an event is bounded.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted: u64,
    /// Why it was denied, where that was not Cedar's verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
    /// Of a denial, which login would help; absent if that was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_up: Option<StepUp>,
    /// What the staged policies would have said; absent if none were staged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Shadow>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
pub(super) const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl AccessDecided {
    /// What was presented, for taking the decision again.
    #[must_use]
    pub fn presented(&self) -> Presented {
        self.session.as_ref().map_or(Presented::Nothing, SessionUsed::presented)
    }
}
