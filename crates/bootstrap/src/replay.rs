//! Rebuilding a state by applying the records after the one that it begins with.

use std::path::{Path, PathBuf};

use commitlog::{Reader, SegmentExtent, TxId};

use crate::error::{Error, Result};
use crate::start::Start;
use crate::view::View;

/// What was replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Replayed {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

/// Applies the records that `reader` yields, up to and including `last` if that is given.
pub(crate) fn replay(
    start: Start,
    reader: &mut Reader,
    last: Option<TxId>,
    segments: &Segments,
) -> Result<(View, Replayed)> {
    let Start {
        mut state, after, ..
    } = start;
    let mut place = after;
    let mut replayed = Replayed::default();
    while last.is_none_or(|last| place.is_none_or(|(tx, _)| tx < last)) {
        let Some(record) = reader.next_record()? else {
            break;
        };
        let expected = place.map_or(TxId(0), |(tx, _)| tx.next());
        assert_eq!(record.id, expected, "the log yields records without gaps");
        if let Err(source) = state.replay(record.payload) {
            let file = segments.file_of(record.id);
            return Err(Error::Replay {
                tx: record.id,
                file,
                source: Box::new(source),
            });
        }
        replayed.records += 1;
        replayed.bytes += record.payload.len() as u64;
        place = Some((record.id, record.chain));
    }
    let (tx, chain) = place.expect("a log without a genesis is refused before");
    Ok((View::new(state, tx, chain), replayed))
}

/// Which segment holds a record, for messages.
#[derive(Debug)]
pub(crate) struct Segments {
    dir: PathBuf,
    extents: Vec<SegmentExtent>,
}

impl Segments {
    pub(crate) fn new(dir: &Path, extents: Vec<SegmentExtent>) -> Self {
        Segments {
            dir: dir.to_path_buf(),
            extents,
        }
    }

    fn file_of(&self, tx: TxId) -> PathBuf {
        let after = self.extents.partition_point(|segment| segment.base <= tx);
        match after.checked_sub(1) {
            Some(index) => self.dir.join(&self.extents[index].file),
            None => self.dir.clone(),
        }
    }
}
