//! A log that is only read: no lock, no write, no repair, also beside a live writer or on a read-only medium.

use std::ops::Range;
use std::sync::Arc;

use disk::Dir;

use crate::chain::Chain;
use crate::error::Result;
use crate::follower::{FollowOptions, Follower};
use crate::log_id::LogId;
use crate::look::Extent;
use crate::open_report::{Proof, TornTail};
use crate::reader::Reader;
use crate::shipment::Shipment;
use crate::still_log::StillLog;
use crate::tail_log::TailLog;
use crate::tx_id::TxId;

/// Options of a log that is only read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOnlyOptions {
    /// Whether to show sound records beyond the proven end too, flagged by [`crate::Record::proven`]. The writer may still take
    /// them back. Default: no.
    pub show_unproven: bool,
    /// The newest payload version that this program reads. Default: `u16::MAX`.
    pub reader: u16,
}

impl Default for ReadOnlyOptions {
    fn default() -> Self {
        ReadOnlyOptions {
            show_unproven: false,
            reader: u16::MAX,
        }
    }
}

/// A log that is only read, as it was when it was opened or last refreshed.
#[derive(Debug)]
pub struct ReadOnlyLog {
    dir: Arc<dyn Dir>,
    options: ReadOnlyOptions,
    log: Arc<StillLog>,
}

impl ReadOnlyLog {
    /// Opens the log that the directory holds. `proofs` are the sound snapshots that are known.
    ///
    /// # Errors
    /// [`crate::Error::NoLog`], [`crate::Error::Damaged`], [`crate::Error::NewerFormat`], [`crate::Error::Io`].
    pub fn open(
        dir: Arc<dyn Dir>,
        options: ReadOnlyOptions,
        proofs: &[Proof],
    ) -> Result<ReadOnlyLog> {
        let places = Arc::default();
        let log = Arc::new(StillLog::open(Arc::clone(&dir), &options, proofs, places)?);
        Ok(ReadOnlyLog { dir, options, log })
    }

    /// Looks again, to see what a writer has added or removed.
    ///
    /// # Errors
    /// As [`ReadOnlyLog::open`]; then this log stays as it was.
    pub fn refresh(&mut self, proofs: &[Proof]) -> Result<()> {
        let places = Arc::clone(self.log.seek_cache());
        self.log = Arc::new(StillLog::open(
            Arc::clone(&self.dir),
            &self.options,
            proofs,
            places,
        )?);
        Ok(())
    }

    /// Which log this is.
    pub fn log_id(&self) -> LogId {
        self.log.look().newest().header.log_id
    }

    /// What headers and marks told.
    pub fn extent(&self) -> Extent {
        self.log.look().extent()
    }

    /// The oldest record that is kept.
    pub fn base(&self) -> TxId {
        self.extent().base
    }

    /// The first record that is not shown.
    pub fn next_id(&self) -> TxId {
        self.log.visible().end.id
    }

    /// The first record of which nothing proves that it had been synced.
    pub fn proven_end(&self) -> TxId {
        self.log.visible().durable_end
    }

    /// The first record that is not sound, proven or not, shown or not.
    pub fn sound_end(&self) -> TxId {
        self.log.end.id
    }

    /// What stood behind [`ReadOnlyLog::sound_end`] in the newest segment, if it was neither zero nor a record.
    ///
    /// Beside a live writer that is a record that is not written completely *yet*; if nobody writes, the tail is torn, and the next writable open
    /// cuts it off and reports the same.
    pub fn unfinished_tail(&self) -> Option<TornTail> {
        self.log.tail
    }

    /// The chain after the last record that is shown.
    pub fn chain_at_end(&self) -> Chain {
        self.log.visible().end.chain
    }

    /// The chain after record `id`, also for the one before the oldest that is kept.
    ///
    /// # Errors
    /// [`crate::Error::Pruned`], [`crate::Error::BeyondEnd`], [`crate::Error::Damaged`], [`crate::Error::Io`]. [`crate::Error::Truncated`] if a writer gave up
    /// the record since this log was looked at.
    pub fn chain_after(&self, id: TxId) -> Result<Chain> {
        self.reader(TxId(id.0.saturating_add(1)))?.chain_here()
    }

    /// Reads from record `from` on, up to what is shown. What it walks over to get there, and what that may meet: see [`crate::Log::reader`].
    ///
    /// # Errors
    /// [`crate::Error::Pruned`], [`crate::Error::BeyondEnd`].
    pub fn reader(&self, from: TxId) -> Result<Reader> {
        Reader::of_still_log(Arc::clone(&self.log), from)
    }

    /// Yields record `from` and those behind it as marks prove them, waiting for them beside the writer, another process perhaps. Looks at the directory anew: what
    /// this log shows is not changed by it.
    ///
    /// # Errors
    /// [`crate::Error::Pruned`]; [`crate::Error::BeyondEnd`]; [`crate::Error::OtherHistory`] if [`FollowOptions::chain_before`] is not the chain before it;
    /// [`crate::Error::Damaged`]; [`crate::Error::NewerFormat`]; [`crate::Error::Io`].
    pub fn follow(&self, from: TxId, options: FollowOptions) -> Result<Follower> {
        let log = TailLog::open(
            Arc::clone(&self.dir),
            self.options.reader,
            options.show_unproven,
            Arc::clone(self.log.seek_cache()),
        )?;
        Follower::of_tail_log(Arc::new(log), from, options)
    }

    /// Copies proven records out, to be appended to another log: see [`crate::Log::ship`].
    ///
    /// # Errors
    /// [`crate::Error::Pruned`]; [`crate::Error::BeyondEnd`] if a record is asked for that is not proven; [`crate::Error::Damaged`]; [`crate::Error::Io`];
    /// [`crate::Error::Truncated`] if a writer gave up a record of them since this log was looked at.
    pub fn ship(&self, range: Range<TxId>, bytes_max: u64) -> Result<Shipment> {
        let reader = self.reader(range.start)?;
        let minimum_reader = || self.log.look().minimum_reader();
        Shipment::pack(reader, range.end, bytes_max, self.log_id(), minimum_reader)
    }

    /// Reads and verifies every record that is shown. Yields how many there are.
    ///
    /// # Errors
    /// [`crate::Error::Damaged`], [`crate::Error::Io`]. [`crate::Error::Pruned`] and [`crate::Error::Truncated`] if a writer gave up records since this log was looked
    /// at: whoever wants to know refreshes it and asks again.
    pub fn verify(&self) -> Result<u64> {
        self.reader(self.base())?.count_remaining()
    }

    #[cfg(test)]
    pub(crate) fn still(&self) -> &StillLog {
        &self.log
    }
}
