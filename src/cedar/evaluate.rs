//! One question to a set of policies.

use cedar_policy_core::ast::{EntityUIDEntry, Request};
use cedar_policy_core::authorizer::{AuthorizationError, Authorizer, Decision};
use serde::Serialize;

use super::index::Met;
use super::slice::slice;
use super::{CompiledPolicies, CompiledSchema, Context, Effect, EntitySource};
use crate::model::{PolicyId, Uid};

/// "May this principal do this to that?", in Cedar's terms and typed.
#[derive(Clone, Debug)]
pub struct Question {
    /// Who.
    pub principal: Uid,
    /// What.
    pub action: Uid,
    /// To what.
    pub resource: Uid,
    /// Under which circumstances.
    pub context: Context,
}

/// What the policies say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Evaluation {
    /// Cedar's own verdict: a permit applies and no forbid does. A policy that ends in an
    /// error does not apply; whoever must fail closed looks at `errors`.
    pub allowed: bool,
    /// The policies that decided, in order: for an allow the permits that apply, for a deny
    /// the forbids that apply. Empty if nothing applies, which is a deny, too.
    pub determining: Vec<PolicyId>,
    /// The policies that could not be evaluated, in order.
    pub errors: Vec<PolicyError>,
}

/// A policy that could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PolicyError {
    /// The policy.
    pub policy: PolicyId,
    /// What it would have done: an error in a forbid may hide a deny.
    pub effect: Effect,
    /// Why not, in Cedar's words.
    pub message: String,
}

impl Evaluation {
    /// True if a forbid could not be evaluated: nobody knows whether it would have denied.
    #[must_use]
    pub fn forbid_failed(&self) -> bool {
        self.errors.iter().any(|error| error.effect == Effect::Forbid)
    }

    fn in_order(mut self) -> Self {
        self.determining.sort_unstable();
        self.errors.sort_unstable();
        self
    }
}

impl CompiledPolicies {
    /// Evaluates the policies that the question can concern. The same question, entities
    /// and policies give the same evaluation, for ever, and that of
    /// [`CompiledPolicies::evaluate_each`]. Costs what the policies cost whose scope the
    /// question is in, and a look at the entities within their reach; needs a stack of
    /// 1.5 MiB, or 8 MiB if Cedar was compiled without optimisation.
    ///
    /// The question must fit the schema (see [`CompiledSchema::fits`]); one that names an
    /// undeclared type is denied without asking any policy.
    ///
    /// [`CompiledSchema::fits`]: super::CompiledSchema::fits
    #[must_use]
    pub fn evaluate(&self, question: &Question, entities: &dyn EntitySource) -> Evaluation {
        self.ask_in_scope(question, entities).unwrap_or_default()
    }

    /// As [`CompiledPolicies::evaluate`], by Cedar's own authorizer, which evaluates every
    /// policy of the set. Linear in the policies, 1 to 2 µs each.
    #[must_use]
    pub fn evaluate_each(&self, question: &Question, entities: &dyn EntitySource) -> Evaluation {
        self.ask_each(question, entities).unwrap_or_default()
    }

    fn ask_in_scope(&self, question: &Question, source: &dyn EntitySource) -> Option<Evaluation> {
        let request = self.request(question)?;
        let entities = slice(question, self.reach(), self.schema(), source)?;
        let (mut permits, mut forbids, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        for Met { policy, error } in self.index().evaluate(&request, &entities)? {
            let (id, effect) = (self.id(policy.id())?.clone(), Effect::of(policy.effect()));
            match (error, effect) {
                (Some(error), effect) => {
                    errors.push(PolicyError { policy: id, effect, message: error.to_string() });
                }
                (None, Effect::Permit) => permits.push(id),
                (None, Effect::Forbid) => forbids.push(id),
            }
        }
        let allowed = forbids.is_empty() && !permits.is_empty();
        let determining = if forbids.is_empty() { permits } else { forbids };
        Some(Evaluation { allowed, determining, errors }.in_order())
    }

    fn ask_each(&self, question: &Question, source: &dyn EntitySource) -> Option<Evaluation> {
        let request = self.request(question)?;
        let entities = slice(question, self.reach(), self.schema(), source)?;
        let response = Authorizer::new().is_authorized(request, self.set(), &entities);
        let determining = response.diagnostics.reason.iter().map(|id| self.id(id).cloned());
        let errors = response.diagnostics.errors.into_iter().map(|error| self.error(error));
        let evaluation = Evaluation {
            allowed: response.decision == Decision::Allow,
            determining: determining.collect::<Option<_>>()?,
            errors: errors.collect::<Option<_>>()?,
        };
        Some(evaluation.in_order())
    }

    pub(super) fn request(&self, question: &Question) -> Option<Request> {
        self.schema().request(question)
    }

    fn error(&self, error: AuthorizationError) -> Option<PolicyError> {
        let AuthorizationError::PolicyEvaluationError { id, error } = error;
        let policy = self.id(&id)?.clone();
        let effect = self.effect(&policy)?;
        Some(PolicyError { policy, effect, message: error.to_string() })
    }
}

impl CompiledSchema {
    /// The question in Cedar's form; nothing if it names a type that is not declared.
    pub(super) fn request(&self, question: &Question) -> Option<Request> {
        let known = |uid| Some(EntityUIDEntry::known(self.tables().core_uid(uid)?, None));
        Some(Request::new_unchecked(
            known(&question.principal)?,
            known(&question.action)?,
            known(&question.resource)?,
            Some(question.context.core().clone()),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cedar::codes;
    use crate::cedar::example::{always, directory, policies, schema, shown, uid, view};

    fn ask(text: &str, principal: &str) -> Evaluation {
        let policies = policies(text).unwrap_or_else(|faults| panic!("{}", shown(&faults)));
        let schema = policies.schema().clone();
        policies.evaluate(&view(&schema, principal), &directory(&schema))
    }

    fn ids(evaluation: &Evaluation) -> Vec<&str> {
        evaluation.determining.iter().map(PolicyId::as_str).collect()
    }

    #[test]
    fn nothing_that_applies_is_a_deny_without_reasons() {
        assert_eq!(ask("", "alice"), Evaluation::default());
        assert_eq!(ask(&always("a", "permit", "!context.mfa"), "alice"), Evaluation::default());
    }

    #[test]
    fn a_forbid_beats_every_permit_and_only_the_deciders_are_named() {
        let permits = always("z", "permit", "true") + &always("a", "permit", "context.mfa");
        let allowed = ask(&permits, "alice");
        assert_eq!((allowed.allowed, ids(&allowed)), (true, vec!["a", "z"]));
        let denied = ask(&(permits + &always("m", "forbid", "principal.level > 2")), "alice");
        assert_eq!((denied.allowed, ids(&denied)), (false, vec!["m"]));
    }

    #[test]
    fn an_error_is_reported_with_what_the_policy_would_have_done() {
        let text = always("p", "permit", "true")
            + &always("f", "forbid", "principal.level + 9223372036854775807 > 0")
            + &always("e", "permit", "principal.level * 9223372036854775807 > 0");
        let evaluation = ask(&text, "alice");
        assert!(evaluation.allowed && evaluation.forbid_failed());
        let told: Vec<_> =
            evaluation.errors.iter().map(|e| (e.policy.as_str(), e.effect)).collect();
        assert_eq!(told, [("e", Effect::Permit), ("f", Effect::Forbid)]);
        assert!(evaluation.errors[1].message.contains("integer overflow"));
    }

    #[test]
    fn a_group_of_actions_covers_its_members() {
        let text = "@id(\"a\") forbid (principal, action in [Action::\"readers\"], resource);\n"
            .to_owned()
            + &always("b", "permit", "true");
        assert_eq!(ids(&ask(&text, "alice")), ["a"]);
    }

    #[test]
    fn entities_are_followed_as_far_as_the_policies_go() {
        let by_manager = "principal has manager && principal.manager has office && \
                          principal.manager.office == \"Bern\"";
        assert!(ask(&always("a", "permit", by_manager), "bob").allowed);
        let transitive = "principal in Group::\"all\"";
        assert!(ask(&always("a", "permit", transitive), "alice").allowed);
        let owners = "resource.owner in Group::\"staff\" && resource in Folder::\"plans\"";
        assert!(ask(&always("a", "permit", owners), "bob").allowed);
        assert!(!ask(&always("a", "permit", transitive), "nobody").allowed);
    }

    #[test]
    fn a_question_about_an_undeclared_type_is_denied() {
        let policies = policies(&always("a", "permit", "true")).unwrap();
        let schema = schema();
        let question = Question { principal: uid("Robot", "r2"), ..view(&schema, "alice") };
        assert_eq!(policies.evaluate(&question, &directory(&schema)), Evaluation::default());
    }

    /// Unoptimised, Cedar takes ten times the stack: then a worker's 8 MiB must do.
    const SMALL_STACK: usize = if cfg!(debug_assertions) { 8 * 1024 } else { 1536 } * 1024;

    /// Goal: no admitted policy is so tall that evaluating it on a worker gives up, which
    /// would make a forbid vanish.
    #[test]
    fn the_tallest_admitted_policies_are_evaluated_on_a_small_stack() {
        let chain = |first: &str, next: &str, n: usize| format!("{first}{}", next.repeat(n));
        let around = |open: &str, inner: &str, close: &str, n: usize| {
            format!("{}{inner}{}", open.repeat(n), close.repeat(n))
        };
        let same = |value: String| format!("{value} == {value}");
        let shapes: [&dyn Fn(usize) -> String; 8] = [
            &|n| chain("context.mfa", " && context.mfa", n),
            &|n| chain("principal.level == 3", " || principal.level == 3", n),
            &|n| chain("principal.level", " + 0", n) + " == 3",
            &|n| same(around("[", "1", "]", n)),
            &|n| same(around("{a: ", "1", "}", n)),
            &|n| around("[true].contains(", "context.mfa", ")", n),
            &|n| around("!!(", "context.mfa", ")", n),
            &|n| around("if context.mfa then true else ", "true", "", n),
        ];
        for shape in shapes {
            let text = |n: usize| always("a", "forbid", &shape(n));
            let tallest = (1..130).rev().find_map(|n| policies(&text(n)).ok().map(|p| (n, p)));
            let (n, policies) = tallest.unwrap();
            let refused = super::super::example::policies(&text(n + 1)).unwrap_err();
            assert_eq!(refused[0].code, codes::POLICY_NESTING);
            let schema = policies.schema().clone();
            let (question, directory) = (view(&schema, "alice"), directory(&schema));
            let on_worker = std::thread::Builder::new().stack_size(SMALL_STACK);
            let evaluation = on_worker.spawn(move || policies.evaluate(&question, &directory));
            assert_eq!(evaluation.unwrap().join().unwrap().errors, [], "{}", shape(n));
        }
    }

    #[test]
    fn a_chain_of_500_terms_is_refused_with_what_to_do() {
        let chain = always("a", "forbid", &format!("true{}", " && context.mfa".repeat(499)));
        let faults = policies(&chain).unwrap_err();
        let [fault] = faults.as_slice() else { panic!("{}", shown(&faults)) };
        assert_eq!(fault.code, codes::POLICY_NESTING);
        assert!(fault.message.contains("at most 128"), "{fault}");
        let help = fault.help.as_ref().unwrap();
        assert!(help.contains("split") && help.contains("contains("), "{help}");
    }
}
