//! Rebuilding a state by applying the records after the one that it begins with.

use std::path::{Path, PathBuf};

use commitlog::{ReadOnlyLog, TxId};

use crate::error::{Error, Result};
use crate::known::Known;
use crate::layout;
use crate::look::Looked;
use crate::open_report::Rejection;
use crate::start::{RejectedStart, Start};
use crate::view::View;

/// A state that was rebuilt.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) view: View,
    /// The last transaction of the snapshot that it began with, if it was one.
    pub(crate) snapshot: Option<TxId>,
    /// What that snapshot tells of the pages.
    pub(crate) known: Option<Known>,
    /// How many transactions were applied.
    pub(crate) records: u64,
    /// How many bytes they had.
    pub(crate) bytes: u64,
}

/// Applies the records of the log that was looked at in `dir`, up to and including `last` if that is given.
///
/// A record may be the first to need a page of a snapshot that was only mapped. If that is damaged, the snapshot is no good; the record is.
pub(crate) fn replay(
    start: Start,
    looked: &Looked,
    last: Option<TxId>,
    dir: &Path,
) -> Result<std::result::Result<Replayed, RejectedStart>> {
    let log = looked.log.as_ref();
    let log = log.expect("a log that can be recovered from can be read");
    let (snapshot, mut reader) = (start.snapshot(), log.reader(start.next())?);
    let Start {
        mut state,
        after: mut place,
        from,
        known,
    } = start;
    let (mut records, mut bytes) = (0, 0);
    while last.is_none_or(|last| place.is_none_or(|(tx, _)| tx < last)) {
        let Some(record) = reader.next_record()? else {
            break;
        };
        let expected = place.map_or(TxId(0), |(tx, _)| tx.next());
        assert_eq!(record.id, expected, "the log yields records without gaps");
        match (state.replay(record.payload), from) {
            (Ok(()), _) => {}
            (Err(error @ schema::Error::Table(table::Error::Damaged(_))), Some(snapshot)) => {
                let reason = Rejection::Unfit(error);
                return Ok(Err(RejectedStart { snapshot, reason }));
            }
            (Err(source), _) => {
                return Err(Error::Replay {
                    tx: record.id,
                    file: file_of(record.id, log, dir),
                    source: Box::new(source),
                });
            }
        }
        records += 1;
        bytes += record.payload.len() as u64;
        place = Some((record.id, record.chain));
    }
    let (tx, chain) = place.expect("a log without a genesis is refused before");
    Ok(Ok(Replayed {
        view: View::new(state, tx, chain),
        snapshot,
        known,
        records,
        bytes,
    }))
}

/// Which segment holds a record, for messages.
fn file_of(tx: TxId, log: &ReadOnlyLog, dir: &Path) -> PathBuf {
    let dir = dir.join(layout::LOG);
    let mut segments = log.extent().segments;
    let after = segments.partition_point(|segment| segment.base <= tx);
    match after.checked_sub(1) {
        Some(index) => dir.join(segments.swap_remove(index).file),
        None => dir,
    }
}
