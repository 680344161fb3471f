//! Which policies a question can concern at all, found without looking at the others.
//!
//! # Why the answer is Cedar's own
//! Cedar asks of each policy `principal scope && (action scope && (resource scope &&
//! body))`. On concrete uids the three scope tests (`==`, `in`, `is`, `is … in`,
//! `action in […]`) never err, and `&&` looks at nothing behind a test that fails. So a
//! policy whose scope does not hold is neither satisfied nor in error, whatever its body:
//! to leave it out changes neither the decision nor the policies that determine it nor
//! the errors. Cedar's authors have proved just that in Lean
//! (`Cedar.Thm.isAuthorized_eq_for_scope_based_policy_slice`, cedar-spec; the idea is §5
//! of “Cedar: A New Language for Expressive, Fast, Safe, and Analyzable Authorization”,
//! OOPSLA 2024). It needs of an index only that it finds every policy whose scope holds.
//!
//! Each policy hangs on one hook that the question must touch if the scope is to hold: the
//! uid its scope names for the principal or for the resource (the one that fewer policies
//! of the set name), else its actions and the types that `is` tests. A question touches
//! the hooks of its principal and resource and of all they are in, and those of its action
//! and of all that is in, with its types or without. What is found is then held against
//! its whole scope, and only the bodies of those in scope go to Cedar's evaluator, behind
//! the same `true &&` that Cedar has in front of them, so that a body that is no Boolean
//! errs in the same words.
//!
//! Most of what is found is not in scope, and among many policies each is far away in
//! memory. So what hangs on a hook are the scopes themselves, one beside the other, in
//! numbers: every uid and type that any scope names has one. A policy is looked at only
//! once its scope holds.
//!
//! Only a conjunct of the scope may serve as a hook: one of a `when` stands behind others
//! that may err.

use std::ops::Range;

use cedar_policy_core::ast::{self, Expr, Request};
use cedar_policy_core::entities::Entities;
use cedar_policy_core::evaluator::{EvaluationError, Evaluator};
use cedar_policy_core::extensions::Extensions;
use foldhash::{HashMap, HashMapExt as _};

use super::numbers::{Act, Kinds, Named, Numbers, Scope};
use super::scope::Asked;

/// Policies by what their scopes ask for.
pub(super) struct Index {
    policies: Vec<Policy>,
    numbers: Numbers,
    by_uid: Hooks,
    by_kind: ByKinds,
    by_action: HashMap<Named, ByKinds>,
}

/// What hangs on the types that a scope tests.
type ByKinds = HashMap<Kinds, Vec<Hung>>;

/// One policy, or a template's link with its slots filled.
struct Policy {
    core: ast::Policy,
    /// `true && body`; absent if the scope is all there is.
    body: Option<Expr>,
}

/// A policy on its hook.
#[derive(Clone, Copy)]
struct Hung {
    /// Its place among those indexed.
    place: usize,
    scope: Scope,
}

/// What became of a policy whose scope holds and that did not simply fail to apply.
pub(super) struct Met<'a> {
    pub(super) policy: &'a ast::Policy,
    /// Nothing if it is satisfied.
    pub(super) error: Option<EvaluationError>,
}

impl Index {
    /// Indexes policies and links; templates by themselves are in no question's way.
    /// Linear in the policies, about 2 µs each.
    pub(super) fn of<'a>(policies: impl Iterator<Item = &'a ast::Policy>) -> Self {
        let policies: Vec<_> = policies.map(Policy::of).collect();
        let (numbers, scopes) = Numbers::of(policies.iter().map(|policy| &policy.core));
        let mut naming: HashMap<Named, usize> = HashMap::new();
        for uid in scopes.iter().flat_map(Scope::uids) {
            *naming.entry(uid).or_default() += 1;
        }
        let (mut by_kind, mut by_action) = (ByKinds::new(), HashMap::<Named, ByKinds>::new());
        let mut on_uids = Vec::new();
        for (place, scope) in scopes.into_iter().enumerate() {
            let (hung, kinds) = (Hung { place, scope }, scope.kinds());
            if let Some(rarest) = scope.uids().min_by_key(|uid| naming.get(uid).copied()) {
                on_uids.push((rarest, hung));
                continue;
            }
            let mut on_action = |action| {
                let of_action: &mut ByKinds = by_action.entry(action).or_default();
                of_action.entry(kinds).or_default().push(hung);
            };
            match scope.action {
                Act::Any => by_kind.entry(kinds).or_default().push(hung),
                Act::At(action) => on_action(action),
                Act::Under(list) => numbers.actions(list).iter().copied().for_each(on_action),
            }
        }
        let by_uid = Hooks::of(on_uids, numbers.uids());
        Self { policies, numbers, by_uid, by_kind, by_action }
    }

    /// The policies that every question has to pass: nothing in their scopes tells one
    /// question from another.
    pub(super) fn unhooked(&self) -> impl Iterator<Item = &ast::Policy> {
        let hung = self.by_kind.get(&(None, None)).into_iter().flatten();
        hung.filter_map(|hung| self.policies.get(hung.place)).map(|policy| &policy.core)
    }

    /// All that are indexed.
    pub(super) fn policies(&self) -> impl Iterator<Item = &ast::Policy> {
        self.policies.iter().map(|policy| &policy.core)
    }

    /// Evaluates the policies whose scope holds, in no order, and gives those that are
    /// satisfied or in error. Costs a look-up for each entity that the principal, the
    /// action and the resource are in, and an evaluation of each policy in scope.
    pub(super) fn evaluate(&self, request: &Request, entities: &Entities) -> Option<Vec<Met<'_>>> {
        let asked = Asked::of(request, entities)?;
        let evaluator = Evaluator::new(request.clone(), entities, Extensions::all_available());
        let in_scope = self.in_scope(&asked);
        let met = in_scope.into_iter().filter_map(|policy| match policy.satisfied(&evaluator) {
            Ok(true) => Some(Met { policy: &policy.core, error: None }),
            Ok(false) => None,
            Err(error) => Some(Met { policy: &policy.core, error: Some(error) }),
        });
        Some(met.collect())
    }

    /// Every policy that hangs on a hook the question touches and whose scope holds, once.
    fn in_scope(&self, asked: &Asked<'_>) -> Vec<&Policy> {
        let touched = self.numbers.touched(asked);
        let mut places = Vec::new();
        let mut keep = |hung: &[Hung]| {
            let holding = hung.iter().filter(|hung| self.numbers.hold(&hung.scope, &touched));
            places.extend(holding.map(|hung| hung.place));
        };
        for uid in touched.principal.all.iter().chain(&touched.resource.all) {
            keep(self.by_uid.on(*uid));
        }
        let of_actions = touched.action.all.iter().filter_map(|it| self.by_action.get(it));
        for by_kinds in of_actions.chain([&self.by_kind]).filter(|by_kinds| !by_kinds.is_empty()) {
            for kinds in touched.kinds() {
                keep(by_kinds.get(&kinds).map_or(&[], Vec::as_slice));
            }
        }
        places.sort_unstable();
        places.dedup();
        places.into_iter().filter_map(|place| self.policies.get(place)).collect()
    }

    /// The names of the policies whose scope holds, as the index finds them.
    #[cfg(test)]
    pub(super) fn found(&self, asked: &Asked<'_>) -> Vec<String> {
        let ids = self.in_scope(asked).into_iter().map(|policy| policy.core.id().to_string());
        let mut ids: Vec<_> = ids.collect();
        ids.sort_unstable();
        ids
    }
}

impl Policy {
    fn of(core: &ast::Policy) -> Self {
        let body = core.non_scope_constraints_arc();
        Self {
            body: body.map(|body| Expr::and(Expr::val(true), body.as_ref().clone())),
            core: core.clone(),
        }
    }

    fn satisfied(&self, evaluator: &Evaluator<'_>) -> Result<bool, EvaluationError> {
        let Some(body) = &self.body else { return Ok(true) };
        let value = evaluator.interpret(body, self.core.env())?;
        // A conjunction is a Boolean, or has erred.
        Ok(matches!(value.value, ast::ValueKind::Lit(ast::Literal::Bool(true))))
    }
}

/// What hangs on uids, side by side.
struct Hooks {
    hung: Vec<Hung>,
    /// Where what hangs on a uid begins and ends, by the uid's number.
    ranges: Vec<Range<usize>>,
}

impl Hooks {
    fn of(mut hung: Vec<(Named, Hung)>, uids: usize) -> Self {
        hung.sort_by_key(|(uid, _)| *uid);
        let mut ranges = vec![0..0; uids];
        let mut begin = 0;
        for of_one in hung.chunk_by(|(one, _), (other, _)| one == other) {
            let range = begin..begin + of_one.len();
            begin = range.end;
            if let Some((uid, _)) = of_one.first()
                && let Some(place) = ranges.get_mut(uid.place())
            {
                *place = range;
            }
        }
        Self { hung: hung.into_iter().map(|(_, hung)| hung).collect(), ranges }
    }

    fn on(&self, uid: Named) -> &[Hung] {
        let range = self.ranges.get(uid.place()).cloned().unwrap_or_default();
        self.hung.get(range).unwrap_or_default()
    }
}
