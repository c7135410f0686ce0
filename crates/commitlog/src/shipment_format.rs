//! The bytes of a shipment: a range of records on its way to another log. It is no file of a log, and no mark is part of it. All integers
//! are little-endian.
//!
//! ```text
//!  0  magic "cairnshp"
//!  8  version u16 | minimum reader u16 | reserved u32
//! 16  log id, 16 bytes            the log that the records come from
//! 32  id of the first record u64
//! 40  number of records u64
//! 48  chain before the first record u64
//! 56  length of all frames in bytes u64
//! 64  reserved u32 | checksum u32 over bytes 0..68
//! 72  frames, as they stand in the segments, and nothing behind them
//! ```

use crate::chain::Chain;
use crate::checksum::checksum;
use crate::format::{BASE_MAX, get, put};
use crate::log_id::LogId;
use crate::tx_id::TxId;

const SHIPMENT_MAGIC: [u8; 8] = *b"cairnshp";
const SHIPMENT_VERSION: usize = SHIPMENT_MAGIC.len();
const SHIPMENT_MINIMUM_READER: usize = SHIPMENT_VERSION + 2;
const SHIPMENT_LOG_ID: usize = SHIPMENT_MINIMUM_READER + 6;
const SHIPMENT_FIRST: usize = SHIPMENT_LOG_ID + 16;
const SHIPMENT_COUNT: usize = SHIPMENT_FIRST + 8;
const SHIPMENT_CHAIN: usize = SHIPMENT_COUNT + 8;
const SHIPMENT_FRAMES_LENGTH: usize = SHIPMENT_CHAIN + 8;
const SHIPMENT_CHECKSUM: usize = SHIPMENT_FRAMES_LENGTH + 12;
pub(crate) const SHIPMENT_HEADER_BYTES: usize = SHIPMENT_CHECKSUM + 4;
const _: () = assert!(SHIPMENT_HEADER_BYTES == 72);

/// The newest version of a shipment that this build reads, and the one that it writes.
pub(crate) const SHIPMENT_FORMAT: u16 = 1;

/// What a shipment says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShipmentHeader {
    pub(crate) version: u16,
    pub(crate) minimum_reader: u16,
    pub(crate) log_id: LogId,
    pub(crate) first: TxId,
    pub(crate) record_count: u64,
    pub(crate) chain_before: Chain,
    pub(crate) frames_length: u64,
}

impl ShipmentHeader {
    pub(crate) fn encode(&self) -> [u8; SHIPMENT_HEADER_BYTES] {
        let mut bytes = [0; SHIPMENT_HEADER_BYTES];
        let minimum_reader = self.minimum_reader.to_le_bytes();
        put(&mut bytes, 0, SHIPMENT_MAGIC);
        put(&mut bytes, SHIPMENT_VERSION, self.version.to_le_bytes());
        put(&mut bytes, SHIPMENT_MINIMUM_READER, minimum_reader);
        put(&mut bytes, SHIPMENT_LOG_ID, self.log_id.0);
        put(&mut bytes, SHIPMENT_FIRST, self.first.0.to_le_bytes());
        put(&mut bytes, SHIPMENT_COUNT, self.record_count.to_le_bytes());
        put(
            &mut bytes,
            SHIPMENT_CHAIN,
            self.chain_before.0.to_le_bytes(),
        );
        let frames_length = self.frames_length.to_le_bytes();
        put(&mut bytes, SHIPMENT_FRAMES_LENGTH, frames_length);
        let sum = checksum(&bytes[..SHIPMENT_CHECKSUM]);
        put(&mut bytes, SHIPMENT_CHECKSUM, sum.to_le_bytes());
        bytes
    }

    /// `None` if the bytes are not a shipment's header with a good checksum, of whatever version.
    pub(crate) fn decode(bytes: &[u8; SHIPMENT_HEADER_BYTES]) -> Option<ShipmentHeader> {
        let sum = u32::from_le_bytes(get(bytes, SHIPMENT_CHECKSUM));
        if !bytes.starts_with(&SHIPMENT_MAGIC) || checksum(&bytes[..SHIPMENT_CHECKSUM]) != sum {
            return None;
        }
        let header = ShipmentHeader {
            version: u16::from_le_bytes(get(bytes, SHIPMENT_VERSION)),
            minimum_reader: u16::from_le_bytes(get(bytes, SHIPMENT_MINIMUM_READER)),
            log_id: LogId(get(bytes, SHIPMENT_LOG_ID)),
            first: TxId(u64::from_le_bytes(get(bytes, SHIPMENT_FIRST))),
            record_count: u64::from_le_bytes(get(bytes, SHIPMENT_COUNT)),
            chain_before: Chain(u64::from_le_bytes(get(bytes, SHIPMENT_CHAIN))),
            frames_length: u64::from_le_bytes(get(bytes, SHIPMENT_FRAMES_LENGTH)),
        };
        let possible = header.first <= BASE_MAX && header.record_count <= BASE_MAX.0;
        possible.then_some(header)
    }
}
