//! Frames in the making.
//!
//! ```text
//! push          [ length, time | payload | zeros ][ length, time | payload | zeros ]      a copy, while others wait
//! seal          [ header       | payload | zeros ][ header       | payload | zeros ]      checksums and chain, while nobody does
//! push_sealed   the same in one step, for whoever has both the records and the end of the chain
//! ```

use crate::chain::Chain;
use crate::checksum::checksum;
use crate::format::{FRAME_HEADER_BYTES, FrameHeader};
use crate::frame_cursor::Position;
use crate::new_record::{NewRecord, length_of};
use crate::tx_id::TxId;

/// So many bytes of memory at a time are filled with zeros, to be written over.
const GROWTH_BYTES: usize = 4096;

/// Records one behind the other as they will stand in a segment, the headers incomplete until they are sealed.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// What is behind `len` is left from before: a frame is written over it whole.
    bytes: Vec<u8>,
    /// Invariant: at most the length of `bytes`.
    len: usize,
}

impl Frames {
    /// How many bytes the frames take.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
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
        let header = self.push_frame(payload);
        incomplete.encode_fields_to(header);
    }

    /// Completes the headers, for frames that begin at `at`: then the bytes can be written there. `passed` hears where each frame begins and ends. Yields
    /// the end of them all.
    #[inline(always)]
    pub(crate) fn seal(
        &mut self,
        at: Position,
        mut passed: impl FnMut(Position, Position),
    ) -> Position {
        let mut position = at;
        let mut rest = &mut self.bytes[..self.len];
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

    /// Puts a record behind the others, which are sealed and end at `at`. Its length was checked. Yields the end of its frame.
    #[inline(always)]
    pub(crate) fn push_sealed(&mut self, at: Position, (payload, time): NewRecord<'_>) -> Position {
        let sealed = seal_header(at, payload, time);
        sealed.encode_to(self.push_frame(payload));
        at.after(&sealed)
    }

    /// Puts a frame behind the others, of which the header is the caller's to fill in.
    #[inline(always)]
    fn push_frame(&mut self, payload: &[u8]) -> &mut [u8; FRAME_HEADER_BYTES] {
        let padded = payload.len().next_multiple_of(8);
        let frame = self.extend(FRAME_HEADER_BYTES + padded);
        let (header, body) = frame.split_first_chunk_mut().expect("it has a header");
        if let Some(last) = body.last_chunk_mut() {
            *last = [0; 8];
        }
        body[..payload.len()].copy_from_slice(payload);
        header
    }

    /// Puts only the header of a record behind the frames, which are sealed and end at `at`; what belongs to it is written from elsewhere. Yields the end
    /// of its frame.
    pub(crate) fn push_header(&mut self, at: Position, (payload, time): NewRecord<'_>) -> Position {
        let sealed = seal_header(at, payload, time);
        let header = self.extend(FRAME_HEADER_BYTES);
        header.copy_from_slice(&sealed.encode());
        at.after(&sealed)
    }

    /// So many more bytes, for the caller to write to all of them.
    #[inline(always)]
    fn extend(&mut self, count: usize) -> &mut [u8] {
        let start = self.len;
        self.len += count;
        if self.len > self.bytes.len() {
            self.grow();
        }
        &mut self.bytes[start..self.len]
    }

    /// By little: what is not used yet is not touched either.
    #[cold]
    fn grow(&mut self) {
        let wished = self.len.next_multiple_of(GROWTH_BYTES);
        self.bytes.resize(wished, 0);
    }

    /// The bytes of the frames, which are sealed.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Takes all records out, and keeps the memory unless there is more of it than so.
    pub(crate) fn clear(&mut self, bytes_max: usize) {
        self.len = 0;
        if self.bytes.len() > bytes_max {
            self.bytes.truncate(bytes_max);
            self.bytes.shrink_to_fit();
        }
    }
}

/// The header of the frame of a record that comes next.
#[inline(always)]
fn seal_header(at: Position, payload: &[u8], time: Option<i64>) -> FrameHeader {
    let payload_length = length_of(payload);
    FrameHeader {
        payload_length,
        id: at.id,
        time,
        chain_after: at.chain.mix(at.id, payload_length, checksum(payload)),
    }
}
