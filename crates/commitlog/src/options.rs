//! How a log is written.

use std::time::Duration;

use crate::chain::Chain;
use crate::log_id::LogId;
use crate::tx_id::TxId;

/// When a commit is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SyncPolicy {
    /// After a sync that covers it. One sync serves all commits that wait.
    #[default]
    EveryCommit,
    /// When the operating system has the bytes, which are synced when [`crate::Log::maintain`] finds that so much time has passed since the last sync: a
    /// killed process loses nothing, a power cut what was committed within the last interval.
    Interval(Duration),
    /// When the operating system has the bytes: a killed process loses nothing, a power cut may lose the newest records.
    Never,
}

/// When an append returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Handoff {
    /// When the operating system has the bytes. One write serves all that wait.
    #[default]
    Written,
    /// When the record is in a queue of this process, from where it is written together with others: when enough has gathered, when somebody
    /// waits for it, when the log is maintained, closed or dropped. If the process is killed before, it is lost.
    Queued,
}

/// Options of a log that is written. They may differ from one opening to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// A segment that would grow beyond this many bytes is continued in a new one. What is appended by one call stays together, since it is refused or written as a
    /// whole: a longer record, batch or shipment gets a segment of its own, and so do the first records of a log. Default: 64 MiB.
    pub segment_bytes_max: u64,
    /// The longest payload in bytes that is accepted; at most 1 GiB. Default: 256 MiB.
    pub payload_bytes_max: u32,
    /// When a commit is acknowledged. Default: after a sync.
    pub sync_policy: SyncPolicy,
    /// When [`crate::Log::append`] and [`crate::Log::append_batch`] return. Default: when the operating system has the bytes.
    pub handoff: Handoff,
    /// So many bytes are queued or being written at most; who appends more waits until there is room. Nothing is ever dropped. A single record or batch that is
    /// longer waits until there are none, and is written before the call returns. Default: 1 MiB.
    pub queue_bytes_max: usize,
    /// Whether segments that are not written any more are stored in compressed blocks, by whoever maintains the log: see [`crate::Log::maintain`] and
    /// [`crate::Log::compress_sealed`]. Default: no.
    pub compress_sealed: bool,
    /// The payload version that a reader needs at least, noted in the header of new segments (together with the highest of the
    /// segments that exist). The log does not know what it means, and does not hold it against `reader`: a log
    /// that asks for more than that is written, for programs that read more, and refused by the next open with these options. Default: 0.
    pub minimum_reader: u16,
    /// The newest payload version that this program reads: a segment that needs more is refused. Default: `u16::MAX`.
    pub reader: u16,
    /// A deliberate mistake, to prove that the tests find it.
    #[doc(hidden)]
    pub mistake: Option<Mistake>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            segment_bytes_max: 64 << 20,
            payload_bytes_max: 256 << 20,
            sync_policy: SyncPolicy::EveryCommit,
            handoff: Handoff::Written,
            queue_bytes_max: 1 << 20,
            compress_sealed: false,
            minimum_reader: 0,
            reader: u16::MAX,
            mistake: None,
        }
    }
}

/// Mistakes that the tests of recovery must catch.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mistake {
    /// The mark is written before the sync that it speaks of.
    MarkBeforeSync,
    /// Waiters are released before the mark is written.
    AcknowledgeBeforeMark,
    /// A torn tail is cut, but the cut is not synced.
    CutWithoutSync,
    /// An open after a failed sync only syncs again.
    SyncAgainWithoutRewriting,
    /// Pruning removes segments before the log says durably that it does not keep them.
    RemoveBeforeFloor,
    /// Who waits for a record that is still queued is told that it is durable.
    AcknowledgeQueued,
    /// The first record of a batch that finds no space gets an id, the others are refused.
    BeginRefusedBatch,
    /// Dropping the log leaves what is queued behind.
    DropForgetsQueue,
}

/// Where a new log begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The id of the first record; at most 2^61.
    pub base: TxId,
    /// The chain before it.
    pub chain: Chain,
    /// Raised by one whenever records of this log were given up on purpose; at most 2^30.
    pub epoch: u32,
}

impl Start {
    /// The start of a history: record 0.
    pub fn genesis(log_id: LogId) -> Start {
        Start {
            base: TxId(0),
            chain: Chain::seed(log_id),
            epoch: 0,
        }
    }
}
