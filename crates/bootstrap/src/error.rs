//! What can go wrong with a database, sorted by what the caller can do about it.

use std::path::PathBuf;

use commitlog::TxId;

use crate::database_id::DatabaseId;
use crate::format::{HEAD_BYTES_MAX, IdentityFlaw};

/// An error of the database as a whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk failed or refused a call, or another program holds the lock ([`disk::Error::Locked`]).
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// There is no database in the directory.
    #[error("{} holds no database; open it for writing with `create`, or look for the right directory", path.display())]
    NoDatabase {
        /// The directory.
        path: PathBuf,
    },
    /// There was a database in the directory and its log is gone. It is never replaced by an empty one.
    #[error(
        "{} holds a database whose log is gone; put the log back{}", path.display(),
        if *.restorable { ", or give up what came after the newest snapshot with `restore_from_snapshots`" } else { "" }
    )]
    LogLost {
        /// The directory.
        path: PathBuf,
        /// There is a sound snapshot to restore from.
        restorable: bool,
    },
    /// The identity file is damaged.
    #[error("{} is damaged: {flaw}; remove it if this is the right directory, it will be rewritten from the log", file.display())]
    IdentityDamaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        flaw: IdentityFlaw,
    },
    /// A newer program wrote the identity file.
    #[error("{} has format version {found} and this program reads up to {supported}; use a newer program", file.display())]
    NewerIdentity {
        /// The file.
        file: PathBuf,
        /// The version in the file.
        found: u16,
        /// The newest version that this program reads.
        supported: u16,
    },
    /// The identity and the log are those of different databases.
    #[error("{} is the directory of database {identity} and holds the log of {log}; put the right log back", path.display())]
    ForeignLog {
        /// The directory.
        path: PathBuf,
        /// What the identity file says.
        identity: DatabaseId,
        /// What the log says.
        log: DatabaseId,
    },
    /// A snapshot holds transactions that the log has lost.
    #[error(
        "the log ends before transaction {end} and a snapshot holds everything through {snapshot}; put the right log back{}",
        if *.restorable { ", or go on from the snapshot with `restore_from_snapshots`" } else {
            "; the snapshot itself is damaged or of a newer program"
        }
    )]
    LogBehindSnapshot {
        /// The last transaction in the snapshot.
        snapshot: TxId,
        /// The first transaction that the log does not have.
        end: TxId,
        /// There is a sound snapshot of a later transaction to restore from.
        restorable: bool,
    },
    /// The beginning of the log is pruned or lost, and there is no usable snapshot to start from.
    #[error(
        "the log begins at transaction {base} and no usable snapshot reaches it{}; put a snapshot or the older segments back{}",
        if let Some(lost) = .lost_from { format!(", for its segments with transactions {lost} to {} are lost", .base.0 - 1) } else { String::new() },
        if *.restorable { ", or give up the log with `restore_from_snapshots`" } else { "" }
    )]
    NoStart {
        /// The oldest transaction that the log holds.
        base: TxId,
        /// The first transaction before it that the log should hold: its segments were lost and not pruned.
        lost_from: Option<TxId>,
        /// There is a sound snapshot to restore from.
        restorable: bool,
    },
    /// The state asked for can not be rebuilt from what is there.
    #[error(
        "there is no transaction {at} to go back to; the states after transactions {first} to {last} can be opened"
    )]
    OutsideRange {
        /// The transaction asked for.
        at: TxId,
        /// The oldest one that can be rebuilt.
        first: TxId,
        /// The newest.
        last: TxId,
    },
    /// The log refused or is damaged.
    #[error(transparent)]
    Log(#[from] commitlog::Error),
    /// A snapshot could not be written, or none of those that are needed can be read.
    #[error(transparent)]
    Snapshot(#[from] snapshot::Error),
    /// What is kept of a table beside its pages has no room in a snapshot. Builds that refuse longer defaults than
    /// [`schema::DEFAULT_BYTES_MAX`] make no such table.
    #[error(
        "table {table:?} takes {bytes} bytes beside its rows, {HEAD_BYTES_MAX} are possible in a snapshot; give its columns shorter defaults and write its rows again"
    )]
    TableHeadTooLong {
        /// The table.
        table: String,
        /// What it takes.
        bytes: usize,
    },
    /// A definition or a row was refused, or a page met while doing so is damaged.
    #[error(transparent)]
    Schema(#[from] schema::Error),
    /// A record of the log is intact, but does not fit the state before it.
    #[error("transaction {tx} in {} can not be applied: {source}", file.display())]
    Replay {
        /// The transaction.
        tx: TxId,
        /// The segment that holds it.
        file: PathBuf,
        /// Why it does not fit.
        source: Box<schema::Error>,
    },
    /// The log begins with record 0 and does not hold it.
    #[error("the log has lost its first record in {}; put it back", file.display())]
    NoGenesis {
        /// The segment that should hold it.
        file: PathBuf,
    },
    /// The state that is to be backed up is not proven to be durable: it was opened with [`crate::ReadOptions::unproven`].
    #[error(
        "transaction {tx} is not proven to be durable, and a backup of it might hold what the database will not; open it without `unproven`"
    )]
    Unproven {
        /// The last transaction of the state.
        tx: TxId,
    },
    /// The directory for a backup holds something else: another database, or other transactions of this one.
    #[error("{} holds something else than an earlier state of this database; back up into another directory", path.display())]
    ForeignBackup {
        /// The directory.
        path: PathBuf,
    },
    /// The directory for a backup holds a backup of a later state, which another one has made since this state was read, or of which this one is a part.
    #[error("{} holds a backup through transaction {last}, which is later than {tx}; there is nothing to add to it", path.display())]
    BackupAhead {
        /// The directory.
        path: PathBuf,
        /// The last transaction of the state that was to be backed up.
        tx: TxId,
        /// The last one that the backup holds.
        last: TxId,
    },
    /// The directory for a backup is that of the database itself, or lies inside its log or its snapshots.
    #[error("{} belongs to the database that is to be backed up; back up into a directory of its own", path.display())]
    BackupInside {
        /// The directory.
        path: PathBuf,
    },
    /// An earlier write or sync failed, or an apply panicked: nothing is accepted any more.
    #[error(
        "the database stopped after a failed write or sync; what was durable stays readable; open it again"
    )]
    Poisoned,
    /// A transaction was begun inside another one of the same database, on the same thread: it would wait for itself.
    #[error(
        "a transaction is running on this thread; use it, or end it before the next one begins"
    )]
    AlreadyWriting,
    /// The directory changed again and again while it was being looked at.
    #[error("{} kept changing while it was looked at; try again", path.display())]
    Restless {
        /// The directory.
        path: PathBuf,
    },
    /// The operating system gave no random bytes for the id of a new database.
    #[error("no random bytes for a new database id")]
    NoRandomness,
    /// The operating system gave no thread for the work in the background.
    #[error("no thread for the work in the background: {0}")]
    NoThread(std::io::Error),
}

/// The result of a call to a database.
pub type Result<T> = std::result::Result<T, Error>;

/// What the caller can do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// What was asked for is not allowed or not possible; nothing changed.
    Refused,
    /// The disk or the system failed.
    World,
    /// Bytes are not those that were written.
    Damage,
    /// Another program holds the database.
    Locked,
    /// A newer program is needed.
    NewerFormat,
}

impl Error {
    /// What the caller can do about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::Disk(error) => class_of_disk(error),
            Error::LogLost { .. }
            | Error::IdentityDamaged { .. }
            | Error::ForeignLog { .. }
            | Error::LogBehindSnapshot { .. }
            | Error::NoGenesis { .. }
            | Error::NoStart { .. } => ErrorClass::Damage,
            Error::NewerIdentity { .. } => ErrorClass::NewerFormat,
            Error::Log(error) => match error {
                commitlog::Error::Io(error) => class_of_disk(error),
                commitlog::Error::Full(_)
                | commitlog::Error::Unknown { .. }
                | commitlog::Error::Poisoned => ErrorClass::World,
                commitlog::Error::Damaged { .. } => ErrorClass::Damage,
                commitlog::Error::NewerFormat { .. } => ErrorClass::NewerFormat,
                _ => ErrorClass::Refused,
            },
            Error::Snapshot(error) => match error {
                snapshot::Error::Io(error) => class_of_disk(error),
                snapshot::Error::Damaged { .. }
                | snapshot::Error::Changed { .. }
                | snapshot::Error::Source(_) => ErrorClass::Damage,
                snapshot::Error::NewerFormat { .. } => ErrorClass::NewerFormat,
                _ => ErrorClass::Refused,
            },
            Error::Replay { source, .. } => match **source {
                schema::Error::NewerFormat { .. } => ErrorClass::NewerFormat,
                _ => ErrorClass::Damage,
            },
            Error::Schema(error) => match error {
                schema::Error::NewerFormat { .. } => ErrorClass::NewerFormat,
                schema::Error::Table(table::Error::Damaged(_))
                | schema::Error::Malformed(_)
                | schema::Error::Contradiction(_) => ErrorClass::Damage,
                _ => ErrorClass::Refused,
            },
            Error::Poisoned | Error::Restless { .. } | Error::NoRandomness | Error::NoThread(_) => {
                ErrorClass::World
            }
            Error::NoDatabase { .. }
            | Error::OutsideRange { .. }
            | Error::ForeignBackup { .. }
            | Error::BackupAhead { .. }
            | Error::BackupInside { .. }
            | Error::Unproven { .. }
            | Error::TableHeadTooLong { .. }
            | Error::AlreadyWriting => ErrorClass::Refused,
        }
    }
}

fn class_of_disk(error: &disk::Error) -> ErrorClass {
    match error {
        disk::Error::Locked { .. } => ErrorClass::Locked,
        _ => ErrorClass::World,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_has_gone_bad_where_it_lies_is_damage() {
        let changed = snapshot::Error::Changed {
            file: PathBuf::from("a.pack"),
            byte_offset: 4096,
            section: 0,
            number: 7,
        };
        assert_eq!(Error::Snapshot(changed).class(), ErrorClass::Damage);
    }
}
