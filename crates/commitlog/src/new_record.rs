//! A record on its way into the log, before it has an id.

use crate::error::{Error, Result};
use crate::format::{PAYLOAD_BYTES_LIMIT, frame_bytes};

/// A payload and its time.
pub(crate) type NewRecord<'a> = (&'a [u8], Option<i64>);

/// Refuses a payload that is longer than `payload_bytes_max` or than the format knows. Yields how many bytes a frame for it alone takes.
#[inline]
pub(crate) fn check_length(payload: &[u8], payload_bytes_max: u32) -> Result<u64> {
    let bytes_max = payload_bytes_max.min(PAYLOAD_BYTES_LIMIT);
    match u32::try_from(payload.len()) {
        Ok(length) if length <= bytes_max => Ok(frame_bytes(length)),
        _ => Err(Error::TransactionTooLarge {
            bytes: payload.len() as u64,
            bytes_max: u64::from(bytes_max),
        }),
    }
}

/// The length of a payload that was checked.
#[inline]
pub(crate) fn length_of(payload: &[u8]) -> u32 {
    u32::try_from(payload.len()).expect("the length was checked")
}
