//! From an opened data directory to a server that answers.

use std::sync::Arc;

use super::failure::Failure;
use crate::hasher::{Hasher, HasherSettings};
use crate::http::{App, Running, serve};
use crate::node::{Node, Surroundings};
use crate::settings::Settings;

/// After how many entries, while a log is folded, its progress is written down.
const STRIDE: u64 = 1_000_000;

/// Opens the data directory. Linear in its log.
///
/// # Errors
/// [`Failure`]: it is in use, damaged or was never founded.
pub(super) fn open(settings: &Settings, surroundings: Surroundings) -> Result<Node, Failure> {
    let mut told = 0;
    let progress = move |done: u64, all: u64| {
        if done / STRIDE > told {
            told = done / STRIDE;
            tracing::info!(done, all, "folding the log");
        }
    };
    Ok(Node::open(settings, surroundings, progress)?)
}

/// Starts serving on the runtime this is called on; what it records first is durable
/// before the first connection is accepted.
///
/// # Errors
/// [`Failure`]: what cannot be recorded, started or listened on.
pub(super) async fn start(node: Node, settings: Settings) -> Result<Running, Failure> {
    node.begin(&settings).await?;
    let cost = &settings.argon2;
    let hashing = HasherSettings::new(cost.m_kib, cost.t, cost.p)
        .map_err(Failure::usage)?
        .with_threads(settings.limits.hash_threads)
        .with_queue(settings.limits.hash_queue);
    let entropy = Arc::clone(&node.surroundings.entropy);
    let hasher = Hasher::start(hashing, entropy).map_err(Failure::could_not_run)?;
    serve(Arc::new(App::new(node, hasher, settings))).map_err(Failure::could_not_run)
}

/// `https` if the node offers TLS itself.
pub(super) const fn scheme(settings: &Settings) -> &'static str {
    if settings.tls.is_some() { "https" } else { "http" }
}
