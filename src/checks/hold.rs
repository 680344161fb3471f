//! Whether the tests hold that a version of the policies brings along.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::TESTS_INVALID;
use super::run::run;
use super::suite::{Suite, directory};
use crate::cedar::{Fault, codes, on_large_stack};
use crate::model::{JsonLimits, PolicySource, SetKind, Version, parse_json};
use crate::pap::Refusal;
use crate::projection::{Compiled, PolicySetState, World};

/// A test does not hold. The other codes are those of [`cedar`](crate::cedar::codes).
pub const TEST_FAILED: &str = "test_failed";

/// How deeply objects and arrays may stand within each other in tests.
const DEPTH: usize = 64;
/// How many tests that fail are told.
const FAILED_MAX: usize = 50;

/// The tests of a version: those of several files, and the entities of all that have none
/// of their own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Several {
    suites: Vec<Suite>,
    entities: Option<Value>,
}

/// Runs a version's tests on what was compiled of it, in this World: with its settings, and
/// its directory where the tests bring no entities. `tests` is what a [`Suite`] has in it, or
/// `{"suites": […], "entities": […]}` with several of them.
///
/// Costs a decision or a few for each test. Call it away from the writer.
///
/// # Errors
/// [`Refusal::TestsFailed`] with each test that fails, or with what is wrong with them.
pub fn hold(
    world: &World,
    compiled: &Compiled,
    sources: Vec<PolicySource>,
    tests: &str,
) -> Result<(), Refusal> {
    let (suites, entities) = read(tests).map_err(|fault| Refusal::TestsFailed(vec![fault]))?;
    let wrong = |fault| Refusal::TestsFailed(vec![fault]);
    let common = entities.as_ref().map(directory).transpose();
    let common = common.map_err(|why| wrong(Fault::new(codes::ENTITY_INVALID, why.to_string())))?;
    let common = common.as_ref().unwrap_or(&world.directory);
    let read = suites.iter().map(|suite| suite.read(common)).collect::<Result<Vec<_>, _>>();
    let read = read.map_err(|why| wrong(Fault::new(TESTS_INVALID, why.to_string())))?;
    let state =
        PolicySetState::supposed(SetKind::Application, sources, compiled.clone(), Version(0));
    let world = super::examine::asked(world, state);
    let failing = || {
        let tests = read.iter().flat_map(|suite| &suite.tests);
        let outcomes = tests.map(|test| run(test, &world, &compiled.schema));
        let failed = outcomes.filter(|outcome| !outcome.passed()).map(|outcome| {
            let why = format!("`{}`: {}", outcome.name, outcome.failed.join("; "));
            Fault::new(TEST_FAILED, why)
        });
        failed.take(FAILED_MAX).collect::<Vec<_>>()
    };
    match on_large_stack(failing) {
        Ok(faults) if faults.is_empty() => Ok(()),
        Ok(faults) => Err(Refusal::TestsFailed(faults)),
        Err(fault) => Err(wrong(fault)),
    }
}

fn read(tests: &str) -> Result<(Vec<Suite>, Option<Value>), Fault> {
    let limits = JsonLimits { bytes: usize::MAX, depth: DEPTH };
    let invalid = |why: String| Fault::new(TESTS_INVALID, why);
    let json = parse_json(tests.as_bytes(), limits).map_err(|error| invalid(error.to_string()))?;
    if json.get("suites").is_some() {
        let several: Several =
            serde_json::from_value(json).map_err(|error| invalid(error.to_string()))?;
        return Ok((several.suites, several.entities));
    }
    let suite = Suite { name: "tests".to_owned(), tests: json, files: BTreeMap::new() };
    Ok((vec![suite], None))
}
