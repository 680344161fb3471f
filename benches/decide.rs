//! Deciding, explaining, going back, committing and replaying in process. `cargo bench --bench
//! decide`; figures and budgets (one decision, replay) are in benches/README.md.

#![cfg(test)] // so that the lints take all of this for a test

#[path = "http/others.rs"]
mod others;

use std::cell::LazyCell;
use std::hint::black_box;
use std::sync::Arc;

use actix_web::rt::System;
use countersign::audit::Replay;
use countersign::cedar::{Limits, read_policies};
use countersign::checkpoint::Publisher;
use countersign::clock::SystemClock;
use countersign::entropy::SystemEntropy;
use countersign::event::{
    AccessDecided, DecisionSettings, Event, LogCreated, PersonRegistered, Presented,
    SessionPurpose, SessionStarted, SigningKeyAdopted, Verdict, decode,
};
use countersign::event_store::{EventStore, MemoryStore, SledStore};
use countersign::model::{
    AccessRequest, Digest, GoOn, Index, Label, Method, Methods, Moment, SetKind, Username, Version,
};
use countersign::node::{Command, change, publish, take_step};
use countersign::pap::{Draft, Step};
use countersign::pdp::{self, Ask};
use countersign::pip;
use countersign::projection::{Change, World};
use countersign::sequencer::{Expected, Log, Origin, Sequencer, SequencerSettings, Sources};
use countersign::telemetry::Metrics;
use countersign::tlog::{Checkpoint, SigningKey, Tree, leaf_hash, sign_checkpoint};
use countersign::vault::{FreshKeys, Sealer};
use criterion::{BenchmarkId, Criterion, Throughput};
use futures_util::future::join_all;
use others::others;
use serde_json::{Value, json};
use uuid::Uuid;

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The person's session.
const SESSION: Uuid = Uuid::from_u128(7);

/// What decides whether alice opens the protected resource.
const DECISIVE: &str = r#"
@id("employees-open") permit (
  principal in Role::"employee",
  action == Action::"open",
  resource == ProtectedResource::"protected-resource"
);
@id("two-factors") forbid (principal, action == Action::"open", resource is ProtectedResource)
unless { context has session && context.session.aal >= 2 };
"#;

fn main() {
    let mut criterion = Criterion::default().sample_size(30).configure_from_args();
    decide(&mut criterion);
    explain(&mut criterion);
    roll_back(&mut criterion);
    replay(&mut criterion);
    commit(&mut criterion);
    seal(&mut criterion);
    criterion.final_summary();
}

/// One decision by the number of policies in force, the session's facts in its context
/// included. Budget: 6 µs at 10, at most 1.5 times that at 10,000.
fn decide(c: &mut Criterion) {
    let mut group = c.benchmark_group("pdp/decide");
    for count in [10, 100, 1_000, 10_000] {
        let asked = LazyCell::new(|| {
            let sequencer = founded(Arc::new(MemoryStore::new()), count);
            let (world, ask) = (sequencer.world(), ask());
            let now = sequencer.now(&world);
            assert_eq!(world.set(SetKind::Application).len(), count);
            assert_allowed(&pdp::decide(&world, &ask, now));
            (world, ask, now)
        });
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            let (world, ask, now) = &*asked;
            b.iter(|| pdp::decide(black_box(world), black_box(ask), black_box(*now)));
        });
    }
    group.finish();
}

/// The same question explained, by the number of policies in force.
fn explain(c: &mut Criterion) {
    let mut group = c.benchmark_group("pdp/explain");
    for count in [10, 1_000, 10_000] {
        let asked = LazyCell::new(|| {
            let sequencer = founded(Arc::new(MemoryStore::new()), count);
            let (world, ask) = (sequencer.world(), ask());
            let now = sequencer.now(&world);
            let told = pdp::explain(&world, &ask, now, &world.erasures);
            assert_eq!(told.decision, Verdict::Allow, "{told:?}");
            assert_eq!(told.policies[0].weighed.policy.as_str(), "employees-open", "{told:?}");
            (world, ask, now)
        });
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            let (world, ask, now) = &*asked;
            b.iter(|| pdp::explain(black_box(world), black_box(ask), *now, &world.erasures));
        });
    }
    group.finish();
}

/// Going back to the version before, recorded in memory, by the number of policies in each:
/// twice is there and back, and each time the other one must be in force.
fn roll_back(c: &mut Criterion) {
    let mut group = c.benchmark_group("node/roll_back");
    for count in [10, 1_000, 10_000] {
        let versions = LazyCell::new(|| {
            let sequencer = founded(Arc::new(MemoryStore::new()), count);
            let more = format!("{}{}", text(count), others(count..count + 1));
            let draft = Draft {
                set: SetKind::Application,
                schema: None,
                policies: Some(read_policies("p", &more, &Limits::default()).unwrap()),
                message: Label::default(),
            };
            let published = publish(&sequencer, &SystemEntropy, Origin::node(), None, draft, None);
            System::new().block_on(published).unwrap();
            sequencer
        });
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            let runtime = System::new();
            b.iter(|| {
                let present = versions.world().set(SetKind::Application).len();
                let expected = if present == count { count + 1 } else { count };
                let (origin, presented) = (Origin::node(), Presented::Nothing);
                let go_on = GoOn::ALWAYS;
                let command = Command { origin, authority: None, presented, go_on };
                let reason = Label::default();
                let taken = take_step(&versions, command, Step::RollBack, None, reason);
                let (recorded, ..) = runtime.block_on(taken).unwrap();
                assert_eq!(recorded.world.set(SetKind::Application).len(), expected);
            });
        });
    }
    group.finish();
}

/// A log read, folded and decided again, by decisions. Budget: 60,000 a second.
fn replay(c: &mut Criterion) {
    const DECISIONS: u64 = 5_000;
    let recorded = LazyCell::new(|| {
        let sequencer = founded(Arc::new(MemoryStore::new()), 20);
        (0..DECISIONS / 50).for_each(|_| record(&sequencer, 50));
        sequencer
    });
    let mut group = c.benchmark_group("audit/replay");
    group.sample_size(10).throughput(Throughput::Elements(DECISIONS));
    group.bench_function("decisions", |b| {
        let store = recorded.store();
        b.iter(|| {
            let mut replay = Replay::new();
            for (index, bytes) in store.read(Index(0), usize::MAX, usize::MAX).unwrap() {
                replay.step(&decode(index, &bytes).unwrap());
            }
            let report = replay.report();
            // Not clean: the session was put there without a login, which a replay points out.
            assert_eq!((report.identical, report.decisions), (DECISIONS, DECISIONS));
        });
    });
    group.finish();
}

/// Decisions made durable in sled on the disk, by how many are proposed at a time; each
/// group's root signed, and beside it not signed.
fn commit(c: &mut Criterion) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut group = c.benchmark_group("sequencer/commit");
    for (proposers, what) in [(1, "signed"), (1, "unsigned"), (64, "signed"), (64, "unsigned")] {
        let sequencer = LazyCell::new(|| {
            let store = SledStore::create(directory.path().join(format!("{proposers}-{what}")));
            let sequencer = founded(Arc::new(store.unwrap()), 20);
            if what == "signed" {
                sign(&sequencer);
            }
            sequencer
        });
        group.throughput(Throughput::Elements(proposers as u64));
        group.bench_function(BenchmarkId::new(what, proposers), |b| {
            b.iter(|| record(&sequencer, proposers));
            assert_eq!(sequencer.store().checkpoint().unwrap().is_some(), what == "signed");
        });
    }
    group.finish();
}

/// What a group costs the Merkle tree: its entries hashed, the tree grown, the root signed.
fn seal(c: &mut Criterion) {
    let sequencer = founded(Arc::new(MemoryStore::new()), 20);
    record(&sequencer, 1);
    let newest = Index(sequencer.store().size() - 1);
    let entry = sequencer.store().read(newest, 1, usize::MAX).unwrap().remove(0).1;
    let key = SigningKey::new("log.example/bench".parse().unwrap(), &[1; 32]);
    let mut group = c.benchmark_group("tlog/seal");
    for entries in [1, 64] {
        group.throughput(Throughput::Elements(entries));
        group.bench_function(BenchmarkId::from_parameter(entries), |b| {
            let (mut tree, mut tiles) = (Tree::default(), Vec::new());
            b.iter(|| {
                (0..entries).for_each(|_| tree.append(leaf_hash(black_box(&entry)), &mut tiles));
                tiles.clear();
                let head = Checkpoint::new("log.example/bench", tree.size(), tree.root()).unwrap();
                sign_checkpoint(&head, &[&key]).unwrap()
            });
        });
    }
    group.finish();
}

/// From here on the log signs the root of each group.
fn sign(sequencer: &Sequencer) {
    let key = SigningKey::new("log.example/bench".parse().unwrap(), &[1; 32]);
    let (credential, sealed) = (Uuid::from_u128(2), Digest::of("sealed"));
    let adopted = SigningKeyAdopted { verifier_key: key.verifier(), credential, sealed };
    sequencer.notary().hold(credential, key);
    System::new().block_on(state(sequencer, Event::SigningKeyAdopted(adopted)));
}

/// Takes and records so many decisions at a time; each must be allowed.
fn record(sequencer: &Sequencer, proposers: usize) {
    let proposals = (0..proposers).map(async |_| {
        let ask = ask();
        let world = sequencer.world();
        let now = sequencer.now(&world);
        let (taken, rests_on) = pdp::decide_on(&world, &ask, now);
        let taken = (vec![Event::AccessDecided(taken)], rests_on);
        let retake = move |world: &World, now| Ok::<_, ()>(vec![decided(world, &ask, now)]);
        sequencer.record(Origin::node(), (&world, now), taken, retake).await.unwrap()
    });
    let recorded = System::new().block_on(join_all(proposals));
    for committed in recorded {
        let [entry] = committed.entries.as_slice() else { panic!("{:?}", committed.entries) };
        let Event::AccessDecided(decided) = &entry.event else { panic!("{entry:?}") };
        assert_allowed(decided);
    }
}

fn decided(world: &World, ask: &Ask, now: Moment) -> Event {
    Event::AccessDecided(Box::new(pdp::decide(world, ask, now)))
}

#[track_caller]
fn assert_allowed(decided: &AccessDecided) {
    assert_eq!(decided.decision, Verdict::Allow, "{decided:?}");
    assert_eq!(decided.determining, ["employees-open".parse().unwrap()], "{decided:?}");
}

/// Alice, with two factors, opens the protected resource.
fn ask() -> Ask {
    let request = json!({
        "subject": {"type": "User", "id": "alice"},
        "action": {"name": "open"},
        "resource": {"type": "ProtectedResource", "id": "protected-resource"},
    });
    Ask::access(AccessRequest::from_json(&request).unwrap(), Presented::Session(SESSION), "bench")
}

/// A log with the example organisation's schema and directory, so many policies, and a
/// person in a session of two factors.
fn founded(store: Arc<dyn EventStore>, policies: usize) -> Sequencer {
    let sources = Sources {
        store,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        metrics: Arc::new(Metrics::new().unwrap()),
        notary: Arc::default(),
        publisher: Arc::new(Publisher::nowhere()),
    };
    let settings = SequencerSettings::default();
    let sequencer = Sequencer::start(Log::default(), sources, settings).unwrap();
    System::new().block_on(async {
        state(&sequencer, Event::LogCreated(LogCreated { log: Uuid::from_u128(1) })).await;
        state(&sequencer, Event::SettingsAdopted(DecisionSettings::default())).await;
        let (entropy, label) = (&SystemEntropy, Label::default());
        let draft = Draft {
            set: SetKind::Application,
            schema: Some(file("schemas/cloud.cedarschema")),
            policies: Some(read_policies("p", &text(policies), &Limits::default()).unwrap()),
            message: label.clone(),
        };
        publish(&sequencer, entropy, Origin::node(), None, draft, None).await.unwrap();
        let entities: Value = serde_json::from_str(&file("schemas/cloud.entities.json")).unwrap();
        let entities = pip::read_entities(&entities).unwrap();
        let puts = entities.into_iter().map(Change::Put).collect();
        let none: Option<Version> = None;
        let keys = FreshKeys::new(Arc::new(SystemEntropy));
        let sealer = Sealer::new(Arc::new(keys), Uuid::from_u128(1), Arc::new(SystemEntropy));
        change(&sequencer, &sealer, Origin::node(), None, puts, label, none).await.unwrap();
        let person: Username = "alice".parse().unwrap();
        state(&sequencer, Event::PersonRegistered(PersonRegistered { person: person.clone() }))
            .await;
        state(&sequencer, Event::SessionStarted(session(person))).await;
    });
    sequencer
}

fn session(person: Username) -> SessionStarted {
    SessionStarted {
        session: SESSION,
        person,
        methods: Methods::from_iter([Method::Pwd, Method::Otp]),
        purpose: SessionPurpose::Everything,
        token: Digest::of("token"),
        session_token: Digest::of("session"),
    }
}

async fn state(sequencer: &Sequencer, event: Event) {
    let decide = move |_: &World, _| Ok::<_, ()>(vec![event]);
    sequencer.commit(Origin::node(), Expected::default(), decide).await.unwrap();
}

fn file(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// So many policies: those that decide, and others for other people and things, some of
/// them for the same action.
fn text(count: usize) -> String {
    DECISIVE.to_owned() + &others(2..count)
}
