//! Walks over the frames of one segment and lets none pass that does not count.

use crate::chain::Chain;
use crate::checksum::checksum;
use crate::damage::BadFrame;
use crate::error::Result;
use crate::format::{
    FRAME_HEADER_BYTES, FRAMES_BYTE, FrameHeader, PAYLOAD_BYTES_LIMIT, SegmentHeader, frame_bytes,
    is_frame_start,
};
use crate::landmark::Landmark;
use crate::segment_bytes::SegmentBytes;
use crate::tx_id::TxId;

/// A place between two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// The next record.
    pub(crate) id: TxId,
    /// Where its frame begins in the segment.
    pub(crate) byte: u64,
    /// The chain before it.
    pub(crate) chain: Chain,
}

impl Position {
    /// The place before the first record of a segment.
    pub(crate) fn start_of(header: &SegmentHeader) -> Position {
        Position {
            id: header.base,
            byte: FRAMES_BYTE,
            chain: header.chain_before,
        }
    }

    /// The one of two places in a segment with more records before it.
    pub(crate) fn later(self, other: Position) -> Position {
        if other.id > self.id { other } else { self }
    }

    /// The place behind the frame that begins here.
    #[inline]
    pub(crate) fn after(&self, header: &FrameHeader) -> Position {
        Position {
            id: self.id.next(),
            byte: self.byte + frame_bytes(header.payload_length),
            chain: header.chain_after,
        }
    }
}

/// A frame that counts, or what stands in its place.
pub(crate) type Step = std::result::Result<FrameHeader, BadFrame>;

/// A place in the bytes of a segment.
#[derive(Debug)]
pub(crate) struct FrameCursor {
    bytes: SegmentBytes,
    position: Position,
    /// Where the payload of the frame before `position` begins, and its length.
    payload: (u64, u32),
}

impl FrameCursor {
    pub(crate) fn new(bytes: SegmentBytes, position: Position) -> Self {
        FrameCursor {
            bytes,
            position,
            payload: (position.byte, 0),
        }
    }

    pub(crate) fn position(&self) -> Position {
        self.position
    }

    pub(crate) fn bytes(&mut self) -> &mut SegmentBytes {
        &mut self.bytes
    }

    /// The payload of the frame that was stepped over last.
    #[inline]
    pub(crate) fn payload(&mut self) -> Result<&[u8]> {
        let (byte, length) = self.payload;
        self.bytes.get(byte, u64::from(length))
    }

    /// Reads and verifies one frame: header, id, payload, chain and padding. Does not move if it does not count.
    #[inline]
    pub(crate) fn step(&mut self) -> Result<Step> {
        let position = self.position;
        let room = self.room();
        let ahead = self.bytes.ahead(position.byte, FRAME_HEADER_BYTES as u64)?;
        let header = match verify_header(ahead, position, room) {
            Ok(header) => header,
            Err(bad) => return Ok(Err(self.found_instead(bad, room))),
        };
        let whole = frame_bytes(header.payload_length);
        let frame = if whole <= ahead.len() as u64 {
            ahead
        } else {
            self.bytes.ahead(position.byte, whole)?
        };
        if let Err(bad) = verify_body(&header, frame, position) {
            return Ok(Err(bad));
        }
        self.pass(&header);
        Ok(Ok(header))
    }

    /// Passes over one frame of which only the header is verified, to get somewhere else.
    #[inline]
    pub(crate) fn hop(&mut self) -> Result<Step> {
        let room = self.room();
        let ahead = self
            .bytes
            .ahead(self.position.byte, FRAME_HEADER_BYTES as u64)?;
        match verify_header(ahead, self.position, room) {
            Ok(header) => {
                self.pass(&header);
                Ok(Ok(header))
            }
            Err(bad) => Ok(Err(self.found_instead(bad, room))),
        }
    }

    /// Where bytes are missing in a compressed segment that has more of them, a block is not sound.
    #[cold]
    fn found_instead(&self, bad: BadFrame, room: u64) -> BadFrame {
        match bad {
            BadFrame::EndOfFile { expected } if room > 0 && self.bytes.is_packed() => {
                BadFrame::Block { expected }
            }
            bad => bad,
        }
    }

    /// Goes to a place where the frame of its id is said to begin, if one that counts does. Else stays where it is.
    pub(crate) fn jump(&mut self, to: Landmark) -> Result<bool> {
        if !is_frame_start(to.position.byte) || !self.bytes.begin_at(to) {
            self.bytes.begin_at_front();
            return Ok(false);
        }
        let (stay, payload) = (self.position, self.payload);
        self.position = to.position;
        let counts = self.step()?.is_ok();
        self.payload = payload;
        match counts {
            true => self.position = to.position,
            false => self.stand_at(stay),
        }
        Ok(counts)
    }

    /// Goes to a place that is known.
    pub(crate) fn stand_at(&mut self, position: Position) {
        self.bytes.begin_at_front();
        self.position = position;
    }

    /// How many bytes there are from here to the limit.
    #[inline]
    pub(crate) fn room(&mut self) -> u64 {
        self.bytes.room(self.position.byte)
    }

    /// Passes over whole compressed blocks before record `id`, of which only the headers are verified.
    pub(crate) fn pass_blocks(&mut self, id: TxId, passed: impl FnMut(Landmark, Landmark)) {
        if let Some(block) = self.bytes.block_before(id, passed)
            && block.id > self.position.id
        {
            self.position = block;
        }
    }

    /// Where the next frame stands in the file, or the compressed block that holds it.
    pub(crate) fn file_byte(&self) -> u64 {
        self.bytes.file_byte(self.position.byte)
    }

    #[inline]
    fn pass(&mut self, header: &FrameHeader) {
        self.payload = (
            self.position.byte + FRAME_HEADER_BYTES as u64,
            header.payload_length,
        );
        self.position = self.position.after(header);
    }
}

/// Nothing in a header is believed before its checksum holds; nothing of it is used before its id is the expected one, and its frame
/// finds room.
#[inline]
pub(crate) fn verify_header(ahead: &[u8], position: Position, room: u64) -> Step {
    let expected = position.id;
    let Some(bytes) = ahead.first_chunk::<FRAME_HEADER_BYTES>() else {
        return Err(BadFrame::EndOfFile { expected });
    };
    let Some(header) = FrameHeader::decode(bytes) else {
        if *bytes == [0; FRAME_HEADER_BYTES] {
            return Err(BadFrame::Zeros { expected });
        }
        return Err(BadFrame::HeaderChecksum { expected });
    };
    if header.id != expected {
        let found = header.id;
        return Err(BadFrame::UnexpectedId { expected, found });
    }
    let payload_length = header.payload_length;
    if payload_length > PAYLOAD_BYTES_LIMIT || frame_bytes(payload_length) > room {
        return Err(BadFrame::Incomplete {
            expected,
            payload_length,
        });
    }
    Ok(header)
}

#[inline]
pub(crate) fn verify_body(
    header: &FrameHeader,
    frame: &[u8],
    position: Position,
) -> std::result::Result<(), BadFrame> {
    let expected = position.id;
    let payload_length = header.payload_length;
    let whole = usize::try_from(frame_bytes(payload_length)).unwrap_or(usize::MAX);
    let Some(body) = frame.get(FRAME_HEADER_BYTES..whole) else {
        // The file was cut while it was read.
        return Err(BadFrame::Incomplete {
            expected,
            payload_length,
        });
    };
    let (payload, padding) = body.split_at(payload_length as usize);
    let chain = position
        .chain
        .mix(header.id, payload_length, checksum(payload));
    if chain != header.chain_after {
        return Err(BadFrame::Chain { expected });
    }
    if padding.iter().any(|&byte| byte != 0) {
        return Err(BadFrame::Padding { expected });
    }
    Ok(())
}
