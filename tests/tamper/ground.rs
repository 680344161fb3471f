//! A log with a history, its export, and what `verify` says of a copy.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign::clock::SystemClock;
use countersign::entropy::{SeededEntropy, SystemEntropy};
use countersign::node::{Founding, Node, Surroundings, found};
use countersign::sequencer::{Expected, Origin};
use countersign::settings::{Flags, Settings};
use countersign::telemetry::Metrics;
use tempfile::TempDir;

use crate::call::call;

/// What `verify` made of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is wrong.
    Clean,
    /// Something is, or it cannot even be opened.
    Found,
}

/// A data directory of some 300 entries in many groups, its export, its verifier key, and
/// an older copy of both.
pub struct Ground {
    directory: TempDir,
    pub key: String,
}

impl Ground {
    pub fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let directory = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
        let mut ground = Self { directory: directory.unwrap(), key: String::new() };
        ground.key = ground.found();
        ground.live(40);
        ground.keep("older");
        ground.live(240);
        ground.keep("newest");
        ground
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The data directory itself; copies of it lie beside it.
    pub fn data(&self) -> PathBuf {
        self.at("data")
    }

    fn settings(&self) -> Settings {
        let text = |path: PathBuf| path.display().to_string();
        let flags = Flags { data: Some(text(self.data())), ..Flags::default() };
        Settings::resolve(&flags, []).unwrap()
    }

    fn found(&self) -> String {
        let founding = Founding {
            administrator: "admin".parse().unwrap(),
            schema: None,
            policies: Vec::new(),
            entities: Vec::new(),
            origin: Some("log.example/tamper".to_owned()),
        };
        let (settings, surroundings) = (self.settings(), surroundings());
        let founding = found(&settings, &surroundings, founding);
        runtime().block_on(founding).unwrap().verifier_key.to_string()
    }

    /// Records so many entries, each in a group of its own.
    fn live(&self, entries: u64) {
        let node = Node::open(&self.settings(), surroundings(), |_, _| {}).unwrap();
        runtime().block_on(async {
            for nth in 0..entries {
                let event = crate::entries::tick(nth);
                let decide = move |_: &_, _| Ok::<_, countersign::authn::Refusal>(vec![event]);
                let none = Expected::default();
                node.sequencer.commit(Origin::node(), none, decide).await.unwrap();
            }
        });
    }

    /// Exports the log to `NAME` and copies its checkpoint to `NAME.checkpoint`.
    fn keep(&self, name: &str) {
        let (folder, data) = (self.at(name), self.data());
        let arguments = ["log", "export", text(&folder), "--data", text(&data)];
        let (code, said) = call(&arguments);
        assert_eq!(code, 0, "{said}");
        let checkpoint = self.at(&format!("{name}.checkpoint"));
        std::fs::copy(folder.join("checkpoint"), checkpoint).unwrap();
    }

    /// What `verify` says of a data directory.
    pub fn verify_directory(&self, data: &Path) -> Outcome {
        self.verify(&["--data", text(data)])
    }

    /// What `verify` says of an export, to somebody who kept the newest checkpoint.
    pub fn verify_export(&self, folder: &Path) -> Outcome {
        let kept = self.at("newest.checkpoint");
        self.verify(&[text(folder), "--since", text(&kept)])
    }

    fn verify(&self, of: &[&str]) -> Outcome {
        let (code, said) = call(&[&["verify", "--key", &self.key], of].concat());
        match code {
            0 => Outcome::Clean,
            // 1: found; 3: does not even open. 2 would be a mistake of this test.
            1 | 3 => Outcome::Found,
            other => panic!("exit code {other}: {said}"),
        }
    }
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The machine's own clock and chance.
pub fn surroundings() -> Surroundings {
    Surroundings {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        metrics: Arc::new(Metrics::new().unwrap()),
    }
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A number from the environment.
pub fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

/// Chance that repeats itself.
pub struct Dice(SeededEntropy);

impl Dice {
    pub fn of(seed: u64, nth: u64) -> Self {
        Self(SeededEntropy::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ nth))
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        let drawn = countersign::entropy::draw::<8>(&self.0).unwrap();
        usize::try_from(u64::from_be_bytes(*drawn) % end as u64).unwrap()
    }
}
