//! What policies read, told from their text: whether an answer could rest on something
//! that is not there to be read any more.

use std::collections::BTreeSet;

use cedar_policy_core::ast::{
    ActionConstraint, EntityReference, Expr, ExprKind, Policy, PrincipalOrResourceConstraint, Var,
};
use cedar_policy_core::ast::{EntityType, EntityUID};

use super::expression::parts;
use super::{CompiledPolicies, Question};
use crate::model::PolicyId;

/// Members that may be missing: attributes of entities and members of the context, by
/// their outermost names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Of any entity.
    pub attributes: BTreeSet<String>,
    /// Of the context.
    pub context: BTreeSet<String>,
}

impl Missing {
    /// True if nothing is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty() && self.context.is_empty()
    }
}

impl CompiledPolicies {
    /// True if any policy whose scope the question may be in looks at any of these members,
    /// of whatever entity. If not, the answer is the same with and without them. Exact for
    /// the names, generous for everything else. Linear in the policies.
    #[must_use]
    pub fn may_read(&self, question: &Question, missing: &Missing) -> bool {
        let Some(scope) = Scope::of(self, question) else { return true };
        let policies = self.set().policies();
        let mut in_scope = policies.filter(|policy| scope.may_hold(policy));
        in_scope.any(|policy| policy.non_scope_constraints().is_some_and(|it| reads(it, missing)))
    }

    /// True if the policy looks at anything that the schema declares personal: then Cedar's
    /// words about an error in it may repeat a personal value.
    #[must_use]
    pub fn reads_personal(&self, id: &PolicyId) -> bool {
        let names = self.schema().personal_names();
        let names: BTreeSet<_> = names.into_iter().map(str::to_owned).collect();
        let missing = Missing { attributes: names.clone(), context: names };
        !missing.is_empty() && self.condition(id).is_none_or(|it| reads(it, &missing))
    }

    fn condition(&self, id: &PolicyId) -> Option<&Expr> {
        self.template(id)?.non_scope_constraints()
    }
}

/// The question, in Cedar's names.
struct Scope {
    principal: EntityUID,
    resource: EntityUID,
    /// The action and what it is in.
    actions: Vec<EntityUID>,
}

impl Scope {
    fn of(policies: &CompiledPolicies, question: &Question) -> Option<Self> {
        let tables = policies.schema().tables();
        let action = tables.actions.get(&question.action)?;
        let groups = action.entities.iter().map(|entity| entity.uid().clone());
        Some(Self {
            principal: tables.core_uid(&question.principal)?,
            resource: tables.core_uid(&question.resource)?,
            actions: groups.chain(tables.core_uid(&question.action)).collect(),
        })
    }

    /// False only if the policy cannot apply, whatever the entities are in.
    fn may_hold(&self, policy: &Policy) -> bool {
        let action = match policy.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(one) => self.actions.contains(one),
            ActionConstraint::In(some) => some.iter().any(|one| self.actions.contains(one)),
        };
        let is = |uid: &EntityUID, kind: &EntityType| uid.entity_type() == kind;
        let holds = |uid: &EntityUID, constraint: &PrincipalOrResourceConstraint| match constraint {
            PrincipalOrResourceConstraint::Eq(EntityReference::EUID(one)) => **one == *uid,
            PrincipalOrResourceConstraint::Is(kind)
            | PrincipalOrResourceConstraint::IsIn(kind, _) => is(uid, kind),
            PrincipalOrResourceConstraint::Any
            | PrincipalOrResourceConstraint::In(_)
            | PrincipalOrResourceConstraint::Eq(EntityReference::Slot(_)) => true,
        };
        action
            && holds(&self.principal, policy.principal_constraint().as_inner())
            && holds(&self.resource, policy.resource_constraint().as_inner())
    }
}

/// True if an expression names any of the members, or takes the context as a whole.
/// Linear, without recursion.
fn reads(whole: &Expr, missing: &Missing) -> bool {
    let mut open = vec![whole];
    while let Some(part) = open.pop() {
        let (below, name) = match part.expr_kind() {
            ExprKind::GetAttr { expr, attr } | ExprKind::HasAttr { expr, attr } => (expr, attr),
            ExprKind::ExtHasAttr { expr, attrs } => {
                // Behind the first of them may stand an entity.
                if attrs.iter().any(|name| missing.attributes.contains(name.as_str())) {
                    return true;
                }
                (expr, attrs.first())
            }
            ExprKind::Var(Var::Context) if !missing.context.is_empty() => return true,
            _ => {
                open.extend(parts(part));
                continue;
            }
        };
        let of_context = matches!(below.expr_kind(), ExprKind::Var(Var::Context));
        let names = if of_context { &missing.context } else { &missing.attributes };
        if names.contains(name.as_str()) {
            return true;
        }
        if !of_context {
            open.push(below);
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cedar::example::{always, policies, schema, uid, view};

    fn may_read(text: &str, attributes: &[&str], context: &[&str]) -> bool {
        let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect();
        let missing = Missing { attributes: names(attributes), context: names(context) };
        let schema = schema();
        policies(text).unwrap().may_read(&view(&schema, "alice"), &missing)
    }

    #[test]
    fn a_member_is_read_where_it_is_named_of_whatever_entity() {
        let office = "principal has office && principal.office == \"Bern\"";
        assert!(may_read(&always("a", "permit", office), &["office"], &[]));
        assert!(!may_read(&always("a", "permit", office), &["nickname"], &["office"]));
        let manager = "resource.owner has manager && resource.owner.manager.level > 1";
        assert!(may_read(&always("a", "permit", manager), &["manager"], &[]));
        assert!(may_read(&always("a", "permit", manager), &["level"], &[]));
        let further = "principal has manager.office";
        assert!(may_read(&always("a", "permit", further), &["office"], &[]));
        let risk = "context has device && context.device has risk && context.device.risk > 1";
        assert!(may_read(&always("a", "permit", risk), &[], &["device"]));
        assert!(!may_read(&always("a", "permit", risk), &["device"], &["from"]));
    }

    #[test]
    fn the_context_as_a_whole_is_all_of_it() {
        let whole = always("a", "permit", "context == context");
        assert!(may_read(&whole, &[], &["from"]));
        assert!(!may_read(&whole, &["office"], &[]));
        assert!(!may_read(&always("a", "permit", "context.mfa"), &[], &["from"]));
    }

    #[test]
    fn a_policy_that_cannot_apply_reads_nothing() {
        let read = |scope: &str| {
            let text = format!(
                "@id(\"a\") permit ({scope}) when {{ principal has office && principal.office == \
                 \"x\" }};"
            );
            may_read(&text, &["office"], &[])
        };
        assert!(read("principal, action, resource"));
        assert!(read("principal, action in Action::\"readers\", resource"));
        assert!(read("principal in Group::\"none\", action, resource"));
        assert!(!read("principal == User::\"bob\", action, resource"));
        assert!(!read("principal, action == Action::\"edit\", resource"));
        assert!(!read("principal, action, resource is Folder"));
        assert!(read("principal is User, action, resource is Document in Folder::\"f\""));
    }

    #[test]
    fn a_schema_without_personal_members_makes_no_policy_personal() {
        let set = policies(&always("a", "permit", "principal.level > 1")).unwrap();
        assert!(!set.reads_personal(&"a".parse().unwrap()));
        assert_eq!(set.schema().personal_attributes(uid("User", "a").kind()).len(), 0);
    }
}
