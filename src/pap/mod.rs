//! Decides a policy or schema change: everything an author publishes is compiled and
//! validated here before a word of it reaches the log.
//!
//! Two halves, both pure. [`admit`] is the expensive one: it compiles, and runs beside
//! the writer, on a large stack. [`put_in_force`] is cheap and runs on the writer: it
//! makes sure that what was admitted still stands on the same ground.

mod admission;
mod force;
mod lifecycle;
mod links;
mod refusal;
mod set;
mod shown;
mod supposed;
#[cfg(test)]
mod tests;
mod version;
#[cfg(test)]
mod version_tests;

pub use admission::{Admission, Changes, Draft, admit, storable};
pub use force::put_in_force;
pub use lifecycle::{
    By, Ready, Step, ready, take_step, version_approved, version_before, version_named,
};
pub use links::{LINKS_FILE, is_links};
pub use refusal::{Part, Refusal};
pub use set::set_of;
pub use shown::{
    ApprovalShown, InForceShown, ReplacedShown, VersionShown, VersionWhole, VersionsShown,
};
pub use supposed::supposed;
pub use version::{Fitness, NewVersion, TESTS_BYTES_MAX, Written, apply, draft, write};
