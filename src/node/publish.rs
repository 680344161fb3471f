//! From a draft to policies in force, whoever else publishes meanwhile.

use std::sync::Arc;

use super::NodeError;
use crate::cedar::Limits;
use crate::entropy::{Entropy, uuid_v7};
use crate::model::{Moment, Version};
use crate::pap::{self, Changes, Draft, Refusal};
use crate::projection::World;
use crate::sequencer::{Authority, CommitError, Committed, Expected, Origin, Sequencer};

/// How often a draft is admitted again because something else came in force first.
const TRIES: usize = 5;

/// Admits a draft away from the writer and puts it in force.
///
/// # Errors
/// [`NodeError`]: the refusal, or why it was not recorded.
pub async fn publish(
    sequencer: &Sequencer,
    entropy: &dyn Entropy,
    origin: Origin,
    authority: Option<Authority>,
    draft: Draft,
    expected: Option<Version>,
) -> Result<(Committed, Changes), NodeError> {
    let mut tries = 1;
    loop {
        let world = sequencer.world();
        let admission = admit(world, draft.clone()).await?;
        let changes = admission.changes();
        let publication = uuid_v7(entropy, sequencer.now(&sequencer.world()))?;
        let decide = move |world: &World, _: Moment| {
            pap::put_in_force(world, &admission, publication, expected)
        };
        let relying = Expected { authority: authority.clone(), ..Expected::default() };
        match sequencer.commit(origin.clone(), relying, decide).await {
            Ok(committed) => return Ok((committed, changes)),
            Err(CommitError::Refused(Refusal::Conflict { .. })) if tries < TRIES => tries += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

async fn admit(world: Arc<World>, draft: Draft) -> Result<pap::Admission, NodeError> {
    let work = move || pap::admit(&world, draft, &Limits::default());
    let admitted = tokio::task::spawn_blocking(work).await;
    Ok(admitted.map_err(|_| NodeError::Defect("admission did not come to an end"))??)
}
