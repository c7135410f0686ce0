//! What is done in the background: in steps, whenever somebody calls, with the time that they say it is.

use std::time::Duration;

use crate::error::Result;
use crate::monitor::Change;
use crate::shared_log::SharedLog;

impl SharedLog {
    /// Does what is due at `now`. Yields when something is due next.
    pub(crate) fn maintain(&self, now: Duration) -> Result<Option<Duration>> {
        let mut held = self.lock();
        loop {
            held.check_open()?;
            let ends = held.ends();
            if held.agenda.sync_is_due(now, ends) {
                if !held.may_sync() {
                    held = held.wait_for(Change::Durable);
                    continue;
                }
                // This writes the queue, too.
                let ticket = self.lead_sync(held)?;
                held = self.finish_sync(&ticket)?;
                held.agenda.synced(now);
            } else if held.agenda.write_is_due(now, ends) {
                held = self.write_or_wait(held)?;
            } else {
                let due = held.agenda.next_due(ends);
                drop(held);
                // A step of its own: what became due meanwhile comes first.
                let more = self.options().compress_sealed && self.compress_in_background()?;
                return Ok(if more { Some(now) } else { due });
            }
        }
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

    /// Waits until something has become due, or for so long at most.
    pub(crate) fn wait_for_work(&self, at_most: Option<Duration>) {
        let mut held = self.lock();
        if !held.agenda.nudged {
            held = match at_most {
                Some(at_most) => held.wait_at_most(Change::Work, at_most),
                None => held.wait_for(Change::Work),
            };
        }
        held.agenda.nudged = false;
    }

    /// Has those who attend look whether something is due.
    pub(crate) fn nudge(&self) {
        self.lock().nudge();
    }
}
