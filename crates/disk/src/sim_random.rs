//! The simulated disk's own random numbers: the same seed gives the same disk in every build.

/// A small generator (a Weyl sequence through a mixing function).
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    /// A number below `bound`, which must not be 0. The bias is far below what a test could see.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A part of `whole` that is neither nothing nor all of it, if there is one.
    pub(crate) fn part_of(&mut self, whole: usize) -> usize {
        if whole < 2 {
            return whole;
        }
        let part = 1 + self.below(whole as u64 - 1);
        usize::try_from(part).unwrap_or(whole)
    }
}
