//! Opening a database for a verb, and what its errors mean for how the command ends.

use std::path::Path;
use std::sync::Arc;

use bootstrap::ErrorClass;
use cairn::{
    Database, OpenError, OpenReport, Options, ReadOnlyDatabase, ReadOptions, SnapshotPolicy, TxId,
    WriteError,
};
use disk::Dir;

use crate::cli::AtOption;
use crate::failure::Failure;
use crate::output::complain;

/// Opens the state that `at` names, or the newest, for reading.
pub(crate) fn open_to_read(dir: &Path, at: AtOption) -> Result<ReadOnlyDatabase, Failure> {
    let options = ReadOptions {
        at: at.at.map(TxId),
        ..ReadOptions::default()
    };
    open_state(dir, &options)
}

/// Opens the state that the options name, for reading.
pub(crate) fn open_state(dir: &Path, options: &ReadOptions) -> Result<ReadOnlyDatabase, Failure> {
    let database = ReadOnlyDatabase::open_with(dir, options)?;
    tell(database.report());
    Ok(database)
}

/// Opens a database for writing; `create` makes one where there is none.
pub(crate) fn open_to_write(dir: &Path, create: bool) -> Result<Database, Failure> {
    let database = open_quietly(dir, create)?;
    tell(database.report());
    Ok(database)
}

/// [`open_to_write`] for who shows the report itself.
pub(crate) fn open_quietly(dir: &Path, create: bool) -> Result<Database, Failure> {
    let options = Options {
        create,
        ..by_hand()
    };
    Ok(Database::open_with(dir, options, |_| {
        Ok::<(), cairn::Error>(())
    })?)
}

/// [`open_quietly`] what exists, on any disk; `from_snapshot` gives the log up if it can not be used.
pub(crate) fn open_on(dir: Arc<dyn Dir>, from_snapshot: bool) -> Result<Database, Failure> {
    let options = Options {
        create: false,
        restore_from_snapshots: from_snapshot,
        ..by_hand()
    };
    Ok(Database::open_on(dir, options, |_| {
        Ok::<(), cairn::Error>(())
    })?)
}

/// Nothing happens that was not asked for.
fn by_hand() -> Options {
    Options {
        snapshots: SnapshotPolicy::by_hand(),
        ..Options::default()
    }
}

fn tell(report: &OpenReport) {
    for note in notes(report) {
        complain(format_args!("note: {note}"));
    }
}

/// What is no failure and still never passed over in silence.
pub(crate) fn notes(report: &OpenReport) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(lost) = &report.segments_lost {
        notes.push(format!(
            "the segments of the log with transactions {} to {} are lost; the snapshot holds what they did, look after the disk",
            lost.start,
            lost.end.previous().unwrap_or_default()
        ));
    }
    if let Some(torn) = &report.torn {
        notes.push(format!(
            "{} torn bytes at the end of the log were never acknowledged: {}",
            torn.bytes_cut, torn.reason
        ));
    }
    if report.leftovers_removed > 0 {
        notes.push(format!(
            "{} segments that the log had given up before were still there and have been removed",
            report.leftovers_removed
        ));
    }
    notes
}

impl From<bootstrap::Error> for Failure {
    fn from(error: bootstrap::Error) -> Failure {
        match error.class() {
            ErrorClass::Damage => Failure::Damaged(error.to_string()),
            ErrorClass::Locked => Failure::Locked(error.to_string()),
            _ => Failure::refused(error),
        }
    }
}

impl From<cairn::Error> for Failure {
    fn from(error: cairn::Error) -> Failure {
        match error {
            cairn::Error::Schema(error) => bootstrap::Error::Schema(error).into(),
            cairn::Error::Database(error) => error.into(),
            error => Failure::refused(error),
        }
    }
}

impl From<OpenError<cairn::Error>> for Failure {
    fn from(error: OpenError<cairn::Error>) -> Failure {
        match error {
            OpenError::Initialiser(error) => error.into(),
            OpenError::Database(error) => error.into(),
        }
    }
}

impl<E: Into<Failure>> From<WriteError<E>> for Failure {
    fn from(error: WriteError<E>) -> Failure {
        match error {
            WriteError::RolledBack(error) => error.into(),
            WriteError::Refused(error) => error.into(),
            WriteError::Unknown { tx, source } => Failure::refused(format_args!(
                "transaction {tx} may or may not be there after the database is opened again: {source}"
            )),
        }
    }
}
