//! A value that follows from the whole history up to a record.
//!
//! ```text
//! chain before record 0  =  seed(log id)
//! chain after record n   =  mix(chain before it, n, payload length, crc32c(payload))
//!
//! seed(id)               =  scramble(scramble(first half) ^ second half)          halves little-endian
//! mix(chain, n, len, crc) = scramble(scramble(chain + n * 0x9e3779b97f4a7c15) ^ (len << 32 | crc))
//! scramble(x)            =  x ^= x >> 30; x *= 0xbf58476d1ce4e5b9; x ^= x >> 27; x *= 0x94d049bb133111eb; x ^= x >> 31
//! ```
//!
//! All arithmetic is modulo 2^64. `scramble` is a bijection (the finaliser of the splitmix64 generator), so for a given history each other length, each other
//! payload checksum and each other id gives another value for certain, and not only probably: verifying the chain verifies the payload
//! and the continuity at once. The chain covers log id, ids and payloads, nothing else: a record shipped to another place keeps its value.

use std::fmt;

use crate::checksum::checksum;
use crate::log_id::LogId;
use crate::tx_id::TxId;

/// The value of the history up to and including some record, 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Chain(pub u64);

impl Chain {
    /// The value before record 0 of a log.
    pub fn seed(log_id: LogId) -> Chain {
        let (first, second) = log_id.0.split_at(8);
        let half = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("8 bytes"));
        Chain(scramble(scramble(half(first)) ^ half(second)))
    }

    /// The value after record `id`, for someone who holds its payload. No log is asked.
    ///
    /// # Panics
    /// If the payload is longer than 4 GiB, which no log takes.
    #[must_use]
    pub fn after(self, id: TxId, payload: &[u8]) -> Chain {
        let payload_length = u32::try_from(payload.len()).expect("a payload of a log is shorter");
        self.mix(id, payload_length, checksum(payload))
    }

    /// The value after record `id` whose payload has `payload_length` bytes and the checksum `payload_checksum`.
    #[inline]
    #[must_use]
    pub fn mix(self, id: TxId, payload_length: u32, payload_checksum: u32) -> Chain {
        let place = scramble(
            self.0
                .wrapping_add(id.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        );
        let content = u64::from(payload_length) << 32 | u64::from(payload_checksum);
        Chain(scramble(place ^ content))
    }

    /// The value before record `id`, if this is the one after it and it has such a payload: what [`Chain::mix`] makes this of.
    pub(crate) fn unmix(self, id: TxId, payload_length: u32, payload_checksum: u32) -> Chain {
        let content = u64::from(payload_length) << 32 | u64::from(payload_checksum);
        let place = unscramble(unscramble(self.0) ^ content);
        Chain(place.wrapping_sub(id.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }
}

#[inline]
fn scramble(mut x: u64) -> u64 {
    x ^= x >> 30;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 27;
    x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The one value that [`scramble`] makes this of: the two multipliers are the inverses of those, modulo 2^64.
fn unscramble(mut x: u64) -> u64 {
    x ^= x >> 31 ^ x >> 62;
    x = x.wrapping_mul(0x3196_42b2_d24d_8ec3);
    x ^= x >> 27 ^ x >> 54;
    x = x.wrapping_mul(0x96de_1b17_3f11_9089);
    x ^ (x >> 30) ^ (x >> 60)
}

impl fmt::Display for Chain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Chain({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_before_a_record_follows_from_the_one_behind_it() {
        let mut chain = Chain::seed(LogId(*b"0123456789abcdef"));
        for number in 0..1000_u32 {
            let id = TxId(u64::from(number) << (number % 50));
            let (length, sum) = (number, number.wrapping_mul(0x9e37_79b1));
            let after = chain.mix(id, length, sum);
            assert_eq!(after.unmix(id, length, sum), chain, "{number}");
            assert_ne!(after.unmix(id, length, sum ^ 1), chain, "{number}");
            chain = after;
        }
    }
}
