//! What comes of an analysis.

use serde::Serialize;
use serde_json::Value;

use crate::cedar::Effect;
use crate::model::{Digest, PolicyId};

/// How one set's decisions stand to another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// They decide alike.
    Equivalent,
    /// The new one denies more, and allows nothing more.
    Stricter,
    /// The new one allows more, and denies nothing more.
    MorePermissive,
    /// The new one allows some that the old one denied, and denies some that it allowed.
    Incomparable,
    /// The solver did not say.
    Undecided,
}

impl Verdict {
    /// That of both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Undecided, _) | (_, Self::Undecided) => Self::Undecided,
            (Self::Equivalent, it) | (it, Self::Equivalent) => it,
            (Self::Stricter, Self::Stricter) => Self::Stricter,
            (Self::MorePermissive, Self::MorePermissive) => Self::MorePermissive,
            _ => Self::Incomparable,
        }
    }
}

/// What comes of an analysis.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Name and version of the solver.
    pub solver: String,
    /// The policy set.
    pub policies: Digest,
    /// How many policies and links it decides by.
    pub count: usize,
    /// The set it was compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<Digest>,
    /// The schema that both were held against.
    pub schema: Digest,
    /// What was taken for granted of every request.
    pub assumed: Vec<&'static str>,
    /// How its decisions stand to the other set's, over all environments looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Each environment, in order of action, principal type and resource type.
    pub environments: Vec<Environment>,
    /// How many environments were beyond the bound and not looked at.
    pub left_out: usize,
    /// What is wrong or doubtful with single policies, in order of their ids.
    pub findings: Vec<Finding>,
    /// What the solver did not say.
    pub undecided: Vec<Undecided>,
    /// How many questions it was asked.
    pub questions: u64,
}

impl Report {
    /// True if there is something for an author to look at: something newly allowed, a
    /// finding, an example that was not confirmed, or something that was not looked at.
    #[must_use]
    pub fn has_findings(&self) -> bool {
        let verdict = matches!(
            self.verdict,
            Some(Verdict::MorePermissive | Verdict::Incomparable | Verdict::Undecided)
        );
        let open = self.left_out > 0 || !self.undecided.is_empty();
        verdict || open || !self.findings.is_empty() || self.examples().any(|it| !it.confirmed)
    }

    /// Every example in it.
    pub fn examples(&self) -> impl Iterator<Item = &Example> {
        let compared = self.environments.iter().flat_map(of_both).flatten();
        compared.chain(self.findings.iter().filter_map(|finding| finding.example.as_ref()))
    }
}

/// A combination of principal type, action and resource type that can be asked about.
#[derive(Clone, Debug, Serialize)]
pub struct Environment {
    /// The principal's type.
    pub principal: String,
    /// The action.
    pub action: String,
    /// The resource's type.
    pub resource: String,
    /// How many policies of the set can apply by their types.
    pub policies: usize,
    /// True of all requests of the environment, if anything is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub always: Option<Always>,
    /// How its decisions stand to the other set's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// A request that is allowed, and was denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newly_allowed: Option<Example>,
    /// A request that is denied, and was allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newly_denied: Option<Example>,
}

/// The same answer to every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Always {
    /// Everything is allowed.
    Allowed,
    /// Everything is denied.
    Denied,
}

/// A request, in the form of Cedar's own tests, and what is decided of it.
#[derive(Clone, Debug, Serialize)]
pub struct Example {
    /// Principal, action, resource and context.
    pub request: Value,
    /// The entities it is about.
    pub entities: Vec<Value>,
    /// What the set decides.
    pub new: Answer,
    /// What the other set decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Answer>,
    /// True if the decisions are what the solver said they would be.
    pub confirmed: bool,
}

/// A decision and its reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Whether it is allowed.
    pub allowed: bool,
    /// The policies that decided; none for a denial because nothing permits.
    pub determining: Vec<PolicyId>,
    /// The policies that could not be evaluated.
    pub errors: Vec<PolicyId>,
}

/// Something wrong or doubtful with one policy.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// With which policy.
    pub policy: PolicyId,
    /// What the policy does.
    pub effect: Effect,
    /// The policies each of which alone is the reason; empty if it takes several together,
    /// or none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<PolicyId>,
    /// A request that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<Example>,
}

/// What may be wrong with a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// No request can make it apply.
    NeverApplies,
    /// Whatever it permits is forbidden.
    Overridden,
    /// Whatever it permits is permitted by others too, or forbidden.
    Redundant,
    /// Whatever it forbids is forbidden by others too.
    Shadowed,
    /// There is a request for which it cannot be evaluated.
    MayErr,
}

/// What the solver did not say.
#[derive(Clone, Debug, Serialize)]
pub struct Undecided {
    /// Of which environment, as `principal type, action, resource type`.
    pub environment: String,
    /// What was asked.
    pub question: String,
    /// Why there is no answer.
    pub why: String,
}

fn of_both(one: &Environment) -> [Option<&Example>; 2] {
    [one.newly_allowed.as_ref(), one.newly_denied.as_ref()]
}
