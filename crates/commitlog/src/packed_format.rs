//! Compressed blocks of frames. All integers are little-endian.
//!
//! A segment that is continued may be stored in blocks (`body` = 1): behind the two marks, both of which say *continued*, stands one block after
//! another up to the end of the file. Each holds whole frames, as many as fit 64 KiB or a single longer one, and can be read without the
//! others. Marks and blocks count bytes as if the frames were plain.
//!
//! Block (begins anywhere):
//!
//! ```text
//!  0  magic "cairnblk"
//!  8  id of the first record u64
//! 16  byte u64                    where its frame begins in the plain segment
//! 24  chain before it u64
//! 32  plain length u32 | stored length u32
//! 40  checksum of the stored bytes u32 | checksum u32 over bytes 0..44
//! 48  the frames as one LZ4 block, or as they are if both lengths are equal
//! ```

use crate::chain::Chain;
use crate::checksum::checksum;
use crate::format::{FRAME_HEADER_BYTES, PAYLOAD_BYTES_LIMIT, frame_bytes, get, put};
use crate::tx_id::TxId;

const BLOCK_MAGIC: [u8; 8] = *b"cairnblk";
const BLOCK_FIRST: usize = BLOCK_MAGIC.len();
const BLOCK_BYTE: usize = BLOCK_FIRST + 8;
const BLOCK_CHAIN: usize = BLOCK_BYTE + 8;
const BLOCK_PLAIN: usize = BLOCK_CHAIN + 8;
const BLOCK_STORED: usize = BLOCK_PLAIN + 4;
const BLOCK_CONTENT: usize = BLOCK_STORED + 4;
const BLOCK_CHECKSUM: usize = BLOCK_CONTENT + 4;
pub(crate) const BLOCK_HEADER_BYTES: usize = BLOCK_CHECKSUM + 4;
const _: () = assert!(BLOCK_HEADER_BYTES == 48);

/// How many bytes of frames a block holds, unless a single frame is longer.
pub(crate) const BLOCK_PLAIN_BYTES: usize = 64 << 10;
/// No LZ4 block grows by more than this factor when it is decompressed.
const BLOCK_GROWTH_MAX: u64 = 255;

/// The 48 bytes in front of a block's stored bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockHeader {
    pub(crate) first: TxId,
    pub(crate) byte: u64,
    pub(crate) chain_before: Chain,
    pub(crate) plain_length: u32,
    pub(crate) stored_length: u32,
    pub(crate) stored_checksum: u32,
}

impl BlockHeader {
    pub(crate) fn encode(&self) -> [u8; BLOCK_HEADER_BYTES] {
        let mut bytes = [0; BLOCK_HEADER_BYTES];
        put(&mut bytes, 0, BLOCK_MAGIC);
        put(&mut bytes, BLOCK_FIRST, self.first.0.to_le_bytes());
        put(&mut bytes, BLOCK_BYTE, self.byte.to_le_bytes());
        put(&mut bytes, BLOCK_CHAIN, self.chain_before.0.to_le_bytes());
        put(&mut bytes, BLOCK_PLAIN, self.plain_length.to_le_bytes());
        put(&mut bytes, BLOCK_STORED, self.stored_length.to_le_bytes());
        put(
            &mut bytes,
            BLOCK_CONTENT,
            self.stored_checksum.to_le_bytes(),
        );
        let sum = checksum(&bytes[..BLOCK_CHECKSUM]);
        put(&mut bytes, BLOCK_CHECKSUM, sum.to_le_bytes());
        bytes
    }

    /// `None` if the bytes are not the header of a block, or one whose frames would be longer than its stored bytes can hold.
    pub(crate) fn decode(bytes: &[u8; BLOCK_HEADER_BYTES]) -> Option<BlockHeader> {
        let sum = u32::from_le_bytes(get(bytes, BLOCK_CHECKSUM));
        if !bytes.starts_with(&BLOCK_MAGIC) || checksum(&bytes[..BLOCK_CHECKSUM]) != sum {
            return None;
        }
        let header = BlockHeader {
            first: TxId(u64::from_le_bytes(get(bytes, BLOCK_FIRST))),
            byte: u64::from_le_bytes(get(bytes, BLOCK_BYTE)),
            chain_before: Chain(u64::from_le_bytes(get(bytes, BLOCK_CHAIN))),
            plain_length: u32::from_le_bytes(get(bytes, BLOCK_PLAIN)),
            stored_length: u32::from_le_bytes(get(bytes, BLOCK_STORED)),
            stored_checksum: u32::from_le_bytes(get(bytes, BLOCK_CONTENT)),
        };
        let (plain, stored) = (
            u64::from(header.plain_length),
            u64::from(header.stored_length),
        );
        let possible = stored <= plain
            && plain <= stored * BLOCK_GROWTH_MAX
            && plain >= FRAME_HEADER_BYTES as u64
            && plain <= (BLOCK_PLAIN_BYTES as u64).max(frame_bytes(PAYLOAD_BYTES_LIMIT));
        possible.then_some(header)
    }
}
