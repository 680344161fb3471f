//! The only source of chance. Salts, nonces, keys, tokens and ids come from here.

use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::model::{Moment, SecretToken};

/// The operating system gave no random bytes. Whatever needed them must not
/// happen: there is no second-best source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random bytes (getrandom)")]
pub struct NoEntropy;

/// Gives random bytes fit for keys.
pub trait Entropy: Send + Sync {
    /// Fills all of `bytes`.
    ///
    /// # Errors
    /// [`NoEntropy`]; what `bytes` then holds must not be used.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy>;
}

/// Draws `N` random bytes, wiped when dropped.
///
/// # Errors
/// [`NoEntropy`].
pub fn draw<const N: usize>(entropy: &dyn Entropy) -> Result<Zeroizing<[u8; N]>, NoEntropy> {
    let mut bytes = Zeroizing::new([0; N]);
    entropy.fill(bytes.as_mut())?;
    Ok(bytes)
}

/// Draws a `UUIDv7`: 48 bits of `now` in milliseconds, 74 random bits.
///
/// Two of the same millisecond are in no order; who needs one, as the log does,
/// makes it.
///
/// # Errors
/// [`NoEntropy`].
///
/// # Source
/// RFC 9562 §5.7.
pub fn uuid_v7(entropy: &dyn Entropy, now: Moment) -> Result<Uuid, NoEntropy> {
    let random = draw(entropy)?;
    Ok(uuid::Builder::from_unix_timestamp_millis(now.millis(), &random).into_uuid())
}

/// Draws an opaque 256-bit token of a kind.
///
/// # Errors
/// [`NoEntropy`].
pub fn token(entropy: &dyn Entropy, kind: &'static str) -> Result<SecretToken, NoEntropy> {
    Ok(SecretToken::new(kind, &*draw(entropy)?))
}

/// The operating system's generator (`getrandom`).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        getrandom::fill(bytes).map_err(|_| NoEntropy)
    }
}

/// The same bytes for the same seed and the same order of draws: SHA-256 in
/// counter mode. For tests only; anybody who knows the seed knows the keys.
#[derive(Debug)]
pub struct SeededEntropy {
    seed: u64,
    drawn: AtomicU64,
}

impl SeededEntropy {
    /// Starts from a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, drawn: AtomicU64::new(0) }
    }

    fn block(&self) -> [u8; 32] {
        let count = self.drawn.fetch_add(1, Ordering::SeqCst);
        let input = [self.seed.to_be_bytes(), count.to_be_bytes()].concat();
        Sha256::digest(input).into()
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        for chunk in bytes.chunks_mut(32) {
            for (byte, random) in chunk.iter_mut().zip(self.block()) {
                *byte = random;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_repeats_itself_and_another_differs() {
        let (one, same, other) =
            (SeededEntropy::new(1), SeededEntropy::new(1), SeededEntropy::new(2));
        let first = draw::<70>(&one).unwrap();
        assert_eq!(first, draw::<70>(&same).unwrap());
        assert_ne!(first, draw::<70>(&one).unwrap());
        assert_ne!(first, draw::<70>(&other).unwrap());
    }

    #[test]
    fn the_system_fills_every_byte() {
        // 64 draws of 4 bytes leave one of the four at zero throughout with
        // a probability below 2^-500.
        let mut seen = [0_u8; 4];
        for _ in 0..64 {
            let drawn = draw::<4>(&SystemEntropy).unwrap();
            seen.iter_mut().zip(drawn.iter()).for_each(|(sum, byte)| *sum |= byte);
        }
        assert!(seen.iter().all(|byte| *byte != 0));
    }

    #[test]
    fn a_uuid_carries_its_moment_and_is_of_version_7() {
        let now: Moment = "2026-11-22T12:00:00.123456Z".parse().unwrap();
        let id = uuid_v7(&SeededEntropy::new(3), now).unwrap();
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(id.as_u128() >> 80, u128::from(now.millis()));
    }

    #[test]
    fn ids_sort_by_millisecond() {
        let entropy = SeededEntropy::new(4);
        let early = uuid_v7(&entropy, Moment::from_micros(1_000_000)).unwrap();
        let late = uuid_v7(&entropy, Moment::from_micros(1_001_000)).unwrap();
        assert!(early < late);
    }
}
