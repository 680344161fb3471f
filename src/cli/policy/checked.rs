//! A check's report, told to people and to programs.

use serde::Serialize;

use super::super::console::Telling;
use super::super::failure::{Exit, FaultTold};
use super::super::page::{Ink, Page};
use super::format::difference;
use crate::cedar::codes;
use crate::checks::{Coverage, Outcome, Report, SuiteReport, TestsReport, Which};

/// How much people are told of tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// Those that failed.
    Failures,
    /// All of them.
    EachTest,
}

/// What a check found, as it is told.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Checked {
    report: Report<FaultTold>,
    #[serde(skip)]
    depth: Depth,
    #[serde(skip)]
    which: Which,
}

impl Checked {
    /// A report, how deeply it is told, and what was asked for.
    pub(super) const fn new(report: Report<FaultTold>, depth: Depth, which: Which) -> Self {
        Self { report, depth, which }
    }

    /// The report.
    pub(super) const fn report(&self) -> &Report<FaultTold> {
        &self.report
    }

    /// How a command ends that found this.
    pub(super) const fn exit(&self) -> Exit {
        if self.report.passed { Exit::Fine } else { Exit::Refused }
    }

    /// True if tests could have been run, and there was none.
    pub(super) fn has_no_tests(&self) -> bool {
        let ran = self.report.tests.as_ref().map_or(0, |tests| tests.passed + tests.failed);
        self.report.faults.is_empty() && ran == 0
    }
}

impl Telling for Checked {
    fn tell(&self, page: &mut Page) {
        let Report { faults, warnings, unformatted, tests, .. } = &self.report;
        listed(faults, Ink::Bad, "fault", page);
        listed(warnings, Ink::Strong, "warning", page);
        for file in unformatted {
            difference(file, page);
        }
        if let Some(tests) = tests {
            tests.suites.iter().for_each(|suite| self.suite(suite, page));
        }
        self.summary(page);
        if let Some(coverage) = &self.report.coverage {
            uncovered(coverage, page);
            if let Some(least) = self.which.coverage_min.filter(|least| !coverage.reaches(*least)) {
                page.verdict(false, &format!("coverage is below {least} %"));
            }
        }
        if let Some(doubts) =
            self.doubts().filter(|_| self.which.strict && self.report.faults.is_empty())
        {
            page.verdict(false, &format!("{doubts}, and --strict lets none pass"));
        }
    }
}

impl Checked {
    fn suite(&self, suite: &SuiteReport, page: &mut Page) {
        let told = |test: &&Outcome| self.depth == Depth::EachTest || !test.passed();
        let shown: Vec<_> = suite.tests.iter().filter(told).collect();
        if shown.is_empty() {
            return;
        }
        page.inked(&suite.name, Ink::Strong);
        for test in shown {
            page.indented_verdict(2, test.passed(), &test.name);
            for why in &test.failed {
                page.indented_field(4, "", why, Ink::Plain);
            }
        }
        page.blank();
    }

    /// What is allowed and counts as wrong where nothing doubtful may pass, if there is any.
    fn doubts(&self) -> Option<String> {
        let doubtful = |one: &&FaultTold| one.code() != codes::POLICY_SCOPE_WARNING;
        let warnings = self.report.warnings.iter().filter(doubtful).count();
        let told = [
            (warnings, counted(warnings, "warning", "warnings")),
            (
                self.report.unformatted.len(),
                counted(self.report.unformatted.len(), "file to rewrite", "files to rewrite"),
            ),
        ];
        let told: Vec<_> =
            told.into_iter().filter(|(count, _)| *count > 0).map(|(_, told)| told).collect();
        (!told.is_empty()).then(|| told.join(", "))
    }

    fn summary(&self, page: &mut Page) {
        let Report { policies, level, unindexed, faults, warnings, unformatted, tests, .. } =
            &self.report;
        let valid = faults.is_empty();
        let what = counted(*policies, "policy", "policies");
        if valid {
            page.verdict(true, &format!("{what}, valid against the schema"));
        } else {
            page.verdict(false, &counted(faults.len(), "fault", "faults"));
        }
        if let Some(level) = level {
            let steps = counted(usize::try_from(*level).unwrap_or(usize::MAX), "step", "steps");
            page.field("level", &format!("{level}: at most {steps} from entity to entity"));
        }
        if let Some(open @ 1..) = unindexed {
            let open = counted(*open, "policy", "policies");
            page.field("cost", &format!("every request has to pass {open}, whatever it asks"));
        }
        if !warnings.is_empty() {
            page.field("warnings", &warnings.len().to_string());
        }
        if !unformatted.is_empty() {
            let files = counted(unformatted.len(), "file", "files");
            page.field(
                "format",
                &format!("{files} to rewrite: `countersign policy format --write`"),
            );
        }
        if let Some(TestsReport { passed, failed, .. }) = tests {
            let all = counted(passed + failed, "test", "tests");
            match failed {
                0 => page.verdict(true, &format!("{all} passed")),
                failed => page.verdict(false, &format!("{failed} of {all} failed")),
            }
        }
    }
}

/// How many gaps in the coverage are told to people.
const GAPS_MAX: usize = 20;

fn uncovered(coverage: &Coverage, page: &mut Page) {
    let Coverage { ways, seen, policies } = coverage;
    let what = "ways for policies and their conditions to end were seen";
    page.field("coverage", &format!("{seen} of {ways} {what}"));
    let gaps = policies.iter().flat_map(|it| it.unseen().into_iter().map(move |gap| (it, gap)));
    let mut gaps: Vec<_> = gaps.collect();
    gaps.sort_by_key(|(policy, gap)| (policy.file.clone(), gap.line, policy.policy.clone()));
    for (policy, gap) in gaps.iter().take(GAPS_MAX) {
        let line = gap.line.map(|line| line.to_string());
        let place: Vec<_> = policy.file.clone().into_iter().chain(line).collect();
        let place = if place.is_empty() { String::new() } else { place.join(":") + ": " };
        page.line(&format!("  {place}`{}`: {}", policy.policy, gap.what));
    }
    if let Some(more @ 1..) = gaps.len().checked_sub(GAPS_MAX) {
        page.inked(&format!("  … {more} more; `--format json` has all"), Ink::Faint);
    }
}

fn listed(faults: &[FaultTold], ink: Ink, word: &str, page: &mut Page) {
    for fault in faults {
        page.inked(&format!("{word}:"), ink);
        page.verbatim(&fault.to_string());
        page.blank();
    }
}

/// A count and what is counted.
fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
