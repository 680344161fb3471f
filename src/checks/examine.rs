//! All checks of a draft.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::coverage::{COVERAGE_ASKED_MAX, Coverage, Start, Tally};
use super::diff::differing_lines;
use super::report::{Report, SuiteReport, TestsReport, Unformatted};
use super::run::{misfits, run, seen};
use super::suite::{Read, Suite, Test, directory};
use crate::cedar::{
    CompiledPolicies, CompiledSchema, Fault, Limits, codes, formatted, on_large_stack,
    read_policies,
};
use crate::model::{GoOn, Label, PolicyBody, PolicyId, PolicySource, SetKind};
use crate::pap::{self, Draft, Refusal};
use crate::projection::{Compiled, Directory, PolicySetState, World};

/// A file of tests cannot be read as such. The other codes are those of
/// [`cedar`](crate::cedar::codes).
pub const TESTS_INVALID: &str = "tests_invalid";
/// The tests put more questions to policies than [`Limits`] lets them.
pub const TESTS_TOO_COSTLY: &str = "tests_too_costly";
/// The tests were stopped before their end.
pub const TESTS_STOPPED: &str = "tests_stopped";

/// What is checked.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Files of policies, each by the name that messages call it, and its text.
    pub files: Vec<(String, String)>,
    /// Policies, templates and links given one by one.
    pub policies: Vec<PolicySource>,
    /// The schema; absent for the one in force. A fault in it names no file.
    pub schema: Option<String>,
    /// Their tests.
    pub suites: Vec<Suite>,
    /// The entities of those tests that have none of their own, in Cedar's JSON form; absent
    /// for the directory there is.
    pub entities: Option<Value>,
}

/// Which checks are made. That policies are Cedar, have ids and validate is always checked:
/// without it there is nothing to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Whether all is written as Cedar's formatter would write it, and says what it is for
    /// and whose it is.
    pub style: bool,
    /// Whether tests are run.
    pub tests: bool,
    /// Whether what is only doubtful counts as wrong.
    pub strict: bool,
    /// How many per cent of what tests can see of policies they must have seen; as many as
    /// they like, if it is not said.
    #[serde(default)]
    pub coverage_min: Option<u8>,
}

impl Default for Which {
    /// All of them, and doubts are no faults.
    fn default() -> Self {
        Self { style: true, tests: true, strict: false, coverage_min: None }
    }
}

/// Checks a draft as it would be in force in this World: with its settings, its schema where
/// none is given, and its directory. Nothing comes of it.
///
/// Costs a compilation of the whole set (some 100 µs a policy), formatting it (some 200 µs a
/// policy), and a decision or a few for each test. Tests that would ask more of policies than
/// [`Limits::tested`] are refused before the first runs; whether to `go_on` is asked before
/// each, since how many policies a question concerns is known only once it is put.
#[must_use]
pub fn examine(world: &World, given: Given, which: Which, limits: &Limits, go_on: &GoOn) -> Report {
    let Given { files, policies, schema, suites, entities } = given;
    let mut report = Report::empty();
    let texts: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let sources = match pap::set_of(&texts, limits) {
        Ok(read) => [read, policies].concat(),
        Err(faults) => {
            report.faults = faults;
            return report.concluded(which);
        }
    };
    report.policies = sources.len();
    let common = directory_of(world, entities.as_ref(), &mut report);
    let suites = match &common {
        Some(common) if which.tests => read_suites(common, &suites, &mut report),
        _ => Vec::new(),
    };
    let places = Places::of(&texts, limits);
    match compiled(world, schema, &sources, limits) {
        Ok(state) => {
            if let Some(compiled) = admitted(&state, &sources, which, &mut report) {
                if let (Some(common), true) = (&common, which.style) {
                    let strangers = strangers(&compiled.policies, &sources, common);
                    report.warnings.extend(strangers);
                }
                let asked = (suites.as_slice(), &places.starts());
                put_to_the_test(world, &state, compiled, asked, (limits, go_on), &mut report);
            }
        }
        Err(faults) => report.faults.extend(faults),
    }
    // Whoever has something to put right does not care for line breaks yet.
    if which.style && report.faults.is_empty() {
        unformatted(&files, limits, &mut report);
    }
    report.faults = places.told(std::mem::take(&mut report.faults));
    report.warnings = places.told(std::mem::take(&mut report.warnings));
    report.concluded(which)
}

/// Notes each file that the formatter would change. What it cannot read is told by those
/// who read it for its sense.
fn unformatted(files: &[(String, String)], limits: &Limits, report: &mut Report) {
    for (file, text) in files.iter().filter(|(file, _)| !pap::is_links(file)) {
        match formatted(file, text, limits) {
            Ok(pretty) if pretty != *text => {
                let lines = differing_lines(text, &pretty);
                report.unformatted.push(Unformatted { file: file.clone(), lines });
            }
            Ok(_) => {}
            Err(faults) => {
                let ours = faults.into_iter().filter(|fault| fault.code == codes::INTERNAL);
                report.warnings.extend(ours);
            }
        }
    }
}

/// The entities given, or else those there are; what cannot be read is a fault.
fn directory_of(world: &World, entities: Option<&Value>, report: &mut Report) -> Option<Directory> {
    match entities.map(directory).transpose() {
        Ok(own) => Some(own.unwrap_or_else(|| world.directory.clone())),
        Err(why) => {
            report.faults.push(Fault::new(codes::ENTITY_INVALID, why.to_string()));
            None
        }
    }
}

/// The entities that policies name and that are not there.
fn strangers(
    policies: &CompiledPolicies,
    sources: &[PolicySource],
    known: &Directory,
) -> Vec<Fault> {
    let mut names: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for node in known.iter() {
        let uid = &node.document.uid;
        names.entry(uid.kind()).or_default().insert(uid.id());
    }
    policies.strangers(sources, &names)
}

/// The tests by their files; a file that cannot be read is a fault like another.
fn read_suites(common: &Directory, suites: &[Suite], report: &mut Report) -> Vec<Read> {
    let mut read = Vec::new();
    for suite in suites {
        match suite.read(common) {
            Ok(tests) => read.push(tests),
            Err(why) => report.faults.push(in_tests(&suite.name, why.to_string())),
        }
    }
    read
}

fn in_tests(file: &str, message: String) -> Fault {
    let mut fault = Fault::new(TESTS_INVALID, message);
    fault.file = Some(file.into());
    fault
}

fn compiled(
    world: &World,
    schema: Option<String>,
    sources: &[PolicySource],
    limits: &Limits,
) -> Result<PolicySetState, Vec<Fault>> {
    let draft = Draft {
        set: SetKind::Application,
        schema,
        policies: Some(sources.to_vec()),
        message: Label::default(),
    };
    pap::storable(sources)?;
    pap::supposed(world, &draft, limits).map_err(|refusal| match refusal {
        Refusal::SchemaInvalid(faults) | Refusal::PolicyInvalid(faults) => faults,
        other => {
            let fault = Fault::new(codes::SCHEMA_INVALID, other.to_string());
            vec![fault.with_help("give the schema that the policies are written for")]
        }
    })
}

/// What can be said of policies that could be put in force.
fn admitted<'a>(
    state: &'a PolicySetState,
    sources: &[PolicySource],
    which: Which,
    report: &mut Report,
) -> Option<&'a Compiled> {
    let Some(Ok(compiled)) = state.compiled() else { return None };
    let policies: &CompiledPolicies = &compiled.policies;
    report.digest = Some(policies.digest());
    report.level = policies.level();
    report.unindexed = Some(policies.unindexed());
    report.faults.extend(policies.tried().err().into_iter().flatten());
    report.warnings.extend_from_slice(compiled.schema.warnings());
    report.warnings.extend_from_slice(policies.warnings());
    if which.style {
        report.warnings.extend(policies.undocumented(sources));
    }
    Some(compiled)
}

/// Has the tests run, once nothing stands against it.
fn put_to_the_test(
    world: &World,
    state: &PolicySetState,
    compiled: &Compiled,
    (suites, starts): (&[Read], &BTreeMap<PolicyId, Start>),
    (limits, go_on): (&Limits, &GoOn),
    report: &mut Report,
) {
    report.faults.extend(too_costly(suites, compiled.policies.unindexed(), limits));
    for suite in suites {
        let misfits = suite.listed.iter().flat_map(|it| misfits(it.iter(), &compiled.schema));
        report.faults.extend(misfits.map(|why| in_tests(&suite.name, why)));
    }
    if suites.is_empty() || !report.faults.is_empty() {
        return;
    }
    let world = asked(world, state.clone());
    let ran = on_large_stack(|| {
        let tests = tested(&world, &compiled.schema, suites, go_on)?;
        Ok((tests, covered(&world, &compiled.policies, (suites, starts), go_on)?))
    });
    match ran.unwrap_or_else(Err) {
        Ok((tests, coverage)) => (report.tests, report.coverage) = (Some(tests), coverage),
        Err(fault) => report.faults.push(fault),
    }
}

/// Why tests are not run that would ask too much of policies that every question has to
/// pass.
fn too_costly(suites: &[Read], unindexed: usize, limits: &Limits) -> Option<Fault> {
    let decisions: u64 = suites.iter().flat_map(|it| &it.tests).map(Test::decisions).sum();
    let asked = decisions.saturating_mul(unindexed as u64 + 1);
    let most = limits.tested;
    (asked > most).then(|| {
        let message = format!(
            "the tests take {decisions} decisions, and {unindexed} policies have to be passed by \
             each: that is more than {most} questions"
        );
        let help = "say in the scopes of policies what they are for, or run fewer tests at a time";
        Fault::new(TESTS_TOO_COSTLY, message).with_help(help)
    })
}

fn stopped(done: usize, suites: &[Read]) -> Fault {
    let all: usize = suites.iter().map(|suite| suite.tests.len()).sum();
    let message = format!("the tests were stopped after {done} of {all}");
    Fault::new(TESTS_STOPPED, message).with_help("run fewer tests at a time")
}

/// The World that tests are asked in: the draft is in force and nothing beside it, and each
/// name is whole.
pub(super) fn asked(world: &World, draft: PolicySetState) -> World {
    let mut world = world.without_staged().supposing(draft);
    Arc::make_mut(&mut world.settings).namespace = None;
    world
}

/// The tests in this World, where the draft is in force and each name is whole.
fn tested(
    world: &World,
    schema: &CompiledSchema,
    suites: &[Read],
    go_on: &GoOn,
) -> Result<TestsReport, Fault> {
    let (mut told, mut done) = (Vec::new(), 0);
    for suite in suites {
        let mut tests = Vec::new();
        for test in &suite.tests {
            if !go_on.holds() {
                return Err(stopped(done, suites));
            }
            tests.push(run(test, world, schema));
            done += 1;
        }
        told.push(SuiteReport { name: suite.name.clone(), tests });
    }
    Ok(TestsReport::of(told))
}

fn covered(
    world: &World,
    policies: &CompiledPolicies,
    (suites, starts): (&[Read], &BTreeMap<PolicyId, Start>),
    go_on: &GoOn,
) -> Result<Option<Coverage>, Fault> {
    let tests: usize = suites.iter().map(|suite| suite.tests.len()).sum();
    if tests.saturating_mul(policies.len()) > COVERAGE_ASKED_MAX {
        return Ok(None);
    }
    let mut tally = Tally::of(policies, starts);
    for test in suites.iter().flat_map(|suite| &suite.tests) {
        if !go_on.holds() {
            return Err(stopped(tests, suites));
        }
        if let Some(weighed) = seen(test, world) {
            tally.saw(&weighed);
        }
    }
    Ok(Some(tally.coverage()))
}

/// Where policies stand in the author's files.
struct Places<'a>(Vec<(&'a str, &'a str, Vec<PolicySource>)>);

impl<'a> Places<'a> {
    fn of(files: &[(&'a str, &'a str)], limits: &Limits) -> Self {
        let read = |&(name, text): &(&'a str, &'a str)| {
            Some((name, text, read_policies(name, text, limits).ok()?))
        };
        Self(files.iter().filter_map(read).collect())
    }

    /// Where each policy's text begins. Linear.
    fn starts(&self) -> BTreeMap<PolicyId, Start> {
        let mut starts = BTreeMap::new();
        for (file, text, sources) in &self.0 {
            // They are in the order of the file.
            let (mut rest, mut above) = (*text, 0_u32);
            for source in sources {
                let PolicyBody::Static { text: own } = &source.body else { continue };
                let Some((before, after)) = rest.split_once(own.as_ref()) else { continue };
                above = above.saturating_add(breaks(before));
                starts.insert(source.id.clone(), ((*file).to_owned(), above));
                (rest, above) = (after, above.saturating_add(breaks(own)));
            }
        }
        starts
    }

    /// Faults by their places in the files, in order.
    fn told(&self, faults: Vec<Fault>) -> Vec<Fault> {
        let place = |fault: Fault| match &fault.file {
            Some(_) => fault,
            None => self
                .0
                .iter()
                .fold(fault, |fault, (name, text, sources)| fault.placed(name, text, sources)),
        };
        let mut faults: Vec<_> = faults.into_iter().map(place).collect();
        faults.sort_by(|one, other| one.order().cmp(&other.order()));
        faults
    }
}

fn breaks(text: &str) -> u32 {
    u32::try_from(text.matches('\n').count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const SCHEMA: &str = "entity User; entity Doc; action view appliesTo { principal: [User], \
        resource: [Doc] };";
    const POLICIES: &str = "@id(\"a\")\npermit (principal, action, resource);\n";

    fn examined(tests: usize, step_up: bool, tested: u64, go_on: &GoOn) -> Report {
        let mut test = json!({
            "request": {
                "principal": "User::\"a\"", "action": "Action::\"view\"",
                "resource": "Doc::\"d\"",
            },
            "decision": if step_up { "deny" } else { "allow" },
        });
        if step_up {
            test["step_up"] = json!("none");
        }
        let (name, files) = ("t.json".to_owned(), BTreeMap::new());
        let given = Given {
            files: vec![("p.cedar".to_owned(), POLICIES.to_owned())],
            schema: Some(SCHEMA.to_owned()),
            suites: vec![Suite { name, tests: vec![test; tests].into(), files }],
            ..Given::default()
        };
        let (which, limits) = (Which::default(), Limits { tested, ..Limits::default() });
        examine(&World::default(), given, which, &limits, go_on)
    }

    fn refused(report: &Report) -> (&str, &str) {
        assert!(!report.passed && report.tests.is_none(), "{report:?}");
        let [fault] = report.faults.as_slice() else { panic!("{:?}", report.faults) };
        (fault.code, &fault.message)
    }

    /// Law: two tests and one policy that each has to pass are four questions.
    #[test]
    fn tests_that_would_ask_too_much_of_open_policies_are_refused_before_the_first() {
        let asked = GoOn::while_so(|| panic!("a test was begun"));
        let report = examined(2, false, 3, &asked);
        let (code, why) = refused(&report);
        assert_eq!(code, TESTS_TOO_COSTLY);
        assert!(why.contains("2 decisions") && why.contains("more than 3 questions"), "{why}");
        let report = examined(2, false, 4, &GoOn::ALWAYS);
        assert!(report.passed, "{report:?}");
    }

    #[test]
    fn a_test_of_a_login_counts_for_each_class_that_is_tried() {
        let classes = crate::model::Acr::ALL.len() as u64;
        let report = examined(1, true, 2 * classes + 1, &GoOn::ALWAYS);
        assert_eq!(refused(&report).0, TESTS_TOO_COSTLY);
    }

    #[test]
    fn tests_stop_when_nobody_waits_for_them_any_more() {
        let left = AtomicUsize::new(1);
        let so =
            move || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |it| it.checked_sub(1));
        let report = examined(3, false, 100, &GoOn::while_so(move || so().is_ok()));
        let (code, why) = refused(&report);
        assert_eq!((code, why), (TESTS_STOPPED, "the tests were stopped after 1 of 3"));
    }
}
