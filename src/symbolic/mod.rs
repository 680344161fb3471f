//! What two policy sets decide differently for whatever request and entities there can be,
//! and which policies change nothing: questions that a solver answers for all requests at
//! once, where tests answer for some.
//!
//! Cedar's symbolic compiler (`cedar-policy-symcc`) turns a set into a formula for each
//! combination of principal type, action and resource type; cvc5, a program of its own,
//! looks for a request that makes the formula true. Nothing it finds is believed: each
//! example is decided again by this build's own evaluation. That it finds nothing is
//! believed, as far as the compiler (whose model is proved in Lean) and cvc5 are.
//!
//! Entities are taken to be as the schema says, each that is mentioned being there.

mod always;
mod analyst;
mod compare;
mod reason;
mod report;
mod review;
mod session;
mod side;
mod solver;
#[cfg(test)]
mod tests;

pub use analyst::{Analysis, Bounds, analyse};
pub use report::{Always, Answer, Environment, Example, Finding, Kind, Report, Undecided, Verdict};
pub use solver::{NoSolver, Solver};
