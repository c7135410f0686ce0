//! Looks for records that continue each other in what is left of a segment.
//!
//! The unit is what is stored as one: a frame, or a block of frames in a compressed segment.

use std::ops::Range;

use crate::chain::Chain;
use crate::checksum::checksum;
use crate::format::{
    BLOCK_HEADER_BYTES, BlockHeader, FRAME_HEADER_BYTES, FRAMES_BYTE, FrameHeader,
    PAYLOAD_BYTES_LIMIT, frame_bytes,
};
use crate::packed_frames::unpack_block;
use crate::remaining_bytes::RemainingBytes;
use crate::tx_id::TxId;

/// Frames begin at multiples of this.
const FRAME_STEP: u64 = 8;

/// A frame, or a block whose frames continue each other.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) bytes: Range<u64>,
    pub(crate) ids: Range<TxId>,
    /// The chain after it, as it says.
    pub(crate) chain_after: Chain,
    before: Before,
}

/// What tells whether something continues a chain.
#[derive(Debug, Clone)]
enum Before {
    /// Mixed with these, it is the chain after the frame.
    Frame { payload_length: u32, sum: u32 },
    /// A block says what it is.
    Block(Chain),
}

impl Link {
    /// Whether it continues this chain. Then its payloads are what was written.
    pub(crate) fn continues(&self, chain: Chain) -> bool {
        match self.before {
            Before::Frame {
                payload_length,
                sum,
            } => chain.mix(self.ids.start, payload_length, sum) == self.chain_after,
            Before::Block(before) => before == chain,
        }
    }

    /// Whether the payload of the first record is vouched for by the chain after it.
    pub(crate) fn is_first_whole(&self) -> bool {
        matches!(self.before, Before::Block(_))
    }
}

/// A search in the bytes of one segment.
pub(crate) struct PieceSearch {
    pub(crate) bytes: RemainingBytes,
    pub(crate) is_packed: bool,
    /// The lowest id that is possible, and the byte from where on: no more ids are lost than fit between.
    pub(crate) lowest: (TxId, u64),
    /// Ids from here on stand in other files.
    pub(crate) bound: TxId,
}

impl PieceSearch {
    /// A search in a segment whose first record is `base`. `is_packed` if it is known whether it is stored in blocks.
    pub(crate) fn new(
        mut bytes: RemainingBytes,
        is_packed: Option<bool>,
        base: TxId,
        bound: TxId,
    ) -> Self {
        let looks_packed = block_at(&mut bytes, FRAMES_BYTE).is_some();
        PieceSearch {
            bytes,
            is_packed: is_packed.unwrap_or(looks_packed),
            lowest: (base, FRAMES_BYTE),
            bound,
        }
    }

    /// How far apart places are where something may begin.
    pub(crate) fn step(&self) -> u64 {
        match self.is_packed {
            true => 1,
            false => FRAME_STEP,
        }
    }

    /// What begins here, with ids that are possible.
    pub(crate) fn link_at(&mut self, at: u64) -> Option<Link> {
        match self.is_packed {
            true => self.block(at),
            false => self.frame(at),
        }
    }

    /// Whether nothing stands behind the one that ends here.
    pub(crate) fn is_last(&mut self, end: u64) -> bool {
        let behind = self.bytes.get(end, FRAME_HEADER_BYTES as u64);
        behind.len() < FRAME_HEADER_BYTES || behind.iter().all(|byte| *byte == 0)
    }

    /// Hands out the records of what was found before, if it is still the same.
    pub(crate) fn records<E>(
        &mut self,
        link: &Link,
        mut record: impl FnMut(&FrameHeader, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.is_packed {
            let frame = self
                .bytes
                .get(link.bytes.start, link.bytes.end - link.bytes.start);
            return match split_frame(frame) {
                Some((header, payload, _)) => record(&header, payload),
                None => Ok(()),
            };
        }
        let Some((_, plain)) = self.unpacked(link.bytes.start) else {
            return Ok(());
        };
        let mut rest = &plain[..];
        while let Some((header, payload, behind)) = split_frame(rest) {
            record(&header, payload)?;
            rest = behind;
        }
        Ok(())
    }

    fn frame(&mut self, at: u64) -> Option<Link> {
        let header = self.bytes.get(at, FRAME_HEADER_BYTES as u64);
        let header = FrameHeader::decode(header.first_chunk()?)?;
        let (lowest, from) = self.lowest;
        let passed = (at - from) / FRAME_HEADER_BYTES as u64;
        let is_possible = header.id >= lowest
            && header.id.0 - lowest.0 <= passed
            && header.id < self.bound
            && header.payload_length <= PAYLOAD_BYTES_LIMIT;
        let end = at.checked_add(frame_bytes(header.payload_length))?;
        if !is_possible || end > self.bytes.end() {
            return None;
        }
        let payload = self.bytes.get(
            at + FRAME_HEADER_BYTES as u64,
            u64::from(header.payload_length),
        );
        Some(Link {
            bytes: at..end,
            ids: header.id..header.id.next(),
            chain_after: header.chain_after,
            before: Before::Frame {
                payload_length: header.payload_length,
                sum: checksum(payload),
            },
        })
    }

    fn block(&mut self, at: u64) -> Option<Link> {
        let header = block_at(&mut self.bytes, at)?;
        if !(self.lowest.0..self.bound).contains(&header.first) {
            return None;
        }
        let (header, plain) = self.unpacked(at)?;
        let (mut id, mut chain) = (header.first, header.chain_before);
        let mut rest = &plain[..];
        while !rest.is_empty() {
            let (frame, payload, behind) = split_frame(rest)?;
            let sum = checksum(payload);
            chain = chain.mix(frame.id, frame.payload_length, sum);
            if frame.id != id || frame.chain_after != chain || id >= self.bound {
                return None;
            }
            id = id.next();
            rest = behind;
        }
        let end = at + BLOCK_HEADER_BYTES as u64 + u64::from(header.stored_length);
        Some(Link {
            bytes: at..end,
            ids: header.first..id,
            chain_after: chain,
            before: Before::Block(header.chain_before),
        })
    }

    /// The block here, and what it holds.
    fn unpacked(&mut self, at: u64) -> Option<(BlockHeader, Vec<u8>)> {
        let header = block_at(&mut self.bytes, at)?;
        let stored = at + BLOCK_HEADER_BYTES as u64;
        let stored = self.bytes.get(stored, u64::from(header.stored_length));
        let mut plain = Vec::new();
        unpack_block(&header, stored, &mut plain).then_some((header, plain))
    }
}

/// The sound header of a block at some place, if all of its stored bytes are there.
pub(crate) fn block_at(bytes: &mut RemainingBytes, at: u64) -> Option<BlockHeader> {
    let header = bytes.get(at, BLOCK_HEADER_BYTES as u64);
    let header = BlockHeader::decode(header.first_chunk()?)?;
    let stored = bytes.end() - at - BLOCK_HEADER_BYTES as u64;
    (u64::from(header.stored_length) <= stored).then_some(header)
}

/// The frame in front, of which only the header was verified, its payload, and what is behind it.
fn split_frame(bytes: &[u8]) -> Option<(FrameHeader, &[u8], &[u8])> {
    let header = FrameHeader::decode(bytes.first_chunk()?)?;
    let length = usize::try_from(frame_bytes(header.payload_length)).ok()?;
    let (frame, behind) = bytes.split_at_checked(length)?;
    let payload = &frame[FRAME_HEADER_BYTES..][..header.payload_length as usize];
    Some((header, payload, behind))
}
