//! The stage: a fresh directory, a founded log, a server on a free loopback port.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::{self, Builder, JoinHandle};
use std::time::Duration;

use super::super::client::Client;
use super::super::failure::Failure;
use super::super::folder::{Operator, runtime, surroundings};
use super::super::token::{self, NewToken};
use super::super::{hosting, user};
use super::organisation;
use crate::entropy::{Entropy as _, SystemEntropy};
use crate::event_store::{SledStore, StoreError};
use crate::model::{Label, NotAName, Scope, Username};
use crate::node::{self, Founding, Paths};
use crate::settings::{Flags, Settings};
use crate::vault::Sealer;

/// The server has ended a moment before its threads have: how often, and how long
/// between, its log is asked for until they have.
const TRIES: u32 = 250;
const PAUSE: Duration = Duration::from_millis(20);

/// What the players hold when the story begins.
pub(super) struct Props {
    /// The first administrator's ticket.
    pub(super) administrator_ticket: String,
    /// Alice's ticket.
    pub(super) ticket: String,
    /// What the application asks for decisions with.
    pub(super) application: NewToken,
    /// What the auditor reads the log with.
    pub(super) auditor: NewToken,
}

/// A server over a fresh directory, both gone at the end.
pub(super) struct Stage {
    url: String,
    props: Props,
    data: PathBuf,
    server: Option<Server>,
    // Last, so that the server has ended before its directory goes.
    place: Place,
}

struct Server {
    stop: Stop,
    thread: JoinHandle<Result<(), Failure>>,
}

/// Asks the server to end; gives back when it has.
type Stop = Box<dyn FnOnce() -> Result<(), Failure> + Send>;

impl Stage {
    /// Founds a log with the example organisation and serves it.
    ///
    /// # Errors
    /// [`Failure`]: the directory, the log or the server could not be made.
    pub(super) fn set() -> Result<Self, Failure> {
        let place = Place::fresh()?;
        let data = place.0.join("data");
        let settings = settings(&data)?;
        let founding = Founding {
            administrator: name("admin")?,
            schema: Some(organisation::SCHEMA.to_owned()),
            policies: organisation::policies(),
            entities: organisation::entities()?,
            origin: None,
        };
        let surroundings = surroundings()?;
        let founded = runtime()?.block_on(node::found(&settings, &surroundings, founding))?;
        let operator = Operator::of(&settings)?;
        let token = |scope: Scope, label: &str| -> Result<NewToken, Failure> {
            let label: Label = label.parse().map_err(unfit)?;
            token::make(&operator, label, [scope].into_iter().collect(), None)
        };
        let props = Props {
            administrator_ticket: founded.ticket.expose().to_owned(),
            ticket: user::register(&operator, &name("alice")?, Vec::new())?.ticket,
            application: token(Scope::Evaluate, "an application")?,
            auditor: token(Scope::Audit, "an auditor")?,
        };
        let (url, server) = serve(operator.into_node(), settings)?;
        Ok(Self { url, props, data, server: Some(server), place })
    }

    /// Where the server is.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The directory that everything is in.
    pub(super) fn place(&self) -> &Path {
        &self.place.0
    }

    /// What the players hold.
    pub(super) const fn props(&self) -> &Props {
        &self.props
    }

    /// A way to the server for somebody who holds nothing yet.
    ///
    /// # Errors
    /// None for a server on loopback.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        Client::new(&self.url, None, None)
    }

    /// Stops the server, once what was asked has been answered.
    ///
    /// # Errors
    /// [`Failure`] if it failed.
    pub(super) fn strike(mut self) -> Result<Stopped, Failure> {
        if let Some(Server { stop, thread }) = self.server.take() {
            stop()?;
            ended(thread)?;
        }
        Ok(Stopped(self))
    }

    /// Waits until somebody stops it.
    ///
    /// # Errors
    /// [`Failure`] if it failed.
    pub(super) fn wait(mut self) -> Result<Stopped, Failure> {
        if let Some(Server { thread, .. }) = self.server.take() {
            ended(thread)?;
        }
        Ok(Stopped(self))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Only a story that was broken off leaves a server behind.
        if let Some(Server { stop, thread }) = self.server.take() {
            let _how_it_ended = stop().and_then(|()| ended(thread));
        }
    }
}

/// The stage after the server has stopped: its log can be read.
pub(super) struct Stopped(Stage);

impl Stopped {
    /// The log, once the server's last thread has let go of it.
    ///
    /// # Errors
    /// [`Failure`] if it cannot be opened.
    pub(super) fn store(&self) -> Result<SledStore, Failure> {
        let log = Paths::in_directory(&self.0.data).log;
        for _ in 0..TRIES {
            match SledStore::open(&log) {
                Err(StoreError::Locked { .. }) => thread::sleep(PAUSE),
                opened => return Ok(opened?),
            }
        }
        Ok(SledStore::open(&log)?)
    }

    /// What opens personal values in the log.
    ///
    /// # Errors
    /// [`Failure`] if the stage's key is gone.
    pub(super) fn sealer(&self, store: &SledStore) -> Result<Option<Sealer>, Failure> {
        let (paths, settings) = (Paths::in_directory(&self.0.data), settings(&self.0.data)?);
        Ok(node::sealer(&paths, &settings.key_file, store, Arc::new(SystemEntropy))?)
    }
}

fn settings(data: &Path) -> Result<Settings, Failure> {
    let flags = Flags {
        data: Some(data.to_string_lossy().into_owned()),
        listen: Some("127.0.0.1:0".to_owned()),
        set: vec!["limits.workers=1".to_owned()],
        ..Flags::default()
    };
    // Not from the environment: the story is the same for everybody.
    Ok(Settings::resolve(&flags, [])?)
}

fn serve(node: node::Node, settings: Settings) -> Result<(String, Server), Failure> {
    let (ready, begun) = mpsc::channel();
    let thread = Builder::new().name("demo-server".to_owned()).spawn(move || {
        runtime()?.block_on(async {
            let running = match hosting::start(node, settings).await {
                Ok(running) => running,
                Err(failure) => {
                    let _nobody_waits = ready.send(Err(failure));
                    return Ok(());
                }
            };
            let _nobody_waits = ready.send(Ok((running.address, running.handle())));
            running.ended().await.map_err(Failure::could_not_run)
        })
    });
    let thread = thread.map_err(Failure::could_not_run)?;
    let silent = |_| Failure::could_not_run("the server ended before it began");
    let (address, handle) = begun.recv().map_err(silent)??;
    let stop = Box::new(move || {
        runtime()?.block_on(handle.stop());
        Ok(())
    });
    Ok((format!("http://{address}"), Server { stop, thread }))
}

fn ended(thread: JoinHandle<Result<(), Failure>>) -> Result<(), Failure> {
    thread.join().map_err(|_| Failure::could_not_run("the server panicked"))?
}

fn name(text: &str) -> Result<Username, Failure> {
    text.parse().map_err(unfit)
}

fn unfit(error: NotAName) -> Failure {
    Failure::could_not_run(error)
}

/// A directory of our own among the temporary ones, removed when dropped.
struct Place(PathBuf);

impl Place {
    fn fresh() -> Result<Self, Failure> {
        let mut random = [0; 8];
        SystemEntropy.fill(&mut random).map_err(Failure::could_not_run)?;
        let name = format!("countersign-demo-{:016x}", u64::from_be_bytes(random));
        let path = std::env::temp_dir().join(name);
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| {
            Failure::could_not_run(format!("cannot make `{}`: {error}", path.display()))
        })?;
        Ok(Self(path))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever clears the temporary directory.
        let _left = fs::remove_dir_all(&self.0);
    }
}
