//! What there is to do in the background, and when.

use std::time::Duration;

use crate::tx_id::TxId;

/// So long a queued record waits for others to be written with it, if somebody maintains the log.
const LINGER: Duration = Duration::from_millis(5);

/// What is due for whoever maintains a log. Times are what [`crate::Log::maintain`] is told.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    /// How often is synced, if that is the policy.
    interval: Option<Duration>,
    /// How many threads do what is due as soon as they are nudged.
    pub(crate) attendants: usize,
    /// How often something has become due: each of them compares it with what it was when they last looked.
    pub(crate) nudges: u64,
    /// Somebody waits for everything before this to be durable.
    pub(crate) wanted: TxId,
    /// When the queue is to be written, once that is known.
    write_at: Option<Duration>,
    /// When the next interval ends.
    sync_at: Duration,
}

/// The ends of a log, as far as the agenda depends on them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) is_queue_empty: bool,
    pub(crate) is_queue_long: bool,
    pub(crate) end: TxId,
    pub(crate) durable: TxId,
}

impl Agenda {
    pub(crate) fn new(interval: Option<Duration>) -> Agenda {
        Agenda {
            interval,
            ..Agenda::default()
        }
    }

    /// Whether what is written is synced at an interval.
    pub(crate) fn has_interval(&self) -> bool {
        self.interval.is_some()
    }

    /// Whether the queue is to be written now.
    pub(crate) fn write_is_due(&mut self, now: Duration, ends: Ends) -> bool {
        if ends.is_queue_empty {
            self.write_at = None;
            return false;
        }
        let write_at = *self.write_at.get_or_insert(now.saturating_add(LINGER));
        ends.is_queue_long || is_over(write_at, now, LINGER)
    }

    /// Whether to sync now.
    pub(crate) fn sync_is_due(&self, now: Duration, ends: Ends) -> bool {
        let is_wanted = self.wanted.min(ends.end) > ends.durable;
        let interval_ends = self
            .interval
            .is_some_and(|interval| is_over(self.sync_at, now, interval));
        is_wanted || (interval_ends && ends.end > ends.durable)
    }

    /// A sync was done.
    pub(crate) fn synced(&mut self, now: Duration) {
        if let Some(interval) = self.interval {
            self.sync_at = now.saturating_add(interval);
        }
    }

    /// When something is due next, if nothing else happens.
    pub(crate) fn next_due(&self, ends: Ends) -> Option<Duration> {
        let write = self.write_at.filter(|_| !ends.is_queue_empty);
        let sync = self.interval.is_some() && ends.end > ends.durable;
        let sync = sync.then_some(self.sync_at);
        match (write, sync) {
            (Some(write), Some(sync)) => Some(write.min(sync)),
            (write, sync) => write.or(sync),
        }
    }
}

/// Whether a wait of length `span` that ends at `end` is over. One that has longer to go was begun by somebody whose clock was ahead.
fn is_over(end: Duration, now: Duration, span: Duration) -> bool {
    end.saturating_sub(now) > span || end <= now
}
