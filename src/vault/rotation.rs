//! Wrapping everything anew under another key-encryption key.
//!
//! The key file first gets a second line: the new key above, the one it retires below.
//! From then on whatever is sealed under either opens. Then the vault's files are replaced
//! one by one, each at once or not at all, and last the key file loses its second line. So
//! at every moment, after a crash too, the key file at its place opens the vault; and a
//! rotation that was cut short goes on where it was.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::files;
use super::key_file::KeyFile;
use super::{KEY, NAMES, Vault, VaultError, envelope};
use crate::entropy::{Entropy, draw};
use crate::model::Digest;

/// What a rotation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The id of the key that is no longer used.
    pub retired: Digest,
    /// The id of the one in its place.
    pub adopted: Digest,
    /// How many subjects' keys are wrapped by it.
    pub subjects: usize,
}

/// Wraps a vault's keys under a new key-encryption key, or goes on with that. Nobody else
/// may be using the vault. [`settle`] ends it; in between the old key still opens what
/// there is. `names` are the login names of everybody who may have a secret in it, for
/// those whose keys an older build wrapped.
///
/// # Errors
/// [`VaultError`]; to be called again then. Nothing is lost.
pub fn rotate(
    dir: &Path,
    key_file: &Path,
    log: Uuid,
    names: impl IntoIterator<Item = String>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Rotated, VaultError> {
    let present = KeyFile::load(key_file)?;
    // Must be this vault's before anything is written.
    Vault::at(dir, &present, log, Arc::clone(entropy))?;
    let keys = if present.is_rotating() {
        present
    } else {
        let next = present.succeeded_by(draw(&**entropy)?);
        next.replace(key_file, &**entropy)?;
        next
    };
    let vault = Vault::at(dir, &keys, log, Arc::clone(entropy))?;
    vault.wrap_names()?;
    let names: HashMap<_, _> =
        names.into_iter().map(|name| (Digest::of(&name).to_string(), name)).collect();
    let folders = files::folders(dir)?;
    let mut subjects = 0;
    for folder in &folders {
        let hash = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        subjects += usize::from(vault.wrap_key(folder, &hash, names.get(&hash))?);
    }
    let about = vault.about(&keys.id());
    files::replace(&dir.join("about"), about.as_bytes(), &**entropy)?;
    let retired = keys.retiring().map_or_else(|| keys.id(), |old| old.id());
    Ok(Rotated { retired, adopted: keys.id(), subjects })
}

/// Takes the retired key out of the key file: the end of a rotation.
///
/// # Errors
/// [`VaultError`]; the retired key is still there then.
pub fn settle(key_file: &Path, entropy: &dyn Entropy) -> Result<(), VaultError> {
    let keys = KeyFile::load(key_file)?;
    if keys.retiring().is_some() {
        keys.settled().replace(key_file, entropy)?;
    }
    Ok(())
}

impl Vault {
    /// Keeps the key for names, which outlives the key-encryption key it once came from.
    fn wrap_names(&self) -> Result<(), VaultError> {
        let nonce = draw(&*self.entropy)?;
        let sealed = envelope::seal(&self.wrapping, &nonce, &self.bound_names(), &*self.tagging);
        let sealed = sealed.ok_or(VaultError::TooLong)?;
        Ok(files::replace(&self.dir.join(NAMES), &sealed, &*self.entropy)?)
    }

    /// Wraps one subject's key; true if there is one.
    fn wrap_key(&self, dir: &Path, hash: &str, name: Option<&String>) -> Result<bool, VaultError> {
        let path = dir.join(KEY);
        let Some(sealed) = files::read(&path)? else { return Ok(false) };
        let bound = self.bound_folder(hash);
        if envelope::open(&self.wrapping, &bound, &sealed).is_some() {
            return Ok(true);
        }
        let by_name = name.map(|name| self.bound_key(name));
        let key = self.unwrapped(&sealed, [Some(bound), by_name].into_iter().flatten());
        let key = key.ok_or_else(|| VaultError::SubjectKey(path.clone()))?;
        let nonce = draw(&*self.entropy)?;
        let sealed = envelope::seal(&self.wrapping, &nonce, &bound, &key);
        files::replace(&path, &sealed.ok_or(VaultError::TooLong)?, &*self.entropy)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::{Purpose, Sealer, SubjectKeys as _};
    use super::*;
    use crate::entropy::{NoEntropy, SystemEntropy};
    use crate::model::{KeyId, Uid};
    use tempfile::TempDir;

    const LOG: Uuid = Uuid::from_u128(1);
    const PASSWORD: Uuid = Uuid::from_u128(10);

    /// Gives out after some draws: each file written takes at least one.
    struct Fails(AtomicUsize);

    impl Entropy for Fails {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
            let left =
                self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
            left.map_err(|_| NoEntropy)?;
            SystemEntropy.fill(bytes)
        }
    }

    fn entropy() -> Arc<dyn Entropy> {
        Arc::new(SystemEntropy)
    }

    /// A key file and a vault with a person's secret, an entity's key, and a tag.
    struct Place {
        dir: TempDir,
        sealed: Digest,
        entity: KeyId,
        tag: Digest,
    }

    impl Place {
        fn new() -> Self {
            let dir = TempDir::new().unwrap();
            let key = KeyFile::create(&dir.path().join("kek"), &SystemEntropy).unwrap();
            let vault = Vault::at(&dir.path().join("vault"), &key, LOG, entropy()).ok().unwrap();
            // As an older build wrapped it: bound to the name.
            let (bob, nonce) = ("bob", draw(&SystemEntropy).unwrap());
            files::private_dir(&vault.folder(bob)).unwrap();
            let old = envelope::seal(&vault.wrapping, &nonce, &vault.bound_key(bob), &[7; 32]);
            std::fs::write(vault.key_path(bob), old.unwrap()).unwrap();
            let sealed = vault.seal(bob, PASSWORD, Purpose::Password, b"hash").unwrap();
            let entity = vault.known_or_new(&alice()).ok().unwrap().id();
            let tag = vault.name_tag("nobody");
            Self { dir, sealed, entity, tag }
        }

        fn vault(&self) -> Vault {
            let key = KeyFile::load(&self.dir.path().join("kek")).ok().unwrap();
            Vault::at(&self.dir.path().join("vault"), &key, LOG, entropy()).ok().unwrap()
        }

        fn rotate(&self, entropy: &Arc<dyn Entropy>) -> Result<Rotated, VaultError> {
            let (dir, kek) = (self.dir.path().join("vault"), self.dir.path().join("kek"));
            let rotated = rotate(&dir, &kek, LOG, ["bob".to_owned()], entropy)?;
            settle(&kek, &**entropy)?;
            Ok(rotated)
        }

        fn assert_all_opens(&self) {
            let vault = self.vault();
            let opened = vault.open("bob", PASSWORD, Purpose::Password, &self.sealed).unwrap();
            assert_eq!(*opened, b"hash");
            let key = vault.known(&alice()).ok().unwrap().unwrap();
            assert_eq!((key.id(), vault.name_tag("nobody")), (self.entity, self.tag));
        }
    }

    fn alice() -> Uid {
        Uid::parse("User", "alice").unwrap()
    }

    #[test]
    fn after_a_rotation_everything_opens_with_the_new_key_alone() {
        let place = Place::new();
        let kek = place.dir.path().join("kek");
        let before = std::fs::read(&kek).unwrap();
        for _ in 0..2 {
            let rotated = place.rotate(&entropy()).ok().unwrap();
            assert_eq!(rotated.subjects, 2);
            assert_ne!(rotated.retired, rotated.adopted);
            place.assert_all_opens();
        }
        let text = std::fs::read_to_string(&kek).unwrap();
        assert_eq!(text.lines().count(), 1);
        std::fs::write(&kek, before).unwrap();
        let old = KeyFile::load(&kek).ok().unwrap();
        let refused = Vault::at(&place.dir.path().join("vault"), &old, LOG, entropy());
        assert!(matches!(refused.err(), Some(VaultError::WrongKey(_))));
    }

    /// Goal: old or new, never neither, wherever it stops.
    #[test]
    fn a_rotation_that_is_cut_short_loses_nothing_and_goes_on() {
        let mut cuts = 0;
        for draws in 0.. {
            let place = Place::new();
            let fails: Arc<dyn Entropy> = Arc::new(Fails(AtomicUsize::new(draws)));
            if place.rotate(&fails).is_ok() {
                break;
            }
            cuts += 1;
            place.assert_all_opens();
            place.rotate(&entropy()).ok().unwrap();
            place.assert_all_opens();
            let settled = KeyFile::load(&place.dir.path().join("kek")).ok().unwrap();
            assert!(!settled.is_rotating());
        }
        assert!(cuts >= 8, "only {cuts} places to stop at");
    }

    #[test]
    fn what_is_sealed_in_the_log_stays_as_it_is() {
        let place = Place::new();
        let member = |vault: Vault| {
            let sealer = Sealer::new(Arc::new(vault), LOG, entropy());
            sealer.keys().known(&alice()).ok().unwrap().unwrap().key().clone()
        };
        let before = member(place.vault());
        place.rotate(&entropy()).ok().unwrap();
        assert_eq!(*before, *member(place.vault()));
    }
}
