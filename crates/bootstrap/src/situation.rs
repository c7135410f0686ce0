//! What can be found in a directory, and what can be wanted of it, reduced to what the plan depends on.
//!
//! Few cases with names, so that all their combinations can be enumerated: the decision table has a row for each.

use std::fmt;

/// What the identity file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum IdentityCase {
    /// There is none.
    Absent,
    /// It names a database, and the log, if it can be read, is that database's.
    Sound,
    /// It names another database than the log does.
    Other,
    /// Its bytes are not those that were written.
    Damaged,
    /// A newer program wrote it.
    Newer,
}

/// What the log looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum LogCase {
    /// There is no segment, at most unfinished ones under temporary names.
    Absent,
    /// Something that had been synced is not there.
    Damaged,
    /// A newer program wrote it.
    Newer,
    /// It begins with record 0.
    Whole,
    /// Its beginning was pruned.
    Pruned,
}

/// What the snapshots offer. Snapshots of another database or history count as not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SnapshotCase {
    /// There is none.
    None,
    /// There are some, but none can be used, because they are damaged or of a newer format.
    Rejected,
    /// There is a sound one, and no readable log to compare it with.
    Sound,
    /// There is one that the log continues, and none beyond the log's end.
    Usable,
    /// There are sound ones, but the log begins after all of them, with a gap.
    Unreachable,
    /// There is one of a later transaction than the log's last.
    Ahead,
    /// Of a later transaction than the log's last there are only some that are rejected; their manifests still prove that the log had it.
    RejectedAhead,
}

/// What the caller wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum IntentCase {
    /// To write. May a missing database be created, and may a lost log be replaced by a snapshot?
    Write { create: bool, restore: bool },
    /// To read.
    Read { at: AtCase },
}

/// Which state a reader wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum AtCase {
    /// The newest.
    Newest,
    /// An older one that can be rebuilt.
    Inside,
    /// One that can not.
    Outside,
}

/// One combination of cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Situation {
    pub(crate) identity: IdentityCase,
    pub(crate) log: LogCase,
    pub(crate) snapshots: SnapshotCase,
    pub(crate) intent: IntentCase,
}

impl Situation {
    /// Whether these cases can occur together: how a snapshot stands to the log is known exactly if the log can be read.
    pub(crate) fn is_possible(&self) -> bool {
        use SnapshotCase::{Ahead, None, Rejected, RejectedAhead, Sound, Unreachable, Usable};
        let snapshots: &[SnapshotCase] = match self.log {
            LogCase::Absent | LogCase::Damaged | LogCase::Newer => &[None, Rejected, Sound],
            LogCase::Whole => &[None, Rejected, Usable, Ahead, RejectedAhead],
            LogCase::Pruned => &[None, Rejected, Usable, Unreachable, Ahead, RejectedAhead],
        };
        let log_is_readable = matches!(self.log, LogCase::Whole | LogCase::Pruned);
        snapshots.contains(&self.snapshots)
            && (self.identity != IdentityCase::Other || log_is_readable)
    }
}

impl fmt::Display for IdentityCase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            IdentityCase::Absent => "absent",
            IdentityCase::Sound => "sound",
            IdentityCase::Other => "other",
            IdentityCase::Damaged => "damaged",
            IdentityCase::Newer => "newer",
        })
    }
}

impl fmt::Display for LogCase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            LogCase::Absent => "absent",
            LogCase::Damaged => "damaged",
            LogCase::Newer => "newer",
            LogCase::Whole => "whole",
            LogCase::Pruned => "pruned",
        })
    }
}

impl fmt::Display for SnapshotCase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            SnapshotCase::None => "none",
            SnapshotCase::Rejected => "rejected",
            SnapshotCase::Sound => "sound",
            SnapshotCase::Usable => "usable",
            SnapshotCase::Unreachable => "unreachable",
            SnapshotCase::Ahead => "ahead",
            SnapshotCase::RejectedAhead => "rejected ahead",
        })
    }
}
