//! Erasing: the event first, then the key, then the snapshots of before.
//!
//! Once the event is durable nobody may rely on the values any more; should the node stop
//! before the key is destroyed, the next start sees the event and destroys it. The other
//! way round, a crash would leave values that cannot be opened and no record of why.

use std::sync::Arc;

use super::NodeError;
use crate::authn::{Refusal, erase};
use crate::model::{KeyId, Label, Moment, Uid, Username};
use crate::projection::World;
use crate::sequencer::{Authority, Committed, Expected, Origin, Sequencer};
use crate::snapshot::Snapshots;
use crate::vault::{SubjectKeys as _, Vault, VaultError};

/// Who erases, and why.
#[derive(Clone, Debug)]
pub struct Erasure {
    /// On whose behalf.
    pub origin: Origin,
    /// What must still hold when the writer decides.
    pub authority: Option<Authority>,
    /// Why, for the record.
    pub reason: Label,
}

/// Erases a person: their secrets, and what is personal of their entity. When this
/// returns, the keys are destroyed, and no snapshot of before is left.
///
/// In a snapshot the values are sealed as they are in the log, so one that is left behind
/// by a crash gives nothing away; but the World of the past that is remembered in memory
/// holds them open.
///
/// # Errors
/// [`NodeError`]: the refusal, or why it was not recorded; [`NodeError::Vault`] if it was,
/// but a key is still there: the next start destroys it.
pub async fn erase_person(
    sequencer: &Sequencer,
    vault: &Arc<Vault>,
    snapshots: &Arc<Snapshots>,
    person: Username,
    erasure: Erasure,
) -> Result<Committed, NodeError> {
    let world = sequencer.world();
    let subject = world.user(&person);
    // Refused before a key is made for nothing; and again by the writer, which knows best.
    erase::person(&world, &person, &subject, Vec::new(), &erasure.reason)?;
    // Made if there is none, so that nobody else makes one in between.
    let (keys, of) = (Arc::clone(vault), subject.clone());
    let key = blocking(move || keys.known_or_new(&of)).await?.id();
    let Erasure { origin, authority, reason } = erasure;
    let (named, of) = (person.clone(), subject.clone());
    let decide =
        move |world: &World, _: Moment| erase::person(world, &named, &of, vec![key], &reason);
    let relying = Expected { authority, ..Expected::default() };
    let recorded = sequencer.commit(origin, relying, decide).await?;
    let keys = Arc::clone(vault);
    blocking(move || {
        keys.destroy(person.as_str())?;
        keys.destroy_key(&subject, key)
    })
    .await?;
    forget(snapshots).await?;
    Ok(recorded)
}

/// Erases what is personal of an entity: in the directory, and in what requests have said
/// about it. When this returns, the key is destroyed.
///
/// # Errors
/// [`NodeError::NothingPersonal`] if nothing is sealed of it; as [`erase_person`].
pub async fn erase_subject(
    sequencer: &Sequencer,
    vault: &Arc<Vault>,
    snapshots: &Arc<Snapshots>,
    subject: Uid,
    erasure: Erasure,
) -> Result<Committed, NodeError> {
    let (keys, of) = (Arc::clone(vault), subject.clone());
    let key = blocking(move || keys.known(&of)).await?;
    let key = key.ok_or_else(|| NodeError::NothingPersonal(subject.clone()))?.id();
    let Erasure { origin, authority, reason } = erasure;
    let of = subject.clone();
    let decide =
        move |_: &World, _: Moment| Ok::<_, Refusal>(vec![erase::subject(of, vec![key], reason)]);
    let relying = Expected { authority, ..Expected::default() };
    let recorded = sequencer.commit(origin, relying, decide).await?;
    let keys = Arc::clone(vault);
    blocking(move || keys.destroy_key(&subject, key)).await?;
    forget(snapshots).await?;
    Ok(recorded)
}

/// Forgets every snapshot where blocking is allowed.
async fn forget(snapshots: &Arc<Snapshots>) -> Result<(), NodeError> {
    let all = Arc::clone(snapshots);
    let done = tokio::task::spawn_blocking(move || all.forget()).await;
    Ok(done.map_err(|_| NodeError::Defect("the snapshots were not deleted"))??)
}

/// Destroys what the log says is erased and the vault still has: after a crash between the
/// two, or where an older copy of the vault was put back.
///
/// # Errors
/// [`VaultError`] if the vault cannot be read or written.
pub(super) fn complete(world: &World, vault: &Vault) -> Result<usize, VaultError> {
    let mut destroyed = 0;
    let destroy = |(key, subject): (&KeyId, &Uid)| vault.destroy_key(subject, *key);
    for erased in world.erasures.iter() {
        destroyed += usize::from(destroy(erased)?);
    }
    for person in world.identities.iter().filter(|person| person.erased) {
        vault.destroy(person.name.as_str())?;
    }
    Ok(destroyed)
}

/// Runs the vault's work where blocking is allowed.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VaultError> + Send + 'static,
) -> Result<T, NodeError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|_| NodeError::Defect("the vault's work did not end"))??)
}
