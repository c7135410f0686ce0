//! What the handles and readers of a live log share.
//!
//! The state is in [`crate::log_state`]; how records get in is in [`crate::writing`], how they become durable in [`crate::syncing`]. Here is
//! what changes segments, while nobody writes or syncs.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use disk::Dir;

use crate::active_segment::ActiveSegment;
use crate::error::{Error, Result};
use crate::format::SegmentHeader;
use crate::frame_cursor::Position;
use crate::log_id::LogId;
use crate::log_state::{Condition, State};
use crate::monitor::{Change, Held, Monitor};
use crate::options::{Options, SyncPolicy};
use crate::reservation::{Reservation, Reserve};
use crate::seek_cache::SeekCache;
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
    /// The active segment is torn behind its end, and the disk too full to make another one yet.
    pub(crate) cut_waits: bool,
}

/// What all handles and readers of a live log share.
#[derive(Debug)]
pub(crate) struct SharedLog {
    dir: Arc<dyn Dir>,
    options: Options,
    log_id: LogId,
    seek_cache: SeekCache,
    monitor: Monitor,
    /// From here on maintainers count, all of them alike.
    opened_at: Instant,
    /// How often the log was truncated since it was opened; changes while the state is held.
    pub(crate) truncations: AtomicUsize,
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
    /// No frame of it before this byte is written again or cut off: marks prove it, or the segment is complete.
    pub(crate) settled: u64,
    /// How often the log had been truncated when this was said.
    pub(crate) truncations: usize,
}

impl SharedLog {
    /// Everything up to the end of `active` is durable.
    pub(crate) fn new(dir: Arc<dyn Dir>, options: Options, opened: Opened) -> Self {
        let interval = match options.sync_policy {
            SyncPolicy::Interval(interval) => Some(interval),
            SyncPolicy::EveryCommit | SyncPolicy::Never => None,
        };
        SharedLog {
            log_id: opened.active.header().log_id,
            dir,
            options,
            seek_cache: SeekCache::default(),
            monitor: Monitor::new(State::new(opened, interval)),
            opened_at: Instant::now(),
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

    /// How long the log has been open.
    pub(crate) fn age(&self) -> Duration {
        self.opened_at.elapsed()
    }

    pub(crate) fn base(&self) -> TxId {
        self.lock().headers[0].base
    }

    /// The id that the next record gets.
    pub(crate) fn next_id(&self) -> TxId {
        self.lock().end.id
    }

    /// Where the log ends, once what is queued now is written; if that fails, where what is written ends.
    pub(crate) fn settled_end(&self) -> Position {
        let held = self.lock();
        let end = held.end.id;
        match self.write_before(held, end) {
            Ok(held) => held.written(),
            Err(_) => self.lock().written(),
        }
    }

    pub(crate) fn durable_end(&self) -> TxId {
        self.lock().durable.id
    }

    /// Where the log ends for readers: what the operating system has; after a failure only what is durable.
    pub(crate) fn visible(&self) -> Visible {
        let state = self.lock();
        let end = match state.condition {
            Condition::Poisoned => state.durable,
            Condition::Open | Condition::Closed => state.written(),
        };
        Visible {
            end,
            durable_end: state.durable.id,
        }
    }

    /// Where the log ends for those who want only what is durable.
    pub(crate) fn visible_durable(&self) -> Visible {
        let durable = self.lock().durable;
        Visible {
            end: durable,
            durable_end: durable.id,
        }
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        let is_poisoned = |state: &State| state.condition == Condition::Poisoned;
        self.monitor.look(is_poisoned)
    }

    /// Fails if nothing will be appended any more.
    pub(crate) fn check_goes_on(&self) -> Result<()> {
        self.monitor.look(State::check_open)
    }

    /// Waits, for at most `timeout`, until there may be a record `id`, or a durable one if `unproven` is false, or there will be none: the caller looks. `truncations`
    /// have been noticed.
    pub(crate) fn wait_for_more(
        &self,
        id: TxId,
        unproven: bool,
        truncations: usize,
        timeout: Option<Duration>,
    ) {
        let held = self.lock();
        let (end, change) = match unproven {
            true => (held.written(), Change::Written),
            false => (held.durable, Change::Durable),
        };
        let none_yet = id >= end.id && held.truncated_to.len() == truncations;
        if none_yet && held.condition == Condition::Open {
            match timeout {
                Some(timeout) => held.wait_at_most(change, timeout),
                None => held.wait_for(change),
            };
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
        let settled = match successor {
            Some(_) => u64::MAX,
            None => state.active.marked_byte(),
        };
        Ok(Placement {
            header: state.headers[after - 1],
            successor,
            settled,
            truncations: state.truncated_to.len(),
        })
    }

    pub(crate) fn rotate(&self) -> Result<()> {
        let mut held = self.claim(self.lock())?;
        self.rotate_claimed(&mut held)
    }

    /// Starts a new segment, unless the active one is as good as new. Everything before is written, and nobody writes or syncs.
    pub(crate) fn rotate_claimed(&self, state: &mut State) -> Result<()> {
        if state.active.is_empty() && !state.cut_waits && !state.asks_too_little() {
            return Ok(());
        }
        self.begin_segment(state, state.minimum_reader, 0)
    }

    /// Starts a new segment whose header asks for this payload version, or for a higher one that the log asks for, with room for so many bytes of frames; it takes the place
    /// of the active one if that is empty. As for [`SharedLog::rotate_claimed`], everything is written.
    pub(crate) fn begin_segment(
        &self,
        state: &mut State,
        minimum_reader: u16,
        bytes: u64,
    ) -> Result<()> {
        state.untouched = false;
        let minimum_reader = state.minimum_reader.max(minimum_reader);
        let sealed = state.seal();
        state.poison_unless(sealed)?;
        // What fails before the file is there changes nothing: the old segment simply goes on.
        let make_room = |next: &mut ActiveSegment| {
            let needed = next.end().byte + bytes;
            if !next.has_room(needed) {
                next.reserved(self.reservation(next, needed).carry_out()?);
            }
            Ok(())
        };
        let successor = state
            .active
            .successor(self.dir(), minimum_reader, make_room);
        let created = successor?;
        let mut next = state.poison_unless(created)?;
        if state.active.is_empty() {
            // The next one has replaced it, name and all.
            state.headers.pop();
        } else {
            // Crash here: the next segment is there and the old one does not say so. The next open completes it.
            let continued = state.mark_continued().and_then(|()| next.mark_named());
            state.poison_unless(continued)?;
        }
        state.cut_waits = false;
        state.packing_waits = false;
        state.minimum_reader = minimum_reader;
        state.continue_in(next);
        if self.options.compress_sealed {
            state.nudge();
        }
        Ok(())
    }

    /// How to make room in a segment up to the byte `needed`, and for more to come.
    pub(crate) fn reservation(&self, segment: &ActiveSegment, needed: u64) -> Reservation {
        let how = match self.options.sync_policy {
            SyncPolicy::EveryCommit | SyncPolicy::Interval(_) => Reserve::Zeros,
            SyncPolicy::Never => Reserve::Allocate,
        };
        segment.reservation(needed, how, self.options.segment_bytes_max)
    }

    pub(crate) fn minimum_reader(&self) -> u16 {
        self.lock().minimum_reader
    }

    pub(crate) fn raise_minimum_reader(&self, minimum_reader: u16) {
        let mut state = self.lock();
        state.minimum_reader = state.minimum_reader.max(minimum_reader);
    }

    pub(crate) fn close(&self) -> Result<()> {
        let closed = self.close_segments();
        self.wait_for_files();
        closed
    }

    fn close_segments(&self) -> Result<()> {
        let held = self.lock();
        if held.condition == Condition::Closed {
            return Ok(());
        }
        let mut held = match self.claim(held) {
            // Another thread closed it.
            Err(Error::Closed) => return Ok(()),
            claimed => claimed?,
        };
        if !held.untouched {
            let closed = held.mark_closed();
            held.poison_unless(closed)?;
        }
        held.end_in(Condition::Closed);
        Ok(())
    }

    /// Waits until nobody makes a segment anew or removes one, in a log that does nothing any more: whoever makes one anew looks from time to time whether it goes on.
    ///
    /// Whoever opens the log next may do both too, the first under the same temporary name.
    pub(crate) fn wait_for_files(&self) {
        let mut held = self.lock();
        while (held.rewriting || held.removing) && held.condition != Condition::Open {
            held = held.wait_for(Change::Written);
        }
    }

    /// Waits until nobody writes or syncs, and writes what is queued. Nobody begins to, as long as the state is held.
    pub(crate) fn claim<'a>(&'a self, mut held: Held<'a>) -> Result<Held<'a>> {
        let mut stood_in_the_way = false;
        held.claims += 1;
        while held.condition == Condition::Open && (held.is_writing() || held.syncing) {
            let awaited = match held.syncing {
                true => Change::Durable,
                false => Change::Written,
            };
            held = held.wait_on_duty(awaited);
            stood_in_the_way = true;
        }
        held.claims -= 1;
        if stood_in_the_way {
            // Those who had to stand back look again.
            held.tell_all();
        }
        held.check_open()?;
        if !held.is_written() {
            let mut writer = held.begin_write(0);
            let wrote = self.carry_out(&mut writer, &[]);
            held.end_write(writer, wrote, self.options.queue_bytes_max)?;
        }
        Ok(held)
    }

    #[inline]
    pub(crate) fn lock(&self) -> Held<'_> {
        self.monitor.lock()
    }
}
