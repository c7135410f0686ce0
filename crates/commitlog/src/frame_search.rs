//! Looks for frames in bytes of which some are not what was written.

use std::ops::Range;

use crate::chain::Chain;
use crate::checksum::checksum;
use crate::format::{FRAME_HEADER_BYTES, FrameHeader, PAYLOAD_BYTES_LIMIT, frame_bytes};
use crate::tx_id::TxId;

/// A search for the frames in some bytes of a file.
pub(crate) struct FrameSearch<'a> {
    pub(crate) file: &'a str,
    pub(crate) bytes: &'a [u8],
    pub(crate) at: usize,
    /// Where the last frame that was passed ends.
    pub(crate) passed: usize,
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
    /// A frame here whose header holds and whose id is possible, and where it ends.
    pub(crate) fn frame(&self) -> Option<(FrameHeader, usize)> {
        let header = FrameHeader::decode(self.bytes[self.at..].first_chunk()?)?;
        let passed = (self.at - self.passed) / FRAME_HEADER_BYTES;
        let possible = header.id >= self.id
            && header.id.0 - self.id.0 <= passed as u64
            && header.id < self.bound
            && header.payload_length <= PAYLOAD_BYTES_LIMIT;
        let length = usize::try_from(frame_bytes(header.payload_length)).ok()?;
        let end = self.at.checked_add(length)?;
        (possible && end <= self.bytes.len()).then_some((header, end))
    }

    /// Whether the frame behind this one continues its chain, or this one is the last.
    pub(crate) fn is_continued(&self, header: &FrameHeader, end: usize) -> bool {
        let behind = &self.bytes[end..];
        let Some(bytes) = behind.first_chunk::<FRAME_HEADER_BYTES>() else {
            return true;
        };
        let Some(next) = FrameHeader::decode(bytes) else {
            return *bytes == [0; FRAME_HEADER_BYTES];
        };
        let payload = behind[FRAME_HEADER_BYTES..].get(..next.payload_length as usize);
        payload.is_some_and(|payload| {
            let chain = header
                .chain_after
                .mix(next.id, next.payload_length, checksum(payload));
            next.id == header.id.next() && chain == next.chain_after
        })
    }

    pub(crate) fn place_of(&self, bytes: Range<usize>) -> Range<u64> {
        match self.place {
            Place::Plain => bytes.start as u64..bytes.end as u64,
            Place::Block { start, end } => start..end,
        }
    }
}
