//! The one checksum of this crate: CRC-32C (Castagnoli), initial value and final inversion as usual.
//!
//! CRC-32C finds every single-bit flip and every burst of up to 32 bits. Its value for a run of zero bytes is not
//! zero (for lengths above zero), so a zeroed header never checks out. Everything else in the crate goes through these two functions, so
//! that the implementation behind them can be exchanged for a faster one of the same polynomial.

/// The checksum of `bytes`.
#[inline]
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// The checksum of the bytes behind `checksum` followed by `bytes`.
#[inline]
pub(crate) fn checksum_append(checksum: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(checksum, bytes)
}
