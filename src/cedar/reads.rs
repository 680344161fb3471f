//! What policies read, told from their text: whether an answer could rest on something
//! that is not there to be read any more.

use std::collections::{BTreeSet, HashMap};

use cedar_policy_core::ast::{
    ActionConstraint, EntityReference, Expr, ExprKind, Policy, PolicyID,
    PrincipalOrResourceConstraint, Var,
};
use cedar_policy_core::ast::{EntityType, EntityUID};
use smol_str::SmolStr;

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
    /// the names, generous for everything else. Linear in the policies that name them; the
    /// first time, in all of them, about 1 µs each. A node that has its vault's key never
    /// asks this to decide.
    #[must_use]
    pub fn may_read(&self, question: &Question, missing: &Missing) -> bool {
        let Some(scope) = Scope::of(self, question) else { return true };
        let mut readers = self.readers().of_any(missing).filter_map(|id| self.set().get(id));
        readers.any(|policy| scope.may_hold(policy))
    }

    /// True if the policy looks at anything that the schema declares personal: then Cedar's
    /// words about an error in it may repeat a personal value.
    #[must_use]
    pub fn reads_personal(&self, id: &PolicyId) -> bool {
        let names = self.schema().personal_names();
        let names: BTreeSet<_> = names.into_iter().map(str::to_owned).collect();
        let missing = Missing { attributes: names.clone(), context: names };
        !missing.is_empty() && self.condition(id).is_none_or(|it| Reads::of(it).any_of(&missing))
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

/// What an expression reads, by the outermost names.
#[derive(Debug, Default)]
struct Reads<'a> {
    /// Of any entity.
    attributes: BTreeSet<&'a str>,
    /// Of the context.
    context: BTreeSet<&'a str>,
    /// True if it takes the context as a whole, too.
    whole_context: bool,
}

impl<'a> Reads<'a> {
    /// Linear, without recursion.
    fn of(whole: &'a Expr) -> Self {
        let (mut found, mut open) = (Self::default(), vec![whole]);
        while let Some(part) = open.pop() {
            let (below, name) = match part.expr_kind() {
                ExprKind::GetAttr { expr, attr } | ExprKind::HasAttr { expr, attr } => (expr, attr),
                ExprKind::ExtHasAttr { expr, attrs } => {
                    // Behind the first of them may stand an entity.
                    found.attributes.extend(attrs.iter().map(SmolStr::as_str));
                    (expr, attrs.first())
                }
                ExprKind::Var(Var::Context) => {
                    found.whole_context = true;
                    continue;
                }
                _ => {
                    open.extend(parts(part));
                    continue;
                }
            };
            if matches!(below.expr_kind(), ExprKind::Var(Var::Context)) {
                found.context.insert(name);
            } else {
                found.attributes.insert(name);
                open.push(below);
            }
        }
        found
    }

    fn any_of(&self, missing: &Missing) -> bool {
        let of = |read: &BTreeSet<&str>, names: &BTreeSet<String>| {
            names.iter().any(|name| read.contains(name.as_str()))
        };
        of(&self.attributes, &missing.attributes)
            || of(&self.context, &missing.context)
            || self.whole_context && !missing.context.is_empty()
    }
}

/// The policies by what they read.
#[derive(Debug, Default)]
pub(super) struct Readers {
    attributes: HashMap<SmolStr, Vec<PolicyID>>,
    context: HashMap<SmolStr, Vec<PolicyID>>,
    whole_context: Vec<PolicyID>,
}

impl Readers {
    /// Linear in the policies' texts.
    pub(super) fn of<'a>(policies: impl Iterator<Item = &'a Policy>) -> Self {
        let mut readers = Self::default();
        for policy in policies {
            let Some(condition) = policy.non_scope_constraints() else { continue };
            let reads = Reads::of(condition);
            for (names, by_name) in
                [(reads.attributes, &mut readers.attributes), (reads.context, &mut readers.context)]
            {
                for name in names {
                    by_name.entry(name.into()).or_default().push(policy.id().clone());
                }
            }
            if reads.whole_context {
                readers.whole_context.push(policy.id().clone());
            }
        }
        readers
    }

    /// Those that read any of the members, some more than once.
    fn of_any<'a>(&'a self, missing: &'a Missing) -> impl Iterator<Item = &'a PolicyID> {
        let by_name = |names: &'a BTreeSet<String>, of: &'a HashMap<SmolStr, Vec<PolicyID>>| {
            names.iter().filter_map(|name| of.get(name.as_str())).flatten()
        };
        let whole = (!missing.context.is_empty()).then_some(&self.whole_context);
        by_name(&missing.attributes, &self.attributes)
            .chain(by_name(&missing.context, &self.context))
            .chain(whole.into_iter().flatten())
    }
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
    fn the_readers_of_a_member_are_the_policies_whose_text_names_it() {
        let conditions = [
            "principal has office && principal.office == \"Bern\"",
            "principal has manager.office",
            "context has from && context.from == context.from",
            "context == context",
            "principal.level > 1",
        ];
        let ids = ["a", "b", "c", "d", "e"];
        let text = ids.iter().zip(conditions).map(|(id, body)| always(id, "permit", body));
        let set = policies(&text.collect::<Vec<_>>().join("\n")).unwrap();
        let some = |name: &str| BTreeSet::from([name.to_owned()]);
        let missing = |attributes, context| Missing { attributes, context };
        for (missing, expected) in [
            (missing(some("office"), BTreeSet::new()), "ab"),
            (missing(some("manager"), BTreeSet::new()), "b"),
            (missing(BTreeSet::new(), some("from")), "cd"),
            (missing(some("level"), some("mfa")), "de"),
            (missing(some("from"), BTreeSet::new()), ""),
        ] {
            let found: BTreeSet<_> = set.readers().of_any(&missing).map(PolicyID::as_ref).collect();
            assert_eq!(found.into_iter().collect::<String>(), expected, "{missing:?}");
            let one_by_one = set.set().policies().filter(|policy| {
                policy.non_scope_constraints().is_some_and(|it| Reads::of(it).any_of(&missing))
            });
            let ids: BTreeSet<&str> = one_by_one.map(|policy| policy.id().as_ref()).collect();
            assert_eq!(ids.into_iter().collect::<String>(), expected, "{missing:?}");
        }
    }

    #[test]
    fn a_schema_without_personal_members_makes_no_policy_personal() {
        let set = policies(&always("a", "permit", "principal.level > 1")).unwrap();
        assert!(!set.reads_personal(&"a".parse().unwrap()));
        assert_eq!(set.schema().personal_attributes(uid("User", "a").kind()).len(), 0);
    }
}
