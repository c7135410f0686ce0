//! The checksum of a few bytes by the processor's own instruction.
//!
//! A log is made of short pieces: 28 bytes of each header, payloads of a few dozen. The crate `crc32c` is made for long ones: before it comes to a word it
//! looks for an aligned one and for work to do in parallel. Without that a log of 64-byte records is read twice as fast.
#![cfg_attr(
    target_arch = "x86_64",
    expect(
        unsafe_code,
        reason = "an instruction that a processor may lack is unsafe to call"
    )
)]

/// From more bytes than these `crc32c` makes its start worth it, by working on three parts at once.
const SHORT_BYTES_MAX: usize = 384;

/// The checksum of the bytes behind `checksum` followed by `bytes`; `None` if the bytes are many or the processor has no instruction for it.
#[inline(always)]
pub(crate) fn short_checksum(checksum: u32, bytes: &[u8]) -> Option<u32> {
    #[cfg(target_arch = "x86_64")]
    if bytes.len() <= SHORT_BYTES_MAX && is_x86_feature_detected!("sse4.2") {
        // SAFETY: the processor has the instruction.
        return Some(unsafe { sse42::of_bytes(checksum, bytes) });
    }
    let _ = (checksum, bytes, SHORT_BYTES_MAX);
    None
}

/// The checksum of four bytes and three times eight bytes, all little-endian; `None` if the processor has no instruction for it.
#[inline(always)]
pub(crate) fn words_checksum(first: u32, words: [u64; 3]) -> Option<u32> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("sse4.2") {
        // SAFETY: the processor has the instruction.
        return Some(unsafe { sse42::of_words(first, words) });
    }
    let _ = (first, words);
    None
}

/// Does something in which short checksums are computed again and again.
///
/// The instruction can stand only in functions made for processors that have it. So each checksum costs a call, and what is computed on both sides of the call goes through
/// memory; but `work` and what is always inlined into it becomes part of such a function.
#[inline]
pub(crate) fn with_short_checksums<T>(work: impl FnOnce() -> T) -> T {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("sse4.2") {
        // SAFETY: the processor has the instruction.
        return unsafe { sse42::run(work) };
    }
    work()
}

#[cfg(target_arch = "x86_64")]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the instruction for eight bytes leaves its 32 bits in a wider register"
)]
mod sse42 {
    use std::arch::x86_64::{_mm_crc32_u8, _mm_crc32_u32, _mm_crc32_u64};

    #[target_feature(enable = "sse4.2")]
    pub(super) fn run<T>(work: impl FnOnce() -> T) -> T {
        work()
    }

    #[inline]
    #[target_feature(enable = "sse4.2")]
    pub(super) fn of_bytes(checksum: u32, bytes: &[u8]) -> u32 {
        let (words, rest) = bytes.as_chunks();
        let mut state = u64::from(!checksum);
        for word in words {
            state = _mm_crc32_u64(state, u64::from_le_bytes(*word));
        }
        let mut state = state as u32;
        let (words, rest) = rest.as_chunks();
        for word in words {
            state = _mm_crc32_u32(state, u32::from_le_bytes(*word));
        }
        for byte in rest {
            state = _mm_crc32_u8(state, *byte);
        }
        !state
    }

    #[inline]
    #[target_feature(enable = "sse4.2")]
    pub(super) fn of_words(first: u32, words: [u64; 3]) -> u32 {
        let mut state = u64::from(_mm_crc32_u32(!0, first));
        for word in words {
            state = _mm_crc32_u64(state, word);
        }
        !(state as u32)
    }
}
