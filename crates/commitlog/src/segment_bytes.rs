//! The bytes of one segment, through a map or through a window that is read.
//!
//! ```text
//! 0        12288                                    settled              limit
//! | header, | frames that are proven                 | frames that are    | reserved, torn,
//! | marks   |                                        | not                | not asked for
//! '-- read -'---------- mapped, if it is long -------'------- read -------'
//! ```
//!
//! Marks and what comes behind the proven end change while they are looked at, so these are read. What lies between is never written
//! again, nor cut off, by anybody:
//!
//! - a writer appends behind what it has written, which is behind what is durable; space is reserved and given back behind that;
//! - a recovery writes the marks, and the frames from the proven end on, and cuts no lower than there. It finds at least as much proven:
//!   a mark is replaced by newer ones only, and what takes the newest away, a power cut, leaves no reader either;
//! - truncating, compressing and making a segment anew write another file, which takes over the name;
//! - a segment that is complete gets no more than its marks written again, or is removed.
//!
//! All of it has to come from marks: what a snapshot proves beyond them may be unknown to the next recovery.
//! A compressed segment is shown as if its frames were plain.

use std::sync::Arc;

use disk::{File, Map};

use crate::error::Result;
use crate::format::{FRAMES_BYTE, ZEROS_BYTES_MAX};
use crate::frame_cursor::Position;
use crate::landmark::Landmark;
use crate::packed_frames::PackedFrames;
use crate::tx_id::TxId;

/// How much is read at once, bytes. Less than that is not worth a map.
const WINDOW_BYTES: u64 = 256 << 10;

/// The front of a segment file, up to a limit.
#[derive(Debug)]
pub(crate) struct SegmentBytes {
    source: Source,
    /// Nothing at or behind this byte is looked at. Zero for a compressed segment, which says itself how far it goes.
    limit: u64,
}

#[derive(Debug)]
enum Source {
    Plain(Plain),
    Packed(PackedFrames),
}

#[derive(Debug)]
struct Plain {
    file: Arc<dyn File>,
    /// Frames before this byte may be mapped.
    settled: u64,
    window: Window,
    /// Where the window begins in the file.
    window_start: u64,
}

/// Bytes at hand.
#[derive(Debug)]
enum Window {
    Read(Vec<u8>),
    Mapped(Map),
}

impl SegmentBytes {
    /// Shows a plain segment up to `limit`, which must not lie behind the end of the file. Frames before the byte `settled` are there and
    /// never written again.
    pub(crate) fn plain(file: Arc<dyn File>, limit: u64, settled: u64) -> Result<Self> {
        let settled = settled.min(limit);
        let mut plain = Plain {
            file,
            settled,
            window: Window::Read(Vec::new()),
            window_start: 0,
        };
        if settled == limit && limit > FRAMES_BYTE {
            plain.window = Window::Mapped(plain.file.map(FRAMES_BYTE..limit)?);
            plain.window_start = FRAMES_BYTE;
        }
        let source = Source::Plain(plain);
        Ok(SegmentBytes { source, limit })
    }

    /// Maps a compressed segment, which nobody writes to.
    pub(crate) fn packed(file: &dyn File, start: Position) -> Result<Self> {
        let source = Source::Packed(PackedFrames::open(file, start)?);
        Ok(SegmentBytes { source, limit: 0 })
    }

    /// How many bytes there are from `offset` on; of a compressed segment, whose end is not known before it is walked to, at least so many.
    #[inline]
    pub(crate) fn room(&mut self, offset: u64) -> u64 {
        match self.limit.saturating_sub(offset) {
            0 => self.room_in_blocks(offset),
            room => room,
        }
    }

    #[inline(never)]
    fn room_in_blocks(&mut self, offset: u64) -> u64 {
        match &mut self.source {
            Source::Plain(_) => 0,
            Source::Packed(packed) => packed.room(offset),
        }
    }

    /// Lets more be looked at, after the file has grown. What was read before is not read again.
    pub(crate) fn raise_limit(&mut self, limit: u64, settled: u64) {
        if let Source::Plain(plain) = &mut self.source {
            self.limit = self.limit.max(limit);
            plain.settled = plain.settled.max(settled.min(self.limit));
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
            Source::Plain(plain) => plain.ahead(offset, len, self.limit),
            Source::Packed(packed) => Ok(packed.ahead(offset)),
        }
    }

    /// The front of the compressed block with record `id`: a place to begin at. `passed` hears of the blocks that were walked over to find it.
    pub(crate) fn block_before(
        &mut self,
        id: TxId,
        passed: impl FnMut(Landmark, Landmark),
    ) -> Option<Position> {
        match &mut self.source {
            Source::Packed(packed) => packed.block_before(id, passed),
            Source::Plain(_) => None,
        }
    }

    /// Whether what stands at a place that is remembered may be what was there. Then frames before it may not be found any more.
    pub(crate) fn begin_at(&mut self, landmark: Landmark) -> bool {
        match &mut self.source {
            Source::Packed(packed) => packed.walk_from(landmark),
            Source::Plain(_) => self.room(landmark.position.byte) > 0,
        }
    }

    /// Lets all frames be found again.
    pub(crate) fn begin_at_front(&mut self) {
        if let Source::Packed(packed) = &mut self.source {
            packed.walk_from_front();
        }
    }

    pub(crate) fn is_packed(&self) -> bool {
        matches!(self.source, Source::Packed(_))
    }

    /// Where in the file a byte stands, or the compressed block that holds it.
    pub(crate) fn file_byte(&self, offset: u64) -> u64 {
        match &self.source {
            Source::Packed(packed) => packed.file_byte(offset),
            Source::Plain(_) => offset,
        }
    }

    /// What stands behind the end of the frames.
    pub(crate) fn tail(&mut self, end: u64) -> Result<Tail> {
        // A longer tail is not looked through: the file may be as long as the file system allows, and empty. Only a batch that is longer than the longest record
        // leaves one, if the process is killed between reserving and writing; it is cut as torn, and nothing of it had an id.
        let bytes = self.room(end);
        if bytes > ZEROS_BYTES_MAX {
            return Ok(Tail::Other { bytes });
        }
        let mut tail = Tail::Zeros;
        let mut at = end;
        while self.room(at) > 0 {
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

impl Plain {
    #[inline]
    fn ahead(&mut self, offset: u64, len: u64, limit: u64) -> Result<&[u8]> {
        let end = offset.saturating_add(len).min(limit);
        let window_end = self.window_start + self.window.bytes().len() as u64;
        if offset < self.window_start || end > window_end {
            self.move_window(offset, len, limit)?;
        }
        Ok(behind(self.window.bytes(), offset - self.window_start))
    }

    /// Makes the window begin at `offset` and hold `len` bytes, and more where the limit allows.
    #[cold]
    fn move_window(&mut self, offset: u64, len: u64, limit: u64) -> Result<()> {
        // Whoever follows a log comes here for each record, but with a few new bytes only.
        let mappable = self.settled.saturating_sub(offset);
        if mappable >= len.max(WINDOW_BYTES)
            && offset >= FRAMES_BYTE
            // A file that is shorter than it was is read: what is missing there is found by those who verify it.
            && let Ok(map) = self.file.map(offset..self.settled)
        {
            self.window = Window::Mapped(map);
            self.window_start = offset;
            return Ok(());
        }
        let mut wanted = len.max(WINDOW_BYTES).min(limit.saturating_sub(offset));
        if wanted > WINDOW_BYTES {
            // A mark of another process says how far to look, a header how long its frame is, and both may lie.
            wanted = wanted.min(self.file.len()?.saturating_sub(offset));
        }
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let mut bytes = match std::mem::replace(&mut self.window, Window::Read(Vec::new())) {
            Window::Read(bytes) => bytes,
            Window::Mapped(_) => Vec::new(),
        };
        bytes.resize(wanted, 0);
        let filled = self.file.read_up_to(offset, &mut bytes)?;
        bytes.truncate(filled);
        self.window = Window::Read(bytes);
        self.window_start = offset;
        Ok(())
    }
}

impl Window {
    #[inline]
    fn bytes(&self) -> &[u8] {
        match self {
            Window::Read(bytes) => bytes,
            Window::Mapped(map) => map,
        }
    }
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
