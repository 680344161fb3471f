//! A check's report as `JUnit` XML, which build servers show.

use std::fs;
use std::path::Path;

use quick_junit::{NonSuccessKind, Report as Xml, TestCase, TestCaseStatus, TestSuite};

use super::super::failure::{Failure, FaultTold};
use crate::checks::{Report, SuiteReport};

/// Writes a report to a file: a suite of its own for what is not a test, and one for each
/// file of tests.
///
/// # Errors
/// Could not run, if it cannot be written.
pub(super) fn write(path: &Path, report: &Report<FaultTold>) -> Result<(), Failure> {
    let unwritten =
        |why: String| Failure::could_not_run(format!("cannot write `{}`: {why}", path.display()));
    let xml = xml(report).to_string().map_err(|error| unwritten(error.to_string()))?;
    fs::write(path, xml).map_err(|error| unwritten(error.to_string()))
}

fn xml(report: &Report<FaultTold>) -> Xml {
    let mut xml = Xml::new("countersign policy check");
    let mut policies = TestSuite::new("policies");
    let told = |faults: &[FaultTold]| faults.iter().map(ToString::to_string).collect::<Vec<_>>();
    policies.add_test_case(case("policies", "policies are valid", &told(&report.faults)));
    let differences =
        report.unformatted.iter().map(|file| format!("{} is not formatted", file.file));
    // What is only doubtful is no failure, unless it was asked for.
    if report.passed {
        policies.add_test_case(case("policies", "nothing is doubtful", &[]));
    } else if report.faults.is_empty() && report.tests.as_ref().is_none_or(|it| it.failed == 0) {
        let doubtful: Vec<_> = told(&report.warnings).into_iter().chain(differences).collect();
        policies.add_test_case(case("policies", "nothing is doubtful", &doubtful));
    }
    xml.add_test_suite(policies);
    let suites = report.tests.iter().flat_map(|tests| &tests.suites);
    xml.add_test_suites(suites.map(suite));
    xml
}

fn suite(suite: &SuiteReport) -> TestSuite {
    let mut xml = TestSuite::new(suite.name.as_str());
    let cases = suite.tests.iter().map(|test| case(&suite.name, &test.name, &test.failed));
    xml.add_test_cases(cases);
    xml
}

/// A case that failed for these reasons, or passed if there is none.
fn case(class: &str, name: &str, failed: &[String]) -> TestCase {
    let status = match failed.first() {
        None => TestCaseStatus::success(),
        Some(first) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(first.lines().next().unwrap_or_default());
            status.set_description(failed.join("\n\n"));
            status
        }
    };
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{Outcome, TestsReport};
    use crate::event::Verdict;

    #[test]
    fn a_failed_test_is_a_failure_with_its_reasons_escaped() {
        let outcome = |name: &str, failed: &[&str]| Outcome {
            name: name.to_owned(),
            failed: failed.iter().map(|why| (*why).to_owned()).collect(),
            expected: Verdict::Allow,
            got: Verdict::Allow,
            reason: Vec::new(),
            errors: Vec::new(),
        };
        let tests = vec![outcome("a", &[]), outcome("b", &["x < y & \"z\"", "more"])];
        let suites = vec![SuiteReport { name: "s.json".to_owned(), tests }];
        let report = Report {
            passed: false,
            policies: 1,
            digest: None,
            level: None,
            unindexed: None,
            faults: Vec::new(),
            warnings: Vec::new(),
            unformatted: Vec::new(),
            tests: Some(TestsReport { passed: 1, failed: 1, suites }),
            coverage: None,
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.xml");
        write(&path, &report).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let read = Xml::deserialize_from_str(&text).unwrap();
        let suite = read.test_suites.iter().find(|suite| suite.name.as_str() == "s.json").unwrap();
        assert_eq!((suite.tests, suite.failures), (2, 1));
        assert!(text.contains("x &lt; y &amp;"), "{text}");
    }
}
