//! One test, decided as a request would be.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::report::{Failed, Outcome};
use super::session::SupposedSession;
use super::suite::{Expected, Help, Test};
use crate::cedar::{CompiledSchema, Fault, PolicyWeighed};
use crate::event::{AccessDecided, Note, Presented, Verdict};
use crate::model::{Aal, Acr, PolicyId, Uid};
use crate::pdp::{Ask, decide, decide_if, weighed};
use crate::projection::{Node, World};

/// How many entities that do not fit are told of one directory.
const MISFITS_MAX: usize = 5;

/// Runs a test in a World that has the policies in force which are tested. Needs the stack
/// of a decision. One decision, a few more for a test about a login.
pub(super) fn run(test: &Test, world: &World, schema: &CompiledSchema) -> Outcome {
    let mut world = world.clone();
    world.directory = test.directory.clone();
    let decided = decided(test, test.session.as_ref(), &world);
    let own = test.own.iter().filter_map(|uid| world.directory.get(uid));
    let mut failed = misfits(own, schema);
    failed.extend(unexpected(&test.expected, &decided));
    failed.extend(other_login(test, &decided, &world));
    Outcome {
        name: test.name.clone(),
        failed,
        expected: test.expected.decision,
        got: decided.decision,
        reason: decided.determining,
        errors: decided.errors,
    }
}

/// What became in a test of the policies in whose scope it is; nothing if none was asked.
pub(super) fn seen(test: &Test, world: &World) -> Option<Vec<PolicyWeighed>> {
    let mut world = world.clone();
    world.directory = test.directory.clone();
    let ask = Ask::access(test.request.clone(), Presented::Nothing, test.pep.clone());
    let facts = test.session.as_ref().map(|session| session.facts(test.now));
    weighed(&world, &ask, test.now, facts.as_ref())
}

fn decided(test: &Test, session: Option<&SupposedSession>, world: &World) -> AccessDecided {
    let ask = Ask::access(test.request.clone(), Presented::Nothing, test.pep.clone());
    match session {
        None => decide(world, &ask, test.now),
        Some(session) => *decide_if(world, &ask, test.now, &session.facts(test.now)).decided,
    }
}

/// Which of these entities the schema does not allow; a decision would take them as absent.
pub(super) fn misfits<'a>(
    nodes: impl IntoIterator<Item = &'a Arc<Node>>,
    schema: &CompiledSchema,
) -> Vec<Failed> {
    let told = |uid: &Uid, fault: Fault| {
        let help = fault.help.map(|help| format!(" ({help})")).unwrap_or_default();
        format!("the entity `{uid}` does not fit the schema: {}{help}", fault.message)
    };
    let misfit = |node: &'a Arc<Node>| Some((&node.document.uid, node.typed(schema).err()?));
    let found = nodes.into_iter().filter_map(misfit);
    let mut found: Vec<_> = found.map(|(uid, fault)| told(uid, fault)).collect();
    found.sort_unstable();
    let more = found.len().saturating_sub(MISFITS_MAX);
    found.truncate(MISFITS_MAX);
    found.extend((more > 0).then(|| format!("{more} more entities do not fit the schema")));
    found
}

/// What is not as expected, each in a sentence that says why as far as it is known.
fn unexpected(expected: &Expected, got: &AccessDecided) -> Vec<Failed> {
    let mut failed = Vec::new();
    let determining: BTreeSet<_> = got.determining.iter().cloned().collect();
    if got.decision != expected.decision {
        let (wanted, got_word) = (expected.decision.as_str(), got.decision.as_str());
        failed.push(format!("expected {wanted}, got {got_word}: {}", because(got)));
    }
    let missing: BTreeSet<_> = expected.reason.difference(&determining).cloned().collect();
    if !missing.is_empty() {
        let (missing, found) = (named(&missing), named(&determining));
        failed.push(format!("expected {missing} among the policies that decide, got {found}"));
    }
    if let Some(exact) = expected.reason_exact.as_ref().filter(|exact| **exact != determining) {
        let (exact, found) = (named(exact), named(&determining));
        failed.push(format!("expected {exact} to decide and no other, got {found}"));
    }
    if got.errors.len() != expected.num_errors {
        let messages = got.errors.iter().map(|it| format!("; `{}`: {}", it.policy, it.message));
        let (wanted, found) = (counted(expected.num_errors), got.errors.len());
        failed.push(format!("expected {wanted}, got {found}{}", messages.collect::<String>()));
    }
    if !got.pruned.is_empty() {
        let left_out = got.pruned.join("`, `");
        failed.push(format!(
            "`{left_out}` was left out of the question: the schema declares no such thing there, \
             or another type"
        ));
    }
    failed
}

fn counted(errors: usize) -> String {
    match errors {
        0 => "no policy to err".to_owned(),
        1 => "1 policy to err".to_owned(),
        many => format!("{many} policies to err"),
    }
}

fn named(ids: &BTreeSet<PolicyId>) -> String {
    if ids.is_empty() {
        return "none".to_owned();
    }
    let ids: Vec<_> = ids.iter().map(|id| format!("`{id}`")).collect();
    ids.join(", ")
}

/// Why it was decided so, for who expected something else.
fn because(got: &AccessDecided) -> String {
    match (got.note, got.determining.as_slice()) {
        (Some(note), _) => noted(note).to_owned(),
        (None, []) if got.errors.is_empty() => "no policy applies".to_owned(),
        (None, []) => "no policy applies, and some could not be evaluated".to_owned(),
        (None, ids) => {
            let ids: Vec<_> = ids.iter().map(|id| format!("`{id}`")).collect();
            format!("by {}", ids.join(", "))
        }
    }
}

const fn noted(note: Note) -> &'static str {
    match note {
        Note::NoPolicies => "no policies are in force",
        Note::UnknownType => "the schema declares no such type of principal or resource",
        Note::UnknownAction => "the schema declares no such action",
        Note::DoesNotApply => "the action is not for such a principal or resource",
        Note::ContextIncomplete => "the context lacks what the schema requires",
        Note::ForbidErred => "a `forbid` could not be evaluated, and that denies",
        Note::Reserved => "it names Countersign's own administration",
        Note::KeyMissing => "the key of a personal value is missing",
    }
}

/// What is not as expected about the login that would help.
fn other_login(test: &Test, got: &AccessDecided, world: &World) -> Option<Failed> {
    let expected = test.expected.step_up?;
    if got.decision == Verdict::Allow {
        return None;
    }
    let least = test.session.as_ref().map_or(Aal::ONE, SupposedSession::aal);
    let found = Acr::ALL.into_iter().filter(|acr| acr.aal() >= least).find(|acr| {
        decided(test, Some(&SupposedSession::fresh(*acr)), world).decision == Verdict::Allow
    });
    let found = found.map_or(Help::Nothing, Help::Login);
    let named = |help| match help {
        Help::Login(acr) => acr.as_str(),
        Help::Nothing => "no login",
    };
    (found != expected)
        .then(|| format!("expected {} to help, found {}", named(expected), named(found)))
}
