//! What is done in the background: in steps, whenever somebody calls, with the time that they say it is.

use std::time::Duration;

use crate::error::Result;
use crate::monitor::{Change, Held};
use crate::shared_log::SharedLog;
use crate::tx_id::TxId;

impl SharedLog {
    /// Does what is due at `now`. Yields when something is due next.
    pub(crate) fn maintain(&self, now: Duration) -> Result<Option<Duration>> {
        let due = self.write_and_sync(now)?;
        // Steps of their own: whoever calls may have something else to do, and what became due meanwhile comes before a segment is compressed.
        let is_idle = due.is_none_or(|due| due > now);
        let more = is_idle && self.options().compress_sealed && self.compress_in_background()?;
        Ok(if more { Some(now) } else { due })
    }

    /// Does what is due at `now`, but compresses nothing. Yields when something is due next.
    pub(crate) fn write_and_sync(&self, now: Duration) -> Result<Option<Duration>> {
        let mut held = self.lock();
        held.check_open()?;
        let ends = held.ends();
        if held.agenda.sync_is_due(now, ends) {
            // This writes the queue, too.
            held = self.sync_before(held, ends.end)?;
            held.agenda.synced(now);
        } else if held.agenda.write_is_due(now, ends) {
            held = self.write_before(held, ends.end)?;
        }
        let ends = held.ends();
        let more = held.agenda.sync_is_due(now, ends) || held.agenda.write_is_due(now, ends);
        let due = held.agenda.next_due(ends);
        Ok(if more { Some(now) } else { due })
    }

    /// Makes everything before `end` durable, or waits until others have. What is appended meanwhile does not make it longer.
    fn sync_before<'a>(&'a self, mut held: Held<'a>, end: TxId) -> Result<Held<'a>> {
        // A truncation may have taken the end back.
        while held.durable.id < end.min(held.end.id) {
            held.check_open()?;
            held = if held.may_sync() {
                self.lead_sync(held)?
            } else {
                held.wait_for(Change::Durable)
            };
        }
        Ok(held)
    }

    /// Somebody maintains the log from now on, as soon as there is something to do.
    pub(crate) fn attend(&self) {
        self.lock().agenda.attendants += 1;
    }

    /// They do not any more: whoever counted on them has to look after themselves.
    pub(crate) fn leave(&self) {
        let mut held = self.lock();
        held.agenda.attendants -= 1;
        held.wake_sleepers();
    }

    /// Waits until something has become due since there were so many nudges, or for so long at most. Yields how many there are now.
    pub(crate) fn wait_for_work(&self, nudges: u64, at_most: Option<Duration>) -> u64 {
        let mut held = self.lock();
        if held.agenda.nudges == nudges {
            held = match at_most {
                Some(at_most) => held.wait_at_most(Change::Work, at_most),
                None => held.wait_for(Change::Work),
            };
        }
        held.agenda.nudges
    }

    /// Has those who attend look whether something is due.
    pub(crate) fn nudge(&self) {
        self.lock().nudge();
    }
}
