//! What a supposition would have changed, held against plain reckoning.

use proptest::prelude::*;
use serde_json::json;

use super::super::sample::{Happening, Log, POLICIES, SCHEMA, happenings, question, told, uid};
use super::read_patch;
use super::{Case, Counts, Impact, ImpactReport, NotResumable, Novelty, Supposition, Tally};
use crate::cedar::{Limits, on_large_stacks};
use crate::event::{AccessDecided, Envelope, Event, PolicyIndexDoubted, Presented, Verdict};
use crate::model::{BUILD, Index, Label, SetKind};
use crate::pap::{self, Draft};
use crate::pdp::decide_again;
use crate::projection::{Change, World};

fn draft(text: &str, schema: Option<&str>) -> Draft {
    let policies = pap::set_of(&[("draft.cedar", text)], &Limits::default()).unwrap();
    let (set, message) = (SetKind::Application, Label::default());
    Draft { set, schema: schema.map(str::to_owned), policies: Some(policies), message }
}

fn supposing(log: &Log, draft: Option<&Draft>, patch: Vec<Change>) -> Supposition {
    Supposition::new(&log.world, draft, patch, &Limits::default()).unwrap()
}

fn report(log: &Log, supposition: Supposition) -> ImpactReport {
    let mut impact = Impact::new(World::default(), Index(0), supposition);
    log.entries.iter().for_each(|entry| impact.take(entry).unwrap());
    impact.report()
}

fn access(entry: &Envelope) -> Option<&AccessDecided> {
    match &entry.event {
        Event::AccessDecided(decided) if decided.set == SetKind::Application => Some(decided),
        _ => None,
    }
}

fn accesses(log: &Log) -> impl Iterator<Item = &AccessDecided> {
    log.entries.iter().filter_map(access)
}

/// The World that Cedar's own authorizer decides in, of all policies of a set.
fn by_cedar(mut world: World, any: &Envelope) -> World {
    let doubt = PolicyIndexDoubted {
        set: SetKind::Application,
        policies: None,
        build: BUILD.to_owned(),
        differing: Vec::new(),
    };
    world.advance(&Envelope { event: Event::PolicyIndexDoubted(doubt), ..any.clone() });
    world
}

/// The same counts by plain reckoning: for each access the fold of all that stands before
/// it and Cedar's own authorizer. What would be denied and allowed beside what was
/// recorded, and of that already; what is taken back; what this change does.
fn reckoned(log: &Log, draft: &Draft) -> [Counts; 4] {
    let supposed = pap::supposed(&log.world, draft, &Limits::default()).unwrap();
    let present = log.world.set(SetKind::Application);
    let mut counted = [Counts::default(); 4];
    let [recorded, already, taken_back, this_change] = &mut counted;
    let mut world = World::default();
    for entry in &log.entries {
        if let Some(decided) = access(entry) {
            let world = by_cedar(world.clone(), entry);
            let [would, now] = [&supposed, present]
                .map(|set| decide_again(&world.supposing(set.clone()), decided).decided.decision);
            let (was, allows) = (decided.decision, would == Verdict::Allow);
            match (would == was, would == now) {
                (true, false) => taken_back.count(allows),
                (false, true) => already.count(allows),
                (true, true) | (false, false) => {}
            }
            if would != was {
                recorded.count(allows);
            }
            if would != now {
                this_change.count(allows);
            }
        }
        world.advance(entry);
    }
    counted
}

/// Decides a whole log in stretches on so many threads, the cases of a stretch handed out
/// the last one first; taken up from what is put away after each stretch.
fn in_stretches(
    log: &Log,
    supposition: &Supposition,
    threads: usize,
    length: usize,
) -> ImpactReport {
    let mut partial: Option<Tally> = None;
    let mut last = None;
    for stretch in 1..=log.entries.len().div_ceil(length) {
        let mut impact = Impact::new(World::default(), Index(0), supposition.clone());
        if let Some(partial) = partial {
            impact.resume(partial).unwrap();
        }
        let entries = log.entries.iter().take(stretch * length);
        let mut cases: Vec<_> =
            entries.filter_map(|entry| impact.step(entry.clone()).unwrap()).collect();
        assert!(cases.len() <= length, "none is decided twice");
        cases.reverse();
        let mut judged = on_large_stacks(threads, cases, Case::judged).unwrap();
        judged.reverse();
        judged.iter().for_each(|judged| impact.count(judged));
        let away = serde_json::to_string(&impact.tally()).unwrap();
        partial = Some(serde_json::from_str(&away).unwrap());
        last = Some(impact.report());
    }
    last.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Goal: the report is what Cedar says, access by access, in the World of each.
    #[test]
    fn the_counts_are_those_of_plain_reckoning(happenings in happenings(), which in 0_usize..2) {
        let log = told(happenings);
        let draft = draft(POLICIES[which], None);
        let found = report(&log, supposing(&log, Some(&draft), Vec::new()));
        let ImpactReport { would_deny, would_allow, .. } = found;
        let recorded = Counts { would_deny, would_allow };
        let counts = [recorded, found.of_these_already, found.taken_back, found.this_change];
        prop_assert_eq!(counts, reckoned(&log, &draft));
        prop_assert_eq!(found.unchanged + recorded.total(), found.decisions);
        prop_assert_eq!(found.not_replayable, 0, "{:?}", found.not_replayable_reasons);
        prop_assert_eq!(found.decisions, accesses(&log).count() as u64);
        for ranking in [&found.principals, &found.actions, &found.resources] {
            let listed: u64 = ranking.first.iter().map(|one| one.counts.total()).sum();
            prop_assert_eq!(listed, found.this_change.total());
        }
        let sampled: u64 = found.samples.iter().map(|sample| sample.count).sum();
        prop_assert_eq!(sampled, recorded.total() + found.taken_back.total());
    }

    /// Goal: a change that is known to flip exactly k decisions is reported to flip k.
    #[test]
    fn a_change_that_flips_so_many_is_said_to_flip_so_many(happenings in happenings()) {
        let publishes = |it: &Happening| matches!(it, Happening::Publish(_));
        let log = told(happenings.into_iter().filter(|it| !publishes(it)).collect());
        let of_bob = |it: &AccessDecided| it.request.subject.id == "bob";
        let allowed = accesses(&log).filter(|it| it.decision == Verdict::Allow);
        let expected = allowed.filter(|it| of_bob(it)).count() as u64;
        let wall = "@id(\"wall\") forbid (principal == User::\"bob\", action, resource);";
        let walled = format!("{}{wall}", POLICIES[0]);
        let found = report(&log, supposing(&log, Some(&draft(&walled, None)), Vec::new()));
        prop_assert_eq!((found.would_deny, found.would_allow), (expected, 0));
        prop_assert_eq!(found.unchanged + expected, found.decisions);
        let flips_of_wall = found.policies.first.iter().find(|one| one.name == "wall");
        prop_assert_eq!(flips_of_wall.map_or(0, |one| one.counts.would_deny), expected);

        let same = report(&log, supposing(&log, Some(&draft(POLICIES[0], None)), Vec::new()));
        prop_assert_eq!((same.unchanged, same.unchanged_for_other_reasons), (same.decisions, 0));
    }

    /// Law: it is the same report, however many decide it and wherever it was interrupted.
    #[test]
    fn threads_and_interruptions_change_nothing(happenings in happenings(), length in 1_usize..30) {
        let log = told(happenings);
        let supposition = supposing(&log, Some(&draft(POLICIES[1], None)), Vec::new());
        let expected = report(&log, supposition.clone());
        for threads in [1, 2, 7] {
            prop_assert_eq!(&in_stretches(&log, &supposition, threads, length), &expected);
        }
    }
}

#[test]
fn a_window_leaves_out_what_was_before_it() {
    let mut log = Log::founded();
    let ask = question("alice", "view", "bob", Presented::Nothing);
    log.ask(&ask);
    let from = log.world.through.unwrap().next();
    log.ask(&ask);
    log.ask(&ask);
    let none = "@id(\"none\") forbid (principal, action, resource);";
    let supposition = supposing(&log, Some(&draft(none, None)), Vec::new());
    let mut impact = Impact::new(World::default(), from, supposition);
    log.entries.iter().for_each(|entry| impact.take(entry).unwrap());
    let found = impact.report();
    assert_eq!((found.decisions, found.would_deny, found.from), (2, 2, from));
    assert_eq!(found.through, log.world.through);
    assert_eq!(found.oldest, Some(log.entries[usize::try_from(from.0).unwrap()].time));
    let sample = &found.samples[0];
    assert_eq!((sample.count, sample.flip.index), (2, from));
    let named = [&sample.flip.principal, &sample.flip.action, &sample.flip.resource];
    assert_eq!(named, ["User::\"alice\"", "view", "Document::\"1\""]);
    let ids = |reasons: &super::Reasons| reasons.determining.clone();
    assert_eq!(ids(&sample.flip.before), ["overflow", "staff"].map(|id| id.parse().unwrap()));
    assert_eq!(ids(&sample.flip.after), ["none".parse().unwrap()]);
    assert!(sample.flip.after.sentence.contains("none"), "{}", sample.flip.after.sentence);
}

/// Goal: an author sees what this change does, not what an earlier tightening did.
#[test]
fn what_an_earlier_change_did_is_not_taken_for_the_drafts_doing() {
    let mut log = Log::founded();
    for user in ["alice", "bob"] {
        log.ask(&question(user, "view", user, Presented::Nothing));
    }
    let wall = |user: &str| {
        format!("@id(\"{user}-out\") forbid (principal == User::\"{user}\", action, resource);")
    };
    let tightened = format!("{}{}", POLICIES[0], wall("alice"));
    log.publish_text(None, &tightened);
    let impact = |text: &str| report(&log, supposing(&log, Some(&draft(text, None)), Vec::new()));
    let counts = |would_deny: u64, would_allow: u64| Counts { would_deny, would_allow };

    let same = impact(&tightened);
    assert_eq!((same.would_deny, same.of_these_already), (1, counts(1, 0)));
    assert_eq!(same.this_change, counts(0, 0));
    assert_eq!(same.samples[0].flip.novelty, Novelty::Already);
    assert_eq!(same.principals.first, []);

    let further = impact(&format!("{tightened}{}", wall("bob")));
    assert_eq!((further.would_deny, further.of_these_already), (2, counts(1, 0)));
    assert_eq!(further.this_change, counts(1, 0));
    let told: Vec<_> = further.samples.iter().map(|it| it.flip.novelty).collect();
    assert_eq!(told, [Novelty::New, Novelty::Already]);
    assert_eq!(further.principals.first[0].name, "User::\"bob\"");

    let back = impact(POLICIES[0]);
    assert_eq!((back.would_allow, back.unchanged, back.taken_back), (0, 2, counts(0, 1)));
    assert_eq!(back.this_change, counts(0, 1));
    let flip = &back.samples[0].flip;
    assert_eq!((flip.novelty, flip.would_allow), (Novelty::TakenBack, true));
    assert_eq!(flip.before.determining, ["alice-out".parse().unwrap()]);
    assert!(flip.before.sentence.contains("alice-out"), "{}", flip.before.sentence);
}

/// Goal: an author reads which clause the change turns on, and what it found there.
#[test]
fn a_sample_names_the_clause_that_turned() {
    let mut log = Log::founded();
    log.ask(&question("bob", "view", "bob", Presented::Nothing));
    let narrowed = POLICIES[0].replace(
        "when { resource.owner == principal }",
        "when { resource.owner == principal && principal.level < 2 }",
    );
    let found = report(&log, supposing(&log, Some(&draft(&narrowed, None)), Vec::new()));
    let flip = &found.samples[0].flip;
    let (was, would) = (flip.before.clause.as_ref(), flip.after.clause.as_ref());
    let (was, would) = (was.unwrap(), would.unwrap());
    assert_eq!((was.policy.as_str(), was.held), ("owners", true));
    assert_eq!((would.policy.as_str(), would.held), ("owners", false));
    assert!(would.clause.text.contains("principal.level < 2"), "{would:?}");
}

/// Goal: “what if Alice were not staff”, asked of each time, also of those when she was not
/// known yet or is not any more.
#[test]
fn a_patch_is_laid_over_the_directory_of_each_time() {
    let mut log = Log::founded();
    // A caller who says nothing: what is not counted of what one says is not recorded.
    let view = |user: &str| {
        let mut ask = question(user, "view", "nobody", Presented::Nothing);
        std::sync::Arc::make_mut(&mut ask.request).subject.properties.clear();
        ask
    };
    log.put("alice", 0, true);
    log.ask(&view("alice"));
    log.put("bob", 0, true);
    log.ask(&view("bob"));
    log.change(Change::Remove(uid("User", "alice")));
    log.ask(&view("alice"));
    let patch = json!([
        {"uid": {"type": "User", "id": "alice"}, "attrs": {"level": 0}},
        {"type": "User", "id": "bob"},
    ]);
    let removed = read_patch(&patch).unwrap();
    let found = report(&log, supposing(&log, None, removed));
    assert_eq!((found.would_deny, found.would_allow, found.unchanged), (2, 0, 1));
    assert!(found.supposed.entities.is_some() && found.supposed.policies.is_none());

    let staff = json!([{"uid": {"type": "User", "id": "alice"}, "attrs": {"level": 0},
                        "parents": [{"type": "Group", "id": "staff"}]}]);
    let found = report(&log, supposing(&log, None, read_patch(&staff).unwrap()));
    assert_eq!((found.would_deny, found.would_allow, found.unchanged), (0, 1, 2));
    let mut saying = view("bob");
    let said = json!({"level": 1}).as_object().cloned().unwrap();
    std::sync::Arc::make_mut(&mut saying.request).subject.properties = said;
    log.ask(&saying);
    let found = report(&log, supposing(&log, None, read_patch(&patch).unwrap()));
    assert_eq!((found.would_deny, found.not_replayable), (2, 1), "it would count now");

    let refused = json!([{"uid": {"type": "User", "id": "alice"}, "attrs": {"rank": 1}}]);
    let refused = read_patch(&refused).unwrap();
    let refused = Supposition::new(&log.world, None, refused, &Limits::default()).unwrap_err();
    assert!(refused.to_string().contains("rank"), "{refused}");
    let wrong = read_patch(&json!([{"type": "User", "id": "bob"}, {"type": "User"}])).unwrap_err();
    assert!(wrong.to_string().starts_with("entities[1]: "), "{wrong}");
}

/// Goal: nothing is made up: what a caller said and the schema of then did not know is not
/// in the record, so nobody can say what a policy would have made of it.
#[test]
fn what_was_not_recorded_is_not_made_up() {
    let mut log = Log::founded();
    log.ask(&question("alice", "view", "bob", Presented::Nothing));
    let mut plain = question("alice", "view", "bob", Presented::Nothing);
    std::sync::Arc::make_mut(&mut plain.request).context.remove("colour");
    log.ask(&plain);
    let mut unknown = question("alice", "view", "bob", Presented::Nothing);
    std::sync::Arc::make_mut(&mut unknown.request).action.name = "burn".to_owned();
    log.ask(&unknown);

    let coloured = SCHEMA.replace("reason?: String", "reason?: String, colour?: String");
    let found =
        report(&log, supposing(&log, Some(&draft(POLICIES[0], Some(&coloured))), Vec::new()));
    assert_eq!((found.unchanged, found.not_replayable), (2, 1));
    let why: Vec<_> = found.not_replayable_reasons.keys().map(String::as_str).collect();
    assert_eq!(why, ["rests on what the caller said and was not recorded"]);

    let burning = SCHEMA.replace("action view, edit", "action view, edit, burn");
    let found =
        report(&log, supposing(&log, Some(&draft(POLICIES[0], Some(&burning))), Vec::new()));
    assert_eq!((found.unchanged, found.not_replayable), (2, 1), "nothing of it was recorded");
}

/// Goal: a record that its own World does not give is no ground for a report.
#[test]
fn a_record_that_does_not_repeat_is_not_replayable() {
    let mut log = Log::founded();
    let ask = question("alice", "view", "bob", Presented::Nothing);
    log.ask(&ask);
    let mut forged = crate::pdp::decide(&log.world, &ask, log.now());
    forged.decision = Verdict::Deny;
    log.write(vec![Event::AccessDecided(Box::new(forged))]);
    let found = report(&log, supposing(&log, Some(&draft(POLICIES[0], None)), Vec::new()));
    assert_eq!((found.unchanged, found.not_replayable), (1, 1));
    assert_eq!(found.not_replayable_reasons["differs from the record"], 1);
}

#[test]
fn a_partial_report_is_gone_on_from_only_with_its_own_supposition() {
    let log = Log::founded();
    let [one, other] =
        [0, 1].map(|which| supposing(&log, Some(&draft(POLICIES[which], None)), Vec::new()));
    let partial = Impact::new(World::default(), Index(0), one.clone()).tally();
    let resumed =
        |by: Supposition| Impact::new(World::default(), Index(0), by).resume(partial.clone());
    assert_eq!(resumed(one), Ok(()));
    assert_eq!(resumed(other), Err(NotResumable));
    let nothing = Supposition::new(&log.world, None, Vec::new(), &Limits::default());
    assert!(nothing.unwrap_err().to_string().starts_with("nothing is supposed"));
}
