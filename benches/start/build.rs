//! A long log, written by a real node.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use actix_web::rt::System;
use countersign::clock::SystemClock;
use countersign::entropy::SystemEntropy;
use countersign::event::{
    AccessDecided, Event, PersonRegistered, Presented, SessionPurpose, SessionStarted, Verdict,
};
use countersign::event_store::EventStore;
use countersign::model::{AccessRequest, Digest, Index, Method, Methods, Moment};
use countersign::node::{Founding, Node, Surroundings, found};
use countersign::pdp::{Ask, decide};
use countersign::pip;
use countersign::projection::{StateDigest, World};
use countersign::sequencer::{Expected, Origin, Sequencer};
use countersign::settings::{Flags, Settings};
use countersign::telemetry::Metrics;
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

/// Persons who have logged in.
const PERSONS: u64 = 10_000;
/// Decisions in one proposal, and proposals at a time: full groups.
const GROUP: (u64, u64) = (250, 8);

/// A data directory.
pub struct Ground {
    settings: Settings,
}

impl Ground {
    /// Founds the example organisation.
    pub fn found(place: &Path) -> Self {
        let flags =
            Flags { data: Some(place.join("data").display().to_string()), ..Flags::default() };
        let settings = Settings::resolve(&flags, []).unwrap();
        let entities: Value = serde_json::from_str(&file("schemas/cloud.entities.json")).unwrap();
        let founding = Founding {
            administrator: "admin".parse().unwrap(),
            schema: Some(file("schemas/cloud.cedarschema")),
            policies: policies(),
            entities: pip::read_entities(&entities).unwrap(),
            origin: None,
        };
        System::new().block_on(found(&settings, &surroundings(), founding)).unwrap();
        Self { settings }
    }

    /// The same directory, of a node that keeps no snapshots.
    pub fn without_snapshots(mut self) -> Self {
        self.settings.snapshots.kept = 0;
        self
    }

    /// Opens it.
    pub fn open(&self) -> Node {
        Node::open(&self.settings, surroundings(), |_, _| {}).unwrap()
    }

    /// Writes until there are so many entries; the state they lead to.
    pub fn write(&self, entries: u64) -> StateDigest {
        let node = self.open();
        let system = System::new();
        let sequencer = &node.sequencer;
        for first in (0..PERSONS).step_by(100) {
            let persons = (first..first + 100).flat_map(logged_in).collect();
            system.block_on(record(sequencer, persons));
        }
        while sequencer.store().size() < entries {
            let left = entries - sequencer.store().size();
            let counts = (0..GROUP.1).map(|nth| left.saturating_sub(nth * GROUP.0).min(GROUP.0));
            let proposals = counts.filter(|count| *count > 0).map(|count| {
                let decide = move |world: &World, now| {
                    Ok::<_, ()>((0..count).map(|nth| decided(world, nth, now)).collect())
                };
                sequencer.commit(Origin::node(), Expected::default(), decide)
            });
            let committed = system.block_on(join_all(proposals));
            assert!(committed.into_iter().all(|it| it.is_ok()));
        }
        sequencer.world().digest()
    }
}

async fn record(sequencer: &Sequencer, events: Vec<Event>) {
    let decide = move |_: &World, _| Ok::<_, ()>(events);
    sequencer.commit(Origin::node(), Expected::default(), decide).await.unwrap();
}

/// A person is made known and begins a session of two factors.
fn logged_in(nth: u64) -> [Event; 2] {
    let person = format!("person-{nth}").parse().unwrap();
    let registered = PersonRegistered { person };
    let started = SessionStarted {
        session: session(nth),
        person: registered.person.clone(),
        methods: Methods::from_iter([Method::Pwd, Method::Otp]),
        purpose: SessionPurpose::Everything,
        token: Digest::of(format!("token {nth}")),
        session_token: Digest::of(format!("session {nth}")),
    };
    [Event::PersonRegistered(registered), Event::SessionStarted(started)]
}

const fn session(nth: u64) -> Uuid {
    Uuid::from_u128(1 + nth as u128)
}

/// Persons ask for what takes a role that they do not have; Alice opens what she may view.
fn decided(world: &World, nth: u64, now: Moment) -> Event {
    let whose = (nth + world.through.map_or(0, |through| through.0)) % PERSONS;
    let (who, presented, expected) = match nth % 2 {
        0 => ("alice".to_owned(), Presented::Nothing, Verdict::Allow),
        _ => (format!("person-{whose}"), Presented::Session(session(whose)), Verdict::Deny),
    };
    let request = json!({
        "subject": {"type": "User", "id": who},
        "action": {"name": "view"},
        "resource": {"type": "Document", "id": "handbook"},
    });
    let request = AccessRequest::from_json(&request).unwrap();
    let ask = Ask::access(request, presented, "bench");
    let decided: AccessDecided = decide(world, &ask, now);
    assert_eq!(decided.decision, expected, "{decided:?}");
    Event::AccessDecided(Box::new(decided))
}

/// Every entry of a log, page by page.
pub fn each_page(store: &dyn EventStore, mut take: impl FnMut(&[(Index, Vec<u8>)])) {
    let mut next = Index(0);
    while next.0 < store.size() {
        let page = store.read(next, 4_096, 8 << 20).unwrap();
        take(&page);
        next = page.last().unwrap().0.next();
    }
}

fn surroundings() -> Surroundings {
    Surroundings {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        metrics: Arc::new(Metrics::new().unwrap()),
    }
}

fn policies() -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("policies/cloud");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|it| it == "cedar")).collect();
    files.sort();
    let named =
        |path: PathBuf| (path.display().to_string(), std::fs::read_to_string(path).unwrap());
    files.into_iter().map(named).collect()
}

fn file(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}
