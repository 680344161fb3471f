//! Policies held against a question, clause by clause: what each was, and what was found
//! where it looked.

use std::cell::Cell;
use std::collections::BTreeSet;

use cedar_policy_core::ast::{self, EntityUID, Expr, ExprKind, UnaryOp, Var};
use cedar_policy_core::entities::Entities;
use cedar_policy_core::evaluator::{EvaluationError, Evaluator};
use cedar_policy_core::extensions::Extensions;
use serde::{Deserialize, Serialize};

use super::clauses::{self, Clause, Part, shortened};
use super::scope::Asked;
use super::seen::{Eye, Seen};
use super::slice::slice;
use super::{CompiledPolicies, Effect, EntitySource, Question};
use crate::model::PolicyId;

/// What is told of an error that may repeat something personal.
pub const ERRED_ON_PERSONAL: &str = "an error in a policy that reads something personal";

/// How many pieces of a policy's conditions are told one by one, and how deep.
const PIECES_MAX: usize = 64;
const DEPTH_MAX: usize = 8;

/// The longest message of an error, in characters.
const MESSAGE_CHARS_MAX: usize = 512;

/// What a condition was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "truth", rename_all = "snake_case")]
pub enum Truth {
    /// It was true.
    True,
    /// It was false.
    False,
    /// It could not be evaluated, and with it the policy.
    Error {
        /// Why not, in Cedar's words.
        message: String,
    },
    /// What stands before it had settled the matter.
    NotReached {
        /// What it would have been by itself; absent if it makes no sense by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alone: Option<bool>,
    },
}

impl Truth {
    const fn of(truth: bool) -> Self {
        if truth { Self::True } else { Self::False }
    }

    /// True or false, if it was reached.
    #[must_use]
    pub const fn known(&self) -> Option<bool> {
        match self {
            Self::True => Some(true),
            Self::False => Some(false),
            Self::Error { .. } | Self::NotReached { .. } => None,
        }
    }
}

/// A piece of a condition: an operand of `&&`, `||`, `!` or `if`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// As it is written.
    pub text: String,
    /// What it was.
    #[serde(flatten)]
    pub truth: Truth,
    /// What was found where it looked, if it has no pieces of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Seen>,
    /// What it is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pieces: Vec<Piece>,
}

/// A clause held against a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClauseWeighed {
    /// The clause.
    #[serde(flatten)]
    pub clause: Clause,
    /// What it was.
    #[serde(flatten)]
    pub truth: Truth,
    /// What was found where it looked, if it has no pieces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Seen>,
    /// What it is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pieces: Vec<Piece>,
}

impl ClauseWeighed {
    /// Whether it lets its policy apply, if it was reached.
    #[must_use]
    pub fn holds(&self) -> Option<bool> {
        self.truth.known().map(|truth| truth == self.clause.part.wanted())
    }

    /// True if it keeps its policy from applying, reached or by itself.
    #[must_use]
    pub fn fails(&self) -> bool {
        let truth = match &self.truth {
            Truth::NotReached { alone } => *alone,
            other => other.known(),
        };
        truth.is_some_and(|truth| truth != self.clause.part.wanted())
    }
}

/// What became of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Each of its clauses holds.
    Applies,
    /// One does not.
    DoesNotApply,
    /// One could not be evaluated, and Cedar leaves the policy out.
    Erred {
        /// Why not, in Cedar's words.
        message: String,
    },
}

/// A policy held against a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyWeighed {
    /// Its name.
    pub policy: PolicyId,
    /// What it does when it applies.
    pub effect: Effect,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Its clauses, in the order in which they are asked.
    pub clauses: Vec<ClauseWeighed>,
}

impl PolicyWeighed {
    /// How many of its clauses keep it from applying.
    #[must_use]
    pub fn failing(&self) -> usize {
        self.clauses.iter().filter(|clause| clause.fails()).count()
    }
}

/// A policy whose scope holds, or all but one part of it, and that one could.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near {
    /// Its name.
    pub policy: PolicyId,
    /// What it does when it applies.
    pub effect: Effect,
    /// The part that does not hold.
    pub but_for: Option<Part>,
}

impl CompiledPolicies {
    /// Holds policies against a question. What each comes to is what it comes to in
    /// [`CompiledPolicies::evaluate`], in the same words. Names of templates and of nobody
    /// are left out. Costs two or three evaluations of each, and its text.
    ///
    /// Personal values are never among those found.
    #[must_use]
    pub fn weigh<'a>(
        &self,
        question: &Question,
        source: &dyn EntitySource,
        ids: impl IntoIterator<Item = &'a PolicyId>,
    ) -> Vec<PolicyWeighed> {
        let weighed = self.on_scale(question, source, |scale| {
            ids.into_iter().filter_map(|id| scale.policy(id)).collect()
        });
        weighed.unwrap_or_default()
    }

    /// What each clause of each policy was, in the order of
    /// [`CompiledPolicies::clauses`]: all of [`CompiledPolicies::weigh`] but the texts and
    /// values, for who asks many questions. Costs an evaluation of each policy.
    #[must_use]
    pub fn truths(
        &self,
        question: &Question,
        source: &dyn EntitySource,
    ) -> Vec<(PolicyId, Vec<Truth>)> {
        let truths = self.on_scale(question, source, |scale| {
            let of = |id: &PolicyId| Some((id.clone(), scale.truths(id, self.policy(id)?)));
            self.asked().filter_map(of).collect()
        });
        truths.unwrap_or_default()
    }

    /// The policies whose scope holds, and those of which one part does not though it could
    /// for entities of these types, in order of their names. Linear in the policies, a
    /// fraction of a microsecond each.
    #[must_use]
    pub fn near(&self, question: &Question, source: &dyn EntitySource) -> Vec<Near> {
        let near = self.on_scale(question, source, |scale| {
            let kinds = self.request(question);
            let kinds = kinds.as_ref().map(|it| [it.principal(), it.resource()]);
            let kinds = kinds.map(|both| both.map(|it| it.uid().map(EntityUID::entity_type)));
            let could = |policy: &ast::Policy| match kinds {
                Some([Some(who), Some(what)]) => self.schema().could_hold(policy, [who, what]),
                _ => false,
            };
            let of = |core: &ast::Policy| {
                let held = scale.asked.parts(core);
                let parts = [Part::Principal, Part::Action, Part::Resource];
                let mut failing = parts.into_iter().zip(held).filter(|(_, held)| !held);
                let but_for = failing.next().map(|(part, _)| part);
                let (policy, effect) = (self.id(core.id())?.clone(), Effect::of(core.effect()));
                let near = failing.next().is_none() && (but_for.is_none() || could(core));
                near.then_some(Near { policy, effect, but_for })
            };
            let mut near: Vec<_> = self.index().policies().filter_map(of).collect();
            near.sort_by(|one, other| one.policy.cmp(&other.policy));
            near
        });
        near.unwrap_or_default()
    }

    fn on_scale<T>(
        &self,
        question: &Question,
        source: &dyn EntitySource,
        weigh: impl FnOnce(&Scale<'_>) -> T,
    ) -> Option<T> {
        let request = self.request(question)?;
        let entities = slice(question, self.reach(), self.schema(), source)?;
        let asked = Asked::of(&request, &entities)?;
        let evaluator = Evaluator::new(request.clone(), &entities, Extensions::all_available());
        let personal = self.schema().personal_names();
        let scale = Scale {
            policies: self,
            evaluator: &evaluator,
            entities: &entities,
            asked: &asked,
            personal: &personal,
        };
        Some(weigh(&scale))
    }
}

/// A question, ready to have policies held against it.
struct Scale<'a> {
    policies: &'a CompiledPolicies,
    evaluator: &'a Evaluator<'a>,
    entities: &'a Entities,
    asked: &'a Asked<'a>,
    personal: &'a BTreeSet<&'a str>,
}

impl Scale<'_> {
    fn policy(&self, id: &PolicyId) -> Option<PolicyWeighed> {
        let policy = self.policies.policy(id)?;
        let truths = self.truths(id, policy);
        let one = One { scale: self, policy, left: Cell::new(PIECES_MAX) };
        let erred = truths.iter().find_map(|truth| match truth {
            Truth::Error { message } => Some(message.clone()),
            _ => None,
        });
        let mut truths = truths.into_iter();
        let (scope, conditions) = (clauses::scope(policy), clauses::conditions(policy));
        let scope =
            scope.into_iter().zip(truths.by_ref()).map(|(clause, truth)| one.part(clause, truth));
        let mut clauses: Vec<_> = scope.collect();
        clauses.extend(conditions.into_iter().zip(truths).map(|it| one.condition(it)));
        let applies = clauses.iter().all(|clause| clause.holds() == Some(true));
        let outcome = match erred {
            Some(message) => Outcome::Erred { message },
            None if applies => Outcome::Applies,
            None => Outcome::DoesNotApply,
        };
        let effect = Effect::of(policy.effect());
        Some(PolicyWeighed { policy: id.clone(), effect, outcome, clauses })
    }

    /// What each clause was, those of the scope first.
    fn truths(&self, id: &PolicyId, policy: &ast::Policy) -> Vec<Truth> {
        let scope = self.asked.parts(policy);
        let mut reached = scope == [true; 3];
        let mut truths: Vec<_> = scope.into_iter().map(Truth::of).collect();
        for (part, expr) in clauses::conditions(policy) {
            let truth = self.truth(expr, policy, reached, || self.policies.reads_personal(id));
            reached = truth.known() == Some(part.wanted());
            truths.push(truth);
        }
        truths
    }

    fn truth(
        &self,
        expr: &Expr,
        policy: &ast::Policy,
        reached: bool,
        personal: impl FnOnce() -> bool,
    ) -> Truth {
        match (self.value(expr, policy), reached) {
            (Ok(truth), true) => Truth::of(truth),
            (Ok(truth), false) => Truth::NotReached { alone: Some(truth) },
            (Err(_), false) => Truth::NotReached { alone: None },
            (Err(_), true) if personal() => Truth::Error { message: ERRED_ON_PERSONAL.to_owned() },
            (Err(error), true) => {
                Truth::Error { message: shortened(&error.to_string(), MESSAGE_CHARS_MAX) }
            }
        }
    }

    /// Behind the same `true &&` as in [`Index::evaluate`](super::index::Index::evaluate), so that
    /// what is no Boolean errs in the same words.
    fn value(&self, expr: &Expr, policy: &ast::Policy) -> Result<bool, EvaluationError> {
        let conjunct = Expr::and(Expr::val(true), expr.clone());
        let value = self.evaluator.interpret(&conjunct, policy.env())?;
        Ok(matches!(value.value, ast::ValueKind::Lit(ast::Literal::Bool(true))))
    }
}

/// One policy on the scale.
struct One<'a> {
    scale: &'a Scale<'a>,
    policy: &'a ast::Policy,
    /// How many more pieces are told.
    left: Cell<usize>,
}

impl One<'_> {
    fn part(&self, clause: Clause, truth: Truth) -> ClauseWeighed {
        let var = match clause.part {
            Part::Principal => Var::Principal,
            Part::Action => Var::Action,
            Part::Resource | Part::When | Part::Unless => Var::Resource,
        };
        // A scope that leaves its variable open has looked at nothing.
        let open = clause.text == clause.part.as_str();
        let within = clause.part != Part::Action && clause.text.contains(" in ");
        let values = if open { None } else { self.eye().seen(&Expr::var(var), within) };
        ClauseWeighed { clause, truth, values: values.into_iter().collect(), pieces: Vec::new() }
    }

    fn condition(&self, ((part, expr), truth): ((Part, &Expr), Truth)) -> ClauseWeighed {
        let reached = !matches!(truth, Truth::NotReached { .. });
        let pieces = self.pieces(expr, reached, DEPTH_MAX);
        let values = self.values(expr, &truth, &pieces);
        ClauseWeighed { clause: clauses::clause(part, expr), truth, values, pieces }
    }

    fn piece(&self, expr: &Expr, reached: bool, depth: usize) -> Piece {
        let personal = || self.id().is_none_or(|id| self.scale.policies.reads_personal(id));
        let truth = self.scale.truth(expr, self.policy, reached, personal);
        let pieces = self.pieces(expr, reached, depth);
        let values = self.values(expr, &truth, &pieces);
        Piece { text: clauses::text(expr), truth, values, pieces }
    }

    fn id(&self) -> Option<&PolicyId> {
        self.scale.policies.id(self.policy.id())
    }

    fn values(&self, expr: &Expr, truth: &Truth, pieces: &[Piece]) -> Vec<Seen> {
        // Of a member that is itself true or false, that is all there is to know.
        let told = truth.known().is_some() && clauses::path(expr).is_some();
        if told || !pieces.is_empty() { Vec::new() } else { self.eye().within(expr) }
    }

    fn eye(&self) -> Eye<'_> {
        let Scale { evaluator, entities, personal, .. } = self.scale;
        Eye { evaluator, entities, personal, slots: self.policy.env() }
    }

    /// What a condition is made of; nothing if it is made of no conditions, or enough has
    /// been told.
    fn pieces(&self, expr: &Expr, reached: bool, depth: usize) -> Vec<Piece> {
        let operands = operands(expr);
        let Some(left) = self.left.get().checked_sub(operands.len()).filter(|_| depth > 0) else {
            return Vec::new();
        };
        self.left.set(left);
        let mut pieces: Vec<Piece> = Vec::new();
        for (place, operand) in operands.into_iter().enumerate() {
            let known = |at: usize| pieces.get(at).and_then(|piece| piece.truth.known());
            let before = place.checked_sub(1).map(known);
            let reached = reached
                && match (expr.expr_kind(), place) {
                    (ExprKind::And { .. }, 1..) => before == Some(Some(true)),
                    (ExprKind::Or { .. }, 1..) => before == Some(Some(false)),
                    (ExprKind::If { .. }, 1) => known(0) == Some(true),
                    (ExprKind::If { .. }, 2) => known(0) == Some(false),
                    _ => true,
                };
            pieces.push(self.piece(operand, reached, depth - 1));
        }
        pieces
    }
}

/// The conditions that a condition is made of, in the order in which they are asked. A
/// chain of `&&` or of `||` is one.
fn operands(whole: &Expr) -> Vec<&Expr> {
    match whole.expr_kind() {
        ExprKind::UnaryApp { op: UnaryOp::Not, arg } if clauses::is_negation(whole) => vec![arg],
        ExprKind::If { test_expr, then_expr, else_expr } => vec![test_expr, then_expr, else_expr],
        ExprKind::And { .. } | ExprKind::Or { .. } => chain(whole),
        _ => Vec::new(),
    }
}

fn chain(whole: &Expr) -> Vec<&Expr> {
    let mut found = Vec::new();
    let mut open = vec![whole];
    while let Some(part) = open.pop() {
        match (whole.expr_kind(), part.expr_kind()) {
            (ExprKind::And { .. }, ExprKind::And { left, right })
            | (ExprKind::Or { .. }, ExprKind::Or { left, right }) => {
                open.extend([right.as_ref(), left.as_ref()]);
            }
            _ => found.push(part),
        }
    }
    found
}

#[cfg(test)]
mod tests;
