//! Salvage of compressed segments in which sound blocks stand that are none of theirs, or hold no frames.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

#[path = "support/logs.rs"]
mod logs;
#[path = "support/salvaged.rs"]
mod salvaged;
#[allow(dead_code, reason = "not everything of it is used here")]
#[path = "support/seeds.rs"]
mod seeds;

use commitlog::{Chain, Log, LogId, Options, Start, TxId};
use disk::SimDisk;
use logs::LOG_ID;
use salvaged::{NEW_ID, Record, frame_header, salvaged};
use seeds::Random;

const FRAMES: usize = 12288;
/// Noise: blocks are stored as they are, two of these in each.
const PAYLOAD: usize = 30_000;
const BLOCK: usize = 48 + 2 * (32 + PAYLOAD);

fn noise(random: &mut Random, length: usize) -> Vec<u8> {
    (0..length).map(|_| random.next() as u8).collect()
}

/// A log that begins at `base`, in one compressed segment, and a last one behind it.
fn compressed(log_id: LogId, base: u64, payloads: &[Vec<u8>]) -> (SimDisk, String) {
    let disk = SimDisk::new(1);
    let start = Start {
        base: TxId(base),
        chain: Chain(base + 5),
        epoch: 0,
    };
    let log = Log::create_at(disk.root(), log_id, Options::default(), start, &[]).unwrap();
    for payload in payloads {
        log.commit(payload, None).unwrap();
    }
    log.rotate().unwrap();
    log.compress_sealed().unwrap().unwrap();
    log.close().unwrap();
    let name = disk.files()[0].clone();
    (disk, name)
}

/// The bytes of a compressed segment that are blocks.
fn blocks(disk: &SimDisk, name: &str) -> Vec<u8> {
    disk.read(name).unwrap()[FRAMES..].to_vec()
}

/// A block of these frames, stored as they are, its checksums good.
fn block(first: u64, byte: u64, chain_before: u64, frames: &[u8]) -> Vec<u8> {
    let length = (frames.len() as u32).to_le_bytes();
    let mut block = b"cairnblk".to_vec();
    block.extend(first.to_le_bytes());
    block.extend(byte.to_le_bytes());
    block.extend(chain_before.to_le_bytes());
    block.extend(length);
    block.extend(length);
    block.extend(crc32c::crc32c(frames).to_le_bytes());
    block.extend(crc32c::crc32c(&block).to_le_bytes());
    block.extend(frames);
    block
}

/// Writes something over the second of four blocks, records 2 and 3: the others are kept, and nothing else.
fn check_second_block(row: &str, random: &mut Random, write: impl FnOnce(&mut [u8])) {
    let payloads: Vec<Vec<u8>> = (0..8).map(|_| noise(random, PAYLOAD)).collect();
    let (disk, name) = compressed(LOG_ID, 0, &payloads);
    let mut bytes = disk.read(&name).unwrap();
    assert_eq!(bytes.len(), FRAMES + 4 * BLOCK);
    write(&mut bytes[FRAMES + BLOCK..FRAMES + 2 * BLOCK]);
    disk.write(&name, &bytes);
    let (report, kept) = salvaged(&disk);
    let expected: Vec<Record> = [0, 1, 4, 5, 6, 7]
        .map(|id| (id as u64, None, payloads[id].clone()))
        .to_vec();
    assert!(kept == expected, "{row}: {report:#?}");
    assert!(
        report.kept.iter().all(|kept| kept.chain_proven),
        "{row}: {report:#?}"
    );
    assert_eq!(report.missing, [TxId(2)..TxId(4)], "{row}");
}

#[test]
fn a_block_of_another_log_costs_only_the_records_in_whose_place_it_stands() {
    let mut random = Random::new(4);
    let payloads: Vec<Vec<u8>> = (0..8).map(|_| noise(&mut random, PAYLOAD)).collect();
    let (other, name) = compressed(NEW_ID, 0, &payloads);
    let others = blocks(&other, &name)[BLOCK..2 * BLOCK].to_vec();
    check_second_block("the same ids", &mut random, |block| {
        block.copy_from_slice(&others)
    });
}

/// Its ids stand in other segments, and a payload in it holds a block whose id is lost here.
#[test]
fn nothing_within_a_sound_block_is_taken_for_a_block() {
    let mut random = Random::new(5);
    let inner = frame_of(2, 7, &noise(&mut random, 500));
    let inner = block(2, 0, 7, &inner);
    let mut payloads: Vec<Vec<u8>> = (0..2).map(|_| noise(&mut random, PAYLOAD)).collect();
    payloads[1][100..100 + inner.len()].copy_from_slice(&inner);
    let (other, name) = compressed(NEW_ID, 106, &payloads);
    let others = blocks(&other, &name)[..BLOCK].to_vec();
    check_second_block("other ids", &mut random, |block| {
        block.copy_from_slice(&others)
    });
}

/// A frame that continues this chain.
fn frame_of(id: u64, chain_before: u64, payload: &[u8]) -> Vec<u8> {
    let after = Chain(chain_before).mix(TxId(id), payload.len() as u32, crc32c::crc32c(payload));
    let mut frame = frame_header(payload.len(), id, after.0).to_vec();
    frame.extend_from_slice(payload);
    frame.resize(frame.len().next_multiple_of(8), 0);
    frame
}

/// Its checksums are good all the same: a program that is not ours wrote it.
#[test]
fn a_block_whose_frames_do_not_continue_each_other_costs_only_itself() {
    let mut random = Random::new(6);
    for row in ["the second id", "the second chain", "the second payload"] {
        check_second_block(row, &mut random, |bytes| {
            let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
            let (first, byte, chain) = (u64_at(8), u64_at(16), u64_at(24));
            let mut frames = bytes[48..].to_vec();
            let second = 32 + PAYLOAD;
            let after = u64::from_le_bytes(frames[second + 24..][..8].try_into().unwrap());
            let header = match row {
                "the second id" => frame_header(PAYLOAD, 2, after),
                "the second chain" => frame_header(PAYLOAD, 3, after + 1),
                _ => frame_header(PAYLOAD, 3, after),
            };
            frames[second..second + 32].copy_from_slice(&header);
            if row == "the second payload" {
                frames[second + 32] ^= 1;
            }
            bytes.copy_from_slice(&block(first, byte, chain, &frames));
        });
    }
}

/// Neither is such a block of ours, nor may the id behind it be asked for.
#[test]
fn a_block_with_the_last_id_of_all_is_none() {
    let mut random = Random::new(7);
    let payloads: Vec<Vec<u8>> = (0..4).map(|_| noise(&mut random, PAYLOAD)).collect();
    let (disk, name) = compressed(LOG_ID, 0, &payloads);
    let first = frame_of(u64::MAX - 1, 9, b"all but the last");
    let chain = u64::from_le_bytes(first[24..32].try_into().unwrap());
    let frames = [first, frame_of(u64::MAX, chain, b"the last")].concat();
    let mut bytes = disk.read(&name).unwrap();
    bytes[20] ^= 1;
    bytes.extend(block(u64::MAX - 1, 0, 9, &frames));
    disk.write(&name, &bytes);
    let (report, kept) = salvaged(&disk);
    let kept: Vec<u64> = kept.iter().map(|record| record.0).collect();
    assert_eq!(kept, [0, 1, 2, 3], "{report:#?}");
}
