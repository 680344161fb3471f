//! Decisions beside a staged version, recorded, repeated and counted.

use proptest::prelude::*;

use super::impact::{Impact, Supposition};
use super::sample::{Happening, Log, POLICIES, SCHEMA, happenings, question, told, told_in};
use super::{Filter, Replay, ShadowReport, describe};
use crate::cedar::Limits;
use crate::event::{AccessDecided, Envelope, Event, Presented, Verdict};
use crate::model::{Index, Label, SetKind};
use crate::pap::{self, Draft};
use crate::pdp::decide_again;
use crate::projection::{Artefacts, Footprint, World};

fn accesses(log: &Log) -> impl Iterator<Item = (&Envelope, &AccessDecided)> {
    log.entries.iter().filter_map(|entry| match &entry.event {
        Event::AccessDecided(it) if it.set == SetKind::Application => Some((entry, &**it)),
        _ => None,
    })
}

fn replays(log: &Log) {
    let mut replay = Replay::new();
    log.entries.iter().for_each(|entry| replay.step(entry));
    let report = replay.report();
    assert!(report.clean, "{report}");
    assert_eq!(report.state, log.world.digest());
}

fn report(log: &Log) -> ShadowReport {
    let entry = |index: Index| Ok::<_, ()>(log.entries[usize::try_from(index.0).unwrap()].clone());
    ShadowReport::of(&log.world, entry).unwrap()
}

/// A log in which the second set was staged before all this happened, and what would come
/// of it.
fn staged(happenings: Vec<Happening>) -> Log {
    let mut log = Log::founded();
    log.stage(POLICIES[1], None);
    told_in(log, happenings)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Law: what is staged decides as it would in force, and has no effect.
    #[test]
    fn a_shadow_is_what_the_version_would_decide_and_changes_nothing(happenings in happenings()) {
        // Put in force, it would not be staged any more.
        let publishes = |it: &Happening| matches!(it, Happening::Publish(1));
        let happenings: Vec<_> = happenings.into_iter().filter(|it| !publishes(it)).collect();
        let log = staged(happenings.clone());
        let plain = told(happenings);
        prop_assert_eq!(accesses(&log).count(), accesses(&plain).count());
        for ((_, one), (_, other)) in accesses(&log).zip(accesses(&plain)) {
            prop_assert!(one.shadow.is_some() && other.shadow.is_none());
            prop_assert_eq!((one.decision, &one.determining), (other.decision, &other.determining));
            prop_assert_eq!(&one.request, &other.request);
        }
        let content = &log.world.versions.staged().unwrap().content;
        let policies = content.policies.values().map(|it| (**it).clone()).collect();
        let (set, message) = (SetKind::Application, Label::default());
        let draft = Draft { set, schema: None, policies: Some(policies), message };
        let alone = pap::supposed(&log.world, &draft, &Limits::default()).unwrap();
        let mut world = World::default();
        for entry in &log.entries {
            if let Event::AccessDecided(it) = &entry.event && let Some(shadow) = &it.shadow {
                let alone = decide_again(&world.supposing(alone.clone()), it).decided;
                prop_assert_eq!(shadow.decision, alone.decision);
                prop_assert_eq!(&shadow.determining, &alone.determining);
                prop_assert_eq!(shadow.errors.len(), alone.errors.len());
                prop_assert_eq!((alone.shadow, shadow.note), (None, alone.note));
            }
            world.advance(entry);
        }
        replays(&log);

        let mut impact = Impact::new(World::default(), Index(0), Supposition::new(
            &log.world, Some(&draft), Vec::new(), &Limits::default()).unwrap());
        log.entries.iter().for_each(|entry| impact.take(entry).unwrap());
        let (impact, counted) = (impact.report(), report(&log));
        prop_assert_eq!(
            (counted.would_deny, counted.would_allow, counted.same),
            (impact.would_deny, impact.would_allow, impact.unchanged)
        );
        prop_assert_eq!(counted.samples.len() as u64,
            counted.would_deny.min(10) + counted.would_allow.min(10));
    }
}

#[test]
fn what_was_counted_is_found_told_and_put_away() {
    let mut log = Log::founded();
    assert_eq!((report(&log).version, report(&log).staged), (None, false));
    log.stage("@id(\"none\") forbid (principal, action, resource);", None);
    let view = |user: &str| question(user, "view", "bob", Presented::Nothing);
    log.ask(&view("alice"));
    let denied = log.entries.last().unwrap().clone();
    log.ask(&question("bob", "edit", "alice", Presented::Nothing));
    let same = log.entries.last().unwrap().clone();
    let found = report(&log);
    assert_eq!((found.staged, found.same, found.would_deny, found.would_allow), (true, 1, 1, 0));
    assert_eq!((found.samples[0].id, found.samples[0].would_allow), (denied.id, false));
    assert_eq!(found.samples[0].would_determine, ["none".parse().unwrap()]);
    assert!(describe(&denied).ends_with("; staged: deny"), "{}", describe(&denied));
    assert!(!describe(&same).contains("staged"), "{}", describe(&same));
    for (wanted, entry) in [("differs", &denied), ("same", &same)] {
        let mut filter = Filter::default();
        assert_eq!(filter.take("shadow", wanted), Ok(true));
        let matching: Vec<_> = log.entries.iter().filter(|it| filter.matches(it)).collect();
        assert_eq!(matching, [entry]);
    }
    assert!(Filter::default().take("shadow", "maybe").is_err());

    let away = log.world.put_away();
    let restored = World::restored(&away, &Artefacts::default(), &mut |_| true).unwrap();
    assert_eq!(restored.digest(), log.world.digest());
    log.unstage();
    log.ask(&view("alice"));
    let last = report(&log);
    assert_eq!((last.staged, last.would_deny, last.same), (false, 1, 1), "it counts no more");
    replays(&log);
}

/// Goal: no decision goes on the record with the word of a version that has left the stage
/// while it was on its way. To draft what is staged again takes it off.
#[test]
fn what_has_left_the_stage_is_not_gone_by() {
    let mut log = staged(Vec::new());
    let before = log.world.clone();
    let drafted = log.entries.iter().rev().find_map(|entry| match &entry.event {
        Event::VersionDrafted(it) => Some(it.clone()),
        _ => None,
    });
    log.write(vec![Event::VersionDrafted(drafted.unwrap())]);
    assert!(before.versions.staged().is_some() && log.world.versions.staged().is_none());
    assert!(!Footprint::of(&before).holds_in(&log.world));
}

/// Goal: a replay does not accuse a log of what no record holds: a staged schema heard more
/// of the caller than the one in force has recorded.
#[test]
fn a_shadow_that_heard_more_than_is_recorded_is_not_held_against_the_log() {
    let mut log = Log::founded();
    let coloured = SCHEMA.replace("reason?: String", "reason?: String, colour?: String");
    let red = "@id(\"red\") permit (principal, action, resource)\n\
               when { context has colour && context.colour == \"red\" };";
    log.stage(red, Some(&coloured));
    let heard = log.ask(&question("carol", "edit", "bob", Presented::Nothing));
    assert_eq!(heard.shadow.map(|shadow| shadow.decision), Some(Verdict::Allow));
    assert!(heard.pruned.contains(&"context.colour".to_owned()));
    replays(&log);

    // What needs nothing of that is held against it.
    let mut log = Log::founded();
    log.stage(POLICIES[1], None);
    log.ask(&question("alice", "view", "bob", Presented::Nothing));
    let mut forged = log.entries.clone();
    if let Event::AccessDecided(it) = &mut forged.last_mut().unwrap().event {
        it.shadow.as_mut().unwrap().determining = vec!["forged".parse().unwrap()];
    }
    let mut replay = Replay::new();
    forged.iter().for_each(|entry| replay.step(entry));
    assert_eq!(replay.report().differences.first[0].what, "shadow");
}
