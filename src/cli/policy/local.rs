//! Commands about versions of the policies in a stopped directory.

use super::super::failure::Failure;
use super::super::folder::{Folder, Operator};
use crate::event::Presented;
use crate::model::{Digest, GoOn, Label, Version};
use crate::node::{self, Command};
use crate::pap::{self, NewVersion, Step, VersionShown};
use crate::pdp::Administration;
use crate::projection::World;
use crate::sequencer::Committed;

/// Writes a version down.
///
/// # Errors
/// [`Failure`]: a refusal with each fault, or why it could not be recorded.
pub(super) fn draft(operator: &Operator, new: NewVersion) -> Result<VersionShown, Failure> {
    operator.permit_anew(Administration::DraftPolicies)?;
    let node = operator.node();
    let entropy = &*node.surroundings.entropy;
    let (recorded, digest) =
        operator.wait(node::draft(&node.sequencer, entropy, command(), new))?;
    shown(&recorded, digest)
}

/// Writes a version down, checks it and puts it in force.
///
/// # Errors
/// As [`draft`].
pub(super) fn apply(
    folder: &Folder,
    new: NewVersion,
    expected: Option<Version>,
) -> Result<VersionShown, Failure> {
    let operator = folder.operator()?;
    operator.permit(Administration::PublishPolicies)?;
    let node = operator.node();
    let present = node.sequencer.world();
    let schema = new.schema.as_ref().map(Digest::of);
    if schema.is_some() && schema != schema_in_force(&present) {
        operator.permit(Administration::PublishSchema)?;
    }
    let entropy = &*node.surroundings.entropy;
    let applied = node::apply(&node.sequencer, entropy, command(), new, expected);
    let (recorded, digest) = operator.wait(applied)?;
    shown(&recorded, digest)
}

/// Takes a version a step further.
///
/// # Errors
/// As [`draft`].
pub(super) fn take_step(
    operator: &Operator,
    step: Step,
    name: Option<&str>,
    reason: &Label,
) -> Result<VersionShown, Failure> {
    let sequencer = &operator.node().sequencer;
    match step {
        Step::Check | Step::Stage | Step::Unstage => {
            operator.permit_anew(Administration::DraftPolicies)?;
        }
        Step::Approve => operator.permit_anew(Administration::ApprovePolicies)?,
        Step::Activate | Step::RollBack => {
            operator.permit(Administration::PublishPolicies)?;
            let world = sequencer.world();
            let version = match step {
                Step::RollBack => pap::version_before(&world, name),
                _ => pap::version_named(&world, name.unwrap_or_default()),
            };
            let version = version.map_err(node::NodeError::from)?;
            if schema_in_force(&world) != Some(version.content.schema_digest) {
                operator.permit(Administration::PublishSchema)?;
            }
        }
    }
    let name = name.map(str::to_owned);
    let taken = node::take_step(sequencer, command(), step, name, reason.clone());
    let (recorded, digest, _) = operator.wait(taken)?;
    shown(&recorded, digest)
}

const fn command() -> Command {
    let (authority, presented, go_on) = (None, Presented::Nothing, GoOn::ALWAYS);
    Command { origin: Operator::origin(), authority, presented, go_on }
}

fn schema_in_force(world: &World) -> Option<Digest> {
    world.application.schema().map(|(_, it)| it.digest)
}

fn shown(recorded: &Committed, digest: Digest) -> Result<VersionShown, Failure> {
    let version = pap::version_named(&recorded.world, &digest.to_string());
    Ok(VersionShown::after_step(version.map_err(node::NodeError::from)?, &recorded.world))
}
