//! A question held against the scopes of policies, part by part.

use cedar_policy_core::ast::{
    self, ActionConstraint, EntityReference, EntityUID,
    PrincipalOrResourceConstraint as Constraint, Request,
};
use cedar_policy_core::entities::{Dereference, Entities};

/// A uid of the question, and its entity if there is one.
pub(super) struct Placed<'a> {
    pub(super) uid: &'a EntityUID,
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
    pub(super) fn all(&self) -> impl Iterator<Item = &'a EntityUID> {
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
    pub(super) principal: Placed<'a>,
    pub(super) action: Placed<'a>,
    pub(super) resource: Placed<'a>,
}

impl<'a> Asked<'a> {
    pub(super) fn of(request: &'a Request, entities: &'a Entities) -> Option<Self> {
        Some(Self {
            principal: Placed::of(request.principal(), entities)?,
            action: Placed::of(request.action(), entities)?,
            resource: Placed::of(request.resource(), entities)?,
        })
    }

    /// Which parts of a scope hold: of the principal, the action and the resource.
    pub(super) fn parts(&self, policy: &ast::Policy) -> [bool; 3] {
        let (principal, resource) = (policy.principal_constraint(), policy.resource_constraint());
        [
            self.principal.holds(principal.as_inner()),
            self.action_holds(policy.action_constraint()),
            self.resource.holds(resource.as_inner()),
        ]
    }

    fn action_holds(&self, constraint: &ActionConstraint) -> bool {
        match constraint {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(action) => self.action.uid == action.as_ref(),
            ActionConstraint::In(actions) => actions.iter().any(|one| self.action.is_in(one)),
        }
    }
}
