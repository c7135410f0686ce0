//! What was found in a directory, before anything is decided or changed.

use commitlog::{Chain, LogId, TxId};

use crate::database_id::DatabaseId;
use crate::error::Error;
use crate::format::IdentityFlaw;
use crate::open_report::Rejection;

/// Everything that the plan depends on.
#[derive(Debug)]
pub(crate) struct Sighting {
    pub(crate) identity: IdentitySighting,
    pub(crate) log: LogSighting,
    /// Newest first.
    pub(crate) snapshots: Vec<SnapshotSighting>,
}

/// What the identity file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdentitySighting {
    Absent,
    Sound(DatabaseId),
    Damaged(IdentityFlaw),
    Newer(u16),
}

/// What the log looks like.
#[derive(Debug)]
pub(crate) enum LogSighting {
    Absent,
    Damaged(Error),
    Newer(Error),
    Sound(LogExtent),
}

/// Where a readable log begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogExtent {
    pub(crate) log_id: LogId,
    /// The oldest record that is there.
    pub(crate) base: TxId,
    /// The oldest record that the log keeps, if the segments before `base` are lost.
    pub(crate) lost_from: Option<TxId>,
    /// The first record that does not exist.
    pub(crate) end: TxId,
}

/// A manifest, and what became of it.
#[derive(Debug)]
pub(crate) struct SnapshotSighting {
    /// The last transaction in the snapshot.
    pub(crate) tx: TxId,
    /// The log that had been synced through `tx`: told by every manifest that can be read, usable or not.
    pub(crate) proves: Option<LogId>,
    pub(crate) state: SnapshotState,
}

/// Whether a snapshot can be believed.
#[derive(Debug)]
pub(crate) enum SnapshotState {
    /// Its manifest is sound and its packs are there.
    Sound(SnapshotSummary),
    /// It can not be used.
    Rejected(Rejection),
}

/// What a sound manifest says, and what the log says about the same point.
#[derive(Debug)]
pub(crate) struct SnapshotSummary {
    pub(crate) log_id: LogId,
    pub(crate) chain: Chain,
    pub(crate) log_chain: LogChain,
}

/// The log's chain after the last transaction of a snapshot.
#[derive(Debug)]
pub(crate) enum LogChain {
    /// The log does not hold that point, or can not be read at all.
    NotHeld,
    Value(Chain),
    /// The log is damaged before that point.
    Damaged(commitlog::Error),
}

/// How a snapshot stands to the database that is being opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Standing {
    /// The log continues it.
    Usable,
    /// It belongs to this database; the log can not be read, so no more is known.
    Sound,
    /// It is of another database.
    ForeignDatabase(DatabaseId),
    /// It is of this database, but of a history that took another course.
    OtherHistory,
    /// The log begins after it, with a gap.
    Unreachable,
    /// The log ends before it.
    Ahead,
    /// Its bytes are bad, or too new.
    Rejected,
    /// The same, and the log ends before it, which its manifest is good enough to prove.
    RejectedAhead,
}

impl Sighting {
    /// The database that is being opened: named by the identity, else by the log, else by the newest sound snapshot.
    pub(crate) fn database_id(&self) -> Option<DatabaseId> {
        match (self.identity, &self.log) {
            (IdentitySighting::Sound(id), _) => Some(id),
            (_, LogSighting::Sound(extent)) => Some(extent.log_id.into()),
            _ => self
                .snapshots
                .iter()
                .find_map(|snapshot| match &snapshot.state {
                    SnapshotState::Sound(summary) => Some(summary.log_id.into()),
                    _ => None,
                }),
        }
    }

    /// How a snapshot stands to the database: the one place that compares the two.
    pub(crate) fn standing(&self, snapshot: &SnapshotSighting) -> Standing {
        let SnapshotState::Sound(summary) = &snapshot.state else {
            let is_ahead = match &self.log {
                LogSighting::Sound(extent) => {
                    snapshot.proves == Some(extent.log_id) && snapshot.tx >= extent.end
                }
                _ => false,
            };
            return if is_ahead {
                Standing::RejectedAhead
            } else {
                Standing::Rejected
            };
        };
        let database_id = DatabaseId::from(summary.log_id);
        if self.database_id() != Some(database_id) {
            return Standing::ForeignDatabase(database_id);
        }
        let LogSighting::Sound(extent) = &self.log else {
            return Standing::Sound;
        };
        if snapshot.tx >= extent.end {
            return Standing::Ahead;
        }
        if snapshot.tx.next() < extent.base {
            return Standing::Unreachable;
        }
        match summary.log_chain {
            LogChain::Value(chain) if chain == summary.chain => Standing::Usable,
            LogChain::Value(_) => Standing::OtherHistory,
            LogChain::Damaged(_) | LogChain::NotHeld => Standing::Rejected,
        }
    }
}
