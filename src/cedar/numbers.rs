//! Scopes in numbers, so that one is held against a question without looking at the
//! policy: every uid and every type that any scope of a set names has a number of its own.

use std::hash::Hash;

use cedar_policy_core::ast::{
    self, ActionConstraint, EntityReference, EntityType, EntityUID,
    PrincipalOrResourceConstraint as Constraint,
};
use foldhash::{HashMap, HashMapExt as _};

use super::scope::{Asked, Placed};

/// The number of a uid that some scope names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Named(u32);

/// The number of a type that some scope tests with `is`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Kind(u32);

/// The number of a list of actions that some scope names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Listed(u32);

/// The types that a scope tests with `is`, of the principal and of the resource.
pub(super) type Kinds = (Option<Kind>, Option<Kind>);

/// A policy's scope, in numbers.
#[derive(Clone, Copy)]
pub(super) struct Scope {
    principal: Side,
    pub(super) action: Act,
    resource: Side,
}

/// What a scope asks of the principal or of the resource.
#[derive(Clone, Copy)]
struct Side {
    kind: Option<Kind>,
    place: Where,
}

#[derive(Clone, Copy)]
enum Where {
    Anywhere,
    /// `==`.
    At(Named),
    /// `in`.
    Under(Named),
    /// A slot that was not filled, which is in no policy that is asked.
    Nowhere,
}

/// What a scope asks of the action.
#[derive(Clone, Copy)]
pub(super) enum Act {
    Any,
    At(Named),
    /// In one of these.
    Under(Listed),
}

impl Named {
    /// As a place in memory.
    pub(super) const fn place(self) -> usize {
        self.0 as usize
    }
}

impl Scope {
    /// The uids it names for the principal and for the resource.
    pub(super) fn uids(&self) -> impl Iterator<Item = Named> + use<> {
        let uid = |side: Side| match side.place {
            Where::At(uid) | Where::Under(uid) => Some(uid),
            Where::Anywhere | Where::Nowhere => None,
        };
        [self.principal, self.resource].into_iter().filter_map(uid)
    }

    /// The types it tests.
    pub(super) const fn kinds(&self) -> Kinds {
        (self.principal.kind, self.resource.kind)
    }
}

impl Side {
    fn holds(self, touched: &TouchedSide) -> bool {
        (self.kind.is_none() || self.kind == touched.kind)
            && match self.place {
                Where::Anywhere => true,
                Where::At(uid) => touched.own == Some(uid),
                Where::Under(uid) => touched.is_in(uid),
                Where::Nowhere => false,
            }
    }
}

/// The numbers of what the scopes of a set name.
#[derive(Default)]
pub(super) struct Numbers {
    uids: HashMap<EntityUID, Named>,
    kinds: HashMap<EntityType, Kind>,
    lists: Vec<Vec<Named>>,
}

impl Numbers {
    /// Numbers what policies name; with their scopes, in order.
    pub(super) fn of<'a>(policies: impl Iterator<Item = &'a ast::Policy>) -> (Self, Vec<Scope>) {
        let (mut numbers, mut lists) = (Self::default(), HashMap::new());
        let scopes = policies.map(|policy| numbers.scope(policy, &mut lists)).collect();
        (numbers, scopes)
    }

    /// How many uids have a number.
    pub(super) fn uids(&self) -> usize {
        self.uids.len()
    }

    /// The actions of a list.
    pub(super) fn actions(&self, Listed(list): Listed) -> &[Named] {
        self.lists.get(list as usize).map_or(&[], Vec::as_slice)
    }

    /// What a question touches of all that is named.
    pub(super) fn touched(&self, asked: &Asked<'_>) -> Touched {
        let Asked { principal, action, resource } = asked;
        let [principal, action, resource] = [principal, action, resource].map(|it| self.side(it));
        Touched { principal, action, resource }
    }

    /// Whether a scope holds: what [`Asked::parts`] says of the policy itself.
    pub(super) fn hold(&self, scope: &Scope, touched: &Touched) -> bool {
        let Touched { principal, action, resource } = touched;
        let action = match scope.action {
            Act::Any => true,
            Act::At(uid) => action.own == Some(uid),
            Act::Under(list) => self.actions(list).iter().any(|uid| action.is_in(*uid)),
        };
        action && scope.principal.holds(principal) && scope.resource.holds(resource)
    }

    fn side(&self, placed: &Placed<'_>) -> TouchedSide {
        let mut all: Vec<_> = placed.all().filter_map(|uid| self.uids.get(uid).copied()).collect();
        all.sort_unstable();
        TouchedSide {
            own: self.uids.get(placed.uid).copied(),
            all,
            kind: self.kinds.get(placed.uid.entity_type()).copied(),
        }
    }

    fn scope(&mut self, policy: &ast::Policy, lists: &mut HashMap<Vec<Named>, Listed>) -> Scope {
        let action = match policy.action_constraint() {
            ActionConstraint::Any => Act::Any,
            ActionConstraint::Eq(action) => Act::At(self.named(action)),
            ActionConstraint::In(actions) => {
                let actions: Vec<_> = actions.iter().map(|action| self.named(action)).collect();
                let known = lists.len();
                let list = numbered(lists, &actions, Listed);
                if lists.len() > known {
                    self.lists.push(actions);
                }
                Act::Under(list)
            }
        };
        let principal = self.constrained(policy.principal_constraint().as_inner());
        let resource = self.constrained(policy.resource_constraint().as_inner());
        Scope { principal, action, resource }
    }

    fn constrained(&mut self, constraint: &Constraint) -> Side {
        let (kind, place) = match constraint {
            Constraint::Any => (None, Where::Anywhere),
            Constraint::Eq(uid) => (None, self.place(uid, Where::At)),
            Constraint::In(uid) => (None, self.place(uid, Where::Under)),
            Constraint::Is(kind) => (Some(kind), Where::Anywhere),
            Constraint::IsIn(kind, uid) => (Some(kind), self.place(uid, Where::Under)),
        };
        Side { kind: kind.map(|kind| numbered(&mut self.kinds, kind, Kind)), place }
    }

    fn place(&mut self, reference: &EntityReference, of: fn(Named) -> Where) -> Where {
        match reference {
            EntityReference::EUID(uid) => of(self.named(uid)),
            EntityReference::Slot(_) => Where::Nowhere,
        }
    }

    fn named(&mut self, uid: &EntityUID) -> Named {
        numbered(&mut self.uids, uid, Named)
    }
}

/// The number of a key; the next one, if it has none.
fn numbered<K: Clone + Eq + Hash, N: Copy>(
    numbers: &mut HashMap<K, N>,
    key: &K,
    of: fn(u32) -> N,
) -> N {
    if let Some(number) = numbers.get(key) {
        return *number;
    }
    // They do not run out: `Limits` gives a set less than 2³⁰ bytes, and a name takes four.
    let next = of(u32::try_from(numbers.len()).unwrap_or(u32::MAX));
    numbers.insert(key.clone(), next);
    next
}

/// What a question touches of all that scopes name.
pub(super) struct Touched {
    pub(super) principal: TouchedSide,
    pub(super) action: TouchedSide,
    pub(super) resource: TouchedSide,
}

/// Of the principal, the action or the resource.
pub(super) struct TouchedSide {
    own: Option<Named>,
    /// Itself and all it is in, in order.
    pub(super) all: Vec<Named>,
    kind: Option<Kind>,
}

impl TouchedSide {
    fn is_in(&self, uid: Named) -> bool {
        self.all.binary_search(&uid).is_ok()
    }
}

impl Touched {
    /// Every way in which a scope may have tested the question's types.
    pub(super) fn kinds(&self) -> impl Iterator<Item = Kinds> {
        let principals = std::iter::once(None).chain(self.principal.kind.map(Some));
        principals.flat_map(|principal| {
            let resources = std::iter::once(None).chain(self.resource.kind.map(Some));
            resources.map(move |resource| (principal, resource))
        })
    }
}
