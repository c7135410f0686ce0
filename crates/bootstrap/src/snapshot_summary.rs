//! What writing a snapshot, and pruning, did.

use commitlog::TxId;
use snapshot::ScrubReport;

/// What writing a snapshot did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotSummary {
    /// The last transaction in it.
    pub tx: TxId,
    /// A good one of the same transaction was there already, so that nothing was written.
    pub already_there: bool,
    /// How many pages the state has.
    pub page_count: u64,
    /// How many bytes were read from the state.
    pub content_bytes: u64,
    /// How many bytes were written.
    pub file_bytes: u64,
    /// Older snapshots that were removed since enough newer ones are good; newest first.
    pub removed: Vec<TxId>,
}

/// What pruning did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PruneSummary {
    /// The oldest snapshot that is kept; `None` if there are not two good ones, so that nothing was pruned.
    pub floor: Option<TxId>,
    /// How many segments of the log were removed.
    pub segments_removed: usize,
    /// The oldest transaction that the log holds now.
    pub base: TxId,
    /// The snapshots that were removed, newest first.
    pub snapshots_removed: Vec<TxId>,
    /// Snapshots that were found to be damaged when they were read back. They are left where they are.
    pub snapshots_bad: Vec<TxId>,
}

/// One step of the work that the database does by itself.
#[derive(Debug)]
#[non_exhaustive]
pub enum Maintenance {
    /// Nothing was due.
    Idle,
    /// A snapshot was written.
    Snapshot(SnapshotSummary),
    /// The log was pruned.
    Prune(PruneSummary),
    /// Some pages of a snapshot that was only mapped were verified: [`crate::SnapshotLoading::Mapped`]. There are more.
    Verifying,
    /// All of them are. These are damaged: whatever needs one is an error, and the database is to be opened again, in another way, to begin with another snapshot.
    Verified {
        /// The pages, what is wrong with them, and where they are stored. Where can not be said which pages there are, one stands for all of them.
        damaged: Vec<table::Damaged>,
    },
    /// Some of the snapshots was read again: [`crate::SnapshotPolicy::scrub_every`]. There is more.
    Scrubbing,
    /// All of them were.
    Scrubbed(ScrubReport),
}
