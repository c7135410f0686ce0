//! A record on its way into the log, before it has an id.

use crate::checksum::checksum;
use crate::error::{Error, Result};
use crate::format::{PAYLOAD_BYTES_LIMIT, frame_bytes};

/// A payload whose length was checked and whose checksum is known, so that little is left to do while others wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewRecord<'a> {
    pub(crate) payload: &'a [u8],
    /// Invariant: the length of the payload.
    pub(crate) payload_length: u32,
    pub(crate) payload_checksum: u32,
    pub(crate) time: Option<i64>,
}

impl<'a> NewRecord<'a> {
    /// Refuses a payload that is longer than `payload_bytes_max` or than the format knows.
    #[inline]
    pub(crate) fn new(
        payload: &'a [u8],
        time: Option<i64>,
        payload_bytes_max: u32,
    ) -> Result<NewRecord<'a>> {
        let bytes_max = payload_bytes_max.min(PAYLOAD_BYTES_LIMIT);
        match u32::try_from(payload.len()) {
            Ok(payload_length) if payload_length <= bytes_max => Ok(NewRecord {
                payload,
                payload_length,
                payload_checksum: checksum(payload),
                time,
            }),
            _ => Err(Error::TransactionTooLarge {
                bytes: payload.len() as u64,
                bytes_max: u64::from(bytes_max),
            }),
        }
    }

    /// How many bytes its frame takes.
    #[inline]
    pub(crate) fn frame_bytes(&self) -> u64 {
        frame_bytes(self.payload_length)
    }
}
