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

    /// Opens what is personal of an entity, as [`Sealer::open_event`] does: for what was kept
    /// elsewhere than in the log, such as a snapshot.
    ///
    /// # Errors
    /// Those of [`Sealer::open_event`].
    pub fn open_entity(&self, personal: &mut [Personal]) -> Result<(), VaultError> {
        personal.iter_mut().try_for_each(|one| self.open(ENTITY, one))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;
    use crate::model::Pointer;
    use proptest::prelude::*;
    use serde_json::json;

    const LOG: Uuid = Uuid::from_u128(1);

    fn sealer(keys: &Arc<FreshKeys>, log: Uuid) -> Sealer {
        Sealer::new(Arc::clone(keys) as _, log, Arc::new(SystemEntropy))
    }

    fn keys() -> Arc<FreshKeys> {
        Arc::new(FreshKeys::new(Arc::new(SystemEntropy)))
    }

    fn uid(id: &str) -> Uid {
        Uid::parse("User", id).unwrap()
    }

    fn email(of: &str, value: &Value) -> Personal {
        Personal::fresh(uid(of), vec![(Pointer::new(["attrs", "email"]), value.clone())])
    }

    /// As it is read back from the log, with any change that somebody made to its JSON.
    fn stored(personal: &Personal, change: impl FnOnce(&mut Value)) -> Personal {
        let mut json = serde_json::to_value(personal).unwrap();
        change(&mut json);
        serde_json::from_value(json).unwrap()
    }

    proptest! {
        /// Law: what is sealed opens to what it was, and its length tells only how many
        /// blocks it takes.
        #[test]
        fn what_is_sealed_opens_to_what_it_was(text in ".{0,200}", flag in any::<bool>()) {
            let sealer = sealer(&keys(), LOG);
            for value in [json!(text), json!(flag), json!({"a": [text, flag]})] {
                let mut one = email("alice", &value);
                sealer.seal_entity(std::slice::from_mut(&mut one)).ok().unwrap();
                let mut read = stored(&one, |_| {});
                prop_assert!(read.values().is_none());
                sealer.open(ENTITY, &mut read).ok().unwrap();
                prop_assert_eq!(read.values(), Some(std::slice::from_ref(&value)));
                let bytes = STANDARD_NO_PAD.decode(one.sealed().unwrap().1).unwrap();
                // Layout, nonce and tag are of one length.
                prop_assert_eq!((bytes.len() - 4 - 24 - 16) % BLOCK_BYTES, 0);
            }
        }
    }

    #[test]
    fn the_same_value_never_has_the_same_seal() {
        let sealer = sealer(&keys(), LOG);
        let sealed = || {
            let mut one = email("alice", &json!(true));
            sealer.seal_entity(std::slice::from_mut(&mut one)).ok().unwrap();
            one.sealed().unwrap().1.to_owned()
        };
        assert_ne!(sealed(), sealed());
    }

    /// Goal: a sealed value stands for nothing but itself.
    #[test]
    fn a_seal_opens_in_its_own_place_only() {
        let keys = keys();
        let own = sealer(&keys, LOG);
        let mut one = email("alice", &json!("a@example.org"));
        own.seal_entity(std::slice::from_mut(&mut one)).ok().unwrap();
        let opened = |sealer: &Sealer, place: &str, change: fn(&mut Value)| {
            let mut read = stored(&one, change);
            let outcome = sealer.open(place, &mut read);
            (outcome.is_ok(), read.values().is_some())
        };
        assert_eq!(opened(&own, ENTITY, |_| {}), (true, true));
        let broken = (false, false);
        assert_eq!(opened(&own, ACCESS, |_| {}), broken);
        assert_eq!(opened(&sealer(&keys, Uuid::nil()), ENTITY, |_| {}), broken);
        let renamed = |json: &mut Value| json["paths"] = json!(["/attrs/phone"]);
        assert_eq!(opened(&own, ENTITY, renamed), broken);
        let altered = |json: &mut Value| {
            let text = json["sealed"].as_str().unwrap().to_owned();
            json["sealed"] = json!(text.replacen('a', "b", 1) + "AAAA");
        };
        assert_eq!(opened(&own, ENTITY, altered), broken);
        // Under another's name, or another key: that key is not there, so it stays closed.
        let anothers = |json: &mut Value| json["of"] = json!({"type": "User", "id": "bob"});
        assert_eq!(opened(&own, ENTITY, anothers), (true, false));
        let other_key = |json: &mut Value| json["key"] = json!("00000000000000ff");
        assert_eq!(opened(&own, ENTITY, other_key), (true, false));
    }

    #[test]
    fn a_destroyed_key_opens_nothing_and_the_next_is_another() {
        let keys = keys();
        let sealer = sealer(&keys, LOG);
        let mut one = email("alice", &json!("a@example.org"));
        sealer.seal_entity(std::slice::from_mut(&mut one)).ok().unwrap();
        let (key, _) = one.sealed().unwrap();
        assert!(!keys.destroy_key(&uid("bob"), key).ok().unwrap());
        assert!(keys.destroy_key(&uid("alice"), key).ok().unwrap());
        let next = keys.known_or_new(&uid("alice")).ok().unwrap();
        assert_ne!(next.id(), key);
        assert!(!keys.destroy_key(&uid("alice"), key).ok().unwrap(), "a newer one stays");
        let mut read = stored(&one, |_| {});
        assert!(sealer.open(ENTITY, &mut read).is_ok() && read.values().is_none());
    }

    #[test]
    fn a_vault_forgets_what_it_had_at_hand_when_a_key_is_destroyed() {
        let dir = tempfile::TempDir::new().unwrap();
        let kek = crate::vault::KeyFile::create(&dir.path().join("kek"), &SystemEntropy);
        let place = dir.path().join("vault");
        let vault =
            Vault::at(&place, &kek.ok().unwrap(), LOG, Arc::new(SystemEntropy)).ok().unwrap();
        let alice = uid("alice");
        assert!(vault.known(&alice).ok().unwrap().is_none() && !vault.is_at_hand(&alice));
        let key = vault.known_or_new(&alice).ok().unwrap();
        assert!(vault.is_at_hand(&alice));
        assert!(vault.destroy_key(&alice, key.id()).ok().unwrap());
        assert!(!vault.is_at_hand(&alice) && vault.known(&alice).ok().unwrap().is_none());
        assert!(!vault.folder(&name_of(&alice)).exists());
        assert_ne!(vault.known_or_new(&alice).ok().unwrap().id(), key.id());
    }
}
