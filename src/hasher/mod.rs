//! Argon2id on threads of its own, behind a bounded queue.
//!
//! A password costs tens of milliseconds and tens of mebibytes, so this is the
//! room that a flood of logins fills first. What bounds it: N threads, each with
//! one block of memory that it keeps for life (memory is N × cost, fixed at
//! start); a queue of fixed length that refuses at once when full; rests, where many
//! wait; and work that is dropped before it begins once nobody waits for it. A worker
//! *is* the permit, so a client that hangs up cannot free one that is still busy.

mod cost;
#[cfg(test)]
mod flood_tests;
mod memory;
mod pace;
mod password_hash;
mod queue;
mod recipe;
#[cfg(test)]
mod tests;
mod ticks;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use subtle::ConstantTimeEq as _;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::entropy::{Entropy, NoEntropy, draw};
use crate::model::Password;

pub use cost::{HasherSettings, UnfitCost};
pub use password_hash::{NotAPasswordHash, PasswordHash, Unimportable};
pub use queue::Whose;

use cost::Cost;
use memory::Memory;
use pace::Pace;
use queue::{Asked, Job, Queue};
use ticks::Ticks;

/// What a verification found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Verdict {
    /// Whether the password is the one that was hashed. Always false for an
    /// unknown user.
    pub matches: bool,
    /// Whether it matches but was hashed in a way that is easier to guess at than the one
    /// in force, so that it should be hashed again while it is at hand.
    pub needs_rehash: bool,
}

/// Why no password was hashed or verified. None of them says anything about the
/// password or whether the user exists.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HasherError {
    /// The queue is full, or the job waited in it longer than allowed.
    #[error("too many passwords are being checked: try again in a few seconds")]
    Busy,
    /// The hasher was stopped while the job waited.
    #[error("the server is stopping")]
    Stopped,
    /// A stored hash asks for more than this server gives a single hash.
    #[error(
        "a stored password hash asks for {asked_kib} KiB × {passes} passes × {lanes} lanes, \
         more than the limit of {limit_kib} KiB × {} × {}: set a new password",
        Cost::PASSES_MAX,
        Cost::LANES_MAX
    )]
    TooCostly {
        /// Memory asked for, in KiB.
        asked_kib: u32,
        /// Passes asked for.
        passes: u32,
        /// Lanes asked for.
        lanes: u32,
        /// The most memory a stored hash may ask for, in KiB.
        limit_kib: u32,
    },
    /// The memory for one hash is not to be had.
    #[error("no memory for a password hash: {kib} KiB could not be allocated")]
    OutOfMemory {
        /// Memory asked for, in KiB.
        kib: u32,
    },
    /// No salt.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// A thread could not be started.
    #[error("a hashing thread could not be started")]
    Thread(#[source] std::io::Error),
    /// A stored bcrypt hash asks for more than this server gives a single hash.
    #[error(
        "a stored bcrypt hash asks for more than 2^{} rounds: set a new password",
        PasswordHash::BCRYPT_ROUNDS_MAX
    )]
    Bcrypt,
    /// Argon2 refused parameters that were checked before.
    #[error("argon2 refused its parameters: {0}")]
    Argon2(argon2::Error),
}

/// The threads and the queue. Dropping it finishes the hashes that have begun,
/// answers those that have not with [`HasherError::Stopped`], and joins.
pub struct Hasher {
    shared: Arc<Shared>,
    entropy: Arc<dyn Entropy>,
    queue: Arc<Queue>,
    ticks: Arc<Ticks>,
    threads: Vec<JoinHandle<()>>,
}

/// What the workers need.
struct Shared {
    settings: HasherSettings,
    /// What an unknown user's password is verified against.
    nobody: PasswordHash,
    pace: Pace,
    computed: AtomicU64,
}

impl Hasher {
    /// Allocates every worker's memory and starts the threads.
    ///
    /// # Errors
    /// [`HasherError::OutOfMemory`], [`HasherError::Thread`] or
    /// [`HasherError::NoEntropy`]; nothing is left running.
    pub fn start(settings: HasherSettings, entropy: Arc<dyn Entropy>) -> Result<Self, HasherError> {
        let mut hasher = Self::without_workers(settings, entropy)?;
        for number in 0..settings.threads {
            hasher.add_worker(number)?;
        }
        for processor in ticks::processors() {
            hasher.add_ticks(processor)?;
        }
        Ok(hasher)
    }

    /// Hashes a new password with a fresh 128-bit salt at the cost in force.
    ///
    /// # Errors
    /// [`HasherError::Busy`] at once if the queue is full.
    ///
    /// # Source
    /// SP 800-63B-4 §3.1.1.2; RFC 9106 §3.1: 128-bit salt, 256-bit tag.
    pub async fn hash(
        &self,
        whose: Whose,
        password: Password,
    ) -> Result<PasswordHash, HasherError> {
        let salt = draw::<{ PasswordHash::SALT_BYTES }>(&*self.entropy)?.to_vec();
        let shared = Arc::clone(&self.shared);
        self.served(whose, move |memory| {
            let blank = PasswordHash::blank(shared.settings.cost, salt);
            let tag = shared.tag(memory, &password, &blank)?;
            Ok(blank.with_tag(tag))
        })
        .await
    }

    /// Verifies a password against a stored hash, in constant time at the end.
    ///
    /// The hash is read by the worker when its turn has come: whoever waits has his place in
    /// the queue before anything depends on whether there is one. `None` is a user who does
    /// not exist or has no password: the same work is done at the cost in force, and the
    /// answer is that it does not match. If it cannot be read the same is done, and the
    /// answer is why.
    ///
    /// # Errors
    /// [`HasherError::Busy`] at once if the queue is full, whoever the user is;
    /// [`HasherError::TooCostly`] instead of hashing.
    ///
    /// # Source
    /// ASVS 6.3.8: users are not deducible from response times.
    pub async fn verify<E: Send + 'static>(
        &self,
        whose: Whose,
        password: Password,
        stored: impl FnOnce() -> Result<Option<PasswordHash>, E> + Send + 'static,
    ) -> Result<Result<Verdict, E>, HasherError> {
        let shared = Arc::clone(&self.shared);
        self.served(whose, move |memory| {
            let (stored, unread) = match stored() {
                Ok(stored) => (stored, None),
                Err(error) => (None, Some(error)),
            };
            let verdict = shared.compare(memory, &password, stored)?;
            Ok(unread.map_or(Ok(verdict), Err))
        })
        .await
    }

    /// How long to take, at the least, to tell a stranger that a password does not match:
    /// a quarter more than the slowest scheme in use does. Hashes that were imported take
    /// longer than ours, or not as long, and reading one takes a moment more than reading
    /// none; whoever has one would be told apart by that. What imported ones take is known
    /// from the first that was verified since the start.
    ///
    /// # Source
    /// ASVS 6.3.8.
    #[must_use]
    pub fn floor(&self) -> Duration {
        self.shared.pace.floor()
    }

    /// How many jobs wait, not counting those being worked on.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// How many hashes were computed since the start.
    #[must_use]
    pub fn computed(&self) -> u64 {
        self.shared.computed.load(Ordering::Relaxed)
    }

    /// Waits for a worker to have computed something.
    async fn served<T: Send + 'static>(
        &self,
        whose: Whose,
        compute: impl FnOnce(&mut Memory) -> Result<T, HasherError> + Send + 'static,
    ) -> Result<T, HasherError> {
        let (answer, waiting) = oneshot::channel();
        self.queue.offer(Job {
            // A monotonic reading, compared with its like alone: it decides how
            // long to be patient, never what is true.
            deadline: Instant::now().checked_add(self.shared.settings.patience),
            whose,
            work: Box::new(Asked { compute, answer }),
        })?;
        waiting.await.map_err(|_| HasherError::Stopped)?
    }

    fn without_workers(
        settings: HasherSettings,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, HasherError> {
        let nobody = PasswordHash::of_nobody(settings.cost, &*entropy)?;
        let queue = Arc::new(Queue::of(settings.queue));
        let computed = AtomicU64::new(0);
        let shared = Arc::new(Shared { settings, nobody, pace: Pace::default(), computed });
        Ok(Self { shared, entropy, queue, ticks: Arc::default(), threads: Vec::new() })
    }

    fn add_worker(&mut self, number: usize) -> Result<(), HasherError> {
        let worker = self.worker(number)?;
        self.threads.push(worker);
        Ok(())
    }

    fn worker(&self, number: usize) -> Result<JoinHandle<()>, HasherError> {
        let mut memory = Memory::for_cost(self.shared.settings.cost)?;
        let (queue, ticks) = (Arc::clone(&self.queue), Arc::clone(&self.ticks));
        std::thread::Builder::new()
            .name(format!("argon2-{number}"))
            .spawn(move || {
                give_way();
                queue.work(&mut memory, &ticks);
            })
            .map_err(HasherError::Thread)
    }

    fn add_ticks(&mut self, processor: usize) -> Result<(), HasherError> {
        let ticks = Arc::clone(&self.ticks);
        let ticking = std::thread::Builder::new()
            .name(format!("tick-{processor}"))
            .stack_size(TICKING_STACK)
            .spawn(move || {
                ticks::bind_to(processor);
                ticks.make();
            })
            .map_err(HasherError::Thread)?;
        self.threads.push(ticking);
        Ok(())
    }
}

impl Shared {
    fn compare(
        &self,
        memory: &mut Memory,
        password: &Password,
        stored: Option<PasswordHash>,
    ) -> Result<Verdict, HasherError> {
        let is_known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.nobody.clone());
        self.settings.affords(stored.recipe())?;
        let begun = Instant::now();
        let tag = self.tag(memory, password, &stored)?;
        self.pace.measured(stored.scheme(), begun.elapsed());
        let matches = bool::from(tag.ct_eq(stored.tag())) & is_known;
        let is_weaker = stored.is_weaker_than(self.settings.cost);
        Ok(Verdict { matches, needs_rehash: matches && is_weaker })
    }

    /// Computes the tag that a password has under another hash's salt and cost.
    fn tag(
        &self,
        memory: &mut Memory,
        password: &Password,
        like: &PasswordHash,
    ) -> Result<Zeroizing<Vec<u8>>, HasherError> {
        let password = password.expose().as_bytes();
        let tag = memory.tag(like.recipe(), password, like.salt(), like.tag().len());
        self.computed.fetch_add(1, Ordering::Relaxed);
        tag
    }
}

/// What a thread that does nothing needs, in bytes.
const TICKING_STACK: usize = 64 * 1_024;

/// How much a hashing thread gives way to the others, 0 to 19.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Has the calling thread give way: a hash takes a processor for tens of milliseconds, and a
/// decision that comes meanwhile is not to wait for it. Where that is refused, hashing goes
/// on as urgent as all else.
///
/// # Source
/// setpriority(2): `who` 0 is the calling thread, for on Linux each has a nice value of its
/// own. Elsewhere it would be the whole process, which stays as it is.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "the hashing threads are as urgent as all others");
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        self.queue.close();
        self.ticks.close();
        for thread in self.threads.drain(..) {
            // One that panicked has nothing more to say here.
            drop(thread.join());
        }
    }
}
