//! Writing records that have an id, by one thread at a time.

use std::sync::Arc;

use disk::File;

use crate::active_segment::ActiveSegment;
use crate::error::Result;
use crate::frame_cursor::Position;
use crate::frames::Frames;
use crate::new_record::NewRecord;
use crate::reservation::write_zeros;
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

/// The way into the active segment. There is one: whoever has it writes.
#[derive(Debug)]
pub(crate) struct Writer {
    file: Arc<dyn File>,
    /// The first record of the segment.
    base: TxId,
    /// What is written ends here.
    end: Position,
    /// And will end here.
    to: End,
    /// What comes between. Empty while nobody writes: its memory is kept, so that no record costs an allocation.
    frames: Frames,
}

impl Writer {
    pub(crate) fn of(segment: &ActiveSegment) -> Writer {
        Writer {
            file: Arc::clone(segment.file()),
            base: segment.header().base,
            end: segment.end(),
            to: segment.end().into(),
            frames: Frames::default(),
        }
    }

    /// The first record of the segment.
    pub(crate) fn base(&self) -> TxId {
        self.base
    }

    /// Where what is written ends.
    #[inline]
    pub(crate) fn end(&self) -> Position {
        self.end
    }

    /// Takes all records out of a queue, to be written with so many bytes of others behind them. `next` is the record behind all of them. Yields where they
    /// will end.
    #[inline]
    pub(crate) fn take(&mut self, queue: &mut Frames, own_bytes: u64, next: TxId) -> End {
        assert!(self.frames.is_empty());
        std::mem::swap(&mut self.frames, queue);
        self.to = End {
            id: next,
            byte: self.end.byte + self.frames.len() as u64 + own_bytes,
        };
        self.to
    }

    /// Forgets the frames, which are written or never will be, and keeps their memory unless there is more of it than so.
    #[inline]
    pub(crate) fn clear(&mut self, bytes_max: usize) {
        self.frames.clear(bytes_max);
    }

    /// Seals the frames and hands them to the operating system, behind them the records that the caller has not queued. `passed` hears where each frame
    /// begins and ends.
    pub(crate) fn write(
        &mut self,
        own: &[NewRecord<'_>],
        passed: impl FnMut(Position, Position),
    ) -> Result<()> {
        let long = long_record(own);
        let end = with_short_checksums(|| self.seal(own, long, passed));
        assert_eq!(End::from(end), self.to);
        self.file.write_all_at(self.end.byte, self.frames.bytes())?;
        if let Some((payload, _)) = long {
            let at = self.end.byte + self.frames.len() as u64;
            self.file.write_all_at(at, payload)?;
            let payload_end = at + payload.len() as u64;
            write_zeros(self.file.as_ref(), payload_end, end.byte)?;
        }
        self.end = end;
        Ok(())
    }

    /// Makes the frames as they will be written, but for the payload of a long record.
    #[inline(always)]
    fn seal(
        &mut self,
        own: &[NewRecord<'_>],
        long: Option<NewRecord<'_>>,
        mut passed: impl FnMut(Position, Position),
    ) -> Position {
        let mut end = self.frames.seal(self.end, &mut passed);
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
