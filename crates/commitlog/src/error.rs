//! What can go wrong with a log, sorted by what the caller can do about it.

use std::path::PathBuf;

use crate::damage::{BadShipment, DamageKind};
use crate::tx_id::TxId;

/// An error of the log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk failed or refused a call. If it happened while writing or syncing, the log is poisoned.
    #[error(transparent)]
    Io(#[from] disk::Error),
    /// The device is full; nothing was written, the log stays readable and goes on when space returns.
    #[error("no space is left for this record; free some and append again: {0}")]
    Full(disk::Error),
    /// The payload is longer than the options allow; nothing was written.
    #[error(
        "the transaction has {bytes} bytes and the limit is {bytes_max}; split it or raise the limit"
    )]
    TransactionTooLarge {
        /// The length of the payload.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// An earlier write or sync failed: nothing is acknowledged any more. Reopen to find out what is there.
    #[error("the log stopped after a failed write or sync; open it again")]
    Poisoned,
    /// The record has its id, but the log was poisoned before it was written: after reopening it may be there or not.
    #[error(
        "the log stopped before record {id} was written; open it again to find out what is there"
    )]
    Unknown {
        /// The record.
        id: TxId,
    },
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
    /// The records asked for were pruned.
    #[error("the log begins at {oldest}; what was before is pruned")]
    Pruned {
        /// The oldest id that is kept.
        oldest: TxId,
    },
    /// The log was truncated behind the place of whoever asked: what is read from here on would continue another history.
    #[error("the log was truncated at record {end} or behind it; read again from there")]
    Truncated {
        /// No record before this one was given up. Those may have been pruned since; then reading from here says so.
        end: TxId,
    },
    /// The operating system gave no thread to maintain the log with.
    #[error("no thread could be started: {0}")]
    NoThread(std::io::Error),
    /// No such record has been appended yet.
    #[error("there is no record {asked}; the log ends before {end}")]
    BeyondEnd {
        /// What was asked for.
        asked: TxId,
        /// The first id that does not exist.
        end: TxId,
    },
    /// Acknowledged bytes are not what was written. Nothing has been changed.
    #[error("{} is damaged at byte {byte_offset}: {kind}", file.display())]
    Damaged {
        /// The segment.
        file: PathBuf,
        /// Where in it the damage begins.
        byte_offset: u64,
        /// What is wrong there.
        kind: DamageKind,
    },
    /// A shipment is not what was shipped, or not one at all. Nothing was appended.
    #[error("the shipment is not valid at byte {byte_offset}: {kind}")]
    BadShipment {
        /// Where in it.
        byte_offset: u64,
        /// What is wrong there.
        kind: BadShipment,
    },
    /// A shipment does not begin where the log ends. Nothing was appended.
    #[error("the shipment begins at {first} and the log goes on at {next}")]
    NotNext {
        /// The first record of the shipment.
        first: TxId,
        /// The id that the next record of this log gets.
        next: TxId,
    },
    /// What was shipped, or read in an earlier life, continues another history than this log: one of the two was truncated and written again. Nothing
    /// was appended or shown.
    #[error("the log has another history before {at}; begin again where both agree")]
    OtherHistory {
        /// The first record that would have come.
        at: TxId,
    },
    /// A segment needs a newer program.
    #[error("{} needs version {needed} of the {part} and this program has {supported}; use a newer program", file.display())]
    NewerFormat {
        /// The segment.
        file: PathBuf,
        /// Which version number is too high.
        part: FormatPart,
        /// The version in the file.
        needed: u16,
        /// The newest version that is understood.
        supported: u16,
    },
    /// There is no log in the directory.
    #[error("{} holds no log", path.display())]
    NoLog {
        /// The directory.
        path: PathBuf,
    },
    /// There is a log in the directory where one was to be created.
    #[error("{} already holds a log; open it or choose another directory", path.display())]
    AlreadyExists {
        /// The directory.
        path: PathBuf,
    },
}

/// Which of the version numbers in a segment's header is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FormatPart {
    /// The layout of segments.
    Segment,
    /// The layout of shipments.
    Shipment,
    /// How the records are stored in the segment.
    Body,
    /// The payloads, of which the log knows only this number.
    Payload,
}

impl std::fmt::Display for FormatPart {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            FormatPart::Segment => "segment format",
            FormatPart::Shipment => "shipment format",
            FormatPart::Body => "segment body",
            FormatPart::Payload => "payload format",
        })
    }
}

/// The result of a call to the log.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of a call that came before anything was written that counts.
    pub(crate) fn refused(error: disk::Error) -> Error {
        if error.is_full() {
            Error::Full(error)
        } else {
            Error::Io(error)
        }
    }
}
