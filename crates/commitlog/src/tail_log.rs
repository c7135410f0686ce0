//! A log that another process writes, watched.
//!
//! Looking again costs the header and the marks of the newest segment; only if that is not the newest any more, or another one now, the whole directory
//! is looked at.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use disk::Dir;

use crate::error::{Error, Result};
use crate::frame_cursor::{FrameCursor, Position};
use crate::look::{Look, look, open_segment, segment_facts};
use crate::seek_cache::SeekCache;
use crate::segment_bytes::SegmentBytes;
use crate::segment_facts::SegmentFacts;
use crate::shared_log::{Placement, Visible};
use crate::tx_id::TxId;

/// How often a directory that changes while it is looked at is looked at again.
const LOOKS_MAX: usize = 8;

/// What was last seen of the log.
#[derive(Debug)]
pub(crate) struct TailLog {
    dir: Arc<dyn Dir>,
    /// The newest payload version that is understood.
    reader: u16,
    show_unproven: bool,
    seek_cache: Arc<SeekCache>,
    /// The record that the log began with when it was first looked at.
    began: TxId,
    sight: Mutex<Sight>,
}

#[derive(Debug)]
struct Sight {
    look: Look,
    /// Everything before this is proven.
    proven: Position,
    /// The end of what is shown.
    end: Position,
    /// Up to which record all is as it was when the log was first looked at.
    truncated: Option<TxId>,
}

/// What another look showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// What was known.
    Nothing,
    /// More records in the newest segment.
    More,
    /// Other segments.
    Changes,
}

impl TailLog {
    pub(crate) fn open(
        dir: Arc<dyn Dir>,
        reader: u16,
        show_unproven: bool,
        seek_cache: Arc<SeekCache>,
    ) -> Result<TailLog> {
        let look = look(dir.as_ref(), reader)?;
        let start = Position::start_of(&look.newest().header);
        let log = TailLog {
            dir,
            reader,
            show_unproven,
            seek_cache,
            began: look.extent().base,
            sight: Mutex::new(Sight {
                look,
                proven: start,
                end: start,
                truncated: None,
            }),
        };
        log.look_at_all()?;
        Ok(log)
    }

    pub(crate) fn dir(&self) -> &dyn Dir {
        self.dir.as_ref()
    }

    pub(crate) fn seek_cache(&self) -> &SeekCache {
        &self.seek_cache
    }

    /// The record that the log began with when it was first looked at.
    pub(crate) fn began(&self) -> TxId {
        self.began
    }

    pub(crate) fn visible(&self) -> Visible {
        let sight = self.sight();
        Visible {
            end: sight.end,
            durable_end: sight.proven.id,
        }
    }

    pub(crate) fn segment_of(&self, id: TxId) -> Result<Placement> {
        let sight = self.sight();
        let mut placement = sight.look.segment_of(id)?;
        if placement.successor.is_none() {
            placement.settled = sight.proven.byte;
        }
        Ok(placement)
    }

    /// Looks at the newest segment again, and at everything if that is not the newest any more.
    pub(crate) fn look_at_newest(&self) -> Result<Seen> {
        let mut sight = self.sight();
        let known = *sight.look.newest();
        let found = open_segment(self.dir(), known.header.base)
            .and_then(|file| segment_facts(file.as_ref(), known.named, self.reader));
        match found {
            Ok(newest) if newest.header == known.header && newest.continued_mark().is_none() => {
                let before = sight.end;
                sight.proven = sight.proven.later(newest.marked());
                let start = before.later(sight.proven);
                sight.end = self.shown_end(&newest, start)?;
                let more = sight.end.id > before.id;
                Ok(if more { Seen::More } else { Seen::Nothing })
            }
            _ => {
                drop(sight);
                self.look_at_all()?;
                Ok(Seen::Changes)
            }
        }
    }

    /// Looks at the whole directory; again, if the newest segment vanishes in between.
    pub(crate) fn look_at_all(&self) -> Result<()> {
        for _ in 1..LOOKS_MAX {
            match self.look_once() {
                Err(Error::Io(error)) if error.is_not_found() => {}
                looked => return looked,
            }
        }
        self.look_once()
    }

    fn look_once(&self) -> Result<()> {
        let mut sight = self.sight();
        let look = look(self.dir(), self.reader)?;
        let known = sight.look.newest().header;
        let newest = *look.newest();
        // A mark that is being written may not be there for a moment; what it and the one before it prove stays proven.
        let before = (newest.header == known).then_some(sight.proven);
        let found = newest.marked();
        sight.proven = before.map_or(found, |before| before.later(found));
        sight.end = self.shown_end(&newest, sight.proven)?;
        let end = look.truncated_since(known.epoch, self.began);
        sight.truncated = sight.truncated.into_iter().chain(end).min();
        sight.look = look;
        Ok(())
    }

    /// Everything before this is as it was when the log was first looked at; `None`: nothing was truncated.
    pub(crate) fn truncated(&self) -> Option<TxId> {
        self.sight().truncated
    }

    /// The end of what is shown in the newest segment, of which everything before `start` counts.
    fn shown_end(&self, newest: &SegmentFacts, start: Position) -> Result<Position> {
        if !self.show_unproven {
            return Ok(start);
        }
        let file = open_segment(self.dir(), newest.header.base)?;
        let bytes = file.len()?;
        let mut cursor = FrameCursor::new(SegmentBytes::plain(file, bytes, 0)?, start);
        while cursor.step()?.is_ok() {}
        Ok(cursor.position())
    }

    fn sight(&self) -> MutexGuard<'_, Sight> {
        self.sight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
