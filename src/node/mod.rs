//! A node's own life: founding a data directory, opening it, beginning to serve.

mod begin;
mod change;
mod error;
mod found;
mod open;
mod paths;
mod publish;
mod shipped;
mod signing;
mod snapshots;
mod standing;

pub use change::change;
pub use error::NodeError;
pub use found::{Founded, Founding, found};
pub use open::{Node, Surroundings};
pub use paths::Paths;
pub use publish::publish;
pub use signing::draw_signing_key;
pub use standing::{NotAsSigned, check_head, check_outside, head, read_outside};
