//! A bit of every byte of a snapshot is flipped, and its length is cut: opening the database must come to the verdict that
//! the rules of recovery give. The verdicts are the table below.
//!
//! The database is the smallest one with a row in its snapshot, and yet its file has more than half a million bytes. So it is opened
//! for reading, with the same checks as for writing; one in a number of bytes is tried for writing too, and the ways in which a life
//! ends take turns, because the snapshot is the same for all of them. Which bit is flipped, and which lengths are tried, depends on
//! the seed. `damage.rs` flips bytes where there is an older snapshot to fall back to.
#![allow(clippy::unwrap_used)]

use std::thread::ScopedJoinHandle;

use cairn_tests::{
    Effort, End, Random, Row, Sample, Seen, Shape, reader_verdict, same, seeds, verdict,
};

const ENDS: [End; 3] = [End::Closed, End::Killed, End::PowerCut];

/// What stands between the header of a snapshot and its first blob is never read. A reader shows only what is proved: what lacks its
/// mark is not.
#[rustfmt::skip]
const PACK: &[Row<'_>] = &[
    ("read: header", ["all from the log, only rejected", "all but the last from the log, only rejected", "all but the last from the log, only rejected"]),
    ("read: behind the header", ["all from the only snapshot", "all but the last from the only snapshot", "all but the last from the only snapshot"]),
    ("read: blobs and manifest", ["all from the log, only rejected", "all but the last from the log, only rejected", "all but the last from the log, only rejected"]),
    ("read: cut", ["all from the log, only rejected", "all but the last from the log, only rejected", "all but the last from the log, only rejected"]),
    same("write: header", "all from the log, only rejected"),
    same("write: behind the header", "all from the only snapshot"),
    same("write: blobs and manifest", "all from the log, only rejected"),
    same("write: cut", "all from the log, only rejected"),
];

const HEADER_BYTES: u64 = 512;
const BLOBS_BYTE: u64 = 4096;

/// One in how many bytes behind the header is tried for writing, too, and life goes on after it.
const WRITE_STRIDE: u64 = 499;
/// One in how many lengths is tried. `snapshot` tries every length of one that is smaller still.
const CUT_STRIDE: u64 = 101;

/// The samples with all that was seen of them, by one of the threads.
struct Worker {
    samples: Vec<Sample>,
    pack: String,
    bytes: u64,
    seen: Seen,
}

impl Worker {
    fn new() -> Self {
        let samples: Vec<Sample> = ENDS
            .iter()
            .map(|end| Sample::new(Shape::Smallest, *end))
            .collect();
        let files = samples[0].disk.files().into_iter();
        let packs: Vec<String> = files.filter(|path| path.ends_with(".pack")).collect();
        let [pack] = <[String; 1]>::try_from(packs).expect("a snapshot is one file");
        Worker {
            bytes: samples[0].read(&pack).len() as u64,
            samples,
            pack,
            seen: Seen::default(),
        }
    }

    /// Does both harms to one byte, as far as it is its turn.
    fn harm(&mut self, byte: u64, seed: u64) {
        // Three ends, and strides that share no factor with it: each end meets each part.
        let column = usize::try_from(byte % 3).unwrap();
        let sample = &self.samples[column];
        let part = match byte {
            0..HEADER_BYTES => "header",
            HEADER_BYTES..BLOBS_BYTE => "behind the header",
            _ => "blobs and manifest",
        };
        let bit = u32::try_from(Random::new(seed ^ byte << 16).below(8)).unwrap();
        let flip = || {
            let disk = sample.disk.fork();
            disk.flip_bit(&self.pack, byte, bit);
            disk
        };
        let context = format!("{:?}, byte {byte}, bit {bit}", sample.end);
        let mut note = |way: &str, part: &str, verdict: String| {
            self.seen
                .note(&format!("{way}: {part}"), column, verdict, &context);
        };
        note("read", part, reader_verdict(sample, &flip(), &context));
        if part == "header" || (byte + seed).is_multiple_of(WRITE_STRIDE) {
            let verdict = verdict(sample, &flip(), Effort::Thorough, &context);
            note("write", part, verdict);
        }
        if (byte + seed).is_multiple_of(CUT_STRIDE) {
            let disk = sample.disk.fork();
            disk.truncate(&self.pack, byte);
            note("read", "cut", reader_verdict(sample, &disk, &context));
            note(
                "write",
                "cut",
                verdict(sample, &disk, Effort::Quick, &context),
            );
        }
    }
}

#[test]
fn every_byte_of_a_pack() {
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    for seed in seeds("damage_packs", 1) {
        let workers: Vec<Worker> = std::thread::scope(|scope| {
            let start = |thread| {
                scope.spawn(move || {
                    let mut worker = Worker::new();
                    // Neighbours go to different threads, so that all have as much to do.
                    for byte in (thread..worker.bytes).step_by(usize::try_from(threads).unwrap()) {
                        worker.harm(byte, seed.value);
                    }
                    worker
                })
            };
            let started: Vec<_> = (0..threads).map(start).collect();
            let join = |thread: ScopedJoinHandle<'_, Worker>| match thread.join() {
                Ok(worker) => worker,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            started.into_iter().map(join).collect()
        });
        let mut seen = Seen::default();
        let bytes = workers[0].bytes;
        workers
            .into_iter()
            .for_each(|worker| seen.merge(worker.seen));
        println!("{bytes} bytes, {} disks", seen.count());
        seen.check(PACK);
    }
}
