//! `cairn snapshot`: writes one.

use crate::failure::Failure;
use crate::opening::open_to_write;
use crate::output::Output;
use crate::upkeep_options::SnapshotOptions;

/// Writes a snapshot of the newest state and reads it back.
///
/// # Errors
/// No database, locked, the disk's.
pub(crate) fn snapshot(options: &SnapshotOptions, output: &mut Output) -> Result<(), Failure> {
    let database = open_to_write(&options.dir, false)?;
    let summary = database.snapshot()?;
    database.close()?;
    if summary.already_there {
        return output.line(format_args!(
            "transaction {} has a good snapshot already",
            summary.tx
        ));
    }
    output.line(format_args!(
        "snapshot of transaction {}: {} pages, {} bytes written and read back",
        summary.tx, summary.page_count, summary.file_bytes
    ))?;
    for removed in &summary.removed {
        output.line(format_args!(
            "removed the older snapshot of transaction {removed}"
        ))?;
    }
    Ok(())
}
