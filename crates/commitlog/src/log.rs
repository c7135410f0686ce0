//! A log that is written.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use disk::Dir;

use crate::active_segment::ActiveSegment;
use crate::chain::Chain;
use crate::compression::Compressed;
use crate::durable::Durable;
use crate::error::{Error, Result};
use crate::follower::{FollowOptions, Follower};
use crate::format::{START_BASE_MAX, START_EPOCH_MAX};
use crate::log_id::LogId;
use crate::look::{Extent, look};
use crate::new_record::check_length;
use crate::open_report::{OpenReport, Proof};
use crate::options::{Handoff, Options, Start, SyncPolicy};
use crate::reader::Reader;
use crate::recovery::recover;
use crate::segment_name::parse_segment_name;
use crate::shared_log::{Opened, SharedLog};
use crate::shipment::{Shipment, VerifiedShipment};
use crate::truncation::Truncated;
use crate::tx_id::TxId;

/// A log that is open for writing. All calls take `&self`; threads may share it.
///
/// Only one may be open for a directory at a time, in all processes: whoever opens it holds a lock, for example
/// [`disk::Dir::lock`]. The log takes none itself.
///
/// Dropping it without [`Log::close`] hands what is queued to the operating system and is otherwise what a crash is: nothing that was acknowledged
/// is lost, and the next open has to look closer. That this failed is only told to `tracing`.
#[derive(Debug)]
pub struct Log {
    shared: Arc<SharedLog>,
}

/// What [`Log::prune_before`] removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Pruned {
    /// How many segments were removed.
    pub segments_removed: usize,
    /// The oldest record that is kept now.
    pub base: TxId,
}

impl Log {
    /// Creates a log that begins at record 0 and holds the records `first`, each a payload and an optional time.
    ///
    /// A crash at any point leaves the complete log or none. Once this returns Ok, it is durable, `first` included.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] if the directory holds a segment; [`Error::TransactionTooLarge`]; [`Error::Full`]: there is no log; [`Error::Io`], after
    /// which the log may exist or not.
    pub fn create(
        dir: Arc<dyn Dir>,
        log_id: LogId,
        options: Options,
        first: &[(&[u8], Option<i64>)],
    ) -> Result<Log> {
        Log::create_at(dir, log_id, options, Start::genesis(log_id), first)
    }

    /// Creates a log that begins elsewhere: behind a snapshot whose log was lost.
    ///
    /// # Errors
    /// As [`Log::create`].
    ///
    /// # Panics
    /// If the base is above 2^61 or the epoch above 2^30: so there is room behind it that no log uses up.
    pub fn create_at(
        dir: Arc<dyn Dir>,
        log_id: LogId,
        options: Options,
        start: Start,
        first: &[(&[u8], Option<i64>)],
    ) -> Result<Log> {
        assert!(
            start.base <= START_BASE_MAX,
            "no log begins at {}",
            start.base
        );
        assert!(start.epoch <= START_EPOCH_MAX, "no log has so many epochs");
        let names = dir.list()?;
        if names
            .iter()
            .any(|entry| parse_segment_name(&entry.name).is_some())
        {
            let path = dir.path().to_path_buf();
            return Err(Error::AlreadyExists { path });
        }
        for (payload, _) in first {
            check_length(payload, options.payload_bytes_max)?;
        }
        let minimum_reader = options.minimum_reader;
        let active = ActiveSegment::create(dir.as_ref(), log_id, start, minimum_reader, first)?;
        let opened = Opened {
            headers: vec![*active.header()],
            active,
            minimum_reader,
            untouched: false,
            cut_waits: false,
        };
        Ok(Log {
            shared: Arc::new(SharedLog::new(dir, options, opened)),
        })
    }

    /// Opens the log that the directory holds. `proofs` are the sound snapshots that are known, in any order.
    ///
    /// Verifies the newest segment wholly and of the others how they fit together; their records are verified when they are read. A tail that
    /// was never acknowledged as durable is cut and reported; everything that is there afterwards is durable. A
    /// log that was closed is opened without changing a byte.
    ///
    /// # Errors
    /// [`Error::NoLog`]; [`Error::Damaged`], then nothing was changed; [`Error::NewerFormat`]; [`Error::Io`], after which opening again is safe. [`Error::Full`]: a
    /// sync of the directory failed before, or a power cut took the note that it did not, and making the newest segment anew needs as much space as that takes.
    pub fn open(
        dir: Arc<dyn Dir>,
        options: Options,
        proofs: &[Proof],
    ) -> Result<(Log, OpenReport)> {
        let (opened, report) = recover(dir.as_ref(), &options, proofs)?;
        let log = Log {
            shared: Arc::new(SharedLog::new(dir, options, opened)),
        };
        Ok((log, report))
    }

    /// Looks at headers and marks, without lock, repair or reading of records; also beside a live writer.
    ///
    /// # Errors
    /// [`Error::NoLog`]; [`Error::Damaged`]; [`Error::NewerFormat`]; [`Error::Io`].
    pub fn inspect(dir: &dyn Dir) -> Result<Extent> {
        Ok(look(dir, u16::MAX)?.extent())
    }

    /// Appends a record. It is with the operating system when this returns, or queued, as [`Options::handoff`] says; it is durable only
    /// later: see [`Log::wait_durable`].
    ///
    /// May start a new segment, which syncs, under every policy. The time `i64::MIN` is the same as none.
    ///
    /// # Errors
    /// [`Error::TransactionTooLarge`] and [`Error::Full`]: nothing was written, the log goes on. [`Error::Io`], [`Error::Unknown`]: if the log is poisoned
    /// afterwards, the record may appear after reopening; if it is not, nothing was appended. [`Error::Poisoned`] and [`Error::Closed`]: nothing was appended.
    /// [`Error::Truncated`]: the record had its id, and another thread gave it up by [`Log::truncate_after`] before this returned.
    pub fn append(&self, payload: &[u8], time: Option<i64>) -> Result<TxId> {
        self.append_with(payload, time, self.shared.options().handoff)
    }

    /// Appends a record, and returns when `handoff` says.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn append_with(&self, payload: &[u8], time: Option<i64>, handoff: Handoff) -> Result<TxId> {
        let appended = self.shared.append(&[(payload, time)], handoff)?;
        Ok(appended.ids.start)
    }

    /// Appends records, each a payload and an optional time, one behind the other and with one write. Yields their ids.
    ///
    /// All of them get ids, or none, and all stand in one segment, however long that gets: see [`Options::segment_bytes_max`]. They are records like any other: a crash
    /// before they are durable may leave the first few.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn append_batch(&self, records: &[(&[u8], Option<i64>)]) -> Result<Range<TxId>> {
        self.append_batch_with(records, self.shared.options().handoff)
    }

    /// Appends records as [`Log::append_batch`] does, and returns when `handoff` says. To queue many at once costs each of them less than to queue them one by one.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn append_batch_with(
        &self,
        records: &[(&[u8], Option<i64>)],
        handoff: Handoff,
    ) -> Result<Range<TxId>> {
        Ok(self.shared.append(records, handoff)?.ids)
    }

    /// Waits until the operating system has the record: then a killed process does not lose it. As for [`Log::wait_durable`], it is the record that has this id now.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Poisoned`] if a write failed: the record may appear after reopening or not.
    /// [`Error::BeyondEnd`] if there is no such record, [`Error::Truncated`] if it is given up meanwhile.
    pub fn wait_written(&self, id: TxId) -> Result<()> {
        self.shared.wait_written(id)
    }

    /// Waits until the record is durable. One of the waiting threads syncs for all.
    ///
    /// It is the record that has this id when this is called. After [`Log::truncate_after`] ids are given again: if another thread may truncate and append between an append and
    /// this, the record may be another one, and [`Log::commit`] is the call that tells.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Poisoned`] if a sync failed: the record may appear after reopening or not.
    /// [`Error::BeyondEnd`] if there is no such record, [`Error::Truncated`] if it is given up meanwhile. [`Error::Closed`] if the log was dropped without a
    /// close, or is closed while nothing of it was durable: the record was appended, and nobody waited for it; it may appear after reopening or not.
    pub fn wait_durable(&self, id: TxId) -> Result<()> {
        self.shared.wait_durable(id)
    }

    /// A future that ends when the record is durable that has this id now, with the errors of [`Log::wait_durable`]. It needs no particular runtime.
    ///
    /// A [`Maintainer`](crate::Maintainer) syncs for it, and so does any thread that waits. If there is neither, polling it syncs, and so blocks the thread
    /// that polls. A waker may use the log: whoever runs it is in no one's way. One that panics is caught, and traced: the others are woken, and the log goes on. Dropping the future changes nothing for others. It outlives the log: [`Error::Closed`] then says that nobody waited for the record any more, not that it
    /// is lost.
    pub fn durable(&self, id: TxId) -> Durable {
        Durable::new(Arc::clone(&self.shared), id)
    }

    /// Does what is due in the background, for a thread that calls this from time to time: writes what is queued, and syncs if the interval of the
    /// policy is over or a future waits; if there is nothing of that and the options ask for it, compresses one segment, which may take a
    /// second for each 100 MiB. `now` is a time counted from anywhere; where it goes back, because somebody else counts now, what waited is due.
    ///
    /// A call writes once and syncs once at most, however much is appended meanwhile. Yields when something will be due, if nothing happens before that: `now`, if that is
    /// already so. Who can be woken meanwhile uses a [`Maintainer`](crate::Maintainer); who can not
    /// calls this again after the interval at the latest.
    ///
    /// # Errors
    /// [`Error::Io`], after which the log is poisoned; [`Error::Poisoned`], [`Error::Closed`]. And, once each, what [`Log::compress_sealed`] says, after which the
    /// log goes on: a damaged or vanished segment stays as it is, other failures are tried again when there is a new segment.
    pub fn maintain(&self, now: Duration) -> Result<Option<Duration>> {
        self.shared.maintain(now)
    }

    /// Appends a record and waits as the sync policy says.
    ///
    /// # Errors
    /// As [`Log::append`] and [`Log::wait_durable`], and so [`Error::Poisoned`] and [`Error::Closed`] say less than after an append: the record may have got its id,
    /// then it may appear after reopening or not. [`Error::Truncated`]: another thread gave it up before this returned.
    pub fn commit(&self, payload: &[u8], time: Option<i64>) -> Result<TxId> {
        match self.shared.options().sync_policy {
            SyncPolicy::EveryCommit => {
                let appended = self.shared.append(&[(payload, time)], Handoff::Queued)?;
                let id = appended.ids.start;
                let held = self.shared.lock();
                self.shared
                    .wait_until_durable(held, id, appended.truncations)?;
                Ok(id)
            }
            SyncPolicy::Interval(_) | SyncPolicy::Never => {
                self.append_with(payload, time, Handoff::Written)
            }
        }
    }

    /// Makes everything that was appended before durable, under every policy.
    ///
    /// # Errors
    /// As [`Log::wait_durable`].
    pub fn sync(&self) -> Result<()> {
        self.shared.sync()
    }

    /// Which log this is.
    pub fn log_id(&self) -> LogId {
        self.shared.log_id()
    }

    /// The oldest record that is kept.
    pub fn base(&self) -> TxId {
        self.shared.base()
    }

    /// The id that the next record gets: the end of the log.
    pub fn next_id(&self) -> TxId {
        self.shared.next_id()
    }

    /// The first record that is not known to be durable.
    pub fn durable_end(&self) -> TxId {
        self.shared.durable_end()
    }

    /// Whether a failed write or sync has ended it: whatever writes is [`Error::Poisoned`] from then on.
    pub fn is_poisoned(&self) -> bool {
        self.shared.is_poisoned()
    }

    /// The last record that is known to be durable; `None` if there is none before [`Log::durable_end`].
    pub fn durable_through(&self) -> Option<TxId> {
        self.durable_end().previous()
    }

    /// The chain after the last record. What is queued is written for that; if it can not be, the chain after the last record that is written.
    ///
    /// Who appends alone and wants the chain after each record gets it for less from [`Chain::after`].
    pub fn chain_at_end(&self) -> Chain {
        self.shared.settled_end().chain
    }

    /// The chain after record `id`, also for the one before the oldest that is kept.
    ///
    /// Costs a walk over the headers of one segment.
    ///
    /// # Errors
    /// [`Error::Pruned`], [`Error::BeyondEnd`], [`Error::Damaged`], [`Error::Io`], and those of [`Log::reader`]. [`Error::Truncated`] if record `id` is given up meanwhile.
    pub fn chain_after(&self, id: TxId) -> Result<Chain> {
        self.reader(TxId(id.0.saturating_add(1)))?.chain_here()
    }

    /// Reads from record `from` on, up to the end of the log at the time of each call. Independent of this handle's life.
    ///
    /// The first reader that begins within a segment walks over the headers from its front on to the record, those after it over the last 64 KiB of them or so. What is yielded
    /// from the record on, and what is said of damage there, does not depend on that; whether damage to a header *before* it in the same segment is told of, does: who walks over it can not find
    /// the record.
    ///
    /// # Errors
    /// [`Error::Pruned`] if the record is not kept any more, [`Error::BeyondEnd`] if it lies behind [`Log::next_id`]. What
    /// comes before it is written if it was queued, with the errors of [`Log::wait_written`].
    pub fn reader(&self, from: TxId) -> Result<Reader> {
        self.write_before(from)?;
        Reader::of_live_log(Arc::clone(&self.shared), from)
    }

    /// Where something begins to read may still be queued.
    fn write_before(&self, from: TxId) -> Result<()> {
        match from.previous() {
            Some(last) if from <= self.next_id() => self.shared.wait_written(last),
            _ => Ok(()),
        }
    }

    /// Yields record `from` and those behind it as they become durable, waiting for them. Independent of this handle's life.
    ///
    /// # Errors
    /// [`Error::Pruned`]; [`Error::BeyondEnd`] if `from` lies behind [`Log::next_id`]; [`Error::OtherHistory`] if
    /// [`FollowOptions::chain_before`] is not the chain before it, and [`Error::Damaged`] or [`Error::Io`] where that is looked up. What
    /// comes before it is written if it was queued, with the errors of [`Log::wait_written`].
    pub fn follow(&self, from: TxId, options: FollowOptions) -> Result<Follower> {
        self.write_before(from)?;
        Follower::of_live_log(Arc::clone(&self.shared), from, options)
    }

    /// Reads and verifies every record that is kept. Yields how many there are. What is queued is written for that; if it can not be, it is not counted.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Io`]. [`Error::Pruned`] and [`Error::Truncated`] if another thread gave up records that this had not come to, or that it had
    /// counted: whoever wants to know asks again.
    pub fn verify(&self) -> Result<u64> {
        self.shared.settled_end();
        self.reader(self.base())?.count_remaining()
    }

    /// Copies durable records out, to be appended to another log: at least the first one of `range`, if there is one, and as many more as fit into frames of `bytes_max` bytes
    /// (each takes 32 bytes and its payload).
    ///
    /// # Errors
    /// [`Error::Pruned`]; [`Error::BeyondEnd`] if a record is asked for that is not durable; [`Error::Damaged`]; [`Error::Io`]; and those of [`Log::reader`]. [`Error::Truncated`]
    /// if a record that was copied, or the one before the first, is given up meanwhile.
    pub fn ship(&self, range: Range<TxId>, bytes_max: u64) -> Result<Shipment> {
        let reader = self.reader(range.start)?;
        let minimum_reader = || self.shared.minimum_reader();
        Shipment::pack(reader, range.end, bytes_max, self.log_id(), minimum_reader)
    }

    /// Appends what [`Log::ship`] copied out of this log or another one, verified before anything is written: all of its records, with their ids and times, or none. The
    /// chain is this log's own; in a copy of the same history it is the same. They are durable only later, as after [`Log::append`].
    ///
    /// If the records need a newer reader than the header of the newest segment asks for, they begin a new one, so that an older program refuses them by name.
    ///
    /// # Errors
    /// Nothing was appended: [`Error::BadShipment`]; [`Error::NotNext`] if it does not begin where this log ends; [`Error::OtherHistory`] if it comes
    /// from this log or a copy of it (by its id), and the chains before it differ; [`Error::TransactionTooLarge`]. And as [`Log::append`].
    pub fn append_shipment(&self, bytes: &[u8]) -> Result<Range<TxId>> {
        let options = self.shared.options();
        let shipment = VerifiedShipment::new(bytes)?;
        shipment.check_reader(options.reader)?;
        let batch: Vec<_> = shipment
            .records()
            .map(|record| (record.payload, record.time))
            .collect();
        Ok(self.shared.append_shipped(&batch, &shipment)?.ids)
    }

    /// Starts a new segment, if the newest one holds a record or asks for an older reader than the log does by now. Everything before is durable afterwards.
    ///
    /// # Errors
    /// [`Error::Full`], and [`Error::Io`] if the log is not poisoned afterwards, for instance because a directory has the temporary name of the new segment: the log
    /// goes on in the old segment. [`Error::Io`] otherwise: the log is poisoned. [`Error::Poisoned`], [`Error::Closed`].
    pub fn rotate(&self) -> Result<()> {
        self.shared.rotate()
    }

    /// Removes the segments whose records all lie before `id`, oldest first. The newest segment always stays.
    ///
    /// Everything is durable afterwards. First the log says durably which record is the oldest that it keeps: a crash, or a failure behind
    /// that, leaves files that are ignored, and removed by the next open. Appending and reading go on while files are removed.
    ///
    /// The caller makes sure that snapshots hold what is removed.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Poisoned`], [`Error::Closed`].
    pub fn prune_before(&self, id: TxId) -> Result<Pruned> {
        self.shared.prune_before(id)
    }

    /// Removes the oldest segments, as [`Log::prune_before`] does, until the files of the log take at most `bytes_max` bytes,
    /// but none with a record from `keep_from` on, and never the newest one.
    ///
    /// The caller makes sure that snapshots hold everything before `keep_from`.
    ///
    /// # Errors
    /// As [`Log::prune_before`].
    pub fn prune_to_bytes(&self, bytes_max: u64, keep_from: TxId) -> Result<Pruned> {
        self.shared.prune_to_bytes(bytes_max, keep_from)
    }

    /// Stores the oldest segment that is not written any more, and is not compressed yet, in compressed blocks. Yields `None` if there is none, or
    /// another thread does that already.
    ///
    /// Takes time and nothing else of the log's users: appending and reading go on. The new file is synced, read back and compared record by record before it
    /// takes over the name of the old one; a crash at any point leaves the one or the other. Readers of any age go on.
    ///
    /// # Errors
    /// [`Error::Damaged`] if a record of the segment is not what was written, and [`Error::Io`] (not found) if its file has vanished: it stays as it is, and the
    /// next call goes on to the next one. [`Error::Full`] and, if the log is not poisoned afterwards, any other [`Error::Io`]: nothing has changed. [`Error::Poisoned`], [`Error::Closed`].
    pub fn compress_sealed(&self) -> Result<Option<Compressed>> {
        self.shared.compress_sealed()
    }

    /// Gives up every record behind `id`. What is kept is durable when it returns, and the next record continues it.
    ///
    /// A crash leaves the log as it was or truncated, at every call, and the truncation is durable once this has returned Ok. A reader that stands
    /// behind `id` is told [`Error::Truncated`]; others go on.
    ///
    /// The caller makes sure that no snapshot holds more: those behind `id` are to be removed durably *before*, since a log that
    /// ends before a snapshot reads as damaged. The record before the oldest one may be named too: then no record is left.
    ///
    /// # Errors
    /// [`Error::BeyondEnd`], [`Error::Pruned`], and [`Error::Damaged`] if a record that is to be kept in the segment that is cut is not what was
    /// written: nothing has changed. [`Error::Full`]: nothing has changed, and the log goes on. [`Error::Io`]: if the log is poisoned
    /// afterwards, it may be truncated or not. [`Error::Poisoned`], [`Error::Closed`].
    pub fn truncate_after(&self, id: TxId) -> Result<Truncated> {
        self.shared.truncate_after(id)
    }

    /// Raises the payload version that the headers of new segments ask for. Never lowers it. A segment that holds no record yet is made anew by the next append or
    /// [`Log::rotate`]; one that holds records stays as it is: who wants the next record in a segment that asks for this rotates first. It is not held against [`Options::reader`]: see [`Options::minimum_reader`].
    pub fn raise_minimum_reader(&self, minimum_reader: u16) {
        self.shared.raise_minimum_reader(minimum_reader);
    }

    /// Makes everything durable, gives the space reserved ahead back and marks the log as closed.
    ///
    /// A log that is opened and closed again without an append is not changed by a byte. Closing twice is fine. A torn tail that a full disk kept from being cut, and files that a prune could not remove, are left to the next open: it finds a log that was not closed.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Poisoned`]: then it is not closed properly, and the next open looks closer.
    pub fn close(&self) -> Result<()> {
        self.shared.close()
    }

    pub(crate) fn shared(&self) -> &Arc<SharedLog> {
        &self.shared
    }

    /// The first half of a sync, for tests that do something between the halves.
    #[doc(hidden)]
    pub fn begin_sync(&self) -> Result<SyncInProgress> {
        self.shared.begin_sync().map(|ticket| SyncInProgress {
            shared: Arc::clone(&self.shared),
            ticket,
        })
    }
}

/// A sync whose target is fixed but which has not been carried out.
#[doc(hidden)]
#[derive(Debug)]
pub struct SyncInProgress {
    shared: Arc<SharedLog>,
    ticket: crate::syncing::SyncTicket,
}

impl SyncInProgress {
    /// Syncs, marks and releases the waiters. Yields the first id that is not durable.
    pub fn finish(self) -> Result<TxId> {
        let held = self.shared.finish_sync(self.shared.lock(), &self.ticket)?;
        Ok(held.durable.id)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Err(error) = self.shared.abandon() {
            tracing::error!(%error, "records that were queued were not written when the log was dropped");
        }
        self.shared.wait_for_files();
    }
}
