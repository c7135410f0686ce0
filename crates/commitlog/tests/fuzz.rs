//! Hostile bytes: whatever is in the files, nothing panics, hangs, or allocates more than the files are long.
//!
//! `CAIRN_SEEDS=N` tries N seeds, `CAIRN_MINUTES=N` goes on for N minutes, `CAIRN_SEED=S` replays the seed S.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

#[path = "support/hooked_dir.rs"]
mod hooked_dir;
#[path = "support/seeds.rs"]
mod seeds;

use std::sync::Arc;

use commitlog::{
    Error, FollowOptions, Follower, Log, LogId, Options, Proof, ReadOnlyLog, ReadOnlyOptions,
    Shipment, Start, TxId, salvage,
};
use disk::{Dir, SimDisk};
use hooked_dir::{HookedDir, Hooks};
use seeds::{Random, for_each_seed};

const LOG_ID: LogId = LogId(*b"hostile bytes...");
const FIRST: &str = "00000000000000000000.log";

/// A valid log of two or three segments, as a start for damage.
fn valid(random: &mut Random) -> SimDisk {
    let disk = SimDisk::new(random.next());
    let log = Log::create(
        disk.root(),
        LOG_ID,
        Options::default(),
        &[(b"genesis", None)],
    )
    .unwrap();
    for number in 0..random.below(12) {
        log.commit(
            &vec![number as u8; random.below(700) as usize],
            Some(number as i64),
        )
        .unwrap();
        if random.below(4) == 0 {
            log.rotate().unwrap();
        }
    }
    while random.below(3) > 0 && log.compress_sealed().unwrap().is_some() {}
    if random.below(2) == 0 {
        log.close().unwrap();
    }
    disk
}

/// Nobody asks for more than a window, or than there is.
#[derive(Debug)]
struct ReadsNoMoreThanThereIs;

impl Hooks for ReadsNoMoreThanThereIs {
    fn before_read(&self, bytes: usize, file_bytes: u64) {
        assert!(bytes as u64 <= file_bytes.max(256 << 10), "{bytes} bytes");
    }
}

/// The directory for somebody who reads it beside its writer.
fn watched(disk: &SimDisk) -> Arc<dyn Dir> {
    HookedDir::around(disk.root(), Arc::new(ReadsNoMoreThanThereIs))
}

/// Follows a log from its beginning, and has read what there is.
fn follow(disk: &SimDisk, show_unproven: bool) -> Option<Follower> {
    let options = ReadOnlyOptions {
        show_unproven,
        ..ReadOnlyOptions::default()
    };
    let log = ReadOnlyLog::open(watched(disk), options, &[]).ok()?;
    let options = FollowOptions {
        show_unproven,
        ..FollowOptions::default()
    };
    let mut follower = log.follow(log.base(), options).ok()?;
    follow_on(&mut follower);
    Some(follower)
}

/// Follows as far as it goes, and a little beyond an error. Yields how many records there were.
fn follow_on(follower: &mut Follower) -> usize {
    let mut records = 0;
    for _ in 0..3 {
        loop {
            let next = follower.next_id();
            match follower.poll_next() {
                Ok(Some(record)) => assert_eq!(record.id, next),
                Ok(None) => return records,
                Err(Error::Io(error)) => panic!("the simulated disk did not fail: {error}"),
                Err(_) => break,
            }
            records += 1;
        }
    }
    records
}

/// Bytes are instructions: how to change a valid log, or a whole file if the first one says so.
fn fuzz_segments(data: &[u8]) {
    let mut random = Random::new(u64::from(crc32c::crc32c(data)));
    let disk = valid(&mut random);
    let followers = [true, false].map(|unproven| follow(&disk, unproven).unwrap());
    let files = disk.files();
    match data.first() {
        Some(0) => disk.write(FIRST, &data[1..]),
        Some(1) => {
            // The front stays valid, what follows is hostile.
            let mut bytes = disk.read(&files[0]).unwrap();
            let keep = 12288 + usize::from(data.get(1).copied().unwrap_or(0));
            bytes.truncate(keep);
            bytes.extend_from_slice(&data[1..]);
            disk.write(&files[0], &bytes);
        }
        _ => {
            for change in data.chunks(4) {
                let file = &files[usize::from(change[0]) % files.len()];
                let mut bytes = disk.read(file).unwrap();
                let area = [0..64, 4096..4160, 8192..8256, 12288..bytes.len()];
                let place = change
                    .iter()
                    .fold(0usize, |sum, &byte| sum * 256 + usize::from(byte));
                let area = area[place % 4].clone();
                if area.end > bytes.len() || area.is_empty() {
                    continue;
                }
                let at = area.start + place / 4 % area.len();
                bytes[at] = change[change.len() - 1];
                disk.write(file, &bytes);
            }
        }
    }
    exercise(&disk, followers);
}

/// Headers with good checksums and hostile fields: only reachable if the checksums are made to fit.
fn fuzz_sealed_fields(seed: u64) {
    let mut random = Random::new(seed);
    let disk = valid(&mut random);
    let followers = [true, false].map(|unproven| follow(&disk, unproven).unwrap());
    let files = disk.files();
    let file = random.pick(&files);
    let mut bytes = disk.read(file).unwrap();
    let interesting = [
        0,
        1,
        7,
        12287,
        12288,
        12289,
        u64::from(u32::MAX),
        4 << 30,
        u64::MAX - 1,
        u64::MAX,
    ];
    let value = *random.pick(&interesting);
    let is_compressed = bytes[10] == 1;
    match random.below(3) {
        0 => {
            let at = 8 + 8 * random.below(6) as usize;
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
            let sum = crc32c::crc32c(&bytes[..60]);
            bytes[60..64].copy_from_slice(&sum.to_le_bytes());
            fit_mark(&mut bytes, 0);
            fit_mark(&mut bytes, 1);
        }
        1 => {
            let block = random.below(2) as usize;
            let mark = 4096 * (block + 1);
            let at = mark + 8 + 8 * random.below(6) as usize;
            bytes[mark..mark + 8].copy_from_slice(b"cairnmrk");
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
            fit_mark(&mut bytes, block);
        }
        _ if is_compressed => {
            let block = &mut bytes[12288..];
            let at = 8 + 4 * random.below(9) as usize;
            match random.below(3) {
                0 => block[at..at + 8].copy_from_slice(&value.to_le_bytes()),
                1 => block[at..at + 4].copy_from_slice(&(value as u32).to_le_bytes()),
                // Other stored bytes, as an encoder that means harm writes them.
                _ => block[48..]
                    .iter_mut()
                    .for_each(|byte| *byte ^= random.next() as u8 & 0x81),
            }
            let sum = crc32c::crc32c(&block[48..]);
            block[40..44].copy_from_slice(&sum.to_le_bytes());
            let sum = crc32c::crc32c(&block[..44]);
            block[44..48].copy_from_slice(&sum.to_le_bytes());
        }
        _ if bytes.len() > 12288 + 32 => {
            let frame = 12288;
            let at = frame + 4 + 4 * random.below(7) as usize;
            bytes[at..at + 4].copy_from_slice(&(value as u32).to_le_bytes());
            let sum = crc32c::crc32c(&bytes[frame + 4..frame + 32]);
            bytes[frame..frame + 4].copy_from_slice(&sum.to_le_bytes());
        }
        _ => {}
    }
    disk.write(file, &bytes);
    exercise(&disk, followers);
}

/// Gives the mark in this block the checksum that fits it and the header.
fn fit_mark(bytes: &mut [u8], block: usize) {
    let mark = 4096 * (block + 1);
    let header = crc32c::crc32c(&bytes[..60]);
    let place = crc32c::crc32c_append(header, &[block as u8]);
    let sum = crc32c::crc32c_append(place, &bytes[mark..mark + 60]);
    bytes[mark + 60..mark + 64].copy_from_slice(&sum.to_le_bytes());
}

/// Everything that reads what is there, or began to before it came there.
fn exercise(disk: &SimDisk, followers: [Follower; 2]) {
    for mut follower in followers {
        follow_on(&mut follower);
    }
    for unproven in [true, false] {
        follow(disk, unproven);
    }
    let proofs = [Proof {
        through: TxId(2),
        chain: commitlog::Chain(5),
    }];
    let _ = Log::inspect(disk.root().as_ref());
    let options = ReadOnlyOptions {
        show_unproven: true,
        ..ReadOnlyOptions::default()
    };
    if let Ok(log) = ReadOnlyLog::open(watched(disk), options, &proofs) {
        let _ = log.verify();
        let _ = log.chain_after(log.base());
    }
    match Log::open(disk.fork().root(), Options::default(), &[]) {
        Ok((log, _)) => {
            let _ = log.verify();
            let _ = log.commit(b"goes on", None);
            let _ = log.compress_sealed();
            let _ = log.truncate_after(TxId(1));
            let _ = log.verify();
        }
        Err(Error::Io(error)) => panic!("the simulated disk did not fail: {error}"),
        Err(_) => {}
    }
    let destination = SimDisk::new(1);
    let root = disk.root();
    let report = salvage(
        root.as_ref(),
        destination.root(),
        LOG_ID,
        Options::default(),
    )
    .unwrap();
    let (log, _) = Log::open(destination.root(), Options::default(), &[]).unwrap();
    assert_eq!(log.verify().unwrap(), report.records);
}

/// Bytes are instructions: how to change a valid shipment, or a whole one if the first one says so.
fn fuzz_shipment(data: &[u8]) {
    let mut random = Random::new(u64::from(crc32c::crc32c(data)));
    let disk = valid(&mut random);
    let log = ReadOnlyLog::open(disk.root(), ReadOnlyOptions::default(), &[]).unwrap();
    let first = random.below(log.next_id().0 + 1);
    let range = TxId(first)..log.next_id();
    let shipment = log.ship(range, random.below(5000)).unwrap();
    let mut bytes = shipment.into_bytes();
    match data.first() {
        Some(0) => bytes = data[1..].to_vec(),
        Some(1) => bytes.extend_from_slice(&data[1..]),
        _ => {
            for change in data.chunks(4) {
                let place = change
                    .iter()
                    .fold(0usize, |sum, &byte| sum * 256 + usize::from(byte));
                let at = place % bytes.len();
                bytes[at] = change[change.len() - 1];
            }
        }
    }
    receive(bytes.clone());
    // Checksums of headers made to fit let hostile fields in: a length, an id, a count.
    let mut at = 0;
    while let Some(rest) = bytes.get_mut(at..).filter(|rest| rest.len() >= 72) {
        let (sum, covered, header) = if at == 0 {
            (68, 0..68, 72)
        } else {
            (0, 4..32, 32)
        };
        let field = covered.start + 4 * random.below(7) as usize;
        if random.below(3) == 0 {
            rest[field..field + 4].copy_from_slice(&(random.next() as u32).to_le_bytes());
        }
        let value = crc32c::crc32c(&rest[covered]);
        rest[sum..sum + 4].copy_from_slice(&value.to_le_bytes());
        at += header;
    }
    receive(bytes);
}

/// Everything that takes a shipment.
fn receive(bytes: Vec<u8>) {
    let disk = SimDisk::new(1);
    let start = Start::genesis(LOG_ID);
    let log = Log::create_at(disk.root(), LOG_ID, Options::default(), start, &[]).unwrap();
    let end = match log.append_shipment(&bytes) {
        Ok(range) => range.end,
        Err(Error::BadShipment { .. } | Error::NotNext { .. } | Error::OtherHistory { .. }) => {
            TxId(0)
        }
        Err(error) => panic!("{error}"),
    };
    assert_eq!(log.verify().unwrap(), end.0);
    match Shipment::from_bytes(bytes.clone()) {
        Ok(shipment) => {
            let payload_bytes: usize = shipment.records().map(|record| record.payload.len()).sum();
            assert!(payload_bytes <= bytes.len());
        }
        Err(Error::BadShipment { byte_offset, .. }) => assert!(byte_offset <= bytes.len() as u64),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn hostile_shipments_are_refused_or_read() {
    for_each_seed("fuzz", 300, |seed| {
        let mut random = Random::new(seed);
        let mut data = vec![random.below(4) as u8];
        data.extend((0..random.below(200)).map(|_| random.next() as u8));
        fuzz_shipment(&data);
    });
}

#[test]
fn hostile_segments_are_refused_or_read() {
    for_each_seed("fuzz", 300, |seed| {
        let mut random = Random::new(seed);
        let mut data = vec![random.below(4) as u8];
        data.extend((0..random.below(2000)).map(|_| random.next() as u8));
        fuzz_segments(&data);
        fuzz_sealed_fields(seed);
    });
}

#[test]
fn a_length_of_gigabytes_allocates_nothing() {
    // A frame whose header is sound and claims 4 GiB - 1, and one that claims 1 GiB, at the end of a small file.
    for length in [u32::MAX, 1 << 30, (1 << 30) + 1] {
        let disk = SimDisk::new(1);
        let log = Log::create(
            disk.root(),
            LOG_ID,
            Options::default(),
            &[(b"genesis", None)],
        )
        .unwrap();
        drop(log);
        let mut bytes = disk.read(FIRST).unwrap();
        let mut header = [0; 32];
        header[4..8].copy_from_slice(&length.to_le_bytes());
        header[8..16].copy_from_slice(&1u64.to_le_bytes());
        header[24..32].fill(0xFF);
        let sum = crc32c::crc32c(&header[4..]);
        header[..4].copy_from_slice(&sum.to_le_bytes());
        bytes.extend_from_slice(&header);
        disk.write(FIRST, &bytes);
        let (log, report) = Log::open(disk.root(), Options::default(), &[]).unwrap();
        assert_eq!(log.next_id(), TxId(1));
        let torn = report.torn.unwrap();
        assert_eq!((torn.byte_offset, torn.bytes_cut), (12288 + 40, 32));
    }
}

#[test]
fn a_mark_and_a_length_that_lie_to_a_follower_allocate_nothing() {
    for (length, unproven) in [(1 << 30, false), (1 << 30, true), (1 << 20, false)] {
        let disk = SimDisk::new(1);
        let root = disk.root();
        let log = Log::create(root, LOG_ID, Options::default(), &[(b"genesis", None)]).unwrap();
        let mut follower = follow(&disk, unproven).unwrap();
        let mut bytes = disk.read(FIRST).unwrap();
        // Behind the genesis stands a frame that goes far beyond the end of the file, and a newer mark says that it is proven.
        bytes.truncate(12288 + 40);
        let mut header = [0; 32];
        header[4..8].copy_from_slice(&u32::to_le_bytes(length));
        header[8..16].copy_from_slice(&1u64.to_le_bytes());
        let sum = crc32c::crc32c(&header[4..]);
        header[..4].copy_from_slice(&sum.to_le_bytes());
        bytes.extend_from_slice(&header);
        let mut fields = [0; 24];
        fields[..8].copy_from_slice(&100u64.to_le_bytes());
        fields[8..16].copy_from_slice(&2u64.to_le_bytes());
        fields[16..].copy_from_slice(&(1u64 << 31).to_le_bytes());
        bytes[4096..4104].copy_from_slice(b"cairnmrk");
        bytes[4104..4128].copy_from_slice(&fields);
        bytes[4128..4156].fill(0);
        fit_mark(&mut bytes, 0);
        disk.write(FIRST, &bytes);
        assert_eq!(follow_on(&mut follower), 0);
        drop(log);
    }
}
