//! Decides a directory change: every entity is held against the schema in force before
//! a word of it reaches the log.
//!
//! Two halves, both pure. [`admit`] types and orders the changes and runs beside the
//! writer. [`put_in_force`] is cheap and runs on the writer, against the World as it is
//! by then.

mod admission;
mod document;
mod force;
mod order;
mod refusal;
#[cfg(test)]
mod tests;

pub use admission::{Admission, admit};
pub use document::{NotEntities, read_entities};
pub use force::put_in_force;
pub use refusal::Refusal;
