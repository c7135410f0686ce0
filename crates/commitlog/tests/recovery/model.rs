//! The plain model of what a log must keep.

use commitlog::{Chain, LogId, OpenReport, Proof, TxId};

pub(crate) const LOG_ID: LogId = LogId(*b"recovery's model");

/// What is known about a log without looking at it.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    /// What was handed to the log, by id, and not cut since.
    pub(crate) written: Vec<Vec<u8>>,
    /// Everything before this was with the operating system when a call returned that promises it: no kill loses it.
    pub(crate) handed_over: u64,
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
    /// The snapshots that were published.
    pub(crate) proofs: Vec<Proof>,
    /// What was handed to the log under each id when it was first used, to retry byte for byte.
    pub(crate) first_attempts: Vec<Vec<u8>>,
}

impl Model {
    /// A log that was made with these records.
    pub(crate) fn of(first: Vec<Vec<u8>>) -> Model {
        let end = first.len() as u64;
        Model {
            first_attempts: first.clone(),
            written: first,
            handed_over: end,
            acknowledged: end,
            batch_start: end,
            marked_batch_start: end,
            base: (0, 0),
            truncated_to: None,
            proofs: Vec::new(),
        }
    }

    /// The id that the next record gets.
    pub(crate) fn end(&self) -> u64 {
        self.written.len() as u64
    }

    /// These records got ids, or may have got them.
    pub(crate) fn wrote(&mut self, payloads: &[Vec<u8>]) {
        self.written.extend_from_slice(payloads);
        let known = self.first_attempts.len();
        self.first_attempts
            .extend(self.written.iter().skip(known).cloned());
    }

    /// Everything is with the operating system.
    pub(crate) fn hand_over(&mut self) {
        self.handed_over = self.end();
    }

    pub(crate) fn acknowledge(&mut self, end: u64) {
        self.handed_over = self.handed_over.max(end);
        if end > self.acknowledged {
            self.batch_start = self.acknowledged;
            self.marked_batch_start = self.acknowledged;
            self.acknowledged = end;
        }
    }

    /// What comes next, `count` records: byte for byte what had these ids first, else new ones that touch so many sectors.
    pub(crate) fn next_payloads(&self, count: usize, sectors: usize) -> Vec<Vec<u8>> {
        let ids = self.end()..self.end() + count as u64;
        let next = ids.zip(0..).map(|(id, number): (u64, usize)| {
            let before = self.first_attempts.get(usize::try_from(id).unwrap());
            let new = || payload(id, (sectors + number - 1) % 3 + 1);
            before.cloned().unwrap_or_else(new)
        });
        next.collect()
    }

    /// The log was truncated, durably.
    pub(crate) fn truncated(&mut self, end: u64) {
        self.written.truncate(usize::try_from(end).unwrap());
        self.acknowledged = end;
        self.handed_over = end;
        self.settle(end);
    }

    /// Whether a log that ends here may have been truncated on purpose.
    pub(crate) fn may_be_truncated_to(&self, end: u64) -> bool {
        self.truncated_to == Some(end)
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
        self.handed_over = end;
        if self.may_be_truncated_to(end) {
            self.acknowledged = self.acknowledged.min(end);
        }
        self.truncated_to = None;
        self.written.truncate(usize::try_from(end).unwrap());
        self.base = (report.base.0, report.base.0);
        self.settle(end);
    }
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
