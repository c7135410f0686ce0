//! What is left of one segment: its header and marks, if they are valid.

use std::sync::Arc;

use disk::{Access, Dir, EntryKind, File};

use crate::format::{HEADER_BYTES, MARK_BLOCK_BYTE, MARK_BYTES, Mark, SegmentHeader};
use crate::tx_id::TxId;

/// What is left of one segment.
pub(crate) struct Remains {
    pub(crate) name: String,
    pub(crate) named: TxId,
    /// `None` if it is no regular file or can not be opened.
    pub(crate) file: Option<Arc<dyn File>>,
    pub(crate) header: Option<SegmentHeader>,
    pub(crate) marks: Vec<Mark>,
}

impl Remains {
    pub(crate) fn look(dir: &dyn Dir, name: String, named: TxId, kind: EntryKind) -> Remains {
        let opened = match kind {
            EntryKind::File => dir.open(&name, Access::Read).ok(),
            EntryKind::Dir | EntryKind::Other => None,
        };
        let mut remains = Remains {
            name,
            named,
            file: opened,
            header: None,
            marks: Vec::new(),
        };
        if let Some(file) = &remains.file
            && let Some(bytes) = read_array::<HEADER_BYTES>(file.as_ref(), 0)
        {
            remains.header = SegmentHeader::decode(&bytes);
            for (block, at) in MARK_BLOCK_BYTE.into_iter().enumerate() {
                let mark = read_array::<MARK_BYTES>(file.as_ref(), at);
                let mark = mark.and_then(|mark| Mark::decode(&mark, &bytes, block));
                remains.marks.extend(mark);
            }
        }
        remains
    }

    /// Where it begins, as its header says, or its name if that is lost.
    pub(crate) fn base(&self) -> TxId {
        self.header.map_or(self.named, |header| header.base)
    }
}

fn read_array<const N: usize>(file: &dyn File, at: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact_at(at, &mut bytes).ok().map(|()| bytes)
}
