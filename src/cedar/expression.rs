//! Looking through parsed policies, without recursion.

use cedar_policy_core::ast::{EntityType, EntityUID, Expr, ExprKind, Literal};

/// How many operators stand on top of each other at most: how deeply an evaluation
/// recurses. Linear.
pub(super) fn height(whole: &Expr) -> usize {
    let mut most = 0;
    let mut open = vec![(whole, 1)];
    while let Some((part, height)) = open.pop() {
        most = most.max(height);
        open.extend(parts(part).into_iter().map(|part| (part, height + 1)));
    }
    most
}

/// The entity types that a policy names, by themselves or in an entity. Linear.
pub(super) fn types(whole: &Expr) -> Vec<&EntityType> {
    let mut types = Vec::new();
    let mut open = vec![whole];
    while let Some(part) = open.pop() {
        match part.expr_kind() {
            ExprKind::Lit(Literal::EntityUID(uid)) => types.push(uid.entity_type()),
            ExprKind::Is { entity_type, .. } => types.push(entity_type),
            _ => {}
        }
        open.extend(parts(part));
    }
    types
}

/// The entities that a policy names. Linear.
pub(super) fn entities(whole: &Expr) -> Vec<&EntityUID> {
    let mut entities: Vec<&EntityUID> = Vec::new();
    let mut open = vec![whole];
    while let Some(part) = open.pop() {
        if let ExprKind::Lit(Literal::EntityUID(uid)) = part.expr_kind() {
            entities.push(uid);
        }
        open.extend(parts(part));
    }
    entities
}

/// What an expression is made of.
pub(super) fn parts(whole: &Expr) -> Vec<&Expr> {
    match whole.expr_kind() {
        ExprKind::Lit(_) | ExprKind::Var(_) | ExprKind::Slot(_) | ExprKind::Unknown(_) => {
            Vec::new()
        }
        ExprKind::If { test_expr, then_expr, else_expr } => vec![test_expr, then_expr, else_expr],
        ExprKind::And { left, right } | ExprKind::Or { left, right } => vec![left, right],
        ExprKind::UnaryApp { arg, .. } => vec![arg],
        ExprKind::BinaryApp { arg1, arg2, .. } => vec![arg1, arg2],
        ExprKind::GetAttr { expr, .. }
        | ExprKind::HasAttr { expr, .. }
        | ExprKind::ExtHasAttr { expr, .. }
        | ExprKind::Like { expr, .. }
        | ExprKind::Is { expr, .. } => vec![expr],
        ExprKind::ExtensionFunctionApp { args, .. } => args.iter().collect(),
        ExprKind::Set(elements) => elements.iter().collect(),
        ExprKind::Record(members) => members.values().collect(),
    }
}
