//! What is known about a live log, under the mutex.
//!
//! ```text
//!   active segment   ┌──────────────┬──────────────┬──────────────┬╌╌╌╌╌╌╌╌╌
//!                    │   durable    │   written    │    queued    │  reserved
//!                    └──────────────┴──────────────┴──────────────┴╌╌╌╌╌╌╌╌╌
//!                              durable        written            end
//!                             and marked    to the OS     ids are given up to here; the chain is computed on the way there
//! ```
//!
//! Two things are done without the mutex, each by one thread at a time for all: writing, which moves `written` to what `end` was, and
//! syncing, which moves `durable` to what `written` was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::active_segment::{ActiveSegment, MarkFlag};
use crate::agenda::{Agenda, Ends};
use crate::error::{Error, Result};
use crate::format::SegmentHeader;
use crate::frame_cursor::Position;
use crate::frames::Frames;
use crate::options::Mistake;
use crate::shared_log::Opened;
use crate::syncing::SyncTicket;
use crate::tx_id::TxId;
use crate::writer::{End, WRITE_BYTES, Writer};

/// The state of a log.
///
/// Invariant: durable <= written <= end, all in the active segment, whose own end is what is written; the records from there to `end` are in the queue, or
/// those in front of it are being written.
#[derive(Debug)]
pub(crate) struct State {
    /// All segments, oldest first; the last one is the active one. Never empty.
    pub(crate) headers: Vec<SegmentHeader>,
    pub(crate) active: ActiveSegment,
    /// Records in the order of their ids, those that nobody has begun to write.
    pub(crate) queue: Frames,
    /// `None` while somebody writes, or makes room to write to.
    writer: Option<Box<Writer>>,
    /// Where the next record goes; no byte behind that is taken. Exact when the queue is empty.
    pub(crate) end: End,
    /// Everything before this is durable, and marked as such.
    pub(crate) durable: Position,
    /// Whether somebody syncs right now.
    pub(crate) syncing: bool,
    /// How many threads wait until nobody writes or syncs: nobody begins to, until they had their turn.
    pub(crate) claims: usize,
    pub(crate) condition: Condition,
    /// The log was closed when it was opened, and nothing has been written since.
    pub(crate) untouched: bool,
    /// The active segment is torn behind its end: another one is made before anything is appended.
    pub(crate) cut_waits: bool,
    /// Segments that are pruned, and whose files could not be removed yet.
    pub(crate) leftovers: Vec<TxId>,
    /// Whether somebody removes the files of pruned segments right now.
    pub(crate) removing: bool,
    /// Where each truncation since the log was opened made it end.
    pub(crate) truncated_to: Vec<TxId>,
    /// Whether somebody makes a compressed segment right now, to take the place of another.
    pub(crate) rewriting: bool,
    /// Segments that can not be compressed, for they are damaged, or their files have vanished.
    pub(crate) unpackable: BTreeSet<TxId>,
    /// Compressing failed for another reason: in the background it is tried again once there is a new segment.
    pub(crate) packing_waits: bool,
    pub(crate) minimum_reader: u16,
    pub(crate) agenda: Agenda,
    /// The wakers of futures that wait for a record to be durable, in the order of the records.
    sleepers: BTreeMap<Sleeper, Waker>,
    next_sleeper: u64,
    /// What has changed since the state was taken.
    pub(crate) news: News,
    /// What is left for a thread that no other waits for.
    pub(crate) calls: Calls,
    pub(crate) waiting_for_written: usize,
    pub(crate) waiting_for_durable: usize,
    pub(crate) waiting_for_work: usize,
}

/// A future that waits for a record to be durable: the record, and a number of its own.
pub(crate) type Sleeper = (TxId, u64);

/// What a log still does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    Open,
    Closed,
    Poisoned,
}

/// Which threads are concerned by what has changed.
#[derive(Debug, Default)]
pub(crate) struct News {
    pub(crate) written: bool,
    pub(crate) durable: bool,
    pub(crate) work: bool,
}

impl News {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        !self.written && !self.durable && !self.work
    }
}

/// What is to be done for futures, by a thread that no other waits for.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// To be woken.
    pub(crate) wakers: Vec<Waker>,
    /// Wakers that nobody needs any more. What goes with them may want the state.
    pub(crate) forgotten: Vec<Waker>,
}

impl Calls {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.wakers.is_empty() && self.forgotten.is_empty()
    }
}

impl State {
    /// The state of a log that is durable up to its end.
    pub(crate) fn new(opened: Opened, interval: Option<Duration>) -> State {
        let Opened {
            headers,
            active,
            minimum_reader,
            untouched,
            cut_waits,
        } = opened;
        assert_eq!(headers.last(), Some(active.header()));
        State {
            end: active.end().into(),
            durable: active.end(),
            headers,
            queue: Frames::default(),
            writer: Some(Box::new(Writer::of(&active))),
            active,
            syncing: false,
            claims: 0,
            condition: Condition::Open,
            untouched,
            cut_waits,
            leftovers: Vec::new(),
            removing: false,
            truncated_to: Vec::new(),
            rewriting: false,
            unpackable: BTreeSet::new(),
            packing_waits: false,
            minimum_reader,
            agenda: Agenda::new(interval),
            sleepers: BTreeMap::new(),
            next_sleeper: 0,
            news: News::default(),
            calls: Calls::default(),
            waiting_for_written: 0,
            waiting_for_durable: 0,
            waiting_for_work: 0,
        }
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        match self.condition {
            Condition::Open => Ok(()),
            Condition::Closed => Err(Error::Closed),
            Condition::Poisoned => Err(Error::Poisoned),
        }
    }

    /// Whether the log asks for a newer reader than the header of the active segment.
    #[inline]
    pub(crate) fn asks_too_little(&self) -> bool {
        self.active.header().minimum_reader < self.minimum_reader
    }

    /// Nothing is acknowledged any more, and everybody who waits learns it.
    #[cold]
    pub(crate) fn poison(&mut self) {
        self.end_in(Condition::Poisoned);
    }

    pub(crate) fn poison_unless<T>(&mut self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.poison();
        }
        result
    }

    /// The log does nothing any more.
    pub(crate) fn end_in(&mut self, condition: Condition) {
        self.condition = condition;
        self.tell_all();
    }

    /// Everybody looks again.
    pub(crate) fn tell_all(&mut self) {
        self.news.written = true;
        self.news.durable = true;
        self.nudge();
        self.wake(TxId(u64::MAX));
    }

    /// Something has become due for those who maintain the log.
    pub(crate) fn nudge(&mut self) {
        self.agenda.nudges += 1;
        self.news.work = true;
    }

    /// Wakes the futures that are concerned: those whose record is durable, and all of them if nobody but they would sync.
    pub(crate) fn wake_sleepers(&mut self) {
        match self.agenda.attendants {
            0 => self.wake(TxId(u64::MAX)),
            _ => self.wake(self.durable.id),
        }
    }

    /// Wakes the futures that wait for a record before `end`.
    fn wake(&mut self, end: TxId) {
        let later = self.sleepers.split_off(&(end, 0));
        let woken = std::mem::replace(&mut self.sleepers, later);
        self.calls.wakers.extend(woken.into_values());
    }

    /// Has a waker woken when record `id` may be durable, and asks those who maintain the log to see to that.
    pub(crate) fn sleep(&mut self, id: TxId, waker: Waker) -> Sleeper {
        let sleeper = (id, self.next_sleeper);
        self.next_sleeper += 1;
        self.sleepers.insert(sleeper, waker);
        self.agenda.wanted = self.agenda.wanted.max(id.next());
        self.nudge();
        sleeper
    }

    pub(crate) fn forget_sleeper(&mut self, sleeper: Sleeper) {
        let forgotten = self.sleepers.remove(&sleeper);
        self.calls.forgotten.extend(forgotten);
    }

    /// Whether record `id` is durable, for someone who has noticed so many truncations: `None` as long as that is open.
    pub(crate) fn durability(&self, id: TxId, truncations: usize) -> Option<Result<()>> {
        self.arrival(id, self.durable.id, truncations)
    }

    /// The same for what has come as far as `reached`. Any number may be asked for.
    pub(crate) fn arrival(
        &self,
        id: TxId,
        reached: TxId,
        truncations: usize,
    ) -> Option<Result<()>> {
        let known = self.check_truncations(truncations, TxId(id.0.saturating_add(1)));
        if known.is_err() || id < reached {
            return Some(known);
        }
        let possible = self.check_exists(id).and_then(|()| self.check_open());
        possible.is_err().then_some(possible)
    }

    pub(crate) fn ends(&self) -> Ends {
        Ends {
            is_queue_empty: self.queue.is_empty(),
            is_queue_long: self.queue.len() >= WRITE_BYTES,
            end: self.end.id,
            durable: self.durable.id,
        }
    }

    /// The operating system has everything before this.
    #[inline]
    pub(crate) fn written(&self) -> Position {
        self.active.end()
    }

    /// Whether all records that have an id are written.
    pub(crate) fn is_written(&self) -> bool {
        self.written().id == self.end.id
    }

    /// Where the log goes on, in a segment that has just been made.
    pub(crate) fn continue_in(&mut self, next: ActiveSegment) {
        assert!(self.queue.is_empty());
        self.headers.push(*next.header());
        self.write_to(next);
        self.news.written = true;
        self.set_durable(self.active.end());
    }

    /// Where the log goes on, in the segment that a truncation has made of the one at `place`. Yields those that were given up.
    pub(crate) fn go_back_to(&mut self, place: usize, cut: ActiveSegment) -> Vec<SegmentHeader> {
        assert!(self.queue.is_empty());
        let given_up = self.headers.split_off(place);
        self.unpackable.retain(|base| *base < cut.header().base);
        self.headers.push(*cut.header());
        self.truncated_to.push(cut.end().id);
        self.durable = cut.end();
        // Who waits for a record behind that is told so, and asks for nothing more.
        self.agenda.wanted = self.agenda.wanted.min(cut.end().id);
        self.write_to(cut);
        self.tell_all();
        given_up
    }

    /// What is appended comes into another segment from now on.
    fn write_to(&mut self, active: ActiveSegment) {
        assert!(!self.is_writing());
        self.end = active.end().into();
        self.writer = Some(Box::new(Writer::of(&active)));
        self.active = active;
    }

    /// Fails if record `next` does not come next any more for someone who has noticed so many truncations.
    pub(crate) fn check_truncations(&self, noticed: usize, next: TxId) -> Result<()> {
        match self.truncated_to[noticed..].iter().min() {
            Some(&end) if next > end => Err(Error::Truncated { end }),
            _ => Ok(()),
        }
    }

    /// Fails if there is no record `asked`.
    pub(crate) fn check_exists(&self, asked: TxId) -> Result<()> {
        let end = self.end.id;
        if asked < end {
            Ok(())
        } else {
            Err(Error::BeyondEnd { asked, end })
        }
    }

    /// Whether somebody writes right now.
    #[inline]
    pub(crate) fn is_writing(&self) -> bool {
        self.writer.is_none()
    }

    /// Whether a thread may begin to write.
    #[inline]
    pub(crate) fn may_write(&self) -> bool {
        !self.is_writing() && self.claims == 0
    }

    /// Whether a thread may begin to sync.
    pub(crate) fn may_sync(&self) -> bool {
        !self.syncing && self.claims == 0
    }

    /// Keeps others from writing, and from changing segments.
    #[inline]
    pub(crate) fn take_writer(&mut self) -> Box<Writer> {
        let writer = self.writer.take().expect("nobody writes");
        assert_eq!(self.written(), writer.end());
        writer
    }

    /// Others may write again.
    #[inline]
    pub(crate) fn return_writer(&mut self, writer: Box<Writer>) {
        self.writer = Some(writer);
        self.news.written = true;
    }

    /// Lets a thread write up to the end as it is now: what is queued, and behind it `own_bytes` that are not.
    #[inline]
    pub(crate) fn begin_write(&mut self, own_bytes: u64) -> Box<Writer> {
        let mut writer = self.take_writer();
        self.end = writer.take(&mut self.queue, own_bytes, self.end.id);
        writer
    }

    /// Nobody writes any more.
    #[inline]
    pub(crate) fn end_write(
        &mut self,
        mut writer: Box<Writer>,
        wrote: Result<()>,
        queue_bytes_max: usize,
    ) -> Result<()> {
        let written = writer.end();
        writer.clear(queue_bytes_max.saturating_mul(2));
        self.return_writer(writer);
        self.poison_unless(wrote)?;
        if self.agenda.has_interval() && self.durable == self.written() {
            self.nudge();
        }
        self.active.advance(written);
        Ok(())
    }

    /// Fixes what a sync covers: all that is written now.
    pub(crate) fn sync_ticket(&mut self, mistake: Option<Mistake>) -> Result<SyncTicket> {
        let end = self.written();
        if mistake == Some(Mistake::MarkBeforeSync) {
            self.active.mark(end, MarkFlag::Plain)?;
        }
        Ok(SyncTicket {
            file: Arc::clone(self.active.file()),
            end,
        })
    }

    pub(crate) fn set_durable(&mut self, durable: Position) {
        assert!(self.durable.id <= durable.id);
        assert!(durable.id <= self.written().id);
        self.durable = durable;
        self.news.durable = true;
        self.wake_sleepers();
    }

    /// Syncs the active segment, its newest mark included, and gives its spare space back.
    ///
    /// Without this sync the next mark would replace the one before the newest while the newest is not on the medium: torn in
    /// the middle by a power cut, it would leave none.
    pub(crate) fn seal(&mut self) -> Result<()> {
        assert!(self.is_written());
        self.active.file().sync()?;
        if self.cut_waits {
            return Ok(());
        }
        self.active.trim()
    }

    /// Says in the active segment, durably, that the log keeps nothing before `floor`. Everything is durable then.
    pub(crate) fn raise_floor(&mut self, floor: TxId) -> Result<()> {
        assert!(self.is_written());
        let end = self.active.end();
        self.active.file().sync()?;
        self.active.raise_floor(floor);
        self.active.mark_floor()?;
        self.set_durable(end);
        Ok(())
    }

    /// Says in the active segment that the next one is there.
    pub(crate) fn mark_continued(&mut self) -> Result<()> {
        let end = self.active.end();
        self.active.mark(end, MarkFlag::Continued)?;
        self.active.file().sync()?;
        if self.cut_waits {
            self.active.trim()?;
        }
        Ok(())
    }

    /// Says in the active segment that the log ends there.
    pub(crate) fn mark_closed(&mut self) -> Result<()> {
        self.seal()?;
        if self.cut_waits {
            // With its torn tail it is no closed log; the next open finds the same.
            return Ok(());
        }
        let end = self.active.end();
        self.active.mark(end, MarkFlag::Closed)?;
        self.active.file().sync()?;
        self.set_durable(end);
        Ok(())
    }
}
