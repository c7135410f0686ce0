//! Frames in the making.
//!
//! ```text
//! push     [ 32 bytes left | payload | zeros ][ 32 bytes left | payload | zeros ]      a copy and a note, while others wait
//! seal     [ header        | payload | zeros ][ header        | payload | zeros ]      checksums and chain, while nobody does
//! ```

use crate::checksum::checksum;
use crate::format::{FRAME_HEADER_BYTES, FrameHeader, frame_bytes};
use crate::frame_cursor::Position;
use crate::new_record::{NewRecord, length_of};

/// Records one behind the other as they will stand in a segment, the headers left out until they are sealed.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    bytes: Vec<u8>,
    notes: Vec<Note>,
}

/// What is known of a frame before it is sealed.
#[derive(Debug, Clone, Copy)]
struct Note {
    payload_length: u32,
    time: Option<i64>,
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
        self.bytes.extend_from_slice(&[0; FRAME_HEADER_BYTES]);
        self.bytes.extend_from_slice(payload);
        let padding = self.bytes.len().next_multiple_of(8) - self.bytes.len();
        self.bytes.extend_from_slice(&[0; 8][..padding]);
        self.notes.push(Note {
            payload_length: length_of(payload),
            time,
        });
    }

    /// Computes what is missing, for frames that begin at `at`: then the bytes can be written there. `passed` hears where each frame begins and ends. Yields
    /// the end of them all.
    pub(crate) fn seal(
        &mut self,
        at: Position,
        mut passed: impl FnMut(Position, Position),
    ) -> Position {
        let mut position = at;
        let mut rest = &mut self.bytes[..];
        for note in &self.notes {
            let whole = usize::try_from(frame_bytes(note.payload_length));
            let (frame, behind) = rest.split_at_mut(whole.expect("it is in memory"));
            let (header, body) = frame.split_at_mut(FRAME_HEADER_BYTES);
            let payload = &body[..note.payload_length as usize];
            let sealed = seal_header(position, payload, note.time);
            header.copy_from_slice(&sealed.encode());
            let before = position;
            position = position.after(&sealed);
            passed(before, position);
            rest = behind;
        }
        assert!(rest.is_empty());
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
        self.notes.clear();
        self.bytes.shrink_to(bytes_max);
        self.notes.shrink_to(bytes_max / FRAME_HEADER_BYTES);
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
