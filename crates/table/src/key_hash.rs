//! The hash by which a hash index finds a key; `hash_format.rs` draws it.
//!
//! It stands in pages, so it is written out here and never changes. Encoded keys are short mostly (nine bytes for a
//! `u64`), and blake3, which names pages, takes about 60 ns for them; two multiplications take two. Both ways are
//! keyed by the database, so nobody who does not know its key can choose keys that meet.

use crate::hash_format::{BUCKET_BITS, LINE_COUNT};
use crate::short_key::ShortKey;
use crate::sip_hash::sip_hash;

/// Digits of pi, so that a hash key of zeros is no weak one.
const PI: [u64; 3] = [
    0x243F_6A88_85A3_08D3,
    0x1319_8A2E_0370_7344,
    0xA409_3822_299F_31D0,
];

const CURVE_BITS: u32 = 31;

/// What a hash index knows of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyHash {
    /// Which bucket, whatever their number. Invariant: 27 bits.
    pub(crate) bucket_bits: u32,
    /// The home line in the bucket. Invariant: below 511.
    pub(crate) home: u16,
}

impl KeyHash {
    /// The hash of an encoded key ([`encode_key`](crate::encode_key)) in the database of this hash key.
    #[inline]
    pub fn new(hash_key: &[u8; 32], key: &[u8]) -> KeyHash {
        KeyHash::from_bits(hash(hash_key, key))
    }

    /// [`KeyHash::new`] of a short key.
    #[inline(always)]
    pub(crate) fn of_short(hash_key: &[u8; 32], key: ShortKey) -> KeyHash {
        KeyHash::from_bits(hash_of_short(hash_key, key))
    }

    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "27 bits, and less than 511"
    )]
    fn from_bits(hash: u64) -> KeyHash {
        // The curve u (2 + u) / 3 over [0, 1): its slope doubles, so the keys thin out by half.
        let u = hash >> (u64::BITS - CURVE_BITS);
        let curved = ((u * ((2 << CURVE_BITS) + u)) >> CURVE_BITS) / 3;
        let low = hash & u64::from(u32::MAX);
        KeyHash {
            bucket_bits: (curved >> (CURVE_BITS - BUCKET_BITS)) as u32,
            home: ((low * LINE_COUNT as u64) >> 32) as u16,
        }
    }
}

#[inline]
fn hash(hash_key: &[u8; 32], key: &[u8]) -> u64 {
    match ShortKey::of_bytes(key) {
        Some(key) => hash_of_short(hash_key, key),
        None => sip_hash::<1, 3>([word_of(hash_key, 0), word_of(hash_key, 1)], key),
    }
}

#[inline(always)]
fn hash_of_short(hash_key: &[u8; 32], key: ShortKey) -> u64 {
    let (a, b) = halves(key);
    let word = |index| word_of(hash_key, index);
    let first = fold(a ^ word(0) ^ PI[0], b ^ word(1) ^ PI[1]);
    fold(first ^ word(2), word(3) ^ PI[2] ^ key.length() as u64)
}

#[inline]
fn word_of(hash_key: &[u8; 32], index: usize) -> u64 {
    let words = hash_key.as_chunks().0;
    u64::from_le_bytes(words[index])
}

/// A key of up to 16 bytes as two numbers: different keys of one length give different ones.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the low halves are meant")]
fn halves(key: ShortKey) -> (u64, u64) {
    let (word, length) = (key.word(), key.length());
    if length >= 8 {
        return (word as u64, (word >> (8 * (length - 8))) as u64);
    }
    let word = word as u64;
    if length >= 4 {
        let last = word >> (8 * (length - 4));
        return (u64::from(word as u32), u64::from(last as u32));
    }
    let byte = |index: usize| word >> (8 * index) & 0xFF;
    let last = byte(length.saturating_sub(1));
    (byte(0) | byte(length / 2) << 8 | last << 16, 0)
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the halves of the product")]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_key() -> [u8; 32] {
        std::array::from_fn(|index| u8::try_from(index).unwrap())
    }

    #[test]
    fn hashes_never_change() {
        let text = b"a key of more than sixteen bytes";
        for (key, of_zeros, of_numbers) in [
            (&b""[..], 0x9BA9_BEA0_CD04_DFDE, 0xCE44_331E_0622_0B05),
            (b"\x01", 0xE68A_3573_3B4D_BF4E, 0x4304_AC00_C038_49EE),
            (b"abc", 0xE787_715B_46DD_DC04, 0x5DDB_CF06_7ED8_A264),
            (b"abcdefg", 0x52A3_0BA5_0898_A250, 0x2245_0F3A_8FFA_B6D1),
            (
                &[1, 0, 0, 0, 0, 0, 0, 0, 7],
                0xA631_FE6A_D94C_A40B,
                0x3B4E_36B6_17B3_6DC5,
            ),
            (&text[..16], 0xEAFC_7726_2C69_CE7E, 0x3314_4929_AC32_89A0),
            (&text[..17], 0xB41E_4001_D148_0B60, 0xDE79_FE87_67F6_99E7),
            (text, 0x53D1_AF2A_1B9C_F5A5, 0xAA9D_6DA9_035C_2443),
        ] {
            let found = (hash(&[0; 32], key), hash(&hash_key(), key));
            assert_eq!(found, (of_zeros, of_numbers), "{key:?}");
        }
    }

    #[test]
    fn the_parts_of_a_hash_never_change() {
        for (bits, bucket_bits, home) in [
            (0, 0, 0),
            (u64::MAX, (1 << 27) - 1, 510),
            (1 << 63, 0x0355_5555, 0),
            (0x8000_0000, 0, 255),
        ] {
            assert_eq!(
                KeyHash::from_bits(bits),
                KeyHash { bucket_bits, home },
                "{bits:#x}"
            );
        }
    }

    /// Keys that count up, in steps or backwards, spread over lines as evenly as if drawn.
    #[test]
    fn regular_keys_spread() {
        for step in [1, 2, 8, 255, 256, 1 << 20, 1 << 32, 1 << 40, u64::MAX] {
            for key_seed in [0, 1] {
                let count = 511 * 64_u64;
                let mut lines = vec![0_u32; LINE_COUNT];
                let mut halves = [0_u32; 2];
                for number in 0..count {
                    let mut key = [1; 9];
                    key[1..].copy_from_slice(&number.wrapping_mul(step).to_be_bytes());
                    let hash = KeyHash::new(&[key_seed; 32], &key);
                    lines[usize::from(hash.home)] += 1;
                    halves[usize::from(hash.bucket_bits >> 26 == 1)] += 1;
                }
                // Chi squared of 510 degrees of freedom: 511 on average, deviation 32.
                let squares = lines.iter().map(|&n| (f64::from(n) - 64.0).powi(2) / 64.0);
                let spread = squares.sum::<f64>();
                assert!((350.0..700.0).contains(&spread), "step {step}: {spread}");
                // The curve gives 0.581 of the keys to the lower half.
                let lower = f64::from(halves[0]) / (511.0 * 64.0);
                assert!((0.57..0.592).contains(&lower), "step {step}: {lower}");
            }
        }
    }
}
