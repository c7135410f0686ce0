//! `cairn backup` and `cairn restore`: a copy of a state in a directory of its own, also beside a program that writes.

use std::ops::ControlFlow;
use std::path::Path;

use cairn::BackupSummary;

use crate::failure::Failure;
use crate::opening::open_to_read;
use crate::output::Output;
use crate::upkeep_options::CopyOptions;

/// Makes a backup, or brings it up to date.
///
/// # Errors
/// No database, damage, something else in the other directory, the disk's.
pub(crate) fn backup(options: &CopyOptions, output: &mut Output) -> Result<(), Failure> {
    let summary = copy(options)?;
    output.line(format_args!(
        "backup through transaction {}: {} transactions copied, {} bytes of pages written and read back",
        summary.tx, summary.records, summary.snapshot.file_bytes
    ))
}

/// Makes a database out of a backup, as of any transaction that it covers.
///
/// # Errors
/// As [`backup`], and if the other directory holds anything.
pub(crate) fn restore(options: &CopyOptions, output: &mut Output) -> Result<(), Failure> {
    if !is_vacant(&options.to) {
        return Err(Failure::refused(format_args!(
            "{} is not empty; restore into a directory of its own",
            options.to.display()
        )));
    }
    let summary = copy(options)?;
    output.line(format_args!(
        "restored as of transaction {}: {} pages",
        summary.tx, summary.snapshot.page_count
    ))
}

fn copy(options: &CopyOptions) -> Result<BackupSummary, Failure> {
    let database = open_to_read(&options.dir, options.at)?;
    Ok(database.backup(&options.to, &|_| ControlFlow::Continue(()))?)
}

/// Whether nothing can be in the way: no such directory, or an empty one.
fn is_vacant(to: &Path) -> bool {
    match disk::OsDir::open(to) {
        Ok(dir) => dir.list().is_ok_and(|entries| entries.is_empty()),
        Err(error) => error.is_not_found(),
    }
}
