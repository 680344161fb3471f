//! Commands about versions of the policies: what compiles does so away from the writer, and
//! again if something else came in force meanwhile.

use super::NodeError;
use crate::cedar::{Fault, Limits};
use crate::entropy::{Entropy, uuid_v7};
use crate::event::{Event, Presented};
use crate::model::{Digest, Label, Moment, Version};
use crate::pap::{self, By, NewVersion, Refusal, Step};
use crate::projection::World;
use crate::sequencer::{Authority, CommitError, Committed, Expected, Origin, Sequencer};

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
        let checked = move || {
            let limits = Limits::default();
            let written = pap::write(&world, new, &limits)?;
            let fitness = written.check(&world, &limits)?;
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
            (_, name) => pap::version_named(&world, name.as_deref().unwrap_or_default())?.digest,
        };
        let ready = if step.compiles() {
            Some(away(move || pap::ready(&world, &digest, &Limits::default())).await?)
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

async fn away<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, NodeError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|_| NodeError::Commit("a check did not come to an end".to_owned()))??)
}
