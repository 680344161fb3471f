//! Which entities are walled off: what a `forbid` names as where its resource is.

use std::collections::BTreeSet;

use cedar_policy_core::ast::{
    BinaryOp, EntityReference, EntityUID, Expr, ExprKind, Policy, PrincipalOrResourceConstraint,
    Var,
};

use super::expression::{entities, parts};
use super::{CompiledPolicies, Effect};
use crate::model::Uid;

impl CompiledPolicies {
    /// The entities that any `forbid` names as its resource, or as what its resource is in:
    /// in its scope or by `resource in …` or `resource == …` in a condition. That says that
    /// somebody thought of a wall there, not that it holds. Linear in the policies.
    #[must_use]
    pub fn walled(&self) -> BTreeSet<Uid> {
        let forbids = self.set().policies().filter(|it| Effect::of(it.effect()) == Effect::Forbid);
        let tables = self.schema().tables();
        let named = forbids.flat_map(|policy| {
            let named = in_scope(policy).into_iter().chain(in_conditions(policy));
            named.filter_map(|core| tables.uid(&core)).collect::<Vec<_>>()
        });
        named.collect()
    }
}

fn in_scope(policy: &Policy) -> Option<EntityUID> {
    match policy.resource_constraint().as_inner() {
        PrincipalOrResourceConstraint::Eq(EntityReference::EUID(uid))
        | PrincipalOrResourceConstraint::In(EntityReference::EUID(uid))
        | PrincipalOrResourceConstraint::IsIn(_, EntityReference::EUID(uid)) => {
            Some(uid.as_ref().clone())
        }
        _ => None,
    }
}

/// Linear, without recursion.
fn in_conditions(policy: &Policy) -> Vec<EntityUID> {
    let mut found = Vec::new();
    let mut open: Vec<_> = policy.non_scope_constraints().into_iter().collect();
    while let Some(part) = open.pop() {
        match part.expr_kind() {
            ExprKind::BinaryApp { op: BinaryOp::In | BinaryOp::Eq, arg1, arg2 }
                if is_resource(arg1) =>
            {
                found.extend(entities(arg2).into_iter().cloned());
            }
            _ => open.extend(parts(part)),
        }
    }
    found
}

fn is_resource(expression: &Expr) -> bool {
    matches!(expression.expr_kind(), ExprKind::Var(Var::Resource))
}

#[cfg(test)]
mod tests {
    use crate::cedar::example::{policies, uid};

    fn walled(text: &str) -> Vec<String> {
        let set = policies(text).unwrap();
        set.walled().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_wall_is_a_forbid_that_names_where_its_resource_is() {
        let forbid = |resource: &str, when: &str| {
            walled(&format!(
                "@id(\"a\") forbid (principal, action == Action::\"view\", {resource}) \
                 when {{ {when} }};"
            ))
        };
        let plans = [uid("Folder", "plans").to_string()];
        assert_eq!(forbid("resource in Folder::\"plans\"", "!context.mfa"), plans);
        assert_eq!(forbid("resource == Folder::\"plans\"", "true"), plans);
        assert_eq!(forbid("resource is Document in Folder::\"plans\"", "true"), plans);
        assert_eq!(forbid("resource", "!context.mfa && resource in [Folder::\"plans\"]"), plans);
        assert_eq!(forbid("resource", "principal in Group::\"staff\""), [""; 0]);
    }

    #[test]
    fn a_permit_is_no_wall() {
        let permit = "@id(\"a\") permit (principal, action, resource in Folder::\"plans\");";
        assert_eq!(walled(permit), [""; 0]);
    }
}
