//! A node's own life: founding a data directory, opening it, beginning to serve.

mod begin;
mod change;
mod erase;
mod error;
mod found;
mod open;
mod paths;
mod publish;
mod rotate;
mod shipped;

pub use change::change;
pub use erase::{Erasure, erase_person, erase_subject};
pub use error::NodeError;
pub use found::{Founded, Founding, found};
pub use open::{Node, Surroundings, sealer};
pub use paths::Paths;
pub use publish::publish;
