//! The clauses of a policy, as their author wrote them: each part of its scope, each
//! conjunct of each `when`, each alternative of each `unless`.
//!
//! # Why they are the policy
//! Cedar evaluates `scope && (condition && (condition && …))`, where an `unless { e }` is
//! the condition `!(e)`. `&&` goes from left to right, looks at nothing behind what is
//! false, and errs with its first operand that errs or is no Boolean; so it does not
//! matter how a chain of them is bracketed, and `!(a || b)` is `!a && !b` in all of this.
//! A policy therefore applies exactly if each of its clauses holds, asked in this order:
//! of an `unless` that is to say that it is false.

use std::fmt;

use cedar_policy_core::ast::{self, ActionConstraint, BinaryOp, Expr, ExprKind, UnaryOp};
use cedar_policy_core::parser::Loc;
use serde::{Deserialize, Serialize};

use super::excerpt::{Span, locate};
use super::{CompiledPolicies, scan};
use crate::model::PolicyId;

/// The longest text that is shown of a clause, in characters.
const TEXT_CHARS_MAX: usize = 400;

/// Where in a policy a clause stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Whom the scope asks for.
    Principal,
    /// What the scope asks to be done.
    Action,
    /// To what.
    Resource,
    /// It must be true for the policy to apply.
    When,
    /// It must be false for the policy to apply.
    Unless,
}

impl Part {
    /// The word used in Cedar.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Principal => "principal",
            Self::Action => "action",
            Self::Resource => "resource",
            Self::When => "when",
            Self::Unless => "unless",
        }
    }

    /// True if it is part of the scope.
    #[must_use]
    pub const fn is_scope(self) -> bool {
        matches!(self, Self::Principal | Self::Action | Self::Resource)
    }

    /// What a clause here must be for the policy to apply.
    #[must_use]
    pub const fn wanted(self) -> bool {
        !matches!(self, Self::Unless)
    }
}

/// One clause of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Clause {
    /// Where it stands.
    pub part: Part,
    /// Its text, without the `when` or `unless`, on one line; a link's scope with its slots
    /// filled. At most 400 characters.
    pub text: String,
    /// The line on which it begins, in the text of its own policy or template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            Part::When | Part::Unless => write!(f, "{} {{ {} }}", self.part.as_str(), self.text),
            Part::Principal | Part::Action | Part::Resource => f.write_str(&self.text),
        }
    }
}

impl CompiledPolicies {
    /// The clauses of a policy or link in the order in which they are asked: the three parts
    /// of the scope, then the conditions. None for a template by itself, which nobody
    /// asks. Linear in the policy's text.
    #[must_use]
    pub fn clauses(&self, id: &PolicyId) -> Vec<Clause> {
        self.policy(id).map(clauses).unwrap_or_default()
    }

    /// The policies and links, in order of their names: all that a question is asked of.
    pub fn asked(&self) -> impl Iterator<Item = &PolicyId> {
        self.ids().filter(|id| self.policy(id).is_some())
    }

    /// A policy or link; nothing for a template by itself.
    pub(super) fn policy(&self, id: &PolicyId) -> Option<&ast::Policy> {
        self.set().get(&ast::PolicyID::from_string(id.as_str()))
    }
}

fn clauses(policy: &ast::Policy) -> Vec<Clause> {
    let conditions = conditions(policy).into_iter();
    scope(policy).into_iter().chain(conditions.map(|(part, expr)| clause(part, expr))).collect()
}

/// The three parts of a policy's scope.
pub(super) fn scope(policy: &ast::Policy) -> [Clause; 3] {
    let whole = policy.loc().map_or("", |loc| &*loc.src);
    let part = |part: Part, text: String| Clause {
        part,
        text: one_line(&text),
        line: scan::find_word(whole, part.as_str()).map(|span| locate(whole, span).line),
    };
    [
        part(Part::Principal, policy.principal_constraint().to_string()),
        part(Part::Action, action(policy.action_constraint())),
        part(Part::Resource, policy.resource_constraint().to_string()),
    ]
}

/// As Cedar writes it, with a space behind each comma.
fn action(constraint: &ActionConstraint) -> String {
    let ActionConstraint::In(actions) = constraint else { return constraint.to_string() };
    let actions: Vec<_> = actions.iter().map(ToString::to_string).collect();
    format!("action in [{}]", actions.join(", "))
}

/// The conditions of a policy in the order in which they are asked.
pub(super) fn conditions(policy: &ast::Policy) -> Vec<(Part, &Expr)> {
    let mut found = Vec::new();
    let mut open: Vec<_> =
        policy.non_scope_constraints().map(|body| (Part::When, body)).into_iter().collect();
    while let Some((part, expr)) = open.pop() {
        match (part, expr.expr_kind()) {
            (Part::When, ExprKind::And { left, right })
            | (Part::Unless, ExprKind::Or { left, right }) => {
                open.extend([(part, right.as_ref()), (part, left.as_ref())]);
            }
            (Part::When, ExprKind::UnaryApp { op: UnaryOp::Not, arg }) if is_unless(expr) => {
                open.push((Part::Unless, arg));
            }
            _ => found.push((part, expr)),
        }
    }
    found
}

/// True if this negation is an `unless`: its place is then that of the whole clause.
fn is_unless(negation: &Expr) -> bool {
    written(negation).is_some_and(|text| text.starts_with("unless"))
}

/// True if this negation is written as one: Cedar has none of `!=`, `>` and `>=`, and
/// denies their opposite.
pub(super) fn is_negation(negation: &Expr) -> bool {
    written(negation).is_none_or(|text| text.starts_with('!'))
}

fn written(expr: &Expr) -> Option<&str> {
    expr.source_loc().and_then(Loc::snippet)
}

pub(super) fn clause(part: Part, expr: &Expr) -> Clause {
    Clause { part, text: text(expr), line: line(expr) }
}

/// An expression as its author wrote it, on one line and without comments.
pub(super) fn text(expr: &Expr) -> String {
    one_line(&written(expr).map_or_else(|| expr.to_string(), scan::without_comments))
}

fn line(expr: &Expr) -> Option<u32> {
    let loc = expr.source_loc()?;
    Some(locate(&loc.src, Span::new(loc.start(), loc.end())).line)
}

/// The text with its line breaks taken out, and not too long.
fn one_line(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    shortened(&lines.join(" "), TEXT_CHARS_MAX)
}

/// At most so many characters of a text, and a sign where it was cut.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// The way to a value from one of the four variables, such as `context.session.aal`.
pub(super) fn path(expr: &Expr) -> Option<(String, Vec<String>)> {
    let mut names = Vec::new();
    let mut at = expr;
    let root = loop {
        match at.expr_kind() {
            ExprKind::GetAttr { expr, attr } => {
                names.push(attr.to_string());
                at = expr;
            }
            ExprKind::Var(var) => break var.to_string(),
            ExprKind::BinaryApp { op: BinaryOp::GetTag, .. } => break text(at),
            _ => return None,
        }
    };
    names.reverse();
    let plain = |name: &str| name.chars().all(|c| c == '_' || c.is_alphanumeric());
    let member = |name: &String| {
        if plain(name) { format!(".{name}") } else { format!("[\"{}\"]", name.escape_debug()) }
    };
    let written = names.iter().map(member).collect::<String>();
    Some((format!("{root}{written}"), names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cedar::example::{policies, shown, uid};
    use crate::cedar::{Limits, example, read_policies};
    use crate::model::{PolicyBody, PolicySource, SetKind};

    fn told(text: &str) -> Vec<String> {
        let policies = policies(text).unwrap_or_else(|faults| panic!("{}", shown(&faults)));
        let clauses = policies.clauses(&"a".parse().unwrap());
        let told = |it: &Clause| format!("{}: {it}", it.line.unwrap_or_default());
        clauses.iter().map(told).collect()
    }

    #[test]
    fn each_conjunct_stands_alone_as_it_was_written() {
        let text = "// why\n@id(\"a\")\npermit (\n  principal in Group::\"staff\",\n  action in \
                    [Action::\"view\", Action::\"edit\"],\n  resource is Document\n)\nwhen {\n  \
                    context.mfa && (principal.level   > 2 ||\n    resource.owner == principal)\n}\n\
                    when { principal has office }\nunless { context has tags || !(context has \
                    at) };";
        let expected = [
            "4: principal in Group::\"staff\"",
            "5: action in [Action::\"view\", Action::\"edit\"]",
            "6: resource is Document",
            "9: when { context.mfa }",
            "9: when { principal.level   > 2 || resource.owner == principal }",
            "12: when { principal has office }",
            "13: unless { context has tags }",
            "13: unless { !(context has at) }",
        ];
        assert_eq!(told(text), expected);
    }

    #[test]
    fn a_comment_within_a_clause_is_left_out() {
        let text = "@id(\"a\") permit (principal, action, resource) when {\n  principal.level // \
                    of trust\n  > 2 };";
        assert_eq!(told(text).last().unwrap(), "2: when { principal.level > 2 }");
    }

    #[test]
    fn a_negation_is_no_unless() {
        let text = "@id(\"a\") permit (principal, action, resource) when { !(context.mfa || \
                    principal.level > 2) };";
        let expected = "1: when { !(context.mfa || principal.level > 2) }";
        assert_eq!(told(text).last().unwrap(), expected);
    }

    #[test]
    fn the_scope_of_a_link_has_its_slots_filled() {
        let text = "@id(\"t\") permit (principal == ?principal, action, resource in ?resource);";
        let mut sources = read_policies("p", text, &Limits::default()).unwrap();
        let body = PolicyBody::Link {
            template: "t".parse().unwrap(),
            principal: Some(uid("User", "alice")),
            resource: Some(uid("Folder", "plans")),
        };
        sources.push(PolicySource { id: "l".parse().unwrap(), body });
        let schema = example::schema();
        let limits = Limits::default();
        let kind = SetKind::Application;
        let policies = CompiledPolicies::compile(&sources, &schema, kind, &limits).unwrap();
        let clauses = policies.clauses(&"l".parse().unwrap());
        let texts: Vec<_> = clauses.iter().map(|clause| clause.text.as_str()).collect();
        let expected = ["principal == User::\"alice\"", "action", "resource in Folder::\"plans\""];
        assert_eq!(texts, expected);
        assert_eq!(policies.clauses(&"t".parse().unwrap()), []);
        assert_eq!(policies.asked().map(PolicyId::as_str).collect::<Vec<_>>(), ["l"]);
    }

    #[test]
    fn a_long_clause_is_cut_and_says_so() {
        let long = format!("context.mfa == (\"{}\" == \"\")", "x".repeat(500));
        let text = example::always("a", "permit", &long);
        let last = told(&text).pop().unwrap();
        assert!(last.ends_with("… }") && last.chars().count() < 420, "{last}");
    }
}
