//! Frames that have an id and are not with the operating system yet.

use std::sync::Arc;

use disk::File;

use crate::active_segment::write_zeros;
use crate::error::Result;
use crate::format::{FRAME_HEADER_BYTES, frame_bytes};
use crate::frame_cursor::Position;
use crate::new_record::NewRecord;

/// At this many bytes somebody writes the queue, and a longer payload does not pass through it.
pub(crate) const WRITE_BYTES: usize = 64 << 10;

/// Frames one behind the other, as they will stand in the segment.
#[derive(Debug, Default)]
pub(crate) struct WriteQueue {
    bytes: Vec<u8>,
    /// Where the next frames gather while the others are written, so that no record costs an allocation.
    spare: Vec<u8>,
}

impl WriteQueue {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Puts a whole frame behind the others.
    #[inline]
    pub(crate) fn push(&mut self, header: &[u8; FRAME_HEADER_BYTES], record: &NewRecord<'_>) {
        let end = self.bytes.len() + whole_frame_bytes(record);
        self.bytes.extend_from_slice(header);
        self.bytes.extend_from_slice(record.payload);
        self.bytes.resize(end, 0);
    }

    /// Puts only the header of a frame there, whose payload is written from where it is.
    pub(crate) fn push_header(&mut self, header: &[u8; FRAME_HEADER_BYTES]) {
        self.bytes.extend_from_slice(header);
    }

    /// Takes all frames out.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::replace(&mut self.bytes, std::mem::take(&mut self.spare))
    }

    /// Gives the memory of frames back that are written now.
    pub(crate) fn recycle(&mut self, mut written: Vec<u8>, bytes_max: usize) {
        if written.capacity() <= bytes_max {
            written.clear();
            self.spare = written;
        }
    }
}

fn whole_frame_bytes(record: &NewRecord<'_>) -> usize {
    usize::try_from(record.frame_bytes())
        .expect("a frame is little longer than a payload in memory")
}

/// Frames that somebody is about to write.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) file: Arc<dyn File>,
    pub(crate) from: Position,
    pub(crate) to: Position,
    pub(crate) bytes: Vec<u8>,
}

impl Write {
    /// Hands the frames to the operating system, the last of them with a payload that does not stand in the queue, if there is one.
    pub(crate) fn carry_out(&self, payload: Option<&NewRecord<'_>>) -> Result<()> {
        self.file.write_all_at(self.from.byte, &self.bytes)?;
        if let Some(record) = payload {
            let at = self.from.byte + self.bytes.len() as u64;
            let payload_end = at + record.payload.len() as u64;
            assert_eq!(
                at + frame_bytes(record.payload_length),
                self.to.byte + FRAME_HEADER_BYTES as u64
            );
            self.file.write_all_at(at, record.payload)?;
            write_zeros(self.file.as_ref(), payload_end, self.to.byte)?;
        }
        Ok(())
    }
}
