//! A node of its own for each test.

mod answer;
mod asking;
mod browser;
mod login;
mod tokens;
mod writer;

pub use answer::Answer;
pub use asking::decided;
pub use browser::Browser;
pub use login::{PASSWORD, Person, seed};

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use countersign::clock::ManualClock;
use countersign::entropy::SeededEntropy;
use countersign::event::{Envelope, decode};
use countersign::event_store::StoreError;
use countersign::hasher::{Hasher, HasherSettings};
use countersign::http::{self, App, Stop};
use countersign::model::{EntityDocument, Index, Moment, SecretToken};
use countersign::node::{Founding, Node, NodeError, Surroundings, found};
use countersign::pip;
use countersign::settings::{Flags, Settings};
use countersign::telemetry::Metrics;
use serde_json::Value;
use tempfile::TempDir;

/// What a node begins with.
#[derive(Clone, Default)]
pub struct Setup {
    pub schema: Option<String>,
    pub policies: Vec<(String, String)>,
    pub entities: Vec<EntityDocument>,
    pub settings: Vec<String>,
}

impl Setup {
    /// The example organisation that ships with Countersign.
    pub fn cloud() -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
        let mut files: Vec<_> = std::fs::read_dir(root.join("policies/cloud"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ext| ext == "cedar"))
            .collect();
        files.sort();
        let named = |path: PathBuf| (path.display().to_string(), read(path));
        let entities = read(root.join("schemas/cloud.entities.json"));
        Self {
            schema: Some(read(root.join("schemas/cloud.cedarschema"))),
            policies: files.into_iter().map(named).collect(),
            entities: pip::read_entities(&serde_json::from_str(&entities).unwrap()).unwrap(),
            settings: Vec::new(),
        }
    }

    /// A schema and policies of the test's own.
    pub fn of(schema: &str, policies: &str, entities: &Value) -> Self {
        Self {
            schema: Some(schema.to_owned()),
            policies: vec![("test.cedar".to_owned(), policies.to_owned())],
            entities: pip::read_entities(entities).unwrap(),
            settings: Vec::new(),
        }
    }

    pub fn with_setting(mut self, setting: &str) -> Self {
        self.settings.push(setting.to_owned());
        self
    }
}

/// The node that serves; none while it is stopped, for it would hold its directory.
pub struct Served(Option<Arc<App>>);

impl Deref for Served {
    type Target = App;
    fn deref(&self) -> &App {
        self.0.as_deref().expect("a node that serves")
    }
}

/// A running node and its data directory.
pub struct TestApp {
    pub base: String,
    pub clock: ManualClock,
    pub ticket: SecretToken,
    pub node: Served,
    settings: Settings,
    entropy: Arc<SeededEntropy>,
    cost: HasherSettings,
    server: Option<(Stop, JoinHandle<()>)>,
    _directory: TempDir,
}

impl TestApp {
    /// Founds and serves a node.
    pub fn spawn(setup: &Setup) -> Self {
        let directory = TempDir::new().unwrap();
        let data = directory.path().join("data");
        let mut set = setup.settings.clone();
        set.push("limits.hash_queue=512".to_owned());
        // However full the disk is, what is put away here is put away.
        set.push("snapshots.spare_mib=0".to_owned());
        // However slow the machine is, what is asked here is answered.
        set.push("limits.lag_ms=600000".to_owned());
        let flags = Flags {
            data: Some(data.display().to_string()),
            listen: Some("127.0.0.1:0".to_owned()),
            set,
            ..Flags::default()
        };
        let settings = Settings::resolve(&flags, []).unwrap();
        let clock = ManualClock::at("2026-11-22T12:00:00Z".parse::<Moment>().unwrap());
        let entropy = Arc::new(SeededEntropy::new(7));
        let around = surroundings(&clock, &entropy);
        let founding = Founding {
            administrator: "admin".parse().unwrap(),
            schema: setup.schema.clone(),
            policies: setup.policies.clone(),
            entities: setup.entities.clone(),
            origin: None,
        };
        let founded = actix_web::rt::System::new().block_on(found(&settings, &around, founding));
        let ticket =
            founded.unwrap_or_else(|error| panic!("{error}: {:#?}", error.faults())).ticket;
        let cost = HasherSettings::insecure_for_tests();
        let (node, base, server) = serve(&settings, &clock, &entropy, cost);
        Self {
            base,
            clock,
            ticket,
            node: Served(Some(node)),
            settings,
            entropy,
            cost,
            server: Some(server),
            _directory: directory,
        }
    }

    /// The file with the key that its vault is sealed under.
    pub fn key_file(&self) -> &std::path::Path {
        &self.settings.key_file
    }

    /// Stops the node, drains it, and serves the same directory again.
    pub fn restart(&mut self) {
        self.restart_with(|_| {});
    }

    /// The same, under other settings from here on.
    pub fn restart_with(&mut self, alter: impl FnOnce(&mut Settings)) {
        self.stop();
        alter(&mut self.settings);
        let (node, base, server) = serve(&self.settings, &self.clock, &self.entropy, self.cost);
        self.node = Served(Some(node));
        self.base = base;
        self.server = Some(server);
    }

    /// The same, with new passwords hashed at another cost from here on.
    pub fn restart_hashing_at(&mut self, cost: HasherSettings) {
        self.cost = cost;
        self.restart();
    }

    fn stop(&mut self) {
        if let Some((handle, thread)) = self.server.take() {
            actix_web::rt::System::new().block_on(handle.stop());
            thread.join().unwrap();
            self.node = Served(None);
        }
    }

    /// Every entry of the log, oldest first.
    pub fn log(&self) -> Vec<Envelope> {
        let store = self.node.sequencer.store();
        let size = usize::try_from(store.size()).unwrap();
        let page = store.read(Index(0), size, usize::MAX).unwrap();
        page.iter().map(|(index, bytes)| decode(*index, bytes).unwrap()).collect()
    }

    pub fn get(&self, path: &str, token: &str) -> Answer {
        Answer::of(agent().get(self.url(path)).header("authorization", bearer(token)).call())
    }

    pub fn delete(&self, path: &str, token: &str) -> Answer {
        Answer::of(agent().delete(self.url(path)).header("authorization", bearer(token)).call())
    }

    pub fn patch(&self, path: &str, token: &str, body: &Value) -> Answer {
        let request = agent().patch(self.url(path)).header("authorization", bearer(token));
        Answer::of(request.send_json(body))
    }

    pub fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        let request = agent().post(self.url(path)).header("authorization", bearer(token));
        Answer::of(request.send_json(body))
    }

    pub fn put(&self, path: &str, token: &str, body: &Value) -> Answer {
        let request = agent().put(self.url(path)).header("authorization", bearer(token));
        Answer::of(request.send_json(body))
    }

    /// A request with headers and bytes of the test's own.
    pub fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = ureq::http::Request::builder().method(method).uri(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(agent().run(request.body(body).unwrap()))
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.stop();
    }
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
    config.build().into()
}

fn surroundings(clock: &ManualClock, entropy: &Arc<SeededEntropy>) -> Surroundings {
    Surroundings {
        clock: Arc::new(clock.clone()),
        entropy: Arc::clone(entropy) as _,
        metrics: Arc::new(Metrics::new().unwrap()),
    }
}

type Started = (Arc<App>, String, (Stop, JoinHandle<()>));

/// Serves a founded directory on a thread of its own.
fn serve(
    settings: &Settings,
    clock: &ManualClock,
    entropy: &Arc<SeededEntropy>,
    cost: HasherSettings,
) -> Started {
    let (settings, around) = (settings.clone(), surroundings(clock, entropy));
    let (sender, receiver) = channel();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let node = open(&settings, &around);
            node.begin(&settings).await.unwrap();
            let entropy = Arc::clone(&node.surroundings.entropy);
            let hasher = Hasher::start(cost.with_queue(512), entropy).unwrap();
            let app = Arc::new(App::new(node, hasher, settings));
            let running = http::serve(Arc::clone(&app)).unwrap();
            sender.send((app, running.address, running.handle())).unwrap();
            running.ended().await.unwrap();
        });
    });
    let (app, address, handle) = receiver.recv().unwrap();
    (app, format!("http://{address}"), (handle, thread))
}

/// Opens the directory, once the threads of a server that has ended have let go of it.
fn open(settings: &Settings, around: &Surroundings) -> Node {
    let late = Instant::now() + Duration::from_secs(30);
    loop {
        match Node::open(settings, around.clone(), |_, _| {}) {
            Err(NodeError::Store(StoreError::Locked { .. })) if Instant::now() < late => {
                std::thread::yield_now();
            }
            opened => return opened.unwrap(),
        }
    }
}
