//! The newest segment: the one that is written.

use std::ops::Range;
use std::sync::Arc;

use disk::{Access, Dir, File};

use crate::error::{Error, Result};
use crate::format::{
    BODY_FRAMES, FRAMES_BYTE, HEADER_BYTES, MARK_BLOCK_BYTE, Mark, PAYLOAD_BYTES_LIMIT,
    SegmentHeader, VERSION,
};
use crate::frame_cursor::Position;
use crate::frames::Frames;
use crate::log_id::LogId;
use crate::new_record::{NewRecord, check_length};
use crate::options::Start;
use crate::reservation::{Reservation, Reserve, write_zeros};
use crate::segment_facts::name_is_proven;
use crate::segment_name::{segment_name, temporary_name};
use crate::tx_id::TxId;

/// The least space that is reserved at once, bytes.
const RESERVE_BYTES_MIN: u64 = 16 << 10;
/// How much is copied at once, bytes.
const COPY_BYTES: u64 = 1 << 20;

/// The newest segment and where its end is.
#[derive(Debug)]
pub(crate) struct ActiveSegment {
    file: Arc<dyn File>,
    header: SegmentHeader,
    header_bytes: [u8; HEADER_BYTES],
    marks: [Option<Mark>; 2],
    /// The first record that the log keeps, for all marks to come.
    floor: TxId,
    /// Where the frames end that were written.
    end: Position,
    /// Invariant: from `end.byte` to here the file reads as zero and writing can not run out of space.
    reserved: u64,
}

impl ActiveSegment {
    /// Takes over a segment whose end was verified; from there to `reserved` it reads as zero.
    pub(crate) fn resume(
        file: Arc<dyn File>,
        header: SegmentHeader,
        marks: [Option<Mark>; 2],
        floor: TxId,
        end: Position,
        reserved: u64,
    ) -> Self {
        ActiveSegment {
            file,
            header,
            header_bytes: header.encode(),
            marks,
            floor,
            end,
            reserved,
        }
    }

    /// Makes the first segment of a log, which holds the records given, atomically: after a crash it is there, durable
    /// and whole, or it is not.
    pub(crate) fn create(
        dir: &dyn Dir,
        log_id: LogId,
        start: Start,
        minimum_reader: u16,
        records: &[NewRecord<'_>],
    ) -> Result<Self> {
        let header = SegmentHeader {
            version: VERSION,
            body: BODY_FRAMES,
            minimum_reader,
            log_id,
            base: start.base,
            chain_before: start.chain,
            epoch: start.epoch,
        };
        let start_of = Position::start_of(&header);
        let mut frames = Frames::default();
        let mut end = start_of;
        for record in records {
            check_length(record.0, PAYLOAD_BYTES_LIMIT)?;
            end = frames.push_sealed(end, *record);
        }
        ActiveSegment::replace(dir, header, start.base, |to| {
            to.write_all_at(start_of.byte, frames.bytes())?;
            Ok(end)
        })
        .flatten()
    }

    /// Makes the segment that continues this one, atomically. If this one is empty, the new one has the same name and takes its place.
    ///
    /// A new name comes without a mark: the first one says that this segment was marked as continued, and is the caller's to write then. Until
    /// then that mark tells the floor, and where a segment takes the place of another nothing but its own.
    ///
    /// `make_room` reserves what the segment has to have room for. What fails before there is a file to be named changes nothing; what fails behind that is the inner error.
    pub(crate) fn successor(
        &self,
        dir: &dyn Dir,
        minimum_reader: u16,
        make_room: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<Result<Self>> {
        let header = SegmentHeader {
            version: VERSION,
            body: BODY_FRAMES,
            minimum_reader,
            base: self.end.id,
            chain_before: self.end.chain,
            ..self.header
        };
        let draft = Draft::begin(dir, header)?;
        let mut segment = draft.segment(self.floor, Position::start_of(&header));
        if let Err(error) = make_room(&mut segment) {
            draft.abandon(dir);
            return Err(error);
        }
        if !self.is_empty() {
            return Ok(draft.publish(dir).map(|()| segment));
        }
        let named = segment
            .mark_unnamed()
            .and_then(|()| draft.publish(dir))
            .and_then(|()| segment.mark_named());
        Ok(named.map(|()| segment))
    }

    /// Makes a segment in the place of the one of the same name, atomically: `copy` writes the frames and says where they end.
    ///
    /// A crash leaves the old file or the new one. What fails before the new file is there whole changes nothing; what fails
    /// while it takes over the name is the inner error, and nobody knows then which of the two has it.
    pub(crate) fn replace(
        dir: &dyn Dir,
        header: SegmentHeader,
        floor: TxId,
        copy: impl FnOnce(&dyn File) -> Result<Position>,
    ) -> Result<Result<Self>> {
        let draft = Draft::begin(dir, header)?;
        let copied = copy(draft.file.as_ref()).and_then(|end| {
            let mut segment = draft.segment(floor, end);
            segment.mark_unnamed()?;
            draft.file.sync()?;
            Ok(segment)
        });
        match copied {
            Ok(mut segment) => Ok(draft
                .take_name(dir)
                .and_then(|()| segment.mark_named())
                .map(|()| segment)),
            Err(error) => {
                draft.abandon(dir);
                Err(match error {
                    Error::Io(error) => Error::refused(error),
                    error => error,
                })
            }
        }
    }

    /// Makes the segment anew, in a file that takes over its name: what it shows up to its end, and nothing behind that.
    ///
    /// A crash leaves the old file or the new one. The name is durable afterwards, even if a sync of the directory had failed: a repeated
    /// sync would prove nothing, but a new file under the name is a change that it has to write. [`Error::Full`]: nothing has changed.
    pub(crate) fn recreate(&mut self, dir: &dyn Dir) -> Result<()> {
        let draft = Draft::begin(dir, self.header)?;
        let file = Arc::clone(&draft.file);
        // The marks as bytes: a bad one stays bad, and goes on to say that it may have named the floor.
        let kept = MARK_BLOCK_BYTE[0]..self.end.byte;
        if let Err(error) = copy(self.file.as_ref(), file.as_ref(), kept) {
            draft.abandon(dir);
            return Err(Error::refused(error));
        }
        draft.publish(dir)?;
        self.file = file;
        self.reserved = self.end.byte;
        Ok(())
    }

    /// The first record that the log keeps.
    pub(crate) fn floor(&self) -> TxId {
        self.floor
    }

    /// Lets all marks to come name another first record that the log keeps.
    pub(crate) fn raise_floor(&mut self, floor: TxId) {
        assert!(self.floor <= floor);
        assert!(floor <= self.header.base);
        self.floor = floor;
    }

    /// Whether the name of its file is known to be durable.
    pub(crate) fn name_is_proven(&self) -> bool {
        name_is_proven(&self.marks)
    }

    pub(crate) fn header(&self) -> &SegmentHeader {
        &self.header
    }

    pub(crate) fn file(&self) -> &Arc<dyn File> {
        &self.file
    }

    /// Where the frames end that its marks prove.
    pub(crate) fn marked_byte(&self) -> u64 {
        let marked = self.marks.iter().flatten().map(|mark| mark.end_byte);
        marked.max().unwrap_or(FRAMES_BYTE)
    }

    /// Where the frames end that were written.
    #[inline]
    pub(crate) fn end(&self) -> Position {
        self.end
    }

    /// More frames were written.
    pub(crate) fn advance(&mut self, end: Position) {
        assert!(self.end.id <= end.id);
        assert!(end.byte <= self.reserved);
        self.end = end;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.end.id == self.header.base
    }

    /// Whether everything up to this byte can be written without running out of space.
    #[inline]
    pub(crate) fn has_room(&self, to: u64) -> bool {
        to <= self.reserved
    }

    /// How to make room up to the byte `needed`, and for more to come.
    pub(crate) fn reservation(
        &self,
        needed: u64,
        how: Reserve,
        segment_bytes_max: u64,
    ) -> Reservation {
        // A small log stays small: as much again as is used.
        let used = self.end.byte - FRAMES_BYTE;
        let ahead = used.clamp(RESERVE_BYTES_MIN, how.chunk_bytes_max());
        let wished = (self.reserved + ahead).min(segment_bytes_max);
        Reservation {
            file: Arc::clone(&self.file),
            from: self.reserved,
            needed,
            wished: wished.max(needed),
            how,
        }
    }

    /// A reservation of its own was carried out.
    pub(crate) fn reserved(&mut self, to: u64) {
        assert!(self.reserved <= to);
        self.reserved = to;
    }

    /// Notes that everything before `at` is on the medium. Not synced itself.
    pub(crate) fn mark(&mut self, at: Position, flag: MarkFlag) -> Result<()> {
        let mark = Mark {
            sequence: next_sequence(&self.marks),
            through: at.id,
            end_byte: at.byte,
            chain: at.chain,
            closed: flag == MarkFlag::Closed,
            continued: flag == MarkFlag::Continued,
            unnamed: flag == MarkFlag::Unnamed,
            floor: self.floor,
        };
        write_mark(self.file.as_ref(), &self.header_bytes, &mark)?;
        self.marks[mark.block()] = Some(mark);
        Ok(())
    }

    /// Marks a segment that has no name yet and is about to be synced; twice if the marks name a floor, which has to outlive one of them.
    fn mark_unnamed(&mut self) -> Result<()> {
        self.mark(self.end, MarkFlag::Plain)?;
        if self.floor > TxId(0) {
            self.mark(self.end, MarkFlag::Unnamed)?;
        }
        Ok(())
    }

    /// Notes that the name of its file is durable, unless that is known. Not synced itself: whoever opens the log after a kill finds it all the same, and need not
    /// make the segment anew.
    pub(crate) fn mark_named(&mut self) -> Result<()> {
        while !self.name_is_proven() {
            self.mark(self.end, MarkFlag::Plain)?;
        }
        Ok(())
    }

    /// Marks the end, synced, until both marks name the floor. What is before the end is durable, and so is the newest mark.
    pub(crate) fn mark_floor(&mut self) -> Result<()> {
        let floor = self.floor;
        let names_it = |mark: &Option<Mark>| mark.is_some_and(|mark| mark.floor == floor);
        while floor > TxId(0) && !self.marks.iter().all(names_it) {
            self.mark(self.end, MarkFlag::Plain)?;
            self.file.sync()?;
        }
        Ok(())
    }

    /// Writes both marks again as they are, for an earlier sync that failed may have left them in memory only.
    pub(crate) fn rewrite_marks(&self) -> Result<()> {
        Ok(rewrite_marks(
            self.file.as_ref(),
            &self.header_bytes,
            &self.marks,
        )?)
    }

    /// Gives back the space that was reserved ahead.
    pub(crate) fn trim(&mut self) -> Result<()> {
        self.file.set_len(self.end.byte)?;
        self.reserved = self.end.byte;
        Ok(())
    }
}

/// What a mark says apart from how far the segment is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MarkFlag {
    /// Nothing.
    Plain,
    /// The log was closed here.
    Closed,
    /// The next segment continues here.
    Continued,
    /// The bytes are on the medium; whether the name of the file is, is not known.
    Unnamed,
}

fn next_sequence(marks: &[Option<Mark>; 2]) -> u64 {
    let newest = marks.iter().flatten().map(|mark| mark.sequence).max();
    newest.map_or(0, |sequence| sequence + 1)
}

/// Writes the marks of a segment again as they are.
pub(crate) fn rewrite_marks(
    file: &dyn File,
    header_bytes: &[u8; HEADER_BYTES],
    marks: &[Option<Mark>; 2],
) -> disk::Result<()> {
    for mark in marks.iter().flatten() {
        write_mark(file, header_bytes, mark)?;
    }
    Ok(())
}

fn write_mark(file: &dyn File, header_bytes: &[u8; HEADER_BYTES], mark: &Mark) -> disk::Result<()> {
    file.write_all_at(MARK_BLOCK_BYTE[mark.block()], &mark.encode(header_bytes))
}

/// Writes the bytes of one file to the same place in another, or again as they are.
pub(crate) fn copy(from: &dyn File, to: &dyn File, bytes: Range<u64>) -> disk::Result<()> {
    let mut buffer = Vec::new();
    let mut at = bytes.start;
    while at < bytes.end {
        let len = COPY_BYTES.min(bytes.end - at);
        buffer.resize(usize::try_from(len).unwrap_or(usize::MAX), 0);
        from.read_exact_at(at, &mut buffer)?;
        to.write_all_at(at, &buffer)?;
        at += len;
    }
    Ok(())
}

/// A segment under its temporary name, header written, reading as zero behind it.
#[derive(Debug)]
pub(crate) struct Draft {
    /// The file, to write frames to.
    pub(crate) file: Arc<dyn File>,
    header: SegmentHeader,
}

impl Draft {
    /// Creates the file; one that an interrupted attempt left under the temporary name is removed.
    pub(crate) fn begin(dir: &dyn Dir, header: SegmentHeader) -> Result<Draft> {
        let temporary = temporary_name(header.base);
        match dir.remove(&temporary) {
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
        let file = dir.create(&temporary).map_err(Error::refused)?;
        let written = file
            .write_all_at(0, &header.encode())
            .and_then(|()| write_zeros(file.as_ref(), HEADER_BYTES as u64, FRAMES_BYTE));
        if let Err(error) = written {
            // Nobody has seen the file; that it can not be removed either changes nothing.
            let _ = dir.remove(&temporary);
            return Err(Error::refused(error));
        }
        Ok(Draft { file, header })
    }

    /// The file as a segment without marks that ends at `end`.
    fn segment(&self, floor: TxId, end: Position) -> ActiveSegment {
        let file = Arc::clone(&self.file);
        ActiveSegment::resume(file, self.header, [None; 2], floor, end, end.byte)
    }

    /// Syncs the file, gives it its name (replacing a segment of that name) and syncs the directory.
    pub(crate) fn publish(self, dir: &dyn Dir) -> Result<()> {
        self.file.sync()?;
        self.take_name(dir)
    }

    /// Removes the file again, which nobody has seen; that it can not be removed changes nothing.
    pub(crate) fn abandon(self, dir: &dyn Dir) {
        let _ = dir.remove(&temporary_name(self.header.base));
    }

    /// Gives the file, which is synced, its name, and syncs the directory.
    pub(crate) fn take_name(self, dir: &dyn Dir) -> Result<()> {
        dir.rename(
            &temporary_name(self.header.base),
            &segment_name(self.header.base),
        )?;
        dir.sync()?;
        Ok(())
    }
}

/// Opens a segment for writing.
pub(crate) fn open_for_writing(dir: &dyn Dir, header: &SegmentHeader) -> Result<Arc<dyn File>> {
    Ok(dir.open(&segment_name(header.base), Access::ReadWrite)?)
}
