use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use tempfile::TempDir;

use super::*;
use crate::entropy::SystemEntropy;

const LOG: Uuid = Uuid::from_u128(1);
const PASSWORD: Uuid = Uuid::from_u128(10);
const SEED: Uuid = Uuid::from_u128(11);

/// A folder with a key file beside a vault, as an installation has them.
struct Place {
    dir: TempDir,
    key: KeyFile,
}

impl Place {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let key = KeyFile::create(&dir.path().join("kek"), &SystemEntropy).unwrap();
        Self { dir, key }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn vault(&self) -> Vault {
        self.vault_of(LOG, "vault").unwrap()
    }

    fn vault_of(&self, log: Uuid, name: &str) -> Result<Vault, VaultError> {
        Vault::at(&self.path(name), &self.key, log, Arc::new(SystemEntropy))
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Every file below a folder.
fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}

/// The error of what must not succeed; secrets have no `Debug` to unwrap with.
fn error<T, E>(result: Result<T, E>) -> E {
    result.err().unwrap()
}

#[test]
fn what_is_sealed_is_opened_after_a_restart_too() {
    let place = Place::new();
    let sealed = place.vault().seal("alice", PASSWORD, Purpose::Password, b"$argon2id$").unwrap();

    let key = KeyFile::load(&place.path("kek")).ok().unwrap();
    let again = Vault::at(&place.path("vault"), &key, LOG, Arc::new(SystemEntropy)).ok().unwrap();

    let opened = again.open("alice", PASSWORD, Purpose::Password, &sealed).unwrap();
    assert_eq!(*opened, b"$argon2id$");
}

#[test]
fn the_digest_is_that_of_the_file() {
    let place = Place::new();
    let vault = place.vault();
    let sealed = vault.seal("alice", PASSWORD, Purpose::Password, b"secret").unwrap();
    let file = fs::read(vault.folder("alice").join(PASSWORD.to_string())).unwrap();
    assert_eq!(sealed, Digest::of(file));
}

#[test]
fn the_same_secret_never_has_the_same_seal() {
    let vault = Place::new();
    let vault = vault.vault();
    let one = vault.seal("alice", PASSWORD, Purpose::Password, b"secret").unwrap();
    let two = vault.seal("alice", SEED, Purpose::Password, b"secret").unwrap();
    assert_ne!(one, two);
}

#[test]
fn a_secret_opens_only_as_what_it_was_sealed_for() {
    let place = Place::new();
    let vault = place.vault();
    let sealed = vault.seal("alice", PASSWORD, Purpose::Password, b"secret").unwrap();
    vault.seal("bob", SEED, Purpose::Totp, b"another").unwrap();

    // Another purpose.
    let refused = error(vault.open("alice", PASSWORD, Purpose::Totp, &sealed));
    assert!(matches!(refused, VaultError::Unopenable { purpose: Purpose::Totp, .. }));
    assert_eq!(
        refused.to_string(),
        format!("credential `{PASSWORD}` does not open as a totp of this subject in this log")
    );
    // Another subject or credential: there is no such file.
    let missing = error(vault.open("bob", PASSWORD, Purpose::Password, &sealed));
    assert!(matches!(missing, VaultError::Missing(PASSWORD)));
    let missing = error(vault.open("alice", SEED, Purpose::Password, &sealed));
    assert!(matches!(missing, VaultError::Missing(SEED)));
}

/// Goal: who can write the vault but not the log gains nothing by moving files,
/// even where the log's digest is made to agree.
#[test]
fn a_sealed_file_moved_elsewhere_does_not_open() {
    let place = Place::new();
    let vault = place.vault();
    let sealed = vault.seal("mallory", PASSWORD, Purpose::Password, b"known").unwrap();
    vault.seal("alice", SEED, Purpose::Password, b"unknown").unwrap();
    let from = vault.folder("mallory");
    let to = vault.folder("alice");

    // To another subject, with and without its owner's key.
    fs::copy(from.join(PASSWORD.to_string()), to.join(PASSWORD.to_string())).unwrap();
    let refused = error(vault.open("alice", PASSWORD, Purpose::Password, &sealed));
    assert!(matches!(refused, VaultError::Unopenable { .. }));
    fs::copy(from.join("key"), to.join("key")).unwrap();
    let refused = error(vault.open("alice", PASSWORD, Purpose::Password, &sealed));
    assert!(matches!(refused, VaultError::SubjectKey(_)));

    // To another credential of the same subject.
    fs::copy(from.join(PASSWORD.to_string()), from.join(SEED.to_string())).unwrap();
    let refused = error(vault.open("mallory", SEED, Purpose::Password, &sealed));
    assert!(matches!(refused, VaultError::Unopenable { .. }));

    // To the same place in another log's vault.
    let other = place.vault_of(Uuid::from_u128(2), "other").unwrap();
    other.seal("mallory", SEED, Purpose::Password, b"own").unwrap();
    let theirs = other.folder("mallory");
    fs::copy(from.join(PASSWORD.to_string()), theirs.join(PASSWORD.to_string())).unwrap();
    let refused = error(other.open("mallory", PASSWORD, Purpose::Password, &sealed));
    assert!(matches!(refused, VaultError::Unopenable { .. }));
    fs::copy(from.join("key"), theirs.join("key")).unwrap();
    let refused = error(other.open("mallory", PASSWORD, Purpose::Password, &sealed));
    assert!(matches!(refused, VaultError::SubjectKey(_)));
}

#[test]
fn a_file_that_the_log_does_not_name_is_refused_before_it_is_opened() {
    let place = Place::new();
    let vault = place.vault();
    let first = vault.seal("alice", PASSWORD, Purpose::Password, b"first").unwrap();
    let second = vault.seal("alice", SEED, Purpose::Password, b"second").unwrap();
    let path = vault.folder("alice").join(PASSWORD.to_string());

    let swapped = error(vault.open("alice", PASSWORD, Purpose::Password, &second));
    assert!(matches!(swapped, VaultError::Swapped(PASSWORD)));

    // Every bit counts.
    let whole = fs::read(&path).unwrap();
    for bit in 0..whole.len() * 8 {
        let mut altered = whole.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, altered).unwrap();
        let refused = error(vault.open("alice", PASSWORD, Purpose::Password, &first));
        assert!(matches!(refused, VaultError::Swapped(PASSWORD)), "bit {bit}");
    }
}

#[test]
fn a_sealed_secret_is_never_replaced() {
    let place = Place::new();
    let vault = place.vault();
    let sealed = vault.seal("alice", PASSWORD, Purpose::Password, b"first").unwrap();

    let refused = error(vault.seal("alice", PASSWORD, Purpose::Password, b"second"));

    assert!(matches!(refused, VaultError::AlreadySealed(PASSWORD)));
    let opened = vault.open("alice", PASSWORD, Purpose::Password, &sealed).unwrap();
    assert_eq!(*opened, b"first");
    assert_eq!(files_below(&vault.folder("alice")).len(), 2, "nothing unfinished is left");
}

#[test]
fn a_secret_has_a_largest_size() {
    let place = Place::new();
    let vault = place.vault();
    let largest = vec![7; Vault::SECRET_BYTES_MAX];
    let sealed = vault.seal("alice", PASSWORD, Purpose::Totp, &largest).unwrap();
    assert_eq!(*vault.open("alice", PASSWORD, Purpose::Totp, &sealed).unwrap(), largest);
    let refused = error(vault.seal("alice", SEED, Purpose::Totp, &[largest, vec![7]].concat()));
    assert!(matches!(refused, VaultError::TooLong));
}

#[test]
fn another_key_or_another_log_is_refused_when_the_vault_is_taken_up() {
    let place = Place::new();
    place.vault().seal("alice", PASSWORD, Purpose::Password, b"secret").unwrap();
    let other = KeyFile::create(&place.path("other"), &SystemEntropy).ok().unwrap();

    let at = place.path("vault");
    let wrong_key = error(Vault::at(&at, &other, LOG, Arc::new(SystemEntropy)));
    assert!(matches!(wrong_key, VaultError::WrongKey(_)));
    assert_eq!(
        wrong_key.to_string(),
        format!("the key file is not the one that vault `{}` was sealed with", at.display())
    );
    let wrong_log = error(place.vault_of(Uuid::from_u128(2), "vault"));
    assert!(matches!(wrong_log, VaultError::WrongLog { .. }));

    // Hiding what the vault belongs to does not help.
    fs::write(at.join("about"), "anything").unwrap();
    assert!(matches!(error(place.vault_of(LOG, "vault")), VaultError::NotAVault(_)));
    fs::remove_file(at.join("about")).unwrap();
    assert!(matches!(error(place.vault_of(LOG, "vault")), VaultError::NotAVault(_)));
}

#[test]
fn a_subject_without_its_key_is_gone() {
    let place = Place::new();
    let vault = place.vault();
    let sealed = vault.seal("alice", PASSWORD, Purpose::Password, b"secret").unwrap();
    fs::remove_file(vault.folder("alice").join("key")).unwrap();
    let refused = error(vault.open("alice", PASSWORD, Purpose::Password, &sealed));
    assert!(matches!(refused, VaultError::SubjectKey(_)));
}

/// Goal: two first enrolments of one person at once do not cost one of them.
#[test]
fn a_subjects_key_is_made_once_whoever_comes_first() {
    let place = Place::new();
    let vault = place.vault();
    let start = std::sync::Barrier::new(8);
    let sealed: Vec<(Uuid, Digest)> = std::thread::scope(|scope| {
        let enrolments: Vec<_> = (0..8_u8)
            .map(|number| {
                let (vault, start) = (&vault, &start);
                scope.spawn(move || {
                    let id = Uuid::from_u128(u128::from(number));
                    start.wait();
                    (id, vault.seal("alice", id, Purpose::Totp, &[number]).unwrap())
                })
            })
            .collect();
        enrolments.into_iter().map(|enrolment| enrolment.join().unwrap()).collect()
    });
    for (number, (id, digest)) in (0..).zip(sealed) {
        assert_eq!(*vault.open("alice", id, Purpose::Totp, &digest).unwrap(), [number]);
    }
    assert_eq!(files_below(&vault.folder("alice")).len(), 9, "one key, eight secrets");
}

#[test]
fn only_the_owner_may_look() {
    let place = Place::new();
    fs::create_dir(place.path("vault")).unwrap();
    fs::set_permissions(place.path("vault"), Permissions::from_mode(0o755)).unwrap();
    let vault = place.vault();
    vault.seal("alice", PASSWORD, Purpose::Password, b"secret").unwrap();

    assert_eq!(mode(&place.path("kek")), 0o600);
    assert_eq!(mode(&place.path("vault")), 0o700);
    assert_eq!(mode(&vault.folder("alice")), 0o700);
    let files = files_below(&place.path("vault"));
    assert_eq!(files.len(), 3);
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn a_removed_secret_is_gone_and_the_others_are_not() {
    let place = Place::new();
    let vault = place.vault();
    let password = vault.seal("alice", PASSWORD, Purpose::Password, b"hash").unwrap();
    let seed = vault.seal("alice", SEED, Purpose::Totp, b"seed").unwrap();
    for _ in 0..2 {
        vault.remove("alice", SEED).unwrap();
    }
    vault.remove("nobody", SEED).unwrap();
    let gone = error(vault.open("alice", SEED, Purpose::Totp, &seed));
    assert!(matches!(gone, VaultError::Missing(SEED)), "{gone}");
    assert!(vault.open("alice", PASSWORD, Purpose::Password, &password).is_ok());
}

#[test]
fn a_sweep_takes_orphans_and_unfinished_files_and_nothing_else() {
    let place = Place::new();
    let vault = place.vault();
    let kept = vault.seal("alice", PASSWORD, Purpose::Password, b"kept").unwrap();
    vault.seal("alice", SEED, Purpose::Totp, b"orphan").unwrap();
    vault.seal("bob", Uuid::from_u128(12), Purpose::Totp, b"orphan").unwrap();
    fs::write(vault.folder("bob").join("key.0123.unfinished"), "cut short").unwrap();
    fs::write(vault.dir.join("about.0123.unfinished"), "cut short").unwrap();
    fs::write(vault.dir.join("README"), "somebody else's").unwrap();

    assert_eq!(vault.sweep(&HashSet::from([PASSWORD])).unwrap(), 4);

    assert_eq!(*vault.open("alice", PASSWORD, Purpose::Password, &kept).unwrap(), b"kept");
    let mut left: Vec<_> = files_below(&vault.dir);
    left.sort();
    let mut expected = vec![
        vault.dir.join("README"),
        vault.dir.join("about"),
        vault.folder("alice").join("key"),
        vault.folder("alice").join(PASSWORD.to_string()),
        vault.folder("bob").join("key"),
    ];
    expected.sort();
    assert_eq!(left, expected);
    assert_eq!(vault.sweep(&HashSet::from([PASSWORD])).unwrap(), 0);
}

/// Goal: a stolen disk without the key file holds no secret, in any spelling.
#[test]
fn no_secret_lies_in_the_open() {
    let place = Place::new();
    let vault = place.vault();
    let secret = b"canary-7f3a9c-correct-horse";
    vault.seal("alice", PASSWORD, Purpose::Password, secret).unwrap();
    vault.seal("alice", SEED, Purpose::Totp, secret).unwrap();
    let key = vault.subject_key("alice").unwrap();

    for canary in [secret.as_slice(), key.as_slice(), vault.wrapping.as_slice()] {
        let hex: String =
            canary.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(hex_digit).collect();
        let spellings = [
            canary.to_vec(),
            hex.to_uppercase().into_bytes(),
            hex.into_bytes(),
            STANDARD.encode(canary).into_bytes(),
            URL_SAFE_NO_PAD.encode(canary).into_bytes(),
            base32(canary).into_bytes(),
        ];
        for file in files_below(&vault.dir) {
            let content = fs::read(&file).unwrap();
            for spelling in &spellings {
                let found = content.windows(spelling.len()).any(|bytes| bytes == spelling);
                assert!(!found, "{}", file.display());
            }
        }
    }
    let names = files_below(&vault.dir).iter().any(|path| path.to_string_lossy().contains("alice"));
    assert!(!names);
}

fn hex_digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap()
}

/// RFC 4648 §6, without padding.
fn base32(bytes: &[u8]) -> String {
    let bits: Vec<u8> =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let value = |group: &[u8]| group.iter().fold(0, |sum, bit| sum << 1 | usize::from(*bit));
    bits.chunks(5).map(|group| letters[value(group) << (5 - group.len())] as char).collect()
}

#[test]
fn a_key_file_is_written_once_and_read_back() {
    assert_eq!(base32(b"foobar"), "MZXW6YTBOI");
    let place = Place::new();
    let path = place.path("kek");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("countersign-kek-v1 ") && text.len() == 64, "{}", text.len());

    let refused = error(KeyFile::create(&path, &SystemEntropy));
    assert_eq!(
        refused.to_string(),
        format!("key file `{}` exists already and is never overwritten", path.display())
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    let loaded = KeyFile::load(&path).ok().unwrap();
    assert_eq!(loaded.derive::<32>(b"x"), place.key.derive::<32>(b"x"));
    assert_eq!(files_below(place.dir.path()).len(), 1, "nothing unfinished is left");
}

#[test]
fn a_key_file_that_others_may_read_is_refused() {
    let place = Place::new();
    let path = place.path("kek");
    for mode in [0o640, 0o604, 0o660, 0o666, 0o610] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let refused = error(KeyFile::load(&path)).to_string();
        let said = format!("has mode {mode:04o}: others may read it; `chmod 600` it");
        assert!(refused.ends_with(&said), "{refused}");
    }
    fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    assert!(KeyFile::load(&path).is_ok());
}

#[test]
fn what_is_not_a_key_file_is_refused_and_not_repeated() {
    let place = Place::new();
    let path = place.path("not-a-key");
    let good = fs::read_to_string(place.path("kek")).unwrap();
    for text in [
        "",
        "hunter2",
        "countersign-kek-v1 ",
        "countersign-kek-v1 c2hvcnQ=",
        "countersign-kek-v2 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        &good.repeat(2),
        &format!(" {good}"),
    ] {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let refused = error(KeyFile::load(&path));
        assert!(matches!(refused, KeyFileError::NotAKeyFile(_)), "{text}");
        assert!(!refused.to_string().contains("hunter2"));
    }
    let absent = error(KeyFile::load(&place.path("absent"))).to_string();
    assert_eq!(absent, format!("cannot open `{}`", place.path("absent").display()));
}

#[test]
fn each_use_has_a_key_of_its_own() {
    let place = Place::new();
    let (one, two) = (place.key.derive::<32>(b"one"), place.key.derive::<32>(b"two"));
    assert_ne!(one, two);
    assert_ne!(*one, *place.key.derive::<64>(b"two").first_chunk().unwrap());
}

#[test]
fn a_name_has_one_tag_however_typed_and_another_under_another_key() {
    let place = Place::new();
    let vault = place.vault();
    let tag = vault.name_tag("R\u{e9}n\u{e9}");
    assert_eq!(tag, vault.name_tag("re\u{301}ne\u{301}"));
    assert_ne!(tag, vault.name_tag("rene"));
    assert_ne!(tag, Digest::of("r\u{e9}n\u{e9}"));

    let elsewhere = Place::new();
    assert_ne!(tag, elsewhere.vault().name_tag("R\u{e9}n\u{e9}"));
}

/// Goal: authenticators know a person by the same id for ever, and it tells nobody who it is.
#[test]
fn a_handle_stays_and_is_nobody_elses() {
    let place = Place::new();
    let handle = place.vault().user_handle("alice");
    assert_eq!(handle, place.vault().user_handle("alice"));
    assert_eq!(*place.vault().pretence_key(), *place.vault().pretence_key());
    let tag = place.vault().name_tag("alice");
    assert!(!tag.as_bytes().starts_with(handle.as_bytes()));
    assert_ne!(handle, place.vault().user_handle("bob"));
    assert_ne!(handle, Place::new().vault().user_handle("alice"));
}

/// Goal: a vault written by this version is read by every later one, and by
/// other implementations: these bytes were made by libsodium and Python's `hmac`.
#[test]
fn a_vault_made_elsewhere_opens() {
    let dir = TempDir::new().unwrap();
    let (kek, vault) = (dir.path().join("kek"), dir.path().join("vault"));
    let alice = "2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90";
    fs::create_dir_all(vault.join(alice)).unwrap();
    fs::write(&kek, "countersign-kek-v1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").unwrap();
    fs::set_permissions(&kek, Permissions::from_mode(0o600)).unwrap();
    fs::write(
        vault.join("about"),
        "countersign-vault-v1 log=00000000-0000-0000-0000-000000000001 \
         key=b4b30f9a9eadca0cdd62bea27d9338ae69bf702b96a53ee80578520e488b9fa2\n",
    )
    .unwrap();
    let sealed_key = "4353563101010101010101010101010101010101010101010101010146b7fc61\
                      cba8c4b250f8f2937062943adf8bc3e15509150770faf2e9fdaeaff1efe1e2b9\
                      2a64691f3ab923146de66b88";
    fs::write(vault.join(alice).join("key"), from_hex(sealed_key)).unwrap();
    let sealed = "435356310202020202020202020202020202020202020202020202021f522568\
                  b3be53f641d8a6fe3ea7d096a0050f54273d8fa89e17e6c81b";
    fs::write(vault.join(alice).join(PASSWORD.to_string()), from_hex(sealed)).unwrap();

    let key = KeyFile::load(&kek).ok().unwrap();
    let vault = Vault::at(&vault, &key, LOG, Arc::new(SystemEntropy)).ok().unwrap();

    let digest = "95543bc8182b4c378a173deeb194ffa7534dcb6f0ed3656197a9d834ce1d64cc";
    let opened = vault.open("alice", PASSWORD, Purpose::Totp, &digest.parse().unwrap()).unwrap();
    assert_eq!(*opened, b"golden secret");
    assert_eq!(
        vault.name_tag("Alice").to_string(),
        "17fc2c187483e3704ed0f32cce1573cc2edb5b0f725903d4e1090e9c019d644f"
    );
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
