//! How fast the log is, each beside its bare bound in the same run: interleaved rounds, medians, and the ratio.
//!
//! | measured | bound |
//! |---|---|
//! | append, not synced, in the hands of the OS when it returns | one bare `write` of length, CRC-32C and payload per record |
//! | | the same through a buffer of 64 KiB (what only an asynchronous hand-off can reach) |
//! | durable commits, 1 and 8 threads | one bare write and `fdatasync` per record, into a growing file |
//! | replay | one bare CRC-32C pass over the payloads, mapped and warm |
//! | open of a log that was not closed, 48 MiB in its newest segment | one bare CRC-32C pass over the file |
#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use commitlog::{Log, LogId, Options, SyncPolicy, TxId};
use disk::{Dir, File, OsDir};

const ROUNDS: usize = 7;

/// What one round took, per operation.
type Round<'a> = Box<dyn FnMut() -> Duration + 'a>;

fn main() {
    println!("| work | log | bound | log / bound | range over {ROUNDS} rounds |");
    println!("|---|---|---|---|---|");
    for bytes in [64, 256, 4096] {
        let count = 40_000_000 / (bytes + 1000);
        let name = format!("append {bytes} B, bound: one write each");
        compare(&name, append(bytes, count), one_write_each(bytes, count));
        let name = format!("append {bytes} B, bound: buffered");
        compare(&name, append(bytes, count), buffered(bytes, count));
    }
    for threads in [1, 8] {
        let name = format!("durable 256 B, {threads} threads, bound: write + sync, growing file");
        compare(&name, durable(threads), write_and_sync(false));
    }
    compare(
        "durable 256 B, 1 thread, bound: zero-filled file",
        durable(1),
        write_and_sync(true),
    );
    for bytes in [64, 256, 4096] {
        let corpus = Corpus::new(bytes);
        let name = format!("replay {bytes} B");
        compare(&name, corpus.replay(), corpus.checksum_pass());
    }
    let corpus = Corpus::new(256);
    compare("open, one record", corpus.open(), corpus.checksum_pass());
}

/// Runs both in turn, so that whatever else the machine does hits both.
fn compare(name: &str, mut log: Round<'_>, mut bound: Round<'_>) {
    let mut pairs = Vec::new();
    log();
    bound();
    for _ in 0..ROUNDS {
        pairs.push((log(), bound()));
    }
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    let ours = median(pairs.iter().map(|pair| pair.0).collect());
    let bare = median(pairs.iter().map(|pair| pair.1).collect());
    let mut ratios: Vec<f64> = pairs
        .iter()
        .map(|pair| pair.0.as_secs_f64() / pair.1.as_secs_f64())
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!(
        "| {name} | {ours:.1?} | {bare:.1?} | {:.2} | {:.2} to {:.2} |",
        ratios[ROUNDS / 2],
        ratios[0],
        ratios[ROUNDS - 1]
    );
}

fn temporary() -> (tempfile::TempDir, Arc<dyn Dir>) {
    let temporary = tempfile::tempdir().unwrap();
    let dir = OsDir::open(temporary.path()).unwrap();
    (temporary, dir)
}

fn options(sync_policy: SyncPolicy) -> Options {
    Options {
        sync_policy,
        segment_bytes_max: 1 << 30,
        ..Options::default()
    }
}

fn create(dir: Arc<dyn Dir>, sync_policy: SyncPolicy) -> Log {
    Log::create(dir, LogId([1; 16]), options(sync_policy), &[]).unwrap()
}

fn each(total: Duration, count: usize) -> Duration {
    total / u32::try_from(count).unwrap()
}

fn append<'a>(bytes: usize, count: usize) -> Round<'a> {
    let payload = vec![7; bytes];
    Box::new(move || {
        let (_temporary, dir) = temporary();
        let log = create(dir, SyncPolicy::Never);
        let start = Instant::now();
        for _ in 0..count {
            log.commit(&payload, None).unwrap();
        }
        each(start.elapsed(), count)
    })
}

fn bare_frame(frame: &mut Vec<u8>, payload: &[u8]) {
    frame.extend_from_slice(&u32::try_from(payload.len()).unwrap().to_le_bytes());
    frame.extend_from_slice(&crc32c::crc32c(payload).to_le_bytes());
    frame.extend_from_slice(payload);
}

fn one_write_each<'a>(bytes: usize, count: usize) -> Round<'a> {
    let payload = vec![7; bytes];
    Box::new(move || {
        let (_temporary, dir) = temporary();
        let file = dir.create("bare").unwrap();
        let mut frame = Vec::new();
        let mut offset = 0;
        let start = Instant::now();
        for _ in 0..count {
            frame.clear();
            bare_frame(&mut frame, &payload);
            file.write_all_at(offset, &frame).unwrap();
            offset += frame.len() as u64;
        }
        each(start.elapsed(), count)
    })
}

fn buffered<'a>(bytes: usize, count: usize) -> Round<'a> {
    let payload = vec![7; bytes];
    Box::new(move || {
        let (_temporary, dir) = temporary();
        let file = dir.create("bare").unwrap();
        let mut buffer = Vec::new();
        let mut offset = 0;
        let start = Instant::now();
        for _ in 0..count {
            bare_frame(&mut buffer, &payload);
            if buffer.len() >= 64 << 10 {
                file.write_all_at(offset, &buffer).unwrap();
                offset += buffer.len() as u64;
                buffer.clear();
            }
        }
        file.write_all_at(offset, &buffer).unwrap();
        each(start.elapsed(), count)
    })
}

fn durable<'a>(threads: usize) -> Round<'a> {
    let payload = vec![7; 256];
    Box::new(move || {
        let (_temporary, dir) = temporary();
        let log = create(dir, SyncPolicy::EveryCommit);
        let count = 400;
        let start = Instant::now();
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    for _ in 0..count {
                        log.commit(&payload, None).unwrap();
                    }
                });
            }
        });
        each(start.elapsed(), count * threads)
    })
}

fn write_and_sync<'a>(zero_filled: bool) -> Round<'a> {
    let payload = vec![7; 256];
    Box::new(move || {
        let (_temporary, dir) = temporary();
        let file = dir.create("bare").unwrap();
        let count = 400;
        if zero_filled {
            file.write_all_at(0, &vec![0; 400 * 300]).unwrap();
            file.sync().unwrap();
        }
        let mut frame = Vec::new();
        let mut offset = 0;
        let start = Instant::now();
        for _ in 0..count {
            frame.clear();
            bare_frame(&mut frame, &payload);
            file.write_all_at(offset, &frame).unwrap();
            file.sync().unwrap();
            offset += frame.len() as u64;
        }
        each(start.elapsed(), count)
    })
}

/// A log of 48 MiB with two segments, for reading.
struct Corpus {
    _temporary: tempfile::TempDir,
    dir: Arc<dyn Dir>,
    bytes: usize,
    count: usize,
}

impl Corpus {
    fn new(bytes: usize) -> Self {
        let (temporary, dir) = temporary();
        let count = (48 << 20) / (bytes + 32);
        let log = create(Arc::clone(&dir), SyncPolicy::Never);
        for _ in 0..count {
            log.append(&vec![7; bytes], None).unwrap();
        }
        log.sync().unwrap();
        Corpus {
            _temporary: temporary,
            dir,
            bytes,
            count,
        }
    }

    fn replay(&self) -> Round<'_> {
        let (log, _) = Log::open(Arc::clone(&self.dir), options(SyncPolicy::Never), &[]).unwrap();
        log.rotate().unwrap();
        Box::new(move || {
            let mut reader = log.reader(TxId(0)).unwrap();
            let start = Instant::now();
            while let Some(record) = reader.next_record().unwrap() {
                black_box(record.payload);
            }
            each(start.elapsed(), self.count)
        })
    }

    fn checksum_pass(&self) -> Round<'_> {
        let file: Arc<dyn File> = self
            .dir
            .open("00000000000000000000.log", disk::Access::Read)
            .unwrap();
        Box::new(move || {
            let map = file.map(file.len().unwrap()).unwrap();
            let start = Instant::now();
            for frame in map[12288..].chunks_exact(self.bytes + 32).take(self.count) {
                black_box(crc32c::crc32c(&frame[32..]));
            }
            each(start.elapsed(), self.count)
        })
    }

    fn open(&self) -> Round<'_> {
        Box::new(move || {
            let start = Instant::now();
            let (log, report) =
                Log::open(Arc::clone(&self.dir), options(SyncPolicy::Never), &[]).unwrap();
            assert_eq!(report.end.0, self.count as u64);
            black_box(log);
            each(start.elapsed(), self.count)
        })
    }
}
