//! The World is what its log says, however it is read.

use std::collections::BTreeSet;

use countersign::audit::{Explained, Replay, TakenAgain};
use countersign::cedar::on_large_stack;
use countersign::event::{AccessDecided, Event, decode};
use countersign::event_store::{EventStore as _, Group, MemoryStore};
use countersign::model::{Index, Personal};
use countersign::pdp::{Ask, Role, SharedFacts, decide, decide_on};
use countersign::projection::{Artefacts, World};
use countersign::sequencer::recover;
use countersign::tlog::{Tree, leaf_hash};
use countersign::vault::Sealer;
use proptest::prelude::*;
use proptest::sample::Index as Pick;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::course::{Course, moves, steps};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Law: a snapshot may be taken anywhere: the fold of a whole log is the fold of
    /// any part of it from the beginning, then of the rest. And what follows changes
    /// no snapshot taken before, though they share what they have in common.
    #[test]
    fn a_snapshot_may_be_taken_anywhere(steps in steps(), cut in any::<Pick>()) {
        let log = Course::of(&steps).log;
        let (before, after) = log.split_at(cut.index(log.len() + 1));
        let (snapshot, resumed, whole) = on_large_stack(|| {
            let snapshot = World::fold(before);
            let resumed = after.iter().fold(snapshot.clone(), World::apply);
            (snapshot, resumed, World::fold(&log))
        }).unwrap();
        prop_assert_eq!(resumed.digest(), whole.digest());
        let again = on_large_stack(|| World::fold(before)).unwrap();
        prop_assert_eq!(snapshot.digest(), again.digest());
    }

    /// Law: whoever folds the log anew decides as it was decided.
    #[test]
    fn every_decision_comes_out_as_recorded(steps in steps()) {
        let course = Course::of(&steps);
        let report = on_large_stack(|| {
            let mut replay = Replay::new();
            course.log.iter().for_each(|entry| replay.step(entry));
            replay.report()
        }).unwrap();
        prop_assert!(report.clean, "{report}");
        prop_assert_eq!(report.state.digest, course.live.digest().digest);
    }

    /// Law: what is asked together is answered as if each were asked alone, whoever asks in
    /// whichever session, at whatever time and under whatever policies.
    #[test]
    fn what_is_asked_together_is_decided_as_alone(steps in steps()) {
        let course = Course::of(&steps);
        let apart = on_large_stack(|| {
            let (mut world, facts) = (World::default(), SharedFacts::of_a_batch());
            course.log.iter().find(|entry| {
                let differs = match &entry.event {
                    Event::AccessDecided(decided) => {
                        let alone = Ask::recorded(decided);
                        let together = Ask { facts: facts.clone(), ..alone.clone() };
                        let now = decided.now;
                        decide(&world, &together, now) != decide(&world, &alone, now)
                    }
                    _ => false,
                };
                world = world.clone().apply(entry);
                differs
            })
        }).unwrap();
        prop_assert!(apart.is_none(), "{apart:?}");
    }

    /// Law: no erasure turns the log into another one. Whoever has the keys that are left,
    /// and whoever has none, comes to the same state; and no decision comes out otherwise.
    #[test]
    fn what_was_erased_or_is_sealed_changes_no_replay(steps in steps()) {
        let course = Course::of(&steps);
        let replayed = |sealer: Option<&Sealer>| {
            let mut replay = Replay::new();
            for (index, bytes) in (0..).zip(&course.stored) {
                let mut entry = decode(Index(index), bytes).unwrap();
                if let Some(sealer) = sealer {
                    sealer.open_event(&mut entry.event).unwrap();
                }
                replay.step(&entry);
            }
            replay.report()
        };
        let (with, without) =
            on_large_stack(|| (replayed(Some(&course.sealer)), replayed(None))).unwrap();
        for report in [&with, &without] {
            prop_assert!(report.clean, "{report}");
            prop_assert_eq!(report.state.digest, course.live.digest().digest);
        }
        // With the keys that are left, nothing is sealed but what is erased.
        prop_assert_eq!(with.reasons.get("sealed"), None, "{}", with);
        prop_assert!(with.not_replayable <= without.not_replayable);
    }

    /// Law: replayed state is live state: from the stored bytes, with nothing compiled
    /// or cached before, as after a restart.
    #[test]
    fn what_is_stored_is_what_lives(steps in steps(), group in 1_usize..9) {
        let course = Course::of(&steps);
        let (store, mut tree) = (MemoryStore::new(), Tree::default());
        for entries in course.stored.chunks(group) {
            let (first, entries) = (Index(store.size()), entries.to_vec());
            let mut tiles = Vec::new();
            entries.iter().for_each(|entry| tree.append(leaf_hash(entry), &mut tiles));
            store.append(&Group { first, entries, tiles, ..Group::default() }).unwrap();
        }
        // Checks on its way that each entry follows the one before it.
        let recovered = recover(&store, &Artefacts::default(), |_, _| {}).unwrap();
        prop_assert_eq!(recovered.world.digest(), course.live.digest());
        prop_assert_eq!(recovered.tree, tree);
        for (entry, bytes) in course.log.iter().zip(&course.stored) {
            let mut sealed = entry.clone();
            sealed.event.personal_mut().iter_mut().for_each(Personal::close);
            prop_assert_eq!(decode(entry.index, bytes).unwrap(), sealed);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Law: what is explained is what was decided: the same answer for the same reasons, of
    /// each decision of each log, with the keys that are left and without any.
    #[test]
    fn every_decision_is_explained_as_it_was_taken(steps in steps()) {
        let course = Course::of(&steps);
        let explained = |sealer: Option<&Sealer>| {
            let mut world = World::default();
            for (index, bytes) in (0..).zip(&course.stored) {
                let mut entry = decode(Index(index), bytes).unwrap();
                if let Some(sealer) = sealer {
                    sealer.open_event(&mut entry.event).unwrap();
                }
                if let Event::AccessDecided(decided) = &entry.event {
                    let erasures = &course.live.erasures;
                    let told = Explained::recorded(&world, &entry, erasures, false).unwrap();
                    assert_tells(&told, decided);
                }
                world = world.apply(&entry);
            }
        };
        on_large_stack(|| {
            explained(Some(&course.sealer));
            explained(None);
        }).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Law: as long as what a decision rests on has not changed, it is the same, whatever
    /// else has been recorded: so a writer may record one that was taken before.
    #[test]
    fn a_decision_is_the_same_while_what_it_rests_on_is(
        steps in prop_oneof![steps(), moves()],
    ) {
        let course = Course::of(&steps);
        on_large_stack(|| {
            let (mut world, mut taken) = (World::default(), Vec::new());
            for entry in &course.log {
                if let Event::AccessDecided(recorded) = &entry.event {
                    let (ask, now) = (Ask::recorded(recorded), recorded.now);
                    let (decided, rests_on) = decide_on(&world, &ask, now);
                    taken.push((ask, now, decided, rests_on));
                }
                world = world.apply(entry);
                for (ask, now, before, rests_on) in &taken {
                    if rests_on.holds_in(&world) {
                        let after = decide(&world, ask, *now);
                        assert_eq!(AccessDecided { through: before.through, ..after }, **before);
                    }
                }
            }
        }).unwrap();
    }
}

/// What is told of a decision is what it was, unless nobody can say.
fn assert_tells(told: &Explained, decided: &AccessDecided) {
    let again = told.recorded.as_ref().and_then(|recorded| recorded.again.clone()).unwrap();
    let unseen = matches!(again, TakenAgain::NotReplayable { .. });
    assert!(unseen || again == TakenAgain::Identical, "{told:?}");
    assert_eq!(told.explanation.unseen, unseen, "{told:?}");
    if unseen {
        return;
    }
    let explanation = &told.explanation;
    let of = |role: Role| {
        let all = explanation.policies.iter().filter(move |policy| policy.role == role);
        all.map(|policy| policy.weighed.policy.clone()).collect::<Vec<_>>()
    };
    assert_eq!((explanation.decision, explanation.note), (decided.decision, decided.note));
    assert_eq!(of(Role::Determined), decided.determining, "{told:?}");
    let erred: Vec<_> = decided.errors.iter().map(|failure| failure.policy.clone()).collect();
    assert_eq!(of(Role::Erred), erred, "{told:?}");
}

/// Goal: the laws above speak of real logs: these courses meet every kind of event.
#[test]
fn the_courses_meet_every_kind_of_event() {
    let mut runner = TestRunner::deterministic();
    let strategy = steps();
    let mut met = BTreeSet::new();
    for _ in 0..80 {
        let steps = strategy.new_tree(&mut runner).unwrap().current();
        met.extend(Course::of(&steps).log.iter().map(|entry| entry.event.type_name()));
    }
    let all: BTreeSet<_> = Event::TYPE_NAMES.iter().copied().collect();
    let never: Vec<_> = all.difference(&met).collect();
    assert_eq!(never, [&""; 0]);
}
