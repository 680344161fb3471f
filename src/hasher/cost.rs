//! What one hash costs, and what the whole room may.

use std::time::Duration;

use super::recipe::Recipe;
use super::{HasherError, PasswordHash};

/// Why parameters are refused: too weak to protect, or too strong to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnfitCost {
    /// Less than OWASP's minimum.
    #[error("argon2id {parameter} of {found} is below the floor of {floor}: set at least that")]
    BelowFloor {
        /// Which parameter, with its unit.
        parameter: &'static str,
        /// What was set.
        found: u32,
        /// The least that is accepted.
        floor: u32,
    },
    /// More than a hash may cost here.
    #[error("argon2id {parameter} of {found} is above the limit of {limit}: set at most that")]
    AboveLimit {
        /// Which parameter, with its unit.
        parameter: &'static str,
        /// What was set.
        found: u32,
        /// The most that is accepted.
        limit: u32,
    },
}

/// How passwords are hashed, and how many at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HasherSettings {
    pub(super) cost: Cost,
    pub(super) threads: usize,
    pub(super) queue: usize,
    pub(super) stored_kib_max: u32,
    pub(super) patience: Duration,
}

impl HasherSettings {
    /// The least memory, in KiB. OWASP Password Storage Cheat Sheet, argon2id.
    pub const MEMORY_KIB_MIN: u32 = 19_456;
    /// The least passes over it. Same source.
    pub const PASSES_MIN: u32 = 2;
    /// The most memory a stored hash may ask for unless set otherwise: 256 MiB.
    pub const STORED_KIB_MAX: u32 = 256 * 1_024;
    /// How many jobs may wait unless set otherwise.
    pub const QUEUE: usize = 64;
    /// How long a job may wait before it begins, unless set otherwise.
    pub const PATIENCE: Duration = Duration::from_secs(5);

    /// Settings with a cost of `memory_kib` KiB, `passes` over it and `lanes`;
    /// half the machine's cores as threads, and the defaults above.
    ///
    /// # Errors
    /// [`UnfitCost`] if any is below OWASP's minimum (19,456 KiB, 2, 1), or more
    /// than a stored hash may ask for.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, UnfitCost> {
        within("memory (KiB)", memory_kib, Self::MEMORY_KIB_MIN, Self::STORED_KIB_MAX)?;
        within("passes", passes, Self::PASSES_MIN, Cost::PASSES_MAX)?;
        within("lanes", lanes, 1, Cost::LANES_MAX)?;
        Ok(Self::of(Cost { memory_kib, passes, lanes }))
    }

    /// A cost that protects nothing, one thread: for tests that hash thousands
    /// of invented passwords. Never for a real one.
    #[must_use]
    pub fn insecure_for_tests() -> Self {
        Self::of(Cost { memory_kib: 8, passes: 1, lanes: 1 }).with_threads(1)
    }

    fn of(cost: Cost) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            cost,
            threads: (cores / 2).max(1),
            queue: Self::QUEUE,
            stored_kib_max: Self::STORED_KIB_MAX,
            patience: Self::PATIENCE,
        }
    }

    /// How many hashes run at a time, at least one. Memory is this times the cost.
    #[must_use]
    pub fn with_threads(self, threads: usize) -> Self {
        Self { threads: threads.max(1), ..self }
    }

    /// How many jobs may wait, at least one.
    #[must_use]
    pub fn with_queue(self, queue: usize) -> Self {
        Self { queue: queue.max(1), ..self }
    }

    /// How long a job may wait before it begins; one that waited longer is
    /// answered with [`HasherError::Busy`].
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The most memory, in KiB, that a stored hash may ask for; never less than
    /// what new hashes cost.
    #[must_use]
    pub fn with_stored_kib_max(self, kib: u32) -> Self {
        Self { stored_kib_max: kib.max(self.cost.memory_kib), ..self }
    }

    /// How many hashes run at a time.
    #[must_use]
    pub const fn threads(&self) -> usize {
        self.threads
    }

    /// Refuses what a stored hash must not be allowed to take: a record altered
    /// or imported carelessly would otherwise exhaust the machine.
    pub(super) fn affords(&self, recipe: Recipe) -> Result<(), HasherError> {
        let cost = match recipe {
            Recipe::Argon2 { cost, .. } => cost,
            Recipe::Bcrypt { rounds } if rounds <= PasswordHash::BCRYPT_ROUNDS_MAX => return Ok(()),
            Recipe::Bcrypt { .. } => return Err(HasherError::Bcrypt),
        };
        let Cost { memory_kib, passes, lanes } = cost;
        let fits = memory_kib <= self.stored_kib_max
            && passes <= Cost::PASSES_MAX
            && lanes <= Cost::LANES_MAX;
        if fits {
            return Ok(());
        }
        let limit_kib = self.stored_kib_max;
        Err(HasherError::TooCostly { asked_kib: memory_kib, passes, lanes, limit_kib })
    }
}

impl Default for HasherSettings {
    /// OWASP's minimum.
    fn default() -> Self {
        Self::of(Cost { memory_kib: Self::MEMORY_KIB_MIN, passes: Self::PASSES_MIN, lanes: 1 })
    }
}

/// Argon2id's parameters for one hash (RFC 9106 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    /// `m`, in KiB.
    pub(super) memory_kib: u32,
    /// `t`.
    pub(super) passes: u32,
    /// `p`; computed one after another all the same.
    pub(super) lanes: u32,
}

impl Cost {
    /// The most passes a hash may ask for.
    pub(super) const PASSES_MAX: u32 = 64;
    /// The most lanes a hash may ask for.
    pub(super) const LANES_MAX: u32 = 16;

    /// How much memory is filled in all, in KiB: what a guess costs whoever guesses.
    pub(super) fn work(self) -> u64 {
        u64::from(self.memory_kib) * u64::from(self.passes)
    }
}

fn within(parameter: &'static str, found: u32, floor: u32, limit: u32) -> Result<(), UnfitCost> {
    if found < floor {
        Err(UnfitCost::BelowFloor { parameter, found, floor })
    } else if found > limit {
        Err(UnfitCost::AboveLimit { parameter, found, limit })
    } else {
        Ok(())
    }
}
