//! One life of a log on a simulated disk, and the plain model of what it must keep.

use std::sync::Arc;

use commitlog::{
    Chain, Error, Log, LogId, Mistake, OpenReport, Options, Proof, SyncInProgress, SyncPolicy, TxId,
};
use disk::{Dir, Fault, SimDisk};

pub(crate) const LOG_ID: LogId = LogId(*b"recovery's model");

/// One step of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    /// Append a record that touches this many sectors, unaligned.
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
    /// Give up the last record.
    TruncateLast,
    /// Give up about half of the records that are kept.
    TruncateHalf,
    /// Compress the oldest segment that is not compressed yet, if there is one.
    Compress,
}

pub(crate) const OPS: [Op; 13] = [
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
    Op::TruncateLast,
    Op::TruncateHalf,
    Op::Compress,
];

/// Those that neither truncate nor compress: few enough for all histories of four of them.
pub(crate) fn common_ops() -> &'static [Op] {
    &OPS[..10]
}

/// What is known about a log without looking at it.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    /// What was handed to the log, by id, and not cut since.
    pub(crate) written: Vec<Vec<u8>>,
    /// Everything before this was reported durable.
    pub(crate) acknowledged: u64,
    /// Where the last acknowledged batch begins whose mark may not be durable.
    pub(crate) batch_start: u64,
    /// The same, if no snapshot is there to prove anything.
    pub(crate) marked_batch_start: u64,
    /// The lowest and the highest base that the log may have.
    pub(crate) base: (u64, u64),
    /// Where a truncation makes the log end that may have happened or not: then it ends there, whatever was acknowledged.
    pub(crate) truncated_to: Option<u64>,
    /// Whether the log was ever truncated.
    pub(crate) was_truncated: bool,
    /// The snapshots that were published.
    pub(crate) proofs: Vec<Proof>,
    /// What was handed to the log under each id when it was first used, to retry byte for byte.
    pub(crate) first_attempts: Vec<Vec<u8>>,
}

impl Model {
    pub(crate) fn acknowledge(&mut self, end: u64) {
        if end > self.acknowledged {
            self.batch_start = self.acknowledged;
            self.marked_batch_start = self.acknowledged;
            self.acknowledged = end;
        }
    }

    /// Whether a log that ends here may have been truncated on purpose.
    pub(crate) fn may_be_truncated_to(&self, end: u64) -> bool {
        self.truncated_to == Some(end)
    }

    /// Whether nothing of the log is there any more but what a truncation gave up, which nothing tells apart from a log: its removal came undone,
    /// and the segment that had taken its place was deleted.
    pub(crate) fn is_replaced_by_what_was_given_up(&self, base: u64) -> bool {
        self.was_truncated && base >= self.written.len() as u64
    }

    /// Everything acknowledged so far is proved by something that is durable itself.
    pub(crate) fn settle(&mut self, end: u64) {
        self.acknowledge(end);
        self.batch_start = self.acknowledged;
        self.marked_batch_start = self.acknowledged;
    }

    /// An open reported everything before its end as durable; it syncs the marks that say so.
    pub(crate) fn reopened(&mut self, report: &OpenReport) {
        let end = report.end.0;
        if self.may_be_truncated_to(end) {
            self.acknowledged = self.acknowledged.min(end);
        }
        self.truncated_to = None;
        self.written.truncate(usize::try_from(end).unwrap());
        self.base = (report.base.0, report.base.0);
        self.settle(end);
    }
}

/// Room for two or three records behind header and marks.
const SHORT_SEGMENT_BYTES: u64 = 12288 + 2200;

/// A running process.
pub(crate) struct Life {
    pub(crate) disk: SimDisk,
    pub(crate) log: Log,
    pub(crate) pending: Option<SyncInProgress>,
    pub(crate) model: Model,
    pub(crate) options: Options,
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

pub(crate) fn genesis() -> Vec<u8> {
    vec![0xAB; 333]
}

/// The payload of record `id` with which it touches `sectors` sectors.
pub(crate) fn payload(id: u64, sectors: usize) -> Vec<u8> {
    let length = sectors * 512 - 140;
    (0..length)
        .map(|at| (at as u64 * 7 + id * 13 + 1) as u8 | 1)
        .collect()
}

impl Life {
    pub(crate) fn create(disk: SimDisk, options: Options) -> Life {
        let first = genesis();
        let log = Log::create(disk.root(), LOG_ID, options.clone(), &[(&first, None)]).unwrap();
        let model = Model {
            written: vec![first.clone()],
            acknowledged: 1,
            batch_start: 1,
            marked_batch_start: 1,
            base: (0, 0),
            truncated_to: None,
            was_truncated: false,
            proofs: Vec::new(),
            first_attempts: vec![first],
        };
        Life {
            disk,
            log,
            pending: None,
            model,
            options,
        }
    }

    /// Whether the step makes sense now. While a sync is in progress only appends go on that start no segment; all else would wait for it.
    pub(crate) fn allows(&self, op: Op) -> bool {
        match op {
            Op::Append(_) => self.pending.is_none() || !has_short_segments(&self.options),
            Op::SyncOk | Op::SyncFailed => self.pending.is_some(),
            Op::Compress => true,
            Op::TruncateLast | Op::TruncateHalf => {
                let end = self.truncated_end(op);
                self.pending.is_none() && end >= self.log.base().0 && end > 0
            }
            Op::SyncStart | Op::Rotate | Op::Snapshot | Op::Close | Op::Prune => {
                self.pending.is_none()
            }
        }
    }

    pub(crate) fn apply(&mut self, op: Op) {
        self.try_apply(op).unwrap();
    }

    /// If it fails, the model says what may have been written, and nothing more is acknowledged.
    pub(crate) fn try_apply(&mut self, op: Op) -> Result<(), Error> {
        self.model.truncated_to = None;
        match op {
            Op::Append(sectors) => {
                let id = self.model.written.len();
                let retry = self.model.first_attempts.get(id).cloned();
                let payload = retry.unwrap_or_else(|| payload(id as u64, sectors));
                self.append(payload)?;
            }
            Op::SyncStart => self.pending = Some(self.log.begin_sync()?),
            Op::SyncOk => {
                let end = self.pending.take().unwrap().finish()?;
                self.model.acknowledge(end.0);
            }
            Op::SyncFailed => {
                self.disk.fail_at(self.disk.call_count(), Fault::Eio);
                assert!(self.pending.take().unwrap().finish().is_err());
                assert!(matches!(
                    self.log.append(b"refused", None),
                    Err(Error::Poisoned)
                ));
                self.reopen()?;
            }
            Op::Rotate => {
                self.log.rotate()?;
                let end = self.log.next_id().0;
                self.model.settle(end);
            }
            Op::Snapshot => {
                self.log.sync()?;
                let end = self.log.next_id();
                self.model.acknowledge(end.0);
                self.model.proofs.push(Proof {
                    through: TxId(end.0 - 1),
                    chain: self.log.chain_at_end(),
                });
                self.model.batch_start = self.model.acknowledged;
            }
            Op::Close => {
                self.log.close()?;
                let end = self.log.next_id().0;
                self.model.settle(end);
                self.reopen()?;
            }
            Op::Prune => {
                self.model.base.1 = self.newest_base();
                let pruned = self.log.prune_before(self.log.durable_end())?;
                self.model.base = (pruned.base.0, pruned.base.0);
                if pruned.segments_removed > 0 {
                    let end = self.log.durable_end().0;
                    self.model.settle(end);
                }
            }
            Op::TruncateLast | Op::TruncateHalf => {
                let end = self.truncated_end(op);
                // What snapshots hold behind it goes first, durably.
                let model = &mut self.model;
                model.proofs.retain(|proof| proof.through.0 < end);
                model.truncated_to = Some(end);
                model.was_truncated = true;
                self.log.truncate_after(TxId(end - 1))?;
                model.written.truncate(usize::try_from(end).unwrap());
                model.acknowledged = end;
                model.settle(end);
            }
            Op::Compress => {
                self.log.compress_sealed()?;
            }
        }
        Ok(())
    }

    fn truncated_end(&self, op: Op) -> u64 {
        let (base, end) = (self.log.base().0, self.log.next_id().0);
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

    fn append(&mut self, payload: Vec<u8>) -> Result<(), Error> {
        let appended = self.log.append(&payload, None);
        if matches!(appended, Err(Error::Full(_))) {
            return appended.map(drop);
        }
        let id = self.model.written.len();
        self.model.written.push(payload.clone());
        if self.model.first_attempts.len() == id {
            self.model.first_attempts.push(payload);
        }
        assert_eq!(appended?.0, id as u64);
        Ok(())
    }

    /// The process ended; another one opens the log.
    fn reopen(&mut self) -> Result<(), Error> {
        let root: Arc<dyn Dir> = self.disk.root();
        let (log, report) = Log::open(root, self.options.clone(), &self.model.proofs)?;
        assert_eq!(report.torn, None);
        self.log = log;
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
        model.was_truncated = self.model.was_truncated;
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

/// The chain after each record.
pub(crate) fn chain_of(written: &[Vec<u8>]) -> Vec<Chain> {
    let mut chain = Chain::seed(LOG_ID);
    let mut chains = Vec::new();
    for (id, payload) in written.iter().enumerate() {
        let length = u32::try_from(payload.len()).unwrap();
        chain = chain.mix(TxId(id as u64), length, crc32c::crc32c(payload));
        chains.push(chain);
    }
    chains
}
