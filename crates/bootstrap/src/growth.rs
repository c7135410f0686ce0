//! How much has been committed since the last snapshot.

use std::sync::Mutex;
use std::sync::PoisonError;

use commitlog::TxId;

/// Counts transactions and bytes since the last snapshot, or the last attempt at one.
#[derive(Debug)]
pub(crate) struct Growth(Mutex<Counts>);

#[derive(Debug, Clone, Copy)]
struct Counts {
    /// The first transaction that counts.
    since: TxId,
    /// The first transaction that does not exist yet.
    end: TxId,
    bytes: u64,
}

impl Growth {
    /// `since` is the first transaction after the last snapshot, `end` the first that does not exist yet.
    pub(crate) fn new(since: TxId, end: TxId, bytes: u64) -> Self {
        Growth(Mutex::new(Counts { since, end, bytes }))
    }

    /// Counts a transaction.
    pub(crate) fn add(&self, tx: TxId, bytes: u64) {
        self.with(|counts| {
            counts.end = tx.next();
            counts.bytes += bytes;
        });
    }

    /// Transactions and bytes so far.
    pub(crate) fn records_and_bytes(&self) -> (u64, u64) {
        self.with(|counts| (counts.end.0.saturating_sub(counts.since.0), counts.bytes))
    }

    /// Begins again at the end. Called before a snapshot is tried, so that one that fails (a full disk) is tried again only
    /// after as much again, and not after each commit.
    pub(crate) fn begin_again(&self) {
        self.with(|counts| {
            counts.since = counts.end;
            counts.bytes = 0;
        });
    }

    fn with<T>(&self, run: impl FnOnce(&mut Counts) -> T) -> T {
        run(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
