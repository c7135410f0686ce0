//! Readers may map what is proven: no writer touches it again, and following a log does not map it over and over. The simulated disk panics
//! where a byte is written or cut off that somebody has mapped.
#![allow(clippy::unwrap_used)]

#[path = "support/logs.rs"]
mod logs;

use std::sync::Arc;

use commitlog::{
    FollowOptions, Follower, Log, Options, ReadOnlyLog, ReadOnlyOptions, Reader, SyncPolicy, TxId,
};
use disk::{Dir, Operation, SimDisk};
use logs::LOG_ID;

/// Records in a log that is longer than what is read at once, and a step of a writer.
const MANY: u64 = 24;

/// 20 KB that tell the record.
fn long(number: u64) -> Vec<u8> {
    let mut payload = vec![u8::try_from(number % 251).unwrap(); 20_000];
    payload[..8].copy_from_slice(&number.to_le_bytes());
    payload
}

fn append(log: &Log, count: u64) {
    for _ in 0..count {
        let number = log.next_id().0;
        log.append(&long(number), None).unwrap();
    }
}

fn options() -> Options {
    Options {
        sync_policy: SyncPolicy::Never,
        ..Options::default()
    }
}

/// Something that a writer can do, with its name: it yields the log as it goes on.
type Step = (&'static str, fn(Log, &Arc<dyn Dir>) -> Log);

fn leave_and_open(log: Log, dir: &Arc<dyn Dir>) -> Log {
    drop(log);
    reopen(dir)
}

fn reopen(dir: &Arc<dyn Dir>) -> Log {
    Log::open(Arc::clone(dir), options(), &[]).unwrap().0
}

const STEPS: [Step; 9] = [
    ("append", |log, _| {
        append(&log, MANY);
        log
    }),
    ("sync", |log, _| {
        log.sync().unwrap();
        log
    }),
    ("rotate", |log, _| {
        log.rotate().unwrap();
        log
    }),
    ("close and open", |log, dir| {
        log.close().unwrap();
        drop(log);
        reopen(dir)
    }),
    ("leave and open", leave_and_open),
    ("tear and open", |log, dir| {
        let newest = Log::inspect(dir.as_ref()).unwrap();
        let newest = newest.segments.last().unwrap();
        drop(log);
        let file = dir.open(&newest.file, disk::Access::ReadWrite).unwrap();
        let end = file.len().unwrap();
        file.write_all_at(end, b"torn").unwrap();
        reopen(dir)
    }),
    ("truncate", |log, _| {
        let end = log.next_id().0;
        log.truncate_after(TxId(end - end.min(3))).unwrap();
        log
    }),
    ("compress", |log, _| {
        while log.compress_sealed().unwrap().is_some() {}
        log
    }),
    ("prune", |log, _| {
        let end = log.next_id().0;
        log.prune_before(TxId(end / 2)).unwrap();
        log
    }),
];

/// Readers that stand in the middle of what they have mapped.
struct Readers {
    readers: Vec<Reader>,
    followers: Vec<Follower>,
}

impl Readers {
    /// One of each kind, each having read the first record that is left.
    fn of(log: &Log, dir: &Arc<dyn Dir>) -> Readers {
        let mut readers = vec![log.reader(log.base()).unwrap()];
        let mut followers = vec![log.follow(log.base(), FollowOptions::default()).unwrap()];
        for show_unproven in [false, true] {
            let options = ReadOnlyOptions {
                show_unproven,
                ..ReadOnlyOptions::default()
            };
            let beside = ReadOnlyLog::open(Arc::clone(dir), options, &[]).unwrap();
            readers.push(beside.reader(beside.base()).unwrap());
            let options = FollowOptions {
                show_unproven,
                ..FollowOptions::default()
            };
            followers.push(beside.follow(beside.base(), options).unwrap());
        }
        for reader in &mut readers {
            reader.next_record().unwrap();
        }
        for follower in &mut followers {
            follower.poll_next().unwrap();
        }
        Readers { readers, followers }
    }

    /// Reads on: whatever comes is what was written. Errors that say that it was removed meanwhile end a reader.
    fn read_on(mut self) {
        for reader in &mut self.readers {
            while let Ok(Some(record)) = reader.next_record() {
                assert_eq!(record.payload, long(record.id.0));
            }
        }
        for follower in &mut self.followers {
            while let Ok(Some(record)) = follower.poll_next() {
                assert_eq!(record.payload, long(record.id.0));
            }
        }
    }
}

#[test]
fn no_writer_touches_what_readers_have_mapped() {
    let mut mapped = 0;
    for durable in [false, true] {
        for (first, one) in &STEPS {
            for (second, two) in &STEPS {
                let disk = SimDisk::new(1);
                let dir = disk.root();
                let mut log = Log::create(Arc::clone(&dir), LOG_ID, options(), &[]).unwrap();
                append(&log, MANY);
                if durable {
                    log.sync().unwrap();
                    append(&log, 1);
                }
                println!("durable: {durable}; {first}, {second}, leave and open");
                let mut all = vec![Readers::of(&log, &dir)];
                for step in [*one, *two, leave_and_open] {
                    log = step(log, &dir);
                    all.push(Readers::of(&log, &dir));
                }
                all.into_iter().for_each(Readers::read_on);
                mapped += maps(&disk);
            }
        }
    }
    assert!(mapped > 0);
}

fn maps(disk: &SimDisk) -> usize {
    let calls = disk.calls();
    calls
        .iter()
        .filter(|call| call.operation == Operation::Map)
        .count()
}

#[test]
fn what_is_proven_is_mapped_at_once_and_followed_without_mapping_it_again() {
    let disk = SimDisk::new(1);
    let dir = disk.root();
    let log = Log::create(Arc::clone(&dir), LOG_ID, options(), &[]).unwrap();
    append(&log, MANY);
    log.sync().unwrap();
    append(&log, 1);
    let beside = ReadOnlyLog::open(Arc::clone(&dir), ReadOnlyOptions::default(), &[]).unwrap();
    let before = maps(&disk);
    let mut reader = log.reader(TxId(0)).unwrap();
    let mut inside = log.follow(TxId(0), FollowOptions::default()).unwrap();
    let mut outside = beside.follow(TxId(0), FollowOptions::default()).unwrap();
    while reader.next_record().unwrap().is_some() {}
    while inside.poll_next().unwrap().is_some() {}
    while outside.poll_next().unwrap().is_some() {}
    assert_eq!(maps(&disk) - before, 3);
    let before = maps(&disk);
    for _ in 0..100 {
        append(&log, 1);
        log.sync().unwrap();
        assert!(reader.next_record().unwrap().is_some());
        assert!(inside.poll_next().unwrap().is_some());
        assert!(outside.poll_next().unwrap().is_some());
    }
    assert_eq!(maps(&disk), before);
}
