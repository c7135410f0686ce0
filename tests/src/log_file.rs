//! Where a segment of the log keeps what, as `docs/FORMAT.md` says.
//!
//! ```text
//!      0  header, 64 bytes
//!   4096  mark A, 64 bytes
//!   8192  mark B, 64 bytes
//!  12288  frames: checksum u32, payload length u32, 24 bytes more, payload, zeros up to a multiple of 8
//! ```

use std::ops::Range;

/// A part of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Region {
    /// The 64 bytes of the header.
    Header,
    /// The 64 bytes of a mark.
    Mark,
    /// What the three blocks hold besides; nothing reads it.
    Unread,
    /// A frame but the last one.
    Frame,
    /// The last frame of the segment.
    LastFrame,
    /// Zeros behind the last frame.
    Reserved,
}

const BLOCK_BYTES: u64 = 4096;
const PART_BYTES: u64 = 64;
const FRAMES_BYTE: u64 = 3 * BLOCK_BYTES;
const FRAME_HEADER_BYTES: u64 = 32;

/// A segment, taken apart.
#[derive(Debug, Clone)]
pub struct LogFile {
    /// Where each frame begins.
    pub frames: Vec<u64>,
    /// Where the last one ends.
    pub end: u64,
    /// The length of the file.
    pub bytes: u64,
}

impl LogFile {
    /// The bytes of the two mark blocks.
    pub const MARKS: Range<u64> = BLOCK_BYTES..FRAMES_BYTE;

    /// Takes a sound segment apart.
    pub fn new(bytes: &[u8]) -> Self {
        let mut frames = Vec::new();
        let mut at = FRAMES_BYTE;
        while let Some(header) = header_at(bytes, at) {
            if header.iter().all(|byte| *byte == 0) {
                break;
            }
            let length = u32::from_le_bytes(header[4..8].try_into().unwrap());
            frames.push(at);
            at = (at + FRAME_HEADER_BYTES + u64::from(length)).next_multiple_of(8);
        }
        LogFile {
            frames,
            end: at,
            bytes: bytes.len() as u64,
        }
    }

    /// Which part a byte belongs to.
    pub fn region(&self, byte: u64) -> Region {
        let last = *self.frames.last().unwrap_or(&self.end);
        match byte {
            _ if byte < PART_BYTES => Region::Header,
            _ if Self::MARKS.contains(&byte) && byte % BLOCK_BYTES < PART_BYTES => Region::Mark,
            _ if byte < FRAMES_BYTE => Region::Unread,
            _ if byte < last => Region::Frame,
            _ if byte < self.end => Region::LastFrame,
            _ => Region::Reserved,
        }
    }

    /// The header of a frame that claims a payload of this length, under a good checksum; the rest is taken from the frame at
    /// `like`.
    pub fn frame_header(bytes: &[u8], like: u64, payload_length: u32) -> Vec<u8> {
        let mut header = header_at(bytes, like).unwrap().to_vec();
        header[4..8].copy_from_slice(&payload_length.to_le_bytes());
        let checksum = crc32c::crc32c(&header[4..]);
        header[..4].copy_from_slice(&checksum.to_le_bytes());
        header
    }
}

fn header_at(bytes: &[u8], at: u64) -> Option<&[u8]> {
    let at = usize::try_from(at).unwrap();
    bytes.get(at..at + usize::try_from(FRAME_HEADER_BYTES).unwrap())
}
