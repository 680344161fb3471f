//! Policies as single conditions, for whoever reasons about all requests at once.

use cedar_policy_core::ast::{self, Expr, PolicyID};
use smol_str::SmolStr;

use super::types::{Kind, Record};
use super::{CompiledPolicies, CompiledSchema, Effect};
use crate::model::{PolicyId, Uid};

/// A policy, or a link with its slots filled, as one condition: scope, `when` and `unless`
/// together. Cloning is cheap.
#[derive(Clone, Debug, PartialEq)]
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::cedar::example::{always, directory, policies, schema, shown, uid, view};
    use crate::cedar::{Instance, Limits, Matched};
    use crate::model::{PolicyBody, PolicySource, SetKind};

    fn alices_view() -> Instance {
        let schema = schema();
        let (question, entities) = (view(&schema, "alice"), directory(&schema).0);
        Instance { question, entities, schema }
    }

    #[test]
    fn a_policy_says_as_one_condition_what_it_says_in_its_parts() {
        let text = "@id(\"scope\") permit (principal in Group::\"all\", action in \
                    [Action::\"readers\"], resource is Document in Folder::\"plans\");\n"
            .to_owned()
            + &always("no", "permit", "principal.level < 3")
            + &always("unless", "forbid", "principal.level + 9223372036854775807 > 0")
            + "@id(\"other\") permit (principal == User::\"bob\", action, resource);";
        let policies = policies(&text).unwrap_or_else(|faults| panic!("{}", shown(&faults)));
        let statements = policies.statements();
        let names: Vec<_> = statements.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(names, ["no", "other", "scope", "unless"]);
        let matched = alices_view().matches(&statements).unwrap();
        assert_eq!(matched, [Matched::No, Matched::No, Matched::Yes, Matched::Error]);
        let guarded = statements[2].unless_error_in(&statements[3]);
        assert_eq!(alices_view().matches([&guarded]).unwrap(), [Matched::Error]);
        let harmless = statements[2].unless_error_in(&statements[0]);
        assert_eq!(alices_view().matches([&harmless]).unwrap(), [Matched::Yes]);
    }

    #[test]
    fn a_link_is_the_condition_with_its_slots_filled_and_a_template_is_none() {
        let template = "@id(\"t\") permit (principal == ?principal, action, resource);";
        let source = |id: &str, body| PolicySource { id: id.parse().unwrap(), body };
        let link = |id: &str, user: &str| {
            let (template, principal) = ("t".parse().unwrap(), Some(uid("User", user)));
            source(id, PolicyBody::Link { template, principal, resource: None })
        };
        let template = source("t", PolicyBody::Template { text: Arc::from(template) });
        let sources = [template, link("b", "bob"), link("a", "alice")];
        let limits = Limits::default();
        let compiled =
            CompiledPolicies::compile(&sources, &schema(), SetKind::Application, &limits);
        let statements = compiled.unwrap().statements();
        let matched = alices_view().matches(&statements).unwrap();
        let told: Vec<_> = statements.iter().map(|one| one.id.as_str()).zip(matched).collect();
        assert_eq!(told, [("a", Matched::Yes), ("b", Matched::No)]);
    }

    #[test]
    fn only_what_is_declared_of_a_session_is_assumed() {
        let of = |session: &str| {
            let text = format!(
                "entity U; action a appliesTo {{ principal: U, resource: U, \
                 context: {{ {session} }} }};"
            );
            let schema = crate::cedar::example::compiled(&text).unwrap();
            let assumed = schema.assumption(&uid("Action", "a"));
            assumed.condition().map(ToString::to_string).unwrap_or_default()
        };
        assert_eq!(of("mfa: Bool"), "");
        assert_eq!(of("session: String"), "");
        assert_eq!(of("session: { aal: String, source: String }"), "");
        let required = of("session: { aal: Long }");
        assert!(required.contains("aal") && !required.contains("has"), "{required}");
        let optional = of("session?: { aal: Long, age_seconds: Long }");
        assert!(optional.contains("has session") && optional.contains("age_seconds"), "{optional}");
    }
}
