//! Decides a policy or schema change: everything an author publishes is compiled and
//! validated here before a word of it reaches the log.
//!
//! Two halves, both pure. [`admit`] is the expensive one: it compiles, and runs beside
//! the writer, on a large stack. [`put_in_force`] is cheap and runs on the writer: it
//! makes sure that what was admitted still stands on the same ground.

mod admission;
mod force;
mod refusal;
mod set;
mod supposed;
#[cfg(test)]
mod tests;

pub use admission::{Admission, Changes, Draft, admit, storable};
pub use force::put_in_force;
pub use refusal::{Part, Refusal};
pub use set::set_of;
pub use supposed::supposed;
