//! Which types of entities can be in which, and of which there is nothing to know.

use cedar_policy_core::ast::{
    self, EntityReference, EntityType as CoreType, PrincipalOrResourceConstraint as Constraint,
};

use super::CompiledSchema;
use crate::model::EntityType;

impl CompiledSchema {
    /// True if an entity of this type has attributes or tags, or can be in others: if not,
    /// it makes no difference whether the directory holds it.
    #[must_use]
    pub fn has_anything(&self, kind: &EntityType) -> bool {
        let Some(table) = self.tables().entities.get(kind) else { return false };
        let schema = self.validator().schema();
        let own = schema.get_entity_type(&table.core);
        let holds = own
            .is_some_and(|it| it.attributes().iter().next().is_some() || it.tag_type().is_some());
        holds || schema.entity_types().any(|it| it.has_descendant_entity_type(&table.core))
    }

    /// True if the scope of a policy could ever hold for a principal and a resource of these
    /// types, whatever the entities are in.
    pub(super) fn could_hold(&self, policy: &ast::Policy, [who, what]: [&CoreType; 2]) -> bool {
        let (principal, resource) = (policy.principal_constraint(), policy.resource_constraint());
        self.fits_kind(principal.as_inner(), who) && self.fits_kind(resource.as_inner(), what)
    }

    fn fits_kind(&self, constraint: &Constraint, kind: &CoreType) -> bool {
        let of = |reference: &EntityReference| match reference {
            EntityReference::EUID(uid) => self.can_be_in(kind, uid.entity_type()),
            EntityReference::Slot(_) => false,
        };
        match constraint {
            Constraint::Any => true,
            Constraint::Eq(EntityReference::EUID(uid)) => uid.entity_type() == kind,
            Constraint::Eq(EntityReference::Slot(_)) => false,
            Constraint::In(reference) => of(reference),
            Constraint::Is(wanted) => wanted.as_ref() == kind,
            Constraint::IsIn(wanted, reference) => wanted.as_ref() == kind && of(reference),
        }
    }

    fn can_be_in(&self, kind: &CoreType, other: &CoreType) -> bool {
        let declared = self.validator().schema().get_entity_type(other);
        kind == other || declared.is_some_and(|it| it.has_descendant_entity_type(kind))
    }
}

#[cfg(test)]
mod tests {
    use crate::cedar::example::{directory, schema, uid, view};
    use crate::cedar::{CompiledPolicies, Limits, read_policies};

    #[test]
    fn an_entity_without_members_and_groups_is_told_from_one_with() {
        let schema = schema();
        let has = |kind| schema.has_anything(uid(kind, "x").kind());
        assert!(has("User") && has("Folder") && has("Group") && has("Document"));
        assert!(!has("Colour") && !has("Unknown"));
    }

    #[test]
    fn a_policy_that_is_for_other_types_is_not_near() {
        let text = "@id(\"staff\") permit (principal in Group::\"none\", action, resource);
                    @id(\"bob\") permit (principal == User::\"alice\", action, resource);
                    @id(\"folders\") permit (principal in Folder::\"f\", action, resource);
                    @id(\"groups\") permit (principal is Group, action, resource);
                    @id(\"plans\") permit (principal, action, resource in Folder::\"none\");
                    @id(\"users\") permit (principal, action, resource in User::\"bob\");";
        let limits = Limits::default();
        let sources = read_policies("p", text, &limits).unwrap();
        let schema = schema();
        let policies =
            CompiledPolicies::compile_without_validation(&sources, &schema, &limits).unwrap();
        let near = policies.near(&view(&schema, "bob"), &directory(&schema));
        let names: Vec<_> = near.iter().map(|near| near.policy.as_str()).collect();
        assert_eq!(names, ["bob", "plans", "staff"]);
    }
}
