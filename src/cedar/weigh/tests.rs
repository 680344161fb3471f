use std::fmt::Write as _;

use cedar_policy_core::evaluator::Evaluator;
use cedar_policy_core::extensions::Extensions;
use proptest::prelude::*;

use super::*;
use crate::cedar::differential::{
    ACTIONS, Asked as Drawn, CONDITIONS, FAULTY, PRINCIPALS, RESOURCES, documents, entities,
    question,
};
use crate::cedar::example::{Directory, always, directory, policies, schema, view};
use crate::cedar::{Found, Limits, read_policies};

fn weighed(text: &str, principal: &str) -> PolicyWeighed {
    let policies = policies(text).unwrap();
    let schema = policies.schema().clone();
    let id: PolicyId = "a".parse().unwrap();
    policies.weigh(&view(&schema, principal), &directory(&schema), [&id]).remove(0)
}

fn truths(clauses: &[ClauseWeighed]) -> Vec<(&str, &Truth)> {
    clauses.iter().map(|it| (it.clause.text.as_str(), &it.truth)).collect()
}

fn known(value: &str) -> Found {
    Found::Known { value: value.to_owned(), is_in: None, more: 0 }
}

#[test]
fn a_clause_that_fails_says_what_it_found_and_the_next_what_it_would_have_been() {
    let text = "@id(\"a\") permit (principal, action, resource in Folder::\"plans\") when { \
                context.mfa && principal.level >= 2 && resource.owner == principal } unless { \
                principal has office };";
    let bob = weighed(text, "bob");
    assert_eq!((&bob.outcome, bob.failing()), (&Outcome::DoesNotApply, 2));
    let alone = |truth| Truth::NotReached { alone: Some(truth) };
    let expected = [
        ("principal", &Truth::True),
        ("action", &Truth::True),
        ("resource in Folder::\"plans\"", &Truth::True),
        ("context.mfa", &Truth::True),
        ("principal.level >= 2", &Truth::False),
        ("resource.owner == principal", &alone(false)),
        ("principal has office", &alone(false)),
    ];
    assert_eq!(truths(&bob.clauses), expected);
    let seen = |at: usize| bob.clauses[at].values.iter().map(|it| (it.at.as_str(), &it.found));
    let plan = Found::Known {
        value: "Document::\"plan\"".to_owned(),
        is_in: Some(vec!["Folder::\"plans\"".to_owned()]),
        more: 0,
    };
    assert_eq!(seen(2).collect::<Vec<_>>(), [("resource", &plan)]);
    assert_eq!(seen(3).count(), 0);
    assert_eq!(seen(4).collect::<Vec<_>>(), [("principal.level", &known("1"))]);
    let owner =
        [("resource.owner", &known("User::\"alice\"")), ("principal", &known("User::\"bob\""))];
    assert_eq!(seen(5).collect::<Vec<_>>(), owner);
}

#[test]
fn the_pieces_of_a_clause_are_told_as_they_were_reached() {
    let text = "@id(\"a\") forbid (principal, action, resource) unless { principal has manager && \
                principal.manager.level > 2 };";
    let clause = |who| weighed(text, who).clauses.remove(3);
    let pieces = |clause: &ClauseWeighed| -> Vec<_> {
        clause.pieces.iter().map(|piece| (piece.text.clone(), piece.truth.clone())).collect()
    };
    let alice = clause("alice");
    assert_eq!((&alice.truth, alice.holds()), (&Truth::False, Some(true)));
    let expected = [
        ("principal has manager".to_owned(), Truth::False),
        ("principal.manager.level > 2".to_owned(), Truth::NotReached { alone: None }),
    ];
    assert_eq!(pieces(&alice), expected);
    assert_eq!(alice.pieces[1].values[0].found, Found::Absent);
    let bob = clause("bob");
    assert_eq!((&bob.truth, bob.holds()), (&Truth::True, Some(false)));
    assert_eq!(bob.pieces[1].values[0].at, "principal.manager.level");
    assert_eq!(bob.pieces[1].values[0].found, known("3"));
}

#[test]
fn an_error_is_told_where_it_happened() {
    let text = always("a", "forbid", "context.mfa && principal.level + 9223372036854775807 > 0");
    let alice = weighed(&text, "alice");
    let Outcome::Erred { message } = &alice.outcome else { panic!("{alice:?}") };
    assert!(message.contains("integer overflow"), "{message}");
    assert_eq!(alice.clauses[4].truth, Truth::Error { message: message.clone() });
    assert_eq!(alice.clauses[4].values[0].found, known("3"));
}

#[test]
fn a_policy_is_near_if_one_part_of_its_scope_is_all_that_fails() {
    let text = "@id(\"a\") permit (principal in Group::\"staff\", action, resource);
                @id(\"b\") permit (principal, action == Action::\"edit\", resource);
                @id(\"c\") forbid (principal, action, resource is Document);
                @id(\"d\") permit (principal == User::\"alice\", action, resource is Folder);";
    let policies = policies(text).unwrap();
    let schema = policies.schema().clone();
    let near = policies.near(&view(&schema, "bob"), &directory(&schema));
    let told: Vec<_> = near.iter().map(|it| (it.policy.as_str(), it.but_for)).collect();
    let expected = [("a", Some(Part::Principal)), ("b", Some(Part::Action)), ("c", None)];
    assert_eq!(told, expected);
}

/// Goal: however long a condition is, what is told of it is not.
#[test]
fn what_is_told_of_a_policy_is_bounded() {
    let chain = vec!["principal.level > 1"; 60].join(" && ");
    let long = format!("({chain}) || !(principal.level > 2)");
    let text = always("a", "permit", &long);
    let pieces = |weighed: &PolicyWeighed| weighed.clauses[3].pieces.clone();
    let alice = weighed(&text, "alice");
    assert_eq!(pieces(&alice).iter().map(|it| it.pieces.len()).collect::<Vec<_>>(), [60, 1]);
    let twice = always("a", "permit", &format!("({long}) == ({long}) || ({long})"));
    let alice = weighed(&twice, "alice");
    assert!(pieces(&alice).iter().map(|it| it.pieces.len()).sum::<usize>() <= PIECES_MAX);
    let json = serde_json::to_string(&alice).unwrap();
    let read: PolicyWeighed = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), json);
}

/// A condition of `&&`, `||`, `!` and `if` over conditions of all kinds.
fn condition() -> impl Strategy<Value = String> {
    let all: Vec<_> = CONDITIONS.iter().chain(&FAULTY).map(|it| format!("({it})")).collect();
    prop::sample::select(all).prop_recursive(3, 8, 3, |inner| {
        let some = prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            some.clone().prop_map(|all| format!("({})", all.join(" && "))),
            some.prop_map(|all| format!("({})", all.join(" || "))),
            inner.clone().prop_map(|one| format!("(!{one})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(test, one, other)| format!("(if {test} then {one} else {other})")),
        ]
    })
}

fn policy() -> impl Strategy<Value = String> {
    let scope = (0..PRINCIPALS.len(), 0..ACTIONS.len(), 0..RESOURCES.len(), 0..4_usize);
    let clauses = prop::collection::vec((any::<bool>(), condition()), 0..4);
    (scope, clauses, any::<bool>()).prop_map(|((who, what, with, n), clauses, permit)| {
        let effect = if permit { "permit" } else { "forbid" };
        let scope = [PRINCIPALS[who], ACTIONS[what], RESOURCES[with]].join(", ");
        let mut text = format!("{effect} ({})", scope.replace('?', &n.to_string()));
        for (when, condition) in clauses {
            let word = if when { "when" } else { "unless" };
            let _ = write!(text, " {word} {{ {condition} }}");
        }
        text + ";"
    })
}

/// What is told of pieces goes together with what is told of the whole.
fn goes_together(truth: &Truth, pieces: &[Piece]) -> bool {
    let reached = |truth: &Truth| !matches!(truth, Truth::NotReached { .. });
    let first = pieces.first().is_none_or(|piece| reached(&piece.truth) == reached(truth));
    let erred = |piece: &Piece| matches!(piece.truth, Truth::Error { .. });
    let erred = !pieces.iter().any(erred) || matches!(truth, Truth::Error { .. });
    first && erred && pieces.iter().all(|piece| goes_together(&piece.truth, &piece.pieces))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Law: asked clause by clause, each policy comes to what Cedar's own evaluator makes of
    /// it as a whole, errors and their words included; and is among the near ones if all of
    /// its scope holds.
    #[test]
    fn the_clauses_of_a_policy_are_the_policy(
        documents in documents(),
        drawn in prop::collection::vec(policy(), 1..24),
        asked in prop::collection::vec(
            (0..5_usize, 0..3_usize, 0..10_usize, any::<bool>(), 0..6_usize), 8),
    ) {
        let schema = schema();
        let named = |(n, text): (usize, &String)| format!("@id(\"p{n}\") {text}\n");
        let text: String = drawn.iter().enumerate().map(named).collect();
        let limits = Limits::default();
        let sources = read_policies("p", &text, &limits).unwrap();
        let policies =
            CompiledPolicies::compile_without_validation(&sources, &schema, &limits).unwrap();
        let (directory, entities) =
            (Directory::of(&schema, &documents), entities(&schema, &documents));
        for asked in asked {
            let asked: Drawn = asked;
            let question = question(&policies, asked);
            let request = policies.request(&question).unwrap();
            let cedar = Evaluator::new(request, &entities, Extensions::all_available());
            let weighed = policies.weigh(&question, &directory, policies.asked());
            prop_assert_eq!(weighed.len(), policies.len());
            let truths = policies.truths(&question, &directory);
            let near = policies.near(&question, &directory);
            for (weighed, (id, truths)) in weighed.iter().zip(truths) {
                let expected = match cedar.evaluate(policies.policy(&weighed.policy).unwrap()) {
                    Ok(true) => Outcome::Applies,
                    Ok(false) => Outcome::DoesNotApply,
                    Err(error) => Outcome::Erred { message: error.to_string() },
                };
                prop_assert_eq!(&weighed.outcome, &expected, "{:?}", weighed);
                prop_assert_eq!(&weighed.policy, &id);
                let own: Vec<_> = weighed.clauses.iter().map(|it| it.truth.clone()).collect();
                prop_assert_eq!(own, truths);
                let clauses: Vec<_> =
                    weighed.clauses.iter().map(|it| it.clause.clone()).collect();
                prop_assert_eq!(clauses, policies.clauses(&id));
                for clause in &weighed.clauses {
                    prop_assert!(goes_together(&clause.truth, &clause.pieces), "{:?}", clause);
                }
                let scope = weighed.clauses.iter().filter(|it| it.clause.part.is_scope());
                let failing = scope.filter(|it| it.holds() == Some(false)).count();
                let is_near = near.iter().any(|it| it.policy == id);
                // Where one part fails it depends on whether it ever could hold.
                prop_assert!(is_near == (failing == 0) || failing == 1, "{:?}", weighed);
            }
        }
    }
}
