//! Each policy evaluated once before it comes in force.
//!
//! Cedar gives up an evaluation when little stack is left, and a `forbid` given up does not
//! forbid. The limit on height keeps every admitted policy below that on a worker; this is
//! the second net, for a build of Cedar that takes more stack than the one measured.

use std::collections::HashSet;
use std::thread;

use cedar_policy_core::ast::{self, Eid, EntityUID, EntityUIDEntry, Request};
use cedar_policy_core::entities::Entities;
use cedar_policy_core::evaluator::{EvaluationError, Evaluator};
use cedar_policy_core::extensions::Extensions;

use super::{CompiledPolicies, CompiledSchema, Fault, codes};

/// No larger than the stack of the threads that decide: 2 MiB, of which the server's own
/// frames take some. Unoptimised, Cedar takes ten times the stack, and so do its tests.
const STACK_BYTES: usize = if cfg!(debug_assertions) { 8 * 1024 } else { 1_536 } * 1024;

impl CompiledPolicies {
    /// Evaluates each policy once, on a stack no larger than that of the threads that
    /// decide; before the set is put in force, not when it is folded again: what is in force
    /// is not up to the machine. About 1 µs a policy.
    ///
    /// # Errors
    /// A fault for each policy whose evaluation was given up for want of stack.
    pub fn tried(&self) -> Result<(), Vec<Fault>> {
        all(self.set(), self.schema())
    }
}

/// Evaluates the conditions of all policies for a request that the schema knows, without
/// any entities. What comes of it does not matter, only that it comes to an end by itself.
/// About 1 µs a policy.
///
/// # Errors
/// A fault for each policy whose evaluation was given up for want of stack;
/// [`codes::INTERNAL`] if there is no thread to try it on.
fn all(set: &ast::PolicySet, schema: &CompiledSchema) -> Result<(), Vec<Fault>> {
    let Some(request) = request(schema) else { return Ok(()) };
    let work = || {
        let entities = Entities::new();
        let evaluator = Evaluator::new(request, &entities, Extensions::all_available());
        let given_up = |policy: &&ast::Policy| {
            let condition = policy.non_scope_constraints();
            let tried = condition.map(|condition| evaluator.interpret(condition, policy.env()));
            matches!(tried, Some(Err(EvaluationError::RecursionLimit(_))))
        };
        let ids = set.policies().filter(given_up).map(|policy| policy.template().id().to_string());
        ids.collect::<HashSet<_>>()
    };
    let tried = thread::scope(|scope| {
        let small = thread::Builder::new().name("trial".to_owned()).stack_size(STACK_BYTES);
        small.spawn_scoped(scope, work).map(thread::ScopedJoinHandle::join)
    });
    match tried {
        Ok(Ok(ids)) if ids.is_empty() => Ok(()),
        Ok(Ok(ids)) => Err(ids.into_iter().map(|id| given_up(&id)).collect()),
        Ok(Err(_)) => Err(vec![Fault::new(codes::INTERNAL, "a trial evaluation failed")]),
        Err(error) => {
            let message = format!("no thread for a trial evaluation: {error}");
            Err(vec![Fault::new(codes::INTERNAL, message)])
        }
    }
}

fn given_up(id: &str) -> Fault {
    let fault = Fault::new(
        codes::POLICY_NESTING,
        "it cannot be evaluated within the stack of the threads that decide",
    );
    let fault = fault.with_help("split it into several policies");
    match id.parse() {
        Ok(id) => fault.about(&id),
        Err(_) => fault,
    }
}

/// A request for the first action that applies to anything; none if there is no such.
fn request(schema: &CompiledSchema) -> Option<Request> {
    let tables = schema.tables();
    let (action, table) = tables
        .actions
        .iter()
        .filter(|(_, table)| !table.principals.is_empty() && !table.resources.is_empty())
        .min_by_key(|(action, _)| *action)?;
    let of_type = |kind| {
        let core = tables.entities.get(kind).map(|table| table.core.clone())?;
        let uid = EntityUID::from_components(core, Eid::new("trial"), None);
        Some(EntityUIDEntry::known(uid, None))
    };
    Some(Request::new_unchecked(
        of_type(table.principals.first()?)?,
        EntityUIDEntry::known(tables.core_uid(action)?, None),
        of_type(table.resources.first()?)?,
        Some(ast::Context::empty()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cedar::example::{SCHEMA, always, compiled, policies, schema, shown};
    use crate::cedar::{Limits, read_policies};
    use crate::model::SetKind;

    #[test]
    fn a_policy_too_tall_for_a_worker_is_refused_by_name_even_if_the_limit_lets_it_pass() {
        let limits = Limits { height: 100_000, policy_bytes: 100_000, ..Limits::default() };
        let tall = always("tall", "forbid", &format!("true{}", " && context.mfa".repeat(2_500)));
        let text = always("low", "permit", "context.mfa") + &tall;
        let sources = read_policies("p", &text, &limits).unwrap();
        let policies =
            CompiledPolicies::compile(&sources, &schema(), SetKind::Application, &limits);
        let faults = policies.unwrap().tried().unwrap_err();
        let [fault] = faults.as_slice() else { panic!("{}", shown(&faults)) };
        assert_eq!(fault.code, codes::POLICY_NESTING);
        assert_eq!(fault.policy.as_ref().unwrap().as_str(), "tall");
    }

    #[test]
    fn errors_of_other_kinds_are_no_hindrance() {
        assert!(policies(&always("a", "forbid", "principal.level / 0 > 1")).is_err());
        assert!(policies(&always("a", "forbid", "principal.level > 1")).is_ok());
    }

    #[test]
    fn a_schema_with_nothing_to_ask_about_needs_no_trial() {
        assert!(request(&compiled(SCHEMA).unwrap_or_else(|_| unreachable!())).is_some());
        let bare = compiled("entity User;").unwrap_or_else(|faults| panic!("{}", shown(&faults)));
        assert!(request(&bare).is_none());
        assert_eq!(all(&ast::PolicySet::new(), &bare), Ok(()));
    }
}
