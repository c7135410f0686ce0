//! What the threads that use a log share: its state behind a mutex, and the group commit.
//!
//! ```text
//! append:   under the mutex, one write
//! waiting:  the first waiter leads, the others wait; while the leader syncs, without the mutex, others append
//!
//!           leader    begin (fix the end)   sync ...............   mark   release all before that end
//!           others         append  append  wait  append  wait  wait        one of those left leads the next sync
//! ```
//!
//! A waiter is released only after the mark that proves its record was written, so that after a kill no damage to an acknowledged record passes for a torn tail.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use disk::{Dir, File};

use crate::active_segment::{ActiveSegment, MarkFlag, Reserve};
use crate::error::{Error, Result};
use crate::format::{SegmentHeader, frame_bytes};
use crate::frame_cursor::Position;
use crate::log_id::LogId;
use crate::options::{Mistake, Options, Start, SyncPolicy};
use crate::recovery::complete_rotations;
use crate::seek_cache::SeekCache;
use crate::truncation::remove_leftovers;
use crate::tx_id::TxId;

/// A log that was created or recovered, about to be used.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The headers of all segments, oldest first; the last one is the active one's.
    pub(crate) headers: Vec<SegmentHeader>,
    pub(crate) active: ActiveSegment,
    /// For the headers of new segments.
    pub(crate) minimum_reader: u16,
    /// The log was closed, and nothing was written when it was opened.
    pub(crate) untouched: bool,
    /// The active segment is torn behind its end or its name not known to be durable, and the disk too full to make another one yet.
    pub(crate) cut_waits: bool,
    /// Interrupted rotations that wait for the same, each segment standing at its end.
    pub(crate) rotations: Vec<ActiveSegment>,
    /// Segments that a truncation left behind, which wait for the same.
    pub(crate) leftovers: Vec<TxId>,
}

/// What all handles and readers of a live log share.
#[derive(Debug)]
pub(crate) struct SharedLog {
    dir: Arc<dyn Dir>,
    options: Options,
    log_id: LogId,
    state: Mutex<State>,
    seek_cache: SeekCache,
    /// Notified whenever a sync has ended, well or not.
    sync_ended: Condvar,
    /// How often the log was truncated since it was opened; changes while `state` is locked.
    pub(crate) truncations: AtomicUsize,
}

#[derive(Debug)]
pub(crate) struct State {
    /// All segments, oldest first; the last one is the active one. Never empty.
    pub(crate) headers: Vec<SegmentHeader>,
    pub(crate) active: ActiveSegment,
    /// Everything before this is durable, and marked as such. Lies in the active segment.
    pub(crate) durable: Position,
    /// Whether a leader syncs right now.
    syncing: bool,
    pub(crate) condition: Condition,
    /// The log was closed when it was opened, and nothing has been written since.
    pub(crate) untouched: bool,
    /// The active segment is torn behind its end, or its name not known to be durable: another one is made before anything is appended.
    pub(crate) cut_waits: bool,
    /// Interrupted rotations, to be completed once the active segment's name is durable.
    rotations: Vec<ActiveSegment>,
    /// Segments that a truncation left behind, to be removed then too.
    pub(crate) leftovers: Vec<TxId>,
    /// Where each truncation since the log was opened made it end.
    pub(crate) truncated_to: Vec<TxId>,
    minimum_reader: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    Open,
    Closed,
    Poisoned,
}

/// A sync with a fixed end: what was appended before it began.
#[derive(Debug)]
pub(crate) struct SyncTicket {
    file: Arc<dyn File>,
    end: Position,
}

/// Stands for those who wait while one thread syncs without the mutex.
///
/// Should that thread panic, nobody knows what has reached the medium, and nobody else would end the sync: the log is poisoned, and they are woken.
struct Leader<'a>(&'a SharedLog);

impl Leader<'_> {
    /// The sync came to its end, well or not.
    fn returned(self) {
        std::mem::forget(self);
    }
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.condition = Condition::Poisoned;
        state.syncing = false;
        self.0.sync_ended.notify_all();
    }
}

/// What a reader needs to know: where the log ends and in which segments it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visible {
    pub(crate) end: Position,
    pub(crate) durable_end: TxId,
}

/// In which segment a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) header: SegmentHeader,
    /// The segment behind it.
    pub(crate) successor: Option<SegmentHeader>,
    /// Whether nobody writes to the segment any more.
    pub(crate) complete: bool,
    /// How often the log had been truncated when this was said.
    pub(crate) truncations: usize,
}

impl SharedLog {
    /// Everything up to the end of `active` is durable.
    pub(crate) fn new(dir: Arc<dyn Dir>, options: Options, opened: Opened) -> Self {
        let Opened {
            headers,
            active,
            minimum_reader,
            untouched,
            cut_waits,
            rotations,
            leftovers,
        } = opened;
        assert_eq!(headers.last(), Some(active.header()));
        SharedLog {
            log_id: active.header().log_id,
            dir,
            options,
            seek_cache: SeekCache::default(),
            state: Mutex::new(State {
                durable: active.end(),
                headers,
                active,
                syncing: false,
                condition: Condition::Open,
                untouched,
                cut_waits,
                rotations,
                leftovers,
                truncated_to: Vec::new(),
                minimum_reader,
            }),
            sync_ended: Condvar::new(),
            truncations: AtomicUsize::new(0),
        }
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn dir(&self) -> &dyn Dir {
        self.dir.as_ref()
    }

    pub(crate) fn seek_cache(&self) -> &SeekCache {
        &self.seek_cache
    }

    pub(crate) fn log_id(&self) -> LogId {
        self.log_id
    }

    pub(crate) fn base(&self) -> TxId {
        self.lock().headers[0].base
    }

    pub(crate) fn end(&self) -> Position {
        self.lock().active.end()
    }

    pub(crate) fn durable_end(&self) -> TxId {
        self.lock().durable.id
    }

    /// Where the log ends now. After a failure only what is durable is shown.
    pub(crate) fn visible(&self) -> Visible {
        let state = self.lock();
        let end = match state.condition {
            Condition::Poisoned => state.durable,
            Condition::Open | Condition::Closed => state.active.end(),
        };
        Visible {
            end,
            durable_end: state.durable.id,
        }
    }

    /// The segment that holds record `id` (or would, if it is the next one).
    pub(crate) fn segment_of(&self, id: TxId) -> Result<Placement> {
        let state = self.lock();
        let after = state.headers.partition_point(|header| header.base <= id);
        if after == 0 {
            let oldest = state.headers[0].base;
            return Err(Error::Pruned { oldest });
        }
        let successor = state.headers.get(after).copied();
        Ok(Placement {
            header: state.headers[after - 1],
            successor,
            complete: successor.is_some(),
            truncations: state.truncated_to.len(),
        })
    }

    pub(crate) fn append(
        &self,
        payload_length: u32,
        payload: &[u8],
        time: Option<i64>,
    ) -> Result<TxId> {
        let mut state = self.lock();
        state.check_open()?;
        let end_byte = state.active.end().byte + frame_bytes(payload_length);
        let full = end_byte > self.options.segment_bytes_max && !state.active.is_empty();
        if full || state.cut_waits {
            state = self.rotate_locked(state)?;
        }
        let how = match self.options.sync_policy {
            SyncPolicy::EveryCommit => Reserve::Zeros,
            SyncPolicy::Never => Reserve::Allocate,
        };
        state.untouched = false;
        let before = state.active.end();
        state
            .active
            .reserve(payload_length, how, self.options.segment_bytes_max)?;
        let appended = state.active.append(payload, time);
        state.poison_unless(appended)?;
        let base = state.active.header().base;
        self.seek_cache.note(base, before, state.active.end());
        Ok(before.id)
    }

    pub(crate) fn wait_durable(&self, id: TxId) -> Result<()> {
        let mut state = self.lock();
        let truncations = state.truncated_to.len();
        loop {
            state.check_truncations(truncations, id.next())?;
            if id < state.durable.id {
                return Ok(());
            }
            let end = state.active.end().id;
            if id >= end {
                return Err(Error::BeyondEnd { asked: id, end });
            }
            state.check_open()?;
            if state.syncing {
                state = self.wait(state);
                continue;
            }
            let ticket = state.begin_sync(self.options.mistake)?;
            drop(state);
            self.finish_sync(&ticket)?;
            state = self.lock();
        }
    }

    /// Fixes the end of a sync. Nobody else may begin one before [`SharedLog::finish_sync`].
    pub(crate) fn begin_sync(&self) -> Result<SyncTicket> {
        let mut state = self.wait_for_sync(self.lock());
        state.check_open()?;
        state.untouched = false;
        state.begin_sync(self.options.mistake)
    }

    /// Syncs, marks what was synced and releases its waiters, or poisons. Yields the first id that is not durable.
    pub(crate) fn finish_sync(&self, ticket: &SyncTicket) -> Result<TxId> {
        let leader = Leader(self);
        let synced = ticket.file.sync();
        leader.returned();
        let mut state = self.lock();
        state.syncing = false;
        self.sync_ended.notify_all();
        state.check_open()?;
        let marked = match (synced, self.options.mistake) {
            (Ok(()), Some(Mistake::MarkBeforeSync | Mistake::AcknowledgeBeforeMark)) => Ok(()),
            // Nothing was appended, and another mark would prove the segment's name.
            (Ok(()), _) if state.cut_waits => Ok(()),
            (Ok(()), _) => state.active.mark(ticket.end, MarkFlag::Plain),
            (Err(error), _) => Err(error.into()),
        };
        state.poison_unless(marked)?;
        // Rotation waits for a sync in progress, so this is still the same segment.
        assert!(state.durable.id <= ticket.end.id);
        state.durable = ticket.end;
        Ok(ticket.end.id)
    }

    pub(crate) fn rotate(&self) -> Result<()> {
        let state = self.lock();
        state.check_open()?;
        self.rotate_locked(state).map(drop)
    }

    /// Starts a new segment, while nobody appends or syncs.
    pub(crate) fn rotate_locked<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
    ) -> Result<MutexGuard<'a, State>> {
        let mut state = self.wait_for_sync(state);
        state.check_open()?;
        if state.cut_waits && !state.active.name_is_proven() {
            match state.active.recreate(self.dir()) {
                Err(Error::Full(error)) => return Err(Error::Full(error)),
                recreated => state.poison_unless(recreated)?,
            }
            let removed = remove_leftovers(self.dir(), &mut state.leftovers);
            state.poison_unless(removed)?;
            let completed = complete_rotations(&mut state.rotations);
            state.poison_unless(completed)?;
            state.cut_waits = false;
        }
        if state.active.is_empty() && !state.cut_waits {
            return Ok(state);
        }
        state.untouched = false;
        let sealed = state.seal();
        state.poison_unless(sealed)?;
        let end = state.active.end();
        let start = Start {
            base: end.id,
            chain: end.chain,
            epoch: state.active.header().epoch,
        };
        let created =
            ActiveSegment::create(self.dir(), self.log_id, start, state.minimum_reader, &[]);
        let next = match created {
            // Refused: the old segment simply goes on.
            Err(Error::Full(error)) => return Err(Error::Full(error)),
            created => state.poison_unless(created)?,
        };
        if state.active.is_empty() {
            // The next one has replaced it, name and all.
            state.headers.pop();
        } else {
            // Crash here: the next segment is there and the old one does not say so. The next open completes it.
            let continued = state.continue_elsewhere();
            state.poison_unless(continued)?;
        }
        state.headers.push(*next.header());
        state.cut_waits = false;
        state.durable = next.end();
        state.active = next;
        Ok(state)
    }

    pub(crate) fn minimum_reader(&self) -> u16 {
        self.lock().minimum_reader
    }

    pub(crate) fn raise_minimum_reader(&self, minimum_reader: u16) {
        let mut state = self.lock();
        state.minimum_reader = state.minimum_reader.max(minimum_reader);
    }

    pub(crate) fn close(&self) -> Result<()> {
        let mut state = self.wait_for_sync(self.lock());
        match state.condition {
            Condition::Closed => return Ok(()),
            Condition::Poisoned => return Err(Error::Poisoned),
            Condition::Open => {}
        }
        if !state.untouched {
            let closed = state.write_closed_mark();
            state.poison_unless(closed)?;
        }
        state.condition = Condition::Closed;
        Ok(())
    }

    pub(crate) fn wait_for_sync<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
    ) -> MutexGuard<'a, State> {
        while state.syncing {
            state = self.wait(state);
        }
        state
    }

    fn wait<'a>(&'a self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.sync_ended.wait(state).unwrap_or_else(distrust)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(distrust)
    }
}

/// A thread panicked in the middle of a change; what it left is not to be trusted.
fn distrust(panicked: PoisonError<MutexGuard<'_, State>>) -> MutexGuard<'_, State> {
    let mut state = panicked.into_inner();
    state.condition = Condition::Poisoned;
    state
}

impl State {
    pub(crate) fn check_open(&self) -> Result<()> {
        match self.condition {
            Condition::Open => Ok(()),
            Condition::Closed => Err(Error::Closed),
            Condition::Poisoned => Err(Error::Poisoned),
        }
    }

    pub(crate) fn check_truncations(&self, noticed: usize, next: TxId) -> Result<()> {
        match self.truncated_to[noticed..].iter().min() {
            Some(&end) if next > end => Err(Error::Truncated { end }),
            _ => Ok(()),
        }
    }

    pub(crate) fn poison_unless<T>(&mut self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.condition = Condition::Poisoned;
        }
        result
    }

    fn begin_sync(&mut self, mistake: Option<Mistake>) -> Result<SyncTicket> {
        assert!(!self.syncing);
        self.syncing = true;
        let end = self.active.end();
        if mistake == Some(Mistake::MarkBeforeSync) {
            self.active.mark(end, MarkFlag::Plain)?;
        }
        Ok(SyncTicket {
            file: Arc::clone(self.active.file()),
            end,
        })
    }

    /// Syncs the active segment, its newest mark included, and gives its spare space back.
    ///
    /// Without this sync the next mark would replace the one before the newest while the newest is not on the medium: torn in
    /// the middle by a power cut, it would leave none.
    fn seal(&mut self) -> Result<()> {
        self.active.file().sync()?;
        if self.cut_waits {
            return Ok(());
        }
        self.active.trim()
    }

    fn continue_elsewhere(&mut self) -> Result<()> {
        let end = self.active.end();
        self.active.mark(end, MarkFlag::Continued)?;
        self.active.file().sync()?;
        if self.cut_waits {
            self.active.trim()?;
        }
        Ok(())
    }

    fn write_closed_mark(&mut self) -> Result<()> {
        self.seal()?;
        if self.cut_waits {
            // With its torn tail it is no closed log; the next open finds the same.
            return Ok(());
        }
        let end = self.active.end();
        self.active.mark(end, MarkFlag::Closed)?;
        self.active.file().sync()?;
        self.durable = end;
        Ok(())
    }
}
