//! Frames in the making.
//!
//! ```text
//! push     [ length, time | payload | zeros ][ length, time | payload | zeros ]      a copy, while others wait
//! seal     [ header       | payload | zeros ][ header       | payload | zeros ]      checksums and chain, while nobody does
//! ```

use crate::chain::Chain;
use crate::checksum::checksum;
use crate::format::{FRAME_HEADER_BYTES, FrameHeader};
use crate::frame_cursor::Position;
use crate::new_record::{NewRecord, length_of};
use crate::tx_id::TxId;

/// Records one behind the other as they will stand in a segment, the headers incomplete until they are sealed.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    bytes: Vec<u8>,
}

impl Frames {
    /// How many bytes the frames take.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Puts a record behind the others. Its length was checked.
    #[inline]
    pub(crate) fn push(&mut self, (payload, time): NewRecord<'_>) {
        let incomplete = FrameHeader {
            payload_length: length_of(payload),
            id: TxId(0),
            time,
            chain_after: Chain(0),
        };
        let mut header = [0; FRAME_HEADER_BYTES];
        incomplete.encode_fields_to(&mut header);
        self.bytes.reserve(header.len() + payload.len() + 8);
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(payload);
        let end = self.bytes.len().next_multiple_of(8);
        self.bytes.resize(end, 0);
    }

    /// Completes the headers, for frames that begin at `at`: then the bytes can be written there. `passed` hears where each frame begins and ends. Yields
    /// the end of them all.
    pub(crate) fn seal(
        &mut self,
        at: Position,
        mut passed: impl FnMut(Position, Position),
    ) -> Position {
        let mut position = at;
        let mut rest = &mut self.bytes[..];
        while !rest.is_empty() {
            let (header, body) = rest.split_first_chunk_mut().expect("frames are whole");
            let incomplete = FrameHeader::decode_fields(header);
            let payload = &body[..incomplete.payload_length as usize];
            let sealed = seal_header(position, payload, incomplete.time);
            sealed.encode_to(header);
            let before = position;
            position = position.after(&sealed);
            passed(before, position);
            let padded = payload.len().next_multiple_of(8);
            rest = &mut body[padded..];
        }
        position
    }

    /// Puts the header of a frame behind the frames, which are sealed; what belongs to it is written from elsewhere.
    pub(crate) fn push_header(&mut self, header: &FrameHeader) {
        self.bytes.extend_from_slice(&header.encode());
    }

    /// The bytes of the frames, which are sealed.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes all records out, and keeps the memory unless there is more of it than so.
    pub(crate) fn clear(&mut self, bytes_max: usize) {
        self.bytes.clear();
        self.bytes.shrink_to(bytes_max);
    }
}

/// The header of the frame of a record that comes next.
pub(crate) fn seal_header(at: Position, payload: &[u8], time: Option<i64>) -> FrameHeader {
    let payload_length = length_of(payload);
    FrameHeader {
        payload_length,
        id: at.id,
        time,
        chain_after: at.chain.mix(at.id, payload_length, checksum(payload)),
    }
}
