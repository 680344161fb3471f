//! From a list of changes to a directory in force.

use std::sync::Arc;

use super::NodeError;
use crate::entropy::uuid_v7;
use crate::model::{Label, Moment, Version};
use crate::pip::{self, Refusal};
use crate::projection::{Change, World};
use crate::sequencer::{Authority, CommitError, Committed, Expected, Origin, Sequencer};
use crate::vault::Sealer;

/// How often changes are admitted again because another schema came in force first.
const TRIES: usize = 5;
/// The most changes of one request.
const CHANGES_MAX: usize = 200_000;

/// Admits changes away from the writer, seals what is personal in them, and puts them in
/// force together.
///
/// # Errors
/// [`NodeError`]: the refusal, or why it was not recorded.
pub async fn change(
    sequencer: &Sequencer,
    sealer: &Sealer,
    origin: Origin,
    authority: Option<Authority>,
    changes: Vec<Change>,
    message: Label,
    expected: Option<Version>,
) -> Result<Committed, NodeError> {
    let mut tries = 1;
    loop {
        let admission = admit(sequencer.world(), changes.clone(), sealer.clone()).await?;
        let publication = uuid_v7(sealer.entropy(), sequencer.now(&sequencer.world()))?;
        let message = message.clone();
        let decide = move |world: &World, _: Moment| {
            pip::put_in_force(world, &admission, publication, message, expected)
        };
        let relying = Expected { authority: authority.clone(), ..Expected::default() };
        match sequencer.commit(origin.clone(), relying, decide).await {
            Ok(committed) => return Ok(committed),
            Err(CommitError::Refused(Refusal::Conflict { .. })) if tries < TRIES => tries += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

async fn admit(
    world: Arc<World>,
    changes: Vec<Change>,
    sealer: Sealer,
) -> Result<pip::Admission, NodeError> {
    let work = move || {
        let mut admission = pip::admit(&world, changes, CHANGES_MAX)?;
        admission.seal(|personal| sealer.seal_entity(personal))?;
        Ok::<_, NodeError>(admission)
    };
    let admitted = tokio::task::spawn_blocking(work).await;
    admitted.map_err(|_| NodeError::Defect("admission did not come to an end"))?
}
