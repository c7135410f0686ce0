//! The bytes of a segment file. All integers are little-endian.
//!
//! A segment is named by the id of its first record, 20 decimal digits, `.log`. While it is being made, and only then, it is called
//! `<20 digits>.log.tmp`.
//!
//! ```text
//! byte      0  header block    what the segment is; written once, before the file has its name
//!        4096  mark block A    what is proved to be on the medium; the two are written in turn,
//!        8192  mark block B      so that one of them is always whole
//!       12288  frames          one after another, then zeros (space reserved ahead) or the end of the file
//! ```
//!
//! Header (64 bytes at byte 0; the rest of the block is zero and not read):
//!
//! ```text
//!  0  magic "cairnlog"
//!  8  version u16 | body u16 | minimum reader u16 | reserved u16
//! 16  log id, 16 bytes
//! 32  base: the id of the first record u64
//! 40  chain before base u64
//! 48  epoch u32 | reserved u32
//! 56  reserved u32 | checksum u32 over bytes 0..60
//! ```
//!
//! Every version keeps magic, version and checksum where they are. `body` says how the records are stored: 0 = plain frames, 1 = compressed
//! blocks of frames. `minimum reader` belongs to whoever understands the payloads: a running maximum of what they need. A later
//! segment of a lower `epoch` than one before it is a leftover of a truncation.
//!
//! Mark (64 bytes at the start of its block; the rest of the block is zero and not read):
//!
//! ```text
//!  0  magic "cairnmrk"
//!  8  sequence u64                counts the marks of this segment; the block is sequence % 2
//! 16  through u64                 the first id that is not proved
//! 24  end byte u64                where the frame of that id begins
//! 32  chain u64                   the chain before that id
//! 40  flags u32 | reserved u32    1 = closed, 2 = continued (in the next segment), 4 = unnamed (the name of the file may not be durable)
//! 48  floor u64                   the first id that the log keeps, 0 if it was never pruned; segments that lie wholly below are leftovers
//! 56  reserved u32 | checksum u32 over bytes 0..60 of the header, the block's number (one byte: 0, 1), bytes 0..60
//! ```
//!
//! The checksum covers the header so that a mark that belongs to another segment proves nothing here. In version 1 it covered the
//! header's own checksum too, and a CRC over bytes and their CRC is the same for all bytes: there it covers nothing but the
//! mark's block.
//!
//! Frame (begins at a multiple of 8):
//!
//! ```text
//!  0  header checksum u32 over bytes 4..32 | payload length u32
//!  8  id u64
//! 16  time i64                    nanoseconds since the epoch, the lowest value = none
//! 24  chain after this record u64
//! 32  payload, then zeros up to a multiple of 8
//! ```
//!
//! Compressed blocks of frames are drawn in `packed_format.rs`.

use crate::chain::Chain;
use crate::checksum::{checksum, checksum_append, checksum_of_words};
use crate::log_id::LogId;
use crate::tx_id::TxId;

/// The newest segment version that this build reads, and the one that it writes.
pub(crate) const VERSION: u16 = 2;
/// The version whose marks are not bound to their segment.
const VERSION_UNBOUND_MARKS: u16 = 1;
/// From this version on whoever prunes names the floor.
pub(crate) const VERSION_WITH_FLOOR: u16 = 2;
/// The body of plain frames.
pub(crate) const BODY_FRAMES: u16 = 0;
/// The body of compressed blocks of frames.
pub(crate) const BODY_BLOCKS: u16 = 1;

pub(crate) const BLOCK_BYTES: u64 = 4096;
pub(crate) const MARK_BLOCK_BYTE: [u64; 2] = [BLOCK_BYTES, 2 * BLOCK_BYTES];
/// Where the first frame of a segment begins.
pub(crate) const FRAMES_BYTE: u64 = 3 * BLOCK_BYTES;

const HEADER_MAGIC: [u8; 8] = *b"cairnlog";
const HEADER_VERSION: usize = HEADER_MAGIC.len();
const HEADER_BODY: usize = HEADER_VERSION + 2;
const HEADER_MINIMUM_READER: usize = HEADER_BODY + 2;
const HEADER_LOG_ID: usize = HEADER_MINIMUM_READER + 4;
const HEADER_BASE: usize = HEADER_LOG_ID + 16;
const HEADER_CHAIN: usize = HEADER_BASE + 8;
const HEADER_EPOCH: usize = HEADER_CHAIN + 8;
const HEADER_CHECKSUM: usize = HEADER_EPOCH + 12;
pub(crate) const HEADER_BYTES: usize = HEADER_CHECKSUM + 4;
const _: () = assert!(HEADER_BYTES == 64);

const MARK_MAGIC: [u8; 8] = *b"cairnmrk";
const MARK_SEQUENCE: usize = MARK_MAGIC.len();
const MARK_THROUGH: usize = MARK_SEQUENCE + 8;
const MARK_END_BYTE: usize = MARK_THROUGH + 8;
const MARK_CHAIN: usize = MARK_END_BYTE + 8;
const MARK_FLAGS: usize = MARK_CHAIN + 8;
const MARK_FLOOR: usize = MARK_FLAGS + 8;
const MARK_CHECKSUM: usize = MARK_FLOOR + 12;
pub(crate) const MARK_BYTES: usize = MARK_CHECKSUM + 4;
const _: () = assert!(MARK_BYTES == 64);
// A mark is written in one sector, so that a power cut leaves the old one or the new one.
const _: () = assert!(MARK_BYTES <= 512);

const MARK_CLOSED: u32 = 1;
const MARK_CONTINUED: u32 = 2;
const MARK_UNNAMED: u32 = 4;

const FRAME_LENGTH: usize = 4;
const FRAME_ID: usize = FRAME_LENGTH + 4;
const FRAME_TIME: usize = FRAME_ID + 8;
const FRAME_CHAIN: usize = FRAME_TIME + 8;
pub(crate) const FRAME_HEADER_BYTES: usize = FRAME_CHAIN + 8;
const _: () = assert!(FRAME_HEADER_BYTES == 32);
const FRAME_ALIGNMENT: u64 = 8;
const _: () = assert!(FRAMES_BYTE.is_multiple_of(FRAME_ALIGNMENT));
const TIME_NONE: i64 = i64::MIN;

/// The longest payload that the format knows, whatever the options say: 1 GiB.
pub(crate) const PAYLOAD_BYTES_LIMIT: u32 = 1 << 30;

/// No file reads as zero for longer in a row, but for one that is nothing of ours: the longest record may be reserved, or be zero itself, and some space ahead.
pub(crate) const ZEROS_BYTES_MAX: u64 = PAYLOAD_BYTES_LIMIT as u64 + (64 << 20);

/// No log gets further, so that ids and bytes behind a header can be counted without overflow.
pub(crate) const BASE_MAX: TxId = TxId(1 << 62);
/// No log is truncated more often, so that there is always a next epoch.
pub(crate) const EPOCH_MAX: u32 = 1 << 31;
/// Where a log is made to begin at most: half of what can be read, so that it never gets where it could not be opened.
pub(crate) const START_BASE_MAX: TxId = TxId(BASE_MAX.0 / 2);
/// The highest epoch that a log is made with, for the same reason.
pub(crate) const START_EPOCH_MAX: u32 = EPOCH_MAX / 2;
/// No segment has more marks.
const SEQUENCE_MAX: u64 = 1 << 62;
/// The newest mark with which a segment is opened, so that it never gets where its next marks would not be believed.
pub(crate) const START_SEQUENCE_MAX: u64 = SEQUENCE_MAX / 2;

/// What a segment says about itself in its header block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) version: u16,
    pub(crate) body: u16,
    pub(crate) minimum_reader: u16,
    pub(crate) log_id: LogId,
    pub(crate) base: TxId,
    pub(crate) chain_before: Chain,
    pub(crate) epoch: u32,
}

impl SegmentHeader {
    /// Whether the history begins with this segment. It has a mark before it has its name.
    pub(crate) fn is_genesis(&self) -> bool {
        self.base == TxId(0)
    }

    /// Whether the records of both are the same ones as far as both have them, however they are stored.
    pub(crate) fn same_history(&self, other: &SegmentHeader) -> bool {
        self.log_id == other.log_id
            && self.base == other.base
            && self.chain_before == other.chain_before
            && self.epoch == other.epoch
    }

    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        put(&mut bytes, 0, HEADER_MAGIC);
        put(&mut bytes, HEADER_VERSION, self.version.to_le_bytes());
        put(&mut bytes, HEADER_BODY, self.body.to_le_bytes());
        put(
            &mut bytes,
            HEADER_MINIMUM_READER,
            self.minimum_reader.to_le_bytes(),
        );
        put(&mut bytes, HEADER_LOG_ID, self.log_id.0);
        put(&mut bytes, HEADER_BASE, self.base.0.to_le_bytes());
        put(&mut bytes, HEADER_CHAIN, self.chain_before.0.to_le_bytes());
        put(&mut bytes, HEADER_EPOCH, self.epoch.to_le_bytes());
        let sum = checksum(&bytes[..HEADER_CHECKSUM]);
        put(&mut bytes, HEADER_CHECKSUM, sum.to_le_bytes());
        bytes
    }

    /// `None` if the bytes are not a header with a good checksum, of whatever version. Marks are bound to the header as it is written, so one of a known
    /// version holds nothing else.
    pub(crate) fn decode(bytes: &[u8; HEADER_BYTES]) -> Option<SegmentHeader> {
        let sum = u32::from_le_bytes(get(bytes, HEADER_CHECKSUM));
        if !bytes.starts_with(&HEADER_MAGIC) || checksum(&bytes[..HEADER_CHECKSUM]) != sum {
            return None;
        }
        let header = SegmentHeader {
            version: u16::from_le_bytes(get(bytes, HEADER_VERSION)),
            body: u16::from_le_bytes(get(bytes, HEADER_BODY)),
            minimum_reader: u16::from_le_bytes(get(bytes, HEADER_MINIMUM_READER)),
            log_id: LogId(get(bytes, HEADER_LOG_ID)),
            base: TxId(u64::from_le_bytes(get(bytes, HEADER_BASE))),
            chain_before: Chain(u64::from_le_bytes(get(bytes, HEADER_CHAIN))),
            epoch: u32::from_le_bytes(get(bytes, HEADER_EPOCH)),
        };
        let is_whole = header.version > VERSION || header.encode() == *bytes;
        let is_possible = header.base <= BASE_MAX && header.epoch <= EPOCH_MAX;
        (is_whole && is_possible).then_some(header)
    }
}

/// What is proved to be on the medium: everything before `through`, which ends at `end_byte` with `chain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) sequence: u64,
    pub(crate) through: TxId,
    pub(crate) end_byte: u64,
    pub(crate) chain: Chain,
    pub(crate) closed: bool,
    pub(crate) continued: bool,
    /// The mark does not prove that the name of the file is durable.
    pub(crate) unnamed: bool,
    /// The first record that the log keeps.
    pub(crate) floor: TxId,
}

impl Mark {
    /// Which of the two blocks this mark is written to.
    pub(crate) fn block(&self) -> usize {
        usize::from(self.sequence % 2 == 1)
    }

    pub(crate) fn encode(&self, header: &[u8; HEADER_BYTES]) -> [u8; MARK_BYTES] {
        let mut flags = 0;
        flags |= if self.closed { MARK_CLOSED } else { 0 };
        flags |= if self.continued { MARK_CONTINUED } else { 0 };
        flags |= if self.unnamed { MARK_UNNAMED } else { 0 };
        let mut bytes = [0; MARK_BYTES];
        put(&mut bytes, 0, MARK_MAGIC);
        put(&mut bytes, MARK_SEQUENCE, self.sequence.to_le_bytes());
        put(&mut bytes, MARK_THROUGH, self.through.0.to_le_bytes());
        put(&mut bytes, MARK_END_BYTE, self.end_byte.to_le_bytes());
        put(&mut bytes, MARK_CHAIN, self.chain.0.to_le_bytes());
        put(&mut bytes, MARK_FLAGS, flags.to_le_bytes());
        put(&mut bytes, MARK_FLOOR, self.floor.0.to_le_bytes());
        let sum = mark_checksum(header, self.block(), &bytes);
        put(&mut bytes, MARK_CHECKSUM, sum.to_le_bytes());
        bytes
    }

    /// `None` if the bytes are not a mark of this segment and this block.
    pub(crate) fn decode(
        bytes: &[u8; MARK_BYTES],
        header: &[u8; HEADER_BYTES],
        block: usize,
    ) -> Option<Mark> {
        let sum = u32::from_le_bytes(get(bytes, MARK_CHECKSUM));
        if !bytes.starts_with(&MARK_MAGIC) || mark_checksum(header, block, bytes) != sum {
            return None;
        }
        let flags = u32::from_le_bytes(get(bytes, MARK_FLAGS));
        let mark = Mark {
            sequence: u64::from_le_bytes(get(bytes, MARK_SEQUENCE)),
            through: TxId(u64::from_le_bytes(get(bytes, MARK_THROUGH))),
            end_byte: u64::from_le_bytes(get(bytes, MARK_END_BYTE)),
            chain: Chain(u64::from_le_bytes(get(bytes, MARK_CHAIN))),
            closed: flags & MARK_CLOSED != 0,
            continued: flags & MARK_CONTINUED != 0,
            unnamed: flags & MARK_UNNAMED != 0,
            floor: TxId(u64::from_le_bytes(get(bytes, MARK_FLOOR))),
        };
        (mark.block() == block && mark.sequence <= SEQUENCE_MAX).then_some(mark)
    }
}

fn mark_checksum(header: &[u8; HEADER_BYTES], block: usize, bytes: &[u8; MARK_BYTES]) -> u32 {
    let version = u16::from_le_bytes(get(header, HEADER_VERSION));
    let segment = if version == VERSION_UNBOUND_MARKS {
        checksum(header)
    } else {
        checksum(&header[..HEADER_CHECKSUM])
    };
    let place = checksum_append(segment, &[u8::from(block == 1)]);
    checksum_append(place, &bytes[..MARK_CHECKSUM])
}

/// The 32 bytes in front of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) payload_length: u32,
    pub(crate) id: TxId,
    pub(crate) time: Option<i64>,
    pub(crate) chain_after: Chain,
}

impl FrameHeader {
    pub(crate) fn encode(&self) -> [u8; FRAME_HEADER_BYTES] {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        self.encode_to(&mut bytes);
        bytes
    }

    #[inline(always)]
    pub(crate) fn encode_to(&self, bytes: &mut [u8; FRAME_HEADER_BYTES]) {
        put(bytes, 0, self.checksum().to_le_bytes());
        self.encode_fields_to(bytes);
    }

    /// All but the checksum.
    #[inline(always)]
    pub(crate) fn encode_fields_to(&self, bytes: &mut [u8; FRAME_HEADER_BYTES]) {
        let time = self.time.unwrap_or(TIME_NONE);
        put(bytes, FRAME_LENGTH, self.payload_length.to_le_bytes());
        put(bytes, FRAME_ID, self.id.0.to_le_bytes());
        put(bytes, FRAME_TIME, time.to_le_bytes());
        put(bytes, FRAME_CHAIN, self.chain_after.0.to_le_bytes());
    }

    /// `None` if the header's own checksum fails; no field is believed before it holds.
    #[inline]
    pub(crate) fn decode(bytes: &[u8; FRAME_HEADER_BYTES]) -> Option<FrameHeader> {
        let header = FrameHeader::decode_fields(bytes);
        (header.checksum() == u32::from_le_bytes(get(bytes, 0))).then_some(header)
    }

    /// All but the checksum, which is not looked at: for bytes that were never out of memory.
    #[inline(always)]
    pub(crate) fn decode_fields(bytes: &[u8; FRAME_HEADER_BYTES]) -> FrameHeader {
        let time = i64::from_le_bytes(get(bytes, FRAME_TIME));
        FrameHeader {
            payload_length: u32::from_le_bytes(get(bytes, FRAME_LENGTH)),
            id: TxId(u64::from_le_bytes(get(bytes, FRAME_ID))),
            time: (time != TIME_NONE).then_some(time),
            chain_after: Chain(u64::from_le_bytes(get(bytes, FRAME_CHAIN))),
        }
    }

    /// Of bytes 4 to 32, taken from the fields: the way through memory would be longer.
    #[inline(always)]
    fn checksum(&self) -> u32 {
        let time = self.time.unwrap_or(TIME_NONE).cast_unsigned();
        checksum_of_words(self.payload_length, [self.id.0, time, self.chain_after.0])
    }
}

/// How many bytes a frame takes, header and padding included.
#[inline]
pub(crate) fn frame_bytes(payload_length: u32) -> u64 {
    (FRAME_HEADER_BYTES as u64 + u64::from(payload_length)).next_multiple_of(FRAME_ALIGNMENT)
}

/// Whether a frame can begin at this byte of a segment.
pub(crate) fn is_frame_start(byte: u64) -> bool {
    byte >= FRAMES_BYTE && byte.is_multiple_of(FRAME_ALIGNMENT)
}

#[inline]
pub(crate) fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&value);
}

#[inline]
pub(crate) fn get<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut value = [0; N];
    value.copy_from_slice(&bytes[at..at + N]);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_a_known_version_holds_nothing_else() {
        for version in [0, 1, VERSION, VERSION + 1] {
            let header = SegmentHeader {
                version,
                body: BODY_FRAMES,
                minimum_reader: 0,
                log_id: LogId([7; 16]),
                base: TxId(3),
                chain_before: Chain(5),
                epoch: 9,
            };
            let whole = header.encode();
            assert_eq!(SegmentHeader::decode(&whole), Some(header));
            for byte in HEADER_MAGIC.len()..HEADER_CHECKSUM {
                let mut bytes = whole;
                bytes[byte] ^= 1;
                let sum = checksum(&bytes[..HEADER_CHECKSUM]);
                put(&mut bytes, HEADER_CHECKSUM, sum.to_le_bytes());
                let Some(found) = SegmentHeader::decode(&bytes) else {
                    continue;
                };
                assert!(
                    found.version > VERSION || found.encode() == bytes,
                    "byte {byte}"
                );
                assert!(found != header || version > VERSION, "byte {byte}");
            }
        }
    }

    /// A CRC over bytes that end with their CRC is a constant: the mark must not be checked against that.
    #[test]
    fn a_mark_of_another_segment_proves_nothing() {
        let header = SegmentHeader {
            version: VERSION,
            body: BODY_FRAMES,
            minimum_reader: 0,
            log_id: LogId([7; 16]),
            base: TxId(3),
            chain_before: Chain(5),
            epoch: 0,
        };
        let mark = Mark {
            sequence: 1,
            through: TxId(4),
            end_byte: FRAMES_BYTE + 32,
            chain: Chain(6),
            closed: false,
            continued: false,
            unnamed: false,
            floor: TxId(0),
        };
        let bytes = mark.encode(&header.encode());
        assert_eq!(Mark::decode(&bytes, &header.encode(), 1), Some(mark));
        assert_eq!(Mark::decode(&bytes, &header.encode(), 0), None);
        let others = [
            SegmentHeader {
                body: BODY_BLOCKS,
                ..header
            },
            SegmentHeader {
                minimum_reader: 1,
                ..header
            },
            SegmentHeader {
                log_id: LogId([8; 16]),
                ..header
            },
            SegmentHeader {
                base: TxId(2),
                ..header
            },
            SegmentHeader {
                chain_before: Chain(4),
                ..header
            },
            SegmentHeader { epoch: 1, ..header },
        ];
        for other in others {
            assert_eq!(Mark::decode(&bytes, &other.encode(), 1), None, "{other:?}");
        }
    }
}
