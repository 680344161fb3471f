//! Which segment reaches which: every pair of a principal and a resource decided really,
//! and beside it what was done and attempted in a window of the log.

mod compare;
mod coverage;
mod matrix;
mod picture;
mod place;
mod report;
mod spread;
#[cfg(test)]
mod tests;
mod traffic;

pub use compare::{Difference as SegmentsDifference, Moved};
pub use coverage::{Bridge, Coverage};
pub use matrix::{Bounds, Matrix, NoMatrix};
pub use place::Place;
pub use report::{Attempt, Cell, CellVerdict, Condition, Counted, Segments, Source, Window};
pub(super) use spread::quoted;
pub use traffic::Traffic;
