//! How fast the log is, each beside its bare bound in the same run: interleaved rounds, medians, and the ratio.
//!
//! | measured | bound |
//! |---|---|
//! | append, not synced, in the hands of the OS when it returns | one bare `write` of length, CRC-32C and payload per record |
//! | append in batches of 100, or handed off to the queue, one by one or in batches, all with the OS at the end | the same frames through a buffer of 64 KiB |
//! | append in batches of 100, in the hands of the OS when it returns | one bare `write` of the frames of each batch |
//! | durable commits, 1, 8 and 64 threads | one bare write and `fdatasync` per record by one thread, into a growing file |
//! | | the same into a zero-filled one |
//! | replay, warm in the page cache | a bare reader of length, CRC-32C and payload, through a buffer of 64 KiB |
//! | | the same over a map |
//! | | one bare CRC-32C pass over the payloads (nothing is parsed) |
//! | the same of the newest segment, all of it durable | a bare reader over a map |
//! | seek: a new reader at any id of a log of 48 MiB, and its first record | open the file, read the record at a byte that is known, CRC-32C |
//! | open of a log that was not closed, 48 MiB in its newest segment | one bare CRC-32C pass over the file |
//!
//! `cargo bench -p commitlog -- replay` runs only what has that in its name.
#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::env;
use std::hint::black_box;
use std::io::{BufReader, Read};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use commitlog::{Handoff, Log, LogId, Maintainer, Options, SyncPolicy, TxId};
use disk::{Dir, File, OsDir};

const ROUNDS: usize = 7;

/// Records of a batch.
const BATCH: usize = 100;

/// What one round took, nanoseconds per operation.
type Round<'a> = Box<dyn FnMut() -> f64 + 'a>;

fn main() {
    println!("| work | bound | log | bare | log / bare | range over {ROUNDS} rounds |");
    println!("|---|---|---|---|---|---|");
    for bytes in [64, 256, 4096] {
        let count = 40_000_000 / (bytes + 1000);
        compare(
            &format!("append {bytes} B"),
            append(bytes, count),
            vec![("one write each", one_write_each(bytes, count))],
        );
        compare(
            &format!("append {bytes} B, batches of {BATCH}"),
            append_batches(bytes, count),
            vec![
                ("buffered", buffered(bytes, count, 64 << 10)),
                (
                    "one write a batch",
                    buffered(bytes, count, BATCH * (8 + bytes)),
                ),
            ],
        );
        let name = format!("append {bytes} B, queued");
        let bound = ("buffered", buffered(bytes, count, 64 << 10));
        compare(&name, append_queued(bytes, count, false), vec![bound]);
        let name = format!("append {bytes} B, queued in batches of {BATCH}");
        let bound = ("buffered", buffered(bytes, count, 64 << 10));
        compare(&name, append_queued_batches(bytes, count), vec![bound]);
        // A round begins with a thread that has to wake up, and with memory that was never touched: it is long enough that neither counts.
        let count = count.max((36 << 20) / (bytes + 32));
        let name = format!("append {bytes} B, queued, a maintainer writes");
        let bound = ("buffered", buffered(bytes, count, 64 << 10));
        compare(&name, append_queued(bytes, count, true), vec![bound]);
    }
    for threads in [1, 8, 64] {
        compare(
            &format!("durable 256 B, threads: {threads}"),
            durable(threads),
            vec![
                ("write + sync, growing file", write_and_sync(false)),
                ("write + sync, zero-filled", write_and_sync(true)),
            ],
        );
    }
    for bytes in [64, 256, 4096] {
        let corpus = Corpus::new(bytes);
        let bare = BareCorpus::new(&corpus);
        compare(
            &format!("replay {bytes} B, newest segment"),
            corpus.replay_newest(),
            vec![("bare reader, mapped", bare.replay_mapped())],
        );
        compare(
            &format!("replay {bytes} B"),
            corpus.replay(),
            vec![
                ("bare reader, buffered", bare.replay_buffered()),
                ("bare reader, mapped", bare.replay_mapped()),
                ("bare CRC pass", corpus.checksum_pass()),
            ],
        );
    }
    let corpus = Corpus::new(256);
    let bare = BareCorpus::new(&corpus);
    let open = ("bare CRC pass", corpus.checksum_pass());
    compare("open, each record of 256 B", corpus.open(), vec![open]);
    let seek = ("read at a known byte", bare.seek());
    compare("seek, 256 B", corpus.seek(), vec![seek]);
}

/// Runs all in turn, so that whatever else the machine does hits all of them.
fn compare(name: &str, mut log: Round<'_>, mut bounds: Vec<(&str, Round<'_>)>) {
    let mut asked = env::args().skip(1).filter(|word| !word.starts_with('-'));
    if asked.next().is_some_and(|part| !name.contains(&part)) {
        return;
    }
    let mut ours = Vec::new();
    let mut bare = vec![Vec::new(); bounds.len()];
    for round in 0..=ROUNDS {
        let log = log();
        let times: Vec<f64> = bounds.iter_mut().map(|(_, bound)| bound()).collect();
        // The first round warms up.
        if round > 0 {
            ours.push(log);
            bare.iter_mut()
                .zip(times)
                .for_each(|(all, time)| all.push(time));
        }
    }
    for ((bound, _), bare) in bounds.iter().zip(bare) {
        let mut ratios: Vec<f64> = ours
            .iter()
            .zip(&bare)
            .map(|(ours, bare)| ours / bare)
            .collect();
        ratios.sort_by(f64::total_cmp);
        println!(
            "| {name} | {bound} | {} | {} | {:.2} | {:.2} to {:.2} |",
            shown(median(&ours)),
            shown(median(&bare)),
            ratios[ROUNDS / 2],
            ratios[0],
            ratios[ROUNDS - 1]
        );
    }
}

fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn shown(nanoseconds: f64) -> String {
    if nanoseconds < 1000.0 {
        format!("{nanoseconds:.1} ns")
    } else {
        format!("{:.1} µs", nanoseconds / 1000.0)
    }
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

fn each(total: Duration, count: usize) -> f64 {
    total.as_secs_f64() * 1e9 / count as f64
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

fn append_batches<'a>(bytes: usize, count: usize) -> Round<'a> {
    let payload = vec![7; bytes];
    Box::new(move || {
        let (_temporary, dir) = temporary();
        let log = create(dir, SyncPolicy::Never);
        let batch = [(&payload[..], None); BATCH];
        let start = Instant::now();
        for _ in 0..count / BATCH {
            log.append_batch(&batch).unwrap();
        }
        each(start.elapsed(), count / BATCH * BATCH)
    })
}

fn append_queued<'a>(bytes: usize, count: usize, maintained: bool) -> Round<'a> {
    let payload = vec![7; bytes];
    Box::new(move || {
        let (_temporary, dir) = temporary();
        let log = create(dir, SyncPolicy::Never);
        let _maintainer = maintained.then(|| Maintainer::start(&log).unwrap());
        let start = Instant::now();
        for _ in 0..count {
            log.append_with(&payload, None, Handoff::Queued).unwrap();
        }
        log.wait_written(TxId(count as u64 - 1)).unwrap();
        each(start.elapsed(), count)
    })
}

fn append_queued_batches<'a>(bytes: usize, count: usize) -> Round<'a> {
    let payload = vec![7; bytes];
    Box::new(move || {
        let (_temporary, dir) = temporary();
        let log = create(dir, SyncPolicy::Never);
        let batch = [(&payload[..], None); BATCH];
        let start = Instant::now();
        for _ in 0..count / BATCH {
            log.append_batch_with(&batch, Handoff::Queued).unwrap();
        }
        let last = (count / BATCH * BATCH) as u64 - 1;
        log.wait_written(TxId(last)).unwrap();
        each(start.elapsed(), count / BATCH * BATCH)
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

fn buffered<'a>(bytes: usize, count: usize, buffer_bytes: usize) -> Round<'a> {
    let payload = vec![7; bytes];
    Box::new(move || {
        let (_temporary, dir) = temporary();
        let file = dir.create("bare").unwrap();
        let mut buffer = Vec::new();
        let mut offset = 0;
        let start = Instant::now();
        for _ in 0..count {
            bare_frame(&mut buffer, &payload);
            if buffer.len() >= buffer_bytes {
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

/// Places in a corpus that are looked for in each round: a few, spread evenly and in no order.
const SOUGHT: usize = 16;

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

    /// Of the only segment, which is the one that is written.
    fn replay_newest(&self) -> Round<'_> {
        let (log, _) = Log::open(Arc::clone(&self.dir), options(SyncPolicy::Never), &[]).unwrap();
        self.replay_of(log)
    }

    /// Of a segment that is complete.
    fn replay(&self) -> Round<'_> {
        let (log, _) = Log::open(Arc::clone(&self.dir), options(SyncPolicy::Never), &[]).unwrap();
        log.rotate().unwrap();
        self.replay_of(log)
    }

    fn replay_of(&self, log: Log) -> Round<'_> {
        Box::new(move || {
            let start = Instant::now();
            let mut reader = log.reader(TxId(0)).unwrap();
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
            let start = Instant::now();
            let map = file.map(0..file.len().unwrap()).unwrap();
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

    fn seek(&self) -> Round<'_> {
        let (log, _) = Log::open(Arc::clone(&self.dir), options(SyncPolicy::Never), &[]).unwrap();
        log.rotate().unwrap();
        let places = Places::new(self.count);
        Box::new(move || {
            let start = Instant::now();
            for _ in 0..SOUGHT {
                let id = TxId(places.next() as u64);
                let mut reader = log.reader(id).unwrap();
                let record = reader.next_record().unwrap().unwrap();
                assert_eq!((record.id, record.payload.len()), (id, self.bytes));
            }
            each(start.elapsed(), SOUGHT)
        })
    }
}

/// The payloads of a corpus, each behind its length and its CRC-32C and nothing else.
struct BareCorpus {
    _temporary: tempfile::TempDir,
    dir: Arc<dyn Dir>,
    bytes: usize,
    count: usize,
}

impl BareCorpus {
    fn new(corpus: &Corpus) -> Self {
        let (temporary, dir) = temporary();
        let mut frame = Vec::new();
        bare_frame(&mut frame, &vec![7; corpus.bytes]);
        let file = dir.create("bare").unwrap();
        // One write each, as the log's: the page cache keeps a file in larger pieces if it is written in larger ones.
        for place in 0..corpus.count {
            file.write_all_at((place * frame.len()) as u64, &frame)
                .unwrap();
        }
        file.sync().unwrap();
        BareCorpus {
            _temporary: temporary,
            dir,
            bytes: corpus.bytes,
            count: corpus.count,
        }
    }

    fn file(&self) -> Arc<dyn File> {
        self.dir.open("bare", disk::Access::Read).unwrap()
    }

    #[expect(
        clippy::disallowed_types,
        reason = "the standard library's own buffered reader is the bound here"
    )]
    fn replay_buffered(&self) -> Round<'_> {
        let path = self.file().path().to_path_buf();
        Box::new(move || {
            let mut payload = Vec::new();
            let start = Instant::now();
            let file = std::fs::File::open(&path).unwrap();
            let mut reader = BufReader::with_capacity(64 << 10, file);
            for _ in 0..self.count {
                let mut head = [0; 8];
                reader.read_exact(&mut head).unwrap();
                let length = u32::from_le_bytes(*head.first_chunk().unwrap());
                payload.resize(length as usize, 0);
                reader.read_exact(&mut payload).unwrap();
                assert_eq!(&crc32c::crc32c(&payload).to_le_bytes(), &head[4..]);
                black_box(&payload);
            }
            each(start.elapsed(), self.count)
        })
    }

    fn replay_mapped(&self) -> Round<'_> {
        let file = self.file();
        Box::new(move || {
            let start = Instant::now();
            let map = file.map(0..file.len().unwrap()).unwrap();
            let mut rest = &map[..];
            while let Some((payload, behind)) = bare_record(rest) {
                black_box(payload);
                rest = behind;
            }
            assert!(rest.is_empty());
            each(start.elapsed(), self.count)
        })
    }

    fn seek(&self) -> Round<'_> {
        let places = Places::new(self.count);
        let frame_bytes = 8 + self.bytes;
        Box::new(move || {
            let start = Instant::now();
            for _ in 0..SOUGHT {
                let file = self.file();
                let mut frame = vec![0; frame_bytes];
                file.read_exact_at((places.next() * frame_bytes) as u64, &mut frame)
                    .unwrap();
                black_box(bare_record(&frame).unwrap());
            }
            each(start.elapsed(), SOUGHT)
        })
    }
}

/// The payload at the front of the bytes, if its checksum holds, and what stands behind it.
fn bare_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (sum, rest) = rest.split_first_chunk()?;
    let (payload, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    (crc32c::crc32c(payload) == u32::from_le_bytes(*sum)).then_some((payload, rest))
}

/// Visits numbers below a count by steps that share no pattern with anything.
struct Places {
    at: Cell<usize>,
    count: usize,
}

impl Places {
    fn new(count: usize) -> Self {
        Places {
            at: Cell::new(0),
            count,
        }
    }

    fn next(&self) -> usize {
        let at = (self.at.get() + 1_000_003 * self.count / 2_718_282) % self.count;
        self.at.set(at);
        at
    }
}
