//! The bytes of a segment, as literals: what is on disks must never change its meaning.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use commitlog::{Chain, Log, LogId, Options, ReadOnlyLog, ReadOnlyOptions, Shipment, TxId};
use disk::{Dir, SimDisk};

const LOG_ID: LogId = LogId(*b"0123456789abcdef");

/// `offset: hexadecimal bytes`, zeros between them.
fn bytes_of(lines: &[(usize, &str)], len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    for (offset, line) in lines {
        let digits: Vec<u8> = line.bytes().filter(u8::is_ascii_hexdigit).collect();
        for (place, pair) in digits.chunks(2).enumerate() {
            let pair = std::str::from_utf8(pair).unwrap();
            bytes[offset + place] = u8::from_str_radix(pair, 16).unwrap();
        }
    }
    bytes
}

fn written() -> SimDisk {
    let disk = SimDisk::new(0);
    let options = Options {
        minimum_reader: 0x0102,
        ..Options::default()
    };
    let root: Arc<dyn Dir> = disk.root();
    let log = Log::create(
        root,
        LOG_ID,
        options,
        &[(b"genesis", Some(0x1122_3344_5566_7788))],
    )
    .unwrap();
    log.commit(b"", None).unwrap();
    log.rotate().unwrap();
    log.commit(b"12345678", Some(-1)).unwrap();
    log.close().unwrap();
    disk
}

const FIRST: &str = "00000000000000000000.log";
const SECOND: &str = "00000000000000000002.log";

#[test]
fn segments_have_the_golden_bytes() {
    let disk = written();
    assert_eq!(disk.files(), [FIRST, SECOND]);
    let first = bytes_of(GOLDEN_FIRST, 12288 + 40 + 32);
    let second = bytes_of(GOLDEN_SECOND, 12288 + 40);
    print_if_different(FIRST, &disk.read(FIRST).unwrap(), &first);
    print_if_different(SECOND, &disk.read(SECOND).unwrap(), &second);
    assert!(
        disk.read(FIRST).unwrap() == first,
        "the first segment differs"
    );
    assert!(
        disk.read(SECOND).unwrap() == second,
        "the second segment differs"
    );
}

#[test]
fn golden_bytes_are_read() {
    check_read(GOLDEN_FIRST, GOLDEN_SECOND);
}

#[test]
fn golden_bytes_of_version_1_are_read() {
    check_read(GOLDEN_FIRST_V1, GOLDEN_SECOND_V1);
}

fn check_read(first: &[(usize, &str)], second: &[(usize, &str)]) {
    let disk = SimDisk::new(0);
    disk.write(FIRST, &bytes_of(first, 12288 + 40 + 32));
    disk.write(SECOND, &bytes_of(second, 12288 + 40));
    let (log, report) = Log::open(disk.root(), Options::default(), &[]).unwrap();
    assert!(report.was_closed);
    assert_eq!(log.log_id(), LOG_ID);
    let mut reader = log.reader(TxId(0)).unwrap();
    let expected: [(&[u8], Option<i64>); 3] = [
        (b"genesis", Some(0x1122_3344_5566_7788)),
        (b"", None),
        (b"12345678", Some(-1)),
    ];
    for (payload, time) in expected {
        let record = reader.next_record().unwrap().unwrap();
        assert_eq!((record.payload, record.time), (payload, time));
    }
    assert!(reader.next_record().unwrap().is_none());
    assert_eq!(log.chain_at_end(), CHAIN_AT_END);
    assert_eq!(
        Log::inspect(disk.root().as_ref()).unwrap().minimum_reader,
        0x0102
    );
}

/// The marks of a log that was pruned name the first record that it keeps.
#[test]
fn a_pruned_log_has_the_golden_bytes() {
    let disk = SimDisk::new(0);
    let root: Arc<dyn Dir> = disk.root();
    let log = Log::create(root, LOG_ID, Options::default(), &[(b"genesis", None)]).unwrap();
    log.commit(b"", None).unwrap();
    log.rotate().unwrap();
    log.prune_before(TxId(2)).unwrap();
    log.close().unwrap();
    assert_eq!(disk.files(), [SECOND]);
    let golden = bytes_of(GOLDEN_PRUNED, 12288);
    print_if_different(SECOND, &disk.read(SECOND).unwrap(), &golden);
    assert!(disk.read(SECOND).unwrap() == golden, "the segment differs");
    // Of any other segment below it they say that it is no part of the log.
    disk.write(FIRST, &bytes_of(GOLDEN_FIRST, 12288 + 40 + 32));
    let read = ReadOnlyLog::open(disk.root(), ReadOnlyOptions::default(), &[]).unwrap();
    assert_eq!((read.base(), read.next_id()), (TxId(2), TxId(2)));
}

/// A segment that can be compressed, and one that can not and is stored as it is, in a block all the same.
fn compressed() -> SimDisk {
    let disk = SimDisk::new(0);
    let log = Log::create(
        disk.root(),
        LOG_ID,
        Options::default(),
        &[(&[b'a'; 200], None)],
    )
    .unwrap();
    log.commit(&b"abcdefgh".repeat(6), None).unwrap();
    log.rotate().unwrap();
    log.commit(b"", Some(INCOMPRESSIBLE_TIME)).unwrap();
    log.rotate().unwrap();
    while log.compress_sealed().unwrap().is_some() {}
    log.close().unwrap();
    disk
}

const INCOMPRESSIBLE_TIME: i64 = 0x2718_2818_2845_9045;

#[test]
fn compressed_segments_have_the_golden_bytes() {
    let disk = compressed();
    let mut differ = Vec::new();
    for (name, golden, length) in GOLDEN_BLOCKS {
        let (found, golden) = (disk.read(name).unwrap(), bytes_of(golden, *length));
        print_if_different(name, &found, &golden);
        if found != golden {
            differ.push(name);
        }
    }
    // If only what the encoder makes of the same bytes has changed: the old literals stay, to be read, beside new ones.
    assert!(differ.is_empty(), "{differ:?} differ");
}

#[test]
fn golden_compressed_bytes_are_read() {
    let disk = compressed();
    for (name, golden, length) in GOLDEN_BLOCKS {
        disk.write(name, &bytes_of(golden, *length));
    }
    let (log, _) = Log::open(disk.root(), Options::default(), &[]).unwrap();
    let payloads = [vec![b'a'; 200], b"abcdefgh".repeat(6), Vec::new()];
    for from in 0..3 {
        let mut reader = log.reader(TxId(from as u64)).unwrap();
        for payload in &payloads[from..] {
            let record = reader.next_record().unwrap().unwrap();
            assert_eq!(record.payload, payload);
        }
    }
}

#[test]
fn a_shipment_has_the_golden_bytes() {
    let disk = written();
    let log = ReadOnlyLog::open(disk.root(), ReadOnlyOptions::default(), &[]).unwrap();
    let shipment = log.ship(TxId(1)..TxId(3), u64::MAX).unwrap();
    let golden = bytes_of(GOLDEN_SHIPMENT, 72 + 32 + 40);
    print_if_different("the shipment", shipment.as_bytes(), &golden);
    assert!(shipment.as_bytes() == golden, "the shipment differs");
    let read = Shipment::from_bytes(golden).unwrap();
    assert_eq!(read.log_id(), LOG_ID);
    assert_eq!(read.minimum_reader(), 0x0102);
    assert_eq!(read.range(), TxId(1)..TxId(3));
    assert_eq!(read.chain_before(), AFTER_GENESIS);
    assert_eq!(read.chain_after(), CHAIN_AT_END);
    let records: Vec<(&[u8], Option<i64>)> = read
        .records()
        .map(|record| (record.payload, record.time))
        .collect();
    assert_eq!(records, [(&b""[..], None), (b"12345678", Some(-1))]);
}

#[test]
fn the_chain_has_golden_values() {
    assert_eq!(Chain::seed(LogId([0; 16])), SEED_OF_ZEROS);
    assert_eq!(Chain::seed(LOG_ID), SEED);
    assert_eq!(
        SEED.mix(TxId(0), 7, crc32c::crc32c(b"genesis")),
        AFTER_GENESIS
    );
}

#[test]
fn zeros_are_no_header() {
    // A frame header covers 28 bytes, a segment header and a mark 60: their checksum is not zero.
    assert_ne!(crc32c::crc32c(&[0; 28]), 0);
    assert_ne!(crc32c::crc32c(&[0; 60]), 0);
}

fn print_if_different(name: &str, found: &[u8], expected: &[u8]) {
    if found == expected {
        return;
    }
    println!("{name}, {} bytes:", found.len());
    for (row, bytes) in found.chunks(8).enumerate() {
        if bytes.iter().any(|&byte| byte != 0) {
            let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            println!("    ({}, \"{}\"),", row * 8, digits.join(" "));
        }
    }
}

const SEED_OF_ZEROS: Chain = Chain(0x0000_0000_0000_0000);
const SEED: Chain = Chain(0x8e1f_7535_19dc_762a);
const AFTER_GENESIS: Chain = Chain(0x1b9b_36e5_8956_1674);
const CHAIN_AT_END: Chain = Chain(0xbe93_42b6_5ff0_60ba);

const GOLDEN_PRUNED: &[(usize, &str)] = &[
    (0, "63 61 69 72 6e 6c 6f 67"),
    (8, "02 00 00 00 00 00 00 00"),
    (16, "30 31 32 33 34 35 36 37"),
    (24, "38 39 61 62 63 64 65 66"),
    (32, "02 00 00 00 00 00 00 00"),
    (40, "b1 90 c0 5c 82 64 0c 19"),
    (56, "00 00 00 00 60 86 59 0c"),
    (4096, "63 61 69 72 6e 6d 72 6b"),
    (4104, "04 00 00 00 00 00 00 00"),
    (4112, "02 00 00 00 00 00 00 00"),
    (4120, "00 30 00 00 00 00 00 00"),
    (4128, "b1 90 c0 5c 82 64 0c 19"),
    (4136, "01 00 00 00 00 00 00 00"),
    (4144, "02 00 00 00 00 00 00 00"),
    (4152, "00 00 00 00 94 61 40 60"),
    (8192, "63 61 69 72 6e 6d 72 6b"),
    (8200, "03 00 00 00 00 00 00 00"),
    (8208, "02 00 00 00 00 00 00 00"),
    (8216, "00 30 00 00 00 00 00 00"),
    (8224, "b1 90 c0 5c 82 64 0c 19"),
    (8240, "02 00 00 00 00 00 00 00"),
    (8248, "00 00 00 00 20 08 e6 ec"),
];
const GOLDEN_FIRST: &[(usize, &str)] = &[
    (0, "63 61 69 72 6e 6c 6f 67"),
    (8, "02 00 00 00 02 01 00 00"),
    (16, "30 31 32 33 34 35 36 37"),
    (24, "38 39 61 62 63 64 65 66"),
    (40, "2a 76 dc 19 35 75 1f 8e"),
    (56, "00 00 00 00 86 40 8f 94"),
    (4096, "63 61 69 72 6e 6d 72 6b"),
    (4104, "02 00 00 00 00 00 00 00"),
    (4112, "02 00 00 00 00 00 00 00"),
    (4120, "48 30 00 00 00 00 00 00"),
    (4128, "b1 90 c0 5c 82 64 0c 19"),
    (4152, "00 00 00 00 ea c4 e2 d8"),
    (8192, "63 61 69 72 6e 6d 72 6b"),
    (8200, "03 00 00 00 00 00 00 00"),
    (8208, "02 00 00 00 00 00 00 00"),
    (8216, "48 30 00 00 00 00 00 00"),
    (8224, "b1 90 c0 5c 82 64 0c 19"),
    (8232, "02 00 00 00 00 00 00 00"),
    (8248, "00 00 00 00 76 15 d2 da"),
    (12288, "11 73 56 fa 07 00 00 00"),
    (12304, "88 77 66 55 44 33 22 11"),
    (12312, "74 16 56 89 e5 36 9b 1b"),
    (12320, "67 65 6e 65 73 69 73 00"),
    (12328, "ff aa 87 17 00 00 00 00"),
    (12336, "01 00 00 00 00 00 00 00"),
    (12344, "00 00 00 00 00 00 00 80"),
    (12352, "b1 90 c0 5c 82 64 0c 19"),
];
const GOLDEN_SECOND: &[(usize, &str)] = &[
    (0, "63 61 69 72 6e 6c 6f 67"),
    (8, "02 00 00 00 02 01 00 00"),
    (16, "30 31 32 33 34 35 36 37"),
    (24, "38 39 61 62 63 64 65 66"),
    (32, "02 00 00 00 00 00 00 00"),
    (40, "b1 90 c0 5c 82 64 0c 19"),
    (56, "00 00 00 00 34 bb 03 7b"),
    (4096, "63 61 69 72 6e 6d 72 6b"),
    (4104, "02 00 00 00 00 00 00 00"),
    (4112, "03 00 00 00 00 00 00 00"),
    (4120, "28 30 00 00 00 00 00 00"),
    (4128, "ba 60 f0 5f b6 42 93 be"),
    (4152, "00 00 00 00 18 49 3e 56"),
    (8192, "63 61 69 72 6e 6d 72 6b"),
    (8200, "03 00 00 00 00 00 00 00"),
    (8208, "03 00 00 00 00 00 00 00"),
    (8216, "28 30 00 00 00 00 00 00"),
    (8224, "ba 60 f0 5f b6 42 93 be"),
    (8232, "01 00 00 00 00 00 00 00"),
    (8248, "00 00 00 00 43 80 ca 0d"),
    (12288, "ba 69 37 8b 08 00 00 00"),
    (12296, "02 00 00 00 00 00 00 00"),
    (12304, "ff ff ff ff ff ff ff ff"),
    (12312, "ba 60 f0 5f b6 42 93 be"),
    (12320, "31 32 33 34 35 36 37 38"),
];
/// As version 1 had them: its marks are not bound to their segment.
const GOLDEN_FIRST_V1: &[(usize, &str)] = &[
    (0, "63 61 69 72 6e 6c 6f 67"),
    (8, "01 00 00 00 02 01 00 00"),
    (16, "30 31 32 33 34 35 36 37"),
    (24, "38 39 61 62 63 64 65 66"),
    (40, "2a 76 dc 19 35 75 1f 8e"),
    (56, "00 00 00 00 89 2b d0 7d"),
    (4096, "63 61 69 72 6e 6d 72 6b"),
    (4104, "02 00 00 00 00 00 00 00"),
    (4112, "02 00 00 00 00 00 00 00"),
    (4120, "48 30 00 00 00 00 00 00"),
    (4128, "b1 90 c0 5c 82 64 0c 19"),
    (4136, "02 00 00 00 00 00 00 00"),
    (4152, "00 00 00 00 32 8b 76 ab"),
    (8192, "63 61 69 72 6e 6d 72 6b"),
    (8200, "01 00 00 00 00 00 00 00"),
    (8208, "02 00 00 00 00 00 00 00"),
    (8216, "48 30 00 00 00 00 00 00"),
    (8224, "b1 90 c0 5c 82 64 0c 19"),
    (8248, "00 00 00 00 0b c5 77 e4"),
    (12288, "11 73 56 fa 07 00 00 00"),
    (12304, "88 77 66 55 44 33 22 11"),
    (12312, "74 16 56 89 e5 36 9b 1b"),
    (12320, "67 65 6e 65 73 69 73 00"),
    (12328, "ff aa 87 17 00 00 00 00"),
    (12336, "01 00 00 00 00 00 00 00"),
    (12344, "00 00 00 00 00 00 00 80"),
    (12352, "b1 90 c0 5c 82 64 0c 19"),
];
const GOLDEN_SECOND_V1: &[(usize, &str)] = &[
    (0, "63 61 69 72 6e 6c 6f 67"),
    (8, "01 00 00 00 02 01 00 00"),
    (16, "30 31 32 33 34 35 36 37"),
    (24, "38 39 61 62 63 64 65 66"),
    (32, "02 00 00 00 00 00 00 00"),
    (40, "b1 90 c0 5c 82 64 0c 19"),
    (56, "00 00 00 00 3b d0 5c 92"),
    (4096, "63 61 69 72 6e 6d 72 6b"),
    (4112, "03 00 00 00 00 00 00 00"),
    (4120, "28 30 00 00 00 00 00 00"),
    (4128, "ba 60 f0 5f b6 42 93 be"),
    (4152, "00 00 00 00 2f cd 61 02"),
    (8192, "63 61 69 72 6e 6d 72 6b"),
    (8200, "01 00 00 00 00 00 00 00"),
    (8208, "03 00 00 00 00 00 00 00"),
    (8216, "28 30 00 00 00 00 00 00"),
    (8224, "ba 60 f0 5f b6 42 93 be"),
    (8232, "01 00 00 00 00 00 00 00"),
    (8248, "00 00 00 00 74 04 95 59"),
    (12288, "ba 69 37 8b 08 00 00 00"),
    (12296, "02 00 00 00 00 00 00 00"),
    (12304, "ff ff ff ff ff ff ff ff"),
    (12312, "ba 60 f0 5f b6 42 93 be"),
    (12320, "31 32 33 34 35 36 37 38"),
];
const GOLDEN_SHIPMENT: &[(usize, &str)] = &[
    (0, "63 61 69 72 6e 73 68 70"),
    (8, "01 00 02 01 00 00 00 00"),
    (16, "30 31 32 33 34 35 36 37"),
    (24, "38 39 61 62 63 64 65 66"),
    (32, "01 00 00 00 00 00 00 00"),
    (40, "02 00 00 00 00 00 00 00"),
    (48, "74 16 56 89 e5 36 9b 1b"),
    (56, "48 00 00 00 00 00 00 00"),
    (64, "00 00 00 00 48 e9 07 b7"),
    (72, "ff aa 87 17 00 00 00 00"),
    (80, "01 00 00 00 00 00 00 00"),
    (88, "00 00 00 00 00 00 00 80"),
    (96, "b1 90 c0 5c 82 64 0c 19"),
    (104, "ba 69 37 8b 08 00 00 00"),
    (112, "02 00 00 00 00 00 00 00"),
    (120, "ff ff ff ff ff ff ff ff"),
    (128, "ba 60 f0 5f b6 42 93 be"),
    (136, "31 32 33 34 35 36 37 38"),
];

type Golden = (&'static str, &'static [(usize, &'static str)], usize);
const GOLDEN_BLOCKS: &[Golden] = &[
    (FIRST, GOLDEN_COMPRESSED, 12400),
    (SECOND, GOLDEN_INCOMPRESSIBLE, 12368),
];
const GOLDEN_COMPRESSED: &[(usize, &str)] = &[
    (0, "63 61 69 72 6e 6c 6f 67"),
    (8, "02 00 01 00 00 00 00 00"),
    (16, "30 31 32 33 34 35 36 37"),
    (24, "38 39 61 62 63 64 65 66"),
    (40, "2a 76 dc 19 35 75 1f 8e"),
    (56, "00 00 00 00 9b 8b 29 02"),
    (4096, "63 61 69 72 6e 6d 72 6b"),
    (4104, "04 00 00 00 00 00 00 00"),
    (4112, "02 00 00 00 00 00 00 00"),
    (4120, "38 31 00 00 00 00 00 00"),
    (4128, "97 9b 7b 96 41 f9 ee af"),
    (4136, "02 00 00 00 00 00 00 00"),
    (4152, "00 00 00 00 50 08 e8 98"),
    (8192, "63 61 69 72 6e 6d 72 6b"),
    (8200, "05 00 00 00 00 00 00 00"),
    (8208, "02 00 00 00 00 00 00 00"),
    (8216, "38 31 00 00 00 00 00 00"),
    (8224, "97 9b 7b 96 41 f9 ee af"),
    (8232, "02 00 00 00 00 00 00 00"),
    (8248, "00 00 00 00 b6 36 5f f4"),
    (12288, "63 61 69 72 6e 62 6c 6b"),
    (12304, "00 30 00 00 00 00 00 00"),
    (12312, "2a 76 dc 19 35 75 1f 8e"),
    (12320, "38 01 00 00 40 00 00 00"),
    (12328, "da 4e cc ec 64 f4 3d 24"),
    (12336, "6d f6 eb d5 bc c8 00 01"),
    (12344, "00 af 80 07 e0 fb 78 b9"),
    (12352, "45 1c ff 61 01 00 b4 9a"),
    (12360, "12 4a d3 1b 30 00 00 00"),
    (12368, "01 eb 00 ff 02 80 97 9b"),
    (12376, "7b 96 41 f9 ee af 61 62"),
    (12384, "63 64 65 66 67 68 08 00"),
    (12392, "0f 60 63 64 65 66 67 68"),
];
const GOLDEN_INCOMPRESSIBLE: &[(usize, &str)] = &[
    (0, "63 61 69 72 6e 6c 6f 67"),
    (8, "02 00 01 00 00 00 00 00"),
    (16, "30 31 32 33 34 35 36 37"),
    (24, "38 39 61 62 63 64 65 66"),
    (32, "02 00 00 00 00 00 00 00"),
    (40, "97 9b 7b 96 41 f9 ee af"),
    (56, "00 00 00 00 3c 44 df f4"),
    (4096, "63 61 69 72 6e 6d 72 6b"),
    (4104, "04 00 00 00 00 00 00 00"),
    (4112, "03 00 00 00 00 00 00 00"),
    (4120, "20 30 00 00 00 00 00 00"),
    (4128, "49 00 92 e3 3b 4f 4b 32"),
    (4136, "02 00 00 00 00 00 00 00"),
    (4152, "00 00 00 00 72 67 35 27"),
    (8192, "63 61 69 72 6e 6d 72 6b"),
    (8200, "05 00 00 00 00 00 00 00"),
    (8208, "03 00 00 00 00 00 00 00"),
    (8216, "20 30 00 00 00 00 00 00"),
    (8224, "49 00 92 e3 3b 4f 4b 32"),
    (8232, "02 00 00 00 00 00 00 00"),
    (8248, "00 00 00 00 94 59 82 4b"),
    (12288, "63 61 69 72 6e 62 6c 6b"),
    (12296, "02 00 00 00 00 00 00 00"),
    (12304, "00 30 00 00 00 00 00 00"),
    (12312, "97 9b 7b 96 41 f9 ee af"),
    (12320, "20 00 00 00 20 00 00 00"),
    (12328, "bb 57 39 4f 48 db 72 07"),
    (12336, "ad fb 31 b1 00 00 00 00"),
    (12344, "02 00 00 00 00 00 00 00"),
    (12352, "45 90 45 28 18 28 18 27"),
    (12360, "49 00 92 e3 3b 4f 4b 32"),
];
