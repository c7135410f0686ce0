//! `cairn repair`: what opening for writing does to a directory, or would do.

use std::sync::Arc;

use disk::{Change, ChangeKind, Dir, OsDir, Rehearsal};

use crate::failure::Failure;
use crate::opening::open_on;
use crate::output::{Output, complain};
use crate::upkeep_options::RepairOptions;

/// Opens for writing and closes again, or does so in a rehearsal, and says what came of it.
///
/// # Errors
/// What opening for writing refuses: no database, locked, damage, the disk's.
pub(crate) fn repair(options: &RepairOptions, output: &mut Output) -> Result<(), Failure> {
    let dir: Arc<dyn Dir> = OsDir::open(&options.dir).map_err(bootstrap::Error::from)?;
    // What will be different is known before anything is.
    let rehearsed = rehearse(&dir, options.from_snapshot);
    if let Err(Failure::Damaged(_) | Failure::Refused(_)) = rehearsed
        && !options.from_snapshot
        && rehearse(&dir, true).is_ok()
    {
        complain(format_args!(
            "note: with --from-snapshot the database would go on from its newest sound snapshot, and what came after it would be given up; \
             try that with --dry-run first"
        ));
    }
    let Rehearsed { report, changes } = rehearsed?;
    if !options.dry_run {
        open_on(dir, options.from_snapshot)?.close()?;
    }
    for line in report.lines() {
        output.line(line)?;
    }
    let (would, nothing) = match options.dry_run {
        true => ("would have ", "nothing would be written"),
        false => ("", "nothing was to be written"),
    };
    for change in &changes {
        output.line(format_args!("{would}{}", told(change)))?;
    }
    if changes.is_empty() {
        output.line(nothing)?;
    }
    Ok(())
}

/// What a repair would say and do.
struct Rehearsed {
    report: String,
    changes: Vec<Change>,
}

fn rehearse(dir: &Arc<dyn Dir>, from_snapshot: bool) -> Result<Rehearsed, Failure> {
    let rehearsal = Rehearsal::new(Arc::clone(dir)).map_err(bootstrap::Error::from)?;
    let database = open_on(rehearsal.root(), from_snapshot)?;
    let report = database.report().to_string();
    database.close()?;
    let changes = rehearsal.changes().map_err(bootstrap::Error::from)?;
    Ok(Rehearsed { report, changes })
}

fn told(change: &Change) -> String {
    let path = change.path.display();
    match &change.kind {
        ChangeKind::Removed { bytes } => format!("removed {path}, {bytes} bytes"),
        ChangeKind::Created {
            bytes,
            replaces: None,
        } => format!("made {path}, {bytes} bytes"),
        ChangeKind::Created {
            bytes,
            replaces: Some(before),
        } => format!("made {path} anew, {bytes} bytes in the place of {before}"),
        ChangeKind::Renamed { from } => format!("renamed {from} to {path}"),
        ChangeKind::Written {
            bytes,
            len_before,
            len_after,
        } if len_after < len_before => {
            let cut = len_before - len_after;
            format!("cut {cut} bytes off {path} and changed {bytes} in it")
        }
        ChangeKind::Written {
            bytes,
            len_before,
            len_after,
        } => {
            let grown = len_after - len_before;
            format!("changed {bytes} bytes in {path} and added {grown}")
        }
        _ => format!("changed {path}"),
    }
}
