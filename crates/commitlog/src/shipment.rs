//! A range of records, copied out of one log to be appended to another.
//!
//! ```text
//! log a        Shipment                             log b
//! n .. m  ──►  header | frame n | ... | frame m  ──►  verified as a whole, then appended: same ids, times, payloads
//! ```
//!
//! The frames are those of the segments, byte for byte; what proves them durable in one place proves nothing in another, so marks do not
//! travel. Whoever appends it gives the records the chain of its own log: in a copy of the same history that is the same chain, and the frames come out
//! the same.

use std::ops::Range;

use crate::chain::Chain;
use crate::damage::{BadFrame, BadShipment};
use crate::error::{Error, FormatPart, Result};
use crate::format::{FRAME_HEADER_BYTES, FrameHeader, frame_bytes};
use crate::frame_cursor::{Position, verify_body, verify_header};
use crate::log_id::LogId;
use crate::reader::Reader;
use crate::record::Record;
use crate::shipment_format::{SHIPMENT_FORMAT, SHIPMENT_HEADER_BYTES, ShipmentHeader};
use crate::tx_id::TxId;

/// Records in a row, verified, with what is needed to append them elsewhere. Made by [`crate::Log::ship`], [`crate::ReadOnlyLog::ship`] and, out of
/// bytes, by [`Shipment::from_bytes`].
///
/// Invariant: the bytes were verified, and every frame counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shipment {
    header: ShipmentHeader,
    chain_after: Chain,
    bytes: Vec<u8>,
}

impl Shipment {
    /// Takes bytes that came from somewhere, verified: header, every frame, the chain from the first to the last, and that nothing
    /// stands behind it. Allocates nothing.
    ///
    /// # Errors
    /// [`Error::BadShipment`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Shipment> {
        let (header, chain_after) = verify(&bytes)?;
        Ok(Shipment {
            header,
            chain_after,
            bytes,
        })
    }

    /// Copies what the reader yields, up to `end`: at least one record, and only so many that the frames take no more than `bytes_max`. What they need to be read is asked
    /// for once they are here: a record that needs more comes after the log asks for that.
    pub(crate) fn pack(
        mut reader: Reader,
        end: TxId,
        bytes_max: u64,
        log_id: LogId,
        minimum_reader: impl FnOnce() -> u16,
    ) -> Result<Shipment> {
        let mut header = ShipmentHeader {
            version: SHIPMENT_FORMAT,
            minimum_reader: 0,
            log_id,
            first: reader.next_id(),
            record_count: 0,
            chain_before: reader.chain_here()?,
            frames_length: 0,
        };
        let mut chain_after = header.chain_before;
        let mut bytes = vec![0; SHIPMENT_HEADER_BYTES];
        while reader.next_id() < end {
            let asked = reader.next_id();
            let Some(record) = reader.next_record()?.filter(|record| record.proven) else {
                return Err(Error::BeyondEnd { asked, end: asked });
            };
            let Ok(payload_length) = u32::try_from(record.payload.len()) else {
                unreachable!("a frame states its length in 32 bits");
            };
            let frames_length = header.frames_length + frame_bytes(payload_length);
            if header.record_count > 0 && frames_length > bytes_max {
                break;
            }
            push_frame(&mut bytes, &record, payload_length);
            header.record_count += 1;
            header.frames_length = frames_length;
            chain_after = record.chain;
        }
        header.minimum_reader = minimum_reader();
        bytes[..SHIPMENT_HEADER_BYTES].copy_from_slice(&header.encode());
        Ok(Shipment {
            header,
            chain_after,
            bytes,
        })
    }

    /// The bytes to send.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes to send, without copying them.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The log that the records come from.
    pub fn log_id(&self) -> LogId {
        self.header.log_id
    }

    /// Which records it holds; the end is the first that it does not.
    pub fn range(&self) -> Range<TxId> {
        self.header.first..TxId(self.header.first.0 + self.header.record_count)
    }

    /// The chain before its first record, in the log that it comes from.
    pub fn chain_before(&self) -> Chain {
        self.header.chain_before
    }

    /// The chain after its last record, in the log that it comes from.
    pub fn chain_after(&self) -> Chain {
        self.chain_after
    }

    /// The payload version that a reader of its records needs at least.
    pub fn minimum_reader(&self) -> u16 {
        self.header.minimum_reader
    }

    /// Its records, in order.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let verified = VerifiedShipment {
            header: self.header,
            bytes: &self.bytes,
        };
        verified.records()
    }
}

/// The frame of a record as it stands in its segment: every bit of it follows from the record.
fn push_frame(bytes: &mut Vec<u8>, record: &Record<'_>, payload_length: u32) {
    let header = FrameHeader {
        payload_length,
        id: record.id,
        time: record.time,
        chain_after: record.chain,
    };
    bytes.extend_from_slice(&header.encode());
    bytes.extend_from_slice(record.payload);
    let padding = frame_bytes(payload_length) - (FRAME_HEADER_BYTES + record.payload.len()) as u64;
    bytes.extend((0..padding).map(|_| 0));
}

/// A shipment whose bytes belong to somebody else.
///
/// Invariant: the bytes were verified, and every frame counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VerifiedShipment<'a> {
    header: ShipmentHeader,
    bytes: &'a [u8],
}

impl<'a> VerifiedShipment<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Result<VerifiedShipment<'a>> {
        let (header, _) = verify(bytes)?;
        Ok(VerifiedShipment { header, bytes })
    }

    pub(crate) fn header(&self) -> &ShipmentHeader {
        &self.header
    }

    /// Its records, in order.
    pub(crate) fn records(self) -> impl Iterator<Item = Record<'a>> {
        records(self.header, self.bytes).map(|record| match record {
            Ok(record) => record,
            Err((bad, byte)) => unreachable!("verified before, and now {bad} at byte {byte}"),
        })
    }

    /// Refuses payloads that a program does not understand which reads up to this version.
    pub(crate) fn check_reader(&self, reader: u16) -> Result<()> {
        check_version(FormatPart::Payload, self.header.minimum_reader, reader)
    }

    /// Refuses another place than its own, where this is the end of the log, and in the log that it comes from another history.
    pub(crate) fn check_history(&self, log_id: LogId, end: Position) -> Result<()> {
        let (first, next) = (self.header.first, end.id);
        if first != next {
            return Err(Error::NotNext { first, next });
        }
        if self.header.log_id == log_id && self.header.chain_before != end.chain {
            return Err(Error::OtherHistory { at: first });
        }
        Ok(())
    }
}

fn check_version(part: FormatPart, needed: u16, supported: u16) -> Result<()> {
    if needed <= supported {
        return Ok(());
    }
    let kind = BadShipment::Newer {
        part,
        needed,
        supported,
    };
    Err(Error::BadShipment {
        byte_offset: 0,
        kind,
    })
}

/// Verifies a whole shipment. Yields its header and the chain after its last record.
fn verify(bytes: &[u8]) -> Result<(ShipmentHeader, Chain)> {
    let bad = |byte_offset, kind| Error::BadShipment { byte_offset, kind };
    let Some((header, frames)) = bytes.split_first_chunk() else {
        return Err(bad(0, BadShipment::Header));
    };
    let Some(header) = ShipmentHeader::decode(header) else {
        return Err(bad(0, BadShipment::Header));
    };
    check_version(FormatPart::Shipment, header.version, SHIPMENT_FORMAT)?;
    let (expected, found) = (header.frames_length, frames.len() as u64);
    if expected != found {
        let kind = BadShipment::Length { expected, found };
        return Err(bad(SHIPMENT_HEADER_BYTES as u64, kind));
    }
    let mut next = header.first;
    let mut chain = header.chain_before;
    for record in records(header, bytes) {
        let record = record.map_err(|(frame, byte)| bad(byte, BadShipment::Record(frame)))?;
        next = record.id.next();
        chain = record.chain;
    }
    let end = TxId(header.first.0 + header.record_count);
    if next != end {
        return Err(bad(bytes.len() as u64, BadShipment::Count { end }));
    }
    Ok((header, chain))
}

/// The records of a shipment, verified one by one, up to the first that does not count; with it comes the byte where it stands.
fn records<'a>(
    header: ShipmentHeader,
    bytes: &'a [u8],
) -> impl Iterator<Item = std::result::Result<Record<'a>, (BadFrame, u64)>> {
    let mut position = Position {
        id: header.first,
        byte: SHIPMENT_HEADER_BYTES as u64,
        chain: header.chain_before,
    };
    let mut rest = &bytes[SHIPMENT_HEADER_BYTES..];
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let record = match split_frame(rest, position) {
            Ok((frame, payload, behind)) => {
                position = position.after(&frame);
                rest = behind;
                Ok(Record {
                    id: frame.id,
                    time: frame.time,
                    chain: frame.chain_after,
                    proven: true,
                    payload,
                })
            }
            Err(bad) => {
                rest = &[];
                Err((bad, position.byte))
            }
        };
        Some(record)
    })
}

/// The frame in front, its payload, and what is behind it.
fn split_frame(
    bytes: &[u8],
    position: Position,
) -> std::result::Result<(FrameHeader, &[u8], &[u8]), BadFrame> {
    let header = verify_header(bytes, position, bytes.len() as u64)?;
    let length = usize::try_from(frame_bytes(header.payload_length)).unwrap_or(usize::MAX);
    let (frame, behind) = bytes.split_at(length);
    verify_body(&header, frame, position)?;
    let payload = &frame[FRAME_HEADER_BYTES..][..header.payload_length as usize];
    Ok((header, payload, behind))
}
