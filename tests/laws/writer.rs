//! A sequencer over a store in memory, and ways to propose to it.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use countersign::authn::Refusal;
use countersign::checkpoint::Publisher;
use countersign::clock::ManualClock;
use countersign::entropy::SeededEntropy;
use countersign::event::{
    DirectoryActivated, EntitySubmitted, Envelope, Event, LogCreated, NodeStarted,
    PersonRegistered, PolicyIndexDoubted, decode,
};
use countersign::event_store::{EventStore, MemoryStore};
use countersign::model::{EntityDocument, Index, Label, Moment, SetKind, Version};
use countersign::projection::{Artefacts, Footprint, World};
use countersign::sequencer::{
    CommitError, Committed, Expected, Origin, Sequencer, SequencerSettings, Sources, recover,
};
use countersign::telemetry::Metrics;
use tokio::task::{JoinHandle, yield_now};
use uuid::Uuid;

pub type Told = Result<Committed, CommitError<Refusal>>;

/// A writer, its store and its clock.
pub struct Writer {
    pub sequencer: Arc<Sequencer>,
    pub store: Arc<MemoryStore>,
    pub clock: ManualClock,
}

impl Writer {
    /// Over a new store.
    pub fn new() -> Self {
        Self::over(MemoryStore::new(), SequencerSettings::default())
    }

    /// Over a store as a start finds it.
    pub fn over(store: MemoryStore, settings: SequencerSettings) -> Self {
        let log = recover(&store, &Artefacts::default(), |_, _| {}).unwrap();
        let (store, clock) = (Arc::new(store), ManualClock::at(noon()));
        let sources = Sources {
            store: Arc::clone(&store) as Arc<dyn EventStore>,
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(SeededEntropy::new(11)),
            metrics: Arc::new(Metrics::new().unwrap()),
            notary: Arc::default(),
            publisher: Arc::new(Publisher::nowhere()),
        };
        let sequencer = Arc::new(Sequencer::start(log, sources, settings).unwrap());
        Self { sequencer, store, clock }
    }

    /// The first entry, which every log begins with: a group of its own.
    pub async fn begin(self) -> Self {
        let created = Event::LogCreated(LogCreated { log: Uuid::from_u128(7) });
        self.commit(vec![created]).await.unwrap();
        self
    }

    /// Proposes and waits for the answer.
    pub async fn commit(&self, events: Vec<Event>) -> Told {
        self.propose(Expected::default(), move |_, _| Ok(events)).await.unwrap()
    }

    /// Proposes at once; the answer is for later.
    pub fn propose(
        &self,
        expected: Expected,
        decide: impl FnOnce(&World, Moment) -> Result<Vec<Event>, Refusal> + Send + 'static,
    ) -> JoinHandle<Told> {
        let sequencer = Arc::clone(&self.sequencer);
        tokio::spawn(async move { sequencer.commit(Origin::node(), expected, decide).await })
    }

    /// Records a decision taken in a World, or whatever `retake` makes of it.
    pub fn record(
        &self,
        taken_in: Arc<World>,
        taken: Event,
        retaken: Vec<Event>,
    ) -> JoinHandle<Told> {
        let sequencer = Arc::clone(&self.sequencer);
        tokio::spawn(async move {
            let retake = move |_: &World, _| Ok(retaken);
            let taken = (vec![taken], Footprint::of(&taken_in));
            sequencer.record(Origin::node(), (&*taken_in, noon()), taken, retake).await
        })
    }

    /// Keeps the writer busy with a command that records nothing: whatever is proposed
    /// until the sender is dropped ends up in one group with it.
    pub async fn hold(&self) -> Sender<()> {
        let (entered, is_in) = channel();
        let (go_on, may_go_on) = channel::<()>();
        self.propose(Expected::default(), move |_, _| {
            entered.send(()).unwrap();
            let _dropped = may_go_on.recv();
            Ok(Vec::new())
        });
        yield_now().await;
        is_in.recv().unwrap();
        go_on
    }

    /// Everything recorded.
    pub fn log(&self) -> Vec<Envelope> {
        entries(&*self.store)
    }
}

pub fn noon() -> Moment {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// Every entry of a store.
pub fn entries(store: &dyn EventStore) -> Vec<Envelope> {
    let size = usize::try_from(store.size()).unwrap();
    let page = store.read(Index(0), size, usize::MAX).unwrap();
    page.iter().map(|(index, bytes)| decode(*index, bytes).unwrap()).collect()
}

/// An event that alters no decision; each with a name of its own.
pub fn tick(name: &str) -> Event {
    let (cedar, language, authentication) = (String::new(), String::new(), None);
    let build = name.to_owned();
    Event::NodeStarted(NodeStarted { build, cedar, language, authentication })
}

/// An event that does alter decisions.
pub fn registered(name: &str) -> Event {
    Event::PersonRegistered(PersonRegistered { person: name.parse().unwrap() })
}

/// A change of the directory.
pub fn entity_put() -> Vec<Event> {
    let (publication, entity) = (Uuid::nil(), EntityDocument::bare("A::\"a\"".parse().unwrap()));
    let (version, changed, message) = (Version(1), 1, Label::default());
    vec![
        Event::EntitySubmitted(EntitySubmitted { publication, entity }),
        Event::DirectoryActivated(DirectoryActivated { publication, version, changed, message }),
    ]
}

/// The index of policies is found wrong.
pub fn doubt(world: &World) -> Event {
    Event::PolicyIndexDoubted(PolicyIndexDoubted {
        set: SetKind::Application,
        policies: world.application.in_force(),
        build: "0.1.0".to_owned(),
        differing: Vec::new(),
    })
}
