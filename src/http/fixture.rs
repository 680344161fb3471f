//! A node behind handlers, for tests of this room.

use std::sync::Arc;

use tempfile::TempDir;

use super::App;
use crate::clock::ManualClock;
use crate::entropy::SeededEntropy;
use crate::hasher::{Hasher, HasherSettings};
use crate::node::{Founding, Node, Surroundings, found};
use crate::settings::{Flags, Settings};
use crate::telemetry::Metrics;

/// A new node with a schema and a file of policies in force.
pub(super) async fn app(
    data: &TempDir,
    settings: &[&str],
    (schema, policies): (&str, &str),
) -> App {
    let flags = Flags {
        data: Some(data.path().join("data").display().to_string()),
        set: settings.iter().map(|it| (*it).to_owned()).collect(),
        ..Flags::default()
    };
    let settings = Settings::resolve(&flags, []).unwrap();
    let around = Surroundings {
        clock: Arc::new(ManualClock::at("2026-11-22T12:00:00Z".parse().unwrap())),
        entropy: Arc::new(SeededEntropy::new(7)),
        metrics: Arc::new(Metrics::new().unwrap()),
    };
    let founding = Founding {
        administrator: "admin".parse().unwrap(),
        schema: Some(schema.to_owned()),
        policies: vec![("p.cedar".to_owned(), policies.to_owned())],
        entities: Vec::new(),
        origin: None,
    };
    found(&settings, &around, founding).await.unwrap();
    let node = Node::open(&settings, around, |_, _| {}).unwrap();
    let entropy = Arc::clone(&node.surroundings.entropy);
    let hasher = Hasher::start(HasherSettings::insecure_for_tests(), entropy).unwrap();
    App::new(node, hasher, settings)
}
