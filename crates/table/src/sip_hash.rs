//! SipHash, as its authors published it: a keyed hash of bytes.
//!
//! Written out here since the hash of a key is part of stored pages: what std offers may change with std.

/// SipHash-`C`-`D` of `bytes` under a key of two words.
pub(crate) fn sip_hash<const C: usize, const D: usize>(key: [u64; 2], bytes: &[u8]) -> u64 {
    let mut state = [
        key[0] ^ 0x736F_6D65_7073_6575,
        key[1] ^ 0x646F_7261_6E64_6F6D,
        key[0] ^ 0x6C79_6765_6E65_7261,
        key[1] ^ 0x7465_6462_7974_6573,
    ];
    let (words, rest) = bytes.as_chunks();
    for word in words {
        absorb::<C>(&mut state, u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    // The length modulo 256 ends the last word.
    last[7] = bytes.len().to_le_bytes()[0];
    absorb::<C>(&mut state, u64::from_le_bytes(last));
    state[2] ^= 0xFF;
    rounds::<D>(&mut state);
    state[0] ^ state[1] ^ state[2] ^ state[3]
}

#[inline]
fn absorb<const C: usize>(state: &mut [u64; 4], word: u64) {
    state[3] ^= word;
    rounds::<C>(state);
    state[0] ^= word;
}

#[inline]
fn rounds<const N: usize>([a, b, c, d]: &mut [u64; 4]) {
    for _ in 0..N {
        *a = a.wrapping_add(*b);
        *c = c.wrapping_add(*d);
        *b = b.rotate_left(13) ^ *a;
        *d = d.rotate_left(16) ^ *c;
        *a = a.rotate_left(32);
        *c = c.wrapping_add(*b);
        *a = a.wrapping_add(*d);
        *b = b.rotate_left(17) ^ *c;
        *d = d.rotate_left(21) ^ *a;
        *c = c.rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key and the messages of the published test vectors: bytes that count up.
    const KEY: [u64; 2] = [0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908];

    fn message(bytes: u8) -> Vec<u8> {
        (0..bytes).collect()
    }

    #[test]
    fn the_published_vectors_of_siphash_2_4_hold() {
        for (bytes, expected) in [
            (0, 0x726F_DB47_DD0E_0E31),
            (1, 0x74F8_39C5_93DC_67FD),
            (8, 0x93F5_F579_9A93_2462),
            (15, 0xA129_CA61_49BE_45E5),
        ] {
            assert_eq!(sip_hash::<2, 4>(KEY, &message(bytes)), expected, "{bytes}");
        }
    }

    #[test]
    fn siphash_1_3_is_what_std_hashes_with_today() {
        use std::hash::Hasher;
        for bytes in 0..70 {
            let mut hasher = std::hash::DefaultHasher::new();
            hasher.write(&message(bytes));
            assert_eq!(
                sip_hash::<1, 3>([0, 0], &message(bytes)),
                hasher.finish(),
                "{bytes}"
            );
        }
    }
}
