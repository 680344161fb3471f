//! A block: several entries in one value.
//!
//! ```text
//! block := count ‖ (length ‖ entry)* ‖ check          ≤ 61,440 bytes
//! count, length: 2 bytes, big-endian                  1 ≤ count
//! check: the first 8 bytes of SHA-256 over the first index and all before it
//! ```
//!
//! The middle is a C2SP tlog-tiles entry bundle. The check binds a block to its
//! place, so a block stored under another index shows too. It is against accidents:
//! whoever can write a block can compute it.

use crate::model::{Digest, Index};

use super::error::{Damage, StoreError};
use super::{BLOCK_BYTES_MAX, ENTRY_BYTES_MAX};

const COUNT_BYTES: usize = 2;
const LENGTH_BYTES: usize = 2;
const CHECK_BYTES: usize = 8;

/// Packs entries into as few blocks as in-order filling allows, each with the index
/// of its first entry.
///
/// # Errors
/// [`StoreError::EntryTooLarge`] above [`ENTRY_BYTES_MAX`].
pub(super) fn pack(first: Index, entries: &[Vec<u8>]) -> Result<Vec<(Index, Vec<u8>)>, StoreError> {
    let mut blocks = Vec::new();
    let mut left: usize = entries.iter().map(|entry| LENGTH_BYTES + entry.len()).sum();
    let mut filling = Filling::at(first, left);
    for (index, entry) in (first.0..).zip(entries) {
        let length = length_of(Index(index), entry)?;
        if !filling.has_room_for(entry) {
            blocks.push(filling.seal());
            filling = Filling::at(Index(index), left);
        }
        left -= LENGTH_BYTES + entry.len();
        filling.push(length, entry);
    }
    if filling.count > 0 {
        blocks.push(filling.seal());
    }
    Ok(blocks)
}

/// The entries of the block that was stored at `first`, at least one.
///
/// # Errors
/// [`StoreError::Broken`] at `first`, if these are not the bytes of a block there.
pub(super) fn unpack(first: Index, block: &[u8]) -> Result<Vec<&[u8]>, StoreError> {
    split(first, block).map_err(|what| StoreError::Broken { index: first, what })
}

fn split(first: Index, block: &[u8]) -> Result<Vec<&[u8]>, Damage> {
    if block.len() > BLOCK_BYTES_MAX {
        return Err(Damage::Long);
    }
    let (body, found) = block.split_last_chunk::<CHECK_BYTES>().ok_or(Damage::Short)?;
    if *found != check(first, body) {
        return Err(Damage::Check);
    }
    let (count, mut rest) = body.split_first_chunk::<COUNT_BYTES>().ok_or(Damage::Short)?;
    let mut entries = Vec::new();
    while let Some((length, tail)) = rest.split_first_chunk::<LENGTH_BYTES>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, tail) = tail.split_at_checked(length).ok_or(Damage::Frame)?;
        entries.push(entry);
        rest = tail;
    }
    match (rest, entries.len()) {
        ([_, ..], _) => Err(Damage::Frame),
        ([], 0) => Err(Damage::Count),
        ([], held) if held != usize::from(u16::from_be_bytes(*count)) => Err(Damage::Count),
        ([], _) => Ok(entries),
    }
}

/// A block that is being filled.
struct Filling {
    first: Index,
    count: u16,
    bytes: Vec<u8>,
}

impl Filling {
    /// An empty block with room for so many bytes of entries, or for what it takes.
    fn at(first: Index, left: usize) -> Self {
        let room = (COUNT_BYTES + left + CHECK_BYTES).min(BLOCK_BYTES_MAX);
        let mut bytes = Vec::with_capacity(room);
        bytes.extend_from_slice(&[0; COUNT_BYTES]);
        Self { first, count: 0, bytes }
    }

    // The limit on bytes bounds the count too: 61,430 / 2 fits its 16 bits.
    const fn has_room_for(&self, entry: &[u8]) -> bool {
        self.bytes.len() + LENGTH_BYTES + entry.len() + CHECK_BYTES <= BLOCK_BYTES_MAX
    }

    fn push(&mut self, length: u16, entry: &[u8]) {
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(entry);
        self.count += 1;
    }

    fn seal(mut self) -> (Index, Vec<u8>) {
        if let Some(count) = self.bytes.first_chunk_mut() {
            *count = self.count.to_be_bytes();
        }
        let check = check(self.first, &self.bytes);
        self.bytes.extend_from_slice(&check);
        (self.first, self.bytes)
    }
}

fn length_of(index: Index, entry: &[u8]) -> Result<u16, StoreError> {
    u16::try_from(entry.len())
        .ok()
        .filter(|_| entry.len() <= ENTRY_BYTES_MAX)
        .ok_or(StoreError::EntryTooLarge { index, bytes: entry.len() })
}

fn check(first: Index, body: &[u8]) -> [u8; CHECK_BYTES] {
    let digest = Digest::of_parts([first.0.to_be_bytes().as_slice(), body]);
    digest.as_bytes().first_chunk().copied().unwrap_or_default() // 8 of 32: always there
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::collection::vec;
    use proptest::prelude::*;

    /// A block with a check value that matches, whatever its body is.
    fn checked(first: Index, body: &[u8]) -> Vec<u8> {
        [body, &check(first, body)].concat()
    }

    #[test]
    fn the_bytes_of_a_block_are_the_documented_ones() {
        let blocks = pack(Index(7), &[b"ab".to_vec(), Vec::new()]).unwrap();

        let body = b"\x00\x02\x00\x02ab\x00\x00";
        let digest = Digest::of_parts([7_u64.to_be_bytes().as_slice(), body]);
        let block = [body.as_slice(), &digest.as_bytes()[..8]].concat();
        assert_eq!(blocks, [(Index(7), block)]);
    }

    #[test]
    fn the_longest_entry_fits_and_one_byte_more_is_refused() {
        let longest = vec![b'x'; ENTRY_BYTES_MAX];
        let blocks = pack(Index(0), &[longest.clone(), longest.clone()]).unwrap();
        assert_eq!(blocks.len(), 2);
        assert!(blocks.iter().all(|(_, block)| block.len() <= BLOCK_BYTES_MAX));

        let longer = vec![b'x'; ENTRY_BYTES_MAX + 1];
        assert!(matches!(
            pack(Index(3), &[longest, longer]),
            Err(StoreError::EntryTooLarge { index: Index(4), bytes: 49_153 })
        ));
    }

    #[test]
    fn a_block_may_be_filled_to_the_last_byte() {
        let rest = BLOCK_BYTES_MAX - COUNT_BYTES - CHECK_BYTES - 2 * LENGTH_BYTES;
        let entries = [vec![1; ENTRY_BYTES_MAX], vec![2; rest - ENTRY_BYTES_MAX]];
        let blocks = pack(Index(0), &entries).unwrap();
        assert_eq!(blocks.len(), 1);
        assert_eq!(blocks[0].1.len(), BLOCK_BYTES_MAX);
        assert_eq!(unpack(Index(0), &blocks[0].1).unwrap(), entries);
    }

    #[test]
    fn nothing_makes_no_block_and_empty_entries_fill_one() {
        assert_eq!(pack(Index(0), &[]).unwrap(), []);

        let empty = vec![Vec::new(); 40_000];
        let blocks = pack(Index(0), &empty).unwrap();
        assert_eq!(blocks[1].0, Index(30_715));
        assert_eq!(unpack(Index(0), &blocks[0].1).unwrap().len(), 30_715);
    }

    #[test]
    fn a_block_whose_check_matches_must_still_add_up() {
        for (body, damage) in [
            (b"".as_slice(), Damage::Short),
            (b"\x00", Damage::Short),
            (b"\x00\x00", Damage::Count),
            (b"\x00\x02\x00\x01a", Damage::Count),
            (b"\x00\x01\x00\x02a", Damage::Frame),
            (b"\x00\x01\x00\x01a\x00", Damage::Frame),
        ] {
            assert_eq!(split(Index(0), &checked(Index(0), body)), Err(damage), "{body:?}");
        }
        assert_eq!(split(Index(0), b"1234567"), Err(Damage::Short));
        assert_eq!(split(Index(0), &vec![0; BLOCK_BYTES_MAX + 1]), Err(Damage::Long));
    }

    proptest! {
        /// Law: blocks hold what was packed, in order, and follow each other.
        #[test]
        fn what_was_packed_is_unpacked(
            first in 0_u64..1 << 40,
            lengths in vec(0..=ENTRY_BYTES_MAX, 0..12),
        ) {
            let entries: Vec<Vec<u8>> =
                lengths.iter().zip(0_u8..).map(|(length, fill)| vec![fill; *length]).collect();
            let mut unpacked = Vec::new();
            for (index, block) in pack(Index(first), &entries).unwrap() {
                prop_assert!(block.len() <= BLOCK_BYTES_MAX);
                prop_assert_eq!(index.0, first + unpacked.len() as u64);
                unpacked.extend(unpack(index, &block).unwrap().into_iter().map(<[u8]>::to_vec));
            }
            prop_assert_eq!(unpacked, entries);
        }

        /// Law: no bit can change, no byte can go, no block can move unseen.
        #[test]
        fn a_damaged_block_is_never_taken_for_whole(
            entries in vec(vec(any::<u8>(), 0..50), 1..20),
            bit in any::<prop::sample::Index>(),
            cut in any::<prop::sample::Index>(),
        ) {
            let (first, block) = pack(Index(9), &entries).unwrap().remove(0);

            let mut flipped = block.clone();
            let bit = bit.index(block.len() * 8);
            flipped[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(split(first, &flipped).is_err());

            prop_assert!(split(first, &block[..cut.index(block.len())]).is_err());
            prop_assert_eq!(split(Index(10), &block), Err(Damage::Check));
        }

        /// Law: arbitrary bytes are an error, never a panic.
        #[test]
        fn garbage_is_an_error(body in vec(any::<u8>(), 0..200)) {
            let _ = split(Index(0), &checked(Index(0), &body)); // may be a block by luck
            prop_assert!(split(Index(1), &checked(Index(0), &body)).is_err());
        }
    }
}
