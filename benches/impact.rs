//! What another policy set would have changed of a long log: figures/s a core, and as much
//! by all cores. Budget: issue of impact, 1,000,000 recorded decisions in minutes.
//! `cargo bench --bench impact`; what it printed on which machine is in benches/README.md.
//!
//! The log is that of the bench `start`: a real node, sled on the disk, its own writer, every
//! group signed. `-- --entries N` sets its length. Every report must be the expected one, and
//! samples are held against Cedar's own authorizer over the folded World before anything is
//! said of speed.

#![cfg(test)] // so that the lints take all of this for a test
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

#[allow(dead_code)] // the bench `start` uses the rest
#[path = "start/build.rs"]
mod build;

use std::time::{Duration, Instant};

use countersign::audit::{Impact, ImpactReport, Supposition};
use countersign::cedar::{Limits, on_large_stack};
use countersign::event::{AccessDecided, Envelope, Event, PolicyIndexDoubted, Verdict, decode};
use countersign::event_store::EventStore;
use countersign::model::{BUILD, Index, Label, PolicySource, SetKind};
use countersign::node::{Node, NodeError, Weighing, threads};
use countersign::pap::{self, Draft};
use countersign::pdp::decide_again;
use countersign::projection::World;

use build::{Ground, each_page};

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Every so many decisions one is taken by Cedar's own authorizer too.
const SAMPLED: u64 = 500;

fn main() {
    let Some(entries) = entries() else { return };
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let ground = Ground::found(directory.path());
    ground.write(entries);
    let node = ground.open();
    let draft = draft(&node.sequencer.world());
    let (decisions, flipped) = counted(&**node.sequencer.store());
    println!("\n{decisions} recorded decisions in {entries} entries; {flipped} are to flip.\n");
    let sampled = on_large_stack(|| held_against_cedar(&node, &draft)).unwrap();
    println!("{sampled} of them held against Cedar's own authorizer: none differs.\n");
    println!("| threads | time | decisions/s | decisions/s a thread |");
    println!("|---:|---:|---:|---:|");
    let mut first: Option<ImpactReport> = None;
    for threads in [1, threads()] {
        let (report, took) = weighed(&node, &draft, threads);
        assert_eq!((report.decisions, report.would_deny), (decisions, flipped));
        assert_eq!((report.would_allow, report.not_replayable), (0, 0));
        assert_eq!(first.get_or_insert_with(|| report.clone()), &report);
        let rate = decisions as f64 / took.as_secs_f64();
        let seconds = took.as_secs_f64();
        println!("| {threads} | {seconds:.1} s | {rate:.0} | {:.0} |", rate / threads as f64);
    }
    let _ended = node.sequencer;
}

/// The length of the log; none if `cargo test` only asks whether this runs.
fn entries() -> Option<u64> {
    let arguments: Vec<_> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "--test") {
        return None;
    }
    let at = arguments.iter().position(|argument| argument == "--entries");
    Some(at.map_or(1_000_000, |at| arguments[at + 1].parse().unwrap()))
}

/// What is in force, and a wall before Alice: exactly what she was allowed flips.
fn draft(world: &World) -> Draft {
    let wall = "@id(\"wall\") forbid (principal == User::\"alice\", action, resource);";
    let wall = pap::set_of(&[("wall.cedar", wall)], &Limits::default()).unwrap();
    let in_force = world.set(SetKind::Application).sources().cloned();
    let policies: Vec<PolicySource> = in_force.chain(wall).collect();
    let (set, message) = (SetKind::Application, Label::default());
    Draft { set, schema: None, policies: Some(policies), message }
}

fn access(entry: &Envelope) -> Option<&AccessDecided> {
    match &entry.event {
        Event::AccessDecided(it) if it.set == SetKind::Application => Some(it),
        _ => None,
    }
}

/// How many decisions there are, and how many of them allowed Alice something.
fn counted(store: &dyn EventStore) -> (u64, u64) {
    let (mut decisions, mut flipped) = (0, 0);
    each_page(store, |page| {
        for (index, bytes) in page {
            let entry = decode(*index, bytes).unwrap();
            let Some(decided) = access(&entry) else { continue };
            decisions += 1;
            let alices = decided.request.subject.id == "alice";
            flipped += u64::from(alices && decided.decision == Verdict::Allow);
        }
    });
    (decisions, flipped)
}

/// Folds the log, and at every so many decisions holds the draft's answer, by the index of
/// policies and by Cedar's own authorizer over all of them, against what is expected.
fn held_against_cedar(node: &Node, draft: &Draft) -> u64 {
    let supposed = pap::supposed(&node.sequencer.world(), draft, &Limits::default()).unwrap();
    let (mut world, mut decisions, mut sampled) = (World::default(), 0, 0);
    each_page(&**node.sequencer.store(), |page| {
        for (index, bytes) in page {
            let entry = decode(*index, bytes).unwrap();
            if let Some(decided) = access(&entry) {
                decisions += 1;
                if decisions % SAMPLED == 1 {
                    let by_cedar = all_asked(world.clone(), &entry).supposing(supposed.clone());
                    let by_index = world.supposing(supposed.clone());
                    let [cedars, ours] =
                        [by_cedar, by_index].map(|world| decide_again(&world, decided).decided);
                    assert_eq!(cedars.decision, ours.decision);
                    assert_eq!(cedars.determining, ours.determining);
                    assert_eq!(cedars.decision, Verdict::Deny);
                    sampled += 1;
                }
            }
            world.advance(&entry);
        }
    });
    sampled
}

/// The World in which every policy is asked, by Cedar's own authorizer.
fn all_asked(mut world: World, any: &Envelope) -> World {
    let doubt = PolicyIndexDoubted {
        set: SetKind::Application,
        policies: None,
        build: BUILD.to_owned(),
        differing: Vec::new(),
    };
    world.advance(&Envelope { event: Event::PolicyIndexDoubted(doubt), ..any.clone() });
    world
}

/// From the first entry to the last, reading, decoding and folding included.
fn weighed(node: &Node, draft: &Draft, threads: usize) -> (ImpactReport, Duration) {
    let begun = Instant::now();
    let store = node.sequencer.store();
    let supposition = on_large_stack(|| {
        let newest = node.sequencer.world();
        Supposition::new(&newest, Some(draft), Vec::new(), &Limits::default()).unwrap()
    });
    let mut impact = Impact::new(World::default(), Index(0), supposition.unwrap());
    let end = store.size();
    Weighing { store: &**store, sealer: Some(&node.sealer), threads, end }
        .weigh(&mut impact, |_| Ok::<_, NodeError>(()))
        .unwrap();
    (impact.report(), begun.elapsed())
}
