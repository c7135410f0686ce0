//! One life of a log on a simulated disk: steps that its owner takes, and what the model learns from each.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use commitlog::{Error, Handoff, Log, Mistake, Options, Proof, SyncInProgress, SyncPolicy, TxId};
use disk::{Dir, Fault, SimDisk};

use crate::claims::{Checked, Violation, violated};
use crate::model::{LOG_ID, Model, genesis};

/// One step of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    /// Append a record that touches this many sectors, unaligned, and hand it to the operating system.
    Append(usize),
    SyncStart,
    SyncOk,
    /// The sync fails, the process ends, and the log is opened again.
    SyncFailed,
    Rotate,
    /// Sync, and note the end as a snapshot would.
    Snapshot,
    /// Close, and open again.
    Close,
    /// Remove all segments but the newest.
    Prune,
    /// Append a record that touches this many sectors, and leave it in the queue.
    Queue(usize),
    /// Append so many records of different lengths at once.
    Batch(usize),
    /// Hand to the operating system what is queued.
    WaitWritten,
    /// Have done in the background what is due after a while.
    Maintain,
    /// Drop the log without closing it, and open it again.
    Drop,
    /// Give up the last record.
    TruncateLast,
    /// Give up about half of the records that are kept.
    TruncateHalf,
    /// Compress the oldest segment that is not compressed yet, if there is one.
    Compress,
}

pub(crate) const OPS: [Op; 20] = [
    Op::Append(1),
    Op::Append(2),
    Op::Append(3),
    Op::SyncStart,
    Op::SyncOk,
    Op::SyncFailed,
    Op::Rotate,
    Op::Snapshot,
    Op::Close,
    Op::Prune,
    Op::Queue(1),
    Op::Queue(2),
    Op::Batch(2),
    Op::Batch(3),
    Op::WaitWritten,
    Op::Maintain,
    Op::Drop,
    Op::TruncateLast,
    Op::TruncateHalf,
    Op::Compress,
];

/// Those that append one record after the other, and neither truncate nor compress: few enough for all histories of four of them.
pub(crate) const COMMON_OPS: &[Op] = OPS.split_at(10).0;

/// Those that gather records before they are written, and what may happen to them then: also few enough.
pub(crate) const GATHERING_OPS: [Op; 10] = [
    Op::Append(1),
    Op::Queue(1),
    Op::Batch(2),
    Op::WaitWritten,
    Op::Maintain,
    Op::Drop,
    Op::SyncStart,
    Op::SyncOk,
    Op::SyncFailed,
    Op::Rotate,
];

impl Op {
    /// Whether it gathers records, or concerns those that were gathered.
    pub(crate) fn gathers(self) -> bool {
        use Op::{Batch, Drop, Maintain, Queue, WaitWritten};
        matches!(self, Queue(_) | Batch(_) | WaitWritten | Maintain | Drop)
    }

    fn appends(self) -> bool {
        matches!(self, Op::Append(_) | Op::Queue(_) | Op::Batch(_))
    }
}

/// Room for two or three records behind header and marks.
const SHORT_SEGMENT_BYTES: u64 = 12288 + 2200;

/// How often a log with that policy syncs.
pub(crate) const INTERVAL: Duration = Duration::from_secs(10);

/// A running process.
pub(crate) struct Life {
    pub(crate) disk: SimDisk,
    /// There is one, but for a moment while a step ends one process and begins another.
    log: Option<Log>,
    pub(crate) pending: Option<SyncInProgress>,
    pub(crate) model: Model,
    pub(crate) options: Options,
    /// What time it is for whoever maintains the log.
    now: Duration,
}

pub(crate) fn options(policy: SyncPolicy, mistake: Option<Mistake>) -> Options {
    Options {
        sync_policy: policy,
        mistake,
        ..Options::default()
    }
}

/// Segments of a few records, so that appends start new ones.
pub(crate) fn with_short_segments(options: Options) -> Options {
    Options {
        segment_bytes_max: SHORT_SEGMENT_BYTES,
        ..options
    }
}

fn has_short_segments(options: &Options) -> bool {
    options.segment_bytes_max == SHORT_SEGMENT_BYTES
}

impl Life {
    pub(crate) fn create(disk: SimDisk, options: Options) -> Life {
        let first = genesis();
        let log = Log::create(disk.root(), LOG_ID, options.clone(), &[(&first, None)]).unwrap();
        Life::go_on(disk, log, Model::of(vec![first]), options)
    }

    /// The life of a process that has opened the log.
    pub(crate) fn go_on(disk: SimDisk, log: Log, model: Model, options: Options) -> Life {
        Life {
            disk,
            log: Some(log),
            pending: None,
            model,
            options,
            now: Duration::ZERO,
        }
    }

    pub(crate) fn log(&self) -> &Log {
        self.log.as_ref().expect("a process runs")
    }

    /// Whether the step makes sense now. While a sync is in progress only appends go on that start no segment, and what
    /// writes; all else would wait for it.
    pub(crate) fn allows(&self, op: Op) -> bool {
        match op {
            _ if op.appends() => self.pending.is_none() || !has_short_segments(&self.options),
            Op::WaitWritten => self.model.handed_over < self.model.end(),
            Op::SyncOk | Op::SyncFailed => self.pending.is_some(),
            Op::Compress => true,
            Op::TruncateLast | Op::TruncateHalf => {
                let end = self.truncated_end(op);
                self.pending.is_none() && end >= self.log().base().0 && end > 0
            }
            _ => self.pending.is_none(),
        }
    }

    /// Nothing fails, and nothing that the log took is lost while the operating system goes on.
    pub(crate) fn apply(&mut self, op: Op) -> Checked<()> {
        let before = self.model.clone();
        let failed = |error| Violation(format!("{op:?}: {error}"));
        self.try_apply(op).map_err(failed)?;
        self.check_keeps(op, &before)
    }

    /// A step that began with the model `before` has lost nothing that it may not lose.
    pub(crate) fn check_keeps(&self, op: Op, before: &Model) -> Checked<()> {
        let kept = self.log().next_id().0;
        let least = match op {
            Op::TruncateLast | Op::TruncateHalf => 0,
            // What was queued when the sync failed stays behind.
            Op::SyncFailed => before.handed_over,
            _ => before.end(),
        };
        match kept < least {
            true => violated(format!("{kept} of {least} records are left")),
            false => Ok(()),
        }
    }

    /// If it fails, the model says what may have been written, and nothing more is acknowledged.
    pub(crate) fn try_apply(&mut self, op: Op) -> Result<(), Error> {
        self.model.truncated_to = None;
        match op {
            Op::Append(sectors) => self.append(1, sectors, Handoff::Written)?,
            Op::Queue(sectors) => self.append(1, sectors, Handoff::Queued)?,
            Op::Batch(count) => self.append(count, 1, self.options.handoff)?,
            Op::WaitWritten => {
                self.log().wait_written(TxId(self.model.end() - 1))?;
                self.model.hand_over();
            }
            Op::Maintain => self.maintain()?,
            Op::SyncStart => {
                self.pending = Some(self.log().begin_sync()?);
                self.model.hand_over();
            }
            Op::SyncOk => {
                let end = self.pending.take().unwrap().finish()?;
                self.model.acknowledge(end.0);
            }
            Op::SyncFailed => {
                self.disk.fail_at(self.disk.call_count(), Fault::Eio);
                assert!(self.pending.take().unwrap().finish().is_err());
                assert!(matches!(
                    self.log().append(b"refused", None),
                    Err(Error::Poisoned)
                ));
                self.reopen()?;
            }
            Op::Rotate => {
                self.log().rotate()?;
                let end = self.log().next_id().0;
                self.model.settle(end);
            }
            Op::Snapshot => {
                self.log().sync()?;
                let end = self.log().next_id();
                self.model.acknowledge(end.0);
                self.model.proofs.push(Proof {
                    through: TxId(end.0 - 1),
                    chain: self.log().chain_at_end(),
                });
                self.model.batch_start = self.model.acknowledged;
            }
            Op::Close => {
                self.log().close()?;
                let end = self.log().next_id().0;
                self.model.settle(end);
                self.reopen()?;
            }
            Op::Drop => self.reopen()?,
            Op::Prune => {
                self.model.base.1 = self.newest_base();
                let pruned = self.log().prune_before(self.log().durable_end())?;
                self.model.base = (pruned.base.0, pruned.base.0);
                if pruned.segments_removed > 0 {
                    let end = self.log().durable_end().0;
                    self.model.settle(end);
                }
            }
            Op::TruncateLast | Op::TruncateHalf => {
                let end = self.truncated_end(op);
                // What snapshots hold behind it goes first, durably.
                let model = &mut self.model;
                let proof_count = model.proofs.len();
                model.proofs.retain(|proof| proof.through.0 < end);
                if model.proofs.len() < proof_count {
                    // If the truncation is refused now, a mark that may be lost is all that proves the last batch.
                    model.batch_start = model.marked_batch_start;
                }
                model.truncated_to = Some(end);
                self.log().truncate_after(TxId(end - 1))?;
                self.model.truncated(end);
            }
            Op::Compress => {
                self.log().compress_sealed()?;
            }
        }
        // Whatever the step was for, what is reported durable has to be.
        let durable = self.log().durable_end().0;
        self.model.acknowledge(durable);
        Ok(())
    }

    fn truncated_end(&self, op: Op) -> u64 {
        let (base, end) = (self.log().base().0, self.log().next_id().0);
        match op {
            Op::TruncateLast => end.saturating_sub(1),
            _ => (base + end) / 2,
        }
    }

    fn newest_base(&self) -> u64 {
        let names = self.disk.files().into_iter();
        let bases = names.filter_map(|name| name.strip_suffix(".log")?.parse().ok());
        bases.max().unwrap()
    }

    /// Appends so many records, of which the first touches so many sectors.
    fn append(&mut self, count: usize, sectors: usize, handoff: Handoff) -> Result<(), Error> {
        let payloads = self.model.next_payloads(count, sectors);
        let appended = append(self.log(), &payloads, handoff);
        if matches!(appended, Err(Error::Full(_))) {
            return appended.map(drop);
        }
        let first = self.model.end();
        self.model.wrote(&payloads);
        assert_eq!(appended?, TxId(first)..TxId(self.model.end()));
        if handoff == Handoff::Written {
            self.model.hand_over();
        }
        Ok(())
    }

    /// A queue is written a while after somebody has seen that there is something in it.
    fn maintain(&mut self) -> Result<(), Error> {
        for _ in 0..2 {
            self.now += 2 * INTERVAL;
            // One thing at a time, as long as more is due at once.
            let more = |due: Option<Duration>| due.is_some_and(|due| due <= self.now);
            let mut calls_left = 100;
            while more(self.log().maintain(self.now)?) {
                calls_left -= 1;
                assert!(calls_left > 0, "it is never done");
            }
        }
        self.model.hand_over();
        if let SyncPolicy::Interval(_) = self.options.sync_policy {
            self.model.acknowledge(self.model.end());
        }
        Ok(())
    }

    /// The process ended; another one opens the log.
    fn reopen(&mut self) -> Result<(), Error> {
        self.log = None;
        let root: Arc<dyn Dir> = self.disk.root();
        let (log, report) = Log::open(root, self.options.clone(), &self.model.proofs)?;
        self.log = Some(log);
        self.model.reopened(&report);
        Ok(())
    }

    /// What must hold if a crash comes during `op`, which began with the model `before`.
    pub(crate) fn model_during(&self, before: &Model) -> Model {
        let mut model = before.clone();
        if self.model.written.len() > before.written.len() {
            model.written.clone_from(&self.model.written);
        }
        model.truncated_to = self.model.truncated_to;
        let proofs = &self.model.proofs;
        if !before.proofs.iter().all(|proof| proofs.contains(proof)) {
            model.proofs.retain(|proof| proofs.contains(proof));
            model.batch_start = before.marked_batch_start;
        }
        model.first_attempts.clone_from(&self.model.first_attempts);
        model.base = (before.base.0, self.model.base.1);
        model
    }
}

/// Appends one record, or some as a batch, which is handed over as the options of the log say.
pub(crate) fn append(
    log: &Log,
    payloads: &[Vec<u8>],
    handoff: Handoff,
) -> Result<Range<TxId>, Error> {
    if let [payload] = payloads {
        let id = log.append_with(payload, None, handoff)?;
        return Ok(id..id.next());
    }
    let records = payloads.iter().map(|payload| (&payload[..], None));
    log.append_batch(&records.collect::<Vec<_>>())
}
