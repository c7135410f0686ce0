//! The bytes of one segment, through a map or through a window that is read.
//!
//! A segment that is complete is mapped: nobody writes to it any more. The newest one is read, because its marks and its
//! tail change while it is looked at. A compressed one is shown as if its frames were plain.

use std::sync::Arc;

use disk::{File, Map};

use crate::error::Result;
use crate::frame_cursor::Position;
use crate::packed_frames::PackedFrames;
use crate::tx_id::TxId;

/// How much is read at once, bytes.
const WINDOW_BYTES: u64 = 256 << 10;

/// More than is ever reserved ahead. A longer tail is not looked through: the file may be as long as the file system allows, and empty.
const TAIL_BYTES_MAX: u64 = 64 << 20;

/// The front of a segment file, up to a limit.
#[derive(Debug)]
pub(crate) struct SegmentBytes {
    source: Source,
    /// Nothing at or behind this byte is looked at.
    limit: u64,
}

#[derive(Debug)]
enum Source {
    Mapped(Map),
    Packed(PackedFrames),
    Read {
        file: Arc<dyn File>,
        window: Vec<u8>,
        /// Where the window begins in the file.
        window_start: u64,
    },
}

impl SegmentBytes {
    /// Maps the whole file, which nobody may write to any more.
    pub(crate) fn mapped(file: &dyn File) -> Result<Self> {
        let limit = file.len()?;
        let source = Source::Mapped(file.map(limit)?);
        Ok(SegmentBytes { source, limit })
    }

    /// Maps a compressed segment, which nobody writes to.
    pub(crate) fn packed(file: &dyn File, start: Position) -> Result<Self> {
        let packed = PackedFrames::open(file, start)?;
        Ok(SegmentBytes {
            limit: packed.limit(),
            source: Source::Packed(packed),
        })
    }

    /// Reads the file as needed, up to `limit`, which must not lie behind the end of the file.
    pub(crate) fn read(file: Arc<dyn File>, limit: u64) -> Self {
        let source = Source::Read {
            file,
            window: Vec::new(),
            window_start: 0,
        };
        SegmentBytes { source, limit }
    }

    /// Where the bytes end.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Lets more be read, after the file has grown. What was read before is not read again.
    pub(crate) fn raise_limit(&mut self, limit: u64) {
        if let Source::Read { .. } = self.source {
            self.limit = self.limit.max(limit);
        }
    }

    /// The `len` bytes at `offset`, fewer only at the limit. Never allocates more than the file has.
    #[inline]
    pub(crate) fn get(&mut self, offset: u64, len: u64) -> Result<&[u8]> {
        let ahead = self.ahead(offset, len)?;
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        Ok(&ahead[..len.min(ahead.len())])
    }

    /// What is at hand from `offset` on: `len` bytes or more, fewer only at the limit. Never allocates more than the file has.
    #[inline]
    pub(crate) fn ahead(&mut self, offset: u64, len: u64) -> Result<&[u8]> {
        match &mut self.source {
            Source::Mapped(map) => Ok(behind(map, offset)),
            Source::Packed(packed) => Ok(packed.ahead(offset)),
            Source::Read {
                file,
                window,
                window_start,
            } => {
                let end = offset.saturating_add(len).min(self.limit);
                let window_end = *window_start + window.len() as u64;
                if offset < *window_start || end > window_end {
                    fill(file.as_ref(), window, offset, len, self.limit)?;
                    *window_start = offset;
                }
                Ok(behind(window, offset - *window_start))
            }
        }
    }

    /// The front of the compressed block with record `id`: a place to begin at.
    pub(crate) fn block_before(&self, id: TxId) -> Option<Position> {
        match &self.source {
            Source::Packed(packed) => packed.block_before(id),
            Source::Mapped(_) | Source::Read { .. } => None,
        }
    }

    pub(crate) fn is_packed(&self) -> bool {
        matches!(self.source, Source::Packed(_))
    }

    /// Where in the file a byte stands, or the compressed block that holds it.
    pub(crate) fn file_byte(&self, offset: u64) -> u64 {
        match &self.source {
            Source::Packed(packed) => packed.file_byte(offset),
            Source::Mapped(_) | Source::Read { .. } => offset,
        }
    }

    /// What stands behind the end of the frames.
    pub(crate) fn tail(&mut self, end: u64) -> Result<Tail> {
        if self.limit - end.min(self.limit) > TAIL_BYTES_MAX {
            return Ok(Tail::Other {
                bytes: self.limit - end,
            });
        }
        let mut tail = Tail::Zeros;
        let mut at = end;
        while at < self.limit {
            let bytes = self.get(at, WINDOW_BYTES)?;
            if let Some(position) = last_nonzero(bytes) {
                let bytes = at + position as u64 + 1 - end;
                tail = Tail::Other { bytes };
            }
            if bytes.is_empty() {
                break;
            }
            at += bytes.len() as u64;
        }
        Ok(tail)
    }
}

/// What stands behind the end of the frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing, or space that was reserved ahead.
    Zeros,
    /// What a write left behind, in so many bytes, or more zeros than are ever reserved.
    Other {
        /// Up to the last byte that is not zero.
        bytes: u64,
    },
}

/// Makes the window hold `len` bytes from `offset` on, and more where the limit allows.
#[cold]
fn fill(file: &dyn File, window: &mut Vec<u8>, offset: u64, len: u64, limit: u64) -> Result<()> {
    let wanted = len.max(WINDOW_BYTES).min(limit.saturating_sub(offset));
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    window.resize(wanted, 0);
    let filled = file
        .read_up_to(offset, window)
        .inspect_err(|_| window.clear())?;
    window.truncate(filled);
    Ok(())
}

/// What there is of `bytes` from `offset` on.
#[inline]
fn behind(bytes: &[u8], offset: u64) -> &[u8] {
    usize::try_from(offset)
        .ok()
        .and_then(|offset| bytes.get(offset..))
        .unwrap_or(&[])
}

fn last_nonzero(bytes: &[u8]) -> Option<usize> {
    const STEP: usize = 4096;
    static ZEROS: [u8; STEP] = [0; STEP];
    let mut end = bytes.len();
    while end >= STEP && bytes[end - STEP..end] == ZEROS {
        end -= STEP;
    }
    bytes[..end].iter().rposition(|&byte| byte != 0)
}
