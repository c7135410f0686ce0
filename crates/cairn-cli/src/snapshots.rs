//! `cairn snapshots`: which there are, what they take, and whether they are any good.

use bootstrap::SnapshotInfo;
use disk::OsDir;
use serde::Serialize;

use crate::cli::{AtOption, InspectOptions};
use crate::failure::Failure;
use crate::opening::open_to_read;
use crate::output::Output;
use crate::text_table::TextTable;

#[derive(Serialize)]
struct JsonSnapshot {
    transaction: u64,
    database_id: Option<String>,
    /// Snapshots of different lines share no byte.
    line: Option<usize>,
    pages: Option<u64>,
    /// Of the file that was written for it.
    bytes: Option<u64>,
    /// Of files of other snapshots that it shares pages with.
    shared_bytes: Option<u64>,
    damage: Option<String>,
}

/// Lists the snapshots, newest first, each read back byte by byte. Needs nothing but them: no log, no identity.
///
/// # Errors
/// [`Failure::Damaged`] if one is not as it was written; all are printed first.
pub(crate) fn snapshots(options: &InspectOptions, output: &mut Output) -> Result<(), Failure> {
    let dir = OsDir::open(&options.dir).map_err(bootstrap::Error::from)?;
    let mut found = Vec::new();
    for snapshot in SnapshotInfo::read_back_all(&*dir)? {
        found.push(describe(snapshot)?);
    }
    if found.is_empty() {
        // Where there is no database, that is what is to be said.
        open_to_read(&options.dir, AtOption { at: None })?;
    }
    let printed = print(&found, options, output);
    let damaged = found
        .iter()
        .filter(|snapshot| snapshot.damage.is_some())
        .count();
    if damaged > 0 {
        return Err(Failure::Damaged(format!(
            "{damaged} of {} snapshots can not be used",
            found.len()
        )));
    }
    printed
}

fn describe(snapshot: SnapshotInfo) -> Result<JsonSnapshot, Failure> {
    let damage = match snapshot.rejected {
        // The disk failing is no verdict about a snapshot.
        Some(reason @ snapshot::Error::Io(_)) => return Err(bootstrap::Error::from(reason).into()),
        reason => reason.map(|reason| reason.to_string()),
    };
    let layout = snapshot.layout;
    Ok(JsonSnapshot {
        transaction: snapshot.tx.0,
        database_id: snapshot.database_id.map(|id| id.to_string()),
        line: layout.map(|layout| layout.line),
        pages: layout.map(|layout| layout.page_count),
        bytes: layout.map(|layout| layout.own_bytes),
        shared_bytes: layout.map(|layout| layout.shared_bytes),
        damage,
    })
}

fn print(
    found: &[JsonSnapshot],
    options: &InspectOptions,
    output: &mut Output,
) -> Result<(), Failure> {
    if options.json.json {
        found
            .iter()
            .try_for_each(|snapshot| output.json(snapshot))?;
        return output.flush();
    }
    if found.is_empty() {
        output.line("no snapshots")?;
        return output.flush();
    }
    let header = ["transaction", "line", "pages", "bytes", "shared", "verdict"];
    let mut table = TextTable::new(0, &header);
    for snapshot in found {
        let number = |number: Option<u64>| number.map_or("-".to_owned(), |n| n.to_string());
        let verdict = match &snapshot.damage {
            Some(damage) => format!("DAMAGED: {damage}"),
            None => "sound".to_owned(),
        };
        let cells = [
            snapshot.transaction.to_string(),
            number(snapshot.line.map(|line| line as u64)),
            number(snapshot.pages),
            number(snapshot.bytes),
            number(snapshot.shared_bytes),
            verdict,
        ];
        table.row(&cells, output)?;
    }
    table.finish(output)?;
    output.flush()
}
