//! What somebody could reach who has taken over a principal: breadth first over what the
//! policies allow, going on by declared pivots alone.

mod choke;
mod report;
mod spread;
mod spreadsheet;
#[cfg(test)]
mod tests;

pub use report::{BlastRadius, Choke, Jewel, NoRadius, Step, Taken, Widened};
