//! What opening a database found and did.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use commitlog::{TornTail, TxId};
use schema::Upgrade;

use crate::database_id::DatabaseId;
use crate::error::Error;

/// What opening a database found and did.
#[derive(Debug)]
#[non_exhaustive]
pub struct OpenReport {
    /// Which database it is.
    pub database_id: DatabaseId,
    /// It was opened for reading: nothing was locked, written or repaired.
    pub is_read_only: bool,
    /// The row of the decision table in `docs/RECOVERY.md` that was met.
    pub row: u8,
    /// Where the state came from.
    pub origin: Origin,
    /// The newest transaction that is part of the state.
    pub tx: TxId,
    /// How many transactions were applied to get there.
    pub records_replayed: u64,
    /// How many bytes they had.
    pub bytes_replayed: u64,
    /// What was cut off the end of the log, or left out by an open for reading: never acknowledged as durable.
    pub torn: Option<TornTail>,
    /// Transactions before the oldest one that the log holds, of which it does not say that they were pruned: the segments with them are lost. The snapshot
    /// that the state came from holds all that they did, and the database is whole; the medium is due for a second look. It is reported until the
    /// log is pruned that far.
    pub segments_lost: Option<Range<TxId>>,
    /// How many segments of the log were removed that a prune or a truncation had given up and that were there all the same: it was cut off,
    /// or a removal came undone. An open for reading ignores them.
    pub leftovers_removed: usize,
    /// Whether the log had been closed properly; always true for a new one.
    pub was_closed: bool,
    /// The identity file was missing and has been written again.
    pub identity_rewritten: bool,
    /// Snapshots that were not used though they are newer than the state's origin, or could not be read; newest first.
    pub snapshots_rejected: Vec<RejectedSnapshot>,
    /// The log was begun by an older program, and lacked what this one knows of system tables: what was added in a transaction of its own, or
    /// why that was refused, by a full disk for one. Then everything else works as before. `None` if the log lacked nothing, or
    /// upgrades are not allowed, or the database was opened for reading.
    pub upgrade: Option<std::result::Result<Upgrade, Error>>,
    /// Where the time went.
    pub phases: Phases,
}

/// Where a state came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// It is new.
    Created,
    /// The log alone.
    Genesis,
    /// A snapshot, and the log after it.
    Snapshot {
        /// The last transaction in the snapshot.
        tx: TxId,
    },
    /// A snapshot alone, because that was asked for: what came after it is given up.
    Restored {
        /// The last transaction in the snapshot.
        tx: TxId,
        /// How many segments were moved aside.
        segments_moved: usize,
    },
}

/// A snapshot that was not used.
#[derive(Debug)]
#[non_exhaustive]
pub struct RejectedSnapshot {
    /// The last transaction in it.
    pub tx: TxId,
    /// Why it was not used.
    pub reason: Rejection,
}

/// Why a snapshot was not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// It can not be read.
    #[error(transparent)]
    Unreadable(snapshot::Error),
    /// It can be read, but its transaction, its pages or its tables have numbers that none can have.
    #[error("its transaction, pages or tables have impossible numbers")]
    Misnumbered,
    /// It can be read, but what it holds makes no database.
    #[error(transparent)]
    Unfit(schema::Error),
    /// Its content needs a newer program.
    #[error(
        "its content needs format {needed} and this program has {supported}; use a newer program"
    )]
    NewerFormat {
        /// What it needs.
        needed: u16,
        /// What this program has.
        supported: u16,
    },
    /// The log is damaged before it, so that the two can not be compared.
    #[error("the log can not be read up to it: {0}")]
    LogDamaged(commitlog::Error),
    /// It belongs to another database.
    #[error("it belongs to database {0}")]
    ForeignDatabase(DatabaseId),
    /// It belongs to another history of this database.
    #[error("it belongs to another history of this database: the chains differ")]
    OtherHistory,
    /// The log begins after it, with a gap.
    #[error("the log begins after it, with a gap")]
    Unreachable,
    /// The log ends before it.
    #[error("the log ends before it")]
    Ahead,
}

/// Where the time of an open went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Phases {
    /// Looking at what is there.
    pub look: Duration,
    /// Reading the snapshot.
    pub load: Duration,
    /// Opening the log: repairing its end, or creating it.
    pub log: Duration,
    /// Applying transactions; for a new database, running the initialiser.
    pub replay: Duration,
}

impl fmt::Display for OpenReport {
    /// A few lines for people.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin {
            Origin::Created => write!(formatter, "created database {}", self.database_id)?,
            Origin::Genesis => write!(
                formatter,
                "opened database {} from its log",
                self.database_id
            )?,
            Origin::Snapshot { tx } => {
                write!(
                    formatter,
                    "opened database {} from its snapshot of transaction {tx}",
                    self.database_id
                )?;
            }
            Origin::Restored { tx, segments_moved } => {
                let id = self.database_id;
                write!(
                    formatter,
                    "restored database {id} from its snapshot of transaction {tx} alone"
                )?;
                write!(
                    formatter,
                    "\n{segments_moved} segments of the old log were moved aside, inside `log/`; under their old names, in a directory of their own, \
                     `commitlog::salvage` reads what they hold beyond the snapshot"
                )?;
            }
        }
        if self.records_replayed > 0 && self.origin != Origin::Created {
            let (records, bytes) = (self.records_replayed, self.bytes_replayed);
            write!(
                formatter,
                "\nreplayed {records} transactions ({bytes} bytes)"
            )?;
        }
        write!(formatter, "\nthe newest transaction is {}", self.tx)?;
        if let Some(torn) = &self.torn {
            let (bytes, reason) = (torn.bytes_cut, torn.reason);
            if self.is_read_only {
                write!(
                    formatter,
                    "\nleft out {bytes} torn bytes at the end of the log: {reason}"
                )?;
            } else {
                write!(
                    formatter,
                    "\ncut {bytes} torn bytes off the end of the log: {reason}"
                )?;
            }
        }
        if let Some(lost) = &self.segments_lost {
            let last = lost.end.previous().unwrap_or_default();
            write!(
                formatter,
                "\nthe segments of the log with transactions {} to {last} are lost; the snapshot holds what they did",
                lost.start
            )?;
        }
        if self.leftovers_removed > 0 {
            write!(
                formatter,
                "\nremoved {} segments that the log had given up before",
                self.leftovers_removed
            )?;
        }
        if !self.was_closed {
            formatter.write_str(if self.is_read_only {
                "\nthe log is not closed: it is being written, or its writer ended without closing it"
            } else {
                "\nthe log had not been closed; its end was made durable"
            })?;
        }
        if self.identity_rewritten {
            write!(
                formatter,
                "\nthe identity file was missing and was written again"
            )?;
        }
        for rejected in &self.snapshots_rejected {
            write!(
                formatter,
                "\nthe snapshot of transaction {} was not used: {}",
                rejected.tx, rejected.reason
            )?;
        }
        match &self.upgrade {
            None => {}
            Some(Ok(added)) => write!(formatter, "\nupgraded the log: added {added}")?,
            Some(Err(error)) => write!(formatter, "\nthe log could not be upgraded: {error}")?,
        }
        let Phases {
            look,
            load,
            log,
            replay,
        } = self.phases;
        write!(
            formatter,
            "\nlook {look:.1?}, snapshot {load:.1?}, log {log:.1?}, replay {replay:.1?}"
        )
    }
}
