//! Looks for frames in bytes of which some are not what was written.

use std::ops::Range;

use crate::chain::Chain;
use crate::checksum::checksum;
use crate::format::{FRAME_HEADER_BYTES, FrameHeader, PAYLOAD_BYTES_LIMIT, frame_bytes};
use crate::remaining_bytes::RemainingBytes;
use crate::tx_id::TxId;

/// A search for the frames in some bytes of a file.
pub(crate) struct FrameSearch<'a> {
    pub(crate) file: &'a str,
    pub(crate) bytes: RemainingBytes,
    pub(crate) at: u64,
    /// Where the last frame that was passed ends.
    pub(crate) passed: u64,
    /// The next id, if nothing is lost.
    pub(crate) id: TxId,
    /// Ids from here on stand in other files.
    pub(crate) bound: TxId,
    /// The chain before the next frame.
    pub(crate) chain: Option<Chain>,
    /// Where the bytes stand in the file, to say so; all of them at once if they were compressed.
    pub(crate) place: Place,
}

#[derive(Clone, Copy)]
pub(crate) enum Place {
    Plain,
    Block { start: u64, end: u64 },
}

impl FrameSearch<'_> {
    /// Whether there is room for a frame here.
    pub(crate) fn has_room(&self) -> bool {
        self.at + FRAME_HEADER_BYTES as u64 <= self.bytes.end()
    }

    /// A frame here whose header holds and whose id is possible, and where it ends.
    pub(crate) fn frame(&mut self) -> Option<(FrameHeader, u64)> {
        let header = header_at(&mut self.bytes, self.at)?;
        let passed = (self.at - self.passed) / FRAME_HEADER_BYTES as u64;
        let possible = header.id >= self.id
            && header.id.0 - self.id.0 <= passed
            && header.id < self.bound
            && header.payload_length <= PAYLOAD_BYTES_LIMIT;
        let end = self.at.checked_add(frame_bytes(header.payload_length))?;
        (possible && end <= self.bytes.end()).then_some((header, end))
    }

    /// The payload of the frame here.
    pub(crate) fn payload(&mut self, header: &FrameHeader) -> &[u8] {
        let at = self.at + FRAME_HEADER_BYTES as u64;
        self.bytes.get(at, u64::from(header.payload_length))
    }

    /// Whether the frame behind this one continues its chain, or this one is the last.
    pub(crate) fn is_continued(&mut self, header: &FrameHeader, end: u64) -> bool {
        let behind = self.bytes.get(end, FRAME_HEADER_BYTES as u64);
        if behind.len() < FRAME_HEADER_BYTES {
            return true;
        }
        let is_zero = behind.iter().all(|byte| *byte == 0);
        let Some(next) = header_at(&mut self.bytes, end) else {
            return is_zero;
        };
        let at = end + FRAME_HEADER_BYTES as u64;
        let length = u64::from(next.payload_length);
        if next.id != header.id.next() || length > self.bytes.end() - at {
            return false;
        }
        let sum = checksum(self.bytes.get(at, length));
        let chain = header.chain_after.mix(next.id, next.payload_length, sum);
        chain == next.chain_after
    }

    pub(crate) fn place_of(&self, bytes: Range<u64>) -> Range<u64> {
        match self.place {
            Place::Plain => bytes,
            Place::Block { start, end } => start..end,
        }
    }
}

fn header_at(bytes: &mut RemainingBytes, at: u64) -> Option<FrameHeader> {
    let header = bytes.get(at, FRAME_HEADER_BYTES as u64);
    FrameHeader::decode(header.first_chunk()?)
}
