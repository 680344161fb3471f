//! Countersign: an event-sourced, zero-trust policy decision point.
//!
//! Rooms, core first; imports run from the later to the earlier only
//! (`tests/tidy.rs` checks it).

// ── core: pure ──
pub mod model;

pub mod tlog;

pub mod event;

pub mod cedar;

pub mod projection;

pub mod pdp;

pub mod authn;
pub mod pap;
pub mod pip;

pub mod checks;

pub mod audit;

// ── shell: effects ──
pub mod checkpoint;
pub mod clock;
pub mod entropy;
pub mod event_store;
pub mod hasher;
pub mod settings;
pub mod symbolic;
pub mod telemetry;
pub mod vault;
pub mod webauthn;

pub mod snapshot;

pub mod sequencer;

pub mod node;

pub mod http;

pub mod cli;
