//! Replays of whole logs, true ones and altered ones.

use proptest::prelude::*;
use uuid::Uuid;

use super::sample::{Log, happenings, question, raw, told};
use super::{Continuity, Dossier, OutOfOrder, Replay, Report, Standing, Trail};
use crate::event::{
    AccessDecided, Actor, Envelope, Event, Note, PolicyFailure, Presented, Reported, SessionUsed,
    Verdict, VersionRef,
};
use crate::model::{Index, Moment, SetKind, Version};
use crate::pdp::{Administration, administrative};
use crate::projection::{Erasures, World};
use crate::tlog::{Tree, leaf_hash};

fn replayed<'a>(entries: impl IntoIterator<Item = &'a Envelope>) -> Report {
    let mut replay = Replay::new();
    for entry in entries {
        replay.step(entry);
    }
    replay.report()
}

fn checked(entries: &[Envelope]) -> Result<(), OutOfOrder> {
    let mut continuity = Continuity::default();
    entries.iter().try_for_each(|entry| continuity.check(entry))
}

fn decision_mut(entry: &mut Envelope) -> Option<&mut AccessDecided> {
    match &mut entry.event {
        Event::AccessDecided(decided) => Some(decided),
        _ => None,
    }
}

/// A way to falsify what a decision records of its outcome; false where that says
/// nothing new.
fn falsify(decided: &mut AccessDecided, how: usize) -> bool {
    let before = decided.clone();
    let policy = || "never-written".parse().unwrap();
    match how {
        0 => {
            decided.decision = match decided.decision {
                Verdict::Allow => Verdict::Deny,
                Verdict::Deny => Verdict::Allow,
            }
        }
        1 => decided.determining.push(policy()),
        2 => decided.determining.clear(),
        3 => {
            let message = "it did not err".to_owned();
            decided.errors.push(PolicyFailure { policy: policy(), message });
        }
        4 => decided.errors.clear(),
        5 => decided.note = decided.note.map_or(Some(Note::UnknownAction), |_| None),
        6 => {
            let next = |it: VersionRef| VersionRef { version: it.version.next(), ..it };
            decided.policies = decided.policies.map(next);
        }
        7 => decided.policies = None,
        8 => {
            if let Some(SessionUsed::InForce(facts)) = &mut decided.session {
                facts.aal += 1;
            }
        }
        9 => {
            if let Some(SessionUsed::InForce(facts)) = &decided.session {
                decided.session = Some(SessionUsed::Over { id: facts.id });
            }
        }
        _ => decided.believed.push("subject.properties.rank".to_owned()),
    }
    *decided != before
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Law: decisions repeat. Whatever happened, a replay of the log as it was written
    /// finds nothing and ends in the state that the writer was in.
    #[test]
    fn a_true_log_replays_clean(happenings in happenings()) {
        let log = told(happenings);
        let report = replayed(&log.entries);
        prop_assert!(report.clean, "{report}");
        prop_assert_eq!(report.identical, report.decisions);
        prop_assert_eq!(report.state, log.world.digest());
    }

    /// Law: no decision's outcome can be altered unseen, even by whoever leaves every
    /// other entry and all positions as they were. (What a decision was asked, and by
    /// whom, no replay can know: that is what the log's proofs are for.)
    #[test]
    fn an_altered_outcome_is_found(
        happenings in happenings(), which in any::<prop::sample::Index>(), how in 0_usize..11,
    ) {
        let mut log = told(happenings);
        log.ask(&question("alice", "view", "alice", Presented::Nothing));
        let decisions: Vec<_> = log
            .entries
            .iter_mut()
            .filter(|entry| matches!(entry.event, Event::AccessDecided(_)))
            .collect();
        let nth = which.index(decisions.len());
        let entry = decisions.into_iter().nth(nth).unwrap();
        let (index, id) = (entry.index, entry.id);
        prop_assume!(falsify(decision_mut(entry).unwrap(), how));
        let report = replayed(&log.entries);
        prop_assert!(!report.clean);
        prop_assert!(report.different >= 1, "{report}");
        let found = &report.differences.first[0];
        prop_assert_eq!((found.index, found.id), (index, id));
    }

    /// Law: an entry that is missing, repeated or in another's place shows. (A log cut
    /// off at its end does not: that takes a checkpoint from outside.)
    #[test]
    fn a_broken_order_is_found(
        happenings in happenings(), at in any::<prop::sample::Index>(),
        other in any::<prop::sample::Index>(), how in 0_usize..3,
    ) {
        let mut entries = told(happenings).entries;
        prop_assert_eq!(checked(&entries), Ok(()));
        let at = at.index(entries.len() - 1);
        match how {
            0 => {
                entries.remove(at);
            }
            1 => entries.insert(at, entries[at].clone()),
            _ => {
                let other = other.index(entries.len());
                prop_assume!(other != at);
                entries.swap(at, other);
            }
        }
        prop_assert!(checked(&entries).is_err());
        prop_assert!(!replayed(&entries).findings.is_empty());
    }

    /// Law: it does not show even if every index is written anew to be without a gap.
    #[test]
    fn renumbering_does_not_hide_a_missing_entry(
        happenings in happenings(), at in any::<prop::sample::Index>(),
    ) {
        let mut entries = told(happenings).entries;
        let at = at.index(entries.len());
        let removed = entries.remove(at);
        // The newest entry of a stream leaves no gap in it.
        prop_assume!(entries[at..].iter().any(|later| later.stream == removed.stream));
        let session_over = matches!(removed.event, Event::SessionEnded(_));
        prop_assume!(!session_over);
        for (index, entry) in entries.iter_mut().enumerate() {
            entry.index = Index(index as u64);
        }
        prop_assert!(checked(&entries).is_err());
    }

    /// Law: whoever has checked up to anywhere may go on from the World there.
    #[test]
    fn checking_can_go_on_from_a_world(
        happenings in happenings(), cut in any::<prop::sample::Index>(),
    ) {
        let entries = told(happenings).entries;
        let (before, after) = entries.split_at(cut.index(entries.len() + 1));
        let mut continuity = Continuity::after(&World::fold(before));
        for entry in after {
            prop_assert_eq!(continuity.check(entry), Ok(()));
        }
    }
}

/// What `check` says of the sample's entry 4 once it is altered.
fn altered(alter: impl FnOnce(&mut Envelope)) -> &'static str {
    let mut entries = Log::founded().entries;
    alter(&mut entries[4]);
    checked(&entries).unwrap_err().code()
}

#[test]
fn each_break_of_order_has_its_own_code() {
    assert_eq!(altered(|entry| entry.index = Index(9)), "index_out_of_order");
    assert_eq!(altered(|entry| entry.log = Uuid::nil()), "other_log");
    assert_eq!(altered(|entry| entry.time = entry.time.minus_seconds(600)), "time_went_back");
    assert_eq!(altered(|entry| entry.id = Uuid::nil()), "id_out_of_order");
    assert_eq!(altered(|entry| entry.id = Uuid::from_u128(u128::MAX)), "id_out_of_order");
    assert_eq!(altered(|entry| entry.version = Version(7)), "stream_out_of_order");
    let first = Log::begun().entries[0].event.clone();
    assert_eq!(altered(|entry| entry.event = first), "log_created_twice");
    let mut headless = Log::begun().entries;
    headless[0].event = headless[1].event.clone();
    assert_eq!(checked(&headless).unwrap_err().code(), "log_not_created");
    let mut early = Log::founded();
    early.ask(&question("alice", "view", "alice", Presented::Nothing));
    let last = early.entries.last_mut().unwrap();
    let index = last.index;
    decision_mut(last).unwrap().through = index;
    let error = checked(&early.entries).unwrap_err();
    assert_eq!((error.code(), error.index()), ("decided_after_itself", index));
}

/// Goal: nobody makes an old session fresh, or somebody else the one who asked, without a
/// replay that says so.
#[test]
fn a_decision_is_of_its_entrys_time_and_caller() {
    fn at(entry: &mut Envelope, now: fn(Moment) -> Moment) {
        let written = entry.time;
        decision_mut(entry).unwrap().now = now(written);
    }
    fn asked_by(entry: &mut Envelope, pep: Uuid) {
        entry.actor = Actor::Service(Uuid::from_u128(8));
        decision_mut(entry).unwrap().pep = pep.to_string();
    }

    let decided = |alter: fn(&mut Envelope)| {
        let mut log = Log::founded();
        log.ask(&question("alice", "view", "alice", Presented::Nothing));
        alter(log.entries.last_mut().unwrap());
        checked(&log.entries).map_err(|wrong| wrong.code())
    };
    assert_eq!(decided(|_| {}), Ok(()));
    let other_time = Err("decided_at_another_time");
    assert_eq!(decided(|entry| at(entry, |it| it.minus_seconds(10))), Ok(()));
    assert_eq!(decided(|entry| at(entry, |it| it.minus_seconds(11))), other_time);
    assert_eq!(decided(|entry| at(entry, |it| it.plus_seconds(11))), other_time);
    assert_eq!(decided(|entry| asked_by(entry, Uuid::from_u128(8))), Ok(()));
    assert_eq!(decided(|entry| asked_by(entry, Uuid::from_u128(9))), Err("asked_by_another"));
}

#[test]
fn each_break_is_found_once() {
    let mut entries = Log::founded().entries;
    let streams = entries.iter().map(|entry| entry.stream.clone());
    let repeated = streams.clone().position(|stream| stream.as_str() == "directory").unwrap();
    entries.remove(repeated);
    let report = replayed(&entries);
    assert_eq!(report.findings.total, 1, "{report}");
    assert_eq!(report.findings.first[0].code, "index_out_of_order");
}

#[test]
fn a_set_that_does_not_compile_is_counted_apart() {
    let mut log = Log::founded();
    log.ask(&question("alice", "view", "alice", Presented::Nothing));
    for entry in &mut log.entries {
        if let Event::PoliciesActivated(it) = &mut entry.event {
            it.digest = crate::model::Digest::of("another set");
        }
    }
    let report = replayed(&log.entries);
    let figures = (report.decisions, report.different, report.not_replayable, report.clean);
    assert_eq!(figures, (1, 0, 1, false));
    let reason = report.reasons.keys().next().unwrap();
    let expected = "version 1 of the application policies does not compile with this build: ";
    assert!(reason.starts_with(expected), "{reason}");
}

#[test]
fn a_denial_for_want_of_policies_repeats_too() {
    let mut log = Log::begun();
    let decided = log.ask(&question("alice", "view", "alice", Presented::Nothing));
    assert_eq!(decided.note, Some(Note::NoPolicies));
    assert!(replayed(&log.entries).clean);
}

#[test]
fn the_differences_kept_are_bounded() {
    let mut log = Log::founded();
    for _ in 0..1_100 {
        log.ask(&question("alice", "view", "alice", Presented::Nothing));
    }
    log.entries.iter_mut().filter_map(decision_mut).for_each(|it| it.decision = Verdict::Deny);
    let report = replayed(&log.entries);
    let kept = (report.differences.total, report.differences.first.len(), report.different);
    assert_eq!(kept, (1_100, 1_000, 1_100));
    assert!(report.to_string().contains("  and 100 more"));
}

#[test]
fn a_report_is_laid_out_for_people_and_for_programs() {
    let mut log = Log::founded();
    log.ask(&question("alice", "view", "alice", Presented::Nothing));
    log.ask(&question("bob", "edit", "alice", Presented::Nothing));
    let report = replayed(&log.entries);
    let text = report.to_string();
    assert!(text.starts_with("Replay: every decision came out as recorded"), "{text}");
    for words in [
        "entries 16 (0 to 15)",
        "identical 2",
        "different 0",
        "application 1 1",
        "countersign.access.decided.v1 2",
    ] {
        let is_it = |line: &str| line.split_whitespace().eq(words.split_whitespace());
        assert!(text.lines().any(is_it), "{words:?} in\n{text}");
    }
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["verdicts"]["application"]["allow"], 1);
    let determining = &json["determining"]["application"]["policies"];
    let decided = log.entries.iter_mut().filter_map(decision_mut);
    let named: Vec<_> = decided.flat_map(|decided| decided.determining.clone()).collect();
    assert!(named.len() > 1 && named.iter().all(|policy| determining[policy.as_str()] == 1));
    assert!(json.get("tree").is_none(), "nothing was hashed");
    assert_eq!(json["differences"]["total"], 0);
    assert_eq!(json["state"]["through"], 15);
}

/// Goal: whoever is handed a report can hold it against a checkpoint.
#[test]
fn a_report_names_the_tree_over_the_stored_bytes() {
    let mut log = Log::founded();
    log.ask(&question("alice", "view", "alice", Presented::Nothing));
    let (mut replay, mut tree) = (Replay::new(), Tree::default());
    for (entry, bytes) in log.entries.iter().zip(&log.bytes) {
        replay.step(entry);
        replay.hash(bytes);
        tree.append(leaf_hash(bytes), &mut Vec::new());
    }
    let report = replay.report();
    let head = report.tree.as_ref().unwrap();
    assert_eq!((head.size, &head.root), (tree.size(), &tree.root().to_string()));
    let text = report.to_string();
    assert!(text.contains(&format!("  root            {}", tree.root())), "{text}");
}

/// Goal: what is shown first of ten thousand policies is what mattered most.
#[test]
fn the_determining_policies_are_counted_and_the_most_frequent_shown() {
    let mut log = Log::founded();
    log.ask(&question("alice", "view", "alice", Presented::Nothing));
    let decision = log.entries.pop().unwrap();
    let mut replay = Replay::new();
    log.entries.iter().for_each(|entry| replay.step(entry));
    for nth in 0..10_050 {
        let mut entry = decision.clone();
        let name = |it: usize| format!("p{it}").parse().unwrap();
        decision_mut(&mut entry).unwrap().determining = vec![name(nth), name(7)];
        replay.step(&entry);
    }
    let report = replay.report();
    let counted = &report.determining[&SetKind::Application];
    assert_eq!((counted.policies.len(), counted.others, counted.by_none), (10_000, 50, 0));
    let text = report.to_string();
    let is_policy = |line: &&str| line.starts_with("  p") && !line.starts_with("  persons");
    let shown: Vec<_> = text.lines().filter(is_policy).collect();
    assert_eq!(shown.len(), 40, "{text}");
    assert!(shown[0].starts_with("  p7 ") && shown[0].ends_with(" 10051"), "{}", shown[0]);
    assert!(text.contains("  9960 more"), "{text}");
}

#[test]
fn nothing_read_is_nothing_found_clean() {
    let report = replayed(&[]);
    assert!(!report.clean);
    assert!(report.to_string().starts_with("Replay: there is nothing to replay"));
}

#[test]
fn a_report_shows_each_difference() {
    let mut log = Log::founded();
    log.ask(&question("alice", "view", "alice", Presented::Nothing));
    decision_mut(log.entries.last_mut().unwrap()).unwrap().decision = Verdict::Deny;
    let text = replayed(&log.entries).to_string();
    assert!(text.starts_with("Replay: NOT CLEAN"), "{text}");
    assert!(text.contains(", decision:\n    recorded  \"deny\"\n    again     \"allow\"\n"));
}

/// The dossier of a log's last entry.
fn dossier(log: &Log) -> Option<Dossier> {
    let (entry, before) = log.entries.split_last().unwrap();
    let Event::AccessDecided(decided) = &entry.event else { return None };
    let mut trail = Trail::of(decided);
    for entry in before {
        trail.see(entry);
    }
    let erasures = Erasures::default();
    Dossier::new(&World::fold(before), trail, entry, raw(log.bytes.last().unwrap()), &erasures)
}

#[test]
fn a_dossier_holds_what_led_to_a_decision() {
    let mut log = Log::founded();
    let other = log.log_in("bob");
    let session = log.log_in("alice");
    log.raise(other);
    log.raise(session);
    log.grant("alice");
    log.ask(&question("alice", "edit", "alice", Presented::Session(session)));
    let dossier = dossier(&log).unwrap();
    let steps: Vec<_> = dossier.authentication.iter().map(|step| step.what.as_str()).collect();
    let expected = [
        "alice gave a right password",
        "a session of alice began at AAL1 by pwd",
        "alice gave a right code",
        "a session of alice rose to AAL2 by otp and pwd",
    ];
    assert_eq!(steps, expected);
    for step in &dossier.authentication {
        let entry = &log.entries[usize::try_from(step.index.0).unwrap()];
        assert_eq!((step.id, step.kind), (entry.id, entry.event.type_name()));
    }
    let named: Vec<_> = dossier.policies.iter().map(|policy| policy.id.as_str()).collect();
    assert_eq!(named, ["overflow", "owners"]);
    assert!(dossier.policies.iter().all(|policy| policy.source.is_some()));
    assert_eq!(dossier.subject.entity.as_ref().unwrap().attrs["level"], 1);
    assert_eq!(dossier.subject.ancestors.len(), 1);
    assert_eq!(dossier.resource.entity, None);
    let json = serde_json::to_value(&dossier).unwrap();
    assert_eq!(json["replay"]["outcome"], "identical");
    assert_eq!(json["schema"]["version"], 1);
    assert_eq!(json["entry"]["type"], "countersign.access.decided.v1");
}

#[test]
fn a_dossier_names_the_reports_that_a_session_rests_on() {
    let mut log = Log::founded();
    log.report("bob", 1, Reported::PasswordVerified);
    let session = log.report("alice", 2, Reported::PasswordVerified);
    log.report("alice", 2, Reported::MfaVerified);
    log.ask(&question("alice", "edit", "alice", Presented::Session(session)));
    let steps = dossier(&log).unwrap().authentication;
    let told: Vec<_> = steps.iter().map(|step| step.what.as_str()).collect();
    let expected = [
        "https://idp.example reports that User::\"alice\" gave a right password",
        "https://idp.example reports that User::\"alice\" authenticated by pwd and pop and hwk",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_dossier_is_of_its_time() {
    let mut log = Log::founded();
    log.ask(&question("bob", "view", "alice", Presented::Nothing));
    let erred = dossier(&log).unwrap();
    let policy = &erred.policies[0];
    assert_eq!(policy.id.as_str(), "overflow");
    let text = serde_json::to_string(policy).unwrap();
    assert!(text.contains(r#""what":"erred""#) && text.contains("permit"), "{text}");
    log.publish(None, 1);
    log.put("bob", 1, true);
    log.ask(&question("bob", "view", "alice", Presented::Nothing));
    let later = dossier(&log).unwrap();
    assert_eq!(later.policy_set.unwrap().version, Version(2));
    assert_eq!(later.subject.ancestors.len(), 1);
    assert_eq!(erred.subject.ancestors.len(), 0);
}

#[test]
fn a_dossier_of_administration_tells_who_the_person_was() {
    let mut log = Log::founded();
    log.log_in("alice");
    log.grant("alice");
    let actor = Actor::Person("alice".parse().unwrap());
    log.ask(&administrative(&actor, Administration::ReadAudit, Presented::Nothing));
    let dossier = dossier(&log).unwrap();
    let roles = vec!["auditor".to_owned()];
    assert_eq!(dossier.subject.standing, Some(Standing::Person { roles, disabled: false }));
    assert_eq!(log.world.set(SetKind::System).in_force(), dossier.policy_set);
}

#[test]
fn only_a_decision_has_a_dossier() {
    let log = Log::founded();
    assert!(dossier(&log).is_none());
}
