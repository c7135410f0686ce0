//! The one checksum of this crate: CRC-32C (Castagnoli), initial value and final inversion as usual.
//!
//! CRC-32C finds every single-bit flip and every burst of up to 32 bits. Its value for a run of zero bytes is not
//! zero (for lengths above zero), so a zeroed header never checks out. Everything else in the crate goes through these functions, so
//! that the implementation behind them can be exchanged for a faster one of the same polynomial.

use crate::short_checksum::{short_checksum, words_checksum};

/// The checksum of `bytes`.
#[inline(always)]
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    checksum_append(0, bytes)
}

/// The checksum of the bytes behind `checksum` followed by `bytes`.
#[inline(always)]
pub(crate) fn checksum_append(checksum: u32, bytes: &[u8]) -> u32 {
    short_checksum(checksum, bytes).unwrap_or_else(|| crc32c::crc32c_append(checksum, bytes))
}

/// The checksum of `length` bytes, from that of the bytes before them and that of both together. Takes as long as going through some ten thousand bytes.
pub(crate) fn checksum_behind(before: u32, both: u32, length: u64) -> u32 {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    both ^ crc32c::crc32c_combine(before, 0, length)
}

/// The checksum of four bytes and three times eight bytes, all little-endian: of a header without a detour through memory.
#[inline(always)]
pub(crate) fn checksum_of_words(first: u32, words: [u64; 3]) -> u32 {
    words_checksum(first, words).unwrap_or_else(|| {
        let start = crc32c::crc32c(&first.to_le_bytes());
        let append = |sum, word: u64| crc32c::crc32c_append(sum, &word.to_le_bytes());
        words.into_iter().fold(start, append)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::short_checksum::with_short_checksums;

    proptest! {
        #[test]
        fn any_bytes_have_the_crc_32c_of_their_own_crate(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
            begin in 0_usize..16,
            before in any::<u32>(),
        ) {
            let bytes = bytes.get(begin..).unwrap_or_default();
            prop_assert_eq!(checksum(bytes), crc32c::crc32c(bytes));
            prop_assert_eq!(
                checksum_append(before, bytes),
                crc32c::crc32c_append(before, bytes)
            );
            let within = with_short_checksums(|| checksum(bytes));
            prop_assert_eq!(within, crc32c::crc32c(bytes));
        }

        #[test]
        fn the_checksum_of_a_part_follows_from_those_of_the_whole_and_the_front(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
            begin in 0_usize..400,
        ) {
            let (front, behind) = bytes.split_at(begin.min(bytes.len()));
            let expected = crc32c::crc32c(behind);
            prop_assert_eq!(
                checksum_behind(checksum(front), checksum(&bytes), behind.len() as u64),
                expected
            );
        }

        #[test]
        fn words_have_the_checksum_of_their_bytes(first in any::<u32>(), words in any::<[u64; 3]>()) {
            let mut bytes = first.to_le_bytes().to_vec();
            bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
            prop_assert_eq!(checksum_of_words(first, words), crc32c::crc32c(&bytes));
        }
    }

    #[test]
    fn each_length_around_a_word_has_its_known_checksum() {
        // RFC 3720, B.4, and the check value of the polynomial.
        let ascending: Vec<u8> = (0..32).collect();
        let rows: [(&[u8], u32); 5] = [
            (b"", 0),
            (b"123456789", 0xe306_9283),
            (&[0; 32], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (&ascending, 0x46dd_794e),
        ];
        for (bytes, expected) in rows {
            assert_eq!(checksum(bytes), expected, "{bytes:?}");
        }
    }
}
