//! What a writable open found and did.

use std::ops::Range;

use crate::chain::Chain;
use crate::damage::BadFrame;
use crate::log_id::LogId;
use crate::segment_name::segment_name;
use crate::tx_id::TxId;

/// Evidence from outside the log: a sound snapshot of this log at `through`.
///
/// A snapshot is published only after the log was synced through it, so everything up to `through` is proved to have been durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Proof {
    /// The last record that the snapshot contains.
    pub through: TxId,
    /// The chain after it.
    pub chain: Chain,
}

/// What became of a [`Proof`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProofVerdict {
    /// The chains are equal: it belongs to this history.
    Matches,
    /// The chains differ: it belongs to another history and proves nothing.
    Foreign,
    /// The log begins later and can not tell.
    BeforeBase,
    /// The log is damaged before that record and can not tell. Reading it will say where.
    Unreadable,
}

/// A tail that does not count: what a write that was never acknowledged as durable left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TornTail {
    /// The segment, by its first record.
    pub segment: TxId,
    /// Where in the file the tail began.
    pub byte_offset: u64,
    /// How many bytes it has, zeros behind them not counted: cut by a writable open, still there for a read-only one.
    pub bytes_cut: u64,
    /// What stood there.
    pub reason: BadFrame,
}

impl TornTail {
    /// The name of the segment's file.
    pub fn file(&self) -> String {
        segment_name(self.segment)
    }
}

/// What [`crate::Log::open`] found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenReport {
    /// Which log it is.
    pub log_id: LogId,
    /// The oldest record that is kept.
    pub base: TxId,
    /// Records before `base` that the log keeps and that are not there, though a snapshot among the proofs holds them. They stay missing, and are
    /// reported by each open, until the log is pruned up to `base` or further. A lost file may be found again: look for it before that.
    pub missing: Option<Range<TxId>>,
    /// The first record that does not exist yet.
    pub end: TxId,
    /// The first record that nothing proved to have been synced when the log was opened. Everything before `end` is now.
    pub proven: TxId,
    /// Whether it had been closed: then no byte was changed.
    pub was_closed: bool,
    /// What was cut.
    pub torn: Option<TornTail>,
    /// How many segments there are.
    pub segment_count: usize,
    /// How many interrupted rotations were completed.
    pub rotations_completed: usize,
    /// How many segments that a truncation or a prune had given up were removed.
    pub leftovers_removed: usize,
    /// How many unfinished segments were removed.
    pub temporaries_removed: usize,
    /// What became of each proof, in the order given.
    pub proofs: Vec<ProofVerdict>,
}
