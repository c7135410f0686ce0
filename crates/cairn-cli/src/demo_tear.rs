//! Half of the next record: what a power cut leaves of a write that was never acknowledged.

use std::path::Path;
use std::sync::Arc;

use disk::{Access, Dir, EntryKind, OsDir};

use crate::demo_data::DemoRows;
use crate::demo_writer::add_flights;
use crate::failure::Failure;
use crate::opening::open_to_write;

/// Appends the first half of the record that `next` would have become. To have its true bytes, a copy of the database
/// commits it. Returns how many bytes were appended, and of how many.
///
/// # Errors
/// The disk's, the database's.
pub(crate) fn tear(dir: &Path, next: &mut DemoRows) -> Result<(usize, usize), Failure> {
    let scratch = tempfile::tempdir().map_err(Failure::refused)?;
    let original = OsDir::open(dir).map_err(bootstrap::Error::from)?;
    let copy = OsDir::open(scratch.path()).map_err(bootstrap::Error::from)?;
    copy_dir(&*original, &*copy).map_err(bootstrap::Error::from)?;
    let database = open_to_write(scratch.path(), false)?;
    database.write(|tx| add_flights(tx, next))?;
    database.close()?;
    append_half(&*original, &*copy).map_err(|error| bootstrap::Error::from(error).into())
}

fn copy_dir(from: &dyn Dir, to: &dyn Dir) -> disk::Result<()> {
    for entry in from.list()? {
        match entry.kind {
            EntryKind::Dir => {
                copy_dir(&*from.open_dir(&entry.name)?, &*to.create_dir(&entry.name)?)?
            }
            EntryKind::File => to
                .create(&entry.name)?
                .write_all_at(0, &read(from, &entry.name)?)?,
            EntryKind::Other => {}
        }
    }
    Ok(())
}

/// The copy's newest segment has one record more, and ends with it.
fn append_half(original: &dyn Dir, copy: &dyn Dir) -> disk::Result<(usize, usize)> {
    let (original, copy) = (original.open_dir("log")?, copy.open_dir("log")?);
    let newest = newest_segment(&original)?;
    let (before, after) = (read(&*original, &newest)?, read(&*copy, &newest)?);
    // Behind the last record there are only zeros, until the next one is written.
    let written = before.iter().rposition(|&byte| byte != 0);
    let start = (written.map_or(0, |last| last + 1)..after.len())
        .find(|&at| after[at] != 0)
        .unwrap_or(after.len());
    let record = &after[start..];
    let half = &record[..record.len() / 2];
    original
        .open(&newest, Access::ReadWrite)?
        .write_all_at(start as u64, half)?;
    Ok((half.len(), record.len()))
}

fn newest_segment(log: &Arc<dyn Dir>) -> disk::Result<String> {
    let mut names = log.list()?.into_iter().map(|entry| entry.name);
    Ok(names
        .rfind(|name| name.ends_with(".log"))
        .unwrap_or_default())
}

fn read(dir: &dyn Dir, name: &str) -> disk::Result<Vec<u8>> {
    let file = dir.open(name, Access::Read)?;
    let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(usize::MAX)];
    let length = file.read_up_to(0, &mut bytes)?;
    bytes.truncate(length);
    Ok(bytes)
}
