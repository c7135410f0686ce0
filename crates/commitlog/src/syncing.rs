//! The group commit: one thread syncs for all that wait.
//!
//! ```text
//!           leader    write the queue   sync ...............   mark   release all before that end
//!           others         append  append  wait  append  wait  wait        one of those left leads the next sync
//! ```
//!
//! The next batch forms while the last one syncs. A waiter is released only after the mark that proves its record was written, so that after a
//! kill no damage to an acknowledged record passes for a torn tail.

use std::sync::Arc;

use disk::File;

use crate::active_segment::MarkFlag;
use crate::error::Result;
use crate::frame_cursor::Position;
use crate::monitor::{Change, Held};
use crate::options::Mistake;
use crate::shared_log::SharedLog;
use crate::tx_id::TxId;

/// A sync with a fixed end: what was written before it began.
#[derive(Debug)]
pub(crate) struct SyncTicket {
    pub(crate) file: Arc<dyn File>,
    pub(crate) end: Position,
}

impl SharedLog {
    pub(crate) fn wait_durable(&self, id: TxId) -> Result<()> {
        let held = self.lock();
        let truncations = held.truncated_to.len();
        self.wait_until_durable(held, id, truncations)
    }

    /// Makes everything durable that has an id now.
    pub(crate) fn sync(&self) -> Result<()> {
        let held = self.lock();
        let truncations = held.truncated_to.len();
        match held.end.id.previous() {
            Some(last) => self.wait_until_durable(held, last, truncations),
            None => Ok(()),
        }
    }

    /// Waits until the record is durable that had this id when the log had been truncated so often.
    pub(crate) fn wait_until_durable<'a>(
        &'a self,
        mut held: Held<'a>,
        id: TxId,
        truncations: usize,
    ) -> Result<()> {
        if self.options().mistake == Some(Mistake::AcknowledgeQueued) && id >= held.written().id {
            return held.check_exists(id);
        }
        loop {
            if let Some(ended) = held.durability(id, truncations) {
                return ended;
            }
            if held.may_sync() {
                held = self.lead_sync(held)?;
            } else {
                held = held.wait_for(Change::Durable);
            }
        }
    }

    /// The first half of a sync, on its own: nobody else syncs before [`SharedLog::finish_sync`].
    pub(crate) fn begin_sync(&self) -> Result<SyncTicket> {
        let mut held = self.lock();
        loop {
            held.check_open()?;
            if held.may_sync() {
                held.untouched = false;
                let (mut held, ticket) = self.fix_end(held)?;
                held.step_back();
                return Ok(ticket);
            }
            held = held.wait_for(Change::Durable);
        }
    }

    /// Syncs everything that is appended before this, and releases its waiters.
    pub(crate) fn lead_sync<'a>(&'a self, held: Held<'a>) -> Result<Held<'a>> {
        let (held, ticket) = self.fix_end(held)?;
        self.finish_sync(held, &ticket)
    }

    /// Begins a sync, of everything that is appended before this: what is still queued is written first.
    fn fix_end<'a>(&'a self, mut held: Held<'a>) -> Result<(Held<'a>, SyncTicket)> {
        held.syncing = true;
        let appended = held.end.id;
        while held.written().id < appended {
            // Whoever claims the log waits for the end of this sync.
            if held.is_writing() {
                held = held.wait_on_duty(Change::Written);
            } else {
                self.lead_write(&mut held, &[], 0)?;
            }
            held.check_open()?;
        }
        let ticket = held.sync_ticket(self.options().mistake);
        let ticket = held.poison_unless(ticket)?;
        Ok((held, ticket))
    }

    /// Syncs, marks what was synced and releases its waiters, or poisons.
    pub(crate) fn finish_sync<'a>(
        &'a self,
        mut held: Held<'a>,
        ticket: &SyncTicket,
    ) -> Result<Held<'a>> {
        let synced = held.meanwhile(|| ticket.file.sync());
        held.syncing = false;
        held.news.durable = true;
        if held.agenda.wanted > ticket.end.id {
            held.nudge();
        }
        held.check_open()?;
        let marked = match (synced, self.options().mistake) {
            (Ok(()), Some(Mistake::MarkBeforeSync | Mistake::AcknowledgeBeforeMark)) => Ok(()),
            (Ok(()), _) => held.active.mark(ticket.end, MarkFlag::Plain),
            (Err(error), _) => Err(error.into()),
        };
        held.poison_unless(marked)?;
        // Rotation waits for a sync in progress, so this is still the same segment.
        held.set_durable(ticket.end);
        Ok(held)
    }
}
