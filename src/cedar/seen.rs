//! What a condition found where it looked, in words.

use std::collections::BTreeSet;
use std::fmt;

use cedar_policy_core::ast::{
    self, BinaryOp, EntityUID, Expr, ExprKind, SlotEnv, Value, ValueKind, Var,
};
use cedar_policy_core::entities::{Dereference, Entities};
use cedar_policy_core::evaluator::Evaluator;
use serde::{Deserialize, Serialize};

use super::clauses::{path, shortened};
use super::expression::parts;

/// How many values are told of one condition, and how long each may be in characters.
const VALUES_MAX: usize = 8;
const VALUE_CHARS_MAX: usize = 200;

/// How many of the entities are named that one is in.
const ABOVE_MAX: usize = 12;

/// What was found in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The place as Cedar writes it, such as `context.session.aal`.
    pub at: String,
    /// What was there.
    #[serde(flatten)]
    pub found: Found,
    /// The members on the way there, from the outside in.
    #[serde(skip)]
    pub names: Vec<String>,
}

impl fmt::Display for Seen {
    /// In words, as part of a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = &self.at;
        match &self.found {
            Found::Known { value, is_in: None, .. } => write!(f, "`{at}` was {value}"),
            Found::Known { value, is_in: Some(above), .. } if above.is_empty() => {
                write!(f, "`{at}` was {value}, which is in nothing")
            }
            Found::Known { value, is_in: Some(above), more } => {
                write!(f, "`{at}` was {value}, which is in {}", above.join(", "))?;
                if *more > 0 { write!(f, " and {more} more") } else { Ok(()) }
            }
            Found::Absent => write!(f, "there was no `{at}`"),
            Found::Personal => write!(f, "`{at}` is personal and not shown"),
            Found::Sealed => write!(f, "`{at}` is sealed, and its key is not at hand"),
            Found::Erased => write!(f, "`{at}` has been erased"),
        }
    }
}

/// What was there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Found {
    /// This value.
    Known {
        /// As Cedar writes it; at most 200 characters.
        value: String,
        /// What the entity is in, directly or not, where that was asked: in order, the first
        /// twelve.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        is_in: Option<Vec<String>>,
        /// How many more it is in.
        #[serde(default, skip_serializing_if = "is_zero")]
        more: usize,
    },
    /// Nothing.
    Absent,
    /// Something personal, which is not told.
    Personal,
    /// Nothing that can be seen: the key to it is not at hand.
    Sealed,
    /// Nothing any more: it has been erased.
    Erased,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Looks where conditions look.
pub(super) struct Eye<'a> {
    pub(super) evaluator: &'a Evaluator<'a>,
    pub(super) entities: &'a Entities,
    /// The members that are personal, by their outermost names.
    pub(super) personal: &'a BTreeSet<&'a str>,
    pub(super) slots: &'a SlotEnv,
}

impl Eye<'_> {
    /// What is found in each place that a condition looks at, each once, in the order in
    /// which they stand.
    pub(super) fn within(&self, condition: &Expr) -> Vec<Seen> {
        let mut all: Vec<Seen> = Vec::new();
        for (place, is_in) in places(condition) {
            if all.len() == VALUES_MAX {
                break;
            }
            let seen = self.seen(place, is_in);
            all.extend(seen.filter(|seen| all.iter().all(|other| other.at != seen.at)));
        }
        all
    }

    /// What is found in one place; and, if it is an entity and wanted, what that is in.
    pub(super) fn seen(&self, place: &Expr, is_in: bool) -> Option<Seen> {
        let (at, names) = path(place)?;
        let found = match self.evaluator.interpret(place, self.slots) {
            Err(_) => Found::Absent,
            Ok(value) if self.is_personal(&names, &value) => Found::Personal,
            Ok(value) => self.known(&value, is_in),
        };
        Some(Seen { at, found, names })
    }

    fn known(&self, value: &Value, is_in: bool) -> Found {
        let above = match &value.value {
            ValueKind::Lit(ast::Literal::EntityUID(uid)) if is_in => Some(self.above(uid)),
            _ => None,
        };
        let all = above.as_ref().map_or(0, Vec::len);
        Found::Known {
            value: shortened(&value.to_string(), VALUE_CHARS_MAX),
            is_in: above.map(|above| above.into_iter().take(ABOVE_MAX).collect()),
            more: all.saturating_sub(ABOVE_MAX),
        }
    }

    fn above(&self, uid: &EntityUID) -> Vec<String> {
        let Dereference::Data(entity) = self.entities.entity(uid) else { return Vec::new() };
        let mut above: Vec<_> = entity.ancestors().map(ToString::to_string).collect();
        above.sort_unstable();
        above
    }

    fn is_personal(&self, names: &[String], value: &Value) -> bool {
        let personal = |name: &str| self.personal.contains(name);
        names.iter().any(|name| personal(name)) || holds(value, &personal)
    }
}

/// True if a record, or one in it, has a member of such a name.
fn holds(value: &Value, name: &dyn Fn(&str) -> bool) -> bool {
    match &value.value {
        ValueKind::Lit(_) | ValueKind::ExtensionValue(_) => false,
        ValueKind::Set(set) => set.iter().any(|element| holds(element, name)),
        ValueKind::Record(members) => {
            members.iter().any(|(member, value)| name(member) || holds(value, name))
        }
    }
}

/// The places that a condition looks at, and whether it asks what the entity there is in.
fn places(condition: &Expr) -> Vec<(&Expr, bool)> {
    let mut found = Vec::new();
    let mut open = vec![(condition, false)];
    while let Some((expr, is_in)) = open.pop() {
        match expr.expr_kind() {
            // All of the context is too much to tell.
            ExprKind::Var(Var::Context) => {}
            ExprKind::HasAttr { expr, .. } | ExprKind::ExtHasAttr { expr, .. } => {
                // Whose the member is says nothing about whether it is there.
                if !matches!(expr.expr_kind(), ExprKind::Var(_)) {
                    open.push((expr, false));
                }
            }
            ExprKind::BinaryApp { op: BinaryOp::In, arg1, arg2 } => {
                open.extend([(arg2.as_ref(), false), (arg1.as_ref(), true)]);
            }
            _ if path(expr).is_some() => found.push((expr, is_in)),
            _ => open.extend(parts(expr).into_iter().rev().map(|part| (part, false))),
        }
    }
    found
}
