//! What is stored as one, in what is left of a segment: a frame, or a block of frames in a compressed segment.

use std::ops::Range;

use crate::chain::Chain;
use crate::checksum::checksum;
use crate::format::{
    BODY_BLOCKS, FRAME_HEADER_BYTES, FRAMES_BYTE, FrameHeader, PAYLOAD_BYTES_LIMIT, SegmentHeader,
    frame_bytes,
};
use crate::packed_format::{BLOCK_HEADER_BYTES, BlockHeader};
use crate::packed_frames::unpack_block;
use crate::remaining_bytes::RemainingBytes;
use crate::tx_id::TxId;

/// Frames begin at multiples of this.
const FRAME_STEP: u64 = 8;

/// A frame of which only the header is known to hold, or a block whose frames continue each other.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) bytes: Range<u64>,
    pub(crate) ids: Range<TxId>,
    /// The chain after it, as it says.
    pub(crate) chain_after: Chain,
    before: Before,
    /// The checksum of the payload of a frame, once somebody asked for it.
    sum: Option<u32>,
}

/// What tells whether something continues a chain.
#[derive(Debug, Clone)]
enum Before {
    /// Mixed with the payload of this length, it is the chain after the frame.
    Frame { payload_length: u32 },
    /// A block says what it is.
    Block(Chain),
}

impl Link {
    /// The chain before it, if it says that itself. Then it vouches for all of its payloads.
    pub(crate) fn chain_before(&self) -> Option<Chain> {
        match self.before {
            Before::Frame { .. } => None,
            Before::Block(chain) => Some(chain),
        }
    }

    /// How long the payload of a frame is; 0 for a block.
    pub(crate) fn payload_length(&self) -> u32 {
        match self.before {
            Before::Frame { payload_length } => payload_length,
            Before::Block(_) => 0,
        }
    }
}

/// The bytes of one segment, and what may begin in them.
pub(crate) struct Links {
    pub(crate) bytes: RemainingBytes,
    pub(crate) is_packed: bool,
    /// The first id, if a header tells it: then those before stand in other files, and a record for each one from there on stands before another.
    pub(crate) base: Option<TxId>,
    /// Records from here on stand in other files.
    bound: TxId,
    /// Where a block ends whose checksum holds and which is none of ours: nothing of ours begins in it.
    strange: u64,
}

impl Links {
    /// Those of a segment with this header, if it has one, and with records before `bound`.
    pub(crate) fn new(
        mut bytes: RemainingBytes,
        header: Option<SegmentHeader>,
        bound: TxId,
    ) -> Self {
        let is_packed = match header {
            Some(header) => header.body == BODY_BLOCKS,
            None => block_at(&mut bytes, FRAMES_BYTE).is_some(),
        };
        Links {
            is_packed,
            bytes,
            base: header.map(|header| header.base),
            bound,
            strange: 0,
        }
    }

    /// The next place where something may begin.
    pub(crate) fn place_behind(&self, at: u64) -> u64 {
        let step = match self.is_packed {
            true => 1,
            false => FRAME_STEP,
        };
        self.strange.max(at + step)
    }

    /// What begins here, with ids that are possible.
    pub(crate) fn link_at(&mut self, at: u64) -> Option<Link> {
        match self.is_packed {
            true => self.block(at),
            false => self.frame(at),
        }
    }

    /// Whether it continues this chain. Then its payloads are what was written.
    pub(crate) fn continues(&mut self, link: &mut Link, chain: Chain) -> bool {
        match link.before {
            Before::Block(before) => before == chain,
            Before::Frame { payload_length } => {
                let payload = link.bytes.start + FRAME_HEADER_BYTES as u64;
                let length = u64::from(payload_length);
                let sum = *link
                    .sum
                    .get_or_insert_with(|| self.bytes.checksum(payload, length));
                chain.mix(link.ids.start, payload_length, sum) == link.chain_after
            }
        }
    }

    /// The chain that the frame of this record continues if its payload is what was written: no other one leads to the chain after it.
    pub(crate) fn continued_by(&mut self, at: u64, id: TxId, length: u32, after: Chain) -> Chain {
        let payload = at + FRAME_HEADER_BYTES as u64;
        let sum = self.bytes.checksum(payload, u64::from(length));
        after.unmix(id, length, sum)
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

    fn is_possible(&self, id: TxId) -> bool {
        id < self.bound && self.base.is_none_or(|base| id >= base)
    }

    fn frame(&mut self, at: u64) -> Option<Link> {
        let header = self.bytes.get(at, FRAME_HEADER_BYTES as u64);
        let header = FrameHeader::decode(header.first_chunk()?)?;
        // No more records stand before it than fit there.
        let passed = (at - FRAMES_BYTE) / FRAME_HEADER_BYTES as u64;
        let is_possible = self.is_possible(header.id)
            && self.base.is_none_or(|base| header.id.0 - base.0 <= passed)
            && header.payload_length <= PAYLOAD_BYTES_LIMIT;
        let end = at.checked_add(frame_bytes(header.payload_length))?;
        if !is_possible || end > self.bytes.end() {
            return None;
        }
        Some(Link {
            bytes: at..end,
            ids: header.id..header.id.next(),
            chain_after: header.chain_after,
            before: Before::Frame {
                payload_length: header.payload_length,
            },
            sum: None,
        })
    }

    fn block(&mut self, at: u64) -> Option<Link> {
        let header = block_at(&mut self.bytes, at)?;
        if !self.is_possible(header.first) {
            return None;
        }
        let stored = at + BLOCK_HEADER_BYTES as u64;
        let stored_length = u64::from(header.stored_length);
        if self.bytes.checksum(stored, stored_length) != header.stored_checksum {
            return None;
        }
        let end = stored + stored_length;
        self.strange = end;
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
        Some(Link {
            bytes: at..end,
            ids: header.first..id,
            chain_after: chain,
            before: Before::Block(header.chain_before),
            sum: None,
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
fn block_at(bytes: &mut RemainingBytes, at: u64) -> Option<BlockHeader> {
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
