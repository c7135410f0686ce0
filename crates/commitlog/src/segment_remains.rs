//! What is left of one segment: its header and marks, if they are valid, and as many of its bytes as the disk can read.

use std::ops::Range;
use std::sync::Arc;

use disk::{Access, Dir, EntryKind, File};

use crate::format::{HEADER_BYTES, MARK_BLOCK_BYTE, MARK_BYTES, Mark, SegmentHeader};
use crate::tx_id::TxId;

/// How much is read at once, bytes.
const READ_BYTES: usize = 1 << 20;
/// What is given up around a byte that can not be read.
const SECTOR_BYTES: usize = 4096;
/// A file is not read further than so many zeros in a row: it may be as long as the file system allows, and empty.
const ZEROS_BYTES_MAX: usize = 64 << 20;

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

/// Reads a file, past what can not be read, which is zero then and listed.
pub(crate) fn load(file: &dyn File) -> (Vec<u8>, Vec<Range<u64>>) {
    let mut bytes = Vec::new();
    let mut unreadable: Vec<Range<u64>> = Vec::new();
    let mut zeros = 0;
    let len = file.len().unwrap_or(0);
    while (bytes.len() as u64) < len && zeros < ZEROS_BYTES_MAX {
        let at = bytes.len() as u64;
        let count = usize::try_from(len - at).unwrap_or(usize::MAX);
        let mut chunk = vec![0; count.min(READ_BYTES)];
        if let Ok(read) = file.read_up_to(at, &mut chunk) {
            if read == 0 {
                break;
            }
            chunk.truncate(read);
        } else {
            // Somewhere in there: sector by sector.
            for (number, sector) in chunk.chunks_mut(SECTOR_BYTES).enumerate() {
                let start = at + (number * SECTOR_BYTES) as u64;
                if file.read_exact_at(start, sector).is_err() {
                    sector.fill(0);
                    let end = start + sector.len() as u64;
                    match unreadable.last_mut() {
                        Some(last) if last.end == start => last.end = end,
                        _ => unreadable.push(start..end),
                    }
                }
            }
        }
        zeros = match chunk.iter().all(|byte| *byte == 0) {
            true => zeros + chunk.len(),
            false => 0,
        };
        bytes.append(&mut chunk);
    }
    (bytes, unreadable)
}
