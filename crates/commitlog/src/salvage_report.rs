//! What a salvage kept and what it had to leave.

use std::ops::Range;
use std::sync::Arc;

use crate::log_id::LogId;
use crate::tx_id::TxId;

/// What [`crate::salvage`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SalvageReport {
    /// Which log it was, as most of its segments say; `None` if none of them has a valid header.
    pub source: Option<LogId>,
    /// How many records the new log has.
    pub records: u64,
    /// Which records they are, in order.
    pub kept: Vec<KeptRecords>,
    /// The ids between the first that the log kept, as its marks say, and its last trace (a record, a segment, a mark) of which nothing is kept. And those that are kept but not proven
    /// while something else contradicts them with as much right: another place that claims them, or the next record, which does not continue them. What is kept there may be what was
    /// stored within a payload, or given up in a truncation. Nothing that is proven is among them.
    pub missing: Vec<Range<TxId>>,
    /// What was passed over, in the order of the segments.
    pub skipped: Vec<SkippedBytes>,
}

/// Records in a row that were kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeptRecords {
    /// The name of the file.
    pub file: Arc<str>,
    /// Their ids in the source.
    pub ids: Range<TxId>,
    /// The id of the first of them in the new log; the others follow.
    pub new_first: TxId,
    /// Whether the chain proves them: it leads from them to what a header or a mark of the log says, or it leads from there to them, record by record in a segment that belongs to the
    /// youngest history that there is a trace of. If not, all that is known is that they continue each other, so they may
    /// be records of another log that were stored within a payload, or such that were given up; and of the first one in a plain segment, that the checksum of the frame's header holds: its
    /// payload may be another one. Times are in no chain: the header of the frame vouches for them.
    pub chain_proven: bool,
}

/// Bytes of the source that were not used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkippedBytes {
    /// The name of the file.
    pub file: Arc<str>,
    /// Where in it. Zeros behind the last record are not listed.
    pub bytes: Range<u64>,
    /// Why.
    pub reason: SkipReason,
}

/// Why bytes were passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SkipReason {
    /// It is a directory, a link, a pipe.
    NotAFile,
    /// The file can not be opened.
    NotOpened,
    /// The segment belongs to another log.
    Foreign {
        /// Which one.
        found: LogId,
    },
    /// The segment was given up when the log was truncated, or what stands there when it was pruned.
    Leftover,
    /// The segment needs a newer program.
    NewerFormat,
    /// The header of the segment is not valid; its frames were looked for all the same.
    Header,
    /// The disk can not read them.
    Unreadable,
    /// No frame begins there whose header holds.
    NoFrame,
    /// The header of the frame holds, and its payload is another one.
    Payload,
    /// The compressed block can not be decompressed.
    Block,
    /// The records are kept already, from another file or place.
    Repeated,
    /// The records there continue each other, and a header, a mark or others that were kept under the same ids contradict them: they were stored within a payload, given up in a
    /// truncation, or those that were kept were.
    Contradicted,
}
