//! Reads verified records from some id on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use disk::{Access, Dir};

use crate::chain::Chain;
use crate::damage::{BadFrame, DamageKind};
use crate::error::{Error, Result};
use crate::examine::seek;
use crate::format::{FrameHeader, SegmentHeader};
use crate::frame_cursor::{FrameCursor, Position};
use crate::look::{look_for, segment_bytes, segment_path};
use crate::record::{OwnedRecord, Record};
use crate::seek_cache::SeekCache;
use crate::segment_bytes::SegmentBytes;
use crate::segment_name::segment_name;
use crate::shared_log::{Placement, SharedLog, Visible};
use crate::still_log::StillLog;
use crate::tail_log::TailLog;
use crate::tx_id::TxId;

/// Reads records in order. Made by [`crate::Log::reader`] and [`crate::ReadOnlyLog::reader`].
///
/// Records that are known to be durable are read through a map, without copying. After an error it may be asked again.
#[derive(Debug)]
pub struct Reader {
    source: Source,
    /// The segment that is read, once there is one.
    place: Option<Place>,
    /// The next record.
    next: TxId,
    /// Where the log ended when it was last asked.
    visible: Visible,
    /// How many truncations of the log are known not to concern what comes next.
    truncations: usize,
    /// Whether what is not durable is left out, which a log in another process or at rest decides itself.
    only_proven: bool,
    /// Whether nothing that is remembered of places is believed.
    is_wary: bool,
}

#[derive(Debug)]
enum Source {
    Live(Arc<SharedLog>),
    Still(Arc<StillLog>),
    Tail(Arc<TailLog>),
}

/// Invariant: the cursor stands before the reader's next record, or that record is in another segment.
#[derive(Debug)]
struct Place {
    header: SegmentHeader,
    /// The first record of the segment behind it, if there was one when this was last looked up.
    successor: Option<TxId>,
    cursor: FrameCursor,
}

impl Reader {
    pub(crate) fn of_live_log(log: Arc<SharedLog>, from: TxId) -> Result<Reader> {
        Reader::new(Source::Live(log), from)
    }

    pub(crate) fn of_still_log(log: Arc<StillLog>, from: TxId) -> Result<Reader> {
        Reader::new(Source::Still(log), from)
    }

    pub(crate) fn of_tail_log(log: Arc<TailLog>, from: TxId) -> Result<Reader> {
        Reader::new(Source::Tail(log), from)
    }

    fn new(source: Source, from: TxId) -> Result<Reader> {
        let truncations = source.placement(from)?.truncations;
        let visible = source.visible(false);
        let end = visible.end.id;
        if from > end {
            return Err(Error::BeyondEnd { asked: from, end });
        }
        Ok(Reader {
            source,
            place: None,
            next: from,
            visible,
            truncations,
            only_proven: false,
            is_wary: false,
        })
    }

    /// Yields nothing from now on that is not durable.
    pub(crate) fn show_only_proven(&mut self) {
        self.only_proven = true;
        self.visible = self.source.visible(true);
    }

    pub(crate) fn truncations_noticed(&self) -> usize {
        self.truncations
    }

    /// The next record, or the first one that is not known to be durable, if that comes first.
    pub(crate) fn proven_before_next(&self) -> TxId {
        self.next.min(self.visible.durable_end)
    }

    /// The id of the record that comes next.
    pub fn next_id(&self) -> TxId {
        self.next
    }

    /// The next record, verified, or `None` at the end of what is visible; a live log may have more later.
    ///
    /// # Errors
    /// [`Error::Damaged`] where a record is not what was written; [`Error::Pruned`] if it was removed meanwhile; [`Error::Truncated`] if a
    /// record before the next one was given up, from now on; [`Error::Io`].
    #[inline]
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>> {
        match self.advance()? {
            Some(header) => self.record(&header).map(Some),
            None => Ok(None),
        }
    }

    /// Passes over the next record, verified, if there is one.
    #[inline]
    pub(crate) fn advance(&mut self) -> Result<Option<FrameHeader>> {
        loop {
            self.notice_truncations()?;
            if self.next >= self.visible.end.id {
                self.visible = self.source.visible(self.only_proven);
                if self.next >= self.visible.end.id {
                    return Ok(None);
                }
            }
            match self.verified_step() {
                Ok(header) => {
                    self.next = header.id.next();
                    return Ok(Some(header));
                }
                // The log was truncated since the line above.
                Err(Error::Truncated { .. }) if self.source.truncations() != self.truncations => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The record that was passed over last, which has this header.
    #[inline]
    pub(crate) fn record(&mut self, header: &FrameHeader) -> Result<Record<'_>> {
        let payload = match &mut self.place {
            Some(place) => place.cursor.payload()?,
            None => &[],
        };
        Ok(Record {
            id: header.id,
            time: header.time,
            chain: header.chain_after,
            proven: header.id < self.visible.durable_end,
            payload,
        })
    }

    /// The next record with a payload of its own.
    ///
    /// # Errors
    /// As [`Reader::next_record`].
    pub fn next_owned(&mut self) -> Result<Option<OwnedRecord>> {
        Ok(self.next_record()?.map(|record| record.to_owned_record()))
    }

    /// The chain before the next record.
    ///
    /// # Errors
    /// As [`Reader::next_record`].
    pub fn chain_here(&mut self) -> Result<Chain> {
        loop {
            self.notice_truncations()?;
            if self.next == self.visible.end.id {
                return Ok(self.visible.end.chain);
            }
            let here = self.cursor().map(|cursor| cursor.position().chain);
            match here {
                Err(Error::Truncated { .. }) if self.source.truncations() != self.truncations => {}
                here => return here,
            }
        }
    }

    /// Verifies all records that are left and counts them.
    pub(crate) fn count_remaining(&mut self) -> Result<u64> {
        let mut count = 0;
        while self.next_record()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    #[inline]
    fn verified_step(&mut self) -> Result<FrameHeader> {
        if let Ok(header) = self.cursor()?.step()? {
            return Ok(header);
        }
        self.step_again()
    }

    /// A writer beside us may have replaced the file: what was read is forgotten and read again, once.
    #[cold]
    fn step_again(&mut self) -> Result<FrameHeader> {
        self.place = None;
        self.is_wary = true;
        let again = match self.cursor() {
            Ok(cursor) => cursor.step(),
            Err(error) => Err(error),
        };
        self.is_wary = false;
        let header = again?.map_err(|bad| self.damaged(bad))?;
        if let Some(place) = &self.place {
            // What was remembered led astray.
            self.source.seek_cache().forget(place.header.base);
        }
        Ok(header)
    }

    /// The cursor before the next record, which is visible.
    #[inline]
    fn cursor(&mut self) -> Result<&mut FrameCursor> {
        let found = self.place.as_mut().is_some_and(|place| {
            let ends = match place.successor {
                Some(successor) => self.next >= successor,
                None => place.cursor.room() == 0,
            };
            !ends
        });
        if !found {
            let place = self.find_place()?;
            self.place = Some(place);
        }
        let place = self.place.as_mut().expect("the reader has just gone there");
        Ok(&mut place.cursor)
    }

    /// Goes on if all that was truncated lies behind, in the files that there are now.
    #[inline]
    fn notice_truncations(&mut self) -> Result<()> {
        if self.source.truncations() == self.truncations {
            return Ok(());
        }
        self.truncations = self.source.check_truncations(self.truncations, self.next)?;
        self.place = None;
        self.visible = self.source.visible(self.only_proven);
        Ok(())
    }

    #[cold]
    fn find_place(&mut self) -> Result<Place> {
        let Placement {
            header,
            successor,
            settled,
            truncations,
        } = self.source.placement(self.next)?;
        if truncations != self.truncations {
            let end = self.next;
            return Err(Error::Truncated { end });
        }
        let mut start = Position::start_of(&header);
        if let Some(mut old) = self.place.take() {
            if old.header.same_history(&header) && successor.is_none() {
                // The newest segment has grown.
                let end = self.visible.end.byte;
                old.cursor.bytes().raise_limit(end, settled);
                return Ok(old);
            }
            let at = old.cursor.position();
            if old.header.same_history(&header) {
                // The segment is complete now.
                start = at;
            } else if at.chain != header.chain_before {
                return Err(Error::Damaged {
                    file: self.path(header.base),
                    byte_offset: 0,
                    kind: DamageKind::SegmentChain,
                });
            }
        }
        let bytes = self
            .source
            .bytes(&header, settled, successor.is_some(), self.visible.end)?;
        let mut cursor = FrameCursor::new(bytes, start);
        let found = self.go_near(&header, &mut cursor)?;
        let place = Place {
            header,
            successor: successor.map(|successor| successor.base),
            cursor,
        };
        if let Err(bad) = found {
            self.place = Some(place);
            return Err(self.damaged(bad));
        }
        Ok(place)
    }

    /// Moves the cursor, which stands at a place that is known, to the next record.
    fn go_near(
        &self,
        header: &SegmentHeader,
        cursor: &mut FrameCursor,
    ) -> Result<std::result::Result<(), BadFrame>> {
        let cache = self.source.seek_cache();
        let places = cache.of(header.base, cursor.bytes().is_packed());
        let note = |before, after| places.note(before, after);
        let known = cursor.position();
        let near = match self.is_wary {
            false => places.nearest(self.next),
            true => None,
        };
        let near = near.filter(|near| near.position.id > known.id);
        if let Some(near) = near {
            if cursor.jump(near)? && seek(cursor, self.next, note)?.is_ok() {
                return Ok(Ok(()));
            }
            cursor.stand_at(known);
        }
        let found = seek(cursor, self.next, note)?;
        if let (Some(near), Ok(())) = (near, found) {
            places.forget(near.position.id);
        }
        Ok(found)
    }

    /// The record at the cursor is not what was written. Forgets what was read, so that asking again reads it again.
    fn damaged(&mut self, bad: BadFrame) -> Error {
        let place = self.place.take().expect("something was read");
        Error::Damaged {
            file: self.path(place.header.base),
            byte_offset: place.cursor.file_byte(),
            kind: DamageKind::Record {
                bad,
                proven: self.visible.end.id,
            },
        }
    }

    fn path(&self, base: TxId) -> PathBuf {
        segment_path(self.source.dir(), base)
    }
}

impl Source {
    fn dir(&self) -> &dyn Dir {
        match self {
            Source::Live(log) => log.dir(),
            Source::Still(log) => log.dir(),
            Source::Tail(log) => log.dir(),
        }
    }

    fn seek_cache(&self) -> &SeekCache {
        match self {
            Source::Live(log) => log.seek_cache(),
            Source::Still(log) => log.seek_cache(),
            Source::Tail(log) => log.seek_cache(),
        }
    }

    fn visible(&self, only_proven: bool) -> Visible {
        match self {
            Source::Live(log) if only_proven => log.visible_durable(),
            Source::Live(log) => log.visible(),
            Source::Still(log) => log.visible(),
            Source::Tail(log) => log.visible(),
        }
    }

    fn placement(&self, id: TxId) -> Result<Placement> {
        match self {
            Source::Live(log) => log.segment_of(id),
            Source::Still(log) => log.segment_of(id),
            Source::Tail(log) => log.segment_of(id),
        }
    }

    #[inline]
    fn truncations(&self) -> usize {
        match self {
            Source::Live(log) => log.truncations(),
            // Who follows a log of another process holds its chain against what was read.
            Source::Still(_) | Source::Tail(_) => 0,
        }
    }

    fn check_truncations(&self, noticed: usize, next: TxId) -> Result<usize> {
        match self {
            Source::Live(log) => log.check_truncations(noticed, next),
            Source::Still(_) | Source::Tail(_) => Ok(0),
        }
    }

    /// The bytes of a segment; of the newest one only those up to the end of the log.
    fn bytes(
        &self,
        header: &SegmentHeader,
        settled: u64,
        followed: bool,
        end: Position,
    ) -> Result<SegmentBytes> {
        let file = match self.dir().open(&segment_name(header.base), Access::Read) {
            Ok(file) => file,
            Err(error) if error.is_not_found() => return Err(self.vanished(header, error)),
            Err(error) => return Err(error.into()),
        };
        let len = file.len()?;
        let limit = if followed { len } else { end.byte.min(len) };
        match segment_bytes(&file, header, limit, settled) {
            Err(Error::Truncated { .. }) => Err(self.replaced(header, file.path())),
            opened => opened,
        }
    }

    /// Says why another segment has the name of this one: a truncation came in between, or failed while it took over the name.
    fn replaced(&self, header: &SegmentHeader, file: &Path) -> Error {
        let reason = self.look_for(header);
        reason.err().unwrap_or_else(|| Error::Damaged {
            file: file.to_path_buf(),
            byte_offset: 0,
            kind: DamageKind::SegmentChain,
        })
    }

    /// Says what is left, if the segment was pruned or truncated away since it was looked up.
    fn vanished(&self, header: &SegmentHeader, error: disk::Error) -> Error {
        self.look_for(header).err().unwrap_or(Error::Io(error))
    }

    fn look_for(&self, lost: &SegmentHeader) -> Result<()> {
        match self {
            Source::Live(log) => log.look_for(lost),
            // Whoever follows looks at everything again then, and goes on if it can.
            Source::Still(log) => look_for(log.dir(), lost, log.look().extent().base),
            Source::Tail(log) => look_for(log.dir(), lost, log.began()),
        }
    }
}
