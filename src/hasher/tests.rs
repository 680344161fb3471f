use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use argon2::{Algorithm, Argon2, AssociatedData, ParamsBuilder, Version};

use super::Whose::Anybodys;
use super::recipe::Recipe;
use super::*;
use crate::entropy::SeededEntropy;
use crate::event::PasswordScheme;

pub(super) fn entropy() -> Arc<dyn Entropy> {
    Arc::new(SeededEntropy::new(7))
}

pub(super) fn cheap() -> HasherSettings {
    HasherSettings::insecure_for_tests()
}

fn hasher() -> Hasher {
    Hasher::start(cheap(), entropy()).unwrap()
}

/// A hasher whose queue nobody serves yet, so that what waits can be looked at.
pub(super) fn unattended(settings: HasherSettings) -> Hasher {
    Hasher::without_workers(settings, entropy()).unwrap()
}

impl Hasher {
    /// A verification of anybody's password against a hash that is at hand.
    pub(super) async fn check(
        &self,
        typed: Password,
        stored: Option<PasswordHash>,
    ) -> Result<Verdict, HasherError> {
        self.check_of(Anybodys, typed, stored).await
    }

    pub(super) async fn check_of(
        &self,
        whose: Whose,
        typed: Password,
        stored: Option<PasswordHash>,
    ) -> Result<Verdict, HasherError> {
        let verified = self.verify(whose, typed, || Ok::<_, Infallible>(stored)).await;
        verified.map(Result::unwrap)
    }
}

pub(super) fn password(text: &str) -> Password {
    text.parse().ok().unwrap()
}

/// Polls once: enough for a job to enter the queue.
pub(super) fn begin<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn the_right_password_matches_and_others_do_not() {
    let hasher = hasher();
    let stored = hasher.hash(Anybodys, password("correct horse battery")).await.unwrap();
    let verify = async |text| hasher.check(password(text), Some(stored.clone())).await.unwrap();

    assert_eq!(
        verify("correct horse battery").await,
        Verdict { matches: true, needs_rehash: false }
    );
    for wrong in ["correct horse batterY", "correct horse batter", "correct horse battery ", "x"] {
        assert_eq!(verify(wrong).await, Verdict { matches: false, needs_rehash: false }, "{wrong}");
    }
}

#[tokio::test]
async fn every_byte_of_a_long_password_counts() {
    let hasher = hasher();
    let (long, longer) = ("x".repeat(127) + "y", "x".repeat(128));
    let stored = hasher.hash(Anybodys, password(&long)).await.unwrap();
    assert!(hasher.check(password(&long), Some(stored.clone())).await.unwrap().matches);
    assert!(!hasher.check(password(&longer), Some(stored)).await.unwrap().matches);
}

#[tokio::test]
async fn a_password_matches_however_its_accents_were_typed() {
    let hasher = hasher();
    let composed =
        hasher.hash(Anybodys, password("caf\u{e9} au lait, s'il vous pla\u{ee}t")).await.unwrap();
    let decomposed = password("cafe\u{301} au lait, s'il vous plai\u{302}t");
    assert!(hasher.check(decomposed, Some(composed)).await.unwrap().matches);
}

#[tokio::test]
async fn the_same_password_never_has_the_same_hash() {
    let hasher = hasher();
    let first = hasher.hash(Anybodys, password("the same password")).await.unwrap();
    let second = hasher.hash(Anybodys, password("the same password")).await.unwrap();
    assert_ne!(first.salt(), second.salt());
    assert_ne!(first.tag(), second.tag());
    assert_ne!(*first.to_phc(), *second.to_phc());
}

#[tokio::test]
async fn a_hash_outlives_its_text() {
    let hasher = hasher();
    let text = hasher.hash(Anybodys, password("correct horse battery")).await.unwrap().to_phc();
    let stored: PasswordHash = text.parse().ok().unwrap();
    assert!(hasher.check(password("correct horse battery"), Some(stored)).await.unwrap().matches);
}

/// Vectors of the reference implementation, `src/test.c`.
#[tokio::test]
async fn hashes_made_elsewhere_verify_and_ask_to_be_made_anew() {
    let dearer = Cost { memory_kib: 512, passes: 2, lanes: 1 };
    let hasher = Hasher::start(HasherSettings { cost: dearer, ..cheap() }, entropy()).unwrap();
    for phc in [
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
    ] {
        let stored: PasswordHash = phc.parse().ok().unwrap();
        let verdict = hasher.check(password("password"), Some(stored.clone())).await.unwrap();
        assert_eq!(verdict, Verdict { matches: true, needs_rehash: true }, "{phc}");
        let wrong = hasher.check(password("Password"), Some(stored)).await.unwrap();
        assert_eq!(wrong, Verdict { matches: false, needs_rehash: false }, "{phc}");
    }
}

/// RFC 9106 §5.3. Its key and associated data are not used here otherwise; the
/// memory, its reuse and its wiping are those of every hash.
#[test]
fn the_vector_of_rfc_9106_comes_out_twice_in_the_same_memory() {
    let (password, salt, key) = ([1; 32], [2; 16], [3; 8]);
    let associated = AssociatedData::new(&[4; 12]).unwrap();
    let params = ParamsBuilder::new().m_cost(32).t_cost(3).p_cost(4).data(associated).build();
    let argon2 =
        Argon2::new_with_secret(&key, Algorithm::Argon2id, Version::V0x13, params.unwrap())
            .unwrap();
    let mut memory = Memory::for_cost(Cost { memory_kib: 8, passes: 1, lanes: 1 }).unwrap();
    for _ in 0..2 {
        let mut tag = [0; 32];
        memory.fill(&argon2, &password, &salt, &mut tag).unwrap();
        assert_eq!(
            crate::model::Digest::from(tag).to_string(),
            "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"
        );
        assert!(memory.is_blank_of(8), "wiped, and no larger than before");
    }
}

/// Goal: whether a user exists does not show in the work done.
#[tokio::test]
async fn an_unknown_user_costs_one_hash_at_the_cost_in_force_and_never_matches() {
    let hasher = hasher();
    assert_eq!(hasher.shared.nobody.recipe(), Recipe::of(cheap().cost));
    assert!(!hasher.shared.nobody.is_weaker_than(cheap().cost));

    let verdict = hasher.check(password("anything at all"), None).await.unwrap();

    assert_eq!(verdict, Verdict { matches: false, needs_rehash: false });
    assert_eq!(hasher.computed(), 1);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_known_and_unknown_alike() {
    let hasher = unattended(cheap().with_queue(2));
    let stored = PasswordHash::of_nobody(cheap().cost, &*entropy()).unwrap();
    let mut first = pin!(hasher.check(password("one"), None));
    let mut second = pin!(hasher.hash(Anybodys, password("two")));
    assert!(begin(first.as_mut()).is_pending());
    assert!(begin(second.as_mut()).is_pending());
    assert_eq!(hasher.queued(), 2);

    for stored in [None, Some(stored)] {
        let mut third = pin!(hasher.check(password("three"), stored));
        assert!(matches!(begin(third.as_mut()), Poll::Ready(Err(HasherError::Busy))));
    }
    assert_eq!(hasher.queued(), 2);
}

/// Goal: the order of answers does not tell whose name has a password: a place in the queue
/// is taken before anything is read.
#[tokio::test]
async fn a_stored_hash_is_read_only_when_its_turn_has_come() {
    let hasher = unattended(cheap());
    let stored = hasher.shared.nobody.clone();
    let read = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&read);
    let open = move || {
        seen.fetch_add(1, Ordering::Relaxed);
        Ok::<_, Infallible>(Some(stored))
    };
    let mut first = pin!(hasher.verify(Anybodys, password("one"), open));
    assert!(begin(first.as_mut()).is_pending());
    assert_eq!((hasher.queued(), read.load(Ordering::Relaxed)), (1, 0));

    let worker = hasher.worker(0).unwrap();
    assert!(first.await.unwrap().is_ok());
    assert_eq!(read.load(Ordering::Relaxed), 1);
    hasher.queue.close();
    worker.join().unwrap();
}

/// Goal: what cannot be read costs as much, and is said to be that.
#[tokio::test]
async fn a_hash_that_cannot_be_read_costs_as_much_as_one_that_can() {
    let hasher = hasher();
    let open = || Err::<Option<PasswordHash>, _>("torn");
    let verified = hasher.verify(Anybodys, password("one"), open).await.unwrap();
    assert_eq!((verified, hasher.computed()), (Err("torn"), 1));
}

#[tokio::test]
async fn jobs_that_nobody_waits_for_make_room() {
    let hasher = unattended(cheap().with_queue(1));
    {
        let mut hung_up = pin!(hasher.check(password("one"), None));
        assert!(begin(hung_up.as_mut()).is_pending());
    }
    let mut next = pin!(hasher.check(password("two"), None));
    assert!(begin(next.as_mut()).is_pending());
    assert_eq!(hasher.queued(), 1);
}

#[tokio::test]
async fn a_job_that_nobody_waits_for_is_not_computed() {
    let mut hasher = unattended(cheap());
    {
        let mut hung_up = pin!(hasher.check(password("one"), None));
        assert!(begin(hung_up.as_mut()).is_pending());
    }
    hasher.add_worker(0).unwrap();

    let verdict = hasher.check(password("two"), None).await.unwrap();

    assert!(!verdict.matches);
    assert_eq!(hasher.computed(), 1, "the second only");
}

#[tokio::test]
async fn a_job_that_waited_too_long_is_answered_but_not_computed() {
    let hasher = Hasher::start(cheap().with_patience(Duration::ZERO), entropy()).unwrap();
    let late = hasher.check(password("one"), None).await;
    assert!(matches!(late, Err(HasherError::Busy)));
    assert_eq!(hasher.computed(), 0);
}

#[tokio::test]
async fn stopping_answers_those_who_wait() {
    let hasher = unattended(cheap());
    let mut waiting = pin!(hasher.check(password("one"), None));
    assert!(begin(waiting.as_mut()).is_pending());

    hasher.queue.close();

    assert!(matches!(waiting.await, Err(HasherError::Stopped)));
    let after = hasher.check(password("two"), None).await;
    assert!(matches!(after, Err(HasherError::Stopped)));
}

/// Goal: a defect in what one asks for shuts nobody else out.
#[tokio::test]
async fn a_job_that_panics_ends_no_worker() {
    let hasher = hasher();
    let broken = |_: &mut Memory| -> Result<(), HasherError> { panic!("a defect") };
    assert!(matches!(hasher.served(Anybodys, broken).await, Err(HasherError::Stopped)));
    assert!(!hasher.check(password("two"), None).await.unwrap().matches);
}

#[tokio::test]
async fn many_at_once_on_several_threads_each_get_their_own_answer() {
    let hasher = Arc::new(Hasher::start(cheap().with_threads(3), entropy()).unwrap());
    let stored = hasher.hash(Anybodys, password("number 7")).await.unwrap();
    let tries: Vec<_> = (0..40)
        .map(|number| {
            let (hasher, stored) = (Arc::clone(&hasher), stored.clone());
            let typed = password(&format!("number {number}"));
            tokio::spawn(async move { hasher.check(typed, Some(stored)).await.unwrap().matches })
        })
        .collect();
    for (number, attempt) in tries.into_iter().enumerate() {
        assert_eq!(attempt.await.unwrap(), number == 7, "{number}");
    }
    assert_eq!(hasher.computed(), 41);
}

/// Goal: an altered or imported record is an error, not an exhausted machine.
#[tokio::test]
async fn a_stored_hash_cannot_ask_for_more_than_the_limit() {
    let hasher = Hasher::start(cheap().with_stored_kib_max(512), entropy()).unwrap();
    let hash = |cost| PasswordHash::of_nobody(cost, &*entropy()).unwrap();
    for (memory_kib, passes, lanes) in
        [(513, 1, 1), (u32::MAX, 1, 1), (8, 65, 1), (8, u32::MAX, 1), (512, 1, 17)]
    {
        let greedy = hash(Cost { memory_kib, passes, lanes });
        let refused = hasher.check(password("one"), Some(greedy)).await;
        assert!(matches!(refused, Err(HasherError::TooCostly { .. })), "{memory_kib} {passes}");
    }
    assert_eq!(hasher.computed(), 0);
    let allowed = hash(Cost { memory_kib: 512, passes: 1, lanes: 1 });
    assert!(!hasher.check(password("one"), Some(allowed)).await.unwrap().matches);
}

#[test]
fn memory_grown_for_a_dearer_hash_is_given_back_blank() {
    let mut memory = Memory::for_cost(Cost { memory_kib: 8, passes: 1, lanes: 1 }).unwrap();
    let dearer = Cost { memory_kib: 64, passes: 1, lanes: 1 };
    memory.tag(Recipe::of(dearer), b"password", b"somesalt", 32).unwrap();
    assert!(memory.is_blank_of(8));
}

#[test]
fn nothing_below_owasps_minimum_is_accepted() {
    let below = |parameter, found, floor| Err(UnfitCost::BelowFloor { parameter, found, floor });
    assert_eq!(HasherSettings::new(19_455, 2, 1), below("memory (KiB)", 19_455, 19_456));
    assert_eq!(HasherSettings::new(19_456, 1, 1), below("passes", 1, 2));
    assert_eq!(HasherSettings::new(19_456, 2, 0), below("lanes", 0, 1));
    assert_eq!(HasherSettings::new(19_456, 2, 1), Ok(HasherSettings::default()));
    assert!(matches!(
        HasherSettings::new(u32::MAX, 2, 1),
        Err(UnfitCost::AboveLimit { parameter: "memory (KiB)", .. })
    ));
    assert_eq!(
        UnfitCost::BelowFloor { parameter: "passes", found: 1, floor: 2 }.to_string(),
        "argon2id passes of 1 is below the floor of 2: set at least that"
    );
}

#[tokio::test]
async fn the_cost_in_force_is_the_one_that_new_hashes_have() {
    let settings = HasherSettings::default().with_threads(1);
    let hasher = Hasher::start(settings, entropy()).unwrap();
    let text = hasher.hash(Anybodys, password("correct horse battery")).await.unwrap().to_phc();
    assert!(text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    let stored = text.parse().ok();
    let verdict = hasher.check(password("correct horse battery"), stored).await.unwrap();
    assert_eq!(verdict, Verdict { matches: true, needs_rehash: false });
}

/// Goal: a login never lowers what protects a password, and raises what is weaker.
#[tokio::test]
async fn only_what_is_easier_to_guess_is_hashed_anew() {
    let at = |memory_kib, passes| Cost { memory_kib, passes, lanes: 1 };
    let made = async |cost| {
        let hasher = Hasher::start(HasherSettings { cost, ..cheap() }, entropy()).unwrap();
        hasher.hash(Anybodys, password("correct horse battery")).await.unwrap()
    };
    let hasher = Hasher::start(HasherSettings { cost: at(64, 2), ..cheap() }, entropy()).unwrap();
    for (cost, anew) in [(at(63, 2), true), (at(64, 1), true), (at(64, 2), false)] {
        let stored = made(cost).await;
        let verdict = hasher.check(password("correct horse battery"), Some(stored)).await.unwrap();
        assert_eq!(verdict, Verdict { matches: true, needs_rehash: anew }, "{cost:?}");
    }
    let dearer = made(at(65, 2)).await;
    let verdict = hasher.check(password("correct horse battery"), Some(dearer)).await.unwrap();
    assert_eq!(verdict, Verdict { matches: true, needs_rehash: false });
}

/// Hashes that Python's argon2-cffi 25.1 and bcrypt 5.0 made of `correct horse battery`.
const FOREIGN: [&str; 4] = [
    concat!(
        "$argon2id$v=19$m=1024,t=3,p=4$5WJoSTsHqxS1rbjt/JbZ6w",
        "$7VX4/TugF4hNtkCFvOdGvj5K545GODeYnxwEEsnQDzU"
    ),
    concat!(
        "$argon2i$v=19$m=512,t=2,p=1$t65YsSLJ9EmtpEv68S7Akw",
        "$pF7zTPtpACSRJj4pPc0SRzchNmOhWcb33fjBgX5u1QQ"
    ),
    "$2b$04$uzfqreZhByPpy4t9SOQLKOr6FdXgsNL4CmazYolgGehfYsP1d1IM2",
    "$2a$05$M.jRN6vLodgR1rVRd9ZzQuOe4zeSaOjxR8/L1aqUGIE8tCpXcV43S",
];

#[tokio::test]
async fn hashes_from_elsewhere_are_verified_by_their_own_scheme_and_hashed_anew() {
    let hasher = hasher();
    // PHP writes `2y` for the same.
    let php = FOREIGN.map(|text| text.replace("$2b$", "$2y$"));
    for text in FOREIGN.into_iter().chain(php.iter().map(String::as_str)) {
        let stored = PasswordHash::imported(text).unwrap_or_else(|_| panic!("{text}"));
        let right = hasher.check(password("correct horse battery"), Some(stored.clone())).await;
        let anew = stored.scheme() != PasswordScheme::Argon2id;
        assert_eq!(right.unwrap(), Verdict { matches: true, needs_rehash: anew }, "{text}");
        let wrong = hasher.check(password("correct horse batterY"), Some(stored.clone())).await;
        assert!(!wrong.unwrap().matches, "{text}");
        let again: PasswordHash = stored.to_phc().parse().ok().unwrap();
        assert!(again.to_phc() == stored.to_phc(), "{text}");
    }
}

/// bcrypt looks at 72 bytes, as where the hash was made; the new hash looks at all.
#[tokio::test]
async fn seventy_two_bytes_of_a_password_count_for_bcrypt() {
    let hasher = hasher();
    let stored =
        PasswordHash::imported("$2b$04$QFxeYSXfcwu/xkzGd0sjG.k7skcZ0em4VHTJljpa9kAwOfMWvK/jC")
            .unwrap_or_else(|_| panic!());
    for (typed, matches) in
        [("x".repeat(80), true), ("x".repeat(73), true), ("x".repeat(71), false)]
    {
        let verdict = hasher.check(password(&typed), Some(stored.clone())).await.unwrap();
        assert_eq!(verdict.matches, matches, "{}", typed.len());
    }
}

/// Goal: one password opens an account, and not all that bcrypt takes for it.
#[tokio::test]
async fn a_password_with_a_nul_matches_no_bcrypt_hash_and_costs_as_much() {
    let hasher = hasher();
    let right = "correct horse battery";
    for text in FOREIGN {
        let stored = PasswordHash::imported(text).unwrap_or_else(|_| panic!("{text}"));
        let (twice, before) = (password(&format!("{right}\0{right}")), hasher.computed());
        assert!(!hasher.check(twice, Some(stored)).await.unwrap().matches, "{text}");
        assert_eq!(hasher.computed(), before + 1);
    }
}

/// Goal: no imported hash makes a login a denial of service.
#[test]
fn what_asks_for_too_much_is_not_imported() {
    let salt_and_tag = "c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    let argon2 = |cost: &str| format!("$argon2id$v=19${cost}${salt_and_tag}");
    let tail = "uzfqreZhByPpy4t9SOQLKOr6FdXgsNL4CmazYolgGehfYsP1d1IM2";
    let bcrypt = |cost: u32| format!("$2b${cost:02}${tail}");
    for text in [argon2("m=65536,t=10,p=4"), bcrypt(14), bcrypt(4)] {
        assert!(PasswordHash::imported(&text).is_ok(), "{text}");
    }
    for text in [
        argon2("m=65537,t=1,p=1"),
        argon2("m=64,t=11,p=1"),
        argon2("m=64,t=1,p=5"),
        bcrypt(15),
        bcrypt(31),
    ] {
        assert_eq!(PasswordHash::imported(&text).err(), Some(Unimportable::TooCostly), "{text}");
    }
    let unread = Some(Unimportable::NotAHash(NotAPasswordHash));
    for text in [bcrypt(3), bcrypt(32), bcrypt(12).replace("2b", "2x"), "$1$md5$hash".to_owned()] {
        assert_eq!(PasswordHash::imported(&text).err(), unread, "{text}");
    }
}

/// The nice value of the thread of this process that has a name (proc(5), `stat`: the 17th
/// field after the name in brackets).
#[cfg(target_os = "linux")]
fn nice_of(thread: &str) -> Option<i32> {
    let named = format!("({thread})");
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    threads.flatten().find_map(|entry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        stat.split_once(&named)?.1.split_whitespace().nth(16)?.parse().ok()
    })
}

/// Goal: a decision does not wait for a password that is being hashed.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_hashing_thread_gives_way_and_the_others_stay_as_they_are() {
    let before = rustix::process::getpriority_process(None).unwrap();
    let mut hasher = unattended(cheap());
    hasher.add_worker(90_210).unwrap();
    hasher.hash(Anybodys, password("some password")).await.unwrap();

    assert_eq!(nice_of("argon2-90210"), Some(NICE));
    assert_eq!(rustix::process::getpriority_process(None).unwrap(), before);
}
