//! A node's own life: founding a data directory, opening it, beginning to serve.

mod accept_loss;
mod begin;
mod change;
mod cosigner;
mod erase;
mod error;
mod found;
mod impact;
mod keys;
mod notifier;
mod open;
mod paths;
mod publish;
mod restore;
mod rotate;
mod shipped;
mod signing;
mod snapshots;
mod standing;
mod trust;
mod versions;
mod witnesses;

use found::directory;

pub use accept_loss::{Accepted, Loss, accept_loss, look_at_loss};
pub use change::change;
pub use cosigner::{Cosigner, cosigning};
pub use erase::{Erasure, erase_person, erase_subject};
pub use error::NodeError;
pub use found::{Founded, Founding, found};
pub use impact::{Impacted, Weighing, threads, window};
pub use keys::{adopt_signing_key, retire_signing_key};
pub use notifier::{CannotNotify, Notifier};
pub use open::{Node, Surroundings, sealer};
pub use paths::Paths;
pub use publish::publish;
pub use restore::{restore, vacant};
pub use rotate::import_vault;
pub use signing::{draw_signing_key, named_secrets};
pub use standing::{NotAsSigned, check_head, check_outside, head, read_outside};
pub use trust::{NoCertificates, trusting};
pub use versions::{Command, apply, draft, take_step};
