//! What salvage kept, record by record.
#![allow(dead_code, reason = "no test needs all of it")]

use std::ops::Range;

use commitlog::{Log, LogId, Options, SalvageReport, TxId, salvage};
use disk::SimDisk;

pub(crate) const NEW_ID: LogId = LogId(*b"what is left now");

/// Id, time, payload.
pub(crate) type Record = (u64, Option<i64>, Vec<u8>);

pub(crate) fn records(log: &Log) -> Vec<Record> {
    let mut reader = log.reader(log.base()).unwrap();
    let mut records = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        records.push((record.id.0, record.time, record.payload.to_vec()));
    }
    records
}

/// Salvages. Yields the report, and the records that were kept, each with its old id.
pub(crate) fn salvaged(source: &SimDisk) -> (SalvageReport, Vec<Record>) {
    let destination = SimDisk::new(9);
    let options = Options::default;
    let report = salvage(
        source.root().as_ref(),
        destination.root(),
        NEW_ID,
        options(),
    )
    .unwrap();
    let (log, opened) = Log::open(destination.root(), options(), &[]).unwrap();
    assert!(opened.was_closed);
    let mut new = records(&log);
    let ids = report.kept.iter().flat_map(|kept| ids(&kept.ids));
    new.iter_mut()
        .zip(ids)
        .for_each(|(record, id)| record.0 = id);
    assert_eq!(new.len() as u64, report.records);
    (report, new)
}

pub(crate) fn ids(range: &Range<TxId>) -> Range<u64> {
    range.start.0..range.end.0
}

/// The 32 bytes in front of a payload, their checksum good.
pub(crate) fn frame_header(length: usize, id: u64, chain: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[4..8].copy_from_slice(&(u32::try_from(length).unwrap()).to_le_bytes());
    bytes[8..16].copy_from_slice(&id.to_le_bytes());
    bytes[16..24].copy_from_slice(&i64::MIN.to_le_bytes());
    bytes[24..].copy_from_slice(&chain.to_le_bytes());
    let sum = crc32c::crc32c(&bytes[4..]);
    bytes[..4].copy_from_slice(&sum.to_le_bytes());
    bytes
}
