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
//! Only a conjunct of the scope may serve as a hook: one of a `when` stands behind others
//! that may err.

use std::sync::Arc;

use cedar_policy_core::ast::{
    self, ActionConstraint, EntityReference, EntityType, EntityUID, Expr,
    PrincipalOrResourceConstraint as Constraint, Request,
};
use cedar_policy_core::entities::{Dereference, Entities};
use cedar_policy_core::evaluator::{EvaluationError, Evaluator};
use cedar_policy_core::extensions::Extensions;
use foldhash::{HashMap, HashMapExt as _};

/// A policy's place among those indexed.
type Place = u32;

/// Policies by what their scopes ask for.
pub(super) struct Index {
    policies: Vec<Policy>,
    by_uid: HashMap<Arc<EntityUID>, Vec<Place>>,
    by_kind: ByKinds,
    by_action: HashMap<Arc<EntityUID>, ByKinds>,
    /// The number of each type that any scope tests with `is`.
    kinds: HashMap<EntityType, u32>,
}

/// The types that a scope tests with `is`, of the principal and of the resource.
type Kinds = (Option<u32>, Option<u32>);
type ByKinds = HashMap<Kinds, Vec<Place>>;

/// One policy, or a template's link with its slots filled.
pub(super) struct Policy {
    core: ast::Policy,
    principal: Constraint,
    resource: Constraint,
    /// `true && body`; absent if the scope is all there is.
    body: Option<Expr>,
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
        let mut named: HashMap<Arc<EntityUID>, usize> = HashMap::new();
        for uid in policies.iter().flat_map(|policy| policy.uids().into_iter().flatten()) {
            *named.entry(Arc::clone(uid)).or_default() += 1;
        }
        let mut index = Self {
            policies: Vec::new(),
            by_uid: HashMap::new(),
            by_kind: HashMap::new(),
            by_action: HashMap::new(),
            kinds: HashMap::new(),
        };
        for (place, policy) in (0..).zip(&policies) {
            let uids = policy.uids().into_iter().flatten();
            let rarest = uids.min_by_key(|uid| named.get(*uid).copied().unwrap_or_default());
            match rarest {
                Some(uid) => index.by_uid.entry(Arc::clone(uid)).or_default().push(place),
                None => index.hang_on_kinds(policy, place),
            }
        }
        index.policies = policies;
        index
    }

    fn hang_on_kinds(&mut self, policy: &Policy, place: Place) {
        let kinds = policy.kinds().map(|kind| kind.map(|kind| self.number(kind)));
        let kinds = (kinds[0], kinds[1]);
        match policy.core.action_constraint() {
            ActionConstraint::Any => self.by_kind.entry(kinds).or_default().push(place),
            ActionConstraint::Eq(action) => self.hang_on_action(action, kinds, place),
            ActionConstraint::In(actions) => {
                for action in actions {
                    self.hang_on_action(action, kinds, place);
                }
            }
        }
    }

    fn hang_on_action(&mut self, action: &Arc<EntityUID>, kinds: Kinds, place: Place) {
        let of_action = self.by_action.entry(Arc::clone(action)).or_default();
        of_action.entry(kinds).or_default().push(place);
    }

    fn number(&mut self, kind: &EntityType) -> u32 {
        let next = u32::try_from(self.kinds.len()).unwrap_or(u32::MAX);
        *self.kinds.entry(kind.clone()).or_insert(next)
    }

    /// The policies that every question has to pass: nothing in their scopes tells one
    /// question from another.
    pub(super) fn unhooked(&self) -> impl Iterator<Item = &ast::Policy> {
        let places = self.by_kind.get(&(None, None)).into_iter().flatten();
        places.filter_map(|place| self.policy(*place)).map(|policy| &policy.core)
    }

    /// Evaluates the policies whose scope holds, in no order, and gives those that are
    /// satisfied or in error. Costs a look-up for each entity that the principal, the
    /// action and the resource are in, and an evaluation of each policy in scope.
    pub(super) fn evaluate(&self, request: &Request, entities: &Entities) -> Option<Vec<Met<'_>>> {
        let asked = Asked::of(request, entities)?;
        let evaluator = Evaluator::new(request.clone(), entities, Extensions::all_available());
        let candidates = self.candidates(&asked);
        let in_scope = candidates.into_iter().filter(|policy| asked.holds(policy));
        let met = in_scope.filter_map(|policy| match policy.satisfied(&evaluator) {
            Ok(true) => Some(Met { policy: &policy.core, error: None }),
            Ok(false) => None,
            Err(error) => Some(Met { policy: &policy.core, error: Some(error) }),
        });
        Some(met.collect())
    }

    /// Every policy that hangs on a hook the question touches, once.
    fn candidates(&self, asked: &Asked<'_>) -> Vec<&Policy> {
        let mut places: Vec<Place> = Vec::new();
        for uid in asked.principal.all().chain(asked.resource.all()) {
            places.extend(self.by_uid.get(uid).into_iter().flatten());
        }
        let kinds = self.ways(asked);
        let of_actions = asked.action.all().filter_map(|action| self.by_action.get(action));
        for by_kinds in of_actions.chain([&self.by_kind]).filter(|by_kinds| !by_kinds.is_empty()) {
            places.extend(kinds.clone().filter_map(|kinds| by_kinds.get(&kinds)).flatten());
        }
        places.sort_unstable();
        places.dedup();
        places.into_iter().filter_map(|place| self.policy(place)).collect()
    }

    /// Every way in which a scope may have tested the question's types.
    fn ways(&self, asked: &Asked<'_>) -> impl Iterator<Item = Kinds> + Clone {
        let number = |placed: &Placed<'_>| self.kinds.get(placed.uid.entity_type()).copied();
        let (principal, resource) = (number(&asked.principal), number(&asked.resource));
        let principals = std::iter::once(None).chain(principal.map(Some));
        principals.flat_map(move |principal| {
            let resources = std::iter::once(None).chain(resource.map(Some));
            resources.map(move |resource| (principal, resource))
        })
    }

    /// Each policy, with which parts of its scope hold: of the principal, the action and the
    /// resource. Linear in the policies.
    pub(super) fn scopes<'a>(
        &'a self,
        asked: &'a Asked<'_>,
    ) -> impl Iterator<Item = (&'a ast::Policy, [bool; 3])> {
        self.policies.iter().map(|policy| (&policy.core, asked.parts(policy)))
    }

    fn policy(&self, place: Place) -> Option<&Policy> {
        self.policies.get(usize::try_from(place).ok()?)
    }
}

impl Policy {
    pub(super) fn of(core: &ast::Policy) -> Self {
        let body = core.non_scope_constraints_arc();
        Self {
            principal: core.principal_constraint().into_inner(),
            resource: core.resource_constraint().into_inner(),
            body: body.map(|body| Expr::and(Expr::val(true), body.as_ref().clone())),
            core: core.clone(),
        }
    }

    /// What the scope names for the principal and for the resource.
    fn uids(&self) -> [Option<&Arc<EntityUID>>; 2] {
        [&self.principal, &self.resource].map(Constraint::get_euid)
    }

    /// The types that the scope tests, of the principal and of the resource.
    fn kinds(&self) -> [Option<&EntityType>; 2] {
        [&self.principal, &self.resource].map(|constraint| match constraint {
            Constraint::Is(kind) | Constraint::IsIn(kind, _) => Some(kind.as_ref()),
            Constraint::Any | Constraint::In(_) | Constraint::Eq(_) => None,
        })
    }

    fn satisfied(&self, evaluator: &Evaluator<'_>) -> Result<bool, EvaluationError> {
        let Some(body) = &self.body else { return Ok(true) };
        let value = evaluator.interpret(body, self.core.env())?;
        // A conjunction is a Boolean, or has erred.
        Ok(matches!(value.value, ast::ValueKind::Lit(ast::Literal::Bool(true))))
    }
}

/// A uid of the question, and its entity if there is one.
struct Placed<'a> {
    uid: &'a EntityUID,
    entity: Option<&'a ast::Entity>,
}

impl<'a> Placed<'a> {
    fn of(entry: &'a ast::EntityUIDEntry, entities: &'a Entities) -> Option<Self> {
        let uid = entry.uid()?;
        match entities.entity(uid) {
            Dereference::Data(entity) => Some(Self { uid, entity: Some(entity) }),
            Dereference::NoSuchEntity => Some(Self { uid, entity: None }),
            Dereference::Residual(_) => None,
        }
    }

    /// Itself and all it is in.
    fn all(&self) -> impl Iterator<Item = &'a EntityUID> {
        let above = self.entity.into_iter().flat_map(ast::Entity::ancestors);
        std::iter::once(self.uid).chain(above)
    }

    fn is_in(&self, other: &EntityUID) -> bool {
        self.uid == other || self.entity.is_some_and(|entity| entity.is_descendant_of(other))
    }

    fn holds(&self, constraint: &Constraint) -> bool {
        // A slot that was not filled is in no policy that is asked.
        let of = |reference: &EntityReference, test: &dyn Fn(&EntityUID) -> bool| match reference {
            EntityReference::EUID(uid) => test(uid),
            EntityReference::Slot(_) => false,
        };
        match constraint {
            Constraint::Any => true,
            Constraint::Eq(uid) => of(uid, &|uid| self.uid == uid),
            Constraint::In(uid) => of(uid, &|uid| self.is_in(uid)),
            Constraint::Is(kind) => self.uid.entity_type() == kind.as_ref(),
            Constraint::IsIn(kind, uid) => {
                self.uid.entity_type() == kind.as_ref() && of(uid, &|uid| self.is_in(uid))
            }
        }
    }
}

/// The question's three entities.
pub(super) struct Asked<'a> {
    principal: Placed<'a>,
    action: Placed<'a>,
    resource: Placed<'a>,
}

impl<'a> Asked<'a> {
    pub(super) fn of(request: &'a Request, entities: &'a Entities) -> Option<Self> {
        Some(Self {
            principal: Placed::of(request.principal(), entities)?,
            action: Placed::of(request.action(), entities)?,
            resource: Placed::of(request.resource(), entities)?,
        })
    }

    fn holds(&self, policy: &Policy) -> bool {
        self.action_holds(policy)
            && self.principal.holds(&policy.principal)
            && self.resource.holds(&policy.resource)
    }

    /// Which parts of a scope hold: of the principal, the action and the resource.
    pub(super) fn parts(&self, policy: &Policy) -> [bool; 3] {
        let principal = self.principal.holds(&policy.principal);
        [principal, self.action_holds(policy), self.resource.holds(&policy.resource)]
    }

    fn action_holds(&self, policy: &Policy) -> bool {
        match policy.core.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(action) => self.action.uid == action.as_ref(),
            ActionConstraint::In(actions) => actions.iter().any(|one| self.action.is_in(one)),
        }
    }
}
