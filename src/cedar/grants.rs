//! What a permit grants, told from its scope: to whom, which actions, on which types.

use std::collections::BTreeSet;

use cedar_policy_core::ast::{
    self, ActionConstraint, EntityReference, ExprKind, PrincipalOrResourceConstraint as Constraint,
    SlotId, Var,
};
use cedar_policy_core::validator::ValidationMode;
use cedar_policy_core::validator::typecheck::{PolicyCheck, Typechecker};
use cedar_policy_core::validator::types::RequestEnv;

use super::{CompiledPolicies, CompiledSchema};
use crate::model::{EntityType, PolicyId, Uid};

/// Whom or what a scope names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// Everybody, everything.
    Any,
    /// All of a type.
    Is(EntityType),
    /// One.
    One(Uid),
    /// What is in this, and this itself.
    In(Uid),
    /// What is in this and of a type.
    IsIn(EntityType, Uid),
}

impl Named {
    /// Whether an entity is among them, that is in these others.
    #[must_use]
    pub fn covers(&self, uid: &Uid, ancestors: &BTreeSet<Uid>) -> bool {
        let within = |group: &Uid| uid == group || ancestors.contains(group);
        match self {
            Self::Any => true,
            Self::Is(kind) => uid.kind() == kind,
            Self::One(one) => uid == one,
            Self::In(group) => within(group),
            Self::IsIn(kind, group) => uid.kind() == kind && within(group),
        }
    }

    fn of(constraint: &Constraint, schema: &CompiledSchema) -> Option<Self> {
        let uid = |reference: &EntityReference| match reference {
            EntityReference::EUID(uid) => schema.tables().uid(uid),
            EntityReference::Slot(_) => None,
        };
        let kind = |kind: &ast::EntityType| EntityType::new(&kind.to_string()).ok();
        Some(match constraint {
            Constraint::Any => Self::Any,
            Constraint::Is(of) => Self::Is(kind(of)?),
            Constraint::Eq(one) => Self::One(uid(one)?),
            Constraint::In(group) => Self::In(uid(group)?),
            Constraint::IsIn(of, group) => Self::IsIn(kind(of)?, uid(group)?),
        })
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("anybody"),
            Self::Is(kind) => write!(f, "every {kind}"),
            Self::One(one) => one.fmt(f),
            Self::In(group) => group.fmt(f),
            Self::IsIn(kind, group) => write!(f, "{kind} in {group}"),
        }
    }
}

/// An action on resources of a type, by principals of a type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Applicable {
    /// The action.
    pub action: Uid,
    /// The principal's type.
    pub principal: EntityType,
    /// The resource's type.
    pub resource: EntityType,
}

/// What one permit, or one link of a template, grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Its name.
    pub policy: PolicyId,
    /// To whom.
    pub principal: Named,
    /// On what.
    pub resource: Named,
    /// The combinations of types under which it is not plainly false, in order.
    pub applicable: Vec<Applicable>,
    /// True if its conditions look at the principal: then it is for some of those only whom
    /// its scope names.
    pub chooses: bool,
}

impl CompiledPolicies {
    /// What each permit and each link of a permit grants, in order of their names. Costs a
    /// typecheck of each (about 60 µs, and as much again for each combination of types);
    /// call it on a large stack.
    #[must_use]
    pub fn grants(&self) -> Vec<Grant> {
        let schema = self.schema();
        let checker = Typechecker::new(schema.validator().schema(), ValidationMode::Strict);
        let permits = self.set().policies().filter(|it| it.effect() == ast::Effect::Permit);
        let mut grants: Vec<_> =
            permits.filter_map(|policy| self.grant(policy, schema, &checker)).collect();
        grants.sort_by(|one, other| one.policy.cmp(&other.policy));
        grants
    }

    fn grant(
        &self,
        policy: &ast::Policy,
        schema: &CompiledSchema,
        checker: &Typechecker<'_>,
    ) -> Option<Grant> {
        let principal = Named::of(policy.principal_constraint().as_inner(), schema)?;
        let resource = Named::of(policy.resource_constraint().as_inner(), schema)?;
        let name = |kind: &ast::EntityType| EntityType::new(&kind.to_string()).ok();
        let may = |action: &Uid| names(schema, action, policy.action_constraint());
        let found = |kinds: ast::RequestType| {
            let action = schema.tables().uid(&kinds.action)?;
            let (principal, resource) = (name(&kinds.principal)?, name(&kinds.resource)?);
            Some(Applicable { action, principal, resource }).filter(|it| may(&it.action))
        };
        // Each combination of types stands there once for each type that a slot may have.
        let filled = |types: &RequestEnv<'_>| {
            let slots = [
                (SlotId::principal(), types.principal_slot()),
                (SlotId::resource(), types.resource_slot()),
            ];
            slots.iter().all(|(slot, kind)| match (policy.env().get(slot), kind) {
                (Some(uid), Some(kind)) => uid.entity_type() == kind,
                _ => true,
            })
        };
        let checked = checker.typecheck_by_request_env(policy.template());
        let applicable: BTreeSet<_> = checked
            .filter(|(_, check)| matches!(check, PolicyCheck::Success(_)))
            .filter(|(types, _)| filled(types))
            .filter_map(|(types, _)| found(types.to_request_type()?))
            .filter(|it| fits(&principal, &it.principal))
            .filter(|it| fits(&resource, &it.resource))
            .collect();
        let chooses = policy.non_scope_constraints().is_some_and(looks_at_principal);
        let policy = self.id(policy.id())?.clone();
        let applicable = applicable.into_iter().collect();
        Some(Grant { policy, principal, resource, applicable, chooses })
    }
}

fn looks_at_principal(conditions: &ast::Expr) -> bool {
    let is_it = |part: &ast::Expr| matches!(part.expr_kind(), ExprKind::Var(Var::Principal));
    conditions.subexpressions().any(is_it)
}

/// False if what a scope names cannot be of a type.
fn fits(named: &Named, kind: &EntityType) -> bool {
    match named {
        Named::Any | Named::In(_) => true,
        Named::Is(of) | Named::IsIn(of, _) => of == kind,
        Named::One(one) => one.kind() == kind,
    }
}

/// Whether a scope names an action, or a group that it is in.
fn names(schema: &CompiledSchema, action: &Uid, constraint: &ActionConstraint) -> bool {
    let Some(table) = schema.tables().actions.get(action) else { return false };
    let is = |core: &ast::EntityUID| schema.tables().core_uid(action).as_ref() == Some(core);
    let within =
        |core: &ast::EntityUID| is(core) || table.entities.iter().any(|group| group.uid() == core);
    match constraint {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(one) => is(one),
        ActionConstraint::In(some) => some.iter().any(|one| within(one)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cedar::Limits;
    use crate::model::{PolicyBody, PolicySource, SetKind};

    const SCHEMA: &str = "entity Group; entity User in [Group]; entity Robot in [Group];
        entity Doc; entity Photo;
        action look;
        action view in [look] appliesTo { principal: [User, Robot], resource: [Doc, Photo] };
        action edit appliesTo { principal: [User], resource: [Doc] };";

    fn grants(sources: &[PolicySource]) -> Vec<Grant> {
        let limits = Limits::default();
        let schema = CompiledSchema::compile(SCHEMA, SetKind::Application, &limits).unwrap();
        let compiled =
            CompiledPolicies::compile(sources, &schema, SetKind::Application, &limits).unwrap();
        compiled.grants()
    }

    fn read(text: &str) -> Vec<PolicySource> {
        crate::cedar::read_policies("t.cedar", text, &Limits::default()).unwrap()
    }

    fn told(grant: &Grant) -> Vec<String> {
        let line = |it: &Applicable| format!("{} {} {}", it.principal, it.action.id(), it.resource);
        grant.applicable.iter().map(line).collect()
    }

    #[test]
    fn a_grant_is_told_by_its_scope_and_the_types_it_may_apply_to() {
        let text = "@id(\"a\") permit (principal in Group::\"g\", action in [Action::\"look\"],
                      resource is Photo);
                    @id(\"b\") permit (principal is User, action, resource == Doc::\"d\");
                    @id(\"c\") forbid (principal, action, resource);
                    @id(\"d\") permit (principal, action, resource) when { principal is Robot };";
        let found = grants(&read(text));
        let [a, b, d] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(a.principal.to_string(), "Group::\"g\"");
        assert_eq!(told(a), ["Robot view Photo", "User view Photo"]);
        assert_eq!(b.principal, Named::Is(EntityType::new("User").unwrap()));
        assert_eq!(told(b), ["User edit Doc", "User view Doc"]);
        assert_eq!(told(d), ["Robot view Doc", "Robot view Photo"]);
        assert_eq!([a, b, d].map(|grant| grant.chooses), [false, false, true]);
    }

    #[test]
    fn a_link_grants_what_its_slots_say() {
        let text = "@id(\"t\") permit (principal == ?principal, action, resource in ?resource);";
        let mut sources = read(text);
        let principal = Uid::parse("User", "ada").ok();
        let resource = Uid::parse("Doc", "d").ok();
        let template = "t".parse().unwrap();
        let body = PolicyBody::Link { template, principal: principal.clone(), resource };
        sources.push(PolicySource { id: "ada-d".parse().unwrap(), body });
        let found = grants(&sources);
        let [link] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(
            (link.policy.as_str(), &link.principal),
            ("ada-d", &Named::One(principal.unwrap()))
        );
        assert_eq!(told(link), ["User edit Doc", "User view Doc"], "a photo is in no document");
    }

    #[test]
    fn a_scope_covers_what_is_in_what_it_names() {
        let [user, group] = [("User", "u"), ("Group", "g")].map(|(k, i)| Uid::parse(k, i).unwrap());
        let within: BTreeSet<_> = [group.clone()].into();
        assert!(Named::In(group.clone()).covers(&user, &within));
        assert!(!Named::In(group.clone()).covers(&user, &BTreeSet::new()));
        assert!(!Named::IsIn(EntityType::new("Robot").unwrap(), group).covers(&user, &within));
    }
}
