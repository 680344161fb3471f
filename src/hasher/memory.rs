//! The memory that one worker hashes in, kept for life and wiped after each use.

use argon2::{Argon2, Block};
use zeroize::{Zeroize, Zeroizing};

use super::HasherError;
use super::cost::Cost;
use super::recipe::{Recipe, bcrypt_tag};

/// Blocks of 1 KiB.
pub(super) struct Memory {
    blocks: Vec<Block>,
    /// How many it keeps between hashes.
    kept: usize,
}

impl Memory {
    /// Allocates what a hash of a cost needs.
    ///
    /// # Errors
    /// [`HasherError::OutOfMemory`], rather than an abort.
    pub(super) fn for_cost(cost: Cost) -> Result<Self, HasherError> {
        let mut memory = Self { blocks: Vec::new(), kept: 0 };
        memory.hold(cost.memory_kib)?;
        memory.kept = memory.blocks.len();
        Ok(memory)
    }

    /// Computes a tag of `tag_bytes` bytes by a recipe.
    pub(super) fn tag(
        &mut self,
        recipe: Recipe,
        password: &[u8],
        salt: &[u8],
        tag_bytes: usize,
    ) -> Result<Zeroizing<Vec<u8>>, HasherError> {
        let (variant, cost) = match recipe {
            Recipe::Argon2 { variant, cost } => (variant, cost),
            Recipe::Bcrypt { rounds } => return bcrypt_tag(rounds, salt, password),
        };
        let mut tag = Zeroizing::new(vec![0; tag_bytes]);
        self.fill(&variant.argon2(cost, tag_bytes)?, password, salt, &mut tag)?;
        Ok(tag)
    }

    /// Runs argon2 in this memory, then wipes what it left: the blocks give the
    /// tag away, and the crate wipes only what it allocated itself.
    pub(super) fn fill(
        &mut self,
        argon2: &Argon2<'_>,
        password: &[u8],
        salt: &[u8],
        tag: &mut [u8],
    ) -> Result<(), HasherError> {
        self.hold(argon2.params().m_cost())?;
        let done = argon2.hash_password_into_with_memory(password, salt, tag, &mut *self.blocks);
        self.blocks.iter_mut().for_each(Zeroize::zeroize);
        self.give_back();
        done.map_err(HasherError::Argon2)
    }

    /// Grows to at least `kib` blocks.
    fn hold(&mut self, kib: u32) -> Result<(), HasherError> {
        let wanted = usize::try_from(kib).unwrap_or(usize::MAX);
        let missing = wanted.saturating_sub(self.blocks.len());
        self.blocks.try_reserve_exact(missing).map_err(|_| HasherError::OutOfMemory { kib })?;
        self.blocks.resize(wanted.max(self.blocks.len()), Block::new());
        Ok(())
    }

    /// Returns what a dearer stored hash took beyond the usual.
    fn give_back(&mut self) {
        if self.blocks.len() > self.kept {
            self.blocks.truncate(self.kept);
            self.blocks.shrink_to_fit();
        }
    }

    /// Whether nothing is left of the last hash, and how much is held.
    #[cfg(test)]
    pub(super) fn is_blank_of(&self, blocks: usize) -> bool {
        self.blocks.len() == blocks
            && self.blocks.iter().all(|block| block.as_ref().iter().all(|word| *word == 0))
    }
}
