//! The servers under load: a real node and, in the same process and framework with as
//! many workers, one that only echoes.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};

use actix_web::dev::ServerHandle;
use actix_web::rt::System;
use actix_web::{App as Actix, HttpResponse, HttpServer, web};
use countersign::authn::{TotpSeed, code_at};
use countersign::clock::{Clock as _, SystemClock};
use countersign::entropy::SystemEntropy;
use countersign::hasher::{Hasher, HasherSettings};
use countersign::http::{self, App, Stop};
use countersign::model::SecretToken;
use countersign::node::{Founding, Node, Surroundings, found};
use countersign::pip;
use countersign::settings::{Flags, Settings};
use countersign::telemetry::Metrics;
use serde_json::{Value, json};
use totp_rs::Secret;

use crate::client::call;
use crate::others::others as policies;

/// Everybody's password.
pub const PASSWORD: &str = "seven quiet harbours at dusk";

/// A node in a fresh directory on the disk, serving the example organisation.
pub struct Served {
    pub address: SocketAddr,
    pub app: Arc<App>,
    server: Server,
}

/// A server on a thread of its own.
pub struct Server {
    handle: Handle,
    thread: JoinHandle<()>,
}

/// What stops it.
enum Handle {
    Node(Stop),
    Echo(ServerHandle),
}

impl Server {
    /// Stops it and waits for its end.
    pub fn stop(self) {
        System::new().block_on(async {
            match &self.handle {
                Handle::Node(stop) => stop.stop().await,
                Handle::Echo(server) => server.stop(true).await,
            }
        });
        self.thread.join().unwrap();
    }
}

impl Served {
    /// Founds a node with so many policies besides those that decide, and serves it; gives
    /// the first administrator's ticket, too.
    pub fn start(directory: &Path, set: &[String], others: usize) -> (Self, SecretToken) {
        let flags = Flags {
            data: Some(directory.join("data").display().to_string()),
            listen: Some("127.0.0.1:0".to_owned()),
            set: set.to_vec(),
            ..Flags::default()
        };
        let settings = Settings::resolve(&flags, []).unwrap();
        let founded = System::new().block_on(found(&settings, &surroundings(), founding(others)));
        let (sender, receiver) = channel();
        let thread = thread::spawn(move || {
            System::new().block_on(async move {
                let running = serve(settings).await;
                sender.send((running.1, running.0.address, running.0.handle())).unwrap();
                running.0.ended().await.unwrap();
            });
        });
        let (app, address, handle) = receiver.recv().unwrap();
        let server = Server { handle: Handle::Node(handle), thread };
        (Self { address, app, server }, founded.unwrap().ticket)
    }

    /// Stops the server; the node goes with the last handle on it.
    pub fn stop(self) -> Arc<App> {
        self.server.stop();
        self.app
    }
}

async fn serve(settings: Settings) -> (http::Running, Arc<App>) {
    let node = Node::open(&settings, surroundings(), |_, _| {}).unwrap();
    node.begin(&settings).await.unwrap();
    let cost = &settings.argon2;
    let hashing = HasherSettings::new(cost.m_kib, cost.t, cost.p)
        .unwrap()
        .with_threads(settings.limits.hash_threads)
        .with_queue(settings.limits.hash_queue);
    let hasher = Hasher::start(hashing, Arc::new(SystemEntropy)).unwrap();
    let app = Arc::new(App::new(node, hasher, settings));
    (http::serve(Arc::clone(&app)).unwrap(), app)
}

fn surroundings() -> Surroundings {
    Surroundings {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        metrics: Arc::new(Metrics::new().unwrap()),
    }
}

/// The example organisation that ships with Countersign.
fn founding(others: usize) -> Founding {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let files = ["assurance", "least-privilege", "segments"];
    let named = |name| (format!("{name}.cedar"), read(&format!("policies/cloud/{name}.cedar")));
    let others = (others > 0).then(|| ("others.cedar".to_owned(), policies(0..others)));
    let entities: Value = serde_json::from_str(&read("schemas/cloud.entities.json")).unwrap();
    Founding {
        administrator: "admin".parse().unwrap(),
        schema: Some(read("schemas/cloud.cedarschema")),
        policies: files.map(named).into_iter().chain(others).collect(),
        entities: pip::read_entities(&entities).unwrap(),
        origin: None,
    }
}

/// Starts the echo: it reads a whole body and answers with it.
pub fn echo(workers: usize) -> (SocketAddr, Server) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = channel();
    let thread = thread::spawn(move || {
        System::new().block_on(async move {
            let app = || Actix::new().route("/echo", web::post().to(back));
            let server = HttpServer::new(app).workers(workers).listen(listener).unwrap().run();
            sender.send(server.handle()).unwrap();
            server.await.unwrap();
        });
    });
    (address, Server { handle: Handle::Echo(receiver.recv().unwrap()), thread })
}

async fn back(body: web::Bytes) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(body)
}

/// What an enforcement point shows: its own token and a person's session token.
pub struct Tokens {
    pub pep: String,
    pub session: String,
    /// The administrator's.
    pub admin: String,
    /// A service's that changes the directory: a person's second factor would grow old.
    pub author: String,
}

impl Tokens {
    /// Enrols the administrator and a person with two factors each, and makes a
    /// service token, all by way of the API.
    pub async fn obtain(address: SocketAddr, ticket: &SecretToken) -> Self {
        let admin = two_factors(address, "admin", ticket.expose()).await;
        let admin = admin["token"].as_str().unwrap();
        let alice = call(address, "/users/v1", admin, &json!({"name": "alice"}), 201).await;
        let alice = two_factors(address, "alice", alice["ticket"].as_str().unwrap()).await;
        let asked = json!({"scopes": ["evaluate"], "label": "bench"});
        let pep = call(address, "/tokens/v1", admin, &asked, 201).await;
        let asked = json!({"scopes": ["publish"], "label": "bench"});
        let author = call(address, "/tokens/v1", admin, &asked, 201).await;
        let text = |of: &Value, name: &str| of[name].as_str().unwrap().to_owned();
        Self {
            pep: text(&pep, "token"),
            session: text(&alice, "session_token"),
            admin: admin.to_owned(),
            author: text(&author, "token"),
        }
    }
}

/// Enrols somebody, logs them in and sets up their second factor.
pub async fn two_factors(address: SocketAddr, name: &str, ticket: &str) -> Value {
    let post = async |path: &str, token: &str, body: Value, status| {
        call(address, path, token, &body, status).await
    };
    post("/auth/v1/enrol", "", json!({"ticket": ticket, "password": PASSWORD}), 201).await;
    let login = json!({"username": name, "password": PASSWORD});
    let session = post("/auth/v1/login", "", login, 200).await;
    let token = session["token"].as_str().unwrap();
    let offer = post("/auth/v1/setup-mfa", token, json!({}), 200).await;
    let seed = Secret::try_from_base32(offer["secret"].as_str().unwrap()).unwrap();
    let seed = TotpSeed::from(<[u8; 20]>::try_from(seed.as_ref()).unwrap());
    let code = code_at(&seed, SystemClock.now());
    post("/auth/v1/verify-mfa", token, json!({"mfa_code": *code}), 200).await
}
