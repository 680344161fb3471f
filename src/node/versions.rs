//! Commands about versions of the policies: what compiles does so away from the writer, and
//! again if something else came in force meanwhile.

use super::NodeError;
use crate::cedar::{Fault, Limits, on_large_stack};
use crate::checks::{Given, Suite, TESTS_INVALID, Which, examine};
use crate::entropy::{Entropy, uuid_v7};
use crate::event::{Event, Presented};
use crate::model::{Digest, GoOn, Label, Moment, PolicySource, Version};
use crate::pap::{self, By, NewVersion, Ready, Refusal, Step};
use crate::projection::{Stage, World};
use crate::sequencer::{Authority, CommitError, Committed, Expected, Origin, Sequencer};

/// The code of a test that does not hold.
const TEST_FAILED: &str = "test_failed";
/// How many tests that do not hold are told one by one.
const FAILED_TOLD_MAX: usize = 20;

/// How often a command is tried again because something else came in force first.
const TRIES: usize = 5;

/// On whose behalf, and on what authority.
#[derive(Clone, Debug)]
pub struct Command {
    /// On whose behalf.
    pub origin: Origin,
    /// What must still hold when the writer decides.
    pub authority: Option<Authority>,
    /// The session it is given in.
    pub presented: Presented,
    /// Whether its tests are to go on.
    pub go_on: GoOn,
}

impl Command {
    fn by(&self) -> By {
        By { actor: self.origin.actor.clone(), presented: self.presented }
    }

    async fn decided(
        &self,
        sequencer: &Sequencer,
        decide: impl FnOnce(&World) -> Result<Vec<Event>, Refusal> + Send + 'static,
    ) -> Result<Committed, CommitError<Refusal>> {
        let relying = Expected { authority: self.authority.clone(), ..Expected::default() };
        let decide = move |world: &World, _: Moment| decide(world);
        sequencer.commit(self.origin.clone(), relying, decide).await
    }
}

/// Writes a version down as a draft.
///
/// # Errors
/// [`NodeError`]: the refusal, or why it was not recorded.
pub async fn draft(
    sequencer: &Sequencer,
    entropy: &dyn Entropy,
    command: Command,
    new: NewVersion,
) -> Result<(Committed, Digest), NodeError> {
    let mut tries = 1;
    loop {
        let (world, new, by) = (sequencer.world(), new.clone(), command.by());
        let written = away(move || pap::write(&world, new, &Limits::default())).await?;
        let digest = written.digest();
        let publication = uuid_v7(entropy, sequencer.now(&sequencer.world()))?;
        let decide = move |world: &World| pap::draft(world, &written, publication, &by);
        match command.decided(sequencer, decide).await {
            Ok(committed) => return Ok((committed, digest)),
            Err(CommitError::Refused(Refusal::Conflict { .. })) if tries < TRIES => tries += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Writes a version down, checks it and puts it in force.
///
/// # Errors
/// [`NodeError`]: the refusal, or why it was not recorded.
pub async fn apply(
    sequencer: &Sequencer,
    entropy: &dyn Entropy,
    command: Command,
    new: NewVersion,
    expected: Option<Version>,
) -> Result<(Committed, Digest), NodeError> {
    let mut tries = 1;
    loop {
        let (world, new, by) = (sequencer.world(), new.clone(), command.by());
        let go_on = command.go_on.clone();
        let checked = move || {
            let limits = Limits::default();
            let written = pap::write(&world, new, &limits)?;
            let mut fitness = written.check(&world, &limits)?;
            let (schema, sources, tests) = written.parts();
            fitness.tests = tested(&world, (schema, sources, tests), &go_on)?;
            Ok((written, fitness))
        };
        let (written, fitness) = away(checked).await?;
        let digest = written.digest();
        let publication = uuid_v7(entropy, sequencer.now(&sequencer.world()))?;
        let decide =
            move |world: &World| pap::apply(world, &written, &fitness, publication, expected, &by);
        match command.decided(sequencer, decide).await {
            Ok(committed) => return Ok((committed, digest)),
            Err(CommitError::Refused(Refusal::Conflict { .. })) if tries < TRIES => tries += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Takes a version a step further; `name` is its name or the beginning of it, and may be
/// left out for going back to the version before. The warnings are those of its check.
///
/// # Errors
/// [`NodeError`]: the refusal, or why it was not recorded.
pub async fn take_step(
    sequencer: &Sequencer,
    command: Command,
    step: Step,
    name: Option<String>,
    reason: Label,
) -> Result<(Committed, Digest, Vec<Fault>), NodeError> {
    let mut tries = 1;
    loop {
        let (world, by, reason) = (sequencer.world(), command.by(), reason.clone());
        let digest = match (step, &name) {
            (Step::RollBack, name) => pap::version_before(&world, name.as_deref())?.digest,
            (Step::Approve, name) => {
                pap::version_approved(&world, name.as_deref().unwrap_or_default())?.digest
            }
            (_, name) => pap::version_named(&world, name.as_deref().unwrap_or_default())?.digest,
        };
        let ready = if step.compiles() {
            let go_on = command.go_on.clone();
            Some(away(move || made_ready(&world, step, &digest, &go_on)).await?)
        } else {
            None
        };
        let warnings = ready.as_ref().map(|it| it.warnings().to_vec()).unwrap_or_default();
        let decide =
            move |world: &World| pap::take_step(world, step, &digest, ready.as_ref(), &by, reason);
        match command.decided(sequencer, decide).await {
            Ok(committed) => return Ok((committed, digest, warnings)),
            Err(CommitError::Refused(Refusal::Conflict { .. })) if tries < TRIES => tries += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Compiles a version, and has its tests run where this is its check: what was put in force
/// once is gone back to whatever its tests say by now.
fn made_ready(world: &World, step: Step, digest: &Digest, go_on: &GoOn) -> Result<Ready, Refusal> {
    let ready = pap::ready(world, digest, &Limits::default())?;
    let Some(version) = world.versions.get(digest) else { return Ok(ready) };
    if step != Step::Check && version.stage != Stage::Draft {
        return Ok(ready);
    }
    let sources = version.content.policies.values().map(|it| PolicySource::clone(it));
    let (sources, schema) = (sources.collect::<Vec<_>>(), &*version.content.schema);
    let whole = (Some(schema), sources.as_slice(), version.tests.as_deref());
    Ok(ready.tested(tested(world, whole, go_on)?))
}

/// Runs the tests of a version that compiles; how many there are.
fn tested(
    world: &World,
    (schema, sources, tests): (Option<&str>, &[PolicySource], Option<&str>),
    go_on: &GoOn,
) -> Result<Option<u64>, Refusal> {
    let Some(tests) = tests else { return Ok(None) };
    let unread = |why: String| Refusal::TestsFailed(vec![Fault::new(TESTS_INVALID, why)]);
    let suites = Suite::of_text(tests).map_err(|why| unread(why.to_string()))?;
    let (policies, schema) = (sources.to_vec(), schema.map(str::to_owned));
    let given = Given { policies, schema, suites, ..Given::default() };
    let which = Which { style: false, ..Which::default() };
    let limits = Limits::default();
    let report = on_large_stack(|| examine(world, given, which, &limits, go_on));
    let report = report.map_err(|fault| Refusal::TestsFailed(vec![fault]))?;
    if !report.faults.is_empty() {
        return Err(Refusal::TestsFailed(report.faults));
    }
    let Some(found) = report.tests else { return Ok(Some(0)) };
    let failed = found.suites.iter().flat_map(|suite| {
        suite.tests.iter().filter(|test| !test.passed()).map(|test| {
            let what = format!("test `{}`: {}", test.name, test.failed.join("; "));
            let mut fault = Fault::new(TEST_FAILED, what);
            fault.file = Some(suite.name.as_str().into());
            fault
        })
    });
    let failed: Vec<_> = failed.take(FAILED_TOLD_MAX).collect();
    if failed.is_empty() {
        Ok(Some(found.passed as u64))
    } else {
        Err(Refusal::TestsFailed(failed))
    }
}

async fn away<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, NodeError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|_| NodeError::Defect("a check did not come to an end"))??)
}
