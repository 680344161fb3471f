//! What a check found.

use serde::{Deserialize, Serialize};

use super::Which;
use super::coverage::Coverage;
use super::diff::Line;
use crate::cedar::{Fault, codes};
use crate::event::{PolicyFailure, Verdict};
use crate::model::{Digest, PolicyId};

/// What a check of a draft found. `F` is a fault: [`Fault`] where it was found, another
/// type for who reads it from JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report<F = Fault> {
    /// True if nothing is wrong: no fault, and no test failed.
    pub passed: bool,
    /// How many policies, templates and links were read.
    pub policies: usize,
    /// The digest of the set, by which a decision names it; absent if it is not whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The least level at which the set validates (RFC 76): how many steps from entity to
    /// entity its policies take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<u32>,
    /// How many policies every request has to pass, because their scopes leave everything
    /// open: what they cost does not depend on what is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unindexed: Option<usize>,
    /// What must be put right, by place.
    pub faults: Vec<F>,
    /// What is allowed, but probably not what is meant, or not how it is done here.
    pub warnings: Vec<F>,
    /// The files that are not written as Cedar's formatter would write them.
    pub unformatted: Vec<Unformatted>,
    /// What became of the tests; absent if there were none, or no policies to run them on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<TestsReport>,
    /// What the tests have seen of the policies; absent if none ran, or if there are too many
    /// of both (see [`COVERAGE_ASKED_MAX`](super::COVERAGE_ASKED_MAX)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
}

/// A file, and what the formatter would change in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unformatted {
    /// The file.
    pub file: String,
    /// The lines that would change, with what is around them.
    pub lines: Vec<Line>,
}

/// What became of the tests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TestsReport {
    /// How many held.
    pub passed: usize,
    /// How many did not.
    pub failed: usize,
    /// File by file.
    pub suites: Vec<SuiteReport>,
}

/// What became of the tests of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SuiteReport {
    /// The file.
    pub name: String,
    /// Test by test, in the order of the file.
    pub tests: Vec<Outcome>,
}

/// What became of a test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// What is not as expected; empty if the test holds.
    pub failed: Vec<Failed>,
    /// What was expected.
    pub expected: Verdict,
    /// What was decided.
    pub got: Verdict,
    /// The policies that decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reason: Vec<PolicyId>,
    /// The policies that could not be evaluated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<PolicyFailure>,
}

/// One thing about a test that is not as expected, in a sentence.
pub type Failed = String;

impl Outcome {
    /// True if the test holds.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failed.is_empty()
    }
}

impl TestsReport {
    pub(super) fn of(suites: Vec<SuiteReport>) -> Self {
        let all = || suites.iter().flat_map(|suite| &suite.tests);
        let passed = all().filter(|test| test.passed()).count();
        Self { passed, failed: all().count() - passed, suites }
    }
}

impl Report {
    /// A report of nothing yet.
    pub(super) const fn empty() -> Self {
        Self {
            passed: false,
            policies: 0,
            digest: None,
            level: None,
            unindexed: None,
            faults: Vec::new(),
            warnings: Vec::new(),
            unformatted: Vec::new(),
            tests: None,
            coverage: None,
        }
    }

    /// The same, with the verdict that follows from what was found. Where warnings count,
    /// all do but those about a scope that leaves everything open, which is right for a
    /// guardrail.
    pub(super) fn concluded(mut self, which: Which) -> Self {
        let harmless = |fault: &Fault| fault.code == codes::POLICY_SCOPE_WARNING;
        let doubtful = !self.unformatted.is_empty() || !self.warnings.iter().all(harmless);
        let failed = self.tests.as_ref().is_some_and(|tests| tests.failed > 0);
        let least = which.coverage_min.unwrap_or_default();
        let covered = least == 0 || self.coverage.as_ref().is_some_and(|it| it.reaches(least));
        let fine = self.faults.is_empty() && !failed && covered;
        self.passed = fine && !(which.strict && doubtful);
        self
    }
}
