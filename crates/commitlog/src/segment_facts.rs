//! A segment as its header and marks describe it: what the lineup, and all that looks without reading records, goes by.

use crate::format::{Mark, SegmentHeader};
use crate::frame_cursor::Position;
use crate::tx_id::TxId;

/// What is known of a segment without reading its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentFacts {
    /// The base that its name says.
    pub(crate) named: TxId,
    /// Its header.
    pub(crate) header: SegmentHeader,
    /// Its valid marks.
    pub(crate) marks: [Option<Mark>; 2],
    /// Whether a block holds something other than a valid mark.
    pub(crate) has_bad_mark: bool,
    /// The length of the file.
    pub(crate) bytes: u64,
}

impl SegmentFacts {
    /// The mark that was written last.
    pub(crate) fn newest_mark(&self) -> Option<Mark> {
        self.marks
            .into_iter()
            .flatten()
            .max_by_key(|mark| mark.sequence)
    }

    /// The mark that says that there is a next segment.
    pub(crate) fn continued_mark(&self) -> Option<Mark> {
        self.marks.into_iter().flatten().find(|mark| mark.continued)
    }

    /// The first id of which neither base nor marks prove that it had been synced.
    pub(crate) fn proven(&self) -> TxId {
        let marked = self.marks.iter().flatten().map(|mark| mark.through);
        marked.fold(self.header.base, TxId::max)
    }

    /// The first record that the log keeps, as far as its marks tell.
    pub(crate) fn floor(&self) -> TxId {
        let floors = self.marks.iter().flatten().map(|mark| mark.floor);
        floors.max().unwrap_or_default()
    }

    /// The place up to which neither base nor marks leave it open that it had been synced.
    pub(crate) fn marked(&self) -> Position {
        let marks = self.marks.iter().flatten();
        let marked = marks.map(|mark| Position {
            id: mark.through,
            byte: mark.end_byte,
            chain: mark.chain,
        });
        marked.fold(Position::start_of(&self.header), Position::later)
    }

    /// Whether the name of its file is known to be durable: see [`name_is_proven`].
    pub(crate) fn name_is_proven(&self) -> bool {
        name_is_proven(&self.marks)
    }

    /// Whether the log was closed with this as its newest segment, and not touched since.
    pub(crate) fn is_closed(&self) -> bool {
        self.newest_mark()
            .is_some_and(|mark| mark.closed && mark.end_byte == self.bytes)
    }
}

/// Whether the marks of a segment tell that its file was given its name by a sync of the directory that returned Ok.
///
/// Every mark but the first is written by a log that went on after that sync: one whose sync fails is poisoned, or
/// not opened at all, and whoever finds the file afterwards without such a mark makes it anew. Only the first mark may be older than the
/// name, in a log that is created with records, and marks that say so themselves.
pub(crate) fn name_is_proven(marks: &[Option<Mark>; 2]) -> bool {
    let mut marks = marks.iter().flatten();
    marks.any(|mark| mark.sequence > 0 && !mark.unnamed)
}
