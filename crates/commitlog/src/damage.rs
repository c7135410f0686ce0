//! In which ways bytes can be other than what was written.

use crate::error::FormatPart;
use crate::log_id::LogId;
use crate::tx_id::TxId;

/// Why the bytes at some place are not a frame that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum BadFrame {
    /// The file ends here.
    #[error("the file ends where record {expected} should begin")]
    EndOfFile {
        /// The record that should be here.
        expected: TxId,
    },
    /// Only zeros stand where the header of a frame should be.
    #[error("zeros stand where record {expected} should begin")]
    Zeros {
        /// The record that should be here.
        expected: TxId,
    },
    /// The compressed block with the record fails its checksum or can not be decompressed.
    #[error("the compressed block with record {expected} fails its checksum")]
    Block {
        /// The record that should be here.
        expected: TxId,
    },
    /// The header's checksum fails.
    #[error("the header of record {expected} fails its checksum")]
    HeaderChecksum {
        /// The record that should be here.
        expected: TxId,
    },
    /// The header is sound but names another record.
    #[error("record {found} stands where record {expected} should be")]
    UnexpectedId {
        /// The record that should be here.
        expected: TxId,
        /// The record that is.
        found: TxId,
    },
    /// The frame is longer than the format allows, or than the file.
    #[error("record {expected} has {payload_length} bytes, which do not fit")]
    Incomplete {
        /// The record that should be here.
        expected: TxId,
        /// What the header says.
        payload_length: u32,
    },
    /// The payload, or the history before it, is another one.
    #[error("record {expected} does not continue the chain of checksums")]
    Chain {
        /// The record that should be here.
        expected: TxId,
    },
    /// The bytes between the payload and the next frame are not zero.
    #[error("the padding of record {expected} is not zero")]
    Padding {
        /// The record that should be here.
        expected: TxId,
    },
}

/// What is wrong with a shipment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum BadShipment {
    /// Too short for a header, or another header, or its checksum fails.
    #[error("the header is not valid")]
    Header,
    /// It needs a newer program.
    #[error("it needs version {needed} of the {part} and this program has {supported}")]
    Newer {
        /// Which version number is too high.
        part: FormatPart,
        /// The version in the shipment.
        needed: u16,
        /// The newest version that is understood.
        supported: u16,
    },
    /// The frames are fewer or more bytes than the header says.
    #[error("the frames have {found} bytes and not {expected}")]
    Length {
        /// What the header says.
        expected: u64,
        /// What there is.
        found: u64,
    },
    /// A record is not what was shipped.
    #[error("{0}")]
    Record(BadFrame),
    /// The frames hold fewer or more records than the header says.
    #[error("it does not end before {end}")]
    Count {
        /// The end that the header says.
        end: TxId,
    },
}

/// What kind of damage was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DamageKind {
    /// A segment that has its name but no valid header.
    #[error("the segment's header is not valid")]
    Header,
    /// A segment that is too short to hold its header and marks.
    #[error("the segment is only {bytes} bytes long")]
    TooShort {
        /// Its length.
        bytes: u64,
    },
    /// A segment under a name that is not its own.
    #[error("the segment begins at {base}, not where its name says")]
    Misnamed {
        /// What its header says.
        base: TxId,
    },
    /// A segment of another log.
    #[error("the segment belongs to log {found}")]
    Foreign {
        /// What its header says.
        found: LogId,
    },
    /// A segment is missing between this one and the next, or after the last one.
    #[error("the segment that begins at {expected} is missing")]
    SegmentMissing {
        /// The base of the segment that should follow.
        expected: TxId,
    },
    /// The log begins later than it says that it does: the segments before are lost, and no snapshot that is known holds what they held.
    #[error("the log begins at {found}, and the segment that begins at {expected} is missing")]
    StartMissing {
        /// The base of the segment that should be the first.
        expected: TxId,
        /// The base of the one that is.
        found: TxId,
    },
    /// This segment and the one before it tell different histories.
    #[error("the segment does not continue the one before it")]
    SegmentChain,
    /// A history's first segment has no valid mark, or a compressed one none that says that it is continued, though they had it before they had their
    /// names.
    #[error("neither mark of the segment is valid")]
    NoMark,
    /// A mark contradicts the records.
    #[error("a mark says that record {through} begins elsewhere or with another chain")]
    Mark {
        /// The mark's first id that is not proved.
        through: TxId,
    },
    /// A record that is proved to have been written is not there.
    #[error("{bad}, though everything before {proven} had been synced")]
    Record {
        /// What stands there.
        bad: BadFrame,
        /// The first id that is not proved.
        proven: TxId,
    },
    /// A snapshot proves more records than the log holds: the log, or its end, was lost or replaced by an older one.
    #[error("the log ends before {end}, though a snapshot holds everything before {proven}")]
    BehindProof {
        /// Where the log ends.
        end: TxId,
        /// The first id after the snapshot.
        proven: TxId,
    },
}
