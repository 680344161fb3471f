//! What happens when the index of policies is found wrong.

use super::Replay;
use super::sample::{Log, question};
use crate::event::{Event, NodeStarted, PolicyIndexDoubted, Presented, Verdict};
use crate::model::{BUILD, PolicyId};
use crate::pdp::{decide, doubt};
use crate::projection::{Artefacts, World};

/// A log whose index has lost the policy that forbids alice to edit with one factor.
fn broken() -> Log {
    let mut log = Log::founded();
    log.world.application.break_index(&"two-factors".parse().unwrap());
    log
}

fn found(log: &Log) -> Option<PolicyIndexDoubted> {
    let ask = question("alice", "edit", "alice", Presented::Nothing);
    let decided = decide(&log.world, &ask, log.now());
    doubt(&log.world, &ask, log.now(), &decided)
}

#[test]
fn an_index_that_lacks_a_policy_is_found_out_and_used_no_more() {
    let mut log = broken();
    let ask = question("alice", "edit", "alice", Presented::Nothing);
    let wrong = decide(&log.world, &ask, log.now());
    assert_eq!(wrong.decision, Verdict::Allow);
    let doubt = found(&log).unwrap();
    let named: Vec<_> = doubt.differing.iter().map(PolicyId::as_str).collect();
    assert_eq!((named, doubt.build.as_str()), (vec!["overflow", "owners", "two-factors"], BUILD));
    assert_eq!(doubt.policies, wrong.policies);
    log.write(vec![Event::PolicyIndexDoubted(doubt)]);
    let right = log.ask(&ask);
    assert_eq!(right.decision, Verdict::Deny);
    assert_eq!(found(&log), None, "what is not used is not checked");
    let mut replay = Replay::new();
    log.entries.iter().for_each(|entry| replay.step(entry));
    assert!(replay.report().clean);
}

#[test]
fn where_the_index_is_right_there_is_no_doubt() {
    assert_eq!(found(&Log::founded()), None);
}

#[test]
fn a_doubt_outlives_a_restart_and_a_snapshot_but_not_another_build() {
    let mut log = broken();
    let doubt = found(&log).unwrap();
    log.write(vec![Event::PolicyIndexDoubted(doubt.clone())]);
    let epoch = log.world.epoch;
    let started = |build: &str| {
        let (cedar, language) = ("4.14.1".to_owned(), "4.4".to_owned());
        let (build, authentication) = (build.to_owned(), None);
        vec![Event::NodeStarted(NodeStarted { build, cedar, language, authentication })]
    };
    log.write(started(BUILD));
    assert_eq!(log.world.index_doubts.current(), Some(&doubt));
    let away = log.world.put_away();
    let restored = World::restored(&away, &Artefacts::default(), &mut |_| true).unwrap();
    assert_eq!(restored.index_doubts.current(), Some(&doubt));
    assert_eq!(restored.digest(), log.world.digest());
    assert_eq!(log.world.epoch, epoch);
    log.write(started("0.0.0-other"));
    assert_eq!(log.world.index_doubts.current(), None);
    assert_eq!(log.world.epoch, epoch + 1, "decisions taken before are to be taken again");
    log.write(started(BUILD));
    assert_eq!(log.world.index_doubts.current(), Some(&doubt), "going back mends nothing");
    assert_eq!(log.world.epoch, epoch + 2);
}
