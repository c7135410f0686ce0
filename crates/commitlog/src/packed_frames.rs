//! The frames of a compressed segment, shown as if they were plain.
//!
//! ```text
//! plain    12288                 77824                143000
//!            | frames              | frames             | frames ...
//! stored     [header|stored bytes][header|stored bytes][header|..] end of file
//! ```
//!
//! The headers of the blocks are walked over once, when the file is opened; a block is decompressed when a byte of it is asked for, and the last one
//! is kept. No length is believed that the header's checksum does not cover, nor one that the stored bytes can not justify.

use disk::{File, Map};

use crate::checksum::checksum;
use crate::error::Result;
use crate::format::{BLOCK_HEADER_BYTES, BlockHeader, FRAMES_BYTE, FrameHeader};
use crate::frame_cursor::Position;
use crate::tx_id::TxId;

/// The blocks of a segment that nobody writes to any more.
#[derive(Debug)]
pub(crate) struct PackedFrames {
    /// The blocks; the marks in front of them are written again when a log is opened.
    map: Map,
    /// Those up to the first one that is not sound. Each continues the one before it in ids and bytes.
    blocks: Vec<Block>,
    /// Where the sound blocks end, bytes behind [`FRAMES_BYTE`].
    sound: usize,
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
}

impl PackedFrames {
    /// Walks over the blocks of a segment whose first record begins at `start`.
    pub(crate) fn open(file: &dyn File, start: Position) -> Result<Self> {
        let map = file.map(FRAMES_BYTE..file.len()?)?;
        let mut place = 0;
        let mut blocks: Vec<Block> = Vec::new();
        while let Some(header) = block_at(&map, place) {
            let continues = match blocks.last() {
                Some(before) => header.byte == before.end() && header.first > before.header.first,
                None => {
                    (header.first, header.byte, header.chain_before)
                        == (start.id, start.byte, start.chain)
                }
            };
            if !continues {
                break;
            }
            blocks.push(Block { header, place });
            place += BLOCK_HEADER_BYTES + header.stored_length as usize;
        }
        Ok(PackedFrames {
            sound: place.min(map.len()),
            map,
            blocks,
            open: None,
            plain: Vec::new(),
        })
    }

    /// Where the plain bytes end. What stands behind the sound blocks counts too, though it can not be read.
    pub(crate) fn limit(&self) -> u64 {
        let end = self.blocks.last().map_or(FRAMES_BYTE, Block::end);
        end + (self.map.len() - self.sound) as u64
    }

    /// The plain bytes from `offset` on to the end of their block: none where a block is not sound.
    #[inline]
    pub(crate) fn ahead(&mut self, offset: u64) -> &[u8] {
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

    /// The front of the block that holds record `id`, or would.
    pub(crate) fn block_before(&self, id: TxId) -> Option<Position> {
        let after = self
            .blocks
            .partition_point(|block| block.header.first <= id);
        let header = &self.blocks[after.checked_sub(1)?].header;
        Some(Position {
            id: header.first,
            byte: header.byte,
            chain: header.chain_before,
        })
    }

    /// Where in the file the block begins in which a plain byte stands.
    pub(crate) fn file_byte(&self, offset: u64) -> u64 {
        let place = self
            .block_of(offset)
            .map_or(self.sound, |index| self.blocks[index].place);
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
