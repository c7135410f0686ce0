//! The hash by which equal disks are recognised. It never reaches a file.

/// A running 64-bit hash: two words folded by a wide multiplication at each step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hash(u64);

impl Hash {
    pub(crate) const fn new() -> Self {
        Hash(0x243f_6a88_85a3_08d3)
    }

    pub(crate) const fn add(self, first: u64, second: u64) -> Self {
        let product = ((self.0 ^ first) as u128 | 1 << 64)
            .wrapping_mul((second ^ 0x1319_8a2e_0370_7344) as u128 | 1 << 64);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "both halves are folded together"
        )]
        let folded = product as u64 ^ (product >> 64) as u64;
        Hash(folded.rotate_left(23).wrapping_add(0xa409_3822_299f_31d0))
    }

    pub(crate) const fn add_bytes(self, bytes: &[u8]) -> Self {
        let mut hash = self.add(bytes.len() as u64, 0);
        let mut rest = bytes;
        while let Some((words, after)) = rest.split_first_chunk::<16>() {
            let (first, second) = words.split_at(8);
            hash = hash.add(word(first), word(second));
            rest = after;
        }
        hash.add(word(rest), rest.len() as u64)
    }

    pub(crate) const fn get(self) -> u64 {
        self.0
    }
}

/// Up to 16 bytes as one word; those beyond eight are folded over the first ones.
const fn word(bytes: &[u8]) -> u64 {
    if let Some(exact) = bytes.first_chunk::<8>()
        && bytes.len() == 8
    {
        return u64::from_le_bytes(*exact);
    }
    let mut value = 0_u64;
    let mut index = 0;
    while index < bytes.len() {
        value = value.rotate_left(11) ^ (bytes[index] as u64).wrapping_mul(0x0100_0000_01b3);
        index += 1;
    }
    value
}
