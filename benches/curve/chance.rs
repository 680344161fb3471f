//! Chance that a seed repeats.

/// A sequence of numbers that a seed decides (`SplitMix64`; Steele, Lea and Flood 2014).
pub struct Chance(u64);

impl Chance {
    /// The nth sequence for a purpose.
    pub fn of(purpose: &str, nth: usize) -> Self {
        let seed = purpose.bytes().fold(0x243f_6a88_85a3_08d3, |seed: u64, byte| {
            (seed ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let mut chance = Self(seed);
        Self(chance.roll() ^ (nth as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a bound, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll() % bound as u64).unwrap()
    }

    pub fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }
}
