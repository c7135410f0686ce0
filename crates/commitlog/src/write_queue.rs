//! Records that have an id and are not with the operating system yet.

use std::sync::Arc;

use disk::File;

use crate::active_segment::write_zeros;
use crate::error::Result;
use crate::frame_cursor::Position;
use crate::frames::Frames;
use crate::new_record::NewRecord;
use crate::short_checksum::with_short_checksums;
use crate::tx_id::TxId;

/// At this many bytes somebody writes the queue, and a record that is longer and comes alone does not pass through it.
pub(crate) const WRITE_BYTES: usize = 64 << 10;

/// Where a log ends, or will once all that has an id is written: what can be known before the chain is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    /// The next record.
    pub(crate) id: TxId,
    /// No frame reaches beyond this byte of the segment.
    pub(crate) byte: u64,
}

impl From<Position> for End {
    fn from(position: Position) -> End {
        End {
            id: position.id,
            byte: position.byte,
        }
    }
}

/// Records in the order of their ids.
#[derive(Debug, Default)]
pub(crate) struct WriteQueue {
    frames: Frames,
    /// Where the next ones gather while these are written, so that no record costs an allocation.
    spare: Frames,
}

impl WriteQueue {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Puts a record behind the others.
    #[inline]
    pub(crate) fn push(&mut self, record: NewRecord<'_>) {
        self.frames.push(record);
    }

    /// Takes all records out.
    pub(crate) fn take(&mut self) -> Frames {
        std::mem::replace(&mut self.frames, std::mem::take(&mut self.spare))
    }

    /// Gives the memory of frames back that are written now.
    pub(crate) fn recycle(&mut self, mut written: Frames, bytes_max: usize) {
        written.clear(bytes_max);
        self.spare = written;
    }
}

/// Frames that somebody is about to write.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) file: Arc<dyn File>,
    /// The first record of the segment.
    pub(crate) base: TxId,
    pub(crate) from: Position,
    pub(crate) to: End,
    pub(crate) frames: Frames,
}

impl Write {
    /// Seals the frames and hands them to the operating system, behind them the records that the caller has not queued. `passed` hears where each frame
    /// begins and ends. Yields the end of them all.
    pub(crate) fn carry_out(
        &mut self,
        own: &[NewRecord<'_>],
        passed: impl FnMut(Position, Position),
    ) -> Result<Position> {
        let long = long_record(own);
        let end = with_short_checksums(|| self.seal(own, long, passed));
        assert_eq!(End::from(end), self.to);
        self.file
            .write_all_at(self.from.byte, self.frames.bytes())?;
        if let Some((payload, _)) = long {
            let at = self.from.byte + self.frames.len() as u64;
            self.file.write_all_at(at, payload)?;
            let payload_end = at + payload.len() as u64;
            write_zeros(self.file.as_ref(), payload_end, end.byte)?;
        }
        Ok(end)
    }

    /// Makes the frames as they will be written, but for the payload of a long record.
    #[inline(always)]
    fn seal(
        &mut self,
        own: &[NewRecord<'_>],
        long: Option<NewRecord<'_>>,
        mut passed: impl FnMut(Position, Position),
    ) -> Position {
        let mut end = self.frames.seal(self.from, &mut passed);
        for record in own {
            let before = end;
            end = match long {
                None => self.frames.push_sealed(before, *record),
                Some(record) => self.frames.push_header(before, record),
            };
            passed(before, end);
        }
        end
    }
}

/// A record that stands alone and is too long to be copied: its payload is written from where it is, and never waits in the queue.
#[inline]
pub(crate) fn long_record<'a>(records: &[NewRecord<'a>]) -> Option<NewRecord<'a>> {
    match records {
        [record] if record.0.len() > WRITE_BYTES => Some(*record),
        _ => None,
    }
}
