//! What a caller could say that policies listen to.

use std::collections::BTreeSet;

use cedar_policy_core::ast::{Expr, ExprKind, Literal, Var};
use serde_json::{Value, json};

use super::CompiledPolicies;
use super::expression::parts;
use super::types::{Kind, Record};
use crate::model::{EntityType, Uid};

/// How many values of one member are thought of.
const VALUES_MAX: usize = 8;

/// Where a caller says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Said {
    /// About the subject.
    Subject,
    /// About the resource.
    Resource,
    /// In the context.
    Context,
}

impl Said {
    /// `subject`, `resource` or `context`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Resource => "resource",
            Self::Context => "context",
        }
    }
}

/// A member about which a caller has a say, and the values worth saying.
#[derive(Clone, Debug, PartialEq)]
pub struct Sayable {
    /// Where it is said.
    pub place: Said,
    /// The member's name.
    pub name: String,
    /// The values that policies tell apart: both Booleans; for a text or a number those that
    /// stand in a policy which reads a member of that name, for a number its neighbours too.
    pub values: Vec<Value>,
    /// False if there are more than are thought of.
    pub all: bool,
}

impl CompiledPolicies {
    /// What a caller could say about a principal and a resource of these types and in the
    /// context of an action, as far as any policy reads it: attributes that the schema
    /// annotates `@caller`, and members of the context. Only Booleans, texts and numbers;
    /// `ours` are members of the context that no caller says. Linear in the policies.
    #[must_use]
    pub fn sayable(
        &self,
        (principal, action, resource): (&EntityType, &Uid, &EntityType),
        ours: &[&str],
    ) -> Vec<Sayable> {
        let tables = self.schema().tables();
        let mut found = Vec::new();
        for (place, kind) in [(Said::Subject, principal), (Said::Resource, resource)] {
            let Some(table) = tables.entities.get(kind) else { continue };
            for name in table.callers.keys() {
                found.extend(self.values(&table.attributes, place, name));
            }
        }
        if let Some(table) = tables.actions.get(action) {
            let names = table.context.members.keys().map(smol_str::SmolStr::as_str);
            for name in names.filter(|name| !ours.contains(name)) {
                found.extend(self.values(&table.context, Said::Context, name));
            }
        }
        found
    }

    fn values(&self, record: &Record, place: Said, name: &str) -> Option<Sayable> {
        let kind = &record.members.get(name)?.kind;
        let bodies = self.set().policies().filter_map(|policy| policy.non_scope_constraints());
        let mut literals = BTreeSet::new();
        let mut is_read = false;
        for body in bodies {
            let found = look(body, name, place == Said::Context);
            is_read |= found.is_some();
            literals.extend(found.into_iter().flatten());
        }
        let values: Vec<_> = match kind {
            Kind::Bool => vec![json!(true), json!(false)],
            Kind::Text => literals.iter().filter_map(Spoken::text).collect(),
            Kind::Long => literals.iter().flat_map(Spoken::numbers).map(Value::from).collect(),
            Kind::Entity(_) | Kind::Set(_) | Kind::Record(_) | Kind::Extension(_) => Vec::new(),
        };
        let all = values.len() <= VALUES_MAX;
        let values: Vec<_> = values.into_iter().take(VALUES_MAX).collect();
        let some = is_read && !values.is_empty();
        some.then(|| Sayable { place, name: name.to_owned(), values, all })
    }
}

/// A literal of a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Spoken {
    Text(String),
    Number(i64),
}

impl Spoken {
    fn text(&self) -> Option<Value> {
        match self {
            Self::Text(text) => Some(json!(text)),
            Self::Number(_) => None,
        }
    }

    fn numbers(&self) -> BTreeSet<i64> {
        match self {
            Self::Text(_) => BTreeSet::new(),
            Self::Number(n) => BTreeSet::from([n.saturating_sub(1), *n, n.saturating_add(1)]),
        }
    }
}

/// The literals of a condition, if it reads a member of this name. Linear, without
/// recursion.
fn look(whole: &Expr, name: &str, of_context: bool) -> Option<Vec<Spoken>> {
    let (mut reads, mut literals, mut open) = (false, Vec::new(), vec![whole]);
    while let Some(part) = open.pop() {
        match part.expr_kind() {
            ExprKind::Lit(Literal::String(text)) => literals.push(Spoken::Text(text.to_string())),
            ExprKind::Lit(Literal::Long(number)) => literals.push(Spoken::Number(*number)),
            ExprKind::GetAttr { expr, attr } | ExprKind::HasAttr { expr, attr } => {
                let context = matches!(expr.expr_kind(), ExprKind::Var(Var::Context));
                reads |= attr == name && context == of_context;
            }
            _ => {}
        }
        open.extend(parts(part));
    }
    reads.then_some(literals)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cedar::example::{always, policies, uid};

    fn sayable(when: &str) -> Vec<(Said, String, Vec<Value>)> {
        let set = policies(&always("a", "permit", when)).unwrap();
        let [user, document] = ["User", "Document"].map(|kind| EntityType::new(kind).unwrap());
        let all = set.sayable((&user, &uid("Action", "view"), &document), &["at"]);
        all.into_iter().map(|it| (it.place, it.name, it.values)).collect()
    }

    #[test]
    fn what_policies_compare_with_is_worth_saying() {
        let office = "principal has office && [\"Bern\", \"Uri\"].contains(principal.office)";
        let texts = vec![json!("Bern"), json!("Uri")];
        assert_eq!(sayable(office), [(Said::Subject, "office".to_owned(), texts)]);
        let both = vec![json!(true), json!(false)];
        assert_eq!(sayable("context.mfa"), [(Said::Context, "mfa".to_owned(), both)]);
    }

    #[test]
    fn what_no_policy_reads_and_no_caller_may_say_is_not() {
        assert_eq!(sayable("principal.level > 3"), []);
        assert_eq!(sayable("context has from"), []);
        assert_eq!(sayable("resource.owner has office"), []);
    }
}
