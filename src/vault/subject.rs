//! Subjects' data keys, and what is personal sealed under them.
//!
//! The subject of personal values is an entity. Its key is in the vault like a person's,
//! under a name that no login name can be. Without the key's file everything that was
//! sealed under it is erased, wherever a copy of the log may be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::envelope::{self, Key};
use super::{Vault, VaultError};
use crate::entropy::{Entropy, draw};
use crate::event::Event;
use crate::model::{Digest, KeyId, Personal, Uid};

/// A subject's data key. No `Debug`, wiped when dropped.
pub struct DataKey {
    id: KeyId,
    key: Key,
}

impl DataKey {
    pub(super) fn new(key: Key) -> Self {
        let parts = [b"countersign data key v1".as_slice(), key.as_slice()];
        Self { id: KeyId::of(&Digest::of_parts(parts)), key }
    }

    /// Its id, which tells nothing about it.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    pub(super) const fn key(&self) -> &Key {
        &self.key
    }
}

/// Where subjects' data keys are.
pub trait SubjectKeys: Send + Sync {
    /// A subject's key, if there is one.
    ///
    /// # Errors
    /// [`VaultError`] if that cannot be said: what cannot be read is not erased.
    fn known(&self, subject: &Uid) -> Result<Option<Arc<DataKey>>, VaultError>;

    /// A subject's key, made and durable before this returns if there was none.
    ///
    /// # Errors
    /// [`VaultError`].
    fn known_or_new(&self, subject: &Uid) -> Result<Arc<DataKey>, VaultError>;

    /// Destroys a subject's key, if it is this one: a newer one stays. When this returns,
    /// that is durable; true if there was such a key.
    ///
    /// # Errors
    /// [`VaultError`]: it may still be there.
    fn destroy_key(&self, subject: &Uid, key: KeyId) -> Result<bool, VaultError>;

    /// True if [`SubjectKeys::known_or_new`] would not have to touch the disk.
    fn is_at_hand(&self, subject: &Uid) -> bool;
}

/// The vault's name for an entity; a login name has no spaces.
pub(super) fn name_of(subject: &Uid) -> String {
    format!("entity {} {}", subject.kind(), subject.id())
}

/// How many subjects' keys are kept at hand. When they are that many, it begins anew.
const KEPT_MAX: usize = 65_536;

/// Keys read from the vault before, and subjects that were found to have none.
#[derive(Default)]
pub(super) struct Kept(Mutex<KeptInner>);

/// What was found in the vault.
#[derive(Clone)]
enum Found {
    Key(Arc<DataKey>),
    None,
}

#[derive(Default)]
struct KeptInner {
    keys: HashMap<Uid, Found>,
    /// How often a key was forgotten: what was read before that is not kept after it.
    forgotten: u64,
}

impl Kept {
    fn get(&self, subject: &Uid) -> (Option<Found>, u64) {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (kept.keys.get(subject).cloned(), kept.forgotten)
    }

    fn keep(&self, subject: &Uid, found: Found, read_at: u64) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.forgotten != read_at {
            return;
        }
        if kept.keys.len() >= KEPT_MAX {
            kept.keys.clear();
        }
        kept.keys.insert(subject.clone(), found);
    }

    fn forget(&self, subject: &Uid) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.forgotten += 1;
        kept.keys.remove(subject);
    }
}

impl SubjectKeys for Vault {
    fn known(&self, subject: &Uid) -> Result<Option<Arc<DataKey>>, VaultError> {
        let (kept, read_at) = self.kept.get(subject);
        match kept {
            Some(Found::Key(known)) => return Ok(Some(known)),
            Some(Found::None) => return Ok(None),
            None => {}
        }
        let found = self.subject_key_if_any(&name_of(subject))?;
        let found = found.map(|key| Arc::new(DataKey::new(key)));
        let kept = found.as_ref().map_or(Found::None, |key| Found::Key(Arc::clone(key)));
        self.kept.keep(subject, kept, read_at);
        Ok(found)
    }

    fn known_or_new(&self, subject: &Uid) -> Result<Arc<DataKey>, VaultError> {
        let (kept, read_at) = self.kept.get(subject);
        if let Some(Found::Key(known)) = kept {
            return Ok(known);
        }
        let key = Arc::new(DataKey::new(self.subject_key_or_new(&name_of(subject))?));
        self.kept.keep(subject, Found::Key(Arc::clone(&key)), read_at);
        Ok(key)
    }

    fn is_at_hand(&self, subject: &Uid) -> bool {
        matches!(self.kept.get(subject).0, Some(Found::Key(_)))
    }

    fn destroy_key(&self, subject: &Uid, key: KeyId) -> Result<bool, VaultError> {
        let name = name_of(subject);
        let found = self.subject_key_if_any(&name)?;
        let is_it = found.is_some_and(|found| DataKey::new(found).id() == key);
        if is_it {
            self.destroy(&name)?;
        }
        self.kept.forget(subject);
        Ok(is_it)
    }
}

/// Keys that are kept in memory until there is a vault for them.
pub struct FreshKeys {
    keys: Mutex<HashMap<Uid, Arc<DataKey>>>,
    entropy: Arc<dyn Entropy>,
}

impl FreshKeys {
    /// None yet.
    #[must_use]
    pub fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self { keys: Mutex::default(), entropy }
    }

    /// Puts them in a vault, durably.
    ///
    /// # Errors
    /// [`VaultError`]; some may be there already.
    pub fn move_to(&self, vault: &Vault) -> Result<(), VaultError> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.iter().try_for_each(|(subject, key)| vault.adopt_key(&name_of(subject), key.key()))
    }
}

impl SubjectKeys for FreshKeys {
    fn known(&self, subject: &Uid) -> Result<Option<Arc<DataKey>>, VaultError> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(keys.get(subject).cloned())
    }

    fn known_or_new(&self, subject: &Uid) -> Result<Arc<DataKey>, VaultError> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = keys.get(subject) {
            return Ok(Arc::clone(known));
        }
        let key = Arc::new(DataKey::new(draw::<32>(&*self.entropy)?));
        keys.insert(subject.clone(), Arc::clone(&key));
        Ok(key)
    }

    fn destroy_key(&self, subject: &Uid, key: KeyId) -> Result<bool, VaultError> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = keys.get(subject).is_some_and(|known| known.id() == key);
        if is_it {
            keys.remove(subject);
        }
        Ok(is_it)
    }

    fn is_at_hand(&self, _: &Uid) -> bool {
        true
    }
}

/// Seals and opens what is personal in one log's events.
#[derive(Clone)]
pub struct Sealer {
    keys: Arc<dyn SubjectKeys>,
    log: Uuid,
    entropy: Arc<dyn Entropy>,
}

impl Sealer {
    /// For a log, with its subjects' keys.
    pub fn new(keys: Arc<dyn SubjectKeys>, log: Uuid, entropy: Arc<dyn Entropy>) -> Self {
        Self { keys, log, entropy }
    }

    /// Chance.
    #[must_use]
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// The subjects' keys.
    #[must_use]
    pub fn keys(&self) -> &dyn SubjectKeys {
        &*self.keys
    }

    /// Seals what is personal of an entity. About 5 µs where the subject's key is at hand;
    /// a new key costs writing and syncing its file.
    ///
    /// # Errors
    /// [`VaultError`]: then it cannot be recorded.
    pub fn seal_entity(&self, personal: &mut [Personal]) -> Result<(), VaultError> {
        personal.iter_mut().try_for_each(|one| self.seal(ENTITY, one))
    }

    /// Seals what is personal in an event, at the cost of [`Sealer::seal_entity`].
    ///
    /// # Errors
    /// [`VaultError`]: then it cannot be recorded.
    pub fn seal_event(&self, event: &mut Event) -> Result<(), VaultError> {
        let place = place(event);
        event.personal_mut().iter_mut().try_for_each(|one| self.seal(place, one))
    }

    /// Opens what is personal in an event as far as its keys are there: what was sealed
    /// under a key that is not there any more stays closed. Costs next to nothing for an
    /// event without.
    ///
    /// # Errors
    /// [`VaultError::Personal`] for what does not open under its own key;
    /// [`VaultError`] if a key cannot be read.
    pub fn open_event(&self, event: &mut Event) -> Result<(), VaultError> {
        if event.personal().is_empty() {
            return Ok(());
        }
        let place = place(event);
        event.personal_mut().iter_mut().try_for_each(|one| self.open(place, one))
    }

    fn seal(&self, place: &str, personal: &mut Personal) -> Result<(), VaultError> {
        let (None, Some(values)) = (personal.sealed(), personal.values()) else { return Ok(()) };
        let key = self.keys.known_or_new(&personal.of)?;
        let plain = padded(values)?;
        let nonce = draw(&*self.entropy)?;
        let sealed = envelope::seal(key.key(), &nonce, &self.bound(place, personal), &plain);
        let text = STANDARD_NO_PAD.encode(sealed.ok_or(VaultError::TooLong)?);
        personal.seal(key.id(), text);
        Ok(())
    }

    fn open(&self, place: &str, personal: &mut Personal) -> Result<(), VaultError> {
        let Some((id, text)) = personal.sealed() else { return Ok(()) };
        let key = self.keys.known(&personal.of)?.filter(|key| key.id() == id);
        let Some(key) = key else { return Ok(()) };
        let broken = || VaultError::Personal(id);
        let sealed = STANDARD_NO_PAD.decode(text).map_err(|_| broken())?;
        let bound = self.bound(place, personal);
        let plain = envelope::open(key.key(), &bound, &sealed).ok_or_else(broken)?;
        let values: Vec<Value> = serde_json::from_slice(&plain).map_err(|_| broken())?;
        if personal.open(values) { Ok(()) } else { Err(broken()) }
    }

    /// What a seal is bound to: the log, the kind of event, the subject, and where each
    /// value belongs.
    fn bound(&self, place: &str, personal: &Personal) -> Digest {
        let subject = name_of(&personal.of);
        let paths: Vec<_> = personal.paths.iter().map(ToString::to_string).collect();
        let head = [PERSONAL, self.log.as_bytes(), place.as_bytes(), subject.as_bytes()];
        Digest::of_parts(head.into_iter().chain(paths.iter().map(String::as_bytes)))
    }
}

const PERSONAL: &[u8] = b"countersign personal v1";
/// What the seal of an entity's attributes is bound to; never changes.
const ENTITY: &str = "entity";
/// What the seal of a request's members is bound to; never changes.
const ACCESS: &str = "access";

const fn place(event: &Event) -> &'static str {
    match event {
        Event::AccessDecided(_) => ACCESS,
        _ => ENTITY,
    }
}

/// Lengths are rounded up to this, in bytes: how long something is can say what it is.
const BLOCK_BYTES: usize = 64;

/// The values as JSON, with spaces behind them up to a whole number of blocks.
fn padded(values: &[Value]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let mut plain = Zeroizing::new(serde_json::to_vec(values).map_err(|_| VaultError::TooLong)?);
    let whole = plain.len().next_multiple_of(BLOCK_BYTES);
    plain.resize(whole, b' ');
    Ok(plain)
}
