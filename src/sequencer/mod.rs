//! The one writer: group, commit, recover.
//!
//! Everybody proposes; one thread decides the order. For each proposal it checks
//! what was expected, takes the decision (or takes it again, if the World it was
//! taken in has changed since), stamps the events and applies them to a working
//! World. The group then grows the Merkle tree, its root is signed, and it becomes
//! durable as one; only after that is the new World
//! published and every proposer answered. If it cannot become durable, nobody is
//! told anything but that, and nothing is written any more.

mod commit;
mod draft;
mod handle;
mod notary;
mod past;
mod recover;
mod stamp;
mod writer;

pub use commit::{Authority, CommitError, Committed, Expected, Key, Origin};
pub use draft::CLOCK_SLACK_S;
pub use handle::{Sequencer, SequencerSettings, Sources};
pub use notary::{NotSigned, Notary};
pub use past::fold_to;
pub use recover::{Log, RecoverError, recover, recover_opened, resume};
