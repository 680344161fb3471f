//! Policies as single conditions, for whoever reasons about all requests at once.

use cedar_policy_core::ast::{self, Expr, PolicyID};
use smol_str::SmolStr;

use super::types::{Kind, Record};
use super::{CompiledPolicies, CompiledSchema, Effect};
use crate::model::{PolicyId, Uid};

/// A policy, or a link with its slots filled, as one condition: scope, `when` and `unless`
/// together. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The policy's id.
    pub id: PolicyId,
    /// What it does when the condition is true.
    pub effect: Effect,
    condition: Expr,
}

impl CompiledPolicies {
    /// Every policy and link, in order of their ids. Templates without their slots filled
    /// decide nothing, and are left out. Linear.
    #[must_use]
    pub fn statements(&self) -> Vec<Statement> {
        let of = |policy: &ast::Policy| {
            let id = self.id(policy.id())?.clone();
            let effect = Effect::of(policy.effect());
            Some(Statement { id, effect, condition: condition(policy) })
        };
        let mut all: Vec<_> = self.set().policies().filter_map(of).collect();
        all.sort_by(|one, other| one.id.cmp(&other.id));
        all
    }
}

/// As Cedar evaluates it: the three parts of the scope, then the body. What a link fills
/// in stands in the place of the slots.
fn condition(policy: &ast::Policy) -> Expr {
    let scope = [
        policy.principal_constraint().as_expr(),
        policy.action_constraint().as_expr(),
        policy.resource_constraint().as_expr(),
    ];
    let body = policy.non_scope_constraints().cloned().unwrap_or_else(|| Expr::val(true));
    scope.into_iter().rev().fold(body, |rest, part| Expr::and(part, rest))
}

impl Statement {
    /// True wherever `assumed` is true and the policy applies.
    #[must_use]
    pub fn given(&self, assumed: &Assumption) -> Self {
        let condition = match &assumed.0 {
            Some(assumed) => Expr::and(assumed.clone(), self.condition.clone()),
            None => self.condition.clone(),
        };
        Self { condition, ..self.clone() }
    }

    /// In error wherever `other` is, and otherwise as it was: so a permit does not apply
    /// where a forbid could not be evaluated.
    #[must_use]
    pub fn unless_error_in(&self, other: &Self) -> Self {
        let evaluated = Expr::or(other.condition.clone(), Expr::val(true));
        Self { condition: Expr::and(self.condition.clone(), evaluated), ..self.clone() }
    }

    /// A permit for everything, by the same name.
    #[must_use]
    pub fn permitting_all(&self) -> Self {
        Self { id: self.id.clone(), effect: Effect::Permit, condition: Expr::val(true) }
    }

    pub(super) const fn condition(&self) -> &Expr {
        &self.condition
    }

    /// In Cedar's own form.
    pub(crate) fn policy(&self) -> cedar_policy::Policy {
        let effect = match self.effect {
            Effect::Permit => ast::Effect::Permit,
            Effect::Forbid => ast::Effect::Forbid,
        };
        let id = PolicyID::from_string(self.id.as_str());
        ast::Policy::from_when_clause(effect, self.condition.clone(), id, None).into()
    }
}

/// The most seconds between two times that Countersign can write down (microseconds in 64
/// bits), rounded up.
const SECONDS_MAX: i64 = 20_000_000_000_000;

/// What is true of every request of an action, because Countersign says it and nobody
/// else can: levels of assurance are 1 to 3, and no session is older than time.
#[derive(Clone, Debug, Default)]
pub struct Assumption(Option<Expr>);

impl Assumption {
    /// True if nothing is assumed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(super) const fn condition(&self) -> Option<&Expr> {
        self.0.as_ref()
    }
}

impl CompiledSchema {
    /// What can be assumed of the action's context, as far as the schema declares it.
    #[must_use]
    pub fn assumption(&self, action: &Uid) -> Assumption {
        let context = self.tables().actions.get(action).map(|table| &table.context);
        let session = context.and_then(|context| context.members.get("session"));
        let Some(session) = session else { return Assumption::default() };
        let Kind::Record(facts) = &session.kind else { return Assumption::default() };
        let get = || Expr::get_attr(Expr::var(ast::Var::Context), SmolStr::new_static("session"));
        let bounds = [("aal", 1, 3), ("age_seconds", 0, SECONDS_MAX)];
        let bounds = bounds.into_iter().flat_map(|(name, least, most)| {
            let is_number = matches!(facts.members.get(name), Some(fact) if fact.required
                && matches!(fact.kind, Kind::Long));
            let fact = move || Expr::get_attr(get(), SmolStr::new_static(name));
            let least = Expr::lesseq(Expr::val(least), fact());
            let most = Expr::lesseq(fact(), Expr::val(most));
            [least, most].into_iter().filter(move |_| is_number)
        });
        let Some(all) = bounds.reduce(Expr::and) else { return Assumption::default() };
        if session.required {
            return Assumption(Some(all));
        }
        let has = Expr::has_attr(Expr::var(ast::Var::Context), SmolStr::new_static("session"));
        Assumption(Some(Expr::or(Expr::not(has.clone()), Expr::and(has, all))))
    }

    /// The schema in Cedar's own form.
    pub(crate) fn for_analysis(&self) -> cedar_policy::Schema {
        self.validator().schema().clone().into()
    }

    pub(super) fn context_of(&self, action: &Uid) -> Option<&Record> {
        self.tables().actions.get(action).map(|table| &table.context)
    }
}
