//! What an author can know of policies before they are in force: whether they are well
//! written, whether they say what they are for, what they cost, and whether their tests
//! hold. Pure: files come in as texts, a report goes out.
//!
//! Tests are decided by [`pdp`](crate::pdp) in a World with the draft in it: what is
//! tested is what decides.

mod coverage;
mod diff;
mod examine;
mod report;
mod run;
mod session;
mod suite;

pub use coverage::{
    COVERAGE_ASKED_MAX, ClauseCoverage, Coverage, PieceCoverage, PolicyCoverage, Unseen,
};
pub use diff::{Line, differing_lines};
pub use examine::{Given, TESTS_INVALID, TESTS_STOPPED, TESTS_TOO_COSTLY, Which, examine};
pub use report::{Failed, Outcome, Report, SuiteReport, TestsReport, Unformatted};
pub use suite::Suite;
