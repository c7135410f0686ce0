//! The frames of a compressed segment, shown as if they were plain.
//!
//! ```text
//! plain    12288                 77824                143000
//!            | frames              | frames             | frames ...
//! stored     [header|stored bytes][header|stored bytes][header|..] end of file
//! ```
//!
//! The headers of the blocks are walked over as far as somebody asks, from the front of the segment or from a block that is remembered; a block is decompressed when a
//! byte of it is asked for, and the last one is kept. No length is believed that the header's checksum does not cover, nor one that the stored bytes can not justify.

use disk::{File, Map};

use crate::checksum::checksum;
use crate::error::Result;
use crate::format::{FRAMES_BYTE, FrameHeader};
use crate::frame_cursor::Position;
use crate::landmark::Landmark;
use crate::packed_format::{BLOCK_HEADER_BYTES, BlockHeader};
use crate::tx_id::TxId;

/// The blocks of a segment that nobody writes to any more.
#[derive(Debug)]
pub(crate) struct PackedFrames {
    /// The blocks; the marks in front of them are written again when a log is opened.
    map: Map,
    /// The front of the segment.
    front: Position,
    /// Where the walk over the blocks began.
    start: Position,
    /// The blocks from there on that were walked over. Each continues the one before it in ids and bytes.
    blocks: Vec<Block>,
    /// Where the walk goes on, bytes behind [`FRAMES_BYTE`].
    walked: usize,
    /// The block that is decompressed, and its frames.
    open: Option<usize>,
    plain: Vec<u8>,
}

#[derive(Debug)]
struct Block {
    header: BlockHeader,
    /// Where its header begins, bytes behind [`FRAMES_BYTE`].
    place: usize,
}

impl Block {
    fn end(&self) -> u64 {
        self.header.byte + u64::from(self.header.plain_length)
    }

    fn landmark(&self) -> Landmark {
        Landmark {
            position: front_of(&self.header),
            file_byte: FRAMES_BYTE + self.place as u64,
        }
    }
}

impl PackedFrames {
    /// The blocks of a segment whose first record begins at `front`.
    pub(crate) fn open(file: &dyn File, front: Position) -> Result<Self> {
        Ok(PackedFrames {
            map: file.map(FRAMES_BYTE..file.len()?)?,
            front,
            start: front,
            blocks: Vec::new(),
            walked: 0,
            open: None,
            plain: Vec::new(),
        })
    }

    /// Walks from a block on that is said to stand somewhere. Yields whether one does.
    pub(crate) fn walk_from(&mut self, landmark: Landmark) -> bool {
        let place = landmark.file_byte.checked_sub(FRAMES_BYTE);
        let Some(place) = place.and_then(|place| usize::try_from(place).ok()) else {
            return false;
        };
        self.blocks.clear();
        self.open = None;
        self.start = landmark.position;
        self.walked = place;
        self.walk().is_some()
    }

    /// Forgets where the walk began, and walks from the front of the segment.
    pub(crate) fn walk_from_front(&mut self) {
        if self.start != self.front {
            self.blocks.clear();
            self.open = None;
            self.start = self.front;
            self.walked = 0;
        }
    }

    /// Walks over one more block, if it is sound and continues those before.
    fn walk(&mut self) -> Option<&Block> {
        let header = block_at(&self.map, self.walked)?;
        let continues = match self.blocks.last() {
            Some(before) => header.byte == before.end() && header.first > before.header.first,
            None => front_of(&header) == self.start,
        };
        if !continues {
            return None;
        }
        let place = self.walked;
        self.walked += BLOCK_HEADER_BYTES + header.stored_length as usize;
        self.blocks.push(Block { header, place });
        self.blocks.last()
    }

    /// Walks as far as the block of a plain byte.
    #[inline]
    fn walk_to(&mut self, offset: u64) {
        while self.blocks.last().is_none_or(|last| last.end() <= offset) {
            if self.walk().is_none() {
                return;
            }
        }
    }

    /// How many plain bytes there are from `offset` on, at least. What stands behind the sound blocks counts too, though it can not be read.
    #[inline]
    pub(crate) fn room(&mut self, offset: u64) -> u64 {
        self.walk_to(offset);
        let end = self.blocks.last().map_or(self.start.byte, Block::end);
        let rest = self.map.len().saturating_sub(self.walked);
        (end + rest as u64).saturating_sub(offset)
    }

    /// The plain bytes from `offset` on to the end of their block: none where a block is not sound.
    #[inline]
    pub(crate) fn ahead(&mut self, offset: u64) -> &[u8] {
        self.walk_to(offset);
        let Some(index) = self.block_of(offset) else {
            return &[];
        };
        if self.open != Some(index) && !self.unpack(index) {
            return &[];
        }
        let start = usize::try_from(offset - self.blocks[index].header.byte);
        start
            .ok()
            .and_then(|start| self.plain.get(start..))
            .unwrap_or(&[])
    }

    /// The front of the block that holds record `id`, or would, among those from where the walk began. `passed` hears of each two neighbours on the way there.
    pub(crate) fn block_before(
        &mut self,
        id: TxId,
        mut passed: impl FnMut(Landmark, Landmark),
    ) -> Option<Position> {
        while self
            .blocks
            .last()
            .is_none_or(|last| last.header.first <= id)
        {
            let before = self.blocks.last().map(Block::landmark);
            let Some(after) = self.walk() else {
                break;
            };
            if let Some(before) = before {
                passed(before, after.landmark());
            }
        }
        let after = self
            .blocks
            .partition_point(|block| block.header.first <= id);
        Some(front_of(&self.blocks[after.checked_sub(1)?].header))
    }

    /// Where in the file the block begins in which a plain byte stands.
    pub(crate) fn file_byte(&self, offset: u64) -> u64 {
        let place = self
            .block_of(offset)
            .map_or(self.walked, |index| self.blocks[index].place);
        FRAMES_BYTE + place as u64
    }

    #[inline]
    fn block_of(&self, offset: u64) -> Option<usize> {
        let holds = |block: &Block| block.header.byte <= offset && offset < block.end();
        if let Some(open) = self.open
            && holds(&self.blocks[open])
        {
            return Some(open);
        }
        let after = self
            .blocks
            .partition_point(|block| block.header.byte <= offset);
        let index = after.checked_sub(1)?;
        holds(&self.blocks[index]).then_some(index)
    }

    /// Verifies and decompresses a block. Yields whether it is sound.
    #[cold]
    fn unpack(&mut self, index: usize) -> bool {
        self.open = None;
        let Block { header, place } = &self.blocks[index];
        let start = place + BLOCK_HEADER_BYTES;
        let stored = &self.map[start..start + header.stored_length as usize];
        if unpack_block(header, stored, &mut self.plain)
            && self
                .plain
                .first_chunk()
                .and_then(FrameHeader::decode)
                .is_some_and(|frame| frame.id == header.first)
        {
            self.open = Some(index);
        }
        self.open.is_some()
    }
}

/// The place before the first record of a block.
fn front_of(header: &BlockHeader) -> Position {
    Position {
        id: header.first,
        byte: header.byte,
        chain: header.chain_before,
    }
}

/// The sound header of a block at some place, if all of its stored bytes are there.
fn block_at(bytes: &[u8], place: usize) -> Option<BlockHeader> {
    let (header, stored) = bytes.get(place..)?.split_first_chunk()?;
    let header = BlockHeader::decode(header)?;
    (stored.len() as u64 >= u64::from(header.stored_length)).then_some(header)
}

/// Verifies and decompresses the stored bytes of a block. Yields whether they are sound.
pub(crate) fn unpack_block(header: &BlockHeader, stored: &[u8], plain: &mut Vec<u8>) -> bool {
    if checksum(stored) != header.stored_checksum {
        return false;
    }
    plain.clear();
    if header.stored_length == header.plain_length {
        plain.extend_from_slice(stored);
        return true;
    }
    plain.resize(header.plain_length as usize, 0);
    let unpacked = lz4_flex::block::decompress_into(stored, plain);
    unpacked.is_ok_and(|length| length == plain.len())
}
