//! What may become of a version, and when.

use super::Refusal;
use super::admission::{Base, compile, every_entity_fits};
use super::force::{as_admitted, wants_approval};
use super::version::Fitness;
use crate::cedar::{Fault, Limits};
use crate::event::{
    Actor, Event, Presented, SessionFacts, VersionActivated, VersionApproved, VersionChecked,
    VersionRef, VersionRolledBack, VersionStaged, VersionUnstaged,
};
use crate::model::{Digest, Label, PolicySource, SetKind, Version};
use crate::pdp::vouched;
use crate::projection::{NoSuchVersion, PolicyVersion, Stage, World};

/// Who gives a command about a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// Who, as the node has established it.
    pub actor: Actor,
    /// The session they are in, if any.
    pub presented: Presented,
}

impl By {
    /// What the session shows, for the record.
    pub(super) fn session(&self, world: &World) -> Option<SessionFacts> {
        vouched(world, self.presented)
    }
}

/// One step of a version's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Have it compiled and held against the directory.
    Check,
    /// Have it decided by beside the one in force.
    Stage,
    /// No longer.
    Unstage,
    /// Say that it may come in force.
    Approve,
    /// Put it in force.
    Activate,
    /// Put it in force again.
    RollBack,
}

impl Step {
    /// True if it can be taken only by what compiles: [`ready`] comes first.
    #[must_use]
    pub const fn compiles(self) -> bool {
        matches!(self, Self::Check | Self::Stage | Self::Activate | Self::RollBack)
    }
}

/// Finds a version by its name or the beginning of it.
///
/// # Errors
/// [`Refusal::NoSuchVersion`], [`Refusal::NotOneVersion`].
pub fn version_named<'a>(world: &'a World, name: &str) -> Result<&'a PolicyVersion, Refusal> {
    let shown = || name.chars().take(64).collect();
    world.versions.find(name).map(AsRef::as_ref).map_err(|why| match why {
        NoSuchVersion::Unknown => Refusal::NoSuchVersion(shown()),
        NoSuchVersion::NotAName | NoSuchVersion::Ambiguous => Refusal::NotOneVersion(shown()),
    })
}

/// The version that is approved: named by its whole digest, since of two texts by one author
/// the first digits can be made the same.
///
/// # Errors
/// As [`version_named`]; [`Refusal::NotWhole`] for a name that is shorter.
pub fn version_approved<'a>(world: &'a World, name: &str) -> Result<&'a PolicyVersion, Refusal> {
    let version = version_named(world, name)?;
    if version.digest.to_string() == name { Ok(version) } else { Err(Refusal::NotWhole) }
}

/// The version to go back to: the one named, or for want of a name the one that was in force
/// before the present one.
///
/// # Errors
/// As [`version_named`]; [`Refusal::NothingBefore`].
pub fn version_before<'a>(
    world: &'a World,
    name: Option<&str>,
) -> Result<&'a PolicyVersion, Refusal> {
    match name {
        Some(name) => version_named(world, name),
        None => world.versions.last_retired().map(AsRef::as_ref).ok_or(Refusal::NothingBefore),
    }
}

/// A version that compiles, and what it was held against.
#[derive(Clone, Debug)]
pub struct Ready {
    base: Base,
    fitness: Fitness,
}

impl Ready {
    /// The same after so many of its tests have held.
    #[must_use]
    pub fn tested(mut self, held: Option<u64>) -> Self {
        self.fitness.tests = held;
        self
    }

    /// What is allowed in it, but probably not meant.
    #[must_use]
    pub fn warnings(&self) -> &[Fault] {
        &self.fitness.warnings
    }
}

/// Makes a version ready to be decided by: compiles it unless it was compiled lately, and
/// with another schema than the one in force holds every entity against that.
///
/// Costs what [`admit`](super::admit) costs, and nothing worth mention for a version that
/// was checked a moment ago or is one of the last few. Call it away from the writer, on a
/// large stack.
///
/// # Errors
/// [`Refusal::NoSuchVersion`]; [`Refusal::SchemaInvalid`], [`Refusal::PolicyInvalid`] with
/// each fault.
pub fn ready(world: &World, digest: &Digest, limits: &Limits) -> Result<Ready, Refusal> {
    let version = known(world, digest)?;
    let content = &version.content;
    let present = world.application.schema().map(|(_, it)| it.digest);
    let other_schema = present != Some(content.schema_digest);
    let base = Base::of(world, SetKind::Application, other_schema);
    let found = world.artefacts().find(content.schema_digest, content.policies_digest);
    if let Some(compiled) = found {
        if other_schema {
            let fits = every_entity_fits(world, &compiled.schema);
            fits.map_err(Refusal::SchemaInvalid)?;
        }
        // Kept again, so that it is among the last few when the fold comes to it.
        let fitness = Fitness::found(&compiled);
        world.artefacts().keep(content.policies_digest, compiled);
        return Ok(Ready { base, fitness });
    }
    let sources: Vec<_> = content.policies.values().map(|it| PolicySource::clone(it)).collect();
    let schema = other_schema.then_some(&*content.schema);
    let compiled = compile(world, SetKind::Application, schema, &sources, limits)?;
    Ok(Ready { base, fitness: Fitness::of(world, content.policies_digest, compiled)? })
}

/// Takes a step: the events of it, in one batch. `ready` is what [`ready`] has found, for
/// the steps that [compile](Step::compiles); it counts as the check of a draft that has had
/// none.
///
/// # Errors
/// [`Refusal`]: the version is not so far, or its ground has moved, or somebody else has to
/// look first. [`Refusal::Conflict`] if what it was held against has changed: make it ready
/// again.
pub fn take_step(
    world: &World,
    step: Step,
    digest: &Digest,
    ready: Option<&Ready>,
    by: &By,
    reason: Label,
) -> Result<Vec<Event>, Refusal> {
    let version = known(world, digest)?;
    if let Some(ready) = ready {
        let now = Base::of(world, SetKind::Application, ready.base.directory.is_some());
        as_admitted(&now, &ready.base)?;
    }
    let (digest, session) = (*digest, by.session(world));
    let checked = ready.map(|ready| checked(digest, &ready.fitness, session.clone()));
    let unchecked = version.stage == Stage::Draft;
    let taken = match step {
        Step::Check => {
            allowed(version, "checked", &[Stage::Draft, Stage::Checked])?;
            return Ok(checked.into_iter().collect());
        }
        Step::Stage => {
            allowed(version, "staged", &[Stage::Draft, Stage::Checked])?;
            if let Some(other) = world.versions.staged() {
                return Err(Refusal::AnotherStaged(other.digest));
            }
            Event::VersionStaged(VersionStaged { digest, reason, session })
        }
        Step::Unstage => {
            allowed(version, "taken off the stage", &[Stage::Staged])?;
            Event::VersionUnstaged(VersionUnstaged { digest, reason, session })
        }
        Step::Approve => {
            may_approve(version, by)?;
            Event::VersionApproved(VersionApproved { digest, reason, session })
        }
        Step::Activate => {
            may_come_in_force(world, version)?;
            let (policies, schema) = numbers_of(world, version);
            let it = VersionActivated { digest, policies, schema, reason, session };
            Event::VersionActivated(it)
        }
        Step::RollBack => {
            may_come_back(world, version)?;
            let left = world.versions.in_force().ok_or(Refusal::NothingBefore)?.digest;
            let (policies, schema) = numbers_of(world, version);
            let it = VersionRolledBack { digest, left, policies, schema, reason, session };
            Event::VersionRolledBack(it)
        }
    };
    Ok(checked.filter(|_| unchecked).into_iter().chain([taken]).collect())
}

/// The event of a check.
pub(super) fn checked(digest: Digest, fitness: &Fitness, session: Option<SessionFacts>) -> Event {
    let (level, warnings, tests) = (fitness.level, fitness.warnings.len() as u64, fitness.tests);
    Event::VersionChecked(VersionChecked { digest, level, warnings, tests, session })
}

fn known<'a>(world: &'a World, digest: &Digest) -> Result<&'a PolicyVersion, Refusal> {
    let found = world.versions.get(digest).map(AsRef::as_ref);
    found.ok_or_else(|| Refusal::NoSuchVersion(digest.to_string()))
}

fn allowed(version: &PolicyVersion, what: &'static str, from: &[Stage]) -> Result<(), Refusal> {
    if from.contains(&version.stage) {
        return Ok(());
    }
    let instead = match version.stage {
        Stage::Draft => "have it checked first",
        Stage::Checked | Stage::Staged if what == "rolled back to" => {
            "it was never in force: put it in force"
        }
        Stage::Checked => "it is not staged",
        Stage::Staged => "take it off the stage first",
        Stage::InForce => "it is decided by already",
        Stage::Retired => "roll back to it",
    };
    let (digest, stage) = (version.digest, version.stage);
    Err(Refusal::WrongStage { digest, stage, what, instead })
}

fn may_approve(version: &PolicyVersion, by: &By) -> Result<(), Refusal> {
    let Actor::Person(person) = &by.actor else { return Err(Refusal::ApproverIsNoPerson) };
    allowed(version, "approved", &[Stage::Checked, Stage::Staged])?;
    if version.writer.is_none() && matches!(version.author, Actor::Service(_)) {
        return Err(Refusal::WriterUnknown);
    }
    if version.writer.as_ref() == Some(person) {
        return Err(Refusal::ApproverIsAuthor);
    }
    if version.approvals.iter().any(|approval| approval.by == by.actor) {
        return Err(Refusal::ApprovedAlready);
    }
    Ok(())
}

fn may_come_in_force(world: &World, version: &PolicyVersion) -> Result<(), Refusal> {
    allowed(version, "put in force", &[Stage::Draft, Stage::Checked, Stage::Staged])?;
    if version.base != world.versions.in_force().map(|it| it.digest) {
        return Err(Refusal::BaseMoved(version.digest));
    }
    if wants_approval(world) && !is_approved(world, version) {
        let name = super::refusal::short(&version.digest);
        return Err(Refusal::ApprovalRequired(format!("version {name}")));
    }
    Ok(())
}

/// True if somebody has approved it who may still log in.
fn is_approved(world: &World, version: &PolicyVersion) -> bool {
    version.approvals.iter().any(|approval| match &approval.by {
        Actor::Person(name) => {
            world.identities.get(name).is_some_and(|it| !it.disabled && !it.erased)
        }
        _ => false,
    })
}

/// Going back is what one does when there is no time to ask anybody: to what was in force
/// just before, or to what was approved once. Further back there may be what four eyes
/// never saw.
fn may_come_back(world: &World, version: &PolicyVersion) -> Result<(), Refusal> {
    allowed(version, "rolled back to", &[Stage::Retired])?;
    let before = world.versions.last_retired().map(|it| it.digest);
    let seen = before == Some(version.digest) || !version.approvals.is_empty();
    if wants_approval(world) && !seen {
        let name = super::refusal::short(&version.digest);
        return Err(Refusal::ApprovalRequired(format!("version {name}")));
    }
    Ok(())
}

fn numbers_of(world: &World, version: &PolicyVersion) -> (VersionRef, VersionRef) {
    numbers(world, version.content.policies_digest, version.content.schema_digest)
}

/// What decisions will call a set that comes in force: the policies by a number of its own,
/// the schema by another one only if its text is.
pub(super) fn numbers(world: &World, policies: Digest, schema: Digest) -> (VersionRef, VersionRef) {
    let before = world.application.in_force().map_or(Version(0), |it| it.version);
    let policies = VersionRef { version: before.next(), digest: policies };
    let schema = match world.application.schema() {
        Some((_, present)) if present.digest == schema => present,
        Some((_, present)) => VersionRef { version: present.version.next(), digest: schema },
        None => VersionRef { version: Version(1), digest: schema },
    };
    (policies, schema)
}
