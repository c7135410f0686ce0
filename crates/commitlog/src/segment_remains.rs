//! What is left of one segment: its header and marks, if they are valid.

use std::sync::Arc;

use disk::{Access, Dir, EntryKind, File};

use crate::format::{HEADER_BYTES, MARK_BLOCK_BYTE, MARK_BYTES, Mark, SegmentHeader};
use crate::tx_id::TxId;

/// What is left of one segment. Its file is opened when it is looked at: a log may have more segments than a process may have open files.
pub(crate) struct Remains {
    pub(crate) name: Arc<str>,
    pub(crate) named: TxId,
    pub(crate) kind: RemainsKind,
    pub(crate) header: Option<SegmentHeader>,
    pub(crate) marks: Vec<Mark>,
    /// Whether a block holds something other than a valid mark.
    pub(crate) has_bad_mark: bool,
}

/// What stands under the name of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RemainsKind {
    /// A regular file that could be opened, and its length.
    File(u64),
    /// A regular file that could not.
    NotOpened,
    /// Something else.
    NotAFile,
}

impl Remains {
    pub(crate) fn look(dir: &dyn Dir, name: String, named: TxId, kind: EntryKind) -> Remains {
        let mut remains = Remains {
            name: name.into(),
            named,
            kind: RemainsKind::NotAFile,
            header: None,
            marks: Vec::new(),
            has_bad_mark: false,
        };
        if kind != EntryKind::File {
            return remains;
        }
        let Some((file, len)) = remains.open(dir) else {
            remains.kind = RemainsKind::NotOpened;
            return remains;
        };
        remains.kind = RemainsKind::File(len);
        let header = read_array::<HEADER_BYTES>(file.as_ref(), 0).unwrap_or([0; HEADER_BYTES]);
        remains.header = SegmentHeader::decode(&header);
        for (block, at) in MARK_BLOCK_BYTE.into_iter().enumerate() {
            let bytes = read_array::<MARK_BYTES>(file.as_ref(), at);
            let mark = bytes.and_then(|bytes| Mark::decode(&bytes, &header, block));
            remains.has_bad_mark |= mark.is_none() && bytes != Some([0; MARK_BYTES]);
            remains.marks.extend(mark);
        }
        remains
    }

    /// The file, and how long it is; `None` if it can not be opened.
    pub(crate) fn open(&self, dir: &dyn Dir) -> Option<(Arc<dyn File>, u64)> {
        let file = dir.open(&self.name, Access::Read).ok()?;
        let len = file.len().ok()?;
        Some((file, len))
    }

    /// How long it was, 0 if it is no file.
    pub(crate) fn len(&self) -> u64 {
        match self.kind {
            RemainsKind::File(len) => len,
            RemainsKind::NotOpened | RemainsKind::NotAFile => 0,
        }
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
